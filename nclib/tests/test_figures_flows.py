"""Figures of flows: the artists hold the law's numbers, and the geometry is that of the loss."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import same_color
from mpl_toolkits.mplot3d import Axes3D

from nclib.figures import cylinder, flows
from nclib.palette import COLORS
from nclib.theory import free_features
from nclib.theory.central_path import CentralPath
from nclib.theory.two_speeds import RenormalizedPath

from .tolerances import EXACT, ITERATED

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

PATH = CentralPath(4, 9, torch.tensor([3.0, 1.2, 0.4]))
TIMES = torch.logspace(-1, 6, 29, dtype=torch.float64)
VALUES = PATH.at(TIMES)


def named(ax: Any) -> dict[str, Any]:
    """The lines that the legend names."""
    return {str(x.get_label()): x for x in ax.get_lines() if not str(x.get_label()).startswith("_")}


def test_modes_are_those_of_the_path():
    """One line a mode, with its numbers, on logarithmic axes, all different."""
    ax: Any = flows.plot_modes(TIMES, VALUES)
    drawn = named(ax)
    for j in range(3):
        assert list(drawn[f"$j={j + 1}$"].get_ydata()) == VALUES[:, j].tolist()
        assert list(drawn[f"$j={j + 1}$"].get_xdata()) == TIMES.tolist()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert len({(str(x.get_color()), x.get_linestyle()) for x in drawn.values()}) == 3


def test_guides_and_points_are_drawn_as_given():
    """A guide is a gray line with its name, a simulation a mark in the color of its mode."""
    law = (4 * TIMES / 9) ** 0.25
    ax: Any = flows.plot_modes(
        TIMES, VALUES, guides={"law": law}, points=(TIMES[::7], VALUES[::7]), log=False
    )
    assert list(named(ax)["law"].get_ydata()) == law.tolist()
    assert same_color(named(ax)["law"].get_color(), COLORS["simplex"])
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    for j, line in enumerate(dots):
        assert list(line.get_ydata()) == VALUES[::7, j].tolist()
        assert same_color(line.get_color(), named(ax)[f"$j={j + 1}$"].get_color())
    assert len(dots) == 3 and ax.get_yscale() == "linear"


def test_many_modes_need_no_legend():
    """Nine lines are told apart by tint, and a legend of nine names is not drawn."""
    nine = CentralPath(10, 5, torch.linspace(0.3, 3, 9)).at(TIMES)
    ax: Any = flows.plot_modes(TIMES, nine)
    assert len(ax.get_lines()) == 9 and ax.get_legend() is None


def test_flows_keep_their_looks():
    """Each flow has its own color and dash, its points the same color; columns share one name."""
    curves = {name: (TIMES, VALUES * (k + 1)) for k, name in enumerate(flows.FLOWS)}
    points = {name: (TIMES[:2], VALUES[:2, 0]) for name in flows.FLOWS}
    ax: Any = flows.plot_flows(curves, ylabel="value", points=points, limit=1.0)
    drawn = named(ax)
    assert list(drawn) == list(flows.FLOWS)
    assert len({(x.get_color(), str(x.get_linestyle())) for x in drawn.values()}) == 4
    marks = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    for k, (name, line) in enumerate(drawn.items()):
        assert list(line.get_ydata()) == (VALUES[:, 0] * (k + 1)).tolist()
        assert same_color(marks[k].get_color(), flows.FLOWS[name]["color"])
    level = [line for line in ax.get_lines() if list(line.get_ydata()) == [1.0, 1.0]]
    assert len(level) == 1 and len(ax.get_lines()) == 4 * 3 + 4 + 1


def test_other_names_are_drawn_too():
    """A flow without a look of its own gets one."""
    ax: Any = flows.plot_flows({"mine": (TIMES, VALUES[:, 0])}, ylabel="", log=False)
    assert list(named(ax)) == ["mine"] and ax.get_yscale() == "linear"


def test_collapse_panels_show_their_measures():
    """Panels by name, a line for each measure, mismatch on a linear axis from zero on."""
    names = [name for columns in flows._PANELS.values() for name in columns]
    measured = [{name: (k + 1) / float(t) for k, name in enumerate(names)} for t in TIMES]
    mismatch = [0.0] * len(TIMES)
    figure = flows.plot_collapse(TIMES, measured, mismatch)
    drawn = [line for ax in figure.axes for line in ax.get_lines()]
    for k, line in enumerate(drawn[:-1]):
        assert np.allclose(line.get_ydata(), [(k + 1) / float(t) for t in TIMES], rtol=EXACT)
    assert len(drawn) == len(names) + 1 and np.array_equal(drawn[-1].get_ydata(), mismatch)
    assert [ax.get_title(loc="left") for ax in figure.axes[:5]][-1].startswith("NC4")
    assert figure.axes[4].get_yscale() == "linear" and figure.axes[0].get_yscale() == "log"


# The plane of noise and signal -------------------------------------------------------------------


def tiny(noise: float, signal: float) -> torch.Tensor:
    """Two classes of two samples, one feature, with this noise and signal: (2, 2, 1)."""
    spread = noise * torch.tensor([[1.0, -1.0], [1.0, -1.0]], dtype=torch.float64)
    return (spread + signal * torch.tensor([[1.0], [-1.0]], dtype=torch.float64))[..., None]


@settings(max_examples=20, deadline=None)
@given(noise=st.floats(0.2, 2), signal=st.floats(0.1, 3))
def test_velocity_is_the_gradient_of_the_tiny_world(noise, signal):
    """The plane's velocity is minus the brute-force gradient in units of 1/(C^2 N)."""
    slope = -free_features.gradient(tiny(noise, signal)) * 4 * 2
    s, m = cylinder.velocity(noise, signal)
    assert torch.allclose(slope, tiny(s, m), rtol=ITERATED, atol=EXACT)
    assert abs(s * noise + m * signal) <= EXACT * (abs(s) + abs(m))  # along a circle


def test_cylinder_step_is_the_sum_of_its_parts():
    """Three arrows: tangent along the axis, normal towards it, and their sum."""
    space = cylinder.plot_cylinder(0.7, step=2.0)
    shafts: dict[str, Any] = {}
    for arrow in space.collections:
        tip, base = np.array(vars(arrow)["_segments3d"][0])  # the shaft, drawn from its tip
        shafts[str(arrow.get_label())] = tip - base
    step, kept, removed = (np.array(v) for v in shafts.values())
    assert np.allclose(kept + removed, step, atol=EXACT)
    assert np.allclose(kept[:2], 0, atol=EXACT) and kept[2] > 0
    assert np.isclose(removed[2], 0) and np.isclose(np.hypot(*removed[:2]), 0.7 * kept[2])
    with pytest.raises(TypeError, match="3-D axes"):
        cylinder.plot_cylinder(ax=plt.figure().add_subplot())
    assert isinstance(space, Axes3D)


def test_two_ways_back_have_the_speeds_of_their_flows():
    """Projecting lands where one Euler step of Proposition 2 does, whitening beyond, by s."""
    signal, step = 0.6, 1e-6
    ax: Any = cylinder.plot_plane(signal, step=step)
    arrows = [text for text in ax.texts if hasattr(text, "xyann")]
    (_, after), (_, projected), (_, whitened) = (arrow.xy for arrow in arrows)
    scale = 2**0.5  # omega = sqrt(C) m / s for two classes
    omega = torch.tensor([scale * signal], dtype=torch.float64)
    for height, path in (
        (projected, CentralPath(2, 2, omega)),
        (whitened, RenormalizedPath(2, 2, omega, 1.0)),
    ):
        speed = scale * (height - signal) / (step * 4 * 2)
        assert abs(speed / float(path.rate(omega)) - 1) < 1e-5  # of first order in the step
    assert after == projected < whitened
