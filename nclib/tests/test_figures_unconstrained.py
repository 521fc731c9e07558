"""Pictures of the unconstrained-features model show the numbers they are given."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from nclib.figures import unconstrained as pictures
from nclib.theory import unconstrained as free

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

SCALES = (1e-1, 1e-2, 1e-3)
STEPS = (0, 10, 20, 30)


def drawn(ax: Axes, axis: int) -> list[list[float]]:
    """The coordinates of every line of a panel, horizontal (0) or vertical (1)."""
    return [np.asarray(line.get_data()[axis]).tolist() for line in ax.lines]


@pytest.fixture
def errors():
    start = free.random_start(3, 2, 4, torch.tensor(SCALES).double(), seed=0)
    return free.errors(*free.descend(start, 0.01, 30, record=10))


def test_emergence_draws_the_errors(errors):
    """Three panels, each with a curve per start that runs through the given errors."""
    axes = pictures.plot_emergence(STEPS, errors, SCALES).axes
    assert len(axes) == 3
    for ax, values in zip(axes, (errors.snc1, errors.snc2, errors.snc3), strict=True):
        assert drawn(ax, 1) == values.T.tolist()
        assert ax.get_yscale() == "log"


def test_emergence_names_its_starts(errors):
    """The key tells the size of each start, and no two curves look alike."""
    figure = pictures.plot_emergence(STEPS, errors, SCALES)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1e-1", "1e-2", "1e-3"]
    looks = {(line.get_linestyle(), line.get_color()) for line in figure.axes[0].lines}
    assert len(looks) == len(SCALES)


def test_distance_draws_the_distance(errors):
    """One panel, a curve per start."""
    (ax,) = pictures.plot_distance(STEPS, errors.distance, SCALES).axes
    assert drawn(ax, 1) == errors.distance.T.tolist()


def test_fall_draws_every_feature():
    """A thin path per feature, and a large mark where each class ends."""
    path = free.descend(free.random_start(3, 4, 2, torch.tensor(0.5), seed=0), 0.01, 20, record=5)
    (ax,) = pictures.plot_fall(path.H, path.W[-1], 3).axes
    paths = [xs for xs in drawn(ax, 0) if len(xs) == 5]
    ends = [ys for ys in drawn(ax, 1) if len(ys) == 1]
    assert paths == path.H[:, 0].T.tolist()
    assert ends == path.H[-1, 1, ::4, None].tolist()


def test_logistic_draws_lines_and_dots():
    """A line and its dots per singular value, in one color."""
    times, dots = torch.linspace(0, 1, 7), torch.tensor([0.0, 1.0])
    closed = free.logistic(torch.tensor([0.1, 0.5]), 4, times[:, None])
    (ax,) = pictures.plot_logistic(times, closed, dots, closed[[0, -1]]).axes
    assert drawn(ax, 1)[2:] == [closed[:, 1].tolist(), closed[[0, -1], 1].tolist()]
    assert ax.lines[2].get_color() == ax.lines[3].get_color() != ax.lines[0].get_color()


def test_plateau_leaves_out_step_zero():
    """Both curves of each start, from the first step on: step zero has no logarithm."""
    risk = torch.tensor([[1.0, 2.0], [0.1, 0.2], [0.01, 0.02]])
    (ax,) = pictures.plot_plateau((0, 1, 2), risk, risk / 2, (1e-1, 1e-2)).axes
    assert drawn(ax, 1) == [x[1:].tolist() for k in (0, 1) for x in (risk[:, k], risk[:, k] / 2)]
