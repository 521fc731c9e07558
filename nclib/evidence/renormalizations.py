"""What we add about the paper's flow in numbers: what it gives up, and what it shares."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..theory.central_path import CentralPath
from ..theory.free_features import (
    flow,
    gradient,
    projected_gradient,
    snr_values,
    start,
    within_covariance,
)
from ..theory.two_speeds import RenormalizedPath
from .check import Check

__all__ = [
    "leads_stay_between_bounds",
    "preconditioning_is_whitening",
    "projection_keeps_a_share",
    "quarter_power_is_approached",
    "total_whitening_freezes_ratios",
]

C, N, D = 4, 6, 5
OMEGA = torch.tensor([2.5, 1.2, 0.4], dtype=torch.float64)
TIMES = torch.tensor([0.0, 30.0, 150.0, 400.0], dtype=torch.float64)


def projection_keeps_a_share() -> Check:
    """Of the descent with all values at omega, the projection keeps C / (C + omega^2)."""
    worst = 0.0
    for omega in (0.3, 1.0, 3.0, 10.0):
        x = start(C, N, D, 1, omega=[omega] * (C - 1))
        kept = float(projected_gradient(x).square().sum() / gradient(x).square().sum())
        worst = max(worst, abs(kept * (C + omega**2) / C - 1))
    return Check("share of the descent that the projection keeps", worst, 1e-9)


def leads_stay_between_bounds() -> Check:
    """log(omega_i / omega_j) between (a_i - a_j) / (N (C + omega^2)^2) at both values."""
    worst, generator = -math.inf, torch.Generator().manual_seed(0)
    times = torch.cat([torch.zeros(1), torch.logspace(-3, 12, 300)]).double()
    for _ in range(20):
        omega = torch.exp(3 * torch.randn(2, generator=generator).double()).sort().values
        path = CentralPath(3, 7, omega)
        low, high = path.at(times).T
        c1, c2, c3 = path.constants
        lead = (c1 * omega.log() + c2 * omega.square() + c3 * omega**4).diff()
        gap = (high / low).log()
        seen = gap > 1e-8  # below, the two values share nearly all of their digits
        over, under = ((gap * 7 * (3 + w.square()).square() / lead)[seen] for w in (low, high))
        worst = max(worst, float((over - 1).max()), float((1 - under).max()))
    return Check("the gap of two values beyond its bounds, relatively", worst, 1e-6)


def quarter_power_is_approached() -> Check:
    """omega^2 less 2 sqrt(t/N) - 2C goes to zero, so that the fourth root comes late."""
    path, times = CentralPath(3, 5, torch.tensor([1.0, 0.2])), torch.tensor([1e12, 1e16])
    times = times.double()
    rest = path.at(times).square() - 2 * (times[:, None] / 5).sqrt() + 2 * 3
    return Check("omega^2 against 2 sqrt(t/N) - 2C, late", float(rest[-1].abs().max()), 1e-4)


def preconditioning_is_whitening() -> Check:
    """Descent along gradient times Sigma_W has the SNR values of step-then-whiten."""

    def preconditioned(x: Tensor) -> Tensor:
        return gradient(x) @ within_covariance(x)

    x = start(C, N, D, 2, omega=OMEGA, white=None)
    told = RenormalizedPath(C, N, OMEGA, 1.0).at(TIMES)
    found = snr_values(flow(preconditioned, x, TIMES, 1e-10))
    return Check(
        "preconditioned descent, from SNR values", float((found / told - 1).abs().max()), 1e-7
    )


def total_whitening_freezes_ratios() -> Check:
    """Plain gradient flow keeps Sigma_T; from Sigma_T = I it keeps all ratios of SNR values."""
    states = flow(gradient, start(C, N, D, 3, omega=OMEGA, white="total"), TIMES, 1e-10)
    flat = states.flatten(1, 2)
    total = flat.transpose(1, 2) @ flat / (C * N)
    values = snr_values(states)
    drift = float((total - torch.eye(D, dtype=torch.float64)).abs().max())
    ratio = float((values / values[:, :1] * OMEGA[0] / OMEGA - 1).abs().max())
    return Check("Sigma_T and the ratios under the plain flow", max(drift, ratio), 1e-7)
