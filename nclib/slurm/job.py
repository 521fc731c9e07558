"""What a job does on its node: run one cell, pause in time, and have itself requeued."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..cells import Cell
from ..processes import with_threads
from ..records import is_held
from ..standings import Board
from ..sweeps import command_of

__all__ = ["CellJob"]

POLL = 0.2  # seconds
LOCK_SECONDS = 300.0  # a file server lets go of a dead node's lock only after a while
IDLE_STARTS = 3  # that complete no epoch, one after the other, before a job gives up
# Of the time limit, as submitit asks Slurm for, and of preemption. Windows has no USR2, nor Slurm.
WARNINGS = [getattr(signal, name) for name in ("SIGUSR2", "SIGTERM") if hasattr(signal, name)]


@dataclass
class CellJob:
    """One cell as submitit's job: ``nclib run`` in a process, asked to pause when time is over.

    USR2, which comes ``notice`` seconds before the time limit, and SIGTERM make the run pause at
    the end of its epoch, or die where that takes too long; then the job is requeued, unless Slurm
    is ending it for good. A run that failed or diverged is not requeued, and neither is one that
    has completed no epoch in three starts. Paths are absolute.
    """

    cell: str
    folder: str
    device: str
    root: str | None
    max_minutes: float | None  # of all starts together, but those on a node that was lost
    options: tuple[str, ...]
    notice: float
    cpus: int = 1
    spent: float = 0.0  # minutes
    idle: int = 0
    asked: list[int] = field(default_factory=list, compare=False)

    def __call__(self) -> str:
        """Run until the cell is finished, or until it is time to leave; how it stands."""
        begun, before = time.monotonic(), self._checkpoint()
        with self._listening() as requeue:
            self._say(f"start {os.environ.get('SLURM_RESTART_COUNT', 0)}")
            self._await_writer()
            status = 0 if self.asked else self._run()
            self.spent += (time.monotonic() - begun) / 60
            standing = Board(Path(self.folder)).standing(Cell.parse(self.cell))
            if standing.ended:
                self._say(standing.state)
                return standing.state
            if not self.asked and status != 0:
                raise RuntimeError(self._fail(_words(status, standing.reason)))
            self._say(f"paused after epoch {standing.epoch}")
            over = self.max_minutes is not None and self.spent >= self.max_minutes
            if not self.asked or over or not self._is_wanted():
                return "paused"
            self.idle = 0 if self._checkpoint() != before else self.idle + 1
            if self.idle >= IDLE_STARTS:
                words = f"no epoch was completed in {IDLE_STARTS} starts; ask for more --time"
                raise RuntimeError(self._fail(words))
            self.asked = []
            requeue()
        return "paused"

    def checkpoint(self) -> Any:
        """What submitit submits again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    @contextmanager
    def _listening(self) -> Iterator[Callable[[], None]]:
        """Note warnings; gives what submitit would have done at once, which ends the process."""
        handlers = {number: signal.getsignal(number) for number in WARNINGS}

        def note(number: int, _: object) -> None:
            self.asked.append(number)

        def requeue() -> None:
            theirs = handlers[signal.SIGUSR2]
            if callable(theirs):
                theirs(signal.SIGUSR2, None)

        for number in WARNINGS:
            signal.signal(number, note)
        try:
            yield requeue
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _await_writer(self) -> None:
        """Wait until nobody holds the record: the lock of a lost node may outlive it."""
        path, given_up = self._record, time.monotonic() + LOCK_SECONDS
        while is_held(path) and not self.asked:
            if time.monotonic() > given_up:
                words = f"{path}: another process is writing this run"
                raise RuntimeError(self._fail(words))
            time.sleep(POLL)

    def _run(self) -> int:
        """The exit status of the run's process."""
        left = None if self.max_minutes is None else max(0.0, self.max_minutes - self.spent)
        command = command_of(
            Cell.parse(self.cell), self.device, folder=Path(self.folder), root=self.root,
            max_minutes=left, options=self.options,
        )  # fmt: skip
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=with_threads(os.environ, self.cpus),
            preexec_fn=_ignore_warning,
        )
        given_up = float("inf")
        while child.poll() is None:
            if self.asked and given_up == float("inf"):
                name = signal.Signals(self.asked[0]).name
                self._say(f"told by {name} that time is over")
                child.terminate()  # once: a second one may meet it when it no longer listens
                given_up = time.monotonic() + self.notice * 2 / 3
            if time.monotonic() > given_up:
                child.kill()
            time.sleep(POLL)
        return child.returncode

    def _is_wanted(self) -> bool:
        """Whether Slurm still counts the job as running, and has not cancelled or ended it.

        A preempted job may be requeued by itself or by Slurm; a cancelled one must not come back.
        """
        number = os.environ.get("SLURM_JOB_ID", "")
        command = ["squeue", "--noheader", "--jobs", number, "--format=%T"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
        except (OSError, subprocess.TimeoutExpired):
            return self.asked[0] == signal.SIGUSR2
        wanted = found.strip() in ("RUNNING", "")
        if not wanted:
            self._say(f"not requeued: Slurm says {found.strip()}")
        return wanted

    @property
    def _record(self) -> Path:
        return Path(self.folder) / f"{self.cell}.jsonl"

    def _checkpoint(self) -> tuple[int, int]:
        """Tells whether a checkpoint was written since."""
        try:
            found = os.stat(self._record.with_suffix(".pt"))
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size

    def _fail(self, words: str) -> str:
        print(f"error: {words}", flush=True)
        return words

    def _say(self, words: str) -> None:
        """A line in the log: when, on which node, in which job."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        names = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
        array = "_".join(os.environ[name] for name in names if name in os.environ)
        job = array or os.environ.get("SLURM_JOB_ID", "")
        node = os.environ.get("SLURMD_NODENAME", "")
        print(f"nclib {now} {self.cell}, job {job}, node {node}: {words}", flush=True)


def _ignore_warning() -> None:
    """USR2 goes to every process of a job, and would kill the run."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _words(status: int, reason: str) -> str:
    """Why a run that did not end well did not."""
    if status == -signal.SIGKILL:
        return reason or "killed by SIGKILL, as for too much memory; ask for more --mem"
    if status < 0:
        return reason or f"killed by {signal.Signals(-status).name}"
    return reason or f"nclib run ended with status {status}"
