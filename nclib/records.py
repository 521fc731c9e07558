"""What a run leaves behind: one JSON-lines file, written a line at a time, never rewritten.

Two kinds of line. A ``run`` line says what was run, how and where; it is written at the start,
again at each resume and at the end, and the last one counts. A ``row`` line is one measurement.
A kill can lose only the line being written; what it tears is set aside, never deleted.
One process writes a file at a time: it holds the record itself, and a kill lets go of it.

Standard library only.
"""

from __future__ import annotations

import json
import math
import os
import platform
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

__all__ = [
    "RecordError",
    "Row",
    "Run",
    "Writer",
    "append",
    "is_begun",
    "is_held",
    "lock",
    "provenance",
    "read",
]


class RecordError(ValueError):
    """A record that cannot be read or written; the message names the file and the line.

    Chapter: how-to-run.
    """


@dataclass(frozen=True)
class Run:
    """What was run, how it was set up, where, and how it ended.

    ``ridge`` maps each reading of weight decay to {"value", "origin"}; ``started`` is the first
    start, ``seconds`` the wall time of all processes that were not killed, and versions, commit,
    device and precision are the last one's. A status "running" whose record nobody holds is that
    of a process that was killed.  Chapter: decomposition-measured.
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
    status: str  # one of STATUSES
    seconds: float = 0.0
    reason: str = ""  # in words, of a run that diverged or failed


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
LOCK_PATIENCE = 0.2  # seconds
STATUSES = ("running", "paused", "finished", "diverged", "failed")
NOT_FINITE = ("nan", "inf", "-inf")  # how a line writes the numbers that JSON does not have
KINDS: dict[str, type[Run | Row]] = {"run": Run, "row": Row}


@dataclass(frozen=True)
class Writer:
    """A record that this process holds, and nobody else can write."""

    path: Path
    file: IO[bytes]

    def append(self, record: Run | Row) -> None:
        """Add one line and push it to the disk: all of it, or an error and none of it.

        A full disk, a torn last line, and a record that was moved, replaced or deleted since it
        was opened, each raise RecordError naming the file.
        """
        line = (json.dumps(_as_data(record), allow_nan=False) + "\n").encode()
        try:
            self._require_in_place()
            size = self.file.seek(0, os.SEEK_END)
            if size and not self._ends_with_newline(size):
                raise RecordError(f"{self.path}: last line is torn; set it aside before appending")
            try:
                _write_whole(self.file.fileno(), line)
            except BaseException:  # of an interrupt, too, nothing half written may stay
                os.ftruncate(self.file.fileno(), size)
                raise
            os.fsync(self.file.fileno())
        except OSError as error:
            reason = error.strerror or str(error)
            raise RecordError(f"{self.path}: cannot append a record: {reason}") from error

    def set_torn_line_aside(self) -> bool:
        """Move a torn last line into ``<path>.torn``; True where there was one. Loses nothing."""
        size = self.file.seek(0, os.SEEK_END)
        if not size or self._ends_with_newline(size):
            return False
        self.file.seek(0)
        content = self.file.read()
        keep = content.rfind(b"\n") + 1
        aside = self.path.with_name(self.path.name + ".torn")
        try:
            with open(aside, "ab") as file:
                file.write(content[keep:] + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.ftruncate(self.file.fileno(), keep)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RecordError(f"{aside}: cannot keep a torn line there: {reason}") from error
        return True

    def _ends_with_newline(self, size: int) -> bool:
        self.file.seek(size - 1)
        return self.file.read(1) == b"\n"

    def _require_in_place(self) -> None:
        """What is written into a file that has lost its name would be lost with it."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        if found is None or not os.path.samestat(found, os.fstat(self.file.fileno())):
            raise RecordError(f"{self.path}: was moved, replaced or deleted while being written")


def append(path: Path | str, record: Run | Row) -> None:
    """Add one line to a record; the file is created where it does not exist. See ``Writer``."""
    with lock(path) as writer:
        writer.append(record)


def read(path: Path | str) -> tuple[Run, list[Row]]:
    """The run (its last line) and its rows. A damaged line is named, the file left untouched.

    A torn last line (no newline: the writer was killed) is not yet a record and is passed over.
    What a line says is believed: a digit that was changed into another one cannot be seen.
    """
    run: Run | None = None
    rows: list[tuple[int, Row]] = []
    for number, record in enumerate(_records(Path(path)), start=1):
        if isinstance(record, Run):
            run = record
        else:
            rows.append((number, record))
    if run is None:
        raise RecordError(f"{path}: expected a run line first, found none")
    strangers = {row.run: number for number, row in reversed(rows) if row.run != run.id}
    if strangers:
        where = f"{path}, line {min(strangers.values())}"
        raise RecordError(f"{where}: expected rows of {run.id}, got rows of {sorted(strangers)}")
    return run, [row for _, row in rows]


@contextmanager
def lock(path: Path | str) -> Iterator[Writer]:
    """Hold a run's file for one writer; a second one gets a RecordError, not a mixed file.

    The operating system lets go when the file closes, after a kill as well, so that nothing stale
    can stay. Where a record cannot be written the RecordError says why. On Windows, which has no
    locks of this kind, the second writer is not noticed.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_regular(path)
        file = open(path, "a+b", buffering=0)
    except OSError as error:
        where = "" if error.filename == str(path) else f" ({error.filename})"
        raise RecordError(f"{path}: cannot write there: {error.strerror}{where}") from error
    with file:
        if not _try_lock(file, path):
            raise RecordError(
                f"{path}: another process is writing this run (or this one, in a run left open)"
            )
        _sync_folder(path.parent)
        yield Writer(path, file)


def is_begun(path: Path | str) -> bool:
    """Whether there is a record with a whole line; a kill may have left less than that."""
    try:
        _require_regular(Path(path))
        with open(path, "rb") as file:
            return file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RecordError(f"{path}: cannot read: {error.strerror}") from error


def is_held(path: Path | str) -> bool:
    """Whether a living process is writing this record."""
    try:
        with open(path, "rb") as file:
            return not _try_lock(file, Path(path), shared=True)
    except OSError:
        return False


def provenance() -> dict[str, Any]:
    """When, with which versions and from which commit: the ``Run`` fields that say so."""
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()} | {n: _version(n) for n in PACKAGES},
        "commit": _commit(),
    }


def _try_lock(file: IO[bytes], path: Path, shared: bool = False) -> bool:
    """Take the lock; a writer waits a moment for those who only look whether it is taken."""
    try:
        import fcntl
    except ImportError:  # Windows has no advisory locks of this kind
        return True
    given_up = time.monotonic() + (0 if shared else LOCK_PATIENCE)
    while True:
        try:
            fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= given_up:
                return False
            time.sleep(0.02)
        except OSError as error:
            raise RecordError(f"{path}: this file system cannot lock: {error.strerror}") from error


def _require_regular(path: Path) -> None:
    """Opening a pipe or a device would hang, or throw the rows away."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder says so by itself
            raise RecordError(f"{path}: expected a regular file, got a pipe or a device")


def _sync_folder(folder: Path) -> None:
    """Push the name of a new file to the disk, too, where the system lets one."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _as_data(record: Run | Row) -> dict[str, Any]:
    """The fields as JSON takes them, without those that are the default."""
    kind = next(name for name, cls in KINDS.items() if type(record) is cls)
    plain = {f.name: _default(f) for f in fields(record)}
    data = {k: v for k, v in asdict(record).items() if repr(v) != repr(plain[k])}
    return {"kind": kind} | _encode(data)


def _default(field_: Field[Any]) -> Any:
    return field_.default if field_.default_factory is MISSING else field_.default_factory()


def _records(path: Path) -> Iterator[Run | Row]:
    try:
        _require_regular(path)
        content = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot read: {error.strerror}") from error
    # Not splitlines(), for which a carriage return alone ends a line, too.
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            yield _decode(line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise RecordError(f"{path}, line {number}: not a record: {reason}") from error


def _decode(line: bytes) -> Run | Row:
    data = json.loads(line.decode(), object_pairs_hook=_each_once)
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, got {type(data).__name__}")
    kind = data.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"expected kind to be one of {sorted(KINDS)}, got {kind!r}")
    return _typed(KINDS[kind], data)


def _typed(cls: type[Run | Row], data: dict[str, Any]) -> Run | Row:
    """Build the record, turning text such as "nan" back into numbers and checking each type."""
    known = {f.name: str(f.type) for f in fields(cls)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ValueError(f"unknown fields {unknown}, as of a newer version of this package")
    values = {name: _field(name, known[name], value) for name, value in data.items()}
    if cls is Run and values.get("status", "running") not in STATUSES:
        raise ValueError(f"status: expected one of {STATUSES}, got {values['status']!r:.60}")
    return cls(**values)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the last value of a name would replace the others in silence."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError(f"expected each name once, got {[name for name, _ in pairs]}")
    return found


def _field(name: str, annotation: str, value: Any) -> Any:
    if annotation == "float":
        return _number(name, value)
    plain = {"Any": True, "int": type(value) is int, "str": isinstance(value, str)}
    if plain.get(annotation):
        return value
    if annotation == "list[float]" and isinstance(value, list):
        return [_number(name, item) for item in value]
    if annotation.startswith("dict") and isinstance(value, dict):
        inner = annotation.removeprefix("dict[str, ").removesuffix("]")
        return {key: _field(f"{name}.{key}", inner, item) for key, item in value.items()}
    raise ValueError(f"{name}: expected {annotation}, got {value!r:.60}")


def _number(name: str, value: Any) -> float:
    """A number of JSON, or the text for one that JSON does not have; no other text counts."""
    with suppress(OverflowError):  # of an integer beyond all floats
        if value in NOT_FINITE or (type(value) in (int, float) and math.isfinite(value)):
            return float(value)
    raise ValueError(f"{name}: expected float, got {value!r:.60}")


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
