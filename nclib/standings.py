"""How the cells of a sweep stand: read from their records, as values, lines and a table."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table

from .cells import Cell, recipe_of
from .records import RecordError, Row, Run, is_begun, is_held, read

__all__ = ["Board", "Paces", "Standing", "duration", "line", "summary", "table"]

COLORS = {
    "finished": "green", "running": "cyan", "elsewhere": "cyan", "paused": "yellow",
    "killed": "yellow", "diverged": "magenta", "failed": "red", "requeued": "yellow",
}  # fmt: skip
AHEAD = ("waiting", "running", "elsewhere", "queued", "requeued")  # what is waited for


@dataclass(frozen=True)
class Standing:
    """One cell of a sweep: its state, and what its last measured epoch saw.

    ``state`` is a record's status, or "waiting" before there is one, "killed" where the process
    died, "elsewhere" where one that is not of this sweep writes it; on a cluster "queued", and
    "requeued" once it has a record. Numbers are NaN where there is none yet. ``seconds`` are those
    spent, ``left`` an estimate of those to come.
    """

    cell: Cell
    state: str
    epoch: int
    epochs: int
    train_accuracy: float = math.nan
    nc1: float = math.nan
    test_accuracy: float = math.nan
    seconds: float = 0.0
    left: float = math.nan
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do for it."""
        return self.state in ("finished", "diverged")


@dataclass
class Board:
    """The records of a folder, each read again only when it has changed."""

    folder: Path
    _known: dict[str, tuple[tuple[int, int], tuple[Run, list[Row]]]] = field(default_factory=dict)

    def path(self, cell: Cell) -> Path:
        """Where a cell's record lies."""
        return self.folder / f"{cell.name}.jsonl"

    def record(self, cell: Cell) -> tuple[Run, list[Row]] | None:
        """A cell's run and rows, None where there are none; a damaged record is an error."""
        try:
            found = os.stat(self.path(cell))
        except OSError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._known.get(cell.name)
        if known is None or known[0] != stamp:
            if not is_begun(self.path(cell)):
                return None
            known = self._known[cell.name] = (stamp, read(self.path(cell)))
        return known[1]

    def standing(self, cell: Cell) -> Standing:
        """How a cell stands by its record alone; a damaged record is a failure with a reason."""
        epochs = recipe_of(cell).epochs
        try:
            found = self.record(cell)
        except RecordError as error:
            return Standing(cell, "failed", 0, epochs, reason=str(error))
        if found is None:
            return Standing(cell, "waiting", 0, epochs)
        run, rows = found
        last = {row.split: row for row in rows}
        train, test = last.get("train"), last.get("test")
        state = run.status
        if state == "running":
            state = "elsewhere" if is_held(self.path(cell)) else "killed"
        return Standing(
            cell, state, epoch=max((row.epoch for row in rows), default=0), epochs=epochs,
            train_accuracy=train.accuracy if train else math.nan,
            nc1=train.metrics.get("relative_variability", math.nan) if train else math.nan,
            test_accuracy=test.accuracy if test else math.nan,
            seconds=run.seconds, reason=run.reason,
        )  # fmt: skip

    def runs(self, cells: Iterable[Cell]) -> list[tuple[Run, list[Row]]]:
        """The runs of these cells that have rows; damaged records are left out."""
        found = []
        for cell in cells:
            with suppress(RecordError):
                found.append(self.record(cell))
        return [record for record in found if record is not None and record[1]]


@dataclass
class Paces:
    """Seconds per epoch of each kind of cell, the slowest seen; from them what is left.

    Chapter: scale.
    """

    _slowest: dict[tuple, float] = field(default_factory=dict)

    def note(self, cell: Cell, seconds: float, epochs: int) -> None:
        """A cell took so long for so many epochs; without either nothing is known."""
        if epochs > 0 and seconds > 0:
            kind = _kind(cell)
            self._slowest[kind] = max(self._slowest.get(kind, 0.0), seconds / epochs)

    def left(self, standing: Standing) -> float:
        """Seconds until the last epoch, NaN where no cell of its kind has been timed."""
        if standing.ended:
            return 0.0
        pace = self._slowest.get(_kind(standing.cell), math.nan)
        return pace * (standing.epochs - standing.epoch)


def _kind(cell: Cell) -> tuple:
    """Cells that take as long for an epoch."""
    return cell.dataset, cell.network, cell.images, cell.held, recipe_of(cell).batch_size


def summary(standings: Sequence[Standing], workers: int) -> str:
    """A line: how many cells are in which state, and about how long it takes until the end."""
    counts = {state: 0 for state in ("finished", "diverged", "failed", "killed", "paused")}
    for standing in standings:
        counts[standing.state] = counts.get(standing.state, 0) + 1
    finished = counts.pop("finished")
    others = "".join(f", {count} {state}" for state, count in counts.items() if count)
    return f"{finished} of {len(standings)} finished{others}{_left(standings, workers)}"


def _left(standings: Sequence[Standing], workers: int) -> str:
    """What the cells still need, shared by the workers; of those without an estimate it is silent.

    A cell that failed is not waited for.
    """
    ahead = [s.left for s in standings if s.state in AHEAD]
    known = [left for left in ahead if math.isfinite(left)]
    if not known:
        return ""
    least = "at least " if len(known) < len(ahead) else "about "
    return f"; {least}{duration(max(sum(known) / workers, *known, 0))} left"


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(5), duration(340), duration(8000), duration(float("nan"))
    ('5 s', '6 min', '2.2 h', '')
    """
    if not math.isfinite(seconds):
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _number(value: float, shape: str) -> str:
    return "" if math.isnan(value) else format(value, shape)


def table(standings: Sequence[Standing], workers: int, height: int | None = None) -> Table:
    """All cells, or as many as fit: those that run or went wrong first.

    Chapter: how-to-run.
    """
    shown = list(standings)
    if height is not None and len(shown) > height:
        rank = {
            "running": 0, "failed": 1, "killed": 1, "requeued": 1, "paused": 2, "elsewhere": 2,
            "finished": 3,
        }  # fmt: skip
        kept = sorted(shown, key=lambda s: rank.get(s.state, 4))[:height]
        shown = [standing for standing in shown if standing in kept]
    hidden = len(standings) - len(shown)
    more = f"; {hidden} more not shown" if hidden else ""
    right = ("epoch", "train", "NC1", "test", "time", "left")
    columns = (Column(name, justify="right", no_wrap=True) for name in right)
    found = Table(
        Column("cell", no_wrap=True), Column("state", no_wrap=True), *columns, "",
        caption=summary(standings, workers) + more,
    )  # fmt: skip
    for s in shown:
        color = COLORS.get(s.state, "default")
        found.add_row(
            s.cell.name, f"[{color}]{s.state}[/]", f"{s.epoch}/{s.epochs}",
            _number(s.train_accuracy, ".4f"), _number(s.nc1, ".3g"),
            _number(s.test_accuracy, ".4f"), duration(s.seconds) if s.seconds else "",
            "" if s.ended else duration(s.left), escape(s.reason),
        )  # fmt: skip
    return found


def line(standing: Standing) -> str:
    """One cell as a plain line, for a log."""
    s = standing
    seen = {
        "train": _number(s.train_accuracy, ".4f"), "NC1": _number(s.nc1, ".3g"),
        "test": _number(s.test_accuracy, ".4f"), "time": duration(s.seconds) if s.seconds else "",
        "left": "" if s.ended else duration(s.left),
    }  # fmt: skip
    words = "".join(f", {name} {value}" for name, value in seen.items() if value)
    reason = f": {s.reason}" if s.reason else ""
    return f"{s.cell.name}: {s.state}, epoch {s.epoch}/{s.epochs}{words}{reason}"
