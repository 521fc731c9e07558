"""The report of one last layer: numbers, and reasons where there are none."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..decisions import Decisions
from ..decomposition import LossTerms, decompose, regularized_mse
from ..head import Head
from ..moments import is_finite
from ..records import provenance
from ..stats import ClassStats
from .entries import Entry, entries
from .sample import measurements, notes_on, seen_only
from .spectrum import Spectrum

if TYPE_CHECKING:
    from rich.table import Table

    from ..figures.last_layer import Figure

__all__ = ["CollapseReport"]

LARGEST = 64  # eigenvalues of Sigma_W that a file holds, or C where that is more


@dataclass(frozen=True, eq=False)
class CollapseReport:
    """Everything measured of one last layer: METRICS, NC4, the three terms, the spectrum.

    A measurement that cannot be had is NaN, and ``reasons`` says why. Classes without a sample
    are left out, and a note says so: ``classes`` counts those that were seen. In a notebook the
    report shows as a table with a picture, on a terminal as a table.

    Source: see METRICS.   Chapter: measure.
    """

    metrics: dict[str, float]  # by the names of METRICS; NaN where reasons says why
    terms: LossTerms | None  # None without the within-class covariance
    ridge: float  # of the three terms
    decisions: Decisions | None  # NC4 and accuracy; None without a second look
    samples: int
    classes: int  # seen ones
    dimension: int
    notes: tuple[str, ...] = ()  # what a reader of the numbers must know
    reasons: dict[str, str] = field(default_factory=dict)  # why a number is not there
    layer: str = ""
    ignored: int = 0  # samples left out for their label
    counts: Tensor = field(repr=False, default_factory=lambda: torch.zeros(0))  # (outputs,)
    stats: ClassStats | None = field(repr=False, default=None)  # of the seen classes
    head: Head | None = field(repr=False, default=None)  # their rows

    @classmethod
    def of(
        cls,
        stats: ClassStats,
        head: Head,
        decisions: Decisions | None,
        ridge: float,
        *,
        layer: str = "",
        ignored: int = 0,
        notes: Sequence[str] = (),
    ) -> CollapseReport:
        """The report of class statistics and a head; at least two classes must have samples."""
        head.require_fits(stats)
        _require_finite(stats)
        counts = stats.counts.cpu()
        if int((counts > 0).sum()) < 2:
            raise ValueError(
                f"stats: expected samples of at least two classes, got {stats.total_count} of "
                f"{torch.nonzero(counts).flatten().tolist()}"
            )
        stats, head, _ = seen_only(stats, head)
        metrics, reasons = measurements(stats, head)
        terms = None
        if stats.scatter is None:
            reasons["terms"] = "need the within-class covariance: covariance=True"
        else:
            terms = decompose(stats, head, ridge)
        if decisions is None:
            reasons["decisions"] = "need a second look at the samples: passes=2, or review()"
        cpu = Head(head.weight.cpu(), head.bias.cpu())
        return cls(
            metrics, terms, ridge, decisions, stats.total_count, stats.num_classes,
            stats.dimension, (*notes_on(counts, stats.dimension), *notes), reasons, layer, ignored,
            counts, stats.to("cpu"), cpu,
        )  # fmt: skip

    @property
    def empty_classes(self) -> list[int]:
        """Outputs of the layer without a sample."""
        return torch.nonzero(self.counts == 0).flatten().tolist()

    @property
    def regularized_mse(self) -> float | None:
        """1/2 Ave |Wh + b - y|^2 + (ridge/2)(|W|^2 + |b|^2), or None without the covariance."""
        if self.stats is None or self.head is None or self.stats.scatter is None:
            return None
        return regularized_mse(self.stats, self.head, self.ridge)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues of Sigma_B and Sigma_W and SNR values; found when first asked for."""
        if self.stats is None:
            raise ValueError("report: expected class statistics, this one was made without")
        return Spectrum.of(self.stats)

    @cached_property
    def entries(self) -> list[Entry]:
        """Every number with its group, meaning and value at collapse."""
        return entries(self)

    def figure(self) -> Figure:
        """The report as a picture: distances from collapse, angles, spectra and the three terms."""
        from ..figures import last_layer  # matplotlib

        assert self.stats is not None and self.head is not None
        return last_layer.overview(
            self.stats, self.head, metrics=self.metrics, decisions=self.decisions,
            terms=self.terms, within=self.spectrum.within,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and words; what is not finite is None and stands in ``reasons``."""
        spectrum, seen, decisions = self.spectrum, self.counts[self.counts > 0], self.decisions
        within = spectrum.within
        if within is not None:
            within = within[: max(LARGEST, self.classes)]
        terms = None
        if self.terms is not None:
            terms = {"nc1": self.terms.nc1, "nc23": self.terms.nc23, "perp": self.terms.perp}
            terms |= {"total": self.regularized_mse}
        return _plain({
            "layer": self.layer, "dimension": self.dimension, "outputs": len(self.counts),
            "classes": self.classes, "samples": self.samples, "ignored": self.ignored,
            "counts": {
                "min": int(seen.min()), "max": int(seen.max()), "empty": self.empty_classes,
                "single": torch.nonzero(self.counts == 1).flatten().tolist(),
            },
            "metrics": self.metrics,
            "accuracy": None if decisions is None else decisions.accuracy,
            "nearest_mean_mismatch": (
                None if decisions is None else decisions.nearest_mean_mismatch
            ),
            "ridge": self.ridge, "terms": terms,
            "spectrum": {
                "between": spectrum.between.tolist(),
                "within": None if within is None else within.tolist(),
                "snr": None if spectrum.snr is None else spectrum.snr.tolist(),
            },
            "reasons": self.reasons | spectrum.missing, "notes": list(self.notes),
            "versions": provenance()["versions"],
        })  # fmt: skip

    def to_json(self, path: str | Path | None = None) -> str:
        """``to_dict`` as JSON; written to a file where a path is given."""
        return _written(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n", path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """One number a line: group, name, value, value at collapse, meaning."""
        lines = io.StringIO()
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(("group", "name", "value", "at_collapse", "meaning"))
        for one in self.entries:
            value = "" if math.isnan(one.value) else repr(one.value)
            table.writerow((one.group, one.name, value, one.at_collapse, one.meaning))
        return _written(lines.getvalue(), path)

    def __rich__(self) -> Table:
        from .terminal import table

        return table(self)

    def __str__(self) -> str:
        from .terminal import text

        return text(self)

    def _repr_html_(self) -> str:
        from .page import fragment

        return fragment(self)


def _require_finite(stats: ClassStats) -> None:
    kept = (stats.means, stats.spread, stats.scatter)
    if not all(is_finite(one) for one in kept if one is not None):
        raise ValueError(
            "stats: expected finite means and spread, got NaN or infinity: features so large that "
            "their squares leave float64 (1e154 and more), scale them down"
        )


def _plain(value: Any) -> Any:
    """The same without NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
