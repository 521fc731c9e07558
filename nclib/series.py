"""A run's rows turned into columns: what figures draw and pages quote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .decomposition import LossTerms
from .metrics import METRICS
from .records import Row

__all__ = ["Series"]


@dataclass(frozen=True)
class Series:
    """One run on one split, ordered by epoch; every column has one number per epoch.

    Chapter: decomposition-measured.
    """

    rows: tuple[Row, ...]
    zero_error_epoch: int | None  # first measured epoch with zero *training* error, on any split

    @classmethod
    def of(cls, rows: Sequence[Row], split: str) -> Series:
        """The rows of one split out of those of one run, with the run's zero-error epoch.

        No rows, rows of several runs and a split without rows each raise a ValueError.
        """
        if not rows:
            raise ValueError("rows: expected at least one row, got none")
        runs = sorted({row.run for row in rows})
        if len(runs) > 1:
            raise ValueError(f"rows: expected those of one run, got {len(runs)}: {runs}")
        splits = sorted({row.split for row in rows})
        if split not in splits:
            raise ValueError(f"split: expected one of {splits}, got {split!r}")
        chosen = sorted((row for row in rows if row.split == split), key=lambda row: row.epoch)
        fitted = (row.epoch for row in rows if row.split == "train" and row.accuracy == 1)
        return cls(tuple(chosen), min(fitted, default=None))

    @classmethod
    def tested(cls, rows: Sequence[Row], otherwise: str) -> Series:
        """The test split, on which NC4 is read, where there is one, else another."""
        return cls.of(rows, "test" if any(row.split == "test" for row in rows) else otherwise)

    @property
    def run(self) -> str:
        """The run's name."""
        return self.rows[0].run

    @property
    def split(self) -> str:
        """The split's name."""
        return self.rows[0].split

    @property
    def epochs(self) -> list[int]:
        """The measured epochs."""
        return [row.epoch for row in self.rows]

    @property
    def ridges(self) -> list[str]:
        """The readings of the ridge under which the loss was taken apart; may be none."""
        return list(self.rows[0].terms)

    @property
    def accuracy(self) -> list[float]:
        """Fraction of samples classified right."""
        return [row.accuracy for row in self.rows]

    @property
    def mismatch(self) -> list[float]:
        """Fraction of samples on which classifier and nearest class mean disagree (NC4)."""
        return [row.mismatch for row in self.rows]

    def metric(self, name: str) -> list[float]:
        """A measurement of METRICS."""
        if name not in METRICS:
            raise ValueError(f"name: expected one of {', '.join(METRICS)}; got {name!r}")
        missing = [row.epoch for row in self.rows if name not in row.metrics]
        if missing:
            raise ValueError(f"rows: expected {name} in every row, none at epochs {missing}")
        return [row.metrics[name] for row in self.rows]

    def metrics(self, names: Sequence[str]) -> dict[str, list[float]]:
        """Several measurements of METRICS, by name."""
        if not names:
            raise ValueError(f"names: expected some of {', '.join(METRICS)}; got none")
        return {name: self.metric(name) for name in names}

    def terms(self, ridge: str) -> dict[str, list[float]]:
        """The columns "nc1", "nc23", "perp" and their sum "total" under a reading of the ridge.

        Source: Han, Papyan & Donoho 2022, Theorems 1 and 2.   Chapter: decomposition-measured.
        """
        if not self.ridges:
            raise ValueError(f"rows: expected terms of the squared loss, {self.run} has none")
        for row in self.rows:
            if ridge not in row.terms:
                raise ValueError(f"ridge: expected one of {sorted(row.terms)}, got {ridge!r}")
        terms = [LossTerms(**row.terms[ridge]) for row in self.rows]
        names = ("nc1", "nc23", "perp", "total")
        return {name: [getattr(term, name) for term in terms] for name in names}
