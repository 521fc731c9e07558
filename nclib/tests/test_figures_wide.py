"""Figures of deep linear heads: lines are means over seeds of what the looks say."""

from __future__ import annotations

from typing import Any

import matplotlib
import pytest
import torch

from nclib.data import load
from nclib.figures import wide
from nclib.wide_networks import Descent, Look, WideNet, column, train

from .tolerances import TIGHT

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

DESCENT = Descent(steps=500, learning_rate=0.02, weight_decay=0.1, looks=4)


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    images = load("synthetic", split="train").balanced(5, seed=0)
    nets = [WideNet(1, linear, 16, "relu") for linear in (1, 2, 4)]
    return [x for net in nets for seen, _ in train(images, net, DESCENT, (0, 1)) for x in seen]


def of_length(looks: list[Look], linear: int) -> list[Look]:
    return [x for x in looks if x.linear == linear]


def drawn(ax: Any) -> list[tuple[list[float], list[float]]]:
    """Points of the lines; the caps of error bars are lines without a dash."""
    lines = [line for line in ax.get_lines() if line.get_linestyle() != "None"]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def test_training_draws_geometric_means(looks: list[Look]) -> None:
    """A line a length, at the steps looked at: means of logarithms, negativity plain."""
    axes = wide.plot_training(looks).axes
    assert [len(ax.get_lines()) for ax in axes] == [3, 3, 3, 2, 3, 3]
    steps, values = column(of_length(looks, 4), "nc1")
    assert drawn(axes[0])[2] == (steps, pytest.approx(values.log().mean(0).exp(), rel=TIGHT))
    _, values = column(of_length(looks, 2), "nc3")
    assert drawn(axes[2])[1][1] == pytest.approx((1 - values).log().mean(0).exp(), rel=TIGHT)
    _, values = column(of_length(looks, 1), "negativity")
    assert drawn(axes[4])[0][1] == pytest.approx(values.mean(0), rel=TIGHT)
    assert axes[4].get_yscale() == "linear"


def test_depth_draws_the_ends(looks: list[Look]) -> None:
    """Last looks against the number of linear layers, one mean each."""
    left, right = wide.plot_depth(looks).axes
    ends = [column(of_length(looks, k), "root")[1][:, -1].log().mean().exp() for k in (1, 2, 4)]
    found = [y for x, y in drawn(left) if x == [1, 2, 4]]
    assert found[2] == pytest.approx([float(x) for x in ends], rel=TIGHT)
    assert len([y for x, y in drawn(right) if x == [1, 2, 4]]) == 2


def test_bounds_lie_above(looks: list[Look]) -> None:
    """Bound and measure on both panels, the bound above; a single linear layer has none."""
    over_steps, at_end = wide.plot_bounds(looks, linear=4).axes
    (_, bound), (_, measured) = drawn(over_steps)
    pairs = zip(bound, measured, strict=True)
    assert all(high > low for high, low in pairs if torch.isfinite(torch.tensor(high)))
    assert [x for x, _ in drawn(at_end) if len(x) == 2 and x[1] == 4]


def test_balance_starts_at_one(looks: list[Look]) -> None:
    """Imbalances over their start, and the decay of weight decay alone, step by step."""
    ax = wide.plot_balance(looks, DESCENT)
    *lines, (steps, told) = drawn(ax)
    assert [y[0] for _, y in lines] == pytest.approx([1.0, 1.0])
    assert steps == list(range(501))
    assert told[1] == pytest.approx((1 - 0.002) ** 2, rel=TIGHT)
    assert told[500] == pytest.approx((1 - 0.002) ** 800 * (1 - 0.0002) ** 200, rel=TIGHT)


def test_lengths_look_different() -> None:
    """No two lengths share color, dash or mark."""
    looks = [wide.look(k) for k in range(1, 7)]
    for key in ("color", "linestyle", "marker"):
        assert len({str(one[key]) for one in looks}) == 6
