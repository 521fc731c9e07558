"""What a sample says of a last layer, and what it is too small or too uneven to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..head import Head
from ..metrics import METRICS
from ..stats import ClassStats

__all__ = ["listed", "measurements", "notes_on", "seen_only"]

LISTED = 10  # classes that a note names


def seen_only(stats: ClassStats, head: Head) -> tuple[ClassStats, Head, Tensor]:
    """Statistics and head restricted to the classes with samples, and which those are.

    The centered means of some of the vertices of a simplex are a simplex again, so that every
    measurement keeps its meaning and its limit.   Chapter: measure.
    """
    seen = torch.nonzero(stats.counts > 0).flatten()
    if len(seen) < stats.num_classes:
        counts, means, spread = stats.counts[seen], stats.means[seen], stats.spread[seen]
        stats = replace(stats, counts=counts, means=means, spread=spread)
        head = Head(head.weight[seen], head.bias[seen])
    return stats, head, seen


def measurements(stats: ClassStats, head: Head) -> tuple[dict[str, float], dict[str, str]]:
    """Every measurement, and why there is none where it is NaN or infinite."""
    found, reasons = {}, {}
    for name, metric in METRICS.items():
        try:
            found[name] = float(metric(stats, head))
        except ValueError:
            if stats.scatter is not None or not metric.needs_scatter:
                raise
            found[name] = math.nan
            reasons[name] = (
                "needs the within-class covariance, or its part along the class means: "
                "covariance=True, or a second look (passes=2)"
            )
            continue
        if not math.isfinite(found[name]):
            reasons[name] = _why(name, stats, head)
    return found, reasons


def _why(name: str, stats: ClassStats, head: Head) -> str:
    needs = METRICS[name].needs
    if "head" in needs and not bool((head.weight.norm(dim=1) > 0).all()):
        return "rows of the classifier are zero"
    if name == "condition_number":
        return "infinite: the class means are linearly dependent"
    return "class means coincide"


def notes_on(counts: Tensor, dimension: int) -> list[str]:
    """What a reader must know about samples (C,) of so many features."""
    notes, seen = [], int((counts > 0).sum())
    empty, single = (torch.nonzero(counts == n).flatten().tolist() for n in (0, 1))
    if empty:
        notes.append(
            f"{len(empty):,} of {len(counts):,} classes without a sample left out: "
            f"{listed(empty)}. All numbers are those of the {seen:,} classes that were seen; "
            f"accuracy counts every output."
        )
    if single:
        notes.append(
            f"{len(single):,} classes with a single sample, so no spread: {listed(single)}."
        )
    if int(counts.sum()) - seen < dimension:
        notes.append(
            f"{int(counts.sum()):,} samples leave the within-class covariance of {dimension:,} "
            f"features singular: the least-squares head fits these very samples."
        )
    if dimension < seen - 1:
        notes.append(
            f"{dimension:,} features have no room for a simplex of {seen:,} classes (C-1 would be "
            f"enough): its limits cannot be reached."
        )
    return notes


def listed(classes: Sequence[int]) -> str:
    """Up to ten classes of many."""
    return ", ".join(map(str, classes[:LISTED])) + (", ..." if len(classes) > LISTED else "")
