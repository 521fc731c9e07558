"""Stored runs as tables: their accuracy beside the printed one, and where each run comes from.

Runs are what ``published`` gives, a record with its rows or None, by (data set, family).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..notation import markdown_table
from ..records import Row, Run
from ..reported import REPORTED, Reported
from ..statements import terminal_epoch

__all__ = [
    "NOT_RUN",
    "TITLES",
    "AccuracyTable",
    "Comparison",
    "Lines",
    "Runs",
    "Stored",
    "accuracy_table",
    "provenance",
]

Stored = tuple[Run, Sequence[Row]]
"""A stored run: its record and its rows."""
Runs = Mapping[tuple[str, str], Stored | None]
"""Stored runs, or None, by (data set, family)."""

NOT_RUN = "not run"
"""What a table says of a run that there is not."""
TITLES = {"mnist": "MNIST", "fashionmnist": "Fashion"}
"""The data sets' names as they are printed."""
TITLES |= {name: name.upper() for name in ("svhn", "cifar10", "stl10")}


@dataclass(frozen=True)
class Comparison:
    """A printed line of Table 1 beside ours, test accuracy in percent.

    ``state`` is "not run" or the run's own; a number that there is not is NaN.
    Chapter: reproduction.
    """

    printed: Reported
    state: str
    at_zero_error: float
    at_end: float

    @property
    def difference(self) -> float:
        """Ours minus theirs at the last epoch, percentage points; NaN unless ours is finished."""
        return self.at_end - self.printed.at_end if self.state == "finished" else math.nan


class AccuracyTable(tuple[Comparison, ...]):
    """Table 1, ours beside the printed one; in a notebook it shows as one.

    Chapter: reproduction.
    """

    def _repr_markdown_(self) -> str:
        header = ("cell", "paper", "ours", "difference")
        return markdown_table(header, [_line(comparison) for comparison in self])


def accuracy_table(runs: Runs, loss: str) -> AccuracyTable:
    """Test accuracy at zero error and at the last epoch, a run a line, beside the printed one.

    Keys of ``runs`` are (data set, family) of REPORTED. The epoch of zero error is the first
    measured one, ``terminal_epoch``.

    Source: Han, Papyan & Donoho 2022, Table 1.   Chapter: reproduction.
    """
    if strangers := sorted(key for key in runs if (*key, loss) not in REPORTED):
        raise ValueError(f"runs: expected cells of the paper's table for {loss}, got {strangers}")
    return AccuracyTable(_compare(REPORTED[(*key, loss)], found) for key, found in runs.items())


class Lines(str):
    """Text that a notebook shows as Markdown.   Chapter: reproduction."""

    def _repr_markdown_(self) -> str:
        return str(self)


def provenance(runs: Runs) -> Lines:
    """Where stored runs come from, a line each: device, precision, commit, date and duration.

    Chapter: reproduction.
    """
    return Lines("\n".join(_origin(found[0]) for found in runs.values() if found))


def _origin(run: Run) -> str:
    commit = run.commit[:10] + (" with changes" if run.commit.endswith("-dirty") else "")
    return (
        f"- `{run.id}`: {run.status}, {run.device}, {run.precision}, "
        f"torch {run.versions['torch']}, commit {commit or 'unknown'}, {run.started[:10]}, "
        f"{run.seconds:.0f} s"
    )


def _compare(printed: Reported, found: Stored | None) -> Comparison:
    if found is None:
        return Comparison(printed, NOT_RUN, math.nan, math.nan)
    accuracy = {row.epoch: 100 * row.accuracy for row in found[1] if row.split == "test"}
    zero = terminal_epoch(found[1])
    last = accuracy[max(accuracy)] if accuracy else math.nan
    return Comparison(printed, found[0].status, accuracy.get(zero or -1, math.nan), last)


def _line(seen: Comparison) -> tuple[str, ...]:
    printed = seen.printed
    state = "" if seen.state == "finished" else f" ({seen.state})"
    return (
        f"{TITLES.get(printed.dataset, printed.dataset)}, {printed.network}",
        _pair(printed.at_zero_error, printed.at_end),
        NOT_RUN if seen.state == NOT_RUN else _pair(seen.at_zero_error, seen.at_end) + state,
        "" if math.isnan(seen.difference) else f"{seen.difference:+.2f}",
    )


def _pair(before: float, after: float) -> str:
    return " → ".join("–" if math.isnan(x) else f"{x:.2f}" for x in (before, after))
