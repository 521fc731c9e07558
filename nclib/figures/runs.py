"""Rows of one run, stored or live, and class statistics as pictures."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation
from mpl_toolkits.mplot3d import Axes3D
from torch import Tensor

from ..head import Head
from ..metrics import METRICS
from ..palette import COLORS, KEY, MARKERS, PANELS, TERMS, ZERO_ERROR, look, shade
from ..portrait import Portrait
from ..records import Row
from ..series import Series
from ..stats import ClassStats
from .canvas import label_ticks, new_figure, styled

__all__ = ["nc_panel", "overview", "plot_metric", "plot_terms", "portrait"]

POINTS = 150  # features drawn per class: enough for a cloud, few enough for a small SVG


def plot_terms(
    rows: Sequence[Row], *, ridge: str, split: str = "train", ax: Axes | None = None
) -> Axes:
    """The loss and its three terms against the epoch, both axes logarithmic.

    ``ridge`` names the reading of weight decay, "consistent" or "notebook". A dotted line marks
    the first measured epoch with zero training error.

    Source: Han, Papyan & Donoho 2022, Fig. 2.   Chapter: decomposition-measured.
    """
    series = Series.of(rows, split)
    terms = series.terms(ridge)
    with styled():
        ax = ax or new_figure(6.0, 4.2).add_subplot()
        for name, line in TERMS.items():
            ax.plot(series.epochs, terms[name], color=COLORS[name], **line)
        _scale(ax, series, sum(terms.values(), []))
        if series.zero_error_epoch is not None:
            place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            ax.text(series.zero_error_epoch, 1.01, "zero training error", **place)
        ax.set(xlabel="epoch", ylabel="loss")
        below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncol=4)
    return ax


def plot_metric(
    rows: Sequence[Row], names: str | Sequence[str], *, split: str = "train", ax: Axes | None = None
) -> Axes:
    """One or several measurements of METRICS against the epoch, with the table's symbols.

    The vertical axis is logarithmic; linear, with a gray line at 1, if that is a limit of theirs.

    Source: see METRICS.   Chapter: collapse.
    """
    series = Series.of(rows, split)
    columns = series.metrics([names] if isinstance(names, str) else names)
    with styled():
        ax = ax or new_figure(6.0, 4.2).add_subplot()
        _draw_metrics(ax, series, columns)
        ax.set(xlabel="epoch", ylabel="" if len(columns) > 1 else _symbol(next(iter(columns))))
        if len(columns) > 1:
            ax.legend()
    return ax


def nc_panel(rows: Sequence[Row], *, split: str = "train") -> Figure:
    """The seven measurements of neural collapse as small multiples against the epoch.

    NC1, equal norms, equal angles, widest angles, self-duality, nearest-mean mismatch (on test
    samples where there are any) and accuracy; class means and classifier each in their color.

    Source: Papyan, Han & Donoho 2020, Figs. 2-7.   Chapter: collapse.
    """
    series = Series.of(rows, split)
    with styled():
        figure = new_figure(6.0, 7.6)
        _fill_panel(figure, series, Series.tested(rows, split))
    return figure


def overview(rows: Sequence[Row]) -> Figure:
    """All of a run in one picture, with its name: the terms on each split and the NC panel.

    A run that was not trained with the squared loss has no terms and shows the panel alone.
    Chapter: how-to-run.
    """
    splits = sorted({row.split for row in rows}, key=lambda split: (split != "train", split))
    series = Series.of(rows, splits[0] if splits else "train")
    with styled():
        figure = new_figure(11.5 if series.ridges else 6.0, 8.2)
        figure.suptitle(series.run)
        right: Figure | SubFigure = figure
        if series.ridges:
            left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5, 6))[0]
            axes = left.subplots(len(splits), squeeze=False)
            for ax, split in zip(axes.flat, splits, strict=True):
                plot_terms(rows, ridge=series.ridges[0], split=split, ax=ax)
                ax.set_ylabel(f"loss, {split}")
        _fill_panel(right, series, Series.tested(rows, splits[0]))
    return figure


def portrait(
    stats: ClassStats,
    head: Head,
    features: Tensor,
    labels: Tensor,
    *,
    classes: Sequence[int] = (0, 1, 2),
    frame: Tensor | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Three classes in space: features, class means, classifier and the simplex they collapse to.

    Small marks are features (N, d) with labels (N,), the first 150 of a class; balls on sticks
    class means, arrows classifier rows, hollow marks on thin lines the vertices. Color tells the
    quantity, mark and shade the class. ``ax`` is a 3-D one; ``frame`` as in ``Portrait.of``.

    Source: Papyan, Han & Donoho 2020, Fig. 1.   Chapter: collapse.
    """
    seen = Portrait.of(stats, head, features, labels, classes=classes, frame=frame)
    with styled():
        space = _space(ax)
        for k in range(3):
            _draw_class(space, seen, k)
        for artist in (*space.lines, *space.collections):
            artist.set_clip_box(space.figure.bbox)
        if not space.figure.legends:  # one key for all portraits of a figure
            handles = [Line2D([], [], color=COLORS[name], **line) for name, line in KEY.items()]
            space.figure.legend(handles=handles, loc="lower center", ncol=4, handlelength=1.6)
    return space


def _space(ax: Axes | None) -> Axes3D:
    """Empty space, without axes: only the simplex gives directions and lengths a meaning."""
    zoom = 1.2 if ax else 1.75  # 3-D axes are square: in a wide figure the picture outgrows them
    ax = ax or new_figure(6.0, 3.8, layout=None).add_axes((0, 0.01, 1, 1), projection="3d")
    if not isinstance(ax, Axes3D):
        raise TypeError(f'ax: expected 3-D axes (projection="3d"), got {type(ax).__name__}')
    ax.set_axis_off()
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-0.5, 1.0))
    ax.set_box_aspect((4, 4, 3), zoom=zoom)  # pyright: ignore[reportArgumentType]
    ax.view_init(elev=24, azim=78)  # no arm of the tripod points at the reader
    return ax


def _draw_class(space: Axes3D, seen: Portrait, k: int) -> None:
    color = {name: shade(COLORS[name], k) for name in COLORS}
    vertex, mean, row = seen.simplex[k], seen.means[k], seen.classifier[k]
    cloud = seen.features[seen.labels == k][:POINTS].T.tolist()
    dots = {"marker": MARKERS[k], "linestyle": "", "markersize": 2.5, "alpha": 0.6}
    stick = {"marker": MARKERS[k], "markevery": [-1]}
    thin = {"color": COLORS["simplex"], "linewidth": 1.0}
    space.plot(*cloud, color=color["features"], **dots)
    space.plot(*_stick(mean), color=color["means"], linewidth=4.5, markersize=9, **stick)
    space.quiver(0, 0, 0, *row.tolist(), color=color["classifier"], arrow_length_ratio=0.12)
    space.plot(*seen.simplex[[k, (k + 1) % 3]].T.tolist(), linestyle=":", **thin)
    space.plot(*_stick(vertex), markersize=16, fillstyle="none", **stick | thin)
    x, y, z = (1.26 * vertex).tolist()
    space.text(x, y, z, f"class {seen.classes[k]}", ha="center", va="center")


def _stick(end: Tensor) -> list[list[float]]:
    """From the origin to a point (3,), as three lists of coordinates."""
    return [[0.0, x] for x in end.tolist()]


def _fill_panel(figure: Figure | SubFigure, series: Series, tested: Series) -> None:
    """Five measurements of METRICS, mismatch, accuracy and the key, in four rows of two."""
    axes = figure.subplots(4, 2, sharex=True)
    *metrics, mismatch, accuracy, key = axes.flat
    for ax, names in zip(metrics, PANELS.values(), strict=True):
        _draw_metrics(ax, series, series.metrics(names))
    mismatch.plot(tested.epochs, tested.mismatch, **look("mismatch", 0))
    accuracy.plot(series.epochs, series.accuracy, **look("accuracy", 0))
    for ax in (mismatch, accuracy):
        _scale(ax, series, [])
    labels = [*PANELS, f"NC4  mismatch, {tested.split}", f"accuracy, {series.split}"]
    for ax, label in zip(axes.flat, labels, strict=False):
        ax.set_title(label, loc="left")
    mismatch.tick_params(labelbottom=True)
    accuracy.set_xlabel("epoch")
    looks = {"class means": look("_means", 0), "classifier": look("_classifier", 0)}
    if series.zero_error_epoch is not None:
        looks["zero training error"] = ZERO_ERROR
    key.set_axis_off()
    key.legend(
        loc="center", handles=[Line2D([], [], label=name, **line) for name, line in looks.items()]
    )


def _draw_metrics(ax: Axes, series: Series, columns: dict[str, list[float]]) -> None:
    for k, (name, values) in enumerate(columns.items()):
        ax.plot(series.epochs, values, label=_symbol(name), **look(name, k))
    to_one = any(METRICS[name].at_collapse == 1 for name in columns)
    _scale(ax, series, [] if to_one else sum(columns.values(), []))
    if to_one:
        ax.axhline(1, color=COLORS["simplex"], linewidth=1.0)


def _symbol(name: str) -> str:
    return f"${METRICS[name].symbol}$".replace(r"\tfrac", r"\frac")  # mathtext lacks \tfrac


def _scale(ax: Axes, series: Series, values: Sequence[float]) -> None:
    """Logarithmic axes where something is positive, a decade high at least; the zero-error line."""
    if max(series.epochs) > 0:
        ax.set_xscale("log", nonpositive="mask")
        label_ticks(ax.xaxis, widest=1000)
    if any(0 < value < float("inf") for value in values):
        ax.set_yscale("log", nonpositive="mask")
        low, high = ax.get_ylim()
        if high < 10 * low:
            middle = (low * high) ** 0.5
            ax.set_ylim(middle / 10**0.5, middle * 10**0.5, auto=True)
        label_ticks(ax.yaxis, widest=100)
    if series.zero_error_epoch is not None:
        ax.axvline(series.zero_error_epoch, zorder=1, **ZERO_ERROR)
