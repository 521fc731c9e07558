"""Submit the cells that are missing, one a job, and watch them."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..cells import Cell
from ..interrupts import Asked
from ..processes import absent_data, require_handed_on
from ..records import is_begun
from ..standings import Board, Paces, Standing
from ..sweeps import Show
from .job import CellJob
from .queue import Queue, SlurmError, Ticket
from .resources import Resources

__all__ = ["require_slurm", "sweep_on_slurm"]

SUBMITIT = (1, 5)
COMMANDS = ("sbatch", "squeue", "srun", "scontrol", "scancel")
POLL = (1.0, 15.0)  # seconds between two looks at the queue, at first and after some minutes
SILENCE_SECONDS = 900.0  # that a controller may be away before watching ends
REQUEUES = 1_000_000  # a job counts for itself whether it still gets on


def sweep_on_slurm(
    cells: Sequence[Cell | str],
    *,
    folder: Path | str,
    resources: Resources | None = None,
    root: Path | str | None = None,
    download: bool = False,
    max_minutes: float | None = None,
    options: Sequence[str] = (),
    wait: bool = True,
    show: Show | None = None,
) -> list[Standing]:
    """Submit every cell that is neither ended nor in the queue, a job each; wait for all.

    ``folder`` must be one that every node sees; scripts and logs are kept in ``folder/slurm``. A
    job whose time is over pauses at the end of an epoch and is requeued, one whose node is lost
    is requeued by Slurm; both go on from the checkpoint and end with the same rows, bit for bit
    on equal CPUs. A cell that fails or diverges is not requeued; called again, a failed one is
    submitted again, and its reason says how it had failed. Data sets are loaded here once before
    anything is submitted. ``options`` are handed on to ``nclib run``, those that it takes and that
    the sweep does not set itself; after ``max_minutes`` of work a cell pauses. ``show`` gets the
    standings as they change, once without ``wait``, where nothing is waited for.

    Returns the standings, in the order of ``cells``. KeyboardInterrupt ends the watching, never
    the jobs. Raises SlurmError with Slurm's words, ImportError without submitit.   Chapter: scale.
    """
    parsed = [Cell.parse(cell) if isinstance(cell, str) else cell for cell in cells]
    if not parsed:
        raise ValueError("cells: expected at least one, got none")
    if max_minutes is not None and not max_minutes >= 0:
        raise ValueError(f"max_minutes: expected a number >= 0, got {max_minutes}")
    require_handed_on(options)
    resources = resources or Resources()
    require_slurm()
    place = None if root is None else str(Path(root).resolve())
    watch = _Watch(list(dict.fromkeys(parsed)), Board(Path(folder).resolve()))

    def job(cell: Cell) -> CellJob:
        return CellJob(
            cell.name, str(watch.board.folder), resources.trains_on, place, max_minutes,
            tuple(options), resources.notice, resources.cpus or 1,
        )  # fmt: skip

    watch.look()
    watch.require_data(place, download)
    with Asked().listening() as asked, watch.queue.held():
        watch.look()  # again, now that nobody else can submit
        missing = [] if asked.times else watch.missing()
        if missing:
            watch.note_failures(missing)
            _submit(watch.queue, [job(cell) for cell in missing], resources)
            watch.look()
    if asked.times:
        raise KeyboardInterrupt
    if wait:
        return watch.until_all_left(show)
    standings = watch.standings()
    if show is not None:
        show(standings)
    return standings


def require_slurm() -> Any:
    """submitit, where it can be imported and Slurm's commands are found; else an error in words.

    Chapter: scale.
    """
    absent = [name for name in COMMANDS if shutil.which(name) is None]
    if absent:
        raise SlurmError(
            f"on slurm: expected Slurm's commands on this machine, found no {', '.join(absent)}; "
            f"log in where jobs are submitted, or leave out --on slurm to run on this machine"
        )
    wanted = ".".join(map(str, SUBMITIT))
    how = "pip install --upgrade 'neural-collapse-mse[cluster]'"
    try:
        import submitit
    except ImportError as error:
        raise ImportError(f"on slurm: expected submitit, got none; {how}") from error
    found = tuple(int(part) for part in submitit.__version__.split(".")[:2] if part.isdigit())
    if found < SUBMITIT:
        raise ImportError(
            f"on slurm: expected submitit {wanted} or newer, got {submitit.__version__}; {how}"
        )
    return submitit


def _submit(queue: Queue, jobs: Sequence[CellJob], resources: Resources) -> None:
    """Submit a batch: an array, or a plain job where there is only one."""
    submitit = require_slurm()
    name = queue.announce([job.cell for job in jobs])
    executor = submitit.SlurmExecutor(queue.logs, max_num_timeout=REQUEUES)
    executor.update_parameters(**resources.parameters(name))
    try:
        # submitit prints sbatch's complaint, too, which is said once here.
        with _outside_a_job(), redirect_stderr(io.StringIO()):
            submitted = executor.submit_array(jobs)
    except RuntimeError as error:
        raise SlurmError(_complaint(str(error))) from error
    queue.confirm(name, submitted[0].job_id.partition("_")[0])


def _complaint(words: str) -> str:
    """What sbatch says first; what follows is how to get help, and that it has failed."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return f"sbatch: {(lines or ['it failed'])[0].removeprefix('sbatch: ').removeprefix('error: ')}"


@contextmanager
def _outside_a_job() -> Iterator[None]:
    """What a job that submits was given itself must not be handed on, such as its one core."""
    within = "SLURM_JOB_ID" in os.environ
    inherited = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if within
        and name.startswith(("SLURM_", "SBATCH_", "SRUN_", "SUBMITIT_"))
        and name not in ("SLURM_CONF", "SLURM_CLUSTERS")
    }
    try:
        yield
    finally:
        os.environ.update(inherited)


@dataclass
class _Watch:
    """The cells asked for: their records, their jobs, and how fast they get on."""

    cells: list[Cell]
    board: Board
    faults: dict[Cell, str] = field(default_factory=dict)
    before: dict[Cell, str] = field(default_factory=dict)  # how those submitted again had failed
    tickets: dict[str, Ticket] = field(default_factory=dict)
    seen: dict[Cell, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queue = Queue(self.board.folder)

    def look(self) -> None:
        """Ask Slurm. Before the records are read: what has left the queue has ended its record."""
        self.tickets = self.queue.tickets()

    def require_data(self, root: str | None, download: bool) -> None:
        """Load each data set once here: many jobs must not all fetch it."""
        self.faults |= absent_data(self.missing(), root, download)

    def note_failures(self, cells: Sequence[Cell]) -> None:
        """Why these failed, before a new job takes the place of that."""
        standings = map(self._standing, cells)
        self.before |= {s.cell: s.reason for s in standings if s.state == "failed"}

    def missing(self) -> list[Cell]:
        """Cells to submit: not ended, in nobody's hands, not refused."""
        found = []
        for cell in self.cells:
            standing, ticket = self.board.standing(cell), self.tickets.get(cell.name)
            is_taken = standing.ended or standing.state == "elsewhere" or cell in self.faults
            if not is_taken and not (ticket and ticket.is_active):
                found.append(cell)
        return found

    def until_all_left(self, show: Show | None) -> list[Standing]:
        """Wait until none of the cells is in the queue any more."""
        begun = answered = time.monotonic()
        while True:
            standings = self.standings()
            if show is not None:
                show(standings)
            if not any(self._is_active(cell) for cell in self.cells):
                self.draw()
                return standings
            time.sleep(min(POLL[1], POLL[0] + (time.monotonic() - begun) / 20))
            try:
                self.look()
                answered = time.monotonic()
            except SlurmError:
                if time.monotonic() - answered > SILENCE_SECONDS:
                    raise

    def draw(self) -> None:
        """The summary beside the records, as a sweep on one machine leaves it."""
        runs = self.board.runs(self.cells)
        if runs:
            from ..figures.sweeps import save_summary  # matplotlib comes with it

            with suppress(OSError, ValueError, RuntimeError):
                save_summary(runs, self.board.folder / "sweep.png")

    def standings(self) -> list[Standing]:
        """How every cell stands, by its record and its job."""
        found = [self._standing(cell) for cell in self.cells]
        paces = self._paces(found)
        return [replace(s, left=paces.left(s)) for s in found]

    def _is_active(self, cell: Cell) -> bool:
        ticket = self.tickets.get(cell.name)
        return ticket is not None and ticket.is_active

    def _standing(self, cell: Cell) -> Standing:
        standing, ticket = self.board.standing(cell), self.tickets.get(cell.name)
        if standing.ended:
            return standing
        if cell in self.faults:
            return replace(standing, state="failed", reason=self.faults[cell])
        if ticket is None:
            return standing
        if ticket.is_on_a_node:
            words = f"{ticket.node}, job {ticket.job}{self._past(cell)}"
            return replace(standing, state="running", reason=words)
        if ticket.is_active:
            state = "requeued" if is_begun(self.board.path(cell)) else "queued"
            words = f"{ticket.reason or ticket.state}, job {ticket.job}{self._past(cell)}"
            return replace(standing, state=state, reason=words)
        if standing.state == "elsewhere" or (
            standing.state == "paused" and ticket.state in ("COMPLETED", "GONE")
        ):
            return standing
        words = standing.reason if standing.state == "failed" else ""
        state = "" if ticket.state in ("FAILED", "GONE", "COMPLETED") else f"{ticket.state}: "
        words = words or state + self.queue.last_words(ticket.job)
        return replace(standing, state="failed", reason=words)

    def _past(self, cell: Cell) -> str:
        return f"; failed before: {self.before[cell]}" if cell in self.before else ""

    def _paces(self, standings: list[Standing]) -> Paces:
        """Seen while watching, or on record."""
        now, paces = time.monotonic(), Paces()
        for s in standings:
            when, epoch = self.seen.setdefault(s.cell, (now, s.epoch))
            seconds, epochs = now - when, s.epoch - epoch
            if s.state != "running" or epochs < 1:
                seconds, epochs = s.seconds, s.epoch
            paces.note(s.cell, seconds, epochs)
        return paces
