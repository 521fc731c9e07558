"""Where the projected flow goes: Corollaries 1 and 2, and Lemma 7."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm
from .central_path_symbols import C, N, P, U, V, d, one_C
from .proof import Given, Proof, Step

__all__ = ["corollary_1", "corollary_2", "lemma_7"]

omega, a = sp.Symbol(r"\omega", positive=True), sp.Symbol("a", real=True)
first, second = sp.symbols(r"\omega_1 \omega_2", positive=True)


def _law(value: sp.Expr) -> sp.Expr:
    """c1 log(omega) + c2 omega^2 + c3 omega^4."""
    return C**2 * N * sp.log(value) + C * N * value**2 + N / 4 * value**4


def _limit(expression: sp.Expr) -> sp.Limit:
    """The limit for omega to infinity, to be carried out when the step is checked."""
    return sp.Limit(expression, omega, sp.oo)


@cache
def corollary_1() -> Proof:
    """All SNR values grow like (t/c3)^(1/4), so that their ratios tend to one.

    Source: Han, Papyan & Donoho 2022, Corollary 1; the power laws are ours.   Chapter: limits.

    >>> corollary_1().holds
    True
    """
    time = _law(omega) - a
    return Proof(
        "Corollary 1",
        r"$\omega_j \to \infty$ with $\omega_j\,/\,(t/c_3)^{1/4} \to 1$ for every $j$, so "
        r"$\max_j\omega_j / \min_j\omega_j \to 1$. The loss and $\Lone$ fall like $t^{-1/2}$, "
        r"$\Ltwothree$ like $t^{-1}$.",
        "Han, Papyan & Donoho 2022, Corollary 1; the power laws are our derivation",
        "any number of classes and samples; limits in one value, of which time is a function",
        (
            Step(
                r"Time $t = c_1\log\omega + c_2\omega^2 + c_3\omega^4 - a$ grows with $\omega$ "
                r"without bound, so $\omega$ grows with time without bound. Against $c_3\omega^4$:",
                _limit(time / (N / 4 * omega**4)),
                sp.Integer(1),
            ),
            Step(
                "Of two values, the larger first: they share $t$, so the left side is $a_1 - a_2$ "
                "for all time. All three terms on the right are positive, so the last stays below "
                "$a_1 - a_2$, while both values grow: the ratio tends to one.",
                _law(first) - _law(second),
                C**2 * N * sp.log(first / second)
                + C * N * (first**2 - second**2)
                + N / 4 * second**4 * ((first / second) ** 4 - 1),
            ),
            Step(
                r"One value's share of $\LLS$ and of $\Lone$ is $1/(2\omega^2)$ in the end, so "
                r"$\tfrac14\sqrt{N/t}$: of $\Lone$,",
                _limit(2 * omega**2 * omega**2 / (2 * (C + omega**2) ** 2)),
                sp.Integer(1),
            ),
            Step(
                r"and its share of $\Ltwothree$ is $C/(2\omega^4)$, so $CN/(8t)$.",
                _limit(2 * omega**4 / C * C / (2 * (C + omega**2) ** 2)),
                sp.Integer(1),
            ),
            Step(
                r"How late the fourth root is right: with $(\omega^2 + 2C)^2$ in place of "
                r"$\omega^4$ only the logarithm is left over.",
                _limit((time / N - (omega**2 + 2 * C) ** 2 / 4) / sp.log(omega)),
                C**2,
            ),
        ),
    )


@cache
def lemma_7() -> Proof:
    """C vectors that sum to zero, with C-1 equal singular values, are a simplex ETF.

    Source: Han, Papyan & Donoho 2022, Lemma 7, Appendix D.6.   Chapter: limits.

    >>> lemma_7().holds
    True
    """
    rows = sp.MatrixSymbol("A", C, d)
    equal = Given("equal singular values, $C-1$ of them", rows, omega * V * U.T)
    right = Given("orthonormal columns", U.T * U, sp.Identity(C - 1))
    complete = Given(
        r"the rows sum to zero, so $V$ spans what is orthogonal to $\mathbf{1}$",
        V * V.T,
        sp.Identity(C) - one_C * one_C.T / C,
    )
    count = Given("the number of classes", one_C.T * one_C, C * sp.Identity(1))
    gram = Step(
        "The Gram matrix of the rows.",
        rows * rows.T,
        omega**2 * (sp.Identity(C) - one_C * one_C.T / C),
        (equal, right, complete),
    )
    return Proof(
        "Lemma 7",
        r"$C$ vectors (the rows of $A$) that sum to zero, and whose matrix has $C-1$ equal "
        r"nonzero singular values, form a simplex ETF: equal norms, and cosine $-1/(C-1)$ "
        "between any two.",
        "Han, Papyan & Donoho 2022, Lemma 7 in Appendix D.6, as described there; proof ours",
        r"any $C \ge 2$ and $d \ge C - 1$",
        (
            gram,
            Step("They sum to zero, indeed.", one_C.T * rows * rows.T * one_C,
                 sp.ZeroMatrix(1, 1), (gram, count)),
            Step(
                r"Off the diagonal the Gram matrix has $-\omega^2/C$, on it $\omega^2(1 - "
                r"\tfrac1C)$: the cosine.",
                (-(omega**2) / C) / (omega**2 * (1 - 1 / C)),
                -1 / (C - 1),
            ),
        ),
    )  # fmt: skip


@cache
def corollary_2() -> Proof:
    """The limits of means, features and head, and NC1 to NC4 in them.

    Source: Han, Papyan & Donoho 2022, Corollary 2, Eqs. (10) and (11).   Chapter: limits.

    >>> corollary_2().holds
    True
    """
    limit, head = sp.MatrixSymbol(r"M_{\infty}", C, d), sp.MatrixSymbol(r"W_{\infty}", C, d)
    point = sp.MatrixSymbol("h", d, 1)
    mine, other = sp.MatrixSymbol("m_1", d, 1), sp.MatrixSymbol("m_2", d, 1)
    means = Given(r"means over $\omega_{\max}$, in the limit", limit, V * U.T)
    right = Given("orthonormal columns", U.T * U, sp.Identity(C - 1))
    simplex = Given(r"centering; $V$ spans all that sums to zero", P, V * V.T)
    weight = Given(r"head times $\omega_{\max}$, in the limit", head, V * U.T)
    equinorm = Given("means of equal norm", mine.T * mine, other.T * other)
    return Proof(
        "Corollary 2",
        r"$M/\omega_{\max} \to V U^\top$, a simplex ETF fixed at time 0, and "
        r"$X/\omega_{\max} \to Y V U^\top$: every feature at its class mean. NC1 to NC4 hold in "
        "the limit.",
        "Han, Papyan & Donoho 2022, Corollary 2 and Eqs. (10), (11)",
        "any number of classes and features; limits in one value",
        (
            Step(
                r"NC1: deviations do not move and are divided by $\omega_{\max}$; the measure is "
                r"$\sum_j 1/\omega_j^2$, of which one term is",
                _limit(1 / omega**2),
                sp.Integer(0),
            ),
            Step(
                "NC2: the Gram matrix of the limit is that of a simplex ETF (Lemma 7).",
                limit * limit.T,
                P,
                (means, right, simplex),
            ),
            Step(
                r"NC3: a singular value $\omega/(C + \omega^2)$ of the head, times $\omega$,",
                _limit(omega * omega / (C + omega**2)),
                sp.Integer(1),
            ),
            Step("so that the head becomes the class means.", head, limit, (weight, means)),
            Step(
                "NC4: among means of equal norm the largest inner product is the nearest mean.",
                SquaredNorm(point - mine) - SquaredNorm(point - other),
                2 * sp.Trace(point.T * (other - mine)),
                (equinorm,),
            ),
        ),
    )
