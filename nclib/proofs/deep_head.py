"""Jacot et al. 2025: what balanced linear layers do to the features that enter the last one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .deep_head_balancing import (
    balance_from_gradients,
    balance_under_descent,
    balance_under_flow,
    shifted_pl,
)
from .deep_head_conditioning import conditioning, kantorovich, powers
from .proof import Given, Proof, Step

__all__ = [
    "PROOFS",
    "balance_from_gradients",
    "balance_under_descent",
    "balance_under_flow",
    "collapse_at_balance",
    "conditioning",
    "kantorovich",
    "powers",
    "shifted_pl",
    "spread_apart",
]

N, C, n, d = sp.symbols("N C n d", positive=True, integer=True)

X = sp.MatrixSymbol("X", N, n)  # what enters the last layer but one
Z = sp.MatrixSymbol("Z", N, d)  # features
Y = sp.MatrixSymbol("Y", N, C)
E = sp.MatrixSymbol("E", N, C)  # errors
W = sp.MatrixSymbol("W_{L}", C, d)
V = sp.MatrixSymbol("V", C, d)  # the pseudo-inverse of W, transposed
below = sp.MatrixSymbol("W_{L-1}", d, n)
G = SymmetricSymbol("G", C, C)
Q = SymmetricSymbol("Q", d, d)  # onto what W does not see
D = SymmetricSymbol("D", d, d)
P = SymmetricSymbol("P", N, N)  # the class mean in place of each sample

gram = Given("Gram matrix of the last layer, invertible", W * W.T, G)
inverse = Given("its pseudo-inverse, transposed", V, G.I * W)
unseen = Given("projection onto what the last layer does not see", Q, sp.Identity(d) - V.T * W)
layer = Given("features come from the layer below", Z, X * below.T)
averages = Given("labels do not vary within classes", P * Y, Y)

blind = Step(
    "The last layer is blind to it.", Q * W.T, sp.ZeroMatrix(d, C), (gram, inverse, unseen)
)


@cache
def spread_apart() -> Proof:
    """The spread within classes in two orthogonal parts: one from the error, one from imbalance.

    Our derivation.   Source: compare Jacot et al. 2025, Eqs. (21)-(22).   Chapter: wide.

    >>> spread_apart().holds
    True
    """
    errors = Given("predictions", Z * W.T, Y + E)
    imbalance = Given("imbalance of the last two layers", below * below.T, W.T * W - D)
    rest = sp.Identity(N) - P
    seen = Step(
        "What is left of the features without it comes from the predictions.",
        Z * Q,
        Z - (Y + E) * V,
        (unseen, inverse, errors),
    )
    return Proof(
        "The spread within classes",
        r"Let $V = (W_L^+)^\top$, $Q$ the projection onto what $W_L$ does not see and $P$ the "
        r"averaging over classes. Then $(I - P)Z = (I - P)EV + (I - P)ZQ$, the two parts are "
        r"orthogonal, and $Q W_{L-1} W_{L-1}^\top Q = -QDQ$.",
        "our derivation; compare Jacot et al. 2025, Eqs. (21)-(22)",
        "any number of samples, classes and widths",
        (
            blind,
            seen,
            Step(
                "Within classes the labels drop out.",
                rest * Z - rest * Z * Q,
                rest * E * V,
                (seen, averages),
            ),
            Step(
                "Both parts live in orthogonal directions: Pythagoras.",
                SquaredNorm(rest * E * V + rest * Z * Q),
                SquaredNorm(rest * E * V) + SquaredNorm(rest * Z * Q),
                (blind, inverse),
            ),
            Step(
                "The second part passes through a piece of the layer below, whose Gram matrix is "
                "nothing but imbalance.",
                Q * below * below.T * Q,
                -Q * D * Q,
                (imbalance, blind),
            ),
        ),
    )


@cache
def collapse_at_balance() -> Proof:
    """Balanced last layers that fit the labels exactly: NC1 = 0, and NC2, NC3 from W_L alone.

    Our derivation.   Source: compare Jacot et al. 2025, Theorem 3.1.   Chapter: wide.

    >>> collapse_at_balance().holds
    True
    """
    fit = Given("predictions fit exactly", Z * W.T, Y)
    balanced = Given("the last two layers are balanced", below * below.T, W.T * W)
    counts = SymmetricSymbol("N_{C}", C, C)
    count = Given("samples per class, diagonal", Y.T * Y, counts)
    vanishes = Given(
        "hence, as its Gram matrix in step (2) is zero", Q * below, sp.ZeroMatrix(d, n)
    )
    nothing = Step(
        "So the features have nothing that the last layer does not see.",
        Z * Q,
        sp.ZeroMatrix(N, d),
        (layer, vanishes),
    )
    features = Given("hence, by steps (3) and (4)", Z, Y * V)
    return Proof(
        "Collapse at exact balance",
        r"Let the last two layers be balanced and fit the labels exactly. Then $Z = Y V$ with "
        r"$V = (W_L^+)^\top$: NC1 is zero, the class means are the rows of $V$, their singular "
        r"values are the inverses of those of $W_L$, and $V W_L^\top = I$.",
        "our derivation; compare Jacot et al. 2025, Theorem 3.1",
        "any number of samples, classes and widths",
        (
            blind,
            Step(
                "Balance hands the blindness down to the layer below.",
                Q * below * below.T * Q,
                sp.ZeroMatrix(d, d),
                (balanced, blind),
            ),
            nothing,
            Step(
                "What it does see comes from the labels.",
                Z - Z * Q,
                Y * V,
                (unseen, inverse, fit),
            ),
            Step(
                "Averaging over classes changes nothing: NC1 is zero.",
                P * Z,
                Y * V,
                (features, averages),
            ),
            Step(
                "The class means are the rows of $V$.",
                counts.I * Y.T * Z,
                V,
                (features, count),
            ),
            Step(
                r"Their Gram matrix is the inverse of that of $W_L$: NC2 is $\kappa(W_L)$.",
                V * V.T,
                G.I,
                (inverse, gram),
            ),
            Step(
                "Each class mean has product 1 with its own row of $W_L$, 0 with the others.",
                V * W.T,
                sp.Identity(C),
                (inverse, gram),
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (
    balance_under_flow,
    balance_under_descent,
    balance_from_gradients,
    spread_apart,
    collapse_at_balance,
    powers,
    kantorovich,
    conditioning,
    shifted_pl,
)
"""The proofs about deep linear heads, in the order of the chapter."""
