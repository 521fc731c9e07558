"""Four classes on the tetrahedron: its corners at collapse, the same picture in every pose."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, Head, figures
from nclib.figures.tetrahedron import EDGES, POINTS, Four, corners, places, plot_epochs
from nclib.figures.turning import plot_tetrahedron

from .samples import Sample, collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, TIGHT

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

HEAVIEST = 300_000  # characters of one figure in a page
ROUNDED = 0.5e-3 * (1 + EXACT)  # coordinates are written with three decimals
MOVING = ("features", "class means", "classifier")
seeds = st.integers(0, 2**16)
some = settings(max_examples=20, deadline=None)


@dataclass(frozen=True)
class Seen:
    """A sample as it is seen at an epoch."""

    epoch: int
    sample: Sample

    @property
    def stats(self) -> ClassStats:
        return self.sample.stats

    @property
    def head(self) -> Head:
        return self.sample.head

    @property
    def features(self) -> Tensor:
        return self.sample.features

    @property
    def labels(self) -> Tensor:
        return self.sample.labels


def run(
    seed: int, epochs: tuple[int, ...] = (1, 3, 10), C: int = 5, per_class: int = 4
) -> list[Seen]:
    """Looks at the same samples, whose features jump about from one epoch to the next."""
    start = random_sample(seed, C, 7, per_class, offset=1.0)
    g = torch.Generator().manual_seed(seed)
    jumps = torch.randn(len(epochs), *start.features.shape, generator=g, dtype=torch.float64)
    return [
        Seen(epoch, start.with_features(start.features + jump))
        for epoch, jump in zip(epochs, jumps, strict=True)
    ]


def turning(looks: list[Seen], classes: Any) -> Any:
    """The figure to turn; its attributes are known to Plotly alone."""
    return plot_tetrahedron(looks, classes)


def moved(look: Seen, turn: Tensor, shift: float = 0.0) -> Seen:
    """The same look in another pose of feature space."""
    head = Head(look.head.weight @ turn, look.head.bias)
    features = look.features @ turn + shift
    return Seen(look.epoch, replace(look.sample, features=features, head=head))


def same(one: list[Four], other: list[Four]) -> bool:
    names = ("features", "means", "classifier")
    pairs = [(a, b, name) for a, b in zip(one, other, strict=True) for name in names]
    return all(torch.allclose(getattr(a, n), getattr(b, n), atol=TIGHT) for a, b, n in pairs)


def test_corners_are_those_of_a_regular_tetrahedron() -> None:
    """Six equal distances, radius one, and every edge is drawn once."""
    assert torch.pdist(corners()).tolist() == pytest.approx([(8 / 3) ** 0.5] * 6, rel=EXACT)
    assert corners().norm(dim=1).tolist() == pytest.approx([1] * 4, rel=EXACT)
    pairs = [pair for stroke in EDGES for pair in zip(stroke, stroke[1:], strict=False)]
    assert sorted({frozenset(pair) for pair in pairs}, key=sorted) == [
        {0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}
    ]  # fmt: skip


@some
@given(seeds, st.sampled_from([(4, 3), (4, 6), (6, 5), (10, 12)]), st.permutations(range(4)))
def test_at_collapse_everything_is_a_corner(seed, size, order) -> None:
    """Features, means and rows of any four classes of an exact simplex, in any pose and size."""
    C, d = size
    look = Seen(1, collapsed_sample(C, d, per_class=3, frame="simplex"))
    turned = moved(look, (0.2 + seed % 7) * orthogonal(seed, d), shift=5.0)
    (four,) = places([turned], [C - 4 + k for k in order])
    assert torch.allclose(four.means, corners(), atol=TIGHT)
    assert torch.allclose(four.classifier, corners(), atol=TIGHT)
    assert torch.allclose(four.features, corners()[four.labels], atol=TIGHT)


@some
@given(seeds, st.floats(0.1, 10))
def test_the_picture_is_the_same_in_every_pose(seed, size) -> None:
    """Rotating, scaling and shifting feature space with its head moves nothing."""
    looks = run(seed)
    turn = size * orthogonal(seed, 7)
    there = [moved(look, turn, shift=3.0) for look in looks]
    assert same(places(looks, (3, 1, 0, 4)), places(there, (3, 1, 0, 4)))


@some
@given(seeds)
def test_rows_are_seen_without_what_they_share(seed) -> None:
    """A vector added to all four rows decides nothing among the four classes."""
    (look,) = run(seed, (1,))
    weight = look.head.weight + torch.ones(7, dtype=torch.float64)
    shifted = Seen(1, replace(look.sample, head=Head(weight, look.head.bias)))
    assert same(places([look], range(4)), places([shifted], range(4)))


@some
@given(seeds)
def test_no_other_view_lies_closer(seed) -> None:
    """No rotation of space brings the means of the last look nearer to the corners."""
    last = places(run(seed), range(4))[-1].means
    assert (last @ orthogonal(seed + 1, 3) * corners()).sum() <= (last * corners()).sum()


def test_one_view_serves_all_epochs() -> None:
    """An earlier look changes nothing but its own place; the last one changes all."""
    looks, other = run(0), run(7)
    seen = places(looks, range(4))
    assert same(seen[1:], places([other[0], *looks[1:]], range(4))[1:])
    assert not same(seen[:1], places([*looks[:2], other[2]], range(4))[:1])


def test_the_first_features_of_each_class_are_drawn() -> None:
    """At most so many of a class, the same at every epoch, named by their position."""
    looks = run(3, per_class=6)
    seen = places(looks, (4, 2, 0, 1), points=5)
    for look, four in zip(looks, seen, strict=True):
        assert four.labels.tolist() == [k for k in range(4) for _ in range(5)]
        center = look.stats.means[[4, 2, 0, 1]].mean(0)
        size = (look.stats.means[[4, 2, 0, 1]] - center).norm(dim=1).mean()
        expected = (look.features[look.labels == 2][:5] - center).norm(dim=1) / size
        assert bool((four.features[5:10].norm(dim=1) <= expected + TIGHT).all())
    full = places(run(3, per_class=POINTS + 3), range(4))[0]
    assert torch.bincount(full.labels).tolist() == [POINTS] * 4


def points(trace: Any) -> list[list[float]]:
    """The points of a Plotly trace, without the gaps."""
    triples = zip(trace.x, trace.y, trace.z, strict=True)
    return [list(triple) for triple in triples if triple[0] is not None]


def test_frames_hold_their_epochs() -> None:
    """A frame a look, by its name, with the coordinates of that look; the slider leads to each."""
    looks = run(5)
    figure = turning(looks, (4, 1, 2, 3))
    seen = places(looks, (4, 1, 2, 3))
    assert [frame.name for frame in figure.frames] == ["1", "3", "10"]
    for frame, four in zip(figure.frames, seen, strict=True):
        assert tuple(figure.data[k].name for k in frame.traces) == MOVING
        features, means, sticks = (torch.tensor(points(trace)).double() for trace in frame.data)
        assert float((features - four.features).abs().max()) <= ROUNDED + 1e-6
        assert float((means - four.means).abs().max()) <= ROUNDED + 1e-6
        assert bool((sticks[0::2] == 0).all())
        assert float((sticks[1::2] - four.classifier).abs().max()) <= ROUNDED + 1e-6
    steps = figure.layout.sliders[0].steps
    assert [step.args[0] for step in steps] == [("1",), ("3",), ("10",)]
    for k, trace in zip(figure.frames[0].traces, figure.frames[0].data, strict=True):
        assert points(figure.data[k]) == points(trace)


def test_classes_look_different_and_are_named() -> None:
    """Each class has a color, a dark page's color and a mark of its own, at means and features."""
    figure = turning(run(5), (4, 1, 2, 3))
    features, means = figure.data[2], figure.data[3]
    assert list(means.text) == ["class 4", "class 1", "class 2", "class 3"]
    for look in (means.marker.color, means.marker.symbol, means.meta["dark"]["marker.color"]):
        assert len(set(look)) == 4
    pairs = set(zip(features.text, features.marker.color, features.marker.symbol, strict=True))
    assert pairs == set(zip(means.text, means.marker.color, means.marker.symbol, strict=True))


def test_nothing_jumps_and_nothing_leaves_the_box() -> None:
    """Frames carry coordinates alone, and the one box of the figure holds all of them."""
    figure = turning(run(8), range(4))
    scene = figure.layout.scene
    boxes = [scene.xaxis.range, scene.yaxis.range, scene.zaxis.range]
    assert {round(high - low, 9) for low, high in boxes} == {round(boxes[0][1] - boxes[0][0], 9)}
    for frame in figure.frames:
        assert set(frame.to_plotly_json()) == {"name", "data", "traces"}
        for trace in frame.data:
            assert set(trace.to_plotly_json()) == {"type", "x", "y", "z"}
            for point in points(trace):
                assert all(a <= x <= b for x, (a, b) in zip(point, boxes, strict=True))


def test_a_long_run_stays_light() -> None:
    """Forty epochs fit into the bound, as plain numbers that every notebook can read."""
    text = turning(run(1, tuple(range(40)), per_class=POINTS), range(4)).to_json()
    assert len(text) < HEAVIEST
    assert "bdata" not in text


def test_epochs_stand_side_by_side() -> None:
    """One panel an epoch, in the order asked for, with the class means where they belong."""
    looks = run(2)
    figure = plot_epochs(looks, (0, 1, 2, 4), (10, 1))
    assert [ax.texts[-1].get_text() for ax in figure.axes] == ["epoch 10", "epoch 1"]
    of = {four.epoch: four for four in places(looks, (0, 1, 2, 4))}
    for ax, epoch in zip(figure.axes, (10, 1), strict=True):
        marks: list[Any] = [line for line in ax.get_lines() if line.get_markersize() == 8]
        ends = [[float(x[0]) for x in line.get_data_3d()] for line in marks]
        assert torch.allclose(torch.tensor(ends).double(), of[epoch].means, atol=1e-6)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"looks": []}, "looks: expected at least one, got none"),
        ({"classes": (0, 1, 2)}, r"classes: expected four different ones from 0 to 4, got \[0, 1"),
        ({"classes": (0, 1, 2, 2)}, r"classes: .* got \[0, 1, 2, 2\]"),
        ({"classes": (0, 1, 2, 5)}, r"classes: .* got \[0, 1, 2, 5\]"),
        ({"looks": run(0, (1, 1))}, r"looks: expected one an epoch, got epochs \[1, 1\]"),
        ({"looks": [*run(0, (1,)), *run(0, (2,), per_class=3)]}, "looks: expected the same sam"),
    ],
)
def test_errors_name_the_culprit(change, words) -> None:
    """What does not fit is named with what was expected."""
    with pytest.raises(ValueError, match=words):
        turning(**({"looks": run(0), "classes": range(4)} | change))


def test_what_does_not_differ_is_refused() -> None:
    """Four equal means, or four equal rows, have no size to measure by."""
    (look,) = run(0, (1,))
    flat = Seen(1, replace(look.sample, features=torch.ones(20, 7)))
    with pytest.raises(ValueError, match="four class means that differ"):
        places([flat], range(4))
    equal = Seen(1, replace(look.sample, head=Head(torch.ones(5, 7), torch.ones(5))))
    with pytest.raises(ValueError, match="four classifier rows that differ"):
        places([equal], range(4))


@pytest.mark.parametrize("epochs", [(), (1, 2), (1, 3, 10, 1, 3)])
def test_unmeasured_epochs_are_refused(epochs) -> None:
    """Only epochs of the run, and at most four of them."""
    with pytest.raises(ValueError, match=r"epochs: expected one to four of \[1, 3, 10\]"):
        plot_epochs(run(0), range(4), epochs)


def test_figures_load_plotly_late() -> None:
    """Who draws still pictures does not wait for the other library."""
    for path in Path(figures.__file__).parent.glob("*.py"):
        at_once = [x for x in ast.parse(path.read_text()).body if isinstance(x, ast.ImportFrom)]
        assert not any((x.module or "").startswith("plotly") for x in at_once), path.name
