"""The global minimizers of the rescaled squared loss, and M as a unit of length."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .proof import Proof, Step

__all__ = ["change_of_units", "rescaled_minimizers"]

HALF = sp.Rational(1, 2)
K, alpha, M, c = sp.symbols("K alpha M c", positive=True)
decay = sp.Symbol(r"\lambda_b", positive=True)
x, y, beta = sp.symbols("x y beta", real=True)

own = x * (K - 1) / K + y / K + beta  # the true logit
off = -x / K + y / K + beta  # every other logit

WITH_COMMON = {x: M - c / alpha, y: M - c / alpha - c / decay, beta: c / (K * decay)}


def reduced(alpha: sp.Expr = alpha, M: sp.Expr = M, c: sp.Expr = c) -> sp.Expr:
    """The objective at W H = (x P + y 11^T/K), b = beta 1, for x, y >= 0."""
    fit = HALF * (alpha * (own - M) ** 2 + (K - 1) * off**2)
    return fit + c / K * ((K - 1) * x + y) + decay * K / 2 * beta**2


@cache
def rescaled_minimizers() -> Proof:
    """Stationary points of the reduced objective in each of the three regimes.

    Our derivation; the paper has no theorem for the rescaled loss.   Chapter: rescaled.

    >>> rescaled_minimizers().holds
    True
    """
    scale = alpha * K * (1 + decay) - (alpha - 1) * decay
    length = (alpha * M * K * (1 + decay) - c * (K * (1 + decay) + alpha - 1)) / scale
    simplex = {x: length, y: 0, beta: (c + length) / (K * (1 + decay))}
    nothing = {x: 0, y: 0, beta: alpha * M / (alpha + K - 1 + K * decay)}
    in_y = reduced().diff(y)
    switch = alpha * M * decay / (alpha + decay)
    threshold = alpha * M * K * (1 + decay) / (K * (1 + decay) + alpha - 1)
    return Proof(
        "Minimizers of the rescaled loss",
        r"At $WH = (xP + y\tfrac1K\mathbf 1\mathbf 1^\top)\otimes\mathbf 1_n^\top$, $b = "
        r"\beta\mathbf 1$ the objective is a convex function $F$ of $x, y \ge 0$ and $\beta$. It "
        "is stationary at the values of the three regimes, and the regimes meet at the "
        "thresholds below.",
        "our derivation",
        "any numbers of classes, weights, targets and decays",
        (
            Step(
                r"Small $c$: with a common part, in $x$.",
                reduced().diff(x).subs(WITH_COMMON),
                sp.Integer(0),
            ),
            Step("In $y$.", in_y.subs(WITH_COMMON), sp.Integer(0)),
            Step(r"In $\beta$.", reduced().diff(beta).subs(WITH_COMMON), sp.Integer(0)),
            Step("Every wrong logit is then zero.", off.subs(WITH_COMMON), sp.Integer(0)),
            Step(
                "The true logit falls short by the shrinkage.",
                own.subs(WITH_COMMON),
                M - c / alpha,
            ),
            Step(
                r"The common part is zero where $c$ reaches this value, and would be negative "
                "above.",
                WITH_COMMON[y].subs(c, switch),
                sp.Integer(0),
            ),
            Step(
                r"Between the thresholds, $y = 0$: in $x$.",
                reduced().diff(x).subs(simplex),
                sp.Integer(0),
            ),
            Step(r"In $\beta$.", reduced().diff(beta).subs(simplex), sp.Integer(0)),
            Step(
                r"In $y$ the slope is at least zero exactly above the first threshold, so a "
                "common part does not pay.",
                in_y.subs(simplex),
                (c * (alpha + decay) - alpha * M * decay) / scale,
            ),
            Step(
                "The simplex is as large as $c$ is below the second threshold.",
                length,
                (K * (1 + decay) + alpha - 1) * (threshold - c) / scale,
            ),
            Step(
                r"Above, nothing is learned but the bias, which is stationary.",
                reduced().diff(beta).subs(nothing),
                sp.Integer(0),
            ),
            Step(
                r"The second threshold is the pull $\alpha(M - \beta) + \beta$ on a feature at "
                "the origin, with that bias: below it the origin lets go.",
                (alpha * (M - beta) + beta).subs(nothing),
                threshold,
            ),
        ),
    )


@cache
def change_of_units() -> Proof:
    """M is a unit of length: only c/M enters, apart from the scale of everything.

    Our derivation.   Chapter: rescaled.

    >>> change_of_units().holds
    True
    """
    in_units = {x: M * x, y: M * y, beta: M * beta}
    return Proof(
        "The target is a unit",
        r"The objective with target $M$ and shrinkage $c$, at logits and bias multiplied by $M$, "
        r"is $M^2$ times the objective with target 1 and shrinkage $c/M$.",
        "our derivation",
        "any numbers",
        (
            Step(
                "Put in the multiplied logits and divide out.",
                reduced().subs(in_units, simultaneous=True),
                M**2 * reduced(M=sp.Integer(1), c=c / M),
            ),
            Step(
                r"So does the relative shortfall of the true logit for small $c$, where $\alpha$ "
                "joins in.",
                1 - own.subs(WITH_COMMON) / M,
                c / M / alpha,
            ),
        ),
    )
