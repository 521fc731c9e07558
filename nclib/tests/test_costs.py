"""The cost model: what is counted, what a data sheet makes of it, what a cell then costs."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nclib import Cell, cells, data
from nclib.costs import ACCELERATORS, Accelerator, Kernel, Work, cost, count, images_of, work_of
from nclib.figures.costs import plot_hours, plot_roof, plot_timeline
from nclib.models import NETWORKS
from nclib.training import loss_of

from .tolerances import EXACT

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed
H200, T4 = ACCELERATORS["H200"], ACCELERATORS["T4"]
SMALL = Cell("synthetic", "convnet", "mse")


@pytest.mark.parametrize("network", ["convnet", "thinresnet", "thindensenet", "thinvgg"])
def test_operations_are_those_of_torch(network):
    """As many as torch's own counter finds in a step of the very network."""
    model = NETWORKS[network].outline(10, 1, 8)
    images = torch.empty(16, 1, 8, 8, device="meta")
    labels = torch.zeros(16, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter:
        loss_of(model(images), labels, "mse").backward()
    assert work_of(network, 1, 8, 16, "mse").flops == counter.get_total_flops()


def test_bytes_by_hand():
    """A linear layer and a ReLU in place: inputs, outputs and the update, views are free."""
    with torch.device("meta"):
        model = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(6, 5, bias=False), torch.nn.ReLU(inplace=True)
        )
        images = torch.empty(4, 2, 3)
    forward = count(model, images, None)
    product, relu = 4 * (4 * 6 + 6 * 5 + 4 * 5), 4 * (4 * 5 + 4 * 5)
    assert dict(forward.kernels) == {
        Kernel(2 * 4 * 6 * 5, product, 4): 1, Kernel(0, relu, 4): 1
    }  # fmt: skip
    assert (forward.flops, forward.traffic, forward.kept) == (240, product + relu, 0)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_a_convolution_in_groups_is_cheaper_both_ways(groups):
    """Three products of the same size in a step, each a group's share of the full one."""
    with torch.device("meta"):
        convolution = torch.nn.Conv2d(6, 12, 3, padding=1, bias=False, groups=groups)
        model = torch.nn.Sequential(convolution, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        images = torch.empty(5, 6, 7, 7, requires_grad=True)
    one = 2 * 5 * 7 * 7 * 12 * (6 // groups) * 9
    assert count(model, images, "mse").flops == 3 * one


@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_kept_is_what_the_backward_pass_needs(in_place):
    """A ReLU keeps its output, one tensor; what a linear layer gave it is gone by then."""
    with torch.device("meta"):
        layers = [torch.nn.Linear(10, 10), torch.nn.ReLU(inplace=in_place)]
        one, three = torch.nn.Sequential(*layers), torch.nn.Sequential(*layers, *layers, *layers)
        images = torch.empty(8, 10)
    more = count(three, images, "ce").kept - count(one, images, "ce").kept
    assert more == 2 * 8 * 10 * 4


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 64), st.sampled_from(["mse", "ce"]), st.booleans())
def test_work_grows_with_the_batch(batch, loss, half):
    """Operations, bytes and what is kept are never less for a larger batch."""
    small = work_of("convnet", 1, 8, batch, loss, half)
    large = work_of("convnet", 1, 8, 2 * batch, loss, half)
    assert large.flops == 2 * small.flops
    assert small.traffic < large.traffic < 2 * small.traffic
    assert small.kept < large.kept <= 2 * small.kept


def test_half_precision_halves_the_maps():
    """The body's bytes shrink, its operations stay, and the head computes in float32 still."""
    low, full = (work_of("convnet", 1, 8, 64, "mse", half) for half in (True, False))
    assert low.flops == full.flops and 0.5 < low.kept / full.kept < 0.7
    assert {kernel.width for kernel in full.kernels} >= {4}
    assert any(kernel.width == 4 and kernel.flops for kernel in low.kernels)


def test_the_roof_is_the_longer_of_two_times():
    """By operations or by bytes, each kernel alone, each type at its own rate."""
    sheet = Accelerator("x", half=100, single=10, double=1, bandwidth=1000, memory=1, source="")
    for kernel, seconds in (
        (Kernel(1e12, 1e9, 2), 0.01), (Kernel(1e12, 1e9, 4), 0.1), (Kernel(1e12, 1e9, 8), 1.0),
        (Kernel(1e12, 1e11, 2), 0.1),
    ):  # fmt: skip
        assert sheet.roof(Work({kernel: 3})) == pytest.approx(3 * seconds, rel=EXACT)
    two = Work({Kernel(1e12, 0, 2): 1, Kernel(0, 1e9, 2): 1})
    assert sheet.roof(two) == pytest.approx(0.011, rel=EXACT)


def test_a_cell_costs_all_its_steps_and_looks():
    """Hours follow from epochs, steps and looks, and go as one over the share."""
    recipe, found = cells.recipe_of(SMALL), cost(SMALL, T4, 0.5)
    step = T4.roof(work_of("convnet", 1, 8, recipe.batch_size, "mse"))
    steps = recipe.epochs * (1000 // recipe.batch_size)
    assert found.training == pytest.approx(steps * step / 0.5 / 3600, rel=EXACT)
    again = cost(SMALL, T4, 0.25)
    assert again.hours == pytest.approx(2 * found.hours, rel=EXACT)
    assert again.memory == found.memory and found.fits
    seldom = cost(Cell("synthetic", "convnet", "mse", every=3), T4, 0.5)
    assert seldom.measuring < found.measuring and seldom.training == found.training
    assert cost(SMALL, H200, 0.5).hours < found.hours


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_the_images_are_those_that_are_loaded(name):
    """Channels, size and counts as the loader gives them."""
    train, test = (data.load(name, split=part) for part in data.SPLITS)
    found = images_of(Cell(name, "convnet", "mse"))
    assert found == (train.images.shape[1], train.size, len(train), len(test))


def test_a_cell_of_fewer_images_is_smaller():
    """Images of the name, and those held out, count; the papers' sets are balanced."""
    assert images_of(Cell("mnist", "convnet", "mse")) == (1, 32, 50_000, 10_000)
    assert images_of(Cell("mnist", "convnet", "mse", images=2000)) == (1, 32, 2000, 2000)
    assert images_of(Cell("stl10", "resnet18", "mse", held=50)) == (3, 96, 4500, 8000)


def test_odd_requests_are_refused_in_words():
    """A share, a network, a loss and a real tensor are named."""
    with pytest.raises(ValueError, match="share: expected a number above 0"):
        cost(SMALL, T4, 0)
    with pytest.raises(ValueError, match="network: expected one of"):
        work_of("nothing", 1, 8, 4, "mse")
    with pytest.raises(ValueError, match="loss: expected one of"):
        work_of("convnet", 1, 8, 4, "hinge")
    with pytest.raises(ValueError, match="images: expected a tensor on the meta device, got cpu"):
        count(torch.nn.Flatten(), torch.zeros(1, 2), None)


def test_every_accelerator_has_a_source():
    """Rates are positive, in their order, and somebody's."""
    for name, one in ACCELERATORS.items():
        assert name == one.name and one.source
        assert one.half >= one.single >= one.double > 0 and one.bandwidth > 0 < one.memory


def test_bars_reach_from_the_least_to_the_most_hours():
    """Every series on every accelerator, a mark in the middle of the logarithmic axis."""
    ranges = {"one": {"A": (1.0, 4.0), "B": (2.0, 8.0)}, "two": {"A": (10.0, 40.0)}}
    ax: Any = plot_hours(ranges)
    bars = [sorted(path.vertices[:, 0]) for lines in ax.collections for path in lines.get_paths()]
    assert sorted(bars) == [[1.0, 4.0], [2.0, 8.0], [10.0, 40.0]]
    marks = np.concatenate([np.asarray(line.get_xdata()) for line in ax.lines])
    assert sorted(marks) == pytest.approx([2.0, 4.0, 20.0], rel=EXACT)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A", "B"]
    with pytest.raises(ValueError, match="ranges: expected 1 to 4 series, got 0"):
        plot_hours({})


def test_the_roof_bends_where_rate_and_bandwidth_meet():
    """A line for each data sheet, flat at its rate; a vertical line for each network."""
    ax: Any = plot_roof([H200, T4], {"a": 20.0, "b": 100.0})
    for line, one in zip(ax.lines, (H200, T4), strict=False):
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert y == pytest.approx(np.minimum(one.half, x * one.bandwidth / 1000), rel=EXACT)
        assert y[-1] == one.half and line.get_label() == one.name
    assert [line.get_xdata()[0] for line in ax.lines[2:]] == [20.0, 100.0]
    assert [text.get_text().strip() for text in ax.texts] == ["a", "b"]


def test_a_timeline_shows_every_span_in_its_row():
    """A bar from begin to end for each span; each state stands once in the key."""
    spans = [("x", "waiting", 0, 1), ("x", "lost", 1, 3), ("y", "running", 0, 2),
             ("x", "running", 4, 9)]  # fmt: skip
    ax: Any = plot_timeline(spans, "seconds")
    bars = [
        (bar.get_x(), bar.get_x() + bar.get_width(), round(bar.get_y() + 0.31))
        for bar in ax.patches
    ]
    assert bars == [(0, 1, 0), (1, 3, 0), (0, 2, 1), (4, 9, 0)]
    assert [bars.get_label() for bars in ax.containers if not bars.get_label().startswith("_")] == [
        "waiting", "lost", "running"
    ]  # fmt: skip
