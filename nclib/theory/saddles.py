r"""The way down from a critical point that is no minimum.

Where W (K, d) and H (K, n, d) leave a direction a of the features unused, W a = 0 and H a = 0, the
top singular pair (u, v) of the data term's slope G opens a new one. With the norm sigma of G,
price = sqrt(lambda_W lambda_H) and t = (lambda_H / lambda_W)^{1/4},
    W + s t u a^T,  H - (s/t) v a^T   gives   f(s) = f(0) + (price - sigma) s^2 + q s^4,
exactly, for every s. The slope G is ``Problem.slope`` at the scores of the point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Escape", "escape", "smallest_curvature", "training_accuracy"]


@dataclass(frozen=True, eq=False)
class Escape:
    """A straight way through a critical point on which f is f(0) + curvature/2 s^2 + quartic s^4.

    ``curvature`` = -2 (sigma - sqrt(lambda_W lambda_H)), the second derivative at s = 0; it is
    negative exactly where the point is no global minimum.

    Source: the direction as in Zhou et al. 2022, proof of Theorem 3.2; that f is a quartic
    along it is our derivation.   Chapter: landscape.
    """

    W: Tensor  # (K, d)
    H: Tensor  # (K, n, d)
    curvature: float
    quartic: float

    def change(self, s: Tensor) -> Tensor:
        """f(s) - f(0), for s of any shape."""
        return self.curvature / 2 * s.square() + self.quartic * s**4

    @property
    def lowest(self) -> float:
        """Where s > 0 makes f smallest; zero where f only rises."""
        return math.sqrt(max(-self.curvature, 0.0) / (4 * self.quartic))


def escape(
    W: Tensor, H: Tensor, slope: Tensor, lambda_W: float, lambda_H: float, alpha: float
) -> Escape:
    """The way down from W (K, d), H (K, n, d) with the data term's slope (K, n, K) there.

    W and H must leave a direction unused; at a critical point H does as soon as W does. A
    ValueError otherwise.

    Source: Zhou et al. 2022, proof of Theorem 3.2.   Chapter: landscape.
    """
    for name, value in (("lambda_W", lambda_W), ("lambda_H", lambda_H), ("alpha", alpha)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: expected a finite number > 0, got {value}")
    if H.ndim != 3 or (len(H), H.shape[2]) != W.shape or slope.shape != (*H.shape[:2], len(W)):
        raise ValueError(
            f"H, slope: expected (K, n, d) and (K, n, K) to match W of {tuple(W.shape)}, "
            f"got {tuple(H.shape)} and {tuple(slope.shape)}"
        )
    unused = _unused_direction(W, H.flatten(0, 1))
    left, values, right = torch.linalg.svd(slope.flatten(0, 1), full_matrices=False)
    u, v, sigma = right[0], left[:, 0].view(slope.shape[:2]), float(values[0])
    t = (lambda_H / lambda_W) ** 0.25
    scores = v[..., None] * u  # the new direction's own scores, (K, n, K), with a minus sign
    weights = 1 + (alpha - 1) * torch.eye(len(W), dtype=W.dtype)[:, None, :]
    quartic = float((weights * scores.square()).sum()) / (2 * v.numel())
    return Escape(
        t * u[:, None] * unused,
        -v[..., None] * unused / t,
        2 * (math.sqrt(lambda_W * lambda_H) - sigma),
        quartic,
    )


def _unused_direction(W: Tensor, H: Tensor) -> Tensor:
    """A unit vector (d,) that W (K, d) and H (N, d) both send to zero."""
    _, values, right = torch.linalg.svd(torch.cat([W, H]), full_matrices=True)
    rank = int((values > 1e-9 * values.max().clamp(min=1e-300)).sum())
    if rank == W.shape[1]:
        raise ValueError(f"W, H: expected an unused direction, got rank {rank} in {rank} features")
    return right[-1]


def smallest_curvature(sigma: float, lambda_W: float, lambda_H: float) -> float:
    """The smallest curvature of f that a new direction can have, per unit step in (W, H).

    (lambda_W + lambda_H)/2 - sqrt((lambda_W - lambda_H)^2/4 + sigma^2), the lower eigenvalue of
    [[lambda_W, -sigma], [-sigma, lambda_H]]; negative exactly where sigma is above
    sqrt(lambda_W lambda_H). Our derivation.   Chapter: landscape.

    >>> smallest_curvature(0.5, 0.5, 0.5)
    0.0
    """
    return (lambda_W + lambda_H) / 2 - math.hypot((lambda_W - lambda_H) / 2, sigma)


def training_accuracy(projector: Tensor) -> float:
    """The share of classes with the largest score at home, for scores x Q + beta, Q (K, K).

    Of classes that tie, the first is taken. A projector onto d + 1 groups gives (d + 1)/K.
    Our derivation.   Chapter: landscape.

    >>> training_accuracy(torch.eye(3) - 1 / 3)
    1.0
    """
    best = projector >= projector.max(1, keepdim=True).values - 1e-9
    chosen = best.int().argmax(1)
    return float((chosen == torch.arange(len(projector))).double().mean())
