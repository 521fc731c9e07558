"""A grid on a cluster: nothing twice, nothing lost, each state in words; Slurm is played here.

The real one is in the repository's tests.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nclib import Cell, processes
from nclib.records import append
from nclib.slurm import Queue, Resources, SlurmError, require_slurm, sweep, sweep_on_slurm
from nclib.sweep_command import sweep_command
from nclib.sweeps import sweep as here

from .played_slurm import Played
from .test_sweeps import BASE, run_of

pytest.importorskip("submitit", reason="needs submitit: pip install submitit")

CELLS = [replace(BASE, rate=k) for k in (1, 2, 3)]


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Played:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(sweep, "POLL", (0.01, 0.01))
    return Played(folder)


def finish(folder: Path, cell: Cell, status: str = "finished", **more) -> None:
    append(folder / f"{cell.name}.jsonl", run_of(cell, status, **more))


def states(cells, folder, **more) -> list[tuple[str, str]]:
    found = sweep_on_slurm(cells, folder=folder, wait=False, **more)
    return [(s.state, s.reason) for s in found]


def log(folder: Path, job: str, words: str) -> None:
    (folder / "slurm" / f"{job}_0_log.out").write_text(words)


def test_each_missing_cell_is_submitted_once(slurm, tmp_path):
    """Not one that is finished, queued or running; one that failed, when asked again."""
    finish(tmp_path, CELLS[0])
    expected = [("finished", ""), ("queued", "Priority, job 1_0"), ("queued", "Priority, job 1_1")]
    assert states(CELLS, tmp_path, resources=Resources(parallelism=1)) == expected
    assert "#SBATCH --array=0-1%1\n" in slurm.script()
    assert states(CELLS, tmp_path) == expected
    slurm.tell("1_0", "RUNNING", "n7")
    slurm.tell("1_1", "FAILED")
    log(tmp_path, "1_1", "error: no room on the disk\n")
    assert slurm.jobs == {"1_0": "RUNNING", "1_1": "FAILED"}
    failed = "failed before: no room on the disk (log: 1_1_0_log.out)"
    assert states(CELLS, tmp_path)[1:] == [
        ("running", "n7, job 1_0"), ("queued", f"PENDING, job 2; {failed}"),
    ]  # fmt: skip
    assert len(slurm.jobs) == 3


def test_who_submits_may_die_before_it_is_on_record(slurm, tmp_path):
    """Jobs are found by their name alone; a torn line is set aside by the next one."""
    states(CELLS, tmp_path)
    path = tmp_path / "slurm" / "batches.jsonl"
    first, _ = path.read_text().splitlines(keepends=True)
    path.write_text(first + '{"batch": "synth')
    assert {state for state, _ in states(CELLS, tmp_path)} == {"queued"} and len(slurm.jobs) == 3
    for number in range(3):
        slurm.tell(f"1_{number}", "CANCELLED")
    states(CELLS, tmp_path)
    assert len(path.read_text().splitlines()) == 3 and len(slurm.jobs) == 6
    path.write_text('{"cells": []}\n')
    with pytest.raises(SlurmError, match=r"batches.jsonl, line 1: not a batch"):
        states(CELLS, tmp_path)


def test_how_cells_stand(slurm, tmp_path):
    """Watched until none is left: each ends with a state, and why."""
    told = []

    def show(standings) -> None:
        told.append([(s.state, s.reason) for s in standings])
        if len(told) == 1:
            slurm.tell("1_0", "PENDING", reason="BeginTime")
            append(tmp_path / f"{CELLS[0].name}.jsonl", run_of(CELLS[0], "paused"))
            slurm.tell("1_1", "TIMEOUT")
            log(tmp_path, "1_1", "nclib ... start 0\nslurmstepd: error: *** CANCELLED ***\nbye\n")
            slurm.tell("1_2", "COMPLETED")
            finish(tmp_path, CELLS[2], "diverged", reason="loss is nan")
        elif len(told) == 2:
            slurm.tell("1_0", "RUNNING", "n1")
        elif len(told) == 3:
            (slurm.folder / "away").touch()  # the controller: looked for again
            threading.Timer(0.1, (slurm.folder / "away").unlink).start()
        elif len(told) == 4:
            finish(tmp_path, CELLS[0])
            slurm.tell("1_0", "COMPLETED")

    found = sweep_on_slurm(CELLS, folder=tmp_path, show=show)
    assert [(s.state, s.reason) for s in found] == [
        ("finished", ""), ("failed", "TIMEOUT: *** CANCELLED *** (log: 1_1_0_log.out)"),
        ("diverged", "loss is nan"),
    ]  # fmt: skip
    assert [states[0] for states in told[1:3]] == [
        ("requeued", "BeginTime, job 1_0"), ("running", "n1, job 1_0"),
    ]  # fmt: skip


def test_slurm_has_forgotten_a_job(slurm, tmp_path):
    """Its record says why it failed, or else its log does."""
    states(CELLS, tmp_path)
    (slurm.folder / "queue").write_text("")
    finish(tmp_path, CELLS[0], "failed", reason="out of memory")
    finish(tmp_path, CELLS[1], "paused")
    log(tmp_path, "1_2", "module: command not found\n")
    watch = sweep._Watch(CELLS, sweep.Board(tmp_path))
    watch.look()
    assert [(s.state, s.reason) for s in watch.standings()] == [
        ("failed", "out of memory"), ("paused", ""),
        ("failed", "module: command not found (log: 1_2_0_log.out)"),
    ]  # fmt: skip


def test_what_is_asked_for(slurm, tmp_path):
    """Every option is in the script; the step gets the job's cores; a job's own wishes do not."""
    os.environ["SLURM_JOB_ID"] = "7"
    os.environ["SLURM_CPUS_PER_TASK"] = "1"
    try:
        result = CliRunner().invoke(application(), [
            "x", BASE.name, "--folder", str(tmp_path), "--on", "slurm", "--no-wait", "--time", "30",
            "--partition", "gpu", "--account", "me", "--qos", "low", "--constraint", "a100",
            "--gpus", "1", "--cpus", "4", "--mem", "8G", "--setup", "module load cuda", "--slurm",
            "exclude=n7", "--slurm", "--exclusive", "--", "--robustness", "ends",
        ])  # fmt: skip
        assert os.environ.pop("SLURM_JOB_ID") == "7"
    finally:
        os.environ.pop("SLURM_CPUS_PER_TASK")
    assert result.exit_code == 0, result.output
    for line in (
        "time=30", "partition=gpu", "account=me", "qos=low", "constraint=a100", "exclude=n7",
        "gpus-per-node=1", "cpus-per-task=4", "mem=8G", "signal=USR2@180", "requeue", "exclusive",
    ):  # fmt: skip
        assert f"#SBATCH --{line}\n" in slurm.script(), line
    assert "module load cuda" in slurm.script() and "srun" in slurm.script()
    assert re.search(r"^srun .*--cpus-per-task=4 ", slurm.script(), re.MULTILINE)
    assert "SLURM_CPUS_PER_TASK" not in (slurm.folder / "env.1").read_text()
    submitted = json.loads((tmp_path / "slurm" / "batches.jsonl").read_text().splitlines()[0])
    assert submitted["cells"] == [BASE.name]


def application() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("x", context_settings={"allow_extra_args": True})(sweep_command)
    app.command("y")(lambda: None)
    return app


def test_an_interrupt_leaves_the_jobs(slurm, tmp_path, monkeypatch):
    """It says how to cancel them: a whole array by its number, the cells of a part by theirs."""

    def interrupt(_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep._Watch, "standings", interrupt)
    names = ",".join(cell.name for cell in CELLS)
    for asked, jobs in ((names, "1"), (names.rpartition(",")[0], "1_0 1_1")):
        command = ["x", asked, "--folder", str(tmp_path), "--on", "slurm"]
        result = CliRunner().invoke(application(), command)
        assert result.exit_code == 130
        assert f"the jobs go on. To cancel them: scancel {jobs}\n" in result.output
    assert set(slurm.jobs.values()) == {"PENDING"}


def test_refusals(slurm, tmp_path, monkeypatch, capfd):
    """Slurm's own words; what is missing, and how it is had; an option of the other place."""
    (slurm.folder / "refuse").touch()
    with pytest.raises(SlurmError, match="^sbatch: invalid partition specified: nope$"):
        states(CELLS, tmp_path)
    assert capfd.readouterr().err == ""  # it is said once
    (slurm.folder / "refuse").unlink()
    assert {state for state, _ in states(CELLS, tmp_path)} == {"queued"}
    (slurm.folder / "away").touch()
    with pytest.raises(SlurmError, match="Unable to contact slurm controller"):
        states(CELLS, tmp_path)
    for words, wrong in ((["--time", "5"], "--time"), (["--on", "slurm", "--workers", "2"], "--w")):
        result = CliRunner().invoke(application(), ["x", "digits", *words])
        assert str(result.exception).startswith(wrong)
    with pytest.raises(ValueError, match="cells: expected at least one"):
        states([], tmp_path)
    with pytest.raises(ValueError, match="max_minutes: expected"):
        states(CELLS, tmp_path, max_minutes=-1)
    monkeypatch.setattr("submitit.__version__", "1.4.2")
    with pytest.raises(ImportError, match=r"expected submitit 1.5 or newer, got 1.4.2; pip"):
        require_slurm()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=r"neural-collapse-mse\[cluster\]"):
        require_slurm()
    result = CliRunner().invoke(application(), ["x", "digits", "--on", "slurm"])
    assert result.exit_code == 2 and "expected submitit, got none" in result.output
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="found no sbatch, squeue"):
        states(CELLS, tmp_path)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"minutes": 0}, "minutes: expected at least 1"), ({"gpus": -1}, "gpus"),
        ({"gpus": 1, "gres": "gpu:1"}, "got both"), ({"more": {"--job-name": "x"}}, "job_name"),
        ({"device": "cuda:1"}, "device: expected cpu or cuda"),
    ],
)  # fmt: skip
def test_contradictions(wrong, words):
    """What cannot be, and what the sweep sets itself, is refused before anything is submitted."""
    with pytest.raises(ValueError, match=words):
        Resources(**wrong)


def test_a_missing_data_set_fails_its_cells_alone(slurm, tmp_path, monkeypatch):
    """It is looked for once, here, whatever it is for; the others are submitted."""
    looked = []

    def load(name: str, **how) -> None:
        looked.append((name, how["split"], how["download"]))
        raise ValueError(f"{name} is not here")

    monkeypatch.setattr(processes, "load", load)
    absent = [Cell("mnist", "thinvgg", loss, images=2000) for loss in ("mse", "ce")]
    *failed, (state, _) = states([*absent, BASE], tmp_path, root=tmp_path, download=True)
    assert failed == [("failed", "mnist is not here")] * 2 and state == "queued"
    assert looked == [("mnist", "train", True)] and list(slurm.jobs) == ["1"]


def test_options_that_lead_a_run_away_are_refused(slurm, tmp_path):
    """A record elsewhere is never found, and its cell would be submitted with each call."""
    for wrong in (["--folder", "x"], ["--epochs=3"], ["--robustnes", "ends"], ["words"]):
        with pytest.raises(ValueError, match=f"{wrong[0].partition('=')[0]}|words"):
            states(CELLS, tmp_path, options=wrong)
        with pytest.raises(ValueError, match="expected"):
            here(CELLS, folder=tmp_path, options=wrong)
    assert not (slurm.folder / "queue").exists() and list(tmp_path.glob("*.jsonl")) == []


def test_left_jobs_are_told_with_their_reasons(slurm, tmp_path):
    """Also those that can never start, and an option's name where its value is impossible."""
    command = ["x", CELLS[0].name, "--folder", str(tmp_path), "--on", "slurm"]
    assert CliRunner().invoke(application(), [*command, "--no-wait"]).exit_code == 0
    slurm.tell("1", "PENDING", reason="PartitionConfig")
    words = CliRunner().invoke(application(), [*command, "--no-wait"]).output
    assert f"{CELLS[0].name}: queued, epoch 0/2: PartitionConfig, job 1\n" in words
    assert "'--time'" in CliRunner().invoke(application(), [*command, "--time", "0"]).output
    result = CliRunner().invoke(application(), [*command, "--devices", "cuda:0"])
    assert str(result.exception).startswith("--devices: expected cpu or cuda")


def test_last_words(tmp_path):
    """The first error of the last start; the last line where there is none; no log is said, too."""
    queue = Queue(tmp_path)
    queue.logs.mkdir()
    log(tmp_path, "4", "nclib x: start 0\nerror: old\nnclib x: start 1\nerror: new\nRuntimeError\n")
    assert queue.last_words("4") == "new (log: 4_0_log.out)"
    assert "is the folder on every node?" in queue.last_words("5")
