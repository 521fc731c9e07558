"""The loss on the central path, and the flow that renormalizes its features, in closed form.

On the central path the head is the least-squares one, without ridge, and features have zero
global mean. Then the loss is a function of the C-1 singular values omega of the SNR matrix alone,
and along the paper's flow each of them moves by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..root import solve_increasing
from ..snr import Snr, snr
from ..stats import ClassStats

__all__ = ["CentralPath", "Snr", "loss", "loss_parts", "snr"]

LARGEST = 1e70


def loss(omega: Tensor, num_classes: int) -> Tensor:
    """L_LS = 1/2 sum_j 1 / (C + omega_j^2), the loss of the best head without ridge.

    omega (..., C-1), for equal classes; the sum is over the last dimension.

    Source: our derivation from Han, Papyan & Donoho 2022, Eqs. (6) and (8).   Chapter: snr.

    >>> float(loss(torch.zeros(3), 4))  # means that coincide: half of 1 - 1/C
    0.375
    """
    _require_modes(omega, num_classes)
    return (1 / (num_classes + omega.square())).sum(-1) / 2


def loss_parts(omega: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """L_NC1 and L_NC2/3 of the best head without ridge; they add up to :func:`loss`.

    1/2 sum_j omega_j^2 / (C + omega_j^2)^2 and 1/2 sum_j C / (C + omega_j^2)^2, for equal classes.

    Source: our derivation from Han, Papyan & Donoho 2022, Eqs. (17) and (18).   Chapter: snr.

    >>> [round(36 * float(part), 6) for part in loss_parts(torch.tensor([2.0]), 2)]
    [2.0, 1.0]
    """
    _require_modes(omega, num_classes)
    fractions = 1 / (num_classes + omega.square())  # its square times omega^2 could be 0 times inf
    return (omega * fractions).square().sum(-1) / 2, num_classes * fractions.square().sum(-1) / 2


@dataclass(frozen=True, eq=False)
class CentralPath:
    """The flow of the SNR values when features descend within {Sigma_W = I}.

    d omega / dt = omega / (N (C + omega^2)^2) for each value by itself, so that
        C^2 N log(omega) + C N omega^2 + (N/4) omega^4
    grows by exactly t in time t. C classes, N = ``per_class`` samples in each, ``omega`` (C-1,)
    the values at time 0. A value of zero stays zero: classes that coincide feel no force.

    Source: Han, Papyan & Donoho 2022, Proposition 2; the constants are our derivation.
    Chapter: flow.

    >>> path = CentralPath(3, 5, torch.tensor([1.0, 0.5]))
    >>> path.constants
    (45.0, 15.0, 1.25)
    """

    num_classes: int
    per_class: int
    omega: Tensor  # (C-1,) float64, at time 0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ValueError(f"num_classes: expected at least 2, got {self.num_classes}")
        if self.per_class < 1:
            raise ValueError(f"per_class: expected at least 1, got {self.per_class}")
        omega = torch.as_tensor(self.omega, dtype=torch.float64)
        if omega.ndim != 1:
            raise ValueError(f"omega: expected (C-1,), got {tuple(omega.shape)}")
        _require_modes(omega, self.num_classes)
        within = (omega == 0) | (omega >= 1 / LARGEST) & (omega <= LARGEST)
        if not bool(within.all()):
            raise ValueError(
                f"omega: expected 0 or values from {1 / LARGEST:g} to {LARGEST:g}, whose fourth "
                f"powers fit into float64, got {omega.tolist()}"
            )
        object.__setattr__(self, "omega", omega)

    @classmethod
    def from_stats(cls, stats: ClassStats) -> CentralPath:
        """The flow that starts at these features; classes must be equally large."""
        found = snr(stats)
        low, high = int(stats.counts.min()), int(stats.counts.max())
        if low != high:
            raise ValueError(
                f"stats: expected classes of equal size, got {low} to {high} samples; the loss "
                f"then depends on more than the SNR values"
            )
        return cls(stats.num_classes, low, found.omega)

    @property
    def constants(self) -> tuple[float, float, float]:
        """c1, c2, c3 of log(omega), omega^2 and omega^4: C^2 N, C N, N/4."""
        C, N = self.num_classes, self.per_class
        return float(C * C * N), float(C * N), N / 4

    def rate(self, omega: Tensor | float) -> Tensor:
        """d omega / dt at values omega, entry by entry."""
        omega = torch.as_tensor(omega, dtype=torch.float64)
        return omega / (self.per_class * (self.num_classes + omega.square()).square())

    def at(self, times: Tensor | float) -> Tensor:
        """The values at times t >= 0: (T, C-1) for times (T,), and (C-1,) for a number.

        Solved for s = log(omega / omega(0)), in which the implicit law is convex and keeps all
        its digits at both ends: parts of it alone bound s from above, at most a factor of two in
        time too far, and a few of Newton's steps come down from there.
        """
        t = torch.as_tensor(times, dtype=torch.float64)[..., None]  # (T, 1)
        if not bool((torch.isfinite(t) & (t >= 0)).all()):
            raise ValueError("times: expected finite times >= 0")
        linear, square, quartic = self._terms(torch.where(self.omega > 0, self.omega, 1.0))
        bend = square + 2 * quartic
        # Without its logarithm the law is a quadratic equation in omega^2; with it alone, linear.
        grown = 2 * t / (bend + (bend.square() + 4 * quartic * t).sqrt())
        high = torch.minimum(grown.log1p() / 2, t / linear)

        def elapsed(s: Tensor) -> tuple[Tensor, Tensor]:
            grown = torch.expm1(2 * s)  # (omega / omega(0))^2 - 1
            value = linear * s + grown * (bend + quartic * grown)
            return value, linear + 2 * (grown + 1) * (bend + 2 * quartic * grown)

        s = solve_increasing(elapsed, t.expand_as(high), torch.zeros_like(high), high)
        return self.omega * s.exp()

    def time_to(self, omega: Tensor | float) -> Tensor:
        """The times at which the values reach omega (..., C-1): the inverse of :meth:`at`.

        Negative where a value was passed before time 0; infinite for a value that stays zero.
        """
        omega = torch.as_tensor(omega, dtype=torch.float64)
        if not bool((omega > 0).all()):
            raise ValueError("omega: expected values > 0")
        if omega.ndim:
            _require_modes(omega, self.num_classes)
        linear, square, quartic = self._terms(self.omega)
        ratio = omega / self.omega
        grown = (ratio - 1) * (ratio + 1)
        times = linear * ratio.log() + grown * (square + quartic * (grown + 2))
        return torch.where(self.omega > 0, times, torch.inf)

    def _terms(self, start: Tensor) -> tuple[float, Tensor, Tensor]:
        """The three terms of the law at the starting values, without the logarithm."""
        c1, c2, c3 = self.constants
        return c1, c2 * start.square(), c3 * start**4


def _require_modes(omega: Tensor, num_classes: int) -> None:
    if omega.ndim == 0 or omega.shape[-1] != num_classes - 1:
        raise ValueError(
            f"omega: expected (..., {num_classes - 1}) for C = {num_classes} classes, "
            f"got {tuple(omega.shape)}"
        )
