"""How long work takes on a device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..machine import Machine

__all__ = ["Clock", "Timing"]


@dataclass(frozen=True)
class Timing:
    """So much work was done in so many seconds."""

    amount: int
    seconds: float

    @property
    def each(self) -> float:
        """Seconds for one unit of the work."""
        return self.seconds / self.amount


@dataclass(frozen=True)
class Clock:
    """Times work on a machine, about ``seconds`` of it, once the device has really done it."""

    machine: Machine
    seconds: float

    def once(self, work: Callable[[], Any]) -> float:
        """Seconds of one call."""
        self.machine.wait()
        begun = time.perf_counter()
        work()
        self.machine.wait()
        return time.perf_counter() - begun

    def fit(
        self, work: Callable[[int], Any], least: int, most: int, rehearse: bool = False
    ) -> Timing:
        """As much work as fits into the time, between two bounds.

        The least amount is done once for libraries to load and choose kernels, and once to see
        how long it takes; with ``rehearse`` the whole amount is done once more before it counts.
        """
        work(least)
        seconds = self.once(lambda: work(least))
        amount = max(least, min(most, int(least * self.seconds / seconds)))
        if amount == least:
            return Timing(least, seconds)
        if rehearse:
            work(amount)
        return Timing(amount, self.once(lambda: work(amount)))
