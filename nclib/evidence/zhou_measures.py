"""The measures of Zhou et al. at the minimizers of Zhou et al."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..simplex import centering, gram_distance
from ..theory.landscape import Minimizer, minimizer
from .check import Check, worst_of

__all__ = ["extra_measures", "simplex_measures", "uncentered_in_a_frame"]

CASES = ((3, 4, 0.1), (5, 2, 0.2), (10, 3, 0.05))  # K, n and both lambdas times K sqrt(n)


def found(K: int, n: int, c: float, lambda_b: float) -> Minimizer:
    price = c / (K * math.sqrt(n))
    return minimizer(K, n, price, price, lambda_b, 1.0, 1.0)


def distance(product: Tensor) -> float:
    """|A/|A|_F - P/sqrt(K-1)|_F of a product A (K, K), as in Eqs. (7) and (8)."""
    target = centering(len(product))
    return float(torch.linalg.norm(product / product.norm() - target / target.norm()))


def simplex_measures() -> Check:
    """NC2 and NC3 of Eqs. (7) and (8), the weights not centered, vanish for a free bias."""
    errors = []
    for K, n, c in CASES:
        best = found(K, n, c, 0.0)
        W, H = best.head().weight, best.features()
        means = (H.mean(1) - H.mean((0, 1))).T
        errors += [distance(W @ W.T), distance(W @ means)]
    return Check("NC2 and NC3 of Zhou et al. at simplex minimizers", worst_of(*errors), 1e-7)


def uncentered_in_a_frame() -> Check:
    """Without a bias NC2 is sqrt(2 - 2 sqrt((K-1)/K)); with rows of W centered it is zero."""
    errors = []
    for K, n, c in CASES:
        W = found(K, n, c, math.inf).head().weight
        errors += [
            abs(distance(W @ W.T) - math.sqrt(2 - 2 * math.sqrt((K - 1) / K))),
            gram_distance(W - W.mean(0)),
        ]
    return Check("NC2 of orthogonal frames, centered and not", worst_of(*errors), 1e-7)


def extra_measures() -> Check:
    """Numerical rank 1 and cosine margin K/(K-1) at the simplex, features by singular values."""
    errors = []
    for K, n, c in CASES:
        best = found(K, n, c, 0.0)
        W, H = best.head().weight, best.features()
        ranks = [float(torch.linalg.svdvals(h).sum().square() / h.square().sum()) for h in H]
        rows = W - W.mean(0)
        cosines = torch.nn.functional.cosine_similarity(H[:, 0, None], rows[None], dim=-1)
        own = cosines.diagonal()
        others = cosines.masked_fill(torch.eye(K, dtype=torch.bool), -2.0).amax(1)
        errors += [abs(sum(ranks) / K - 1), float((own - others - K / (K - 1)).abs().max())]
    return Check("numerical rank and cosine margin at the simplex", worst_of(*errors), 1e-6)
