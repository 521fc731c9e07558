"""What a last layer looks like: every measurement, the three terms, the spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field

from .decomposition import LossTerms, decompose
from .head import Decisions, Head
from .metrics import METRICS
from .stats import ClassStats

__all__ = ["CollapseReport"]


@dataclass(frozen=True)
class CollapseReport:
    """Everything measured of one last layer.

    Chapter: measure.
    """

    metrics: dict[str, float]
    terms: LossTerms | None
    ridge: float
    decisions: Decisions | None
    samples: int
    classes: int
    dimension: int
    notes: tuple[str, ...] = field(default_factory=tuple)

    @classmethod
    def of(
        cls, stats: ClassStats, head: Head, decisions: Decisions | None, ridge: float
    ) -> CollapseReport:
        """The report of class statistics and a head."""
        found = {}
        for name, metric in METRICS.items():
            try:
                found[name] = metric(stats, head)
            except ValueError:
                found[name] = float("nan")
        terms = decompose(stats, head, ridge) if stats.scatter is not None else None
        return cls(
            found, terms, ridge, decisions, stats.total_count, stats.num_classes, stats.dimension
        )
