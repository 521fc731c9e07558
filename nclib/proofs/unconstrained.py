"""Mixon, Parshall & Pi 2022: strong collapse, what the flow conserves, and all proofs of the paper.

unconstrained_subspace    the subspace S, Lemma 4, Theorem 3
unconstrained_start       Theorem 2, and what a small start leaves over
unconstrained_curvature   the saddle, strong collapse, the plateau
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .unconstrained_curvature import collapse_curvature, plateau, saddle_curvature
from .unconstrained_start import leftovers, theorem_2
from .unconstrained_subspace import invariance, lemma_4, projection, theorem_3
from .unconstrained_symbols import (
    COUNT,
    LABELS,
    ONES,
    RESIDUAL,
    SNC1,
    SNC2,
    SNC3,
    A,
    C,
    H,
    Hdot,
    N,
    P,
    W,
    Wdot,
    Y,
    b,
    one,
    one_n,
    p,
    root,
)

__all__ = [
    "PROOFS",
    "collapse_curvature",
    "conservation",
    "invariance",
    "leftovers",
    "lemma_1",
    "lemma_4",
    "plateau",
    "projection",
    "saddle_curvature",
    "theorem_2",
    "theorem_3",
]

GENERAL = "any number of classes, samples per class and features"


@cache
def lemma_1() -> Proof:
    """Strong collapse has zero risk and all four properties of neural collapse.

    Source: Mixon, Parshall & Pi 2022, Lemma 1.   Chapter: unconstrained.

    >>> lemma_1().holds
    True
    """
    return Proof(
        "Lemma 1",
        r"(SNC1) $WW^\top = \sqrt N P$, (SNC2) $H = N^{-1/2}W^\top Y$ and (SNC3) $b = \tfrac1C"
        r"\mathbf 1$ imply zero risk and NC1 to NC4.",
        "Mixon, Parshall & Pi 2022, Lemma 1",
        GENERAL,
        (
            Step(
                "The fit is perfect: the risk is zero.",
                W * H + b * one_n.T,
                Y,
                (SNC1, SNC2, SNC3, ONES),
            ),
            Step("NC1: each feature is its class mean.", H * Y.T * Y / N, H, (SNC2, LABELS)),
            Step(
                "The global mean is zero.",
                SquaredNorm(H * one_n),
                sp.Integer(0),
                (SNC1, SNC2, ONES, LABELS, COUNT),
            ),
            Step(
                "NC2: the class means have the Gram matrix of a simplex ETF, up to scale.",
                (H * Y.T / N).T * (H * Y.T / N),
                P / root,
                (SNC1, SNC2, LABELS),
            ),
            Step(
                "NC3: class means and classifier rows are proportional.",
                H * Y.T / N,
                W.T / root,
                (SNC2, LABELS),
            ),
            _nearest_mean(),
        ),
    )


def _nearest_mean() -> Step:
    """NC4: a squared distance is a constant minus a score."""
    h, e = sp.MatrixSymbol("h", p, 1), sp.MatrixSymbol("e_c", C, 1)
    unit = Given("a class as a unit vector", e.T * e, sp.Identity(1))
    picked = Given("it has one 1", one.T * e, sp.Identity(1))
    score = sp.Trace(e.T * (W * h + b))
    constant = (1 - 1 / C) / root + 2 / (C * root)
    return Step(
        "NC4: for any feature $h$, the squared distance to a class mean is the same for all "
        "classes, except for the score.",
        SquaredNorm(h - H * Y.T * e / N),
        SquaredNorm(h) + constant - 2 * score / root,
        (SNC1, SNC2, SNC3, LABELS, unit, picked),
    )


@cache
def conservation() -> Proof:
    """The slopes of the risk, and the matrix that gradient flow leaves constant.

    Our derivation.   Chapter: unconstrained.

    >>> conservation().holds
    True
    """
    eta = sp.Symbol(r"\eta", positive=True)
    loss = SquaredNorm(W * H + b * one_n.T - Y) / 2
    flow_W = Given("gradient flow", Wdot, -A * H.T)
    flow_H = Given("gradient flow", Hdot, -W.T * A)
    W1: Any = W + eta * Wdot
    H1: Any = H + eta * Hdot
    return Proof(
        "A conserved matrix",
        r"Gradient flow of $R$ leaves $W^\top W - HH^\top$ constant; a step of gradient descent "
        r"of length $\eta$ changes it by $\eta^2$ times the same matrix of the slopes.",
        "our derivation",
        GENERAL,
        (
            Step("The slope in the classifier.", sp.Derivative(loss, W), A * H.T, (RESIDUAL,)),
            Step("The slope in the features.", sp.Derivative(loss, H), W.T * A, (RESIDUAL,)),
            Step("The slope in the bias.", sp.Derivative(loss, b), A * one_n, (RESIDUAL,)),
            Step(
                "Along the flow, the speeds of both products are the same.",
                Wdot.T * W + W.T * Wdot,
                Hdot * H.T + H * Hdot.T,
                (flow_W, flow_H),
            ),
            Step(
                r"A step of descent leaves only the terms in $\eta^2$.",
                W1.T * W1 - H1 * H1.T - (W.T * W - H * H.T),
                eta**2 * (Wdot.T * Wdot - Hdot * Hdot.T),
                (flow_W, flow_H),
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (
    lemma_1,
    conservation,
    projection,
    invariance,
    lemma_4,
    theorem_3,
    theorem_2,
    leftovers,
    saddle_curvature,
    collapse_curvature,
    plateau,
)
"""The proofs about free features without weight decay, in the order of the chapter."""
