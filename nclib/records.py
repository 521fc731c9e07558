"""What a run leaves behind: one JSON-lines file, written a line at a time, never rewritten.

Two kinds of line. A ``run`` line says what was run, how and where; it is written at the start,
again at each resume and at the end, and the last one counts. A ``row`` line is one measurement.
A kill can lose only the line being written; what it tears is set aside, never deleted.

Standard library only.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "RecordError",
    "Row",
    "Run",
    "append",
    "lock",
    "provenance",
    "read",
    "set_torn_line_aside",
]


class RecordError(ValueError):
    """A record that cannot be read or written; the message names the file and the line.

    Chapter: how-to-run.
    """


@dataclass(frozen=True)
class Run:
    """What was run, how it was set up, where, and how it ended.

    ``ridge`` maps each reading of weight decay to {"value", "origin"}; ``started`` is the first
    start, ``seconds`` the wall time of all processes that ended by themselves, and versions,
    commit, device and precision are the last one's.  Chapter: decomposition-measured.
    """

    id: str
    cell: dict[str, Any]
    recipe: dict[str, Any]
    ridge: dict[str, dict[str, Any]]
    versions: dict[str, str]
    commit: str
    device: str
    precision: str
    started: str  # UTC, ISO 8601
    status: str  # "running", "paused", "finished" or "diverged"
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One measurement: a network at one epoch on one split.

    ``metrics`` by name (see METRICS), ``terms`` by reading of the ridge: {"nc1", "nc23", "perp"}.
    ``loss`` is the training objective's data term on the split. ``omega`` are the C-1 SNR values,
    largest first, empty where the spread is singular on the means; ``robustness`` is NaN where it
    was not measured.  Chapter: decomposition-measured.
    """

    run: str
    epoch: int
    split: str  # "train", "test" or "held"
    accuracy: float
    mismatch: float
    loss: float
    metrics: dict[str, float] = field(default_factory=dict)
    terms: dict[str, dict[str, float]] = field(default_factory=dict)
    omega: list[float] = field(default_factory=list)
    robustness: float = math.nan

    def __eq__(self, other: object) -> bool:
        """Equal field by field; numbers that were not measured count as equal."""
        return isinstance(other, Row) and _encode(asdict(self)) == _encode(asdict(other))


PACKAGES = ("neural-collapse-mse", "torch", "torchvision", "numpy")
KINDS: dict[str, type[Run | Row]] = {"run": Run, "row": Row}


def append(path: Path | str, record: Run | Row) -> None:
    """Add one line and push it to the disk; the file is created where it does not exist.

    One write of the whole line, so that readers never see half a record of a living process.
    A full disk, a missing right or a torn last line raises RecordError naming the file.
    """
    path = Path(path)
    kind = next(name for name, cls in KINDS.items() if type(record) is cls)
    data = {name: value for name, value in asdict(record).items() if value != []}
    line = json.dumps({"kind": kind} | _encode(data), allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            if file.tell() and not _ends_with_newline(path):
                raise RecordError(f"{path}: last line is torn; set it aside before appending")
            _write_whole(file.fileno(), line.encode())
            os.fsync(file.fileno())
    except OSError as error:
        raise RecordError(f"{path}: cannot append a record: {error.strerror}") from error


def read(path: Path | str) -> tuple[Run, list[Row]]:
    """The run (its last line) and its rows. A damaged line is named, the file left untouched.

    A torn last line (no newline: the writer was killed) is not yet a record and is passed over.
    """
    run: Run | None = None
    rows: list[Row] = []
    for record in _records(Path(path)):
        if isinstance(record, Run):
            run = record
        else:
            rows.append(record)
    if run is None:
        raise RecordError(f"{path}: expected a run line first, found none")
    strangers = {row.run for row in rows} - {run.id}
    if strangers:
        raise RecordError(f"{path}: expected rows of {run.id}, got rows of {sorted(strangers)}")
    return run, rows


def set_torn_line_aside(path: Path | str) -> bool:
    """Move a torn last line into ``<path>.torn``; True where there was one. Loses nothing."""
    path = Path(path)
    if not path.exists() or path.stat().st_size == 0 or _ends_with_newline(path):
        return False
    content = path.read_bytes()
    keep = content.rfind(b"\n") + 1
    with open(path.with_name(path.name + ".torn"), "ab") as aside:
        aside.write(content[keep:] + b"\n")
        os.fsync(aside.fileno())
    os.truncate(path, keep)
    return True


@contextmanager
def lock(path: Path | str) -> Iterator[None]:
    """Hold a run's file for one writer; a second process gets a RecordError, not a mixed file."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_name(path.name + ".lock"), "a")
    except OSError as error:
        raise RecordError(f"{path}: cannot write there: {error.strerror}") from error
    with file:
        if not _try_lock(file.fileno()):
            raise RecordError(f"{path}: another process is writing this run")
        yield  # the operating system lets go when the file closes, also after a kill


def provenance() -> dict[str, Any]:
    """When, with which versions and from which commit: the ``Run`` fields that say so."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()} | {n: _version(n) for n in PACKAGES},
        "commit": _commit(),
    }


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows has no advisory locks of this kind
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _records(path: Path) -> Iterator[Run | Row]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot read: {error.strerror}") from error
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            yield _decode(line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise RecordError(f"{path}, line {number}: not a record: {reason}") from error


def _decode(line: bytes) -> Run | Row:
    data = json.loads(line.decode())
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, got {type(data).__name__}")
    kind = data.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"expected kind to be one of {sorted(KINDS)}, got {kind!r}")
    return _typed(KINDS[kind], data)


def _typed(cls: type[Run | Row], data: dict[str, Any]) -> Run | Row:
    """Build the record, turning text such as "nan" back into numbers and checking each type."""
    known = {f.name: str(f.type) for f in fields(cls)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ValueError(f"unknown fields {unknown}")
    values = {name: _field(name, known[name], value) for name, value in data.items()}
    return cls(**values)


def _field(name: str, annotation: str, value: Any) -> Any:
    if annotation == "float":
        return float(value)
    if annotation == "int" and type(value) is int:
        return value
    if annotation == "str" and isinstance(value, str):
        return value
    if annotation == "list[float]" and isinstance(value, list):
        return [float(item) for item in value]
    if annotation.startswith("dict") and isinstance(value, dict):
        return _numbers(value) if annotation.endswith(("float]]", "float]")) else value
    raise ValueError(f"{name}: expected {annotation}, got {value!r:.60}")


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _numbers(v) if isinstance(v, dict) else float(v) for k, v in values.items()}


def _encode(value: Any) -> Any:
    """JSON has no NaN and no infinity; they become text that float() reads back."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    return value


def _write_whole(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a nearly full disk takes a part, then refuses the rest
        written += os.write(descriptor, data[written:])


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """The checkout's commit, with "-dirty" where files differ from it; "" outside a checkout."""
    folder = Path(__file__).parent
    if not (folder.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
