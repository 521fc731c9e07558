"""Proposition 1: the best linear head under the ridge-regularized MSE loss."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .samples import FREE, FREE_HEAD
from .symbols import (
    HALF,
    A,
    C,
    Ht,
    Mt,
    N,
    Pi,
    R,
    S,
    Stt,
    Wt,
    Wt_LS,
    Xt,
    Y,
    Zt,
    d,
    mut,
    one_N,
    ridge,
)

__all__ = ["extended_loss", "proposition_1"]


def extended_loss(weights: Any) -> Any:
    """1/(2N) |H~ W~^T - Y|^2 + (ridge/2) |W~|^2, the loss of all samples in rows.

    Source: Han, Papyan & Donoho 2022, Eq. (3).   Chapter: least-squares.
    """
    return SquaredNorm(Ht * weights.T - Y) / (2 * N) + ridge / 2 * SquaredNorm(weights)


@cache
def proposition_1() -> Proof:
    """The head W~_LS = E[y h~^T] (E[h~ h~^T] + ridge I)^{-1} minimizes the loss.

    Source: Han, Papyan & Donoho 2022, Proposition 1.   Chapter: least-squares.

    >>> proposition_1().holds
    True
    """
    return Proof(
        "Proposition 1",
        r"Among all heads $\widetilde{W} = [W, b]$, the loss $\tfrac{1}{2N}\lVert\widetilde{H}"
        r"\widetilde{W}^\top - Y\rVert_F^2 + \tfrac{\lambda}{2}\lVert\widetilde{W}\rVert_F^2$ is "
        r"smallest at $\widetilde{W}_{\mathrm{LS}} = \Pi\widetilde{M}\,(\widetilde{\Sigma}_T + "
        r"\widetilde{\mu}_G\widetilde{\mu}_G^\top + \lambda I)^{-1}$ wherever the inverse exists, "
        "for any class proportions.",
        "Han, Papyan & Donoho 2022, Proposition 1, after Webb & Lowe 1990; there for equal classes",
        "any number of samples (rows), classes and features; the last step entry by entry",
        (*_minimizer(), *_class_structure(), _gradient_entrywise()),
    )


def _minimizer() -> tuple[Step, ...]:
    """The loss as a quadratic, its derivative, its square completed."""
    moment = Given("second moment of the extended features", S, Ht.T * Ht / N)
    target = Given("labels against features", R, Y.T * Ht / N)
    ridged = Given("the ridge added", A, S + ridge * sp.Identity(d + 1))
    best = Given("the claimed minimizer", Wt_LS, R * A.I)
    quadratic = HALF * sp.Trace(Wt * A * Wt.T) - sp.Trace(Wt * R.T)
    gap: Any = Wt - Wt_LS
    normal = Step("The claimed minimizer solves the normal equations.", Wt_LS * A, R, (best,))
    return (
        Step(
            "The loss is a quadratic function of the head.",
            extended_loss(Wt),
            quadratic + SquaredNorm(Y) / (2 * N),
            (moment, target, ridged),
        ),
        Step(
            "Its derivative vanishes exactly where the normal equations hold.",
            sp.Derivative(extended_loss(Wt), Wt),
            Wt * A - R,
            (moment, target, ridged),
        ),
        normal,
        Step(
            r"Completing the square. On the right, only the first term depends on $\widetilde{W}$; "
            r"it is never negative, since $\widetilde{A}$ is positive semidefinite, and zero at "
            r"$\widetilde{W}_{\mathrm{LS}}$.",
            quadratic,
            HALF * sp.Trace(gap * A * gap.T) - HALF * sp.Trace(Wt_LS * A * Wt_LS.T),
            (normal,),
        ),
    )


def _class_structure() -> tuple[Step, ...]:
    """Both moments in the paper's terms: class means, global mean, total covariance."""
    around_class = Given("features, around their class means", Ht, Y * Mt + Zt)
    centered = Given("deviations sum to zero in each class", Y.T * Zt, sp.ZeroMatrix(C, d + 1))
    one_hot = Given(r"one-hot labels; $\Pi = \mathrm{diag}(\pi)$", Y.T * Y, N * Pi)
    around_mean = Given("features, around the global mean", Ht, one_N * mut.T + Xt)
    balanced = Given("deviations sum to zero", one_N.T * Xt, sp.ZeroMatrix(1, d + 1))
    total = Given("total covariance", Stt, Xt.T * Xt / N)
    count = Given("the number of samples", one_N.T * one_N, N * sp.Identity(1))
    equal = Given("equal classes, for the one step that names it", Pi, sp.Identity(C) / C)
    return (
        Step(
            r"Labels against features are the weighted class means: $\widetilde{R} = "
            r"\Pi\widetilde{M}$.",
            Y.T * Ht / N,
            Pi * Mt,
            (around_class, centered, one_hot),
        ),
        Step(
            r"The second moment $\widetilde{S}$ is the covariance plus the mean squared.",
            Ht.T * Ht / N,
            Stt + mut * mut.T,
            (around_mean, balanced, total, count),
        ),
        Step("With equal classes the weights are the paper's $1/C$.", Pi * Mt, Mt / C, (equal,)),
    )


def _gradient_entrywise() -> Step:
    """The loss summed sample by sample is stationary, without any matrix algebra above."""
    W, b = FREE_HEAD
    best = FREE.least_squares(ridge)
    at_best = dict(zip([*W, *b], [*best[0], *best[1]], strict=True))
    loss = FREE.loss(FREE_HEAD, ridge)
    return Step(
        f"Entry by entry, for {FREE.says} and free ridge: the loss, summed sample by sample, is "
        "stationary at this head.",
        sp.Matrix([loss.diff(entry).xreplace(at_best) for entry in at_best]),
        sp.zeros(4, 1),
        tex=r"\frac{\partial \Loss}{\partial (W, b)}\bigg|_{\widetilde{W}_{\mathrm{LS}}} = 0",
    )
