"""The state of a meter as plain tensors, and the way back, checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..moments import is_finite
from ..stats import ClassStats

__all__ = ["notes_in", "number_in", "stats_in", "tensors_of"]

TENSORS = ("counts", "means", "spread")


def tensors_of(stats: ClassStats) -> dict[str, Tensor]:
    """Counts, means, spread and, where it was kept, the scatter; on the CPU."""
    names = TENSORS if stats.scatter is None else (*TENSORS, "scatter")
    return {name: getattr(stats, name).cpu() for name in names}


def stats_in(state: Mapping[str, Any]) -> ClassStats | None:
    """The statistics of a state, None where it has none; a ValueError for what can't be any."""
    if "counts" not in state:
        return None
    wanted = [name for name in (*TENSORS, "scatter") if name in TENSORS or name in state]
    wrong = [name for name in wanted if not isinstance(state.get(name), Tensor)]
    if wrong:
        raise ValueError(f"state: expected tensors {wanted}, {wrong} missing or of another type")
    counts, means, spread = (state[name] for name in TENSORS)
    scatter = state.get("scatter")
    if means.ndim != 2:
        raise ValueError(f"state: expected class means (C, d), got {tuple(means.shape)}")
    C, d = means.shape
    square = scatter is None or scatter.shape == (d, d)
    if counts.shape != (C,) or spread.shape != (C,) or not square:
        raise ValueError(f"state: expected counts and spread ({C},), scatter ({d}, {d})")
    if counts.is_floating_point() or bool((counts < 0).any()):
        raise ValueError("state: expected counts in whole numbers >= 0")
    numbers = {name: state[name].double().clone() for name in wanted if name != "counts"}
    bad = [name for name, one in numbers.items() if not is_finite(one)]
    if bad or bool((numbers["spread"] < 0).any()):
        raise ValueError(
            f"state: expected finite numbers, got NaN or infinity in {bad}" if bad
            else "state: expected a spread >= 0"
        )  # fmt: skip
    return ClassStats(
        counts.long().clone(), numbers["means"], numbers.get("scatter"), numbers["spread"]
    )


def number_in(state: Mapping[str, Any], name: str) -> int:
    """A whole number >= 0 of a state."""
    value = state[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"state: expected {name!r} to be a whole number >= 0, got {value!r}")
    return value


def notes_in(state: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """The notes and the fingerprints of the layer of a state."""
    found = []
    for name, kind in (("notes", str), ("weights", int)):
        values = state[name]
        if not isinstance(values, list) or not all(isinstance(one, kind) for one in values):
            raise ValueError(f"state: expected {name!r} to be a list of {kind.__name__}")
        found.append(list(values))
    return found[0], found[1]
