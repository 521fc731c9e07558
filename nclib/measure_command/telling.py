"""What a measurement leaves behind: JSON, CSV, a picture; each file whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from .. import checkpoints
from ..report import CollapseReport

__all__ = [
    "csv_of",
    "json_of",
    "require_distinct",
    "require_writable",
    "write_text",
    "write_whole",
]


def json_of(report: CollapseReport, facts: dict[str, Any]) -> str:
    """The report as JSON, and under "measured" what it is of."""
    return json.dumps({"measured": facts} | report.to_dict(), indent=2, allow_nan=False) + "\n"


def csv_of(report: CollapseReport, facts: dict[str, Any]) -> str:
    """The report's numbers, a line each; the facts stand in the JSON alone."""
    return report.to_csv()


def require_writable(path: Path) -> None:
    """Refuse a place that cannot be written before the time for measuring is spent."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected the name of a file, got a folder")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected the name of a file, got a device or a pipe; - prints")
    folder = path.resolve().parent  # a link is written through, not replaced
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: no such folder: {path.parent}")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{path}: cannot write into {folder}")


def require_distinct(read: Mapping[str, Path | None], written: Mapping[str, Path | None]) -> None:
    """Refuse to write two things into one file, or over one that is read."""
    seen = {path.expanduser().resolve(): name for name, path in read.items() if path is not None}
    for name, path in written.items():
        if path is None:
            continue
        if (other := seen.get(path.resolve())) is not None:
            raise ValueError(f"{name}: expected a file of its own, got {path}, that of {other}")
        seen[path.resolve()] = name


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file whole or not at all; where the name is a link, the file that it points to."""
    place = path.resolve()
    aside = place.with_name(f".{place.name}-{os.getpid()}.part")
    try:
        checkpoints.write_whole(place, write, aside)
    except OSError as error:
        raise OSError(f"{path}: cannot write: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write text whole or not at all; see ``write_whole``."""
    write_whole(path, lambda file: file.write(text.encode()))
