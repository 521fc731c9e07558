"""A real Slurm: a node lost midway, a time-out, a cancelled job; all rows as if nothing had been.

Everything happens at once in one story, told once for all tests of this file: six cells on two
nodes, of which n1 is lost; beside them a cell whose time is too short, and one that is cancelled.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nclib import Cell
from nclib.records import Row, is_begun, read
from nclib.slurm import Resources, sweep_on_slurm
from nclib.standings import Standing

from .slurm import Cluster, absence, cluster
from .tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(absence()), reason=absence())]

SIX = [f"digits-convnet-{loss}-e30-n200{s}" for s in ("", "-s1", "-s2") for loss in ("mse", "ce")]
SHORT = "digits-convnet-mse-e30-n200-s3"  # gets a minute, and is held up until that is over
UNWANTED = "digits-convnet-ce-e350-s4"
SECONDS = 400.0  # until the story is given up
ALONE = """
import sys
from nclib.experiments import run
for cell in sys.argv[2:]:
    list(run(cell, folder=sys.argv[1]))
"""
# The command as it is, but for how long it waits between two looks at the queue.
SWEEP = """
import nclib.slurm.sweep
from nclib.__main__ import main
nclib.slurm.sweep.POLL = (0.5, 0.5)
main()
"""
TIMELINE = "NCLIB_TIMELINE"  # names a file to keep who ran where and when


@dataclass
class Story:
    """What happened: folders of records and logs, what the command said, and the timeline."""

    cluster: Cluster
    folder: Path
    command: subprocess.Popen[str]
    alone: list[subprocess.Popen[bytes]] = field(default_factory=list)
    words: str = ""
    begun: float = field(default_factory=time.time)
    lost: float = 0.0  # when n1 was, in seconds
    epochs: dict[str, int] = field(default_factory=dict)  # of the cells on n1 then
    second: list[Standing] = field(default_factory=list)  # what a second call saw

    def rows(self, name: str, cell: str) -> list[Row]:
        return read(self.folder / name / f"{cell}.jsonl")[1]

    def status(self, name: str, cell: str) -> str:
        path = self.folder / name / f"{cell}.jsonl"
        return read(path)[0].status if is_begun(path) else ""

    def epoch(self, name: str, cell: str) -> int:
        """The last epoch on record, also while its line is being written."""
        with suppress(FileNotFoundError):
            text = (self.folder / name / f"{cell}.jsonl").read_text()
            return max(map(int, re.findall(r'"epoch": (\d+),', text)), default=0)
        return 0

    def log(self, name: str, cell: str) -> str:
        """All that the log of a cell's jobs says."""
        logs = (self.folder / name / "slurm").glob("*_log.out")
        return "".join(t for p in logs if f" {cell}, job" in (t := p.read_text(errors="replace")))

    def starts(self, name: str, cell: str) -> list[tuple[str, float]]:
        """On which node a cell was started, and after how many seconds."""
        pattern = rf"^nclib (\S+) {re.escape(cell)}, job \S+, node (\w+): start \d+$"
        found = re.findall(pattern, self.log(name, cell), re.MULTILINE)
        return [(node, datetime.fromisoformat(t).timestamp() - self.begun) for t, node in found]


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Iterator[Story]:
    """Told once: a minute or two."""
    folder = tmp_path_factory.mktemp("cluster")
    with cluster({"n1": 2, "n2": 6}) as slurm, pytest.MonkeyPatch.context() as patch:
        for name, value in slurm.environment.items():
            patch.setenv(name, value)
        patch.setenv("TQDM_DISABLE", "1")
        leave(folder, "short", [SHORT], minutes=1, more={"nodelist": "n2"})
        leave(folder, "unwanted", [UNWANTED], more={"nodelist": "n2"})
        command = [sys.executable, "-c", SWEEP, "sweep", ",".join(SIX), "--on", "slurm"]
        six = subprocess.Popen(
            [*command, "--folder", str(folder / "six"), "--cpus", "1"], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        told = Story(slurm, folder, six)
        try:
            _tell(told)
            assert [process.wait(SECONDS) for process in told.alone] == [0, 0]
            yield told
        finally:
            for process in (six, *told.alone):
                process.kill()
                process.wait()
            if six.stdout is not None:
                six.stdout.close()


def leave(folder: Path, name: str, cells: list[str], **resources: Any) -> list[Standing]:
    """Submit what is missing, and wait for nothing."""
    return sweep_on_slurm(cells, folder=folder / name, resources=Resources(**resources), wait=False)


def _tell(story: Story) -> None:
    """Act when the time has come, and look often: an epoch may take a thirtieth of a second."""
    frozen, extended, cancelled = 0, False, False
    while story.command.poll() is None or story.status("short", SHORT) != "finished":
        if time.time() - story.begun > SECONDS:
            pytest.fail(f"not over after {SECONDS} s:\n" + story.cluster.ask("squeue"))
        told = "time is over" in story.log("short", SHORT)
        if not told and not frozen and story.epoch("short", SHORT) >= 2:
            frozen = _freeze(story)
        if told and frozen > 0:
            with suppress(ProcessLookupError):
                os.kill(frozen, signal.SIGCONT)
            frozen = -1
        if told and not extended:  # a slow machine would not get far in a minute
            job = story.cluster.ask("squeue", "-h", "-o", "%i", "--name", _name(story, "short"))
            story.cluster.ask("scontrol", "update", f"JobId={job.strip()}", "TimeLimit=10")
            extended = True
        if not cancelled and story.epoch("unwanted", UNWANTED):
            story.cluster.ask("scancel", "--name", _name(story, "unwanted"))
            cancelled = True
        if not story.lost:
            _lose_node(story)
        elif not story.second:
            story.second = leave(story.folder, "six", SIX)
        time.sleep(0.05)
    story.words = story.command.communicate()[0]


def _freeze(story: Story) -> int:
    """Stop the run of the short job where it is, so that its time is over on any machine."""
    for pid in story.cluster.processes("SLURMD_NODENAME=n2"):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            if SHORT in words and "run" in words:
                os.kill(pid, signal.SIGSTOP)
                return pid
    return 0


def _lose_node(story: Story) -> None:
    """End n1 while a cell on it is midway."""
    here = [c for c in SIX if [n for n, _ in story.starts("six", c)] == ["n1"]]
    if any(2 <= story.epoch("six", cell) < 26 for cell in here):
        story.cluster.lose("n1")
        story.lost = time.time() - story.begun
        story.epochs = {cell: story.epoch("six", cell) for cell in here}
        # While Slurm looks for the node; until now the jobs needed the cores to start.
        halves = (SIX[:3], [*SIX[3:], SHORT])
        story.alone = [_alone(story.folder / "undisturbed", cells) for cells in halves]


def _alone(folder: Path, cells: list[str]) -> subprocess.Popen[bytes]:
    """In one process, the rows that those of the jobs are compared with."""
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, str(folder), *cells], cwd=ROOT,
        env=dict(os.environ) | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def _lines(story: Story, name: str) -> list[dict[str, Any]]:
    """What was submitted: two lines for each batch."""
    path = story.folder / name / "slurm" / "batches.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def _name(story: Story, name: str) -> str:
    """What the jobs of the first batch are called."""
    return _lines(story, name)[0]["batch"]


def test_all_rows_are_those_of_runs_that_nothing_stopped(story):
    """Six records complete, and equal bit for bit, wherever their jobs have been."""
    assert story.command.returncode == 0 and "6 of 6 finished" in story.words, story.words
    assert (story.folder / "six" / "sweep.png").exists()
    for cell in SIX:
        record, rows = read(story.folder / "six" / f"{cell}.jsonl")
        assert record.status == "finished"
        assert rows == story.rows("undisturbed", cell) != []


def test_the_lost_jobs_go_on_elsewhere(story):
    """What ran on n1 when it was lost was midway, and ended on n2 without a new submission."""
    midway = [cell for cell, epoch in story.epochs.items() if 0 < epoch < 30]
    assert midway
    for cell in midway:
        assert [node for node, _ in story.starts("six", cell)] == ["n1", "n2"]


def test_the_same_command_submits_nothing_twice(story):
    """Called again while jobs wait and run, it tells how they stand."""
    assert {s.state for s in story.second} <= {"queued", "running", "requeued", "finished"}
    assert len(_lines(story, "six")) == 2


def test_a_job_whose_time_is_over_goes_on(story):
    """Told by Slurm, it paused at the end of an epoch, was requeued, and ended with the rows."""
    log = story.log("short", SHORT)
    assert "told by SIGUSR2 that time is over" in log and "paused after epoch" in log
    assert len(story.starts("short", SHORT)) == 2
    assert story.rows("short", SHORT) == story.rows("undisturbed", SHORT) != []


def test_a_cancelled_job_does_not_come_back(story):
    """It pauses, or dies, and its cell is said to have been cancelled."""
    state = story.cluster.ask(
        "squeue", "-h", "--states=all", "-o", "%T", "--name", _name(story, "unwanted")
    )
    assert state.strip() == "CANCELLED"
    assert len(story.starts("unwanted", UNWANTED)) == 1
    assert 0 < story.epoch("unwanted", UNWANTED) < Cell.parse(UNWANTED).epochs


def test_timeline(story):
    """Who ran where and when, for a figure; kept where the environment names a file."""
    data = {
        "nodes": list(story.cluster.cpus),
        "lost": {"node": "n1", "seconds": round(story.lost, 1), "epochs": story.epochs},
        "cells": {
            cell: {
                "starts": [[node, round(t, 1)] for node, t in story.starts(name, cell)],
                "end": round(
                    (story.folder / name / f"{cell}.jsonl").stat().st_mtime - story.begun, 1
                ),
            }
            for name, cell in [("six", c) for c in SIX] + [("short", SHORT)]
        },
    }
    starts = [start for cell in data["cells"].values() for _, start in cell["starts"]]
    assert min(starts) < story.lost < max(starts)
    if TIMELINE in os.environ:
        Path(os.environ[TIMELINE]).write_text(json.dumps(data, indent=1) + "\n")
