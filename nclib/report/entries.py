"""The lines of a report: each number with its group, meaning and value at collapse."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

from torch import Tensor

from ..metrics import METRICS

if TYPE_CHECKING:
    from .collapse import CollapseReport

__all__ = ["Entry", "entries"]

LOSS = (
    ("L_NC1", "nc1", "what the within-class spread costs the best head"),
    ("L_NC2/3", "nc23", "what the best head still gets wrong at the class means"),
    ("L_perp", "perp", "what the head loses by not being the best one"),
    ("L", "total", "their sum, the regularized MSE loss of the head"),
)


@dataclass(frozen=True)
class Entry:
    """One number of a report.   Chapter: measure."""

    group: str  # NC1 .. NC4, loss, spectrum
    name: str
    value: float  # NaN where ``why`` says what is missing
    at_collapse: str  # "" where collapse does not say
    meaning: str
    why: str = ""  # why there is no finite number

    @property
    def shown(self) -> str:
        """The value as a table shows it."""
        return "-" if self.value != self.value else f"{self.value:.4g}"


def entries(report: CollapseReport) -> list[Entry]:
    """The lines of a report in the order of its tables."""
    return [*_metrics(report), *_decisions(report), *_loss(report), *_spectrum(report)]


def _metrics(report: CollapseReport) -> list[Entry]:
    found = []
    for name, value in report.metrics.items():
        metric = METRICS[name]
        limit = "" if metric.at_collapse is None else f"{metric.at_collapse:g}"
        meaning = metric.meaning
        if metric.frame != "simplex":
            meaning += f" (its limit is that of an {metric.frame} frame)"
        why = report.reasons.get(name, "")
        found.append(Entry(metric.property, name, value, limit, meaning, why))
    return found


def _decisions(report: CollapseReport) -> list[Entry]:
    decisions, why = report.decisions, report.reasons.get("decisions", "")
    mismatch = nan if decisions is None else decisions.nearest_mean_mismatch
    accuracy = nan if decisions is None else decisions.accuracy
    told = "share of samples that the head and the nearest class mean decide differently"
    return [
        Entry("NC4", "nearest_mean_mismatch", mismatch, "0", told, why),
        Entry("NC4", "accuracy", accuracy, "", "share of samples that the head gets right", why),
    ]


def _loss(report: CollapseReport) -> list[Entry]:
    why = report.reasons.get("terms", "")
    values = {} if report.terms is None else {
        key: getattr(report.terms, key) for key in ("nc1", "nc23", "perp", "total")
    }  # fmt: skip
    return [Entry("loss", name, values.get(key, nan), "", told, why) for name, key, told in LOSS]


def _spectrum(report: CollapseReport) -> list[Entry]:
    spectrum, why = report.spectrum, report.spectrum.missing
    rank, most = len(spectrum.between), min(report.classes - 1, report.dimension)
    return [
        Entry("spectrum", "rank_between", float(rank), str(most),
              "directions along which class means differ"),
        *_ends("between", "eigenvalue of the between-class covariance", spectrum.between, ""),
        *_ends("within", "eigenvalue of the within-class covariance", spectrum.within,
               why.get("within", ""))[:1],
        *_ends("snr", "signal-to-noise ratio", spectrum.snr, why.get("snr", "")),
    ]  # fmt: skip


def _ends(name: str, meaning: str, values: Tensor | None, why: str) -> list[Entry]:
    """The largest and the smallest of some values."""
    ends = (nan, nan)
    if values is not None:  # without any all of them are zero
        ends = (float(values[0]), float(values[-1])) if len(values) else (0.0, 0.0)
    limits = ("", "") if name != "within" else ("0", "")
    return [
        Entry("spectrum", f"{name}_{end}", value, limit, f"{end} {meaning}", why)
        for end, value, limit in zip(("largest", "smallest"), ends, limits, strict=True)
    ]
