"""Figures: what is drawn is what the rows say. The data in the artists is read, not pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import same_color
from matplotlib.mathtext import MathTextParser

from nclib import METRICS, Row, figures
from nclib.figures import runs
from nclib.palette import COLORS, MARKERS, PANELS, TERMS, shade
from nclib.portrait import Portrait

from .samples import random_sample

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

EPOCHS = (1, 2, 5, 10)
ZERO_ERROR = 5


def a_row(epoch: int, split: str) -> Row:
    """A row whose every number is different."""
    shift = 1.0 if split == "train" else 1.3
    terms = {"nc1": 0.3, "nc23": 0.2, "perp": 0.1}
    return Row(
        run="digits-convnet-mse",
        epoch=epoch,
        split=split,
        accuracy=1.0 if split == "train" and epoch >= ZERO_ERROR else 0.9 + epoch / 1000,
        mismatch=shift / (10 + epoch),
        loss=0.1 / epoch,
        metrics={name: shift * (k + 1) / epoch**2 for k, name in enumerate(METRICS)},
        terms={
            ridge: {name: scale * shift * value / epoch for name, value in terms.items()}
            for ridge, scale in (("consistent", 1.0), ("notebook", 0.1))
        },
    )


ROWS = [a_row(epoch, split) for epoch in EPOCHS for split in ("train", "test")]
TRAIN = [row for row in ROWS if row.split == "train"]


def lines(ax: Any) -> dict[str, list[float]]:
    """The lines with a label, as label -> values, after checking their epochs."""
    drawn = {str(line.get_label()): line for line in ax.get_lines()}
    drawn = {label: line for label, line in drawn.items() if not label.startswith("_")}
    assert all(list(line.get_xdata()) == list(EPOCHS) for line in drawn.values())
    return {label: list(line.get_ydata()) for label, line in drawn.items()}


def vertical(ax: Any) -> list[float]:
    """Where vertical lines stand."""
    found = [line.get_xdata() for line in ax.get_lines() if len(line.get_xdata()) == 2]
    return [float(x[0]) for x in found if x[0] == x[1]]


@pytest.mark.parametrize("ridge", ["consistent", "notebook"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_terms_are_those_of_the_rows(ridge, split):
    """Each line is a term under the asked ridge on the asked split; the total is their sum."""
    ax: Any = figures.plot_terms(ROWS, ridge=ridge, split=split)
    rows = [row for row in ROWS if row.split == split]
    drawn = lines(ax)
    for name in ("nc1", "nc23", "perp"):
        assert drawn[TERMS[name]["label"]] == [row.terms[ridge][name] for row in rows]
    assert drawn[TERMS["total"]["label"]] == [sum(row.terms[ridge].values()) for row in rows]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert len(ax.get_legend().get_lines()) == 4
    assert vertical(ax) == [ZERO_ERROR] and [t.get_text() for t in ax.texts] == [
        "zero training error"
    ]


def test_terms_have_the_colors_of_the_book():
    """A term is drawn in the color of COLORS."""
    ax: Any = figures.plot_terms(ROWS, ridge="consistent")
    drawn = {line.get_label(): line for line in ax.get_lines()}
    for name, look in TERMS.items():
        assert same_color(drawn[look["label"]].get_color(), COLORS[name])


def test_without_zero_error_there_is_no_line():
    """A network that never fits its training set has no zero-error epoch."""
    rows = [replace(row, accuracy=0.9) for row in ROWS]
    assert vertical(figures.plot_terms(rows, ridge="consistent")) == []


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf"), -1.0])
def test_what_a_log_axis_cannot_show_leaves_a_gap(bad):
    """Zeros, NaN and infinity neither warn nor move the axis, and the data stays as it was."""
    rows = [replace(r, metrics=r.metrics | {"duality_gap": bad}) for r in TRAIN[:1]] + TRAIN[1:]
    ax: Any = figures.plot_metric(rows, "duality_gap")
    ax.figure.canvas.draw()
    assert np.isclose(ax.get_lines()[0].get_ydata()[0], bad, equal_nan=True)
    drawn = ax.transData.transform(ax.get_lines()[0].get_xydata())
    assert not np.isfinite(drawn[0]).all() and np.isfinite(drawn[1:]).all()
    low, high = ax.get_ylim()
    rest = [row.metrics["duality_gap"] for row in TRAIN[1:]]
    assert ax.get_yscale() == "log" and min(rest) / 4 < low < high < max(rest) * 4


def test_nothing_positive_leaves_the_axis_linear():
    """All zeros, such as the cosine spread of two classes, are drawn as they are."""
    rows = [replace(row, metrics=dict.fromkeys(METRICS, 0.0)) for row in ROWS]
    ax: Any = figures.plot_metric(rows, "cosine_spread_means")
    assert ax.get_yscale() == "linear" and lines(ax).popitem()[1] == [0.0] * len(EPOCHS)


def test_a_flat_curve_looks_flat():
    """A logarithmic axis spans at least a decade, and grows with what is drawn later."""
    rows = [replace(row, metrics={"duality_gap": 0.4 + row.epoch / 1000}) for row in ROWS]
    ax: Any = figures.plot_metric(rows, "duality_gap")
    low, high = ax.get_ylim()
    assert high / low > 9.9 and low < 0.2 < 0.8 < high
    ax.plot([1, 10], [1e-3, 1e-3])
    assert ax.get_ylim()[0] < 1e-3


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_drawn(name):
    """Its values, and an axis label that reads as the table's symbol."""
    ax: Any = figures.plot_metric(ROWS, name, split="test")
    (drawn,) = lines(ax).values()
    assert drawn == [row.metrics[name] for row in ROWS if row.split == "test"]
    MathTextParser("path").parse(ax.get_ylabel())
    assert ax.get_xlabel() == "epoch" and vertical(ax) == [ZERO_ERROR]
    to_one = METRICS[name].at_collapse == 1
    assert ax.get_yscale() == ("linear" if to_one else "log")
    assert ([1, 1] in [list(line.get_ydata()) for line in ax.get_lines()]) == to_one


def test_metrics_together_are_told_apart():
    """Class means and classifier in their colors, others in none of the book's, with a legend."""
    pair = ["gram_distance_means", "gram_distance_classifier", "duality_gap", "variance_ratio"]
    ax: Any = figures.plot_metric(ROWS, pair)
    colors = [line.get_color() for line in ax.get_lines()[:4]]
    assert colors[:2] == [COLORS["means"], COLORS["classifier"]] and len(set(colors)) == 4
    assert len(ax.get_legend().get_lines()) == 4 and ax.get_ylabel() == ""


def test_nc_panel_shows_the_seven_measurements():
    """Five panels of METRICS, mismatch on test, accuracy on train, the zero-error line in each."""
    figure: Any = figures.nc_panel(ROWS)
    *metrics, mismatch, accuracy, key = figure.axes
    for ax, (label, names) in zip(metrics, PANELS.items(), strict=True):
        assert ax.get_title(loc="left") == label and ax.get_yscale() == "log"
        values = [[row.metrics[name] for row in TRAIN] for name in names]
        assert list(lines(ax).values()) == values
    assert list(mismatch.get_lines()[0].get_ydata()) == [
        row.mismatch for row in ROWS if row.split == "test"
    ]
    assert list(accuracy.get_lines()[0].get_ydata()) == [row.accuracy for row in TRAIN]
    assert all(vertical(ax) == [ZERO_ERROR] for ax in figure.axes[:-1])
    assert [text.get_text() for text in key.get_legend().get_texts()] == [
        "class means", "classifier", "zero training error",
    ]  # fmt: skip


def test_nc4_falls_back_on_the_asked_split():
    """Without test rows the mismatch shown is named after the split it is of."""
    mismatch: Any = figures.nc_panel(TRAIN).axes[5]
    assert mismatch.get_title(loc="left") == "NC4  mismatch, train"
    assert list(mismatch.get_lines()[0].get_ydata()) == [row.mismatch for row in TRAIN]


def every_axes(figure: Any) -> list:
    return [ax for part in (figure, *figure.subfigs) for ax in part.axes]


@pytest.mark.parametrize(
    "rows, count",
    [
        (ROWS, 10),
        (ROWS[:1], 9),
        ([replace(row, terms={}) for row in ROWS], 8),
        ([replace(row, metrics=dict.fromkeys(METRICS, float("nan"))) for row in ROWS], 10),
    ],
    ids=["mse", "one row", "cross-entropy", "nan"],
)
def test_overview_takes_what_there_is(rows, count, tmp_path):
    """Terms per split, panel and key, under the run's name, saved without a warning."""
    figure: Any = figures.overview(rows)
    assert figure.get_suptitle() == "digits-convnet-mse"
    assert len({id(ax) for ax in every_axes(figure)}) == count
    if rows[0].terms and len(rows) > 1:  # the two with most on them: laying out takes a second
        figure.savefig(tmp_path / "picture.png", dpi=50)


@pytest.mark.parametrize(
    "draw, words",
    [
        (lambda: figures.overview([]), "rows: expected at least one row, got none"),
        (lambda: figures.nc_panel(ROWS, split="valid"), r"\['test', 'train'\], got 'valid'"),
        (lambda: figures.plot_terms(ROWS, ridge="mean"), r"\['consistent', 'notebook'\], got 'm"),
        (lambda: figures.plot_metric(ROWS, "nc1"), "name: expected one of .*; got 'nc1'"),
        (lambda: figures.plot_metric(ROWS, []), "names: expected some of .*; got none"),
    ],
)
def test_errors_name_what_is_known(draw, words):
    """A wrong name is answered with the right ones."""
    with pytest.raises(ValueError, match=words):
        draw()
    assert plt.get_fignums() == []


def test_given_axes_are_drawn_on():
    """With ``ax`` no figure is opened."""
    ax = plt.figure().add_subplot()
    assert figures.plot_terms(ROWS, ridge="consistent", ax=ax) is ax
    assert figures.plot_metric(ROWS, "duality_gap", ax=ax) is ax
    assert len(plt.get_fignums()) == 1


def points(artist: Any) -> np.ndarray:
    """Coordinates (n, 3) of a 3-D line."""
    return np.stack(artist.get_data_3d(), axis=1)


def test_portrait_draws_what_the_geometry_says():
    """Features, sticks to mean and vertex of each class, at the portrait's coordinates."""
    sample = random_sample(0, 5, 6, 8)
    of = (sample.stats, sample.head, sample.features, sample.labels)
    ax: Any = figures.portrait(*of, classes=(3, 0, 1))
    seen = Portrait.of(*of, classes=(3, 0, 1))
    for k in range(3):
        cloud, mean, _, vertex = ax.get_lines()[4 * k : 4 * k + 4]
        assert np.allclose(points(cloud), seen.features[seen.labels == k])
        assert np.allclose(points(mean)[-1], seen.means[k])
        assert np.allclose(points(vertex)[-1], seen.simplex[k])
        assert {line.get_marker() for line in (cloud, mean, vertex)} == {MARKERS[k]}
        assert same_color(mean.get_color(), shade(COLORS["means"], k))
        assert same_color(cloud.get_color(), shade(COLORS["features"], k))
    assert [text.get_text() for text in ax.texts] == ["class 3", "class 0", "class 1"]


def test_portrait_draws_the_classifier():
    """One arrow a class, from the origin to its row, in the classifier's color."""
    sample = random_sample(0, 5, 6, 8)
    of = (sample.stats, sample.head, sample.features, sample.labels)
    ax: Any = figures.portrait(*of)
    rows = Portrait.of(*of, classes=(0, 1, 2)).classifier
    assert len(ax.collections) == 3
    for k, arrow in enumerate(ax.collections):
        shaft = np.array(arrow._segments3d[0])
        assert np.allclose(shaft[np.abs(shaft).sum(1).argmax()], rows[k])
        assert same_color(arrow.get_color(), shade(COLORS["classifier"], k))


def test_portraits_of_a_figure_share_one_key():
    """Several portraits side by side, one legend; at most 150 features of a class are drawn."""
    sample = random_sample(0, 4, 6, 200)
    figure = plt.figure()
    for k in (1, 2):
        ax: Any = figure.add_subplot(1, 2, k, projection="3d")
        of = (sample.stats, sample.head, sample.features, sample.labels)
        assert figures.portrait(*of, frame=torch.eye(6)[:, :3], ax=ax) is ax
        assert len(points(ax.get_lines()[0])) == 150
    assert len(figure.legends) == 1 and len(figure.legends[0].get_lines()) == 4
    figure.canvas.draw()


def test_portrait_needs_space():
    """Flat axes are refused in words."""
    sample = random_sample(0, 4, 6, 3)
    with pytest.raises(TypeError, match=r'ax: expected 3-D axes \(projection="3d"\), got Axes'):
        figures.portrait(
            sample.stats, sample.head, sample.features, sample.labels, ax=plt.figure().add_subplot()
        )


def test_portrait_keeps_its_frame():
    """Far-off features are cut at the figure's edge, so that a sequence keeps one size."""
    sample = random_sample(0, 4, 6, 9)
    sizes = []
    for spread in (1.0, 30.0):
        features = spread * (sample.features - sample.stats.means[sample.labels])
        features = features + sample.stats.means[sample.labels]
        ax: Any = figures.portrait(sample.stats, sample.head, features, sample.labels)
        ax.figure.canvas.draw()  # only then are points projected
        sizes.append(ax.figure.get_tightbbox().size)
        assert all(a.get_clip_box() is ax.figure.bbox for a in (*ax.lines, *ax.collections))
    assert np.allclose(sizes[0], sizes[1], rtol=0.05)


def test_a_notebooks_interactive_mode_survives_its_first_figure(monkeypatch):
    """What a backend switches on while the first figure is opened stays on afterwards."""
    opened = runs.new_figure

    def as_in_a_notebook(*args: Any, **kwargs: Any) -> Any:
        matplotlib.rcParams["interactive"] = True
        return opened(*args, **kwargs)

    monkeypatch.setattr(runs, "new_figure", as_in_a_notebook)
    monkeypatch.setitem(matplotlib.rcParams, "interactive", False)
    figures.plot_terms(ROWS, ridge="consistent")
    assert matplotlib.rcParams["interactive"]
