"""Pictures of the two-speed family show the numbers they are given."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nclib.figures import two_speeds as pictures
from nclib.theory.two_speeds import least_exponent

from .tolerances import SINGLE

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed
TIMES = torch.logspace(0, 2, 5, dtype=torch.float64)


def drawn(ax: Axes) -> list[list[float]]:
    """The heights of the lines that are in the key."""
    return [np.asarray(line.get_ydata()).tolist() for line in named(ax)]


def named(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def test_exponents_reach_their_least_value() -> None:
    """Each curve runs from 1 down to its least value, which is marked, and no two look alike."""
    ax = pictures.plot_exponents([0.01, 0.36, 0.5])
    for line, ratio in zip(drawn(ax), (0.01, 0.36, 0.5), strict=True):
        assert min(line) == pytest.approx(least_exponent(ratio), abs=10 * SINGLE)
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(marks) == 3
    assert len({line.get_color() for line in named(ax)}) == 3


def test_spreads_draw_every_curve() -> None:
    """A panel for each start, a curve for each ratio, with the numbers given."""
    curves = {"a": TIMES, "b": TIMES.sqrt()}
    figure = pictures.plot_spreads(TIMES, {"one": curves, "two": {"a": 1 / TIMES}}, ylabel="y")
    assert [drawn(ax) for ax in figure.axes] == [
        [TIMES.tolist(), TIMES.sqrt().tolist()],
        [(1 / TIMES).tolist()],
    ]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["one", "two"]


def test_nc1_draws_both_readings() -> None:
    """Two named curves on a logarithmic axis."""
    ax = pictures.plot_nc1(TIMES, {"trace": TIMES, "snr": 1 / TIMES})
    assert drawn(ax) == [TIMES.tolist(), (1 / TIMES).tolist()]
    assert ax.get_yscale() == "log"
