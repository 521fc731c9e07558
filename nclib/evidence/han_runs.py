"""Figures of Han, Papyan & Donoho on the runs that are stored with the package.

All of ours say "in every stored run": the error is the worst of them, and a run that is added to
results/ is asked the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from math import inf
from pathlib import Path

from ..records import Row, read
from ..series import Series
from ..statements import falls_of
from .check import Check, worst_of

__all__ = [
    "angles_become_equal",
    "angles_become_widest",
    "best_terms_fall_as_stated",
    "decisions_become_the_nearest_mean",
    "deviation_ends_small",
    "heads_and_means_become_parallel",
    "norms_become_equal",
    "test_features_collapse_less",
    "variability_collapses",
]

RIDGE = "consistent"


def _worst(says: str, bar: float, error: Callable[[Sequence[Row]], float]) -> Check:
    """The largest error among the finished runs that were trained with the squared error."""
    paths = sorted(Path(str(files("nclib"))).glob("results/*-*-*.jsonl"))
    runs = [rows for run, rows in map(read, paths) if run.cell["loss"] == "mse"]
    if not runs:
        return Check(f"{says}: no stored run", inf, bar)
    return Check(f"{says}, worst of {len(runs)} stored runs", worst_of(*map(error, runs)), bar)


def _share(name: str) -> Callable[[Sequence[Row]], float]:
    """A measurement on the training images at the last look over that at the first."""

    def share(rows: Sequence[Row]) -> float:
        column = Series.of(rows, "train").metric(name)
        return column[-1] / column[0]

    return share


def deviation_ends_small() -> Check:
    """L_perp beside L_NC1 at the last look, under the ridge that is trained."""

    def ratio(rows: Sequence[Row]) -> float:
        terms = Series.of(rows, "train").terms(RIDGE)
        return terms["perp"][-1] / terms["nc1"][-1]

    return _worst("L_perp / L_NC1 at the end", 0.1, ratio)


def best_terms_fall_as_stated() -> Check:
    """L_NC2/3 falls by a larger factor than L_NC1, and ends below it."""

    def ratio(rows: Sequence[Row]) -> float:
        terms, falls = Series.of(rows, "train").terms(RIDGE), falls_of(rows, RIDGE)
        return max(falls["nc1"] / falls["nc23"], terms["nc23"][-1] / terms["nc1"][-1])

    return _worst("L_NC2/3 against L_NC1: slower fall or larger end", 1.0, ratio)


def norms_become_equal() -> Check:
    """The spread of the norms of class means, last look over first."""
    return _worst("spread of the norms of class means, last over first",
                  0.25, _share("norm_spread_means"))  # fmt: skip


def angles_become_equal() -> Check:
    """The spread of the cosines between class means, last look over first."""
    return _worst("spread of the cosines of class means, last over first",
                  0.25, _share("cosine_spread_means"))  # fmt: skip


def angles_become_widest() -> Check:
    """The distance of the cosines of class means from -1/(C-1), last look over first."""
    return _worst("distance of cosines from -1/(C-1), last over first",
                  0.25, _share("angle_to_simplex_means"))  # fmt: skip


def heads_and_means_become_parallel() -> Check:
    """The distance between classifier and class means, last look over first."""
    return _worst("duality gap, last over first", 0.25, _share("duality_gap"))


def variability_collapses() -> Check:
    """NC1, last look over first."""
    return _worst("NC1, last over first", 1 / 30, _share("relative_variability"))


def decisions_become_the_nearest_mean() -> Check:
    """The share of test images on which classifier and nearest class mean differ, at the end."""
    return _worst("mismatch on test images at the end", 0.01,
                  lambda rows: Series.of(rows, "test").mismatch[-1])  # fmt: skip


def test_features_collapse_less() -> Check:
    """NC1 on test images falls, and ends above that on training images."""

    def ratio(rows: Sequence[Row]) -> float:
        train, test = (
            Series.of(rows, split).metric("relative_variability") for split in ("train", "test")
        )
        return max(test[-1] / test[0], train[-1] / test[-1])

    return _worst("NC1 on test images: last over first, and train over test", 1.0, ratio)
