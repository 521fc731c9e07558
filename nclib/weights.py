"""Weights of anyone's network: read without running code, nested and prefixed as they come.

A checkpoint is a safetensors file, a file of ``torch.save``, a folder or an index of shards. The
pickles inside torch's files can hold code: they are read with ``weights_only=True``, which refuses
everything but numbers and plain containers, and there is no way around it here.

Chapter: measure.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoints import CheckpointError, require_whole

__all__ = ["CheckpointError", "Weights", "read"]

NESTED = (
    "state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params",
    "state_dict_ema", "model_ema", "ema_state_dict", "ema",
)  # fmt: skip
"""Where training programs keep the weights within a checkpoint, in the order they are taken."""

INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLES = ("model.safetensors", "pytorch_model.bin")
SHOWN = 3  # names in a message
IN_TRAINING = "num_batches_tracked"  # of batch norm; of no use in eval mode, missing in old files


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors of a checkpoint by name, and where in the file they stood.

    ``key`` is the part of the file that was taken, "" for all of it, and ``others`` names parts
    that hold weights too, such as a moving average.   Chapter: measure.
    """

    path: Path
    tensors: dict[str, Tensor]
    key: str = ""
    others: tuple[str, ...] = ()

    def named_as(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors under a model's own names: "module.fc.bias" is "fc.bias" to the model.

        What wrappers put before every name is taken off, whatever it is called. Tensors outside
        of the prefix, such as a loss's, are left out. A file that holds the model twice raises
        CheckpointError.
        """
        # torch.compile writes this into names, in the middle, too.
        tensors = {name.replace("_orig_mod.", ""): value for name, value in self.tensors.items()}
        prefix = self._prefix(tensors, set(names))
        return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

    def load_into(self, model: nn.Module, who: str = "the model") -> None:
        """Copy the weights into a model that they fit whole; else CheckpointError, nothing copied.

        The message names what is missing, unexpected, of another shape, or not finite; ``who`` is
        the model's name in it.
        """
        wanted = model.state_dict()
        found = self.named_as(wanted)
        if faults := _differences(wanted, found):
            raise CheckpointError(f"{self.path}: does not fit {who}: {'; '.join(faults)}")
        for name, tensor in found.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(f"{self.path}: {name}: holds NaN or infinite numbers")
        model.load_state_dict(found, strict=False)

    def _prefix(self, tensors: Mapping[str, Tensor], names: set[str]) -> str:
        """What stands before the model's names in this file: the prefix that fits most of them."""
        fits = Counter[str]()
        for name in tensors:
            parts = name.split(".")
            for cut in range(len(parts)):
                if ".".join(parts[cut:]) in names:
                    fits[".".join([*parts[:cut], ""])] += 1
        most = max(fits.values(), default=0)
        best = [prefix for prefix, count in fits.items() if count == most]
        if "" in best or not best:
            return ""
        if len(best) > 1:
            keys = " or ".join(f"--key {prefix[:-1]}" for prefix in best[:SHOWN])
            raise CheckpointError(f"{self.path}: holds the model {len(best)} times; choose: {keys}")
        return best[0]


def read(path: Path | str, key: str | None = None) -> Weights:
    """The weights in a file, or in a folder as Hugging Face writes it; on the CPU, no code is run.

    ``key`` chooses a part of the file: an entry such as "ema", or what stands before the names.
    Without one the usual places are looked through. Files that cannot be read, pickles that would
    run code, and files without weights raise CheckpointError.   Chapter: measure.
    """
    path = Path(path).expanduser()
    path = _within(path) if path.is_dir() else path
    content = _shards(path) if path.suffix == ".json" else _content(path)
    return _taken(path, content, key)


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
        raise CheckpointError(f"{path}: {_refusal(str(error))}") from None


def _refusal(reason: str) -> str:
    """Torch's reason in short: its own text advises to run the file's code."""
    if found := re.search(r"GLOBAL (\S+)", reason):
        return (
            f"holds Python objects ({found[1]}), and reading them could run code: refused. Where "
            "you trust the file, keep its numbers alone: torch.save(model.state_dict(), ...)"
        )
    if "TorchScript" in reason:
        return "is a TorchScript program, not weights; save its state_dict() instead"
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


def _taken(path: Path, content: Any, key: str | None) -> Weights:
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"{path}: expected tensors by name (a state_dict), got a {kind}")
    if key:
        if isinstance(content.get(key), Mapping) and (tensors := _tensors(content[key])):
            return Weights(path, tensors, key)
        inner = _inner(path, content)
        tensors = {n: t for n, t in inner.tensors.items() if n.startswith(key + ".")}
        if not tensors:
            raise CheckpointError(f"{path}: nothing under {key!r}, got {_brief(content)}")
        return Weights(path, {n.removeprefix(key + "."): t for n, t in tensors.items()}, key)
    return _inner(path, content)


def _inner(path: Path, content: Mapping) -> Weights:
    """The usual place of the weights, else the tensors of the file itself, else its only part."""
    parts = {k: v for k, v in content.items() if isinstance(v, Mapping) and _holds_tensors(v)}
    usual = [name for name in NESTED if name in parts]
    tensors = _tensors(content)
    if not usual and tensors:
        return Weights(path, tensors)
    chosen = usual or ([str(k) for k in parts] if len(parts) == 1 else [])
    if not chosen:
        raise CheckpointError(f"{path}: expected tensors by name, got {_brief(content)}")
    within = _inner(path, content[chosen[0]])
    key = ".".join(filter(None, (chosen[0], within.key)))
    return Weights(path, within.tensors, key, (*chosen[1:], *within.others))


def _tensors(content: Mapping) -> dict[str, Tensor]:
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _holds_tensors(content: Mapping, depth: int = 3) -> bool:
    inner = (v for v in content.values() if isinstance(v, Mapping) and depth)
    return bool(_tensors(content)) or any(_holds_tensors(v, depth - 1) for v in inner)


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    missing = [n for n in wanted if n not in found and not n.endswith(IN_TRAINING)]
    extra = [n for n in found if n not in wanted]
    both = [(n, wanted[n], found[n]) for n in wanted if n in found]
    shapes = [(n, mine, theirs) for n, mine, theirs in both if mine.shape != theirs.shape]
    kinds = [n for n, a, b in both if a.is_floating_point() != b.is_floating_point()]
    faults = []
    if missing:
        faults.append(f"{len(missing)} of {len(wanted)} tensors missing ({_brief(missing)})")
    if extra:
        faults.append(f"{len(extra)} unexpected ({_brief(extra)})")
    if shapes:
        told = (f"{n} {tuple(b.shape)} for {tuple(a.shape)}" for n, a, b in shapes)
        faults.append(f"{len(shapes)} of another shape ({_brief(told)})")
    if kinds:
        faults.append(f"{len(kinds)} of another kind, as of a quantized model ({_brief(kinds)})")
    rows = {b.shape[0] for _, a, b in shapes if b.ndim and a.shape[1:] == b.shape[1:]}
    alike = all(b.ndim and a.shape[1:] == b.shape[1:] for _, a, b in shapes)
    if alike and len(rows) == 1:
        faults.append(f"its head has {rows.pop()} classes: see --num-classes")
    return faults


def _brief(names: Iterable[Any]) -> str:
    told = [str(name) for name in names]
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ", ".join(told[:SHOWN]) + more if told else "nothing"
