"""Fewer features than classes: projectors of small rank, and what conventions make of them."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .landscape_symbols import CENTERING, COUNT, J, K, P, decay, one
from .proof import Given, Proof, Step

__all__ = ["clusters", "conventions", "small_rank"]

g, d = sp.symbols("g d", positive=True, integer=True)


@cache
def small_rank() -> Proof:
    """The distance of every rank-d minimizer from the simplex ETF, as the official code has it.

    Our derivation.   Chapter: landscape.

    >>> small_rank().holds
    True
    """
    V, Q = sp.MatrixSymbol("V", K, d), SymmetricSymbol("Q", K, K)
    phi, chi = sp.symbols("phi chi", positive=True)
    basis = Given("$Q$ projects onto the columns of $V$", Q, V * V.T)
    columns = Given("orthonormal columns", V.T * V, sp.Identity(d))
    across = Given("differences of classes only", one.T * V, sp.ZeroMatrix(1, d))
    projector = Step("$Q$ is a projector ...", Q * Q, Q, (basis, columns))
    inside = Step("... inside of $P$ ...", P * Q, Q, (CENTERING, basis, across))
    rank = Step("... of rank $d$.", sp.Trace(Q), d, (basis, columns))
    return Proof(
        "The floor of NC2",
        r"For $d < K - 1$ the minimizers have $WW^\top \propto Q$ with $Q$ any projector of rank "
        r"$d$ with $Q\mathbf 1 = 0$. All are equally far from the simplex: $\lVert Q/\sqrt d - "
        r"P/\sqrt{K-1}\rVert_F^2 = 2 - 2\sqrt{d/(K-1)}$.",
        "our derivation; the metric is that of the official code of Zhou et al. 2022",
        "any number of classes and features",
        (
            projector,
            inside,
            rank,
            Step("So $Q/\\sqrt d$ has norm one.", SquaredNorm(Q), d, (basis, columns)),
            Step("And so has $P/\\sqrt{K-1}$.", SquaredNorm(P), K - 1, (CENTERING, COUNT)),
            Step(
                "Their inner product is the same for every $Q$.",
                sp.Trace(P * Q),
                d,
                (CENTERING, basis, columns, across),
            ),
            Step(
                r"The squared distance, for any two scales; at $\phi = \sqrt d$ and $\chi = "
                r"\sqrt{K-1}$ it is the one claimed.",
                SquaredNorm(Q / phi - P / chi),
                d / phi**2 + (K - 1) / chi**2 - 2 * d / (phi * chi),
                (CENTERING, COUNT, basis, columns, across),
            ),
        ),
    )


@cache
def clusters() -> Proof:
    """Merging classes into g groups gives an admissible projector of rank g - 1.

    Our derivation; it fits Zhou et al. 2022, Fig. 4.   Chapter: landscape.

    >>> clusters().holds
    True
    """
    E, D = sp.MatrixSymbol("E", K, g), SymmetricSymbol("D", g, g)
    one_g = sp.MatrixSymbol(r"\mathbf{1}_g", g, 1)
    Q = SymmetricSymbol("Q", K, K)
    claimed = Given("the cluster projector", Q, E * D.I * E.T - J)
    sizes = Given("group sizes on the diagonal", E.T * E, D)
    member = Given("each class is in one group", one, E * one_g)
    total = Given("the groups hold all classes", one_g.T * D * one_g, K * sp.Identity(1))
    return Proof(
        "Merged classes",
        r"Let $E$ ($K \times g$) say which class is in which of $g = d + 1$ groups. Then $Q = E"
        r"(E^\top E)^{-1}E^\top - \tfrac1K\mathbf 1\mathbf 1^\top$ is a projector of rank $d$ with "
        r"$Q\mathbf 1 = 0$. Its scores are equal within a group and highest in the own group: one "
        r"class of each group is right, which is an accuracy of $\frac{d+1}{K}$.",
        "our derivation; it fits Zhou et al. 2022, Fig. 4",
        "any number of classes and groups",
        (
            Step(
                "It sees no common part.",
                Q * one,
                sp.ZeroMatrix(K, 1),
                (claimed, member, sizes, total),
            ),
            Step("It is a projector.", Q * Q, Q, (claimed, member, sizes, total)),
            Step("Its rank.", sp.Trace(Q), g - 1, (claimed, member, sizes, total)),
            Step(
                "Classes of a group have the same scores.",
                Q * E,
                E - one * one_g.T * D / K,
                (claimed, member, sizes),
            ),
        ),
    )


@cache
def conventions() -> Proof:
    """What the official code's conventions change.

    Our derivation.   Chapter: landscape.

    >>> conventions().holds
    True
    """
    samples, squares, weights, strength = sp.symbols("N A B omega", positive=True)
    code = squares / (samples * K) + strength / 2 * weights
    bias = one / (K * (1 + decay))
    return Proof(
        "Conventions of the official code",
        r"The code divides the squared error $A$ by $NK$ without one half and adds "
        r"$\tfrac\omega2 B$. And its fourth metric $\lVert W h_G + b\rVert$ is the norm of the "
        r"bias where features are centered.",
        "our derivation",
        "all losses and decays",
        (
            Step(
                "The same problem has the decay $K\\omega/2$ in the paper's convention.",
                K / 2 * code,
                squares / (2 * samples) + (K * strength / 2) / 2 * weights,
            ),
            Step(
                "At the simplex minimizer the fourth metric is not zero; this is its square.",
                SquaredNorm(bias),
                1 / (K * (1 + decay) ** 2),
                (COUNT,),
            ),
        ),
    )
