"""The rescaled squared loss around a collapsed classifier, in symbols."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .rescaled_minimizers import change_of_units, rescaled_minimizers

__all__ = [
    "PROOFS",
    "angular_curvature",
    "change_of_units",
    "feature_gradient",
    "feature_hessian",
    "plane_logits",
    "polar_loss",
    "rescaled_minimizers",
]

HALF = sp.Rational(1, 2)
K, d = sp.symbols("K d", integer=True, positive=True)
alpha, M, rho, s = sp.symbols("alpha M rho s", positive=True)
beta, theta, z = sp.symbols("beta theta z", real=True)

U = sp.MatrixSymbol("U", K, d)  # unit vertices as rows
h = sp.MatrixSymbol("h", d, 1)  # a feature of class k
u = sp.MatrixSymbol("u", d, 1)  # its vertex, row k of U
v = sp.MatrixSymbol("v", d, 1)  # any direction across it
e = sp.MatrixSymbol("e", K, 1)  # its one-hot label
one = sp.MatrixSymbol(r"\mathbf{1}", K, 1)
scalar = sp.Identity(1)

FRAME = Given("a simplex, seen from its span", U.T * U * h, K / (K - 1) * h)
CENTERED = Given("vertices sum to zero", U.T * one, sp.ZeroMatrix(d, 1))
COUNT = Given("the number of classes", one.T * one, K * scalar)
VERTEX = Given("the vertex of the class", U.T * e, u)

logits = rho * U * h + beta * one
own = rho * (u.T * h) + (beta - M) * scalar  # true logit less its target
pull = alpha * (M - z) + z
bound = K / (K - 1)
DIMENSIONS = "any number of classes and features"


def polar(true_logit: sp.Expr) -> sp.Expr:
    """The loss of a feature of radius s whose true logit is given."""
    squares = rho**2 * s**2 * bound + K * beta**2
    return HALF * (alpha * (true_logit - M) ** 2 - true_logit**2 + squares)


TRUE_LOGIT = rho * s * sp.cos(theta) + beta


@cache
def polar_loss() -> Proof:
    """Radius and angle are enough: the direction around the vertex does not matter.

    Our derivation; Zhou et al. 2022, Eq. (31), is the case rho = 1, beta = 0.
    Chapter: rescaled.

    >>> polar_loss().holds
    True
    """
    off = beta - rho * s * sp.cos(theta) / (K - 1)
    across = rho**2 * s**2 * sp.sin(theta) ** 2 * bound
    return Proof(
        "The polar form",
        r"For $h$ in the span of the classifier, $\lVert h\rVert = s$, at the angle $\theta$ to "
        r"$u_k$, the loss depends on $s$ and $\theta$ alone.",
        "our derivation; Zhou et al. 2022, Eq. (31), for one plane",
        f"{DIMENSIONS}; then for numbers",
        (
            Step(
                "All squared logits together see only the length of the feature, because a tight "
                "frame weighs all directions equally and the bias meets vertices that sum to zero.",
                SquaredNorm(logits),
                rho**2 * bound * SquaredNorm(h) + K * beta**2,
                (FRAME, CENTERED, COUNT),
            ),
            Step(
                "So put the true logit apart. The other logits are as if all were equal, plus "
                "what the feature has across its vertex.",
                polar(TRUE_LOGIT),
                HALF * (alpha * (TRUE_LOGIT - M) ** 2 + (K - 1) * off**2 + across),
            ),
        ),
    )


@cache
def feature_gradient() -> Proof:
    """A spring to the origin and a pull to the vertex.

    Our derivation.   Chapter: rescaled.

    >>> feature_gradient().holds
    True
    """
    loss = SquaredNorm(logits - M * e) / 2 + (alpha - 1) / 2 * SquaredNorm(own)
    spring = rho**2 * bound * h - rho * M * u
    slope_in_angle = rho * s * sp.sin(theta) * pull.subs(z, TRUE_LOGIT)
    slope_in_radius = rho**2 * s * bound - rho * pull.subs(z, TRUE_LOGIT) * sp.cos(theta)
    return Proof(
        "The gradient of one feature",
        r"With the true logit $z = \rho\, u_k^\top h + \beta$, the gradient of the loss in $h$ is "
        r"$\rho^2\tfrac{K}{K-1}\, h - \rho\, p(z)\, u_k$, where $p(z) = \alpha(M - z) + z$ is the "
        "pull.",
        "our derivation",
        f"{DIMENSIONS}; the last three steps for numbers",
        (
            Step(
                r"The loss is the plain one with target $M$, and $\alpha - 1$ times the true "
                "class once more. Differentiate.",
                sp.Derivative(loss, h),
                spring + (alpha - 1) * rho * u * own,
                (FRAME, CENTERED, VERTEX),
            ),
            Step(
                r"The two terms along $u_k$ are the pull: with $\rho\, u_k^\top h = z - \beta$,",
                -rho * M + (alpha - 1) * rho * (z - M),
                -rho * pull,
            ),
            Step(
                "In polar coordinates: the radius.",
                sp.Derivative(polar(TRUE_LOGIT), s),
                slope_in_radius,
            ),
            Step(
                "The angle. The loss turns the feature as hard as it is pulled.",
                sp.Derivative(polar(TRUE_LOGIT), theta),
                slope_in_angle,
            ),
        ),
    )


@cache
def feature_hessian() -> Proof:
    """Two eigenvalues; alpha is in the radial one only, M in none.

    Our derivation.   Chapter: rescaled.

    >>> feature_hessian().holds
    True
    """
    unit = Given("unit length", u.T * u, scalar)
    across = Given("across the vertex", u.T * v, sp.ZeroMatrix(1, 1))
    hessian = rho**2 * bound * sp.Identity(d) + (alpha - 1) * rho**2 * u * u.T
    radial = rho**2 * (bound + alpha - 1)
    return Proof(
        "The curvature in the feature",
        r"In the span of the classifier the Hessian of the loss in $h$ has the eigenvalues "
        r"$\rho^2\bigl(\tfrac{K}{K-1} + \alpha - 1\bigr)$ along $u_k$ and $\rho^2\tfrac{K}{K-1}$ "
        r"across it. For $\alpha \ge 1$ its condition number is $1 + (\alpha-1)\tfrac{K-1}{K}$.",
        "our derivation",
        f"{DIMENSIONS}; the last step for numbers",
        (
            Step("Along the vertex.", hessian * u, radial * u, (unit,)),
            Step("Across it.", hessian * v, rho**2 * bound * v, (across,)),
            Step(
                "Their ratio.",
                radial / (rho**2 * bound),
                1 + (alpha - 1) * (K - 1) / K,
            ),
        ),
    )


@cache
def angular_curvature() -> Proof:
    """How sharply the loss rises when the feature turns away from its vertex.

    Our derivation.   Chapter: rescaled.

    >>> angular_curvature().holds
    True
    """
    D = rho * s + beta
    best = (alpha * (M - beta) + beta) / (rho * (bound + alpha - 1))
    turned = rho * s * sp.sin(theta) * pull.subs(z, TRUE_LOGIT)
    fitted = {rho * s: M * (K - 1) / K, beta: M / K}
    return Proof(
        "The curvature in the angle",
        r"At $\theta = 0$ and any radius the second derivative in the angle is $\rho s\,p(D)$ "
        r"with the true logit $D = \rho s + \beta$.",
        "our derivation",
        "any numbers",
        (
            Step(
                "The slope in the angle, differentiated once more.",
                sp.Derivative(turned, theta),
                rho * s * sp.cos(theta) * pull.subs(z, TRUE_LOGIT)
                + (alpha - 1) * (rho * s * sp.sin(theta)) ** 2,
            ),
            Step(
                r"At $\theta = 0$ the sine is gone. Write $D$ out.",
                rho * s * pull.subs(z, D),
                rho * s * (alpha * M - (alpha - 1) * (rho * s + beta)),
            ),
            Step(
                "On the axis the slope in the radius vanishes at the best radius.",
                (rho**2 * s * bound - rho * pull.subs(z, D)).subs(s, best),
                sp.Integer(0),
            ),
            Step(
                r"Without regularization $\beta = M/K$ and $\rho s = M\tfrac{K-1}{K}$ fit every "
                r"target; then $D = M$, and only $M$ is left.",
                (rho * s).subs(fitted) * pull.subs(z, (rho * s).subs(fitted) + beta.subs(fitted)),
                M**2 * (K - 1) / K,
            ),
        ),
    )


@cache
def plane_logits() -> Proof:
    """Proposition C.1: the logits in the plane of two vertices, the loss, and two misprints.

    Source: Zhou et al. 2022, Proposition C.1 and Eqs. (28)-(31).   Chapter: rescaled.

    >>> plane_logits().holds
    True
    """
    k = sp.Symbol("K", positive=True)
    cos, sin, width = sp.cos(theta), sp.sin(theta), sp.sqrt(k) * sp.sqrt(k - 2)
    first = sp.Matrix([1, 0])
    second = sp.Matrix([-1, width]) / (k - 1)
    rest = -(first + second) / (k - 2)
    feature = s * sp.Matrix([cos, sin])
    true, other = s * cos, s * (width * sin - cos) / (k - 1)
    each = -s * (sp.sqrt(k) / sp.sqrt(k - 2) * sin + cos) / (k - 1)
    squares = other**2 + (k - 2) * each**2
    printed = (other - 1) ** 2 + (k - 2) * (each - 1) ** 2
    return Proof(
        "Proposition C.1",
        r"Let $h = s\,(\cos\theta\, u_k + \sin\theta\, n)$ with $n$ the unit vector across $u_k$ "
        r"towards $u_{k'}$. The logits of $k$, of $k'$ and of each other class are the left "
        "sides below, and the loss is the polar form.",
        "Zhou et al. 2022, Proposition C.1, Eqs. (28)-(31)",
        "any number of classes above two, as a number",
        (
            Step(r"$u_{k'}$ has unit length.", second.dot(second), sp.Integer(1)),
            Step(r"Its logit.", second.dot(feature), other),
            Step(
                "All vertices sum to zero, and the other classes are alike: each has the same "
                "part in this plane.",
                rest.dot(feature),
                each,
            ),
            Step(
                "The squared wrong logits, added up: the angle between the planes is gone.",
                squares,
                s**2 * (k / (k - 1) - cos**2),
            ),
            Step(
                r"Eq. (30) as printed subtracts 1 from every wrong logit, which would add this to "
                "twice the loss. The target of a wrong class is 0, as in Eq. (31).",
                printed - squares,
                (k - 1) + 2 * true,
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (
    polar_loss,
    feature_gradient,
    feature_hessian,
    angular_curvature,
    plane_logits,
    rescaled_minimizers,
    change_of_units,
)
"""The proofs about the rescaled loss, in the order of the chapter."""
