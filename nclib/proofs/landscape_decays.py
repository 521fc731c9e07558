"""What the decays cost together, and the identity that certifies a global minimum."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .landscape_symbols import HALF, G, H, K, N, T, W, b, d, decay, objective, one_N, rho, ridges, t
from .proof import Given, Proof, Step

__all__ = ["nuclear_norm", "optimality"]

r = sp.Symbol("r", positive=True, integer=True)
GENERAL = "any number of classes, samples and features, and any targets"


@cache
def nuclear_norm() -> Proof:
    """Two ridge terms at a fixed product cost its nuclear norm.

    Source: the reduction behind Zhou et al. 2022, Lemma B.2; the identity is our derivation.
    Chapter: landscape.

    >>> nuclear_norm().holds
    True
    """
    U, V = sp.MatrixSymbol("U", N, r), sp.MatrixSymbol("V", K, r)
    S, R = SymmetricSymbol("S", r, r), SymmetricSymbol("R", r, r)
    Q = sp.MatrixSymbol("Q", d, r)
    W_0, H_0 = sp.MatrixSymbol("W_0", K, d), sp.MatrixSymbol("H_0", N, d)
    product = Given("singular value decomposition of the scores", H * W.T, U * S * V.T)
    left = Given("orthonormal columns", U.T * U, sp.Identity(r))
    right = Given("orthonormal columns", V.T * V, sp.Identity(r))
    turned = Given("orthonormal columns, which needs $d \\ge r$", Q.T * Q, sp.Identity(r))
    root = Given(r"$R = S^{1/2}$", R * R, S)
    weight = Given("the balanced weight", W_0, t * V * R * Q.T)
    features = Given("the balanced features", H_0, U * R * Q.T / t)
    return Proof(
        "What the decays cost together",
        r"Write $\lambda_W = \rho/t^2$ and $\lambda_H = \rho t^2$, so that $\rho = "
        r"\sqrt{\lambda_W\lambda_H}$. Among all $W, H$ with $HW^\top = Z$, of singular values $S$, "
        r"the two ridge terms cost at least $\rho\operatorname{tr}S = \rho\lVert Z\rVert_*$, and "
        r"exactly that at a balanced pair if $d \ge \operatorname{rank}Z$.",
        "the reduction behind Zhou et al. 2022, Lemma B.2; this identity is our derivation",
        "any number of classes, samples and features",
        (
            Step(
                "The excess over the nuclear norm is a sum of squares: none is negative.",
                ridges(W, H) - rho * sp.Trace(S),
                rho / 2 * SquaredNorm(V.T * W / t - t * (U.T * H))
                + ridges(W - V * V.T * W, H - U * U.T * H),
                (product, left, right),
            ),
            Step(
                "The balanced pair has the right product.",
                H_0 * W_0.T,
                U * S * V.T,
                (weight, features, root, turned),
            ),
            Step(
                "It costs the nuclear norm and no more.",
                ridges(W_0, H_0),
                rho * sp.Trace(S),
                (weight, features, root, turned, left, right),
            ),
        ),
    )


@cache
def optimality() -> Proof:
    """f minus its lower bound, for every W, H, b at once, as a sum of squares.

    Our derivation.   Chapter: landscape.

    >>> optimality().holds
    True
    """
    F = sp.MatrixSymbol("F", N, K)
    F_0 = sp.MatrixSymbol("F_*", N, K)
    b_0 = sp.MatrixSymbol("b_*", K, 1)
    scores = Given("scores of $(W, H, b)$", F, H * W.T + one_N * b.T)
    best = Given("the claimed scores, with slope $G$", F_0, T + N * G)
    bias = Given("the claimed bias is stationary", G.T * one_N, -decay * b_0)
    bound = -sp.Trace(G.T * T) - N / 2 * SquaredNorm(G) - decay / 2 * SquaredNorm(b_0)
    gap = rho * t**2 * sp.Identity(N) - t**2 / rho * G * G.T
    rest = rho / (2 * t**2) * SquaredNorm(W + t**2 / rho * G.T * H)
    rest += HALF * sp.Trace(H.T * gap * H)
    return Proof(
        "The certificate",
        r"Let $G = \tfrac1N(F_* - T)$ be the slope of the data term at scores $F_*$, with "
        r"$G^\top\mathbf 1 = -\lambda_b b_*$. If $\lVert G\rVert_{\mathrm{op}} \le \rho = "
        r"\sqrt{\lambda_W\lambda_H}$, then for all $W, H, b$ of every dimension $d$ the objective "
        "is at least the first line of step (4), and equal to it only where all squares vanish.",
        "our derivation",
        GENERAL,
        (
            Step(
                "The data term around the claimed scores.",
                SquaredNorm(F - T) / (2 * N),
                SquaredNorm(F - F_0) / (2 * N)
                + sp.Trace(G.T * F)
                - sp.Trace(G.T * T)
                - N / 2 * SquaredNorm(G),
                (best,),
            ),
            Step(
                "The bias takes its share of the linear term and completes a square.",
                sp.Trace(G.T * one_N * b.T) + decay / 2 * SquaredNorm(b),
                decay / 2 * SquaredNorm(b - b_0) - decay / 2 * SquaredNorm(b_0),
                (bias,),
            ),
            Step(
                "So do the ridge terms. What is left over is not negative if "
                r"$GG^\top \preceq \rho^2 I$.",
                sp.Trace(G.T * H * W.T) + ridges(W, H),
                rest,
            ),
            Step(
                "Together: a number that no point falls below, and squares.",
                objective(W, H, b),
                bound + SquaredNorm(F - F_0) / (2 * N) + decay / 2 * SquaredNorm(b - b_0) + rest,
                (scores, best, bias),
            ),
        ),
    )
