"""What a setting of the results browser chooses: cells, a quantity, an epoch, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .entries import Entry, Printed
from .quantities import PAPERS, QUANTITIES, Quantity

__all__ = ["Choice", "Setting"]

Setting = Mapping[str, float | bool | str]
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Choice:
    """The chosen cells of each loss, one for each seed, and what is asked of them.

    ``groups`` has the losses that are switched on; a loss without cells has an empty one.
    """

    where: str
    quantity: str
    split: str
    groups: Mapping[str, Sequence[Entry]]
    look: int

    @classmethod
    def of(cls, found: Sequence[Entry], setting: Setting) -> Choice:
        """What a setting of the controls chooses out of all cells."""
        where = (setting["dataset"], setting["network"])
        here = [entry for entry in found if (entry.place, entry.family) == where]
        groups = {loss: [e for e in here if e.loss == loss] for loss in PAPERS if setting[loss]}
        titles = {entry.place: entry.title for entry in found}
        return cls(
            f"{titles[str(where[0])]}, {where[1]}", str(setting["quantity"]),
            str(setting["split"]), groups, int(setting["look"]),
        )  # fmt: skip

    @property
    def about(self) -> Quantity:
        """What the quantity is."""
        return QUANTITIES[self.quantity]

    @property
    def epochs(self) -> list[int]:
        """Where any of the runs was looked at."""
        ran = (entry for loss in self.groups for entry in self.ran(loss))
        return sorted({epoch for entry in ran for epoch in entry.epochs})

    @property
    def epoch(self) -> int | None:
        """The one that the slider stands at."""
        epochs = self.epochs
        return epochs[min(max(self.look, 0), len(epochs) - 1)] if epochs else None

    def ran(self, loss: str) -> list[Entry]:
        """The cells of a loss that have rows."""
        return [entry for entry in self.groups[loss] if entry.epochs]

    def printed(self, loss: str) -> Printed | None:
        """What the paper says of this quantity, on these images."""
        group = self.groups[loss]
        one = group[0].printed.get(self.quantity) if group else None
        return one if one and one.split == self.split else None

    def at(self, loss: str, epoch: int) -> float:
        """The mean over seeds in an epoch."""
        return self._mean(loss, [epoch for _ in self.ran(loss)])

    def at_zero_error(self, loss: str) -> float:
        """The mean over seeds, each where its training error is zero."""
        return self._mean(loss, [entry.zero for entry in self.ran(loss)])

    def at_end(self, loss: str) -> float:
        """The mean over seeds, each in its last epoch."""
        return self._mean(loss, [entry.epochs[-1] for entry in self.ran(loss)])

    def points(self, entry: Entry) -> Points:
        """Epochs and numbers of one run."""
        return list(zip(entry.epochs, entry.column(self.split, self.quantity), strict=True))

    def average(self, loss: str) -> Points:
        """The mean over seeds at every epoch of the first."""
        ran = self.ran(loss)
        return [(epoch, self.at(loss, epoch)) for epoch in (ran[0].epochs if ran else ())]

    def _mean(self, loss: str, epochs: Sequence[int | None]) -> float:
        """NaN where a seed has no number. Added up in order, as a script does it."""
        total = 0.0
        for entry, epoch in zip(self.ran(loss), epochs, strict=True):
            total += entry.at(epoch, self.split, self.quantity)
        return total / len(epochs) if epochs else math.nan
