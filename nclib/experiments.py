"""Train a cell, look at its last layer at the measured epochs, keep what was seen.

``observe`` trains and looks; ``run`` also writes: nothing is lost and nothing is done twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

from .cells import Cell, measured_epochs, recipe_of, ridges_of
from .machine import CPU, Machine
from .observations import observe, summarize
from .records import RecordError, Row, Run, append, lock, provenance, read, set_torn_line_aside
from .training import DivergedError

__all__ = ["published", "run"]


def run(
    cell: Cell,
    *,
    folder: Path | str,
    root: Path | str | None = None,
    download: bool = False,
    machine: Machine = CPU,
    max_minutes: float | None = None,
    robustness: str = "never",
) -> Iterator[Row]:
    """Train and measure a cell, and keep every row in ``folder/<cell>.jsonl`` as it comes.

    A finished cell is read back, not trained again. A killed one, or one that was paused after
    ``max_minutes``, goes on from its checkpoint and ends with the same rows, bit for bit on a
    CPU. A run that diverged is recorded as such and not retried. Two processes cannot write one
    run. The other arguments are those of ``observe``.   Chapter: decomposition-measured.
    """
    path = Path(folder) / f"{cell.name}.jsonl"
    stored = _stored(cell, path)
    if stored is not None and stored[0].status in ("finished", "diverged"):
        # Only read, so that this works in a folder that cannot be written, too.
        yield from stored[1]
        return
    with lock(path):
        set_torn_line_aside(path)
        record, rows = _begin(cell, path, machine)
        yield from rows
        append(path, record)
        start, status = time.monotonic(), "finished"
        known = {(row.epoch, row.split) for row in rows}
        try:
            for seen in observe(
                cell, root=root, download=download, machine=machine,
                checkpoint=path.with_suffix(".pt"), max_minutes=max_minutes, robustness=robustness,
            ):  # fmt: skip
                _require_no_gap(cell, known, seen.epoch, path)
                if (seen.epoch, seen.split) in known:
                    continue
                row = summarize(seen, cell)
                append(path, row)
                known.add((row.epoch, row.split))
                yield row
            last = recipe_of(cell).epochs
            if max_minutes is not None and (last, "train") not in known:
                status = "paused"
            else:
                _require_no_gap(cell, known, last + 1, path)
        except DivergedError:
            status = "diverged"
        seconds = record.seconds + time.monotonic() - start
        append(path, replace(record, status=status, seconds=seconds))


def published(name: str) -> tuple[Run, list[Row]] | None:
    """A run that was stored with the package, or None where that cell has not been run.

    Chapter: decomposition-measured.
    """
    path = files("nclib") / "results" / f"{Cell.parse(name).name}.jsonl"
    return read(Path(str(path))) if path.is_file() else None


def _stored(cell: Cell, path: Path) -> tuple[Run, list[Row]] | None:
    """The record of this very cell, None where there is none yet, an error if it is another's."""
    if not path.is_file() or not path.stat().st_size:
        return None
    record, rows = read(path)
    recipe = asdict(recipe_of(cell))
    if (record.cell, record.recipe) != (cell.to_record(), recipe):
        raise RecordError(
            f"{path}: expected a run of {cell} with {recipe}, "
            f"got {record.cell} with {record.recipe}"
        )
    return record, rows


def _begin(cell: Cell, path: Path, machine: Machine) -> tuple[Run, list[Row]]:
    """A new run line, and the rows that are there; how and where it goes on is said anew."""
    record = Run(
        id=cell.name, cell=cell.to_record(), recipe=asdict(recipe_of(cell)), ridge=ridges_of(cell),
        **provenance(), device=machine.name, precision=machine.precision, status="running",
    )  # fmt: skip
    stored = _stored(cell, path)
    if stored is None:
        return record, []
    return replace(record, started=stored[0].started, seconds=stored[0].seconds), stored[1]


def _require_no_gap(cell: Cell, known: set[tuple[int, str]], epoch: int, path: Path) -> None:
    """A checkpoint that is ahead of its rows, as when the record was deleted, would lose them."""
    names = ("train", "test", "held") if cell.held else ("train", "test")
    measured = measured_epochs(recipe_of(cell).epochs, cell.every)
    past = {(e, s) for e in measured for s in names if e < epoch}
    if past - known:
        lost = sorted({e for e, _ in past - known})
        raise RecordError(
            f"{path}: expected rows of all epochs before {epoch}, where the checkpoint "
            f"{path.with_suffix('.pt')} goes on, got none of epochs {lost}; "
            f"move the checkpoint away to train from the start"
        )
