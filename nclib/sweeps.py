"""Many cells on one machine: a process each, several at a time, nothing done twice or lost.

Every child is the command ``nclib run`` on one cell. The records are all that is shared: the
sweep looks at them, and so a sweep that is called again goes on wherever the last one ended.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .cells import Cell
from .interrupts import Asked
from .machine import Machine
from .processes import absent_data, require_handed_on, with_threads
from .records import is_held
from .standings import Board, Paces, Standing

__all__ = ["Show", "command_of", "sweep"]

POLL = 0.25  # seconds
PICTURE_SECONDS = 60.0  # at least, between two pictures
Show = Callable[[Sequence[Standing]], None]
"""What a sweep reports its standings to."""


def sweep(
    cells: Sequence[Cell | str],
    *,
    folder: Path | str,
    devices: Sequence[str] = ("cpu",),
    workers: int = 1,
    root: Path | str | None = None,
    download: bool = False,
    max_minutes: float | None = None,
    options: Sequence[str] = (),
    show: Show | None = None,
) -> list[Standing]:
    """Run every cell that is not ended yet, ``workers`` at a time on each device.

    A finished cell is skipped, one that was killed or paused goes on; one that diverges or fails
    does not stop the others, and its reason is kept. Cells for which an estimate exists start
    longest first, after those without one. ``options`` are handed on to ``nclib run``. After
    ``max_minutes``, and on Ctrl-C or SIGTERM, children save at the end of their epoch and stop; a
    second Ctrl-C kills them, which loses at most some minutes of work. ``show`` gets the standings
    four times a second; ``sweep.png`` in the folder is drawn anew about once a minute.

    Returns the standings, in the order of ``cells``. Raises KeyboardInterrupt or SystemExit after
    an orderly end that was asked for.   Chapter: how-to-run.
    """
    parsed = [Cell.parse(cell) if isinstance(cell, str) else cell for cell in cells]
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    if not cells or not devices:
        raise ValueError("cells, devices: expected at least one of each, got none")
    require_handed_on(options)
    slots = [device for _ in range(workers) for device in devices]
    wanted = list(dict.fromkeys(parsed))
    crew = _Crew(Board(Path(folder)), wanted, slots, root, tuple(options), max_minutes)
    for device in devices:
        Machine.of(device)  # refused in words here, and not by every child
    picture = _Picture(crew.board, wanted)
    crew.require_data(download)
    with Asked().listening() as asked, crew.ending_with(asked):
        while crew.work(asked):
            if show is not None:
                show(crew.standings())
            picture.draw(at_least=PICTURE_SECONDS)
            time.sleep(POLL)
        standings = crew.standings()
        if show is not None:
            show(standings)
        picture.draw(at_least=0.0)
    if asked.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if asked.signal:
        raise SystemExit(128 + asked.signal)
    return standings


def command_of(
    cell: Cell,
    device: str,
    *,
    folder: Path,
    root: Path | str | None = None,
    max_minutes: float | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """The command line that runs a cell in a process of its own."""
    kind = device.partition(":")[0]  # the process sees the one device that it is pinned to
    command = [sys.executable, "-m", "nclib", "run", cell.name, "--folder", str(folder)]
    command += ["--device", kind if kind == "cuda" else device]
    command += [] if root is None else ["--root", str(root)]
    command += [] if max_minutes is None else ["--max-minutes", f"{max_minutes:.4f}"]
    return [*command, *options]


def _environment(device: str, threads: int) -> dict[str, str]:
    """Pinned to one GPU of those that this process sees, and to a share of the cores."""
    found = with_threads(os.environ, threads)
    home = str(Path(__file__).resolve().parents[1])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [home, found.get("PYTHONPATH")]))
    kind, _, number = device.partition(":")
    if kind == "cuda":
        visible = [part for part in found.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        index = int(number or 0)
        if visible and index >= len(visible):
            raise ValueError(
                f"devices: expected cuda:0 to cuda:{len(visible) - 1}, as CUDA_VISIBLE_DEVICES "
                f"shows {','.join(visible)}, got {device!r}"
            )
        found["CUDA_VISIBLE_DEVICES"] = visible[index] if visible else str(index)
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Child:
    """A process that runs a cell, and where its words go."""

    cell: Cell
    slot: int
    process: subprocess.Popen[bytes]
    log: Path
    words_from: int
    epoch: int  # that it started from
    begun: float = field(default_factory=time.time)  # to compare with files' times
    started: float = field(default_factory=time.monotonic)

    @property
    def last_words(self) -> str:
        """What it said last: its error in words, or the last line of a traceback."""
        try:
            text = self.log.read_bytes()[self.words_from :].decode(errors="replace")
        except OSError as error:
            return f"{self.log}: {error.strerror}"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error:")]
        plain = [line for line in lines if line[0] not in "╭╰"]  # the frame of a usage error
        return (errors or plain or [""])[-1].removeprefix("error:").strip("│ ")


@dataclass
class _Crew:
    """The cells that wait, the children that run, and what became of those that ended."""

    board: Board
    cells: list[Cell]
    slots: list[str]
    root: Path | str | None
    options: tuple[str, ...]
    max_minutes: float | None
    children: list[_Child] = field(default_factory=list)
    reasons: dict[Cell, str] = field(default_factory=dict)
    states: dict[Cell, str] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    stopped: bool = False

    def __post_init__(self) -> None:
        cpu = sum(not slot.startswith("cuda") for slot in self.slots)
        threads = max(1, _cores() // (cpu or len(self.slots)))
        self.environments = [_environment(device, threads) for device in self.slots]
        self.waiting = [cell for cell in self.cells if not self.board.standing(cell).ended]

    @property
    def minutes_left(self) -> float | None:
        if self.max_minutes is None:
            return None
        return max(0.0, self.max_minutes - (time.monotonic() - self.begun) / 60)

    def require_data(self, download: bool) -> None:
        """The cells of a data set that is not there fail, each with the reason; the others run."""
        for cell, reason in absent_data(self.waiting, self.root, download).items():
            self._end(cell, "failed", reason)

    def start(self) -> None:
        """Put a waiting cell on every free slot, the longest first."""
        free = set(range(len(self.slots))) - {child.slot for child in self.children}
        for slot in sorted(free):
            ready = [cell for cell in list(self.waiting) if self._is_ready(cell)]
            if not ready:
                return
            cell = self._longest(ready)
            self.waiting.remove(cell)
            try:
                self.children.append(self._child(cell, slot))
            except OSError as error:
                self._end(cell, "failed", f"cannot start: {error}")

    def _longest(self, cells: list[Cell]) -> Cell:
        """The first of those that nobody has timed, else the longest."""
        paces = self._paces()
        left = {cell: paces.left(self.board.standing(cell)) for cell in cells}
        return max(cells, key=lambda cell: math.inf if math.isnan(left[cell]) else left[cell])

    def _is_ready(self, cell: Cell) -> bool:
        """Not while another process writes it; and that one may end it, too."""
        standing = self.board.standing(cell)
        if standing.ended:
            self.waiting.remove(cell)
        return not standing.ended and not is_held(self.board.path(cell))

    def _child(self, cell: Cell, slot: int) -> _Child:
        log = self.board.folder / "logs" / f"{cell.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = command_of(
            cell, self.slots[slot], folder=self.board.folder, root=self.root,
            max_minutes=self.minutes_left, options=self.options,
        )  # fmt: skip
        with open(log, "ab") as words:
            # A session of its own: the terminal's Ctrl-C goes to the sweep, which asks children.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT,
                env=self.environments[slot], start_new_session=True,
            )  # fmt: skip
            epoch = self.board.standing(cell).epoch
            return _Child(cell, slot, process, log, words.tell(), epoch)

    def collect(self) -> None:
        """Note how children ended; one that met another writer waits for its cell again."""
        for child in [child for child in self.children if child.process.poll() is not None]:
            self.children.remove(child)
            status, standing = child.process.returncode, self.board.standing(child.cell)
            if standing.state == "elsewhere" or is_held(self.board.path(child.cell)):
                self.waiting.append(child.cell)
            elif standing.ended or (standing.state == "paused" and status in (0, 143)):
                if standing.state == "finished":
                    child.log.unlink(missing_ok=True)
            elif status < 0:
                words = f"killed by {signal.Signals(-status).name}"
                self._end(child.cell, "killed", "" if self.stopped else words)
            else:
                words = child.last_words or standing.reason or f"ended with status {status}"
                self._end(child.cell, "failed", words)

    def _end(self, cell: Cell, state: str, reason: str) -> None:
        if cell in self.waiting:
            self.waiting.remove(cell)
        self.states[cell], self.reasons[cell] = state, reason

    def work(self, asked: Asked) -> bool:
        """Note who has ended and start whoever can be started; whether anything is left to do."""
        self.collect()
        if asked.times:
            self.stop(by_force=asked.times > 1)
        elif self.minutes_left == 0:
            self.waiting = []  # children keep the time themselves
        else:
            self.start()
        return bool(self.children or self.waiting)

    @contextmanager
    def ending_with(self, asked: Asked) -> Iterator[None]:
        """Where the sweep itself fails no child goes on unseen."""
        try:
            yield
        except BaseException:
            asked.times += 1
            while self.work(asked):
                time.sleep(POLL)
            raise

    def stop(self, by_force: bool) -> None:
        """Start nothing more; ask children once to end, or kill them."""
        self.waiting = []
        for child in self.children:
            if by_force:
                child.process.kill()
            elif not self.stopped:
                child.process.terminate()
        self.stopped = True

    def standings(self) -> list[Standing]:
        """How every cell stands now, in the order that was asked for."""
        running = {child.cell: child for child in self.children}
        paces, found = self._paces(), []
        for cell in self.cells:
            standing = self.board.standing(cell)
            if cell in running:
                child = running[cell]
                seconds = standing.seconds + time.monotonic() - child.started
                standing = replace(standing, state="running", seconds=seconds, reason="")
            elif cell in self.states:
                standing = replace(standing, state=self.states[cell], reason=self.reasons[cell])
            elif cell in self.waiting and standing.state != "elsewhere":
                standing = replace(standing, state="waiting")
            found.append(replace(standing, left=paces.left(standing)))
        return found

    def _paces(self) -> Paces:
        """As the runs in the folder took; those of this sweep by their files' times."""
        begun = {child.cell: child for child in self.children}
        found = Paces()
        for cell in self.cells:
            standing = self.board.standing(cell)
            seconds, epochs = standing.seconds, standing.epoch
            if cell in begun:
                child = begun[cell]
                if not self.board.path(cell).exists():
                    continue
                written = self.board.path(cell).stat().st_mtime
                seconds, epochs = written - child.begun, standing.epoch - child.epoch
            found.note(cell, seconds, epochs)
        return found


@dataclass
class _Picture:
    """The summary beside the records; that it cannot be drawn is no reason to stop training."""

    board: Board
    cells: list[Cell]
    drawn: float = -math.inf
    seen: int = -1
    fault: str = ""

    def draw(self, at_least: float) -> None:
        """Draw it if that is so many seconds ago and something new was measured."""
        if time.monotonic() - self.drawn < at_least:
            return
        runs = self.board.runs(self.cells)
        count = sum(len(rows) + len(run.status) for run, rows in runs)
        if not runs or count == self.seen:
            return
        from .figures.sweeps import save_summary

        try:
            save_summary(runs, self.board.folder / "sweep.png")
        except (OSError, ValueError, RuntimeError) as error:
            self.fault = str(error)
        self.drawn, self.seen = time.monotonic(), count
