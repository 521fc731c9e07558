"""Files of checkpoints, read without running the code that may be in them."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints import CheckpointError, require_whole

__all__ = ["content_of"]

INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLES = ("model.safetensors", "pytorch_model.bin")


def content_of(path: Path) -> tuple[Path, Any]:
    """(the file, what it holds) of a file, an index of shards, or a folder with either."""
    path = _within(path) if path.is_dir() else path
    return path, _shards(path) if path.suffix == ".json" else _content(path)


def _within(folder: Path) -> Path:
    for name in (*INDICES, *SINGLES):
        if (folder / name).is_file():
            return folder / name
    expected = ", ".join((*SINGLES, *INDICES))
    raise CheckpointError(f"{folder}: expected a checkpoint, got a folder without {expected}")


def _content(path: Path) -> Any:
    """What one file holds; told by its first bytes, as its name may say anything."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read: {error.strerror}") from error
    if not start:
        raise CheckpointError(f"{path}: not a checkpoint: the file is empty")
    # A safetensors file begins with the length of its header in 8 bytes, then the header's brace.
    named = path.suffix == ".safetensors" and not start.startswith(b"PK")
    is_safetensors = named or start[5:] == b"\0\0\0{"
    return _safetensors(path) if is_safetensors else _pickled(path)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(
            f"{path}: reading it needs safetensors: pip install neural-collapse-mse[measure]"
        ) from error
    try:
        return load_file(path, device="cpu")
    except Exception as error:  # the library's own type, and OSError
        raise CheckpointError(f"{path}: not a safetensors file that can be read: {error}") from None


def _pickled(path: Path) -> Any:
    require_whole(path)
    try:
        # An open file: by a path's ending torch would choose another reader.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # torch explains what it then refuses
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(f"{path}: {_refusal(error)}") from None


def _refusal(error: Exception) -> str:
    """Torch's reason in short: its own text advises to run the file's code."""
    reason = str(error)
    if found := re.search(r"GLOBAL (\S+)", reason):
        return (
            f"holds Python objects ({found[1]}), and reading them could run code: refused. Where "
            "you trust the file, keep its numbers alone: torch.save(model.state_dict(), ...)"
        )
    if "TorchScript" in reason:
        return "is a TorchScript program, not weights; save its state_dict() instead"
    if "central directory" in reason or "zip archive" in reason:
        return "not a checkpoint that can be read: cut off or damaged"
    if not isinstance(error, RuntimeError | pickle.UnpicklingError):  # of a reader gone astray
        return "not a checkpoint that can be read: not a file of torch.save"
    line = next(iter(reason.strip().splitlines()), "no reason given")
    if line.startswith("Weights only load failed"):
        line = "not numbers and plain containers alone, or damaged"
    return f"not a checkpoint that can be read: {line[:200]}"


def _shards(index: Path) -> dict[str, Tensor]:
    """All tensors of an index; every shard must lie beside it and hold what the index says."""
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        places = {str(name): str(file) for name, file in places.items()}
    except OSError as error:
        raise CheckpointError(f"{index}: cannot read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CheckpointError(
            f'{index}: expected an index of shards, {{"weight_map": {{name: file}}}}'
        ) from None
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        if Path(file).name != file:
            raise CheckpointError(f"{index}: expected files beside the index, got {file!r}")
        held = _content(index.with_name(file))
        for name in (name for name, place in places.items() if place == file):
            if not isinstance(held, Mapping) or not isinstance(held.get(name), Tensor):
                raise CheckpointError(
                    f"{index.with_name(file)}: expected {name}, as {index.name} says, got none"
                )
            tensors[name] = held[name]
    return tensors
