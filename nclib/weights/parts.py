"""Where in a checkpoint the weights stand: under a key, in a usual place, or bare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..checkpoints import CheckpointError
from .fitting import Weights, brief

__all__ = ["NESTED", "taken"]

NESTED = (
    "state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params",
    "state_dict_ema", "model_ema", "ema_state_dict", "ema",
)  # fmt: skip
"""Where training programs keep the weights within a checkpoint, in the order they are taken."""


def taken(path: Path, content: Any, key: str | None) -> Weights:
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise CheckpointError(f"{path}: expected tensors by name (a state_dict), got a {kind}")
    if not key:
        return _usual(path, content)
    for head, tail in _cuts(key):
        part = _entry(content, head)
        if part is None or not _holds_tensors(part):
            continue
        found = _usual(path, part)
        begin = f"{tail}." if tail else ""
        held = ((n, t) for n, t in found.tensors.items() if n.startswith(begin))
        tensors = {n.removeprefix(begin): t for n, t in held}
        if tensors:
            inner = tail or found.key
            others = tuple(_joined(head, name) for name in found.others)
            return Weights(path, tensors, _joined(head, inner), others)
    raise CheckpointError(f"{path}: nothing under {key!r}, got {brief(content)}")


def _usual(path: Path, content: Mapping) -> Weights:
    """The usual place of the weights, else the tensors of the file itself, else its only part."""
    parts = {k: v for k, v in content.items() if isinstance(v, Mapping) and _holds_tensors(v)}
    usual = [name for name in NESTED if name in parts]
    tensors = _tensors(content)
    if not usual and tensors:
        return Weights(path, tensors)
    chosen = usual or ([str(k) for k in parts] if len(parts) == 1 else [])
    if not chosen:
        raise CheckpointError(f"{path}: expected tensors by name, got {brief(content)}")
    first = chosen[0]
    within = _usual(path, content[first])
    others = (*chosen[1:], *(_joined(first, name) for name in within.others))
    return replace(within, key=_joined(first, within.key), others=others)


def _cuts(key: str) -> Iterator[tuple[str, str]]:
    """(entry, what stands before the names in it), the longest entry first."""
    words = key.split(".")
    for cut in range(len(words), -1, -1):
        yield ".".join(words[:cut]), ".".join(words[cut:])


def _entry(content: Mapping, key: str) -> Mapping | None:
    """What stands under a dotted key; the names of entries may hold dots of their own."""
    if not key:
        return content
    for head, tail in _cuts(key):
        part = content.get(head) if head else None
        if isinstance(part, Mapping) and (found := _entry(part, tail)) is not None:
            return found
    return None


def _joined(*names: str) -> str:
    return ".".join(filter(None, names))


def _tensors(content: Mapping) -> dict[str, Tensor]:
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _holds_tensors(content: Mapping, depth: int = 3) -> bool:
    inner = (v for v in content.values() if isinstance(v, Mapping) and depth)
    return bool(_tensors(content)) or any(_holds_tensors(v, depth - 1) for v in inner)
