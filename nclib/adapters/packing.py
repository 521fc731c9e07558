"""Class statistics as one row of numbers: what processes send each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..report import listed
from ..running import RunningStats
from ..stats import ClassStats

__all__ = ["Packing", "unseen"]


@dataclass(frozen=True)
class Packing:
    """Counts, means, spread and, with ``covariance``, the scatter in one float64 row.

    A row has C (d + 2) numbers, and d^2 more with the scatter, whatever was seen: processes gather
    rows of one length, also from one that had no sample. Counts up to 2^53 are exact.
    """

    num_classes: int
    dimension: int
    covariance: bool

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """How many numbers the counts, means, spread and scatter take."""
        C, d = self.num_classes, self.dimension
        return C, C * d, C, d * d if self.covariance else 0

    def empty(self) -> Tensor:
        """The row of no samples."""
        return torch.zeros(sum(self.sizes), dtype=torch.float64)

    def running(self, device: torch.device) -> RunningStats:
        """Statistics of a stream that such a row can hold."""
        return RunningStats(
            self.num_classes, self.dimension, covariance=self.covariance, device=device
        )

    def pack(self, stats: ClassStats) -> Tensor:
        """The row of these statistics."""
        parts = [stats.counts.double(), stats.means.flatten(), stats.spread]
        if self.covariance and stats.scatter is not None:
            parts.append(stats.scatter.flatten())
        return torch.cat(parts)

    def unpack(self, row: Tensor) -> ClassStats:
        """The statistics of a row."""
        self.require_row(row)
        counts, means, spread, scatter = row.double().split(self.sizes)
        C, d = self.num_classes, self.dimension
        return ClassStats(
            counts.round().long(),
            means.view(C, d),
            scatter.view(d, d) if self.covariance else None,
            spread,
        )

    def merged(self, rows: Iterable[Tensor]) -> Tensor:
        """The row of all samples together, by the exact merge."""
        first, *others = (self.unpack(row) for row in rows)
        return self.pack(sum(others, first))

    def require_row(self, row: Tensor) -> None:
        """Raise a ValueError unless the row has this packing's length."""
        if tuple(row.shape) != (sum(self.sizes),):
            raise ValueError(
                f"state: expected {sum(self.sizes)} numbers for {self.num_classes} classes and "
                f"{self.dimension} features, covariance={self.covariance}, "
                f"got {tuple(row.shape)}"
            )


def unseen(stats: ClassStats) -> str:
    """The classes without a sample, in words; empty where there are none."""
    classes = torch.nonzero(stats.counts == 0).flatten().tolist()
    if not classes:
        return ""
    return f"{len(classes)} of {stats.num_classes} classes have no sample: {listed(classes)}"
