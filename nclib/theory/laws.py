"""Laws for the shape of a spectrum: where each SNR value is when the largest one is there.

Every law here says d omega / dt = g(omega), the same g for all values, whatever the clock. Then
F = the integral of 1/g advances equally for all of them, so that F(omega_j) - F(omega_max) stays
what it is at one moment, the anchor. Time drops out: the largest value is the clock. That is
what can be asked of a trained network, whose clock nobody knows.

Source: our derivation; the projected law is Han, Papyan & Donoho 2022, Proposition 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ..root import solve_increasing

__all__ = ["FAMILIES", "FREE", "Law", "Power", "TwoSpeed", "Whitened"]

LARGEST = 1e70  # fourth powers fit into float64


class Law(ABC):
    """A shape: one speed for all values at a time, up to the clock.

    Chapter: prediction.
    """

    @abstractmethod
    def rate(self, omega: Tensor, num_classes: int) -> Tensor:
        """g(omega), entry by entry, up to a constant."""

    @abstractmethod
    def _elapsed(self, s: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """F(start e^s) - F(start)."""

    @abstractmethod
    def _least(self, elapsed: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """An s <= 0 at which ``_elapsed`` is at most ``elapsed`` <= 0; -inf where there is none."""

    def predict(self, anchor: Tensor, clock: Tensor, num_classes: int) -> Tensor:
        """All values (T, C-1) at the moments when the largest is ``clock`` (T,).

        ``anchor`` (C-1,) are the values at one moment, all > 0, in any order; the column of the
        largest repeats the clock. Where the clock goes back so far that a law has a value reach
        zero, the law has ended: the prediction there is 0, and so it stays further back.

        Chapter: prediction.

        >>> anchor = torch.tensor([3.0, 2.0], dtype=torch.float64)
        >>> FREE["additive"].predict(anchor, torch.tensor([5.0, 0.5]), 3).tolist()
        [[5.0, 4.0], [0.5, 0.0]]
        """
        anchor, clock = self._values(anchor, clock, num_classes)
        top = anchor.max()
        lead = (clock / top).log()[:, None]  # (T, 1)
        target = self._elapsed(lead, top, num_classes).expand(-1, len(anchor))
        start = anchor.expand_as(target)
        # Smaller values move by at least the largest one's factor and never overtake it.
        least = self._least(target.clamp(max=0), start, num_classes)
        low = torch.where(target > 0, lead, torch.minimum(least, lead))
        high = torch.where(target > 0, (clock[:, None] / start).log(), lead)
        ended = torch.isinf(low)
        s = self._solve(target, start, torch.where(ended, high, low), high, num_classes)
        found = torch.where(ended, 0.0, start * s.exp())
        return torch.where(start == top, clock[:, None], found)

    def _solve(
        self, target: Tensor, start: Tensor, low: Tensor, high: Tensor, num_classes: int
    ) -> Tensor:
        """The s in [low, high] at which ``_elapsed`` is ``target``."""

        def elapsed(s: Tensor) -> tuple[Tensor, Tensor]:
            there = start * s.exp()
            return self._elapsed(s, start, num_classes), there / self.rate(there, num_classes)

        return solve_increasing(elapsed, target, low, high)

    def _values(self, anchor: Tensor, clock: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
        anchor = torch.as_tensor(anchor, dtype=torch.float64)
        clock = torch.as_tensor(clock, dtype=torch.float64)
        if num_classes < 2 or anchor.shape != (num_classes - 1,):
            raise ValueError(
                f"anchor: expected (C-1,) = ({num_classes - 1},), got {tuple(anchor.shape)}"
            )
        if clock.ndim != 1:
            raise ValueError(f"clock: expected (T,), got {tuple(clock.shape)}")
        for name, values in (("anchor", anchor), ("clock", clock)):
            if not bool(((values >= 1 / LARGEST) & (values <= LARGEST)).all()):
                raise ValueError(
                    f"{name}: expected values from {1 / LARGEST:g} to {LARGEST:g}, "
                    f"got {values.tolist()}"
                )
        return anchor, clock


@dataclass(frozen=True)
class TwoSpeed(Law):
    """omega (1 + r v)^2 / (1 + v)^2 with v = omega^2 / C: two speeds, equal budgets.

    r = 0 is the projected flow, r = 1 plain gradient flow from Sigma_T = I, which freezes ratios.

    Source: our derivation.   Chapters: two-speeds, prediction.
    """

    ratio: float

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio: expected 0 <= r <= 1, got {self.ratio}")

    def rate(self, omega: Tensor, num_classes: int) -> Tensor:
        v = omega.square() / num_classes
        return omega * ((1 + self.ratio * v) / (1 + v)).square()

    def _elapsed(self, s: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """s + (1-r)/2 x [(1-r) v0/(1 + r v0) + 2 + (1+r) (log(1 + r w) - x r)/(x r^2)].

        w = (v - v0)/(1 + r v0) and x = w/(1 + r w): nothing cancels as r goes to 0.
        """
        r, v0 = self.ratio, start.square() / num_classes
        y = v0 / (1 + r * v0)
        w = y * torch.expm1(2 * s)
        x = w / (1 + r * w)
        return s + (1 - r) / 2 * x * ((1 + r) * x * _rest(r * x) + (1 - r) * y + 2)

    def _least(self, elapsed: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """The slope in s is ((1 + v)/(1 + r v))^2 >= 1."""
        return elapsed


@dataclass(frozen=True)
class Whitened(Law):
    """omega / (C + omega^2): step, then whiten the features, as the steps shrink.

    Source: our derivation.   Chapters: renormalizations, prediction.
    """

    def rate(self, omega: Tensor, num_classes: int) -> Tensor:
        return omega / (1 + omega.square() / num_classes)

    def _elapsed(self, s: Tensor, start: Tensor, num_classes: int) -> Tensor:
        return s + start.square() / num_classes * torch.expm1(2 * s) / 2

    def _least(self, elapsed: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """The slope in s is 1 + v."""
        return elapsed


@dataclass(frozen=True)
class Power(Law):
    """omega^(1 - beta): differences of omega^beta stay, at beta = 0 ratios, at 1 differences.

    For large values 2 is the whitened law and 4 the projected one.

    Source: our derivation; for beta = 1, a conjecture of ours.   Chapter: prediction.
    """

    beta: float

    def __post_init__(self) -> None:
        if not 0 <= self.beta <= 4:
            raise ValueError(f"beta: expected 0 <= beta <= 4, got {self.beta}")

    def rate(self, omega: Tensor, num_classes: int) -> Tensor:
        return omega ** (1 - self.beta)

    def _elapsed(self, s: Tensor, start: Tensor, num_classes: int) -> Tensor:
        if self.beta == 0:
            return s.expand(torch.broadcast_shapes(s.shape, start.shape))
        return start**self.beta * torch.expm1(self.beta * s) / self.beta

    def _least(self, elapsed: Tensor, start: Tensor, num_classes: int) -> Tensor:
        """The very root: F falls to a finite value at zero, and beyond it there is none."""
        if self.beta == 0:
            return elapsed
        left = self.beta * elapsed / start**self.beta
        return torch.where(left > -1, left.clamp(min=-1).log1p() / self.beta, -torch.inf)

    def _solve(
        self, target: Tensor, start: Tensor, low: Tensor, high: Tensor, num_classes: int
    ) -> Tensor:
        """In closed form; kept within the bracket, as rounding may not."""
        return self._least(target, start, num_classes).clamp(low, high)


FREE: dict[str, Law] = {
    "projected": TwoSpeed(0.0),
    "whitened": Whitened(),
    "plain": Power(0.0),
    "additive": Power(1.0),
}
"""The laws without a parameter: three theorems and a conjecture."""

FAMILIES: dict[str, type[TwoSpeed] | type[Power]] = {"two-speed": TwoSpeed, "power": Power}
"""The laws with one parameter, 0 <= r <= 1 and 0 <= beta <= 4."""


def _rest(z: Tensor) -> Tensor:
    """(-log(1 - z) - z) / z^2 = 1/2 + z/3 + z^2/4 + ..., for z < 1."""
    near = z.abs() < 0.1
    small = torch.where(near, z, 0.0)
    series = torch.zeros_like(z)
    for n in range(18, 1, -1):
        series = series * small + 1 / n
    far = torch.where(near, -1.0, z)
    return torch.where(near, series, (-torch.log1p(-far) - far) / far.square())
