"""Two ways to measure what is left of the within-class spread, and the square between them."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SymmetricSymbol
from .central_path_symbols import C, Sw, d
from .proof import Given, Proof, Step

__all__ = ["nc1_measures"]

Q = SymmetricSymbol("Q", d, d)  # the inverse of Sigma_W


@cache
def nc1_measures() -> Proof:
    """The trace measure of NC1 is never below the sum of 1/omega^2: Gauss and Markov.

    Source: our derivation.   Chapter: snr.

    >>> nc1_measures().holds
    True
    """
    k = C - 1
    A, G = sp.MatrixSymbol("A", k, d), sp.MatrixSymbol("G", d, k)
    T, J = sp.MatrixSymbol("T", d, k), SymmetricSymbol("J", k, k)
    gap: Any = G - T
    right = Given(r"$G = A^+$ undoes $A$, since $A$ has full rank", A * G, sp.Identity(k))
    inverse = Given(r"$J = (A\Sigma_W^{-1}A^\top)^{-1}$", A * Q * A.T * J, sp.Identity(k))
    weighted = Given(r"the weighted inverse; $Q = \Sigma_W^{-1}$", T, Q * A.T * J)
    undo = Given(r"$Q = \Sigma_W^{-1}$", Sw * Q, sp.Identity(d))
    same = Step("It undoes $A$ as well.", A * T, sp.Identity(k), (weighted, inverse))
    pulled = Step("It turns the spread into $A$.", Sw * T, A.T * J, (weighted, undo))
    return Proof(
        "Two measures of NC1",
        r"$\tfrac1C\operatorname{tr}(\Sigma_W\Sigma_B^+) \ge \sum_j 1/\omega_j^2$, with equality "
        r"exactly where $\Sigma_W$ maps the span of the centered class means into itself. Let the "
        r"rows of $A = V_0^\top M$ be the class means over an orthonormal basis $V_0$ of all "
        r"that sums to zero. Then the left side is $\operatorname{tr}(G^\top\Sigma_W G)$ with "
        r"$G = A^+$, and the right side is $\operatorname{tr}J$ with $J = (A\Sigma_W^{-1}A^\top)"
        r"^{-1}$.",
        "our derivation, after Gauss and Markov",
        "any number of classes and features, $d \\ge C - 1$",
        (
            same,
            pulled,
            Step(
                r"The gap is a square, $\lVert\Sigma_W^{1/2}(G - T)\rVert_F^2$, and vanishes only "
                r"at $G = T$.",
                gap.T * Sw * gap,
                G.T * Sw * G - J,
                (pulled, right, same),
            ),
            Step(
                "In traces.",
                sp.Trace(G.T * Sw * G) - sp.Trace(J),
                sp.Trace(gap.T * Sw * gap),
                (pulled, right, same),
            ),
        ),
    )
