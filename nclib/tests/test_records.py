"""Records: what was written is read back, a damaged line is named, a torn one loses nothing."""

from __future__ import annotations

import errno
import json
import math
import multiprocessing
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib.records import (
    RecordError,
    Row,
    append,
    is_begun,
    is_held,
    lock,
    provenance,
    read,
)

from .samples import RUN

ROW = Row("a", 1, "train", 0.5, 0.25, 0.1, {"x": 1.0}, {"consistent": {"nc1": 0.1}})

numbers = st.floats(allow_nan=True, allow_infinity=True)
names = st.text(max_size=8)
rows = st.builds(
    Row, run=st.just("a"), epoch=st.integers(0, 10**6), split=names, accuracy=numbers,
    mismatch=numbers, loss=numbers, metrics=st.dictionaries(names, numbers),
    terms=st.dictionaries(names, st.dictionaries(names, numbers)),
)  # fmt: skip


def set_torn_line_aside(path) -> bool:
    with lock(path) as writer:
        return writer.set_torn_line_aside()


def same(a, b) -> bool:
    """Equal to the last bit, NaN included."""
    return repr(a) == repr(b)


@given(st.lists(rows, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_was_written_is_read_back(tmp_path_factory, found):
    """Rows come back bit for bit, with NaN, infinities and any text."""
    path = tmp_path_factory.mktemp("run") / "a.jsonl"
    append(path, RUN)
    for row in found:
        append(path, row)
    record, back = read(path)
    assert record == RUN and same(back, found)
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        json.loads(line, parse_constant=lambda word: pytest.fail(f"not JSON: {word}"))


def test_the_last_run_line_counts(tmp_path):
    """A run that ended is read with its last status."""
    append(tmp_path / "a.jsonl", RUN)
    append(tmp_path / "a.jsonl", ROW)
    append(tmp_path / "a.jsonl", replace(RUN, status="finished", seconds=2.5))
    record, found = read(tmp_path / "a.jsonl")
    assert (record.status, record.seconds, found) == ("finished", 2.5, [ROW])


@given(st.integers(1, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_torn_line_loses_only_itself(tmp_path_factory, cut):
    """Cut the file anywhere: whole records stay, the torn rest is set aside, appending goes on."""
    path = tmp_path_factory.mktemp("run") / "a.jsonl"
    append(path, RUN)
    first = path.stat().st_size
    append(path, ROW)
    whole = path.read_bytes()
    os.truncate(path, first + cut % (len(whole) - first + 1))
    kept = path.read_bytes()
    torn = not kept.endswith(b"\n")
    if torn:
        assert read(path) == (RUN, [])
        with pytest.raises(RecordError, match="last line is torn"):
            append(path, ROW)
        assert path.read_bytes() == kept
    assert set_torn_line_aside(path) == torn
    if torn:
        aside = path.with_name("a.jsonl.torn").read_bytes()
        assert path.read_bytes() + aside == kept + b"\n"
    append(path, replace(ROW, epoch=2))
    assert read(path)[1][-1].epoch == 2


@pytest.mark.parametrize(
    "line, reason",
    [
        (b"{", "Expecting property name"),
        (b"[]", "expected an object, got list"),
        (b'{"kind": "rwo"}', "expected kind to be one of"),
        (b'{"kind": "row", "run": "a"}', "missing"),
        (b'{"kind": "row", "nonsense": 1}', r"unknown fields \['nonsense'\], as of a newer"),
        (b"\xff\xfe", "decode"),
        (b"", "Expecting value"),
        (json.dumps({"kind": "row", "run": "a", "epoch": 1.5}).encode(), "epoch: expected int"),
        (json.dumps({"kind": "row", "run": "a", "epoch": 1, "loss": []}).encode(), "float"),
        (b"[" * 100_000, "not a record"),
    ],
)
def test_a_damaged_line_is_named_and_left(tmp_path, line, reason):
    """The error names file and line; the file is not touched."""
    path = tmp_path / "a.jsonl"
    append(path, RUN)
    append(path, ROW)
    path.write_bytes(path.read_bytes() + line + b"\n")
    before = path.read_bytes()
    with pytest.raises(
        RecordError, match=rf"a.jsonl, line 3: not a record.*{reason}|line 3.*{reason}"
    ):
        read(path)
    assert path.read_bytes() == before


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_flipped_byte_gives_records_or_an_error_in_words(tmp_path_factory, data):
    """Damage at any place never crashes the reader and never changes the file."""
    path = tmp_path_factory.mktemp("run") / "a.jsonl"
    for record in (RUN, ROW, replace(ROW, loss=math.inf)):
        append(path, record)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        read(path)
    except RecordError as error:
        assert str(path) in str(error)
    assert path.read_bytes() == bytes(content)


def test_what_cannot_be_read_or_written_is_said_in_words(tmp_path):
    """A missing file, a folder in the way, a file without a run line, rows of another run."""
    with pytest.raises(RecordError, match="none.jsonl: cannot read: No such file"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(RecordError, match="folder.jsonl: cannot write there: Is a directory"):
        append(tmp_path / "folder.jsonl", ROW)
    append(tmp_path / "b.jsonl", ROW)
    with pytest.raises(RecordError, match="expected a run line first, found none"):
        read(tmp_path / "b.jsonl")
    append(tmp_path / "b.jsonl", replace(RUN, id="b"))
    with pytest.raises(RecordError, match=r"expected rows of b, got rows of \['a'\]"):
        read(tmp_path / "b.jsonl")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_line_is_written_whole_or_not_at_all(tmp_path, monkeypatch, error):
    """A disk that takes a part and refuses the rest, or an interrupt: no half line stays."""
    path, write = tmp_path / "a.jsonl", os.write
    append(path, RUN)
    before = path.read_bytes()

    def nearly_full(descriptor: int, data: bytes) -> int:
        if len(data) < 50:
            raise error
        return write(descriptor, data[:-40])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        said = RecordError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(said) as found:
            append(path, ROW)
    if said is RecordError:
        assert "a.jsonl: cannot append a record: No space left" in str(found.value)
    assert path.read_bytes() == before
    append(path, ROW)
    assert read(path) == (RUN, [ROW])


def test_a_torn_line_that_cannot_be_kept_stays_where_it_is(tmp_path):
    """A full disk, or a folder in the way: nothing is cut off before it is safe elsewhere."""
    path = tmp_path / "a.jsonl"
    append(path, RUN)
    path.write_bytes(path.read_bytes() + b'{"kind": "ro')
    before = path.read_bytes()
    path.with_name("a.jsonl.torn").mkdir()
    with pytest.raises(RecordError, match="a.jsonl.torn: cannot keep a torn line there: Is a dir"):
        set_torn_line_aside(path)
    assert path.read_bytes() == before


def test_records_without_newer_fields_are_read(tmp_path):
    """A record of an earlier version has the defaults where it says nothing."""
    path = tmp_path / "a.jsonl"
    old = {
        "kind": "row", "run": "a", "epoch": 1, "split": "train", "accuracy": 0.5,
        "mismatch": 0.25, "loss": 0.1, "metrics": {"x": 1.0}, "terms": {"consistent": {"nc1": 0.1}},
    }  # fmt: skip
    append(path, RUN)
    path.write_bytes(path.read_bytes() + json.dumps(old).encode() + b"\n")
    assert read(path) == (RUN, [ROW]) and read(path)[1][0].omega == []
    assert "reason" not in path.read_text() and math.isnan(read(path)[1][0].robustness)


def test_what_is_the_default_is_not_written(tmp_path):
    """Lines stay short; what was measured is written, and read back."""
    path = tmp_path / "a.jsonl"
    append(path, RUN)
    append(path, ROW)
    assert "robustness" not in path.read_text() and "omega" not in path.read_text()
    measured = replace(ROW, epoch=2, omega=[2.0, 1.0], robustness=0.25)
    append(path, measured)
    append(path, replace(RUN, status="failed", reason="out of memory", seconds=1.5))
    record, found = read(path)
    assert found == [ROW, measured] and (record.reason, record.seconds) == ("out of memory", 1.5)


@pytest.mark.parametrize(
    "content, begun", [(None, False), (b"", False), (b'{"kind"', False), (b"{}\n{", True)]
)
def test_a_record_begins_with_its_first_whole_line(tmp_path, content, begun):
    """Less than that is what a kill leaves: there is nothing to read yet."""
    path = tmp_path / "a.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert is_begun(path) == begun


def test_a_file_system_without_locks_is_said_in_words(tmp_path, monkeypatch):
    """Two processes could mix their lines there: the first is refused already."""

    def unable(*_) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unable)
    with pytest.raises(RecordError, match="this file system cannot lock: No locks available"):
        append(tmp_path / "a.jsonl", RUN)


def _hold(path, started, done):
    with lock(path):
        started.set()
        done.wait(30)


def test_two_processes_cannot_write_one_run(tmp_path):
    """A second writer is refused while the first one lives, and let in afterwards."""
    context = multiprocessing.get_context("spawn")
    started, done = context.Event(), context.Event()
    first = context.Process(target=_hold, args=(tmp_path / "a.jsonl", started, done))
    first.start()
    assert started.wait(60) and is_held(tmp_path / "a.jsonl")
    with (
        pytest.raises(RecordError, match="another process is writing this run"),
        lock(tmp_path / "a.jsonl"),
    ):
        pass
    first.kill()
    first.join(30)
    assert not is_held(tmp_path / "a.jsonl") and not is_held(tmp_path / "none.jsonl")
    with lock(tmp_path / "a.jsonl"):
        pass


def test_provenance_names_versions_and_time():
    """The fields that say when and with what."""
    found = provenance()
    assert found["versions"]["torch"][0].isdigit() and found["started"].endswith("+00:00")
    assert set(found) == {"started", "versions", "commit"}
