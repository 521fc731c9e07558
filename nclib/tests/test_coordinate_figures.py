"""Pictures of coordinates, races and parts: they show the numbers they are given."""

from __future__ import annotations

import pytest
import torch

from nclib.figures.coordinates import plot_approach, plot_coordinates, plot_parts
from nclib.theory.central_path import loss, loss_parts
from nclib.theory.free_features import start

from .tolerances import EXACT

pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed


def test_decisions_do_not_move_with_coordinates():
    """Each sample stands on ground of the same class in every panel; every mean is marked."""
    white = start(3, 12, 2, seed=1, omega=[6.0, 4.0]).flatten(0, 1)
    labels = torch.arange(3).repeat_interleave(12)
    mixed = white @ torch.tensor([[1.0, 0.7], [-0.6, 1.0]], dtype=torch.float64)
    figure = plot_coordinates({"mixed": mixed, "white": white}, labels)
    grounds = []
    for ax, points in zip(figure.axes, (mixed, white), strict=True):
        (image,) = ax.images
        left, right, bottom, top = image.get_extent()
        ground = torch.as_tensor(image.get_array())
        cell = torch.tensor([right - left, top - bottom]) / len(ground)
        column, row = ((points - torch.tensor([left, bottom])) / cell).long().T
        grounds.append(ground[row.clamp(max=len(ground) - 1), column.clamp(max=len(ground) - 1)])
        assert len(ax.collections) == 6
        assert ax.get_xlabel() in ("mixed", "white")
    assert float((grounds[0] == grounds[1]).double().mean()) > 0.95  # the ground is a grid


def test_parts_of_one_value():
    """The curves are one value's share of loss_parts and loss, and cross at sqrt(C)."""
    ax = plot_parts(5)
    total, nc1, nc23, mark = (torch.as_tensor(line.get_xydata()) for line in ax.lines)
    for k in (0, 80, 199):
        omega = torch.tensor([nc1[k, 0], 1e9, 1e9, 1e9], dtype=torch.float64)  # the others pay 0
        expected = torch.stack([loss(omega, 5), *loss_parts(omega, 5)])
        shown = torch.stack([total[k, 1], nc1[k, 1], nc23[k, 1]])
        assert torch.allclose(shown, expected, rtol=1e-9, atol=1e-17)
    assert abs(float(mark[0, 0]) - 5**0.5) < EXACT


def test_races_are_drawn_by_name():
    """One line for each race, with its name and all its points."""
    times = torch.arange(1, 9)
    ax = plot_approach({"slow": (times, 1 / times), "fast": (times, 1 / times**2)})
    assert [line.get_label() for line in ax.lines] == ["slow", "fast"]
    assert all(torch.as_tensor(line.get_xydata()).shape == (8, 2) for line in ax.lines)
