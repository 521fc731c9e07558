"""The command, killed at every step and at any moment, and on disks that refuse: nothing lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nclib import Cell, sweeps
from nclib.records import Row, read
from nclib.sweeps import sweep

from .mortal import Mortal

NAME = "synthetic-thinvgg-mse-e3-n100"
NOBODY = 65534


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    process = Mortal()
    yield process
    process.close()


@pytest.fixture(scope="module")
def rows(mortal, tmp_path_factory) -> list[Row]:
    """The rows of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert go(mortal, folder)[0] == 0
    return read(folder / f"{NAME}.jsonl")[1]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def go(mortal: Mortal, folder: Path, *more: str, **how) -> tuple[int, int, str]:
    """Exit status, steps and words of `nclib run` in a folder."""
    out = folder.with_name(folder.name + ".out")
    out.with_suffix(".steps").unlink(missing_ok=True)
    status, steps = mortal("run", NAME, "--folder", str(folder), *more, out=out, **how)
    words = out.read_text()
    assert "Traceback" not in words, words
    return status, steps, words


def ends_well(mortal: Mortal, folder: Path, rows: list[Row]) -> bool:
    """The same command again ends the run with these rows, each once, and exit status 0."""
    status, _, words = go(mortal, folder)
    record, found = read(folder / f"{NAME}.jsonl")
    return (status, record.status, found) == (0, "finished", rows) and "finished" in words


def test_killed_at_every_step_on_the_disk(mortal, rows, tmp_path):
    """kill -9 before each write, sync, rename and removal, and in the middle of each write."""
    status, steps, _ = go(mortal, tmp_path / "counted", die_at=0)
    assert status == 0 and steps > 20
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        assert go(mortal, folder, die_at=step)[0] == -signal.SIGKILL, step
        assert ends_well(mortal, folder, rows), step


def test_killed_again_and_again(mortal, rows, tmp_path):
    """Killed at the first, second, ... step of each new start: it gets through at last."""
    folder = tmp_path / "runs"
    for step in range(1, 100):
        status, _, _ = go(mortal, folder, die_at=step)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert step > 10 and ends_well(mortal, folder, rows)


@pytest.mark.parametrize("number, seed", [(signal.SIGKILL, 0), (signal.SIGTERM, 1)])
def test_ended_at_random_moments(mortal, rows, tmp_path, number, seed):
    """kill -9, and a scheduler's SIGTERM, after any time: the next start goes on."""
    draw, ended = random.Random(seed), set()
    for trial in range(8):
        folder = tmp_path / str(trial)
        for _ in range(3):
            after = draw.uniform(0, 0.4)
            ended.add(go(mortal, folder, after=after, signal=number)[0])
        assert ends_well(mortal, folder, rows)
    # 143: it was training, and saved its epoch first.
    assert ended <= {0, -number, 143} and ended & {-number, 143}


@pytest.mark.parametrize("limit", [500, 3_000, 6_000, 20_000])
def test_a_file_that_cannot_grow_is_named(mortal, rows, tmp_path, limit):
    """Whichever file hits the limit, the command says so with status 2 and can go on later."""
    folder = tmp_path / "runs"
    status, _, words = go(mortal, folder, file_limit=limit)
    assert status == 2 and "error:" in words and NAME in words and "File too large" in words
    assert ends_well(mortal, folder, rows)


def test_a_full_disk_is_named(mortal, rows, tmp_path):
    """A small file system that is really full: status 2, in words; with room the run goes on."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        for filled in (64_000, 57_000, 40_000):
            (folder / "ballast").write_bytes(b"x" * filled)
            status, _, words = go(mortal, folder)
            assert status == 2 and "No space left" in words and NAME in words
        shutil.copytree(folder, tmp_path / "roomy", ignore=shutil.ignore_patterns("ballast"))
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert ends_well(mortal, tmp_path / "roomy", rows)


@pytest.mark.parametrize("what, mode", [("folder", 0o555), ("record", 0o444), ("record", 0)])
def test_missing_rights_are_named(mortal, rows, open_folder, what, mode):
    """A user who may not write, or not read, is told so; what is finished can still be read."""
    user = {"user": NOBODY} if os.getuid() == 0 else {}
    folder = open_folder / "runs"
    folder.mkdir()
    record = folder / f"{NAME}.jsonl"
    if what == "record":
        assert go(mortal, folder, "--max-minutes", "0")[0] == 0
    (folder if what == "folder" else record).chmod(mode)
    status, _, words = go(mortal, folder, **user)
    assert status == 2 and NAME in words and "Permission denied" in words
    folder.chmod(0o777)
    if what == "record":
        record.chmod(0o644)
    assert ends_well(mortal, folder, rows)
    folder.chmod(0o555)
    status, _, words = go(mortal, folder, **user)
    assert status == 0 and "finished" in words
    folder.chmod(0o777)


def test_a_sweep_goes_on_after_a_kill(mortal, tmp_path, monkeypatch):
    """Real children: one is killed midway, the others finish, a second sweep completes it."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cells = [Cell("synthetic", "thinvgg", "mse", epochs=30, images=100, rate=k) for k in (8, 16)]
    started, popen = [], subprocess.Popen

    def noted(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    def kill(standings) -> None:
        if standings[0].state == "running" and 2 <= standings[0].epoch < 30:
            started[0].kill()

    with monkeypatch.context() as patch:
        patch.setattr(sweeps.subprocess, "Popen", noted)
        first = sweep(cells, folder=tmp_path, workers=2, show=kill)
    assert [standing.state for standing in first] == ["killed", "finished"]
    assert [s.state for s in sweep(cells, folder=tmp_path, workers=2)] == ["finished"] * 2
    assert (tmp_path / "sweep.png").exists()
    for cell in cells:
        whole = tmp_path / "whole"
        command = ("run", cell.name, "--folder", str(whole))
        assert mortal(*command, out=tmp_path / "out")[0] == 0
        assert read(whole / f"{cell.name}.jsonl")[1] == read(tmp_path / f"{cell.name}.jsonl")[1]
