"""Which job has which cell, and what Slurm says of it: squeue, and a file of what was submitted."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Queue", "SlurmError", "Ticket"]

ENDED = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT", "GONE",
)  # fmt: skip
ON_A_NODE = ("RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "SUSPENDED")
SECONDS = 60.0  # until a question to Slurm is given up


class SlurmError(OSError):
    """What Slurm refused or did not answer, in its own words.

    Chapter: scale.
    """


@dataclass(frozen=True)
class Ticket:
    """A cell's latest job: ``state`` is Slurm's word, "GONE" once Slurm has forgotten it.

    Chapter: scale.
    """

    job: str
    state: str
    node: str = ""
    reason: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the job waits or runs."""
        return self.state not in ENDED

    @property
    def is_on_a_node(self) -> bool:
        """Whether it has left the queue for a node."""
        return self.state in ON_A_NODE


@dataclass
class Queue:
    """The jobs of a folder of runs.

    ``folder/slurm/batches.jsonl`` holds a line before a batch is submitted and one after it. The
    batch's name is the jobs' name in Slurm: jobs are found again by it even if whoever submitted
    them died between the two lines.

    Chapter: scale.
    """

    folder: Path
    _known: dict[str, Ticket] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where submitit keeps scripts, logs and results."""
        return self.folder / "slurm"

    @contextmanager
    def held(self) -> Iterator[None]:
        """One submits at a time, so that two callers cannot both submit a missing cell."""
        import fcntl  # there is no Slurm where this is missing

        self.logs.mkdir(parents=True, exist_ok=True)
        with open(self.logs / "batches.jsonl", "ab") as file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            except OSError as error:
                raise SlurmError(f"{file.name}: cannot lock: {error.strerror}") from error
            yield

    def announce(self, cells: Sequence[str]) -> str:
        """A new batch's name, on record before it is submitted."""
        stem = os.path.commonprefix(list(cells)).strip("-.0123456789") or "nclib"
        name = f"{stem}.{secrets.token_hex(4)}"
        self._write({"batch": name, "cells": list(cells)})
        return name

    def confirm(self, name: str, job: str) -> None:
        """The number that Slurm gave to the batch."""
        self._write({"batch": name, "job": job})

    def tickets(self) -> dict[str, Ticket]:
        """Every submitted cell's latest job, asked of Slurm now."""
        batches = self._batches()
        if not batches:
            return {}
        found = _squeue(list(batches))
        tickets: dict[str, Ticket] = {}
        for name, (cells, number) in batches.items():
            for index, cell in enumerate(cells):
                ticket = found.get((name, index)) or self._gone(number, index, len(cells))
                earlier = tickets.get(cell)
                # A batch that never reached Slurm, or one behind a job that still runs, says less.
                if ticket and not (earlier and earlier.is_active and not ticket.is_active):
                    tickets[cell] = ticket
        self._known = tickets
        return tickets

    def to_cancel(self, cells: Sequence[str]) -> list[str]:
        """What scancel takes to end the jobs of these cells: an array's number where it is all."""
        tickets = {cell: ticket for cell, ticket in self.tickets().items() if ticket.is_active}
        ours: dict[str, list[str]] = {}
        for cell in cells:
            if cell in tickets:
                ours.setdefault(_array(tickets[cell].job), []).append(tickets[cell].job)
        found = []
        for array, jobs in ours.items():
            others = {t.job for t in tickets.values() if _array(t.job) == array} - set(jobs)
            found += jobs if others else [array]
        return found

    def _gone(self, number: str, index: int, count: int) -> Ticket | None:
        """The job that Slurm no longer knows, with what was last heard of it."""
        if not number:
            return None
        job = f"{number}_{index}" if count > 1 else number
        before = next((t for t in self._known.values() if t.job == job and not t.is_active), None)
        return before or Ticket(job, "GONE")

    def last_words(self, job: str) -> str:
        """What a job's log says of its end: the first error of its last start, or its last line."""
        path = self.logs / f"{job}_0_log.out"
        try:
            text = path.read_text(errors="replace")
        except OSError as error:
            return f"{path}: {error.strerror}; is the folder on every node?"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        starts = [i for i, line in enumerate(lines) if re.search(r"^nclib .*: start \d+$", line)]
        lines = lines[starts[-1] :] if starts else lines
        errors = [m.group(1) for line in lines if (m := re.search(r"(?:^|: )error: (.*)", line))]
        words = (errors or lines[-1:] or ["it said nothing"])[0]
        return f"{words} (log: {path.name})"

    def _batches(self) -> dict[str, tuple[list[str], str]]:
        """Cells and number of each batch, in the order of submission; a torn last line is none."""
        found: dict[str, tuple[list[str], str]] = {}
        path = self.logs / "batches.jsonl"
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return {}
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                continue
            try:
                data = json.loads(line)
                cells, _ = found.get(data["batch"], ([], ""))
                found[data["batch"]] = (data.get("cells", cells), data.get("job", ""))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SlurmError(f"{path}, line {number}: not a batch: {error}") from error
        return found

    def _write(self, data: dict) -> None:
        path = self.logs / "batches.jsonl"
        with open(path, "a+b") as file:
            file.seek(0)
            # A line that a kill has torn was never acted upon.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write((json.dumps(data) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())


def _array(job: str) -> str:
    return job.partition("_")[0]


def _squeue(names: list[str]) -> dict[tuple[str, int], Ticket]:
    """The tickets of batches by name and place; jobs that just ended are there for some minutes."""
    command = [
        "squeue", "--noheader", "--array", "--states=all", f"--name={','.join(names)}",
        "--format=%j|%i|%T|%N|%r",
    ]  # fmt: skip
    found = {}
    for line in ask(command).splitlines():
        name, job, state, node, reason = line.strip().split("|", 4)
        base, _, index = job.partition("_")
        reason = "" if reason in ("None", "(null)") else reason
        if not index or index.isdigit():
            found[name, int(index or 0)] = Ticket(job, state, node, reason)
    return found


def ask(command: Sequence[str]) -> str:
    """What a command of Slurm answers; its complaint as a SlurmError."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]}: {error}") from error
    if found.returncode != 0:
        words = found.stderr.strip().splitlines() or [f"ended with status {found.returncode}"]
        raise SlurmError(f"{command[0]}: {words[-1].removeprefix(command[0] + ': ')}")
    return found.stdout
