"""Files that a training goes on from: written whole or not at all, read without running code."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

__all__ = ["CheckpointError", "read", "require_whole", "write", "write_whole"]


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message names the file.

    What lay there before is left as it is.
    """


def write(path: Path | str, state: dict[str, Any]) -> None:
    """Write a checkpoint to a temporary file, push it to the disk, then rename it.

    Raises CheckpointError where it cannot be written; an older one is left as it was.
    """
    path = Path(path)
    try:
        write_whole(path, lambda file: torch.save(state, file), path.with_name(path.name + ".part"))
    except (OSError, RuntimeError) as error:  # torch's writer has its own words
        raise CheckpointError(f"{path}: cannot write: {_reason(error)}") from error


def write_whole(path: Path, write: Callable[[IO[bytes]], Any], aside: Path) -> None:
    """Write a file aside, push it to the disk, then rename it: the old one stays, or the new one.

    ``aside`` lies in the same folder and is gone afterwards; only a killed process leaves it.
    """
    try:
        with open(aside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:  # of an interrupt, too, nothing half written may stay
        with suppress(OSError):
            aside.unlink()
        raise


def read(path: Path | str, identity: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """A checkpoint of this identity with these fields, on the CPU; no code in the file is run."""
    require_whole(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(f"{path}: not a checkpoint that can be read: {error}") from error
    theirs = {key: state.get(key) for key in identity} if isinstance(state, dict) else None
    if theirs != identity:
        raise CheckpointError(f"{path}: expected a checkpoint of {identity}, got {theirs}")
    missing = set(fields) - set(state)
    if missing:
        raise CheckpointError(f"{path}: expected {sorted(missing)} too, got {sorted(state)}")
    return state


def require_whole(path: Path | str) -> None:
    """Raise CheckpointError where a part of an archive does not fit the checksum beside it.

    ``torch.load`` does not look at them: a training would go on from a weight with a flipped bit.
    What is no zip archive passes; whether it is a checkpoint says the reader.
    """
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            written = any(entry.CRC for entry in archive.infolist())  # torch can leave them out
            part = archive.testzip() if written else None
    except Exception as error:  # a damaged archive may raise anything, too
        raise CheckpointError(f"{path}: not a checkpoint that can be read: {error}") from error
    if part is not None:
        raise CheckpointError(f"{path}: damaged: {part} does not fit its checksum")


def _reason(error: BaseException) -> str:
    """What the system said: torch's writer hides it behind a complaint of its own."""
    while not isinstance(error, OSError) and error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error).splitlines()[0]
