"""Theorems 1 and 2: the MSE loss as L_NC1 + L_NC2/3 + L_perp, for any class proportions."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .least_squares import extended_loss, proposition_1
from .proof import Given, Proof, Step
from .samples import FRACTIONS, FRACTIONS_HEAD, FREE, FREE_HEAD
from .symbols import HALF, B, C, D, E, Ht, Mt, N, Pi, S, Swt, Wt, Wt_LS, Y, Zt, d, ridge
from .unextended import appendix_c1, bias_eliminated

__all__ = [
    "PROOFS",
    "appendix_c1",
    "bias_eliminated",
    "proposition_1",
    "theorem_1",
    "theorem_2",
]

SCOPE = "any number of samples (rows), classes and features; the last two steps entry by entry"


@cache
def theorem_1() -> Proof:
    """L = L_LS + L_perp: the loss of the best head, plus what this head loses to it.

    Source: Han, Papyan & Donoho 2022, Theorem 1 and Appendix B.   Chapter: decomposition.

    >>> theorem_1().holds
    True
    """
    return Proof(
        "Theorem 1",
        r"$\Loss(\widetilde{W}) = \LLS + \Lperp$ with $\LLS = \Loss(\widetilde{W}_{\mathrm{LS}})$ "
        r"and $\Lperp = \tfrac12\operatorname{tr}\bigl(D\,(\widetilde{S} + \lambda I)\,D^\top"
        r"\bigr) \ge 0$, where $D = \widetilde{W} - \widetilde{W}_{\mathrm{LS}}$ and "
        r"$\widetilde{S} = \widetilde{\Sigma}_T + \widetilde{\mu}_G\widetilde{\mu}_G^\top$.",
        "Han, Papyan & Donoho 2022, Theorem 1 and Appendix B",
        SCOPE,
        (*_pythagoras_in_the_head(), *_theorem_1_entrywise()),
    )


def _pythagoras_in_the_head() -> tuple[Step, ...]:
    """Appendix B: the first-order condition removes the cross term."""
    residual = Given("residuals of the best head", E, Ht * Wt_LS.T - Y)
    gap = Given("the head against the best head", D, Wt - Wt_LS)
    normal = Given(
        "Proposition 1, times $N$",
        Wt_LS * Ht.T * Ht,
        Y.T * Ht - N * ridge * Wt_LS,
    )
    moment = Given("second moment of the extended features", S, Ht.T * Ht / N)
    first_order = Step(
        "The first-order condition, the paper's Eq. (13).",
        E.T * Ht,
        -N * ridge * Wt_LS,
        (residual, normal),
    )
    cross = sp.Trace(E.T * Ht * D.T) / N + ridge * sp.Trace(Wt_LS * D.T)
    own = SquaredNorm(E) / (2 * N) + ridge / 2 * SquaredNorm(Wt_LS)
    extra = SquaredNorm(Ht * D.T) / (2 * N) + ridge / 2 * SquaredNorm(D)
    perp = HALF * sp.Trace(D * (S + ridge * sp.Identity(d + 1)) * D.T)
    return (
        Step(
            "Residuals of the head, split at the best head.",
            Ht * Wt.T - Y,
            E + Ht * D.T,
            (residual, gap),
        ),
        Step(
            "Both squares expanded; the two traces are the cross term.",
            SquaredNorm(E + Ht * D.T) / (2 * N) + ridge / 2 * SquaredNorm(Wt_LS + D),
            own + extra + cross,
        ),
        first_order,
        Step("So the cross term vanishes.", cross, sp.Integer(0), (first_order,)),
        Step(r"The squares of $D$ are $\Lperp$.", extra, perp, (moment,)),
        Step(
            "Altogether.",
            extended_loss(Wt),
            extended_loss(Wt_LS) + perp,
            (normal, gap, moment),
        ),
    )


def _theorem_1_entrywise() -> tuple[Step, ...]:
    """Loss and L_perp as sums over samples."""
    tex = r"\Loss = \LLS + \Lperp"
    return (
        Step(
            f"Entry by entry, for {FREE.says}, free ridge and head.",
            FREE.loss(FREE_HEAD, ridge),
            FREE.loss(FREE.least_squares(ridge), ridge) + FREE.perp(FREE_HEAD, ridge),
            tex=tex,
        ),
        Step(
            f"In exact fractions, for {FRACTIONS.says}, with free ridge and head.",
            FRACTIONS.loss(FRACTIONS_HEAD, ridge),
            FRACTIONS.loss(FRACTIONS.least_squares(ridge), ridge)
            + FRACTIONS.perp(FRACTIONS_HEAD, ridge),
            tex=tex,
        ),
    )


@cache
def theorem_2() -> Proof:
    """L_LS = L_NC1 + L_NC2/3: what the spread costs the best head, and what the means cost it.

    Source: Han, Papyan & Donoho 2022, Theorem 2 and Appendix C.   Chapter: decomposition.

    >>> theorem_2().holds
    True
    """
    return Proof(
        "Theorem 2",
        r"$\LLS = \Lone + \Ltwothree$ with $\Lone = \tfrac12\operatorname{tr}\bigl("
        r"\widetilde{W}_{\mathrm{LS}}(\widetilde{\Sigma}_W + \lambda I)"
        r"\widetilde{W}_{\mathrm{LS}}^\top\bigr)$ and $\Ltwothree = \tfrac12\sum_c \pi_c \lVert"
        r"\widetilde{W}_{\mathrm{LS}}\widetilde{\mu}_c - e_c\rVert^2$, for any class proportions. "
        r"The steps take any head $\widetilde{W}$; the theorem is about the best one.",
        "Han, Papyan & Donoho 2022, Theorem 2 and Appendix C; there for equal classes",
        SCOPE,
        (*_pythagoras_in_the_classes(), *_theorem_2_entrywise()),
    )


def _pythagoras_in_the_classes() -> tuple[Step, ...]:
    """Appendix C: deviations sum to zero in each class, so the cross term vanishes."""
    one_hot = Given(r"one-hot labels; $\Pi = \mathrm{diag}(\pi)$", Y.T * Y, N * Pi)
    means = Given(r"class means $\widetilde{\mu}_c$, as rows", Mt, Pi.I * Y.T * Ht / N)
    deviations = Given("deviations from the class means", Zt, Ht - Y * Mt)
    within = Given("within-class covariance", Swt, Zt.T * Zt / N)
    error = Given("errors at the class means, as rows", B, Mt * Wt.T - sp.Identity(C))
    equal = Given("equal classes, for the one step that names it", Pi, sp.Identity(C) / C)
    zero_sums = Step(
        "Deviations sum to zero in each class.",
        Y.T * Zt,
        sp.ZeroMatrix(C, d + 1),
        (deviations, means, one_hot),
    )
    spread, at_means = SquaredNorm(Zt * Wt.T) / (2 * N), SquaredNorm(Y * B) / (2 * N)
    features: Any = Y * Mt + Zt
    nc1 = HALF * sp.Trace(Wt * (Swt + ridge * sp.Identity(d + 1)) * Wt.T)
    nc23 = HALF * sp.Trace(B.T * Pi * B)
    return (
        zero_sums,
        Step(
            "Residuals: a part from the deviations, and a part at the class means.",
            Ht * Wt.T - Y,
            Zt * Wt.T + Y * B,
            (deviations, error),
        ),
        Step(
            "The cross term vanishes, so the squares add.",
            SquaredNorm(Zt * Wt.T + Y * B) / (2 * N),
            spread + at_means,
            (zero_sums,),
        ),
        Step(
            r"The first part, with the ridge, is $\Lone$.",
            spread + ridge / 2 * SquaredNorm(Wt),
            nc1,
            (within,),
        ),
        Step(
            r"The second part is $\Ltwothree$: row $c$ of $B$ counts $\pi_c$ times.",
            at_means,
            nc23,
            (one_hot,),
        ),
        Step(
            "Altogether.",
            extended_loss(Wt),
            nc1 + nc23,
            (error, within, deviations, means, one_hot),
        ),
        Step(
            r"The same cancellation splits the second moment $E[\tilde{h}\tilde{h}^\top]$.",
            features.T * features / N,
            Swt + Mt.T * Pi * Mt,
            (zero_sums, one_hot, within),
        ),
        Step("With equal classes, the paper's form.", nc23, SquaredNorm(B) / (2 * C), (equal,)),
    )


def _theorem_2_entrywise() -> tuple[Step, ...]:
    """All terms as sums over samples and classes."""
    best = FRACTIONS.least_squares(ridge)
    return (
        Step(
            f"Entry by entry, for {FREE.says}, free ridge and any head.",
            FREE.loss(FREE_HEAD, ridge),
            FREE.nc1(FREE_HEAD, ridge) + FREE.nc23(FREE_HEAD),
            tex=r"\Loss(\widetilde{W}) = \Lone + \Ltwothree",
        ),
        Step(
            f"In exact fractions, for {FRACTIONS.says}, with free ridge and head: all three terms.",
            FRACTIONS.loss(FRACTIONS_HEAD, ridge),
            FRACTIONS.nc1(best, ridge)
            + FRACTIONS.nc23(best)
            + FRACTIONS.perp(FRACTIONS_HEAD, ridge),
            tex=r"\Loss = \Lone + \Ltwothree + \Lperp",
        ),
    )


PROOFS = (proposition_1, bias_eliminated, theorem_1, theorem_2, appendix_c1)
"""The proofs about the decomposition, in the order of the chapters."""
