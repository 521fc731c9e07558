"""One measured error beside the bar it must stay under."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Check", "worst_of"]


@dataclass(frozen=True)
class Check:
    """What was compared, how far apart it was, and how far it may be.

    Inequalities fit too: the error of "a <= b" is the largest a - b seen, its bar 0.
    Chapter: ledger.

    >>> Check("one third, summed three times, against one", 0.0, 1e-12).holds
    True
    >>> Check("a comparison that came out undefined", float("nan"), 1.0).holds
    False
    """

    says: str
    error: float
    bar: float

    @property
    def holds(self) -> bool:
        """Whether the error stays under its bar; an undefined error does not."""
        return bool(self.error <= self.bar)  # NumPy numbers would give a bool of their own


def worst_of(*errors: float) -> float:
    """The largest error, undefined as soon as one of them is: ``max`` would skip a NaN.

    >>> worst_of(0.5, float("nan"), 2.0)
    nan
    """
    return math.nan if any(math.isnan(error) for error in errors) else max(errors)
