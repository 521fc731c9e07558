"""Pictures of the rescaled landscape and of miniatures: what is drawn is what was given."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch

from nclib import Head, simplex_etf
from nclib.figures import miniatures as small
from nclib.figures import rescaled as local
from nclib.miniatures import Snapshot
from nclib.stats import ClassStats
from nclib.theory.rescaled import LocalLandscape, cross_entropy

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

PLAIN, HEAVY = LocalLandscape(10, 1.0, 1.0), LocalLandscape(10, 5.0, 1.0)
LOSSES = {"plain": PLAIN.loss, "heavy": HEAVY.loss, "ce": lambda s, t: cross_entropy(s, t, 10)}
TIMES = torch.linspace(0, 3, 7).double()


def drawn(ax: Any) -> dict[str, tuple[list[float], list[float]]]:
    """The lines of an axis by label."""
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for line in ax.get_lines()
    }


@pytest.mark.parametrize("plot", [local.plot_landscapes, local.plot_plane])
def test_each_loss_has_its_panel(plot):
    """A panel for each loss, under its heading, with the same limits; a spare one is empty."""
    figure = plot(LOSSES, radius=4.0)
    figure.canvas.draw()
    used = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in used] == list(LOSSES)
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in used}) == 1
    assert all(ax.collections for ax in used)


def test_paths_lie_in_the_plane_as_given():
    """A path is drawn point by point in the panel of its heading only, with a mark at its end."""
    path = HEAVY.flow(2.0, 2.0, TIMES)
    figure = local.plot_plane(LOSSES, radius=4.0, paths={"heavy": [path]})
    lines: Any = [ax.get_lines() for ax in figure.axes]
    assert [len(found) for found in lines] == [0, 2, 0, 0]
    assert np.allclose(lines[1][0].get_xydata(), torch.stack(path, 1))
    assert lines[1][1].get_xydata().tolist() == [[float(part[-1]) for part in path]]


def test_turning_shows_angle_and_radial_error():
    """Above the angle in degrees, below the distance to the best radius, relative to it."""
    figure = local.plot_turning({"plain": PLAIN, "heavy": HEAVY}, start=(0.5, 1.5), times=TIMES)
    angle, error = (drawn(ax) for ax in figure.axes)
    along, across = HEAVY.flow(0.5, 1.5, TIMES)
    assert np.allclose(angle["heavy"][1], torch.atan2(across, along).rad2deg())
    assert angle["heavy"][1][0] == pytest.approx(math.degrees(1.5))
    assert np.allclose(
        error["plain"][1], (PLAIN.flow(0.5, 1.5, TIMES)[0] / PLAIN.minimum - 1).abs()
    )


def test_shrinkage_draws_both_parts():
    """The first number is c, the second belongs above, the third below."""
    figure = local.plot_shrinkage({"(1, 1)": [(0.1, 0.9, 0.5), (0.2, 0.8, 0.3)]})
    above, below = (drawn(ax)["(1, 1)"] for ax in figure.axes)
    assert above == ([0.1, 0.2], [0.9, 0.8]) and below == ([0.1, 0.2], [0.5, 0.3])


def snapshot(step: int, accuracy: float) -> Snapshot:
    stats = ClassStats.of(simplex_etf(3).repeat(2, 1), torch.arange(3).repeat(2), 3)
    head = Head(simplex_etf(3), torch.zeros(3))
    metrics = {"product_distance": 1 / (step + 1), "relative_variability": 2.0 / (step + 1)}
    return Snapshot(step, 2 * step, 1.0, metrics, accuracy, accuracy / 2, stats, head)


RUN = [snapshot(step, 0.5 + step / 100) for step in (1, 3, 10)]


@pytest.mark.parametrize("against", ["step", "evaluations"])
def test_runs_draw_their_measurements(against):
    """One line per run and panel; accuracies on linear axes, the rest on logarithmic ones."""
    panels = {"NC1": "relative_variability", "test": "test_accuracy", "train": "accuracy"}
    figure = small.plot_runs({"a": RUN, "b": RUN[:2]}, panels, against=against)
    first, second, third, spare = figure.axes
    assert drawn(first)["a"] == (
        [getattr(s, against) for s in RUN],
        [s.metrics["relative_variability"] for s in RUN],
    )
    assert drawn(second)["b"][1] == [s.test_accuracy for s in RUN[:2]]
    assert drawn(third)["a"][1] == [s.accuracy for s in RUN]
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear") and not spare.axison
    with pytest.raises(ValueError, match="runs: expected at most 5"):
        small.plot_runs({str(k): RUN for k in range(6)}, panels)


def test_dimensions_show_networks_and_law():
    """Every seed is a mark; law and floor are lines."""
    ends = {2: [RUN[0], RUN[1]], 3: [RUN[2]]}
    figure = small.plot_dimensions(ends, law={2: 0.6, 3: 0.8}, floor={2: 0.7, 3: 0.5})
    top, bottom = (drawn(ax) for ax in figure.axes)
    assert top["networks"] == ([2, 2, 3], [s.accuracy for s in RUN])
    assert bottom["networks"][1] == [s.metrics["product_distance"] for s in RUN]
    assert top["$(d+1)/K$, at most 1"] == ([2, 3], [0.6, 0.8])
    assert bottom["best possible"] == ([2, 3], [0.7, 0.5])


def test_class_logits_are_the_image():
    """The image holds the matrix, row by row; other shapes are refused."""
    matrix = torch.arange(9.0).reshape(3, 3) / 10
    ax = small.plot_class_logits(matrix)
    image: Any = ax.get_images()[0]
    assert np.allclose(image.get_array(), matrix)
    with pytest.raises(ValueError, match=r"logits: expected \(C, C\)"):
        small.plot_class_logits(matrix[:2])
