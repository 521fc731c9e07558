"""What a measurement leaves behind: JSON, CSV, a picture; each file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..report import CollapseReport

__all__ = ["csv_of", "json_of", "require_writable", "write_text", "write_whole"]


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
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: no such folder: {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path}: cannot write into {path.parent}")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name, then rename it: the old one stays, or the new one is whole.

    The temporary name keeps the ending, by which pictures choose their format.
    """
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.stem}-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        os.chmod(temporary, 0o666 & ~_mask())  # mkstemp lets nobody else read
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(f"{path}: cannot write: {error.strerror or error}") from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write text whole or not at all; see ``write_whole``."""

    def write(place: Path) -> None:
        place.write_text(text, encoding="utf-8")

    write_whole(path, write)


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
