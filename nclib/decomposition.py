"""The MSE loss taken apart: L = L_NC1 + L_NC2/3 + L_perp.

All three terms follow from class statistics and the head; no second look at the samples. The
class means enter with their priors, so the identity is exact for any class proportions; with
equal classes these are the papers' formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .head import Head, least_squares, require_pair, require_ridge
from .stats import ClassStats

__all__ = ["LossTerms", "decompose", "regularized_mse"]


@dataclass(frozen=True)
class LossTerms:
    """The three terms of the regularized MSE loss; each is >= 0 and they add up to it.

    Source: Han, Papyan & Donoho 2022, Theorems 1 and 2.   Chapter: decomposition.
    """

    nc1: float  # what the within-class spread costs the best head
    nc23: float  # what the best head still gets wrong at the class means
    perp: float  # what the head loses by not being the best one

    @property
    def least_squares(self) -> float:
        """L_LS = L_NC1 + L_NC2/3, the loss of the best head on these features."""
        return self.nc1 + self.nc23

    @property
    def total(self) -> float:
        """L = L_NC1 + L_NC2/3 + L_perp."""
        return self.nc1 + self.nc23 + self.perp


def decompose(stats: ClassStats, head: Head, ridge: float) -> LossTerms:
    r"""Split 1/2 Ave |Wh + b - y|^2 + (ridge/2)(|W|^2 + |b|^2) into its three terms.

    L_NC1   = 1/2 tr(W_LS Sigma_W W_LS^T) + (ridge/2)(|W_LS|^2 + |b_LS|^2)
    L_NC2/3 = 1/2 sum_c pi_c |W_LS mu_c + b_LS - e_c|^2
    L_perp  = 1/2 tr(D (E[h~ h~^T] + ridge I) D^T),   D = [W, b] - [W_LS, b_LS], h~ = [h; 1]

    ``ridge`` is a convention and always passed: what counts as L_perp depends on it.

    Source: Han, Papyan & Donoho 2022, Theorems 1 and 2, here prior-weighted.
    Chapter: decomposition.
    """
    require_pair(stats, head)
    best = least_squares(stats, ridge)
    residual = Head(head.weight - best.weight, head.bias - best.bias)
    return LossTerms(
        nc1=_spread_cost(stats, best) + _penalty(best, ridge),
        nc23=_mean_cost(stats, best, torch.eye(stats.num_classes).to(stats.means)),
        perp=_spread_cost(stats, residual)
        + _mean_cost(stats, residual, torch.zeros_like(stats.means[:, :1]))
        + _penalty(residual, ridge),
    )


def regularized_mse(stats: ClassStats, head: Head, ridge: float) -> float:
    """1/2 Ave |Wh + b - y|^2 + (ridge/2)(|W|^2 + |b|^2), from class statistics alone.

    Source: Han, Papyan & Donoho 2022, Eq. (2).   Chapter: decomposition.
    """
    require_pair(stats, head)
    require_ridge(ridge)
    targets = torch.eye(stats.num_classes).to(stats.means)
    return _spread_cost(stats, head) + _mean_cost(stats, head, targets) + _penalty(head, ridge)


def _spread_cost(stats: ClassStats, head: Head) -> float:
    """1/2 tr(W Sigma_W W^T)."""
    # Sigma_W is positive semi-definite up to rounding; a cost is never negative.
    return max(float(stats.spread_along(head.weight).sum() / 2), 0.0)


def _mean_cost(stats: ClassStats, head: Head, targets: Tensor) -> float:
    """1/2 sum_c pi_c |W mu_c + b - target_c|^2; targets (C, C) or (C, 1), a row a class."""
    # Around mu_G: W mu_c + b loses digits when the means are far from zero and close together.
    center = head.weight @ stats.global_mean + head.bias
    residual = stats.centered_means @ head.weight.T + (center - targets)
    return float((stats.priors[:, None] * residual.square()).sum() / 2)


def _penalty(head: Head, ridge: float) -> float:
    """(ridge/2)(|W|^2 + |b|^2)."""
    return float(ridge / 2 * (head.weight.square().sum() + head.bias.square().sum()))
