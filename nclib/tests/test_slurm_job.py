"""A job of Slurm on its node: warned, it pauses and is requeued; what failed is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from nclib import Cell, records
from nclib.records import append, lock
from nclib.slurm import job
from nclib.slurm.job import CellJob

from .played_slurm import Played
from .test_sweeps import BASE, CHILD, run_of

pytest.importorskip("submitit", reason="needs submitit: pip install submitit")

ONE = replace(BASE, rate=1)


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Played:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(job, "POLL", 0.01)
    return Played(folder)


@pytest.fixture
def cell_job(slurm, tmp_path, monkeypatch):
    """A job whose run behaves as told, and the list of its requeues."""
    requeues = []
    before = {number: signal.getsignal(number) for number in job.WARNINGS}
    signal.signal(signal.SIGUSR2, lambda *_: requeues.append(made.checkpoint().function))
    made = CellJob(ONE.name, str(tmp_path), "cpu", None, None, (), notice=30)

    def behave(how: str) -> CellJob:
        def command(cell: Cell, device: str, *, folder: Path, **_) -> list[str]:
            run = json.dumps(asdict(run_of(cell)))
            path = str(folder / f"{cell.name}.jsonl")
            return [sys.executable, "-S", "-c", CHILD, records.__file__, path, how, run]

        monkeypatch.setattr(job, "command_of", command)
        (slurm.folder / "state").write_text("RUNNING")
        return made

    yield behave, requeues
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def runs(monkeypatch) -> list[int]:
    """The processes that jobs have started."""
    found = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **how) -> None:
            super().__init__(*arguments, **how)
            found.append(self.pid)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return found


def warn(path: Path, number: int, rows: int = 4, runs: list[int] | None = None) -> None:
    """Tell a job, once its run has measured something, that its time is over; and the run, too."""

    def wait() -> None:
        while not path.exists() or path.read_text().count("\n") < rows:
            time.sleep(0.005)
        for pid in (*(runs or ())[-1:], os.getpid()):
            os.kill(pid, number)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize(
    "number, state, wanted",
    [
        (signal.SIGUSR2, "RUNNING", True), (signal.SIGTERM, "RUNNING", True),
        (signal.SIGTERM, "CANCELLED", False), (signal.SIGUSR2, "CANCELLED", False),
    ],
)  # fmt: skip
def test_a_warned_job_pauses_and_is_requeued(
    cell_job, slurm, runs, tmp_path, number, state, wanted
):
    """The run ends in order, then submitit's own way is taken; not once the job is cancelled.

    Slurm may tell every process of a job that its time is over, the run as well.
    """
    behave, requeues = cell_job
    made = behave("hangs")
    (slurm.folder / "state").write_text(state)
    path = tmp_path / f"{ONE.name}.jsonl"
    warn(path, number, runs=runs)
    assert made() == "paused"
    assert records.read(path)[0].status == "paused"
    assert requeues == [made] * wanted


def test_a_run_that_does_not_listen_is_ended(cell_job, tmp_path, capfd):
    """In time for the requeue; three starts without an epoch are enough."""
    behave, requeues = cell_job
    made = behave("stubborn")
    made.notice = 0.03
    for start in range(3):
        (tmp_path / f"{ONE.name}.jsonl").unlink(missing_ok=True)
        warn(tmp_path / f"{ONE.name}.jsonl", signal.SIGUSR2, rows=1)
        if start < 2:
            assert made() == "paused"
        else:
            with pytest.raises(RuntimeError, match="ask for more --time"):
                made()
    assert len(requeues) == 2
    assert "error: no epoch was completed in 3 starts" in capfd.readouterr().out


@pytest.mark.parametrize(
    "how, words",
    [("crashes", "status 1"), ("dies", "SIGKILL, as for too much memory"), ("refuses", "status 1")],
)
def test_a_job_that_fails_is_not_requeued(cell_job, how, words):
    """It fails, in words, and Slurm does not start it again."""
    behave, requeues = cell_job
    with pytest.raises(RuntimeError, match=words):
        behave(how)()
    assert requeues == []


@pytest.mark.parametrize("how, ends", [("diverges", "diverged"), ("finishes", "finished")])
def test_a_job_that_ends(cell_job, how, ends):
    """Nothing is left to do; and nothing was changed in this process."""
    behave, requeues = cell_job
    handlers = [signal.getsignal(number) for number in job.WARNINGS]
    assert behave(how)() == ends and requeues == []
    assert handlers == [signal.getsignal(number) for number in job.WARNINGS]


def test_the_lock_of_a_lost_node_is_waited_for(cell_job, tmp_path, monkeypatch):
    """Until the file server lets go of it; not forever."""
    behave, _ = cell_job
    made, path = behave("finishes"), tmp_path / f"{ONE.name}.jsonl"
    holding = threading.Event()

    def hold() -> None:
        with lock(path):
            holding.set()
            time.sleep(0.03)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    assert made() == "finished"
    thread.join()
    append(path, run_of(ONE, "paused"))
    monkeypatch.setattr(job, "LOCK_SECONDS", 0.0)
    with lock(path), pytest.raises(RuntimeError, match="another process is writing"):
        made()


def test_minutes_are_those_of_all_starts(cell_job, tmp_path):
    """A cell whose minutes are over pauses and is not requeued."""
    behave, requeues = cell_job
    made = behave("hangs")
    made.max_minutes, made.spent = 5.0, 5.0
    warn(tmp_path / f"{ONE.name}.jsonl", signal.SIGUSR2)
    assert made() == "paused" and requeues == []
