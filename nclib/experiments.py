"""Train a cell, look at its last layer at the measured epochs, keep what was seen.

``observe`` trains and looks; ``run`` also writes: nothing is lost and nothing is done twice.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from .cells import Cell, measured_epochs, recipe_of, ridges_of
from .machine import CPU, Machine
from .observations import Observation, observe, summarize
from .records import RecordError, Row, Run, Writer, is_begun, lock, provenance, read
from .training import CheckpointError, DivergedError, Recipe

__all__ = ["closing_words", "opening_words", "published", "run"]

ENDED = ("finished", "diverged")
TERMINATED = 128 + signal.SIGTERM  # exit status of a process that was asked to end


def run(
    cell: Cell | str,
    *,
    folder: Path | str,
    root: Path | str | None = None,
    download: bool = False,
    machine: Machine = CPU,
    max_minutes: float | None = None,
    robustness: str = "never",
) -> Iterator[Row]:
    """Train and measure a cell, or that of a name; keep every row in ``folder/<cell>.jsonl``.

    A finished cell is read back, not trained again. One that was killed, that failed, or that was
    paused after ``max_minutes`` goes on from its checkpoint and ends with the same rows, bit for
    bit on a CPU. SIGTERM, which schedulers send, pauses it at the end of the epoch and then raises
    SystemExit. A run that diverged is recorded as such and not retried. Two processes cannot
    write one run. The other arguments are those of ``observe``.

    Chapter: decomposition-measured.
    """
    cell = Cell.parse(cell) if isinstance(cell, str) else cell
    if cell.images is not None and cell.images < recipe_of(cell).batch_size:
        raise ValueError(
            f"images: expected at least {recipe_of(cell).batch_size}, a batch, got {cell.images}"
        )
    if max_minutes is not None and not max_minutes >= 0:
        raise ValueError(f"max_minutes: expected a number >= 0, got {max_minutes}")
    path = Path(folder) / f"{cell.name}.jsonl"
    stored = _stored(cell, path)
    if stored is not None and stored[0].status in ENDED:
        # Only read, so that this works in a folder that cannot be written, too.
        yield from stored[1]
        return
    with lock(path) as writer:
        writer.set_torn_line_aside()
        record, rows = _begin(cell, path, machine)
        yield from rows
        if record.status in ENDED:  # by another process, since it was read
            return
        writer.append(record)
        pause = _Pause(max_minutes)
        seen = observe(
            cell, root=root, download=download, machine=machine, robustness=robustness,
            checkpoint=path.with_suffix(".pt"), stop=pause,
        )  # fmt: skip
        with _closing(writer, record, pause):
            yield from _keep(cell, writer, pause.watching(seen), rows)
            last = recipe_of(cell).epochs
            pause.taken = pause.taken and bool(_missing(cell, rows, last + 1))
            if not pause.taken:
                _require_no_gap(cell, rows, last + 1, path)
        if pause.asked:
            raise SystemExit(TERMINATED)


def opening_words(path: Path | str, precision: str, robustness: str) -> list[str]:
    """What a call to ``run`` will not do, because of what is on record already.

    Chapter: how-to-run.
    """
    if not is_begun(path):
        return []
    record, rows = read(path)
    lines = []
    if record.status in ENDED:
        lines.append(f"{record.id}: {record.status} before; read back, not trained again")
        if robustness != "never" and all(math.isnan(row.robustness) for row in rows):
            lines.append("robustness was not measured then; another --folder trains it anew")
    if precision != record.precision:
        goes_on = "stays as it is" if record.status in ENDED else f"goes on in {precision}"
        lines.append(f"trained in {record.precision} so far; {goes_on}")
    return lines


def closing_words(record: Run, path: Path | str) -> str:
    """How a run stands, and what to do where it did not end well.

    Chapter: how-to-run.
    """
    path = Path(path)
    again = "the same command goes on from its checkpoint"
    words = {
        "finished": "finished",
        "paused": f"paused; {again}",
        "running": f"killed, or still running; {again}",
        "failed": f"failed: {record.reason}; {again}",
        "diverged": f"diverged: {record.reason or 'the loss is no longer finite'}. It is not tried "
        f"again: a smaller learning rate is another cell (-k and an index of LR_GRID). To "
        f"train this one anew move {path} away, and a {path.with_suffix('.pt').name} beside it",
    }
    return f"{record.id}: {words.get(record.status, record.status)}"


def published(name: str) -> tuple[Run, list[Row]] | None:
    """A run that was stored with the package, or None where that cell has not been run.

    Chapter: decomposition-measured.
    """
    path = files("nclib") / "results" / f"{Cell.parse(name).name}.jsonl"
    return read(Path(str(path))) if path.is_file() else None


@dataclass
class _Pause:
    """Whether to stop at the end of an epoch: time is over, or the process was asked to end."""

    max_minutes: float | None
    begun: float = field(default_factory=lambda: time.monotonic())
    asked: bool = False
    taken: bool = False

    def __call__(self) -> bool:
        over = self.max_minutes is not None and self.seconds >= 60 * self.max_minutes
        self.taken = over or self.asked
        return self.taken

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def watching(self, seen: Iterator[Observation]) -> Iterator[Observation]:
        """The same observations; while one is being made a SIGTERM is noted, not died of.

        Not while the caller has the row: what he does then must end when it is told to.
        """
        while True:
            with self._noting():
                observation = next(seen, None)
            if observation is None:
                return
            yield observation

    @contextmanager
    def _noting(self) -> Iterator[None]:
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL  # somebody else's business
        ):
            yield
            return
        signal.signal(signal.SIGTERM, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _note(self, *_: object) -> None:
        self.asked = True


@contextmanager
def _closing(writer: Writer, record: Run, pause: _Pause) -> Iterator[None]:
    """Write how a run ended, however it does; an error that is on its way is not replaced."""

    def end(status: str, reason: str = "") -> None:
        seconds = record.seconds + pause.seconds
        writer.append(replace(record, status=status, seconds=seconds, reason=reason))

    try:
        yield
    except DivergedError as error:
        end("diverged", str(error))
    except Exception as error:
        with suppress(RecordError):
            end("failed", f"{type(error).__name__}: {error}".splitlines()[0][:500])
        raise
    except BaseException:  # an interrupt, or a reader who had enough
        with suppress(RecordError):
            end("paused")
        raise
    else:
        end("paused" if pause.taken else "finished")


def _keep(
    cell: Cell, writer: Writer, seen: Iterator[Observation], rows: list[Row]
) -> Iterator[Row]:
    """Append and yield a row of each observation, and add it to ``rows``; none comes twice."""
    try:
        for observation in seen:
            _require_no_gap(cell, rows, observation.epoch, writer.path)
            if any((r.epoch, r.split) == (observation.epoch, observation.split) for r in rows):
                continue
            row = summarize(observation, cell)
            writer.append(row)
            rows.append(row)
            yield row
    except CheckpointError as error:
        if ": cannot write" in str(error):
            raise
        reason = str(error).splitlines()[0]  # torch goes on with advice that we do not follow
        raise CheckpointError(
            f"{reason}; move {writer.path.with_suffix('.pt')} away to train from the start, "
            f"the rows that are there stay"
        ) from error


def _stored(cell: Cell, path: Path) -> tuple[Run, list[Row]] | None:
    """The record of this very cell, None where there is none yet, an error if it is another's."""
    if not is_begun(path):
        return None
    record, rows = read(path)
    recipe = recipe_of(cell)
    if not _same(record, cell, recipe):
        raise RecordError(
            f"{path}: expected a run of {cell} with {asdict(recipe)}, "
            f"got {record.cell} with {record.recipe}"
        )
    return record, rows


def _same(record: Run, cell: Cell, recipe: Recipe) -> bool:
    """Whether a record is of this cell; what an older one does not say is the default."""
    try:
        return (Cell(**record.cell), Recipe(**record.recipe)) == (cell, recipe)
    except (TypeError, ValueError):  # of fields and names of another time
        return False


def _begin(cell: Cell, path: Path, machine: Machine) -> tuple[Run, list[Row]]:
    """A new run line, and the rows that are there; how and where it goes on is said anew."""
    record = Run(
        id=cell.name, cell=cell.to_record(), recipe=asdict(recipe_of(cell)), ridge=ridges_of(cell),
        **provenance(), device=machine.name, precision=machine.precision, status="running",
    )  # fmt: skip
    stored = _stored(cell, path)
    if stored is None:
        return record, []
    if stored[0].status in ENDED:
        return stored
    return replace(record, started=stored[0].started, seconds=stored[0].seconds), stored[1]


def _require_no_gap(cell: Cell, rows: list[Row], epoch: int, path: Path) -> None:
    """A checkpoint that is ahead of its rows, as when the record was deleted, would lose them."""
    missing = _missing(cell, rows, epoch)
    if missing:
        raise RecordError(
            f"{path}: expected rows of all epochs before {epoch}, where the checkpoint "
            f"{path.with_suffix('.pt')} goes on, got none of epochs {missing}; "
            f"move the checkpoint away to train from the start"
        )


def _missing(cell: Cell, rows: list[Row], epoch: int) -> list[int]:
    """Measured epochs before this one that lack the row of a split."""
    names = ("train", "test", "held") if cell.held else ("train", "test")
    measured = measured_epochs(recipe_of(cell).epochs, cell.every)
    known = {(row.epoch, row.split) for row in rows}
    return [e for e in measured if e < epoch and any((e, name) not in known for name in names)]
