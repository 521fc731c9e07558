"""Fisher's directions, and what the two-speed flow does along them at any features.

The two-speed flow moves class means by the gradient of the least-squares head's loss and the
deviations from them by ``ratio`` r times theirs, 0 <= r <= 1. What is here needs one state only,
whether or not Sigma_W and Sigma_B commute. All of it is for equal classes, and our derivation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..snr import snr
from ..stats import ClassStats

__all__ = ["budget", "discriminants", "kernel", "mode_budgets", "speed"]


def budget(stats: ClassStats, ratio: float) -> Tensor:
    """Sigma_W + r Sigma_B, (d, d): what the two-speed flow leaves constant.

    Source: our derivation.   Chapter: two-speeds.
    """
    _require_ratio(ratio)
    _require_equal_classes(stats)
    return stats.within + ratio * stats.between


def discriminants(stats: ClassStats) -> Tensor:
    """Columns a_j (d, C-1) with Sigma_B a_j = (omega_j^2 / C) Sigma_W a_j, a_j^T Sigma_W a_j = 1.

    These are Fisher's directions. A mode with omega = 0 has none: its column is zero.

    Source: our derivation.   Chapter: two-speeds.
    """
    _require_equal_classes(stats)
    found = snr(stats)
    columns = torch.linalg.pinv(stats.within, hermitian=True) @ stats.centered_means.T
    there = found.omega > 1e-12 * found.omega.max()
    inverse = torch.where(there, 1 / torch.where(there, found.omega, 1.0), 0.0)
    return columns @ found.classes * inverse


def mode_budgets(stats: ClassStats, ratio: float) -> Tensor:
    """b_j = a^T (Sigma_W + r Sigma_B) a / a^T a for each discriminant a = a_j, (C-1,).

    Constant in time where Sigma_W and Sigma_B commute, and then s_j^2 + r m_j^2 / C with the
    noise s_j and the signal m_j = omega_j s_j of the mode. NaN for a mode with omega = 0.

    Source: our derivation.   Chapter: two-speeds.
    """
    a = discriminants(stats)
    return (a * (budget(stats, ratio) @ a)).sum(0) / a.square().sum(0)


def kernel(stats: ClassStats, ratio: float) -> Tensor:
    """K_jj = (1 + r omega_j^2 / C) |a_j|^2 / N, (C-1,): how far a mode yields to a push.

    The Gram matrix of the gradients of the omega_j in the metric of the two speeds, which is
    exactly diagonal, commuting or not. omega_j' = K_jj omega_j / (C + omega_j^2)^2.

    Source: our derivation.   Chapter: two-speeds.
    """
    _require_ratio(ratio)
    C, N = stats.num_classes, stats.total_count // stats.num_classes
    stretch = 1 + ratio * snr(stats).omega.square() / C
    return stretch * discriminants(stats).square().sum(0) / N


def speed(stats: ClassStats, ratio: float) -> Tensor:
    """d omega_j / dt under the two-speed flow at any features whatever, (C-1,).

    Source: our derivation.   Chapter: two-speeds.
    """
    omega = snr(stats).omega
    return kernel(stats, ratio) * omega / (stats.num_classes + omega.square()).square()


def _require_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio: expected 0 <= r <= 1, got {ratio}")


def _require_equal_classes(stats: ClassStats) -> None:
    low, high = int(stats.counts.min()), int(stats.counts.max())
    if low != high:
        raise ValueError(f"stats: expected classes of equal size, got {low} to {high} samples")
