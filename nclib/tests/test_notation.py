"""The notation table is true: every expression runs and has the shape it says."""

from __future__ import annotations

import pytest
import torch

import nclib
from nclib.notation import NOTATION
from nclib.snr import snr

from .samples import random_sample

N, C, D = 30, 5, 7


@pytest.fixture(scope="module")
def names():
    sample = random_sample(0, C, D, N // C)
    stats = sample.stats
    decisions = nclib.decide(sample.features, sample.labels, sample.head, stats.means)
    public = {name: getattr(nclib, name) for name in ("centering", "simplex_etf", "measure")}
    public |= {name: getattr(nclib, name) for name in ("least_squares", "decompose")}
    return public | {
        "features": sample.features, "labels": sample.labels, "stats": stats,
        "head": sample.head, "ridge": 0.1, "decisions": decisions, "snr": snr,
    }  # fmt: skip


def shape_of(value) -> str:
    """The shape of a value in the table's letters."""
    letters = {N: "N", C: "C", D: "d", C - 1: "C-1"}
    if isinstance(value, tuple) and all(isinstance(v, torch.Tensor) for v in value):
        return ", ".join(shape_of(v) for v in value)
    if isinstance(value, tuple):
        return f"({len(value)},)"
    if not isinstance(value, torch.Tensor):
        return ""
    sides = [letters[side] for side in value.shape]
    return f"({sides[0]},)" if len(sides) == 1 else f"({', '.join(sides)})"


@pytest.mark.parametrize("symbol", NOTATION, ids=lambda s: s.code)
def test_code_runs_and_has_the_shape_it_says(symbol, names):
    """Each expression evaluates, and its shape is the one on the notation page."""
    assert shape_of(eval(symbol.code, {"__builtins__": {}}, dict(names))) == symbol.shape


def test_symbols_are_unique():
    """One letter, one meaning; one expression, one line."""
    assert len({s.tex for s in NOTATION}) == len({s.code for s in NOTATION}) == len(NOTATION)
