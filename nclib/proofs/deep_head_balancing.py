"""Jacot et al. 2025: gradient flow and descent balance linear layers that follow each other."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step

__all__ = ["balance_from_gradients", "balance_under_descent", "balance_under_flow", "shifted_pl"]

N, C, n, d, p = sp.symbols("N C n d p", positive=True, integer=True)
lam, eta, alpha, R2, C0, t, D0 = sp.symbols(
    r"\lambda \eta \alpha R_{2} C_{0} t D_{0}", positive=True
)
half = sp.Rational(1, 2)

H = sp.MatrixSymbol("H", N, n)  # what enters the lower layer
Y = sp.MatrixSymbol("Y", N, C)
lower = sp.MatrixSymbol("W_{1}", d, n)
upper = sp.MatrixSymbol("W_{2}", p, d)
A = sp.MatrixSymbol("A", C, p)  # all layers above the two, multiplied
R = sp.MatrixSymbol("R", N, C)
G1 = sp.MatrixSymbol("G_{1}", d, n)
G2 = sp.MatrixSymbol("G_{2}", p, d)
V1 = sp.MatrixSymbol(r"\dot{W}_{1}", d, n)
V2 = sp.MatrixSymbol(r"\dot{W}_{2}", p, d)
lower_after = sp.MatrixSymbol("W_{1}^{+}", d, n)
upper_after = sp.MatrixSymbol("W_{2}^{+}", p, d)
D = upper.T * upper - lower * lower.T

residual = Given("residual, rows are samples", R, H * lower.T * upper.T * A.T - Y)
lower_gradient = Given("gradient in the lower layer", G1, upper.T * A.T * R.T * H)
upper_gradient = Given("gradient in the upper layer", G2, A.T * R.T * H * lower.T)
loss = SquaredNorm(H * lower.T * upper.T * A.T - Y) / 2


def _conserved() -> tuple[Step, Step, Step]:
    """Both gradients of the loss, and the one identity that all balancing rests on."""
    return (
        Step(
            "The gradient in the lower of two neighboring layers.",
            sp.Derivative(loss, lower),
            upper.T * A.T * R.T * H,
            (residual,),
        ),
        Step(
            "The gradient in the upper one.",
            sp.Derivative(loss, upper),
            A.T * R.T * H * lower.T,
            (residual,),
        ),
        Step(
            "Seen from the space between them, both gradients are the same matrix.",
            upper.T * G2,
            G1 * lower.T,
            (lower_gradient, upper_gradient),
        ),
    )


@cache
def balance_under_flow() -> Proof:
    """Under gradient flow with weight decay the imbalance decays like exp(-2 lambda t).

    Our derivation; without weight decay a classic of linear networks.   Chapter: wide.

    >>> balance_under_flow().holds
    True
    """
    first, second, same = _conserved()
    flow_1 = Given("flow of the lower layer", V1, -G1 - lam * lower)
    flow_2 = Given("flow of the upper layer", V2, -G2 - lam * upper)
    return Proof(
        "Balancing under gradient flow",
        r"Under gradient flow of a loss plus $\tfrac\lambda2$ times the squared weights, "
        r"$D = W_2^\top W_2 - W_1 W_1^\top$ of two neighboring linear layers obeys "
        r"$\dot D = -2\lambda D$, so $D(t) = e^{-2\lambda t} D(0)$.",
        "our derivation; compare Jacot et al. 2025, Section 4",
        "any number of samples, classes, widths and layers; the last step entry by entry",
        (
            first,
            second,
            same,
            Step(
                "Hence the loss drops out of the rate of change of the imbalance.",
                V2.T * upper + upper.T * V2 - V1 * lower.T - lower * V1.T,
                -2 * lam * D,
                (flow_1, flow_2, same),
            ),
            Step(
                "Entry by entry: the claimed solution changes at this rate.",
                -2 * lam * D0 * sp.exp(-2 * lam * t),
                sp.Derivative(D0 * sp.exp(-2 * lam * t), t),
                tex=r"-2\lambda\, e^{-2\lambda t} D_0 = \frac{d}{dt}\, e^{-2\lambda t} D_0",
            ),
        ),
    )


@cache
def balance_under_descent() -> Proof:
    """One step of gradient descent shrinks the imbalance and adds a term of second order.

    Our derivation.   Chapter: wide.

    >>> balance_under_descent().holds
    True
    """
    step_1 = Given("a step of the lower layer", lower_after, lower - eta * (G1 + lam * lower))
    step_2 = Given("a step of the upper layer", upper_after, upper - eta * (G2 + lam * upper))
    first, second, same = _conserved()
    return Proof(
        "Balancing under gradient descent",
        r"A step of size $\eta$ takes $D$ to $(1 - \eta\lambda)^2 D + \eta^2 (G_2^\top G_2 - "
        r"G_1 G_1^\top)$, with $G_1, G_2$ the gradients of the loss without weight decay.",
        "our derivation; compare Jacot et al. 2025, Theorem 4.4",
        "any number of samples, classes, widths and layers",
        (
            first,
            second,
            same,
            Step(
                "Square both new layers; the terms of first order meet in pairs and cancel.",
                upper_after.T * upper_after - lower_after * lower_after.T,
                (1 - eta * lam) ** 2 * D + eta**2 * (G2.T * G2 - G1 * G1.T),
                (step_1, step_2, same),
            ),
        ),
    )


@cache
def balance_from_gradients() -> Proof:
    """The imbalance can be read off the gradients, and is zero at every critical point.

    Our derivation.   Chapter: wide.

    >>> balance_from_gradients().holds
    True
    """
    first, second, same = _conserved()
    return Proof(
        "Critical points are balanced",
        r"With $g_k = G_k + \lambda W_k$, the gradients of the loss with weight decay, "
        r"$\lambda D = W_2^\top g_2 - g_1 W_1^\top$ everywhere. So $D = 0$ wherever both vanish, "
        r"and $\lVert D\rVert \le (\lVert W_1\rVert \lVert g_1\rVert + \lVert W_2\rVert "
        r"\lVert g_2\rVert)/\lambda$.",
        "our derivation",
        "any number of samples, classes, widths and layers",
        (
            first,
            second,
            same,
            Step(
                "The loss drops out again, and what is left is weight decay.",
                upper.T * (G2 + lam * upper) - (G1 + lam * lower) * lower.T,
                lam * D,
                (same,),
            ),
        ),
    )


@cache
def shifted_pl() -> Proof:
    """A loss with a Polyak-Lojasiewicz inequality keeps it under weight decay, down to a floor.

    Our derivation; the paper has a proposition of this kind.   Chapter: wide.

    >>> shifted_pl().holds
    True
    """
    theta = sp.MatrixSymbol(r"\theta", n, 1)
    gradient = sp.MatrixSymbol("g", n, 1)
    floor = lam * R2 * (half + 2 * lam / alpha)
    return Proof(
        "A shifted Polyak-Lojasiewicz inequality",
        r"Let $\lVert\nabla C_0\rVert^2 \ge \alpha C_0$ and $\lVert\theta\rVert \le R$. Then "
        r"$C = C_0 + \tfrac\lambda2\lVert\theta\rVert^2$ has $\lVert\nabla C\rVert^2 \ge "
        r"\tfrac\alpha2 (C - F)$ with the floor $F = \lambda R^2(\tfrac12 + 2\lambda/\alpha)$.",
        "our derivation; compare Jacot et al. 2025, Section 4",
        "any number of parameters; the last step entry by entry",
        (
            Step(
                r"With $g = \nabla C_0$: half of it survives, at the price of the second term.",
                SquaredNorm(gradient + lam * theta),
                SquaredNorm(gradient) / 2
                - lam**2 * SquaredNorm(theta)
                + SquaredNorm(gradient + 2 * lam * theta) / 2,
            ),
            Step(
                r"Entry by entry: drop the last square, put in $\alpha C_0$ and $R^2$, and "
                r"collect.",
                alpha / 2 * C0 - lam**2 * R2,
                alpha / 2 * (C0 + lam / 2 * R2 - floor),
                tex=r"\begin{aligned} & \tfrac\alpha2 C_0 - \lambda^2 R^2 \\ & \quad = "
                r"\tfrac\alpha2 \bigl(C_0 + \tfrac\lambda2 R^2 - F\bigr) \end{aligned}",
            ),
        ),
    )
