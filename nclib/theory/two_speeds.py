"""One knob between the projected and the plain flow: within-class deviations at another speed.

Free features descend the loss of the least-squares head without ridge, class means with the full
gradient, deviations from them with ``ratio`` r times theirs. r = 0 moves class means only and is
the projected flow where Sigma_W = I; r = 1 is plain gradient flow. Here are the closed forms, mode
by mode; ``discriminants`` has what holds at any features. All of it is for equal classes of N
samples, and our derivation.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ..root import solve_increasing

__all__ = [
    "RenormalizedPath",
    "TwoSpeedPath",
    "exponent",
    "least_exponent",
]

LARGEST = 1e70
TERMS = 18  # of a power series at |z| < 0.1


def exponent(omega: Tensor, num_classes: int, ratio: float) -> Tensor:
    """p = d log(omega') / d log(omega) at a fixed budget: spreads shrink in ratio where p < 1.

    1 + 4 r omega^2 / (C + r omega^2) - 4 omega^2 / (C + omega^2), for omega of any shape.

    Source: our derivation.   Chapter: two-speeds.

    >>> exponent(torch.tensor([0.0, 1e9]), 10, 0.5).tolist()
    [1.0, 1.0]
    """
    _require_ratio(ratio)
    inverse = num_classes / torch.as_tensor(omega, dtype=torch.float64).square()
    return 1 + (4 * ratio / (ratio + inverse) if ratio else 0.0) - 4 / (1 + inverse)


def least_exponent(ratio: float) -> float:
    """The least p over all omega, (5 sqrt(r) - 3) / (1 + sqrt(r)), taken at omega^2 = C / sqrt(r).

    Source: our derivation.   Chapter: two-speeds.

    >>> least_exponent(0.0), round(least_exponent(9 / 25), 12), least_exponent(1.0)
    (-3.0, 0.0, 1.0)
    """
    _require_ratio(ratio)
    return (5 * math.sqrt(ratio) - 3) / (1 + math.sqrt(ratio))


@dataclass(frozen=True, eq=False)
class _Modes(ABC):
    """SNR values that move each by itself: what both families of paths share.

    With v = omega^2 / C and s = log(omega / omega(0)), time is N C^2 b times an increasing convex
    function of s, ``_elapsed``, with b = 1 for the renormalized family.
    """

    num_classes: int
    per_class: int
    omega: Tensor  # (C-1,) float64, at time 0
    ratio: float

    def __post_init__(self) -> None:
        _require_ratio(self.ratio)
        object.__setattr__(self, "omega", self._values("omega", self.omega))
        if not bool(
            ((self.omega == 0) | (self.omega >= 1 / LARGEST) & (self.omega <= LARGEST)).all()
        ):
            raise ValueError(
                f"omega: expected 0 or values from {1 / LARGEST:g} to {LARGEST:g}, whose fourth "
                f"powers fit into float64, got {self.omega.tolist()}"
            )
        if self.num_classes < 2 or self.per_class < 1:
            raise ValueError(
                f"num_classes, per_class: expected at least 2 and 1, "
                f"got {self.num_classes} and {self.per_class}"
            )

    def at(self, times: Tensor | float) -> Tensor:
        """The values at times t >= 0: (T, C-1) for times (T,), and (C-1,) for a number.

        Infinite where they exceed the largest float64, near 1e308; ``log_at`` goes on from there.
        """
        return self.log_at(times).exp()

    def log_at(self, times: Tensor | float) -> Tensor:
        """The logarithms of the values at times t >= 0, finite for every finite time.

        A value of zero stays zero and has the logarithm -inf.
        """
        t = torch.as_tensor(times, dtype=torch.float64)[..., None]
        if not bool((torch.isfinite(t) & (t >= 0)).all()):
            raise ValueError("times: expected finite times >= 0")
        v0 = torch.where(self.omega > 0, self.omega, 1.0).square() / self.num_classes
        scaled = (t / self._unit).expand(*t.shape[:-1], len(v0))

        def elapsed(s: Tensor) -> tuple[Tensor, Tensor]:
            return self._elapsed(s, v0), self._slope(torch.exp(-2 * s) / v0)

        high = self._bound(scaled, v0)
        return self.omega.log() + solve_increasing(elapsed, scaled, torch.zeros_like(high), high)

    def time_to(self, omega: Tensor | float) -> Tensor:
        """The times at which the values reach omega (..., C-1): the inverse of :meth:`at`.

        Negative where a value was passed before time 0; infinite for a value that stays zero.
        """
        omega = torch.as_tensor(omega, dtype=torch.float64)
        if not bool((torch.isfinite(omega) & (omega > 0)).all()):
            raise ValueError("omega: expected finite values > 0")
        if omega.ndim and omega.shape[-1] != self.num_classes - 1:
            raise ValueError(
                f"omega: expected (..., {self.num_classes - 1}), got {tuple(omega.shape)}"
            )
        start = torch.where(self.omega > 0, self.omega, 1.0)
        times = self._unit * self._elapsed((omega / start).log(), start.square() / self.num_classes)
        return torch.where(self.omega > 0, times, torch.inf)

    def rate(self, omega: Tensor) -> Tensor:
        """d omega / dt at values omega (..., C-1), entry by entry."""
        omega = torch.as_tensor(omega, dtype=torch.float64)
        moving = torch.where(omega > 0, omega, 1.0)
        return omega / (self._unit * self._slope(self.num_classes / moving.square()))

    @property
    def _unit(self) -> Tensor | float:
        """N C^2 b."""
        return self.per_class * self.num_classes**2

    @abstractmethod
    def _elapsed(self, s: Tensor, v0: Tensor) -> Tensor:
        """The time until log(omega / omega(0)) is s, in units of ``_unit``."""

    @abstractmethod
    def _slope(self, inverse: Tensor) -> Tensor:
        """The derivative of ``_elapsed`` in s, at inverse = 1/v."""

    @abstractmethod
    def _bound(self, scaled: Tensor, v0: Tensor) -> Tensor:
        """An s at which ``_elapsed`` is at least ``scaled``, not far to the right of the root."""

    def _values(self, name: str, values: Tensor, least: float = 0.0) -> Tensor:
        values = torch.as_tensor(values, dtype=torch.float64)
        if values.shape != (self.num_classes - 1,):
            raise ValueError(
                f"{name}: expected (C-1,) = ({self.num_classes - 1},), got {tuple(values.shape)}"
            )
        if not bool((torch.isfinite(values) & (values >= least)).all()):
            raise ValueError(f"{name}: expected finite values >= {least}, got {values.tolist()}")
        return values


@dataclass(frozen=True, eq=False)
class TwoSpeedPath(_Modes):
    """The SNR values under the two-speed flow, from features whose Sigma_W, Sigma_B commute.

    d omega_j / dt = omega_j (1 + r omega_j^2 / C)^2 / (N b_j (C + omega_j^2)^2), with budgets
    b_j = s_j^2 + r m_j^2 / C of noise s_j and signal m_j (``discriminants.mode_budgets``). r = 0
    and b = 1 is the projected flow, r = 1 and b = 1 plain flow from Sigma_T = I. With
    v = omega^2 / C, the time from v0 to v is
    N C^2 b (F(v) - F(v0)),
        2 r^2 F(v) = r^2 log(v) + (1 - r^2) log(1 + r v) + (1 - r)^2 / (1 + r v).

    Source: our derivation.   Chapter: two-speeds.

    >>> path = TwoSpeedPath(3, 5, torch.tensor([1.0, 0.5]), 1.0, torch.ones(2))
    >>> [round(x, 9) for x in path.at(45.0).tolist()]  # plain: all grow alike, e-fold in N C^2
    [2.718281828, 1.359140914]
    """

    budgets: Tensor  # (C-1,) b_j, in the units of Sigma_W

    def __post_init__(self) -> None:
        super().__post_init__()
        least = torch.finfo(torch.float64).tiny
        object.__setattr__(self, "budgets", self._values("budgets", self.budgets, least))

    def noise(self, omega: Tensor) -> Tensor:
        """s_j^2 = b_j / (1 + r omega_j^2 / C), the within-class variance along each mode."""
        return self.budgets / (1 + self.ratio * omega.square() / self.num_classes)

    def signal(self, omega: Tensor) -> Tensor:
        """m_j^2 = omega_j^2 s_j^2, the squared singular values of the class means.

        As omega grows, m_j^2 goes to C b_j / r: the final means are the initial budget.
        """
        return self.budgets / (1 / omega.square() + self.ratio / self.num_classes)

    @property
    def final_shares(self) -> Tensor:
        """omega_j / max_i omega_i in the limit of infinite time, (C-1,); all omega(0) > 0.

        For r > 0 zero for all but the least budgets, and among these the exponentials of
        r^2 (F(v_i(0)) - F(v_j(0))). For r = 0 the fourth roots of 1/b_j.
        """
        if not bool((self.omega > 0).all()):
            raise ValueError("omega: expected values > 0, so that all of them grow")
        if self.ratio == 0:
            return (self.budgets.min() / self.budgets) ** 0.25
        first = self.budgets <= self.budgets.min() * (1 + 1e-12)
        top = self.omega[first].max()
        v0 = (top.square() / self.num_classes).expand_as(self.omega)
        shares = (self.ratio**2 * self._elapsed((self.omega / top).log(), v0)).exp()
        return torch.where(first, shares, 0.0)

    @property
    def _unit(self) -> Tensor:
        return self.per_class * self.num_classes**2 * self.budgets

    def _elapsed(self, s: Tensor, v0: Tensor) -> Tensor:
        """F(v) - F(v0), without cancellation and without overflow for r > 0."""
        r, y = self.ratio, v0 / (1 + self.ratio * v0)
        w = y * torch.expm1(2 * s)
        x = torch.where(torch.isinf(w), 1 / r if r else torch.inf, w / (1 + r * w))  # z / r
        # log(1 + r w), from logarithms: w itself may be too large for a float
        log = torch.logaddexp(-torch.log1p(r * v0), math.log(r) + y.log() + 2 * s) if r else x
        return s + (1 - r) / 2 * x * ((1 + r) * x * _rest(r * x, log) + (1 - r) * y + 2)

    def _slope(self, inverse: Tensor) -> Tensor:
        return ((1 + inverse) / (self.ratio + inverse)).square()

    def _bound(self, scaled: Tensor, v0: Tensor) -> Tensor:
        """Until v = 1/r the slope is at least a quarter of the projected flow's, then of 1/r^2."""
        logs = ((4 * scaled / v0).log1p() / 2, (16 * scaled / v0**2).log1p() / 4)
        near = torch.minimum(torch.minimum(*logs), scaled)
        if self.ratio == 0:
            return near
        turn = -(self.ratio * v0).log() / 2
        far = torch.maximum(near, turn.clamp(min=0) + 4 * self.ratio**2 * scaled)
        return torch.where(near < turn, near, torch.minimum(far, scaled))


@dataclass(frozen=True, eq=False)
class RenormalizedPath(_Modes):
    """The SNR values under two-speed steps, all features whitened after each, as steps shrink.

    d omega / dt = omega (C + r omega^2) / (N C (C + omega^2)^2) from Sigma_W = I. r = 0 is the
    projected flow, r = 1 the flow of "step, then whiten". With v = omega^2 / C, the time from v0
    to v is N C^2 (G(v) - G(v0)),
        2 r^2 G(v) = r^2 log(v) + r v - (1 - r)^2 log(1 + r v).

    Source: our derivation.   Chapter: two-speeds.

    >>> path = RenormalizedPath(2, 1, torch.tensor([1.0]), 1.0)
    >>> round(float(path.time_to(torch.tensor([2.0]))), 9) == round(4 * math.log(2) + 3, 9)
    True
    """

    def _elapsed(self, s: Tensor, v0: Tensor) -> Tensor:
        """G(v) - G(v0), without cancellation."""
        r = self.ratio
        w = v0 * torch.expm1(2 * s) / (1 + r * v0)
        return s + w / 2 * ((1 - r) ** 2 * w * _rest(-r * w, -torch.log1p(r * w)) + v0 + 2 - r)

    def _slope(self, inverse: Tensor) -> Tensor:
        return (1 + inverse).square() / (inverse * (self.ratio + inverse))

    def _bound(self, scaled: Tensor, v0: Tensor) -> Tensor:
        """The slope is at least 1 + v."""
        return torch.minimum((2 * scaled / v0).log1p() / 2, scaled)


def _rest(z: Tensor, log: Tensor) -> Tensor:
    """(-log(1 - z) - z) / z^2 = 1/2 + z/3 + z^2/4 + ..., given log = -log(1 - z)."""
    near = z.abs() < 0.1
    small = torch.where(near, z, 0.0)
    series = torch.zeros_like(z)
    for n in range(TERMS, 1, -1):
        series = series * small + 1 / n
    return torch.where(near, series, (log - z) / torch.where(near, 1.0, z).square())


def _require_ratio(ratio: float) -> None:
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio: expected 0 <= r <= 1, got {ratio}")
