"""Pictures of two losses show the numbers they are given, and say what is not there."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes

from nclib.figures import comparison
from nclib.figures.comparison import LOSS_COLORS, Curve
from nclib.records import Row

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed


def rows(loss: str, height: float) -> list[Row]:
    """Four epochs of a run, on two splits; no training error from the third on."""
    return [
        Row(
            run=f"digits-convnet-{loss}", epoch=epoch, split=split,
            metrics={"relative_variability": height / epoch}, terms={},
            accuracy=1.0 if split == "train" and epoch > 2 else 0.5, mismatch=0.0, loss=0.1,
            omega=[], robustness=0.2 * epoch if split == "test" and epoch % 2 else math.nan,
        )
        for epoch in (4, 1, 2, 3)
        for split in ("train", "test")
    ]  # fmt: skip


def curve(loss: str, split: str = "train", quantity: str = "relative_variability") -> Curve:
    return Curve.of(rows(loss, 8.0 if loss == "ce" else 4.0), quantity, loss=loss, split=split)


def drawn(ax: Axes) -> list[tuple[list[float], str]]:
    """Heights and color of each line that is not a vertical one."""
    lines = [line for line in ax.lines if len(set(np.asarray(line.get_xdata()).tolist())) > 1]
    return [(np.asarray(line.get_ydata()).tolist(), str(line.get_color())) for line in lines]


def words(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_curve_is_a_column_in_order_of_epochs() -> None:
    """Values of one split over the epochs; what was not measured is left out, the mark stays."""
    nc1 = curve("mse")
    assert (nc1.x, nc1.y, nc1.mark) == ((1, 2, 3, 4), (4, 2, 4 / 3, 1), 3)
    robust = curve("ce", "test", "robustness")
    assert (robust.x, robust.mark) == ((1, 3), 3)
    assert robust.y == pytest.approx((0.2, 0.6))
    assert curve("ce", "train", "robustness").y == ()
    assert curve("ce", "train", "accuracy").y == (0.5, 0.5, 1.0, 1.0)


@pytest.mark.parametrize(
    "loss, y, word", [("hinge", (1.0,), "loss: expected one of"), ("ce", (), "y: expected 1")]
)
def test_an_odd_curve_is_refused(loss: str, y: tuple[float, ...], word: str) -> None:
    """A loss without a color and columns of different lengths are named."""
    with pytest.raises(ValueError, match=word):
        Curve(loss, "train", (1.0,), y)


def test_both_losses_share_a_panel() -> None:
    """Each curve is drawn in its loss' color, and a line in that color marks zero error."""
    panels = {("a", "VGG"): [curve("mse"), curve("ce")], ("a", "ResNet"): [curve("ce")]}
    figure = comparison.plot_array(panels, xlabel="epoch", ylabel="NC1")
    left, right = figure.axes
    assert drawn(left) == [
        ([4, 2, 4 / 3, 1], LOSS_COLORS["mse"]), ([8, 4, 8 / 3, 2], LOSS_COLORS["ce"]),
    ]  # fmt: skip
    assert len(set(LOSS_COLORS.values())) == 2
    assert drawn(right) == [([8, 4, 8 / 3, 2], LOSS_COLORS["ce"])]
    marks = [line for line in left.lines if line.get_linestyle() == ":"]
    assert [line.get_color() for line in marks] == list(LOSS_COLORS.values())
    assert left.get_ylim() == right.get_ylim()
    assert (left.get_xscale(), left.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "squared error", "cross-entropy", "zero training error",
    ]  # fmt: skip


def test_a_panel_without_curves_says_so() -> None:
    """Cells without a run are there, in words, and a row of them is low."""
    panels: dict = {("a", "x"): [curve("mse")], ("a", "y"): (), ("b", "x"): (), ("b", "y"): ()}
    figure = comparison.plot_array(panels, xlabel="epoch", ylabel="NC1")
    assert [words(ax) for ax in figure.axes] == [[], *[[comparison.NOT_RUN]] * 3]
    figure.canvas.draw()
    tall, low = (figure.axes[k].get_window_extent().height for k in (0, 2))
    assert low < 0.5 * tall
    empty = comparison.plot_array({("b", "x"): ()}, xlabel="epoch", ylabel="NC1")
    assert words(empty.axes[0]) == [comparison.NOT_RUN]
    assert list(empty.axes[0].get_xticks()) == list(empty.axes[0].get_yticks()) == []


def test_readings_stand_in_their_own_panel() -> None:
    """A value from a paper is a mark of its own, at its height, in the key; strangers are named."""
    panels: dict = {("a", "x"): [curve("mse")], ("a", "y"): ()}
    figure = comparison.plot_array(
        panels, xlabel="epoch", ylabel="NC1", readings={("a", "y"): 0.25}, reading="as read"
    )
    assert [list(np.asarray(line.get_ydata())) for line in figure.axes[1].lines] == [[0.25]]
    assert "as read" in [text.get_text() for text in figure.legends[0].get_texts()]
    with pytest.raises(ValueError, match="readings: expected keys of panels"):
        comparison.plot_array(panels, xlabel="", ylabel="", readings={("c", "z"): 1.0})


def test_splits_have_looks_of_their_own() -> None:
    """Training images are filled marks on a line, test images hollow ones on dashes."""
    panels = {("a", "x"): [curve("ce"), curve("ce", "test")]}
    ax = comparison.plot_array(panels, xlabel="epoch", ylabel="NC1").axes[0]
    train, test = ax.lines[0], ax.lines[2]
    assert (train.get_linestyle(), train.get_markerfacecolor()) == ("-", LOSS_COLORS["ce"])
    assert (test.get_linestyle(), test.get_markerfacecolor()) == ("--", "white")


def test_gaps_are_where_they_belong() -> None:
    """Each name has its line, its value and a whisker of its half-width on either side."""
    ax = comparison.plot_gaps({"one": (-0.5, 0.25), "two": (3.0, 1.0)}, xlabel="", hollow=["two"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first is on top
    found = []
    for bars in ax.containers:
        point, _, (whisker,) = bars
        found.append((float(point.get_xdata()[0]), whisker.get_segments()[0][:, 0].tolist()))
    assert found == [(-0.5, [-0.75, -0.25]), (3.0, [2.0, 4.0])]
    assert [bars[0].get_markerfacecolor() == "white" for bars in ax.containers] == [False, True]
    with pytest.raises(ValueError, match="hollow: expected names of gaps"):
        comparison.plot_gaps({"one": (0.0, 1.0)}, xlabel="", hollow=["three"])


def test_a_plane_draws_laws_and_points() -> None:
    """Laws are lines, clouds marks, all with the numbers given and a look of their own."""
    laws = {"law": ([0.1, 1.0], [0.2, 2.0]), "other": ([0.1, 1.0], [0.3, 3.0])}
    clouds = {"VGG": ([0.1], [0.01]), "ResNet": ([0.2, 0.3], [0.02, 0.03])}
    ax = comparison.plot_plane(laws, clouds, xlabel="NC1", ylabel="error")
    found = {str(line.get_label()): line for line in ax.lines}
    for name, (x, y) in {**laws, **clouds}.items():
        assert np.asarray(found[name].get_xdata()).tolist() == x
        assert np.asarray(found[name].get_ydata()).tolist() == y
    assert [found[name].get_marker() == "None" for name in (*laws, *clouds)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert found["law"].get_linestyle() != found["other"].get_linestyle()
    assert found["VGG"].get_marker() != found["ResNet"].get_marker()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: comparison.plot_array({}, xlabel="", ylabel=""),
        lambda: comparison.plot_gaps({}, xlabel=""),
        lambda: comparison.plot_plane({}, {}, xlabel="", ylabel=""),
    ],
)
def test_nothing_to_draw_is_refused(draw) -> None:
    """Without anything to show there is no picture."""
    with pytest.raises(ValueError, match="expected at least one"):
        draw()
