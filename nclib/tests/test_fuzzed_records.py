"""Records damaged at will: the right rows, or an error that names file and line; never a loss."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib.records import RecordError, Row, Run, append, is_begun, lock, read

from .samples import RUN

ROW = Row(
    "a", 1, "train", 0.5, 0.25, math.inf, {"x": 1.5}, {"consistent": {"nc1": 0.1}}, [2.0, 1.0]
)
WRITTEN = (RUN, ROW, replace(ROW, epoch=2, split="tést"), replace(ROW, epoch=3))
DEEP = 100_000  # beyond what any reader follows
ODD = (
    b"1" * 400, b"1" * 5000, b"-1e999", b"NaN", b"Infinity", b"true", b"null", b'"1_0"', b'" 1 "',
    b'"nan "', '"١"'.encode(), b"[]", b"[[]]", b"{}", b'{"x": {}}', b'{"x": [1]}', b'{"x": null}',
    b"[" * DEEP + b"]" * DEEP, b'{"x":' * DEEP + b"1" + b"}" * DEEP,
    b'"\\ud800"', b'"\xff"', b'"\0"',
)  # fmt: skip
BYTES = st.one_of(st.sampled_from(list(b'\n\r\0\x0b "{}[],:.-0e\\\xff\xc3')), st.integers(0, 255))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all examples of a test: they write it anew each time."""
    return tmp_path_factory.mktemp("run") / "a.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An undamaged record."""
    path = tmp_path_factory.mktemp("whole") / "a.jsonl"
    for record in WRITTEN:
        append(path, record)
    return path.read_bytes()


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, Any]]:
    """What is done to a record, one thing after another: (kind, place from 0 to 1, argument)."""
    kinds = {
        "flip": BYTES, "insert": st.binary(min_size=1, max_size=3), "remove": st.integers(1, 40),
        "cut": st.none(), "double": st.none(), "swap": st.floats(0, 1), "mark": st.none(),
        "value": st.sampled_from(ODD), "crlf": st.none(), "nul": st.integers(1, 99),
    }  # fmt: skip
    done = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(kinds)))
        done.append((kind, draw(st.floats(0, 1)), draw(kinds[kind])))
    return done


def damaged(content: bytes, damage: list[tuple[str, float, Any]]) -> bytes:
    for kind, place, argument in damage:
        at = round(place * max(0, len(content) - 1))
        lines = content.splitlines(keepends=True)
        line = round(place * max(0, len(lines) - 1))
        if kind == "flip":
            content = content[:at] + bytes([argument]) + content[at + 1 :]
        elif kind in ("insert", "remove"):
            added, past = (argument, at) if kind == "insert" else (b"", at + argument)
            content = content[:at] + added + content[past:]
        elif kind == "cut":
            content = content[:at]
        elif kind == "double":
            content = b"".join(lines[: line + 1] + lines[line:])
        elif kind == "swap" and lines:
            other = round(argument * (len(lines) - 1))
            lines[line], lines[other] = lines[other], lines[line]
            content = b"".join(lines)
        elif kind == "value":
            colon = content.find(b": ", at)
            stop = min((i for i in (content.find(c, colon) for c in b",}") if i > 0), default=-1)
            if 0 < colon < stop:
                content = content[: colon + 2] + argument + content[stop:]
        elif kind == "mark":
            content = b"\xef\xbb\xbf" + content
        elif kind == "crlf":
            content = content.replace(b"\n", b"\r\n")
        elif kind == "nul":
            content += b"\0" * argument
    return content


def told(content: bytes) -> Iterator[dict[str, Any]]:
    """The rows as a plain reader of JSON lines sees them; a part without newline is no line."""
    for line in content.split(b"\n")[:-1]:
        data = json.loads(line)
        if data.pop("kind") == "row":
            yield data


def as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    return float(value)


def require_right(path: Path, content: bytes) -> None:
    """Every whole line is in what was read, and nothing else; or the error says where."""
    path.write_bytes(content)
    try:
        _, rows = read(path)
    except RecordError as error:
        assert str(path) in str(error)
        if ", line " in str(error):
            number = int(str(error).split(", line ")[1].split(":")[0])
            assert 1 <= number <= content.count(b"\n")
            before = b"".join(line + b"\n" for line in content.split(b"\n")[: number - 1])
            # No whole row before the fault is lost: cut off the rest, and all of it is there.
            path.write_bytes(before)
            if b'"kind": "run"' in before and "expected rows of" not in str(error):
                require_rows(read(path)[1], before)
            path.write_bytes(content)
    else:
        require_rows(rows, content)
    assert path.read_bytes() == content


def require_rows(rows: list[Row], content: bytes) -> None:
    expected = list(told(content))
    assert len(rows) == len(expected)
    for row, data in zip(rows, expected, strict=True):
        for name, value in data.items():
            plain = value if name in ("run", "epoch", "split") else as_floats(value)
            assert repr(getattr(row, name)) == repr(plain)


@given(damage=damages())
@settings(max_examples=250, deadline=None)
def test_damage_gives_the_right_rows_or_an_error_with_the_line(path, whole, damage):
    """Flipped, torn, doubled, exchanged or strange: what is read is what the lines say."""
    require_right(path, damaged(whole, damage))


def test_every_length_of_a_record_is_read(path, whole):
    """Cut anywhere: the whole lines before the cut are all there."""
    first = whole.index(b"\n") + 1
    path.write_bytes(whole)
    for length in range(len(whole), -1, -1):
        os.truncate(path, length)
        if length < first:
            with pytest.raises(RecordError, match="a.jsonl: expected a run line first"):
                read(path)
            assert not is_begun(path)
        else:
            assert len(read(path)[1]) == whole[first:length].count(b"\n")


@pytest.mark.parametrize("kind", [Run, Row])
def test_every_field_refuses_what_is_not_of_its_type(path, whole, kind):
    """A strange value in any field: the right record, or an error with line and field."""
    lines = whole.splitlines(keepends=True)[:2]
    number = 1 if kind is Run else 2
    data = json.loads(lines[number - 1])
    for name in (field.name for field in fields(kind)):
        for value in ODD:
            marked = json.dumps(data | {name: "HERE"}).encode().replace(b'"HERE"', value) + b"\n"
            require_right(path, marked + lines[1] if kind is Run else lines[0] + marked)
    for name in ("accuracy", "metrics", "omega", "terms") if kind is Row else ("seconds", "ridge"):
        for value in (10**400, True, "1_0", {"x": 10**400}, [None], {"x": {"y": "1"}}, {"x": 1}):
            if name == "metrics" and value == {"x": 1}:
                continue  # as it should be
            if name == "ridge" and value == {"x": {"y": "1"}}:
                continue
            changed = json.dumps(data | {name: value}).encode() + b"\n"
            path.write_bytes(changed if kind is Run else lines[0] + changed)
            with pytest.raises(RecordError, match=rf"a.jsonl, line {number}: .*{name}.*expected"):
                read(path)


@pytest.mark.parametrize(
    "old, new, reason",
    [
        (b'"status": "running"', b'"status": "runnimg"', "line 1: .*status: expected one of"),
        (b'"epoch": 1', b'"epoch": 1, "epoch": 2', "line 2: .*expected each name once"),
        (b'"mismatch": 0.25', b'"mismatch": 1e999', "line 2: .*mismatch: expected float, got inf"),
        (b'"kind": "row"', b'"kind": ["row"]', "line 2: .*expected kind to be one of"),
        (b'"run": "a"', b'"run": "b"', r"line 2: expected rows of a, got rows of \['b'\]"),
    ],
)
def test_what_would_pass_in_silence_is_refused(path, whole, old, new, reason):
    """A status that means nothing, a name twice, a number beyond all, a row of another run."""
    path.write_bytes(whole.replace(old, new, 1))
    with pytest.raises(RecordError, match=f"a.jsonl, {reason}"):
        read(path)


def test_the_first_row_of_another_run_is_named(path, whole):
    """Of two strangers the one that stands first, whatever its name."""
    for names in ((b"z", b"b"), (b"b", b"z")):
        lines = whole.splitlines(keepends=True)
        for place, name in zip((2, 3), names, strict=True):
            lines[place] = lines[place].replace(b'"run": "a"', b'"run": "' + name + b'"')
        path.write_bytes(b"".join(lines))
        with pytest.raises(RecordError, match=r"line 3: expected rows of a, got .*'b', 'z'"):
            read(path)


@given(damage=damages())
@settings(max_examples=60, deadline=None)
def test_appending_to_a_damaged_record_destroys_nothing(path, whole, damage):
    """A line is added behind what is there, or refused; a torn end is set aside byte for byte."""
    content, aside = damaged(whole, damage), path.with_name("a.jsonl.torn")
    path.write_bytes(content)
    aside.unlink(missing_ok=True)
    torn = bool(content) and not content.endswith(b"\n")
    if torn:
        with pytest.raises(RecordError, match="last line is torn"):
            append(path, ROW)
        assert path.read_bytes() == content
    with lock(path) as writer:
        assert writer.set_torn_line_aside() == torn
        kept = aside.read_bytes()[:-1] if torn else b""
        assert path.read_bytes() + kept == content
        writer.append(ROW)
    added = path.read_bytes()[len(content) - len(kept) :]
    assert path.read_bytes().startswith(content[: len(content) - len(kept)])
    assert json.loads(added)["kind"] == "row" and added.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="this system has no such device")
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path):
    """A folder, a device, a path through a file: an endless one would be read without an end."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for place, words in (
        (tmp_path / "folder", "cannot read"), (tmp_path / "file" / "a", "cannot read"),
        (Path("/dev/null"), "expected a regular file, got a pipe or a device"),
    ):  # fmt: skip
        with pytest.raises(RecordError, match=f"{place}: {words}"):
            read(place)
