"""Work is never lost: whatever stops a run, calling it again ends with the same rows."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nclib import Cell, experiments, recipes
from nclib.experiments import closing_words, run
from nclib.records import RecordError, append, is_held, read
from nclib.training import CheckpointError, Training

CELL = Cell("synthetic", "convnet", "mse", epochs=3, images=100)
NAME = f"{CELL.name}.jsonl"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(experiments, "provenance", lambda: PROVENANCE)


PROVENANCE = {"started": "2020-01-01T00:00:00+00:00", "versions": {}, "commit": ""}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The rows of a run that nothing stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        return list(run(CELL, folder=tmp_path_factory.mktemp("whole")))


def status(folder: Path) -> str:
    return read(folder / NAME)[0].status


def goes_on(folder: Path, rows) -> bool:
    """The next call ends the run with these rows, and the file holds each of them once."""
    resumed = list(run(CELL, folder=folder))
    return resumed == rows == read(folder / NAME)[1] and status(folder) == "finished"


def test_paused_at_every_epoch_is_the_same_run(tmp_path, rows, monkeypatch):
    """No time at all leaves one epoch a call: the same rows in the end, and the seconds add up."""
    ticks = iter(range(10**6))
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr(experiments, "time", clock)
    spent = 0.0
    for epoch in (1, 2, 3):
        found = list(run(CELL, folder=tmp_path, max_minutes=0))
        record, stored = read(tmp_path / NAME)
        assert found == stored == rows[: 2 * epoch]
        assert record.status == ("finished" if epoch == 3 else "paused")
        assert record.seconds >= spent + 1
        spent = record.seconds
    assert record.seconds == 6 and goes_on(tmp_path, rows)  # two looks at the clock a call


def test_sigterm_pauses_at_the_end_of_the_epoch(tmp_path, rows, monkeypatch):
    """A scheduler's SIGTERM costs nothing: the epoch is measured and saved, the process ends."""
    advance = Training.advance

    def told_to_end(training: Training, images) -> None:
        if training.epoch == 1:
            signal.raise_signal(signal.SIGTERM)
        advance(training, images)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "advance", told_to_end)
        with pytest.raises(SystemExit) as end:
            list(run(CELL, folder=tmp_path))
    assert end.value.code == 143
    assert read(tmp_path / NAME)[1] == rows[:4] and status(tmp_path) == "paused"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert goes_on(tmp_path, rows)


def test_sigterm_is_not_swallowed_where_nothing_is_trained(tmp_path):
    """While the caller has a row, and where he has a handler of his own, the signal is his."""
    found: Any = run(CELL, folder=tmp_path)
    next(found)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    found.close()
    seen = []
    signal.signal(signal.SIGTERM, own := lambda *_: seen.append(1))
    try:
        for _ in run(CELL, folder=tmp_path):
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_a_run_in_a_thread_needs_no_signals(tmp_path, rows):
    """Only the main thread may set handlers; any other runs without."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(run(CELL, folder=tmp_path)))
    thread.start()
    thread.join()
    assert found == rows


def failing_write(monkeypatch, at: int, error: BaseException) -> None:
    """The at-th line is written by half, then fails."""
    write, calls = os.write, iter(range(1, 10**6))

    def half(descriptor: int, data: bytes) -> int:
        if next(calls) == at:
            write(descriptor, data[: len(data) // 2])
            raise error
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", half)


@pytest.mark.parametrize("at", [1, 2, 3, 8])
def test_a_full_disk_loses_nothing(tmp_path, rows, at, monkeypatch):
    """Whichever line does not fit, the file is named and whole, and the run goes on later."""
    with monkeypatch.context() as patch:
        failing_write(patch, at, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with pytest.raises(RecordError, match=rf"{NAME}: cannot append a record: No space left"):
            list(run(CELL, folder=tmp_path))
    content = (tmp_path / NAME).read_bytes()
    assert content == b"" or content.endswith(b"\n")
    assert goes_on(tmp_path, rows)


def test_an_interrupt_within_a_line_leaves_no_half_line(tmp_path, rows, monkeypatch):
    """Ctrl-C in the middle of a write: the run says it is paused, and goes on."""
    with monkeypatch.context() as patch:
        failing_write(patch, 3, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            list(run(CELL, folder=tmp_path))
    assert status(tmp_path) == "paused" and read(tmp_path / NAME)[1] == rows[:1]
    assert goes_on(tmp_path, rows)


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path, rows, monkeypatch):
    """The rows stay, the older checkpoint stays, and nobody is told to move it away."""

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert len(list(run(CELL, folder=tmp_path, max_minutes=0))) == 2
    before = (tmp_path / f"{CELL.name}.pt").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(CheckpointError, match=rf"{CELL.name}.pt: cannot write") as error:
            list(run(CELL, folder=tmp_path))
    assert "move" not in str(error.value)
    assert (tmp_path / f"{CELL.name}.pt").read_bytes() == before
    record, stored = read(tmp_path / NAME)
    assert record.status == "failed" and "cannot write" in record.reason and stored == rows[:4]
    assert goes_on(tmp_path, rows)


class Bomb:
    """What a pickle may do to those who open it."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code of a checkpoint was run')",)


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "folder", "code", "other", "list"])
def test_a_damaged_checkpoint_is_named_and_left(tmp_path, rows, damage):
    """It is refused in words with what to do, untouched, and no code in it is run."""
    list(run(CELL, folder=tmp_path, max_minutes=0))
    checkpoint = tmp_path / f"{CELL.name}.pt"
    whole = checkpoint.read_bytes()
    state = torch.load(checkpoint, weights_only=True)
    damaged = {
        "garbage": b"hello\n", "cut": whole[: len(whole) // 2], "empty": b"",
        "code": pickle.dumps(Bomb(), protocol=2),
    }  # fmt: skip
    checkpoint.unlink()
    if damage == "folder":
        checkpoint.mkdir()
    elif damage in damaged:
        checkpoint.write_bytes(damaged[damage])
    else:
        torch.save(state | {"seed": 7} if damage == "other" else [state], checkpoint)
    before = checkpoint.is_dir() or checkpoint.read_bytes()
    with pytest.raises(CheckpointError, match=rf"{checkpoint}.*; move .*\.pt away to train"):
        list(run(CELL, folder=tmp_path))
    assert (checkpoint.is_dir() or checkpoint.read_bytes()) == before
    record, stored = read(tmp_path / NAME)
    assert record.status == "failed" and CELL.name in record.reason and stored == rows[:2]
    checkpoint.rename(tmp_path / "aside")
    assert goes_on(tmp_path, rows)


def test_a_torn_or_an_older_checkpoint_costs_only_time(tmp_path, rows):
    """Half a file is ignored; epochs after an older one are trained anew, not written anew."""
    checkpoint = tmp_path / f"{CELL.name}.pt"
    list(run(CELL, folder=tmp_path, max_minutes=0))
    first = checkpoint.read_bytes()
    list(run(CELL, folder=tmp_path, max_minutes=0))
    checkpoint.write_bytes(first)
    checkpoint.with_name(checkpoint.name + ".part").write_bytes(first[:100])
    assert goes_on(tmp_path, rows)


def lost(how: str, path: Path) -> None:
    """Take a run's record away, or put something else in its place."""
    if how == "folder deleted":
        shutil.rmtree(path.parent)
    elif how == "moved":
        path.rename(path.with_suffix(".moved"))
    elif how == "replaced":
        shutil.copy(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)
    else:
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("how", ["folder deleted", "moved", "replaced", "a folder in its place"])
def test_a_record_that_is_taken_away_ends_the_run(tmp_path, how):
    """Rows are not written where nobody finds them: the run ends in words at the next one."""
    folder = tmp_path / "runs"
    found = run(CELL, folder=folder)
    next(found)
    before = (folder / NAME).read_bytes()
    lost(how, folder / NAME)
    with pytest.raises(RecordError, match=rf"{NAME}: was moved, replaced or deleted while"):
        list(found)
    if how in ("moved", "replaced"):
        kept = folder / (f"{CELL.name}.moved" if how == "moved" else NAME)
        assert kept.read_bytes() == before


def test_a_record_behind_a_link_is_one_record(tmp_path, rows):
    """Two names of one file are one run: the second writer is refused, the rows are shared."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / NAME).symlink_to(tmp_path / "a" / NAME)
    found: Any = run(CELL, folder=tmp_path / "a")
    next(found)
    with pytest.raises(RecordError, match="another process is writing this run"):
        list(run(CELL, folder=tmp_path / "b"))
    found.close()
    assert goes_on(tmp_path / "a", rows)
    assert list(run(CELL, folder=tmp_path / "b")) == rows


def test_a_pipe_in_the_place_of_a_record_is_refused(tmp_path):
    """Opening it would wait for ever."""
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(RecordError, match=f"{NAME}: expected a regular file"):
        list(run(CELL, folder=tmp_path))


def test_only_one_writer_whoever_came_first(tmp_path, rows):
    """The first goes on undisturbed; when it ends by itself or not, nothing stale is left."""
    first: Any = run(CELL, folder=tmp_path)
    next(first)
    assert is_held(tmp_path / NAME)
    with pytest.raises(RecordError, match="another process is writing this run"):
        list(run(CELL, folder=tmp_path))
    next(first)
    first.close()
    assert status(tmp_path) == "paused" and not is_held(tmp_path / NAME)
    second = run(CELL, folder=tmp_path)
    assert [next(second) for _ in range(3)] == rows[:3]
    with pytest.raises(RecordError, match="another process is writing this run"):
        list(run(CELL, folder=tmp_path))
    assert list(second) == rows[3:]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".jsonl", ".pt"]


def test_a_run_that_another_process_ended_meanwhile_is_read(tmp_path, rows, monkeypatch):
    """Between the first look at a record and the lock it may have been finished."""
    stored = experiments._stored
    looks = []

    def late(cell, path):
        looks.append(path)
        if len(looks) == 1:
            list(run(CELL, folder=tmp_path))
            return None
        return stored(cell, path)

    monkeypatch.setattr(experiments, "_stored", late)
    before = list(run(CELL, folder=tmp_path))
    content = (tmp_path / NAME).read_bytes()
    assert before == rows and content.count(b'"finished"') == 1


def test_an_error_is_kept_with_the_run(tmp_path, rows, monkeypatch):
    """A run that failed says why, and goes on when it is called again."""
    advance = Training.advance

    def out_of_memory(training: Training, images) -> None:
        if training.epoch == 2:
            raise RuntimeError("out of memory\nand much more")
        advance(training, images)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "advance", out_of_memory)
        with pytest.raises(RuntimeError):
            list(run(CELL, folder=tmp_path))
    record = read(tmp_path / NAME)[0]
    assert (record.status, record.reason) == ("failed", "RuntimeError: out of memory")
    assert "failed: RuntimeError: out of memory; the same" in closing_words(record, NAME)
    assert goes_on(tmp_path, rows)
    assert read(tmp_path / NAME)[0].reason == ""


def test_a_diverged_run_says_how_to_try_again(tmp_path, monkeypatch):
    """It is recorded with its reason, read back after that, and trained anew when moved away."""
    wild = replace(recipes.RECIPES["synthetic", "convnet"]["mse"], learning_rate=1e12)
    monkeypatch.setitem(recipes.RECIPES["synthetic", "convnet"], "mse", wild)
    path = tmp_path / NAME
    for _ in range(2):
        list(run(CELL, folder=tmp_path))
    record = read(path)[0]
    assert record.status == "diverged" and "epoch" in record.reason
    assert path.read_bytes().count(b'"diverged"') == 1
    words = closing_words(record, path)
    assert f"move {path} away" in words and "smaller learning rate" in words


def test_an_older_record_goes_on_under_its_defaults(tmp_path, rows):
    """A field that did not exist yet has the value that it stands for by default."""
    list(run(CELL, folder=tmp_path, max_minutes=0))
    path = tmp_path / NAME
    record, stored = read(path)
    recipe = {k: v for k, v in record.recipe.items() if k not in ("drop", "momentum")}
    path.unlink()
    append(path, replace(record, recipe=recipe))
    for row in stored:
        append(path, row)
    assert goes_on(tmp_path, rows)
    append(path, replace(record, recipe=recipe | {"warmup": 5}))
    with pytest.raises(RecordError, match="expected a run of .* got .*'warmup': 5"):
        list(run(CELL, folder=tmp_path))
