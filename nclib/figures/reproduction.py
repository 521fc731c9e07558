"""Arrays of runs as in the papers' Figures 2 to 9: an empty frame stands for what was not run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from ..metrics import METRICS
from ..palette import COLORS, PANELS, TERMS, ZERO_ERROR, look
from ..records import Row
from ..series import Series
from ..statements import terminal_epoch
from .canvas import label_ticks, new_figure, styled
from .stored import NOT_RUN, TITLES, Runs, Stored

__all__ = ["grid", "term_grid"]

LABELS = {names: label for label, names in PANELS.items()} | {("mismatch",): "NC4  mismatch"}
READING: dict[str, Any] = {"color": COLORS["simplex"], "marker": "D", "linestyle": ""}
READING |= {"markersize": 5, "fillstyle": "none"}
TALL, READ, FLAT, REST = 1.25, 0.8, 0.34, 1.3
"""Inches: a row with runs, one with readings alone, one with neither; headings and key."""


def grid(
    runs: Runs,
    quantity: str | Sequence[str],
    *,
    split: str = "train",
    readings: Mapping[tuple[str, str], float] | None = None,
    read_from: str = "as read in the paper",
) -> Figure:
    """One or several measurements of every run against the epoch, on common logarithmic axes.

    ``quantity`` names measurements of METRICS, "mismatch", "accuracy" or "robustness". A dotted
    line marks zero training error as the papers understand it, a hollow diamond at the right
    edge a value of ``readings``, on the same vertical axis. A row without any run is kept low.

    Source: Han, Papyan & Donoho 2022, Figs. 3-9.   Chapter: reproduction.
    """
    names = (quantity,) if isinstance(quantity, str) else tuple(quantity)
    readings = readings or {}
    if strangers := sorted(set(readings) - set(runs)):
        raise ValueError(f"readings: expected cells of the grid, got {strangers}")
    looks = {name: look(name, k) for k, name in enumerate(names)}

    def draw(ax: Axes, key: tuple[str, str], rows: Sequence[Row]) -> bool:
        columns = {name: _points(rows, name, split) for name in looks} if rows else {}
        for name, (epochs, values) in columns.items():
            ax.plot(epochs, values, **looks[name])
        if key in readings:
            ax.plot(0.96, readings[key], transform=ax.get_yaxis_transform(), **READING)
        return any(epochs for epochs, _ in columns.values())

    key = [line | {"label": _label(name)} for name, line in looks.items() if len(names) > 1]
    key += [READING | {"label": read_from}] if readings else []
    return _grid(runs, draw, key, LABELS.get(names, ", ".join(names)), set(readings))


def term_grid(runs: Runs, *, ridge: str, split: str = "train") -> Figure:
    """The three terms of every run's loss against the epoch, under a reading of the ridge.

    Source: Han, Papyan & Donoho 2022, Fig. 2.   Chapter: reproduction.
    """
    looks: dict[str, dict[str, Any]] = {
        name: {"color": COLORS[name]} | line for name, line in TERMS.items() if name != "total"
    }

    def draw(ax: Axes, key: tuple[str, str], rows: Sequence[Row]) -> bool:
        if rows:
            series = Series.of(rows, split)
            for name, line in looks.items():
                ax.plot(series.epochs, series.terms(ridge)[name], **line)
        return bool(rows)

    return _grid(runs, draw, list(looks.values()), "terms of the loss", set())


def _label(name: str) -> str:
    """What a line is: of the class means, of the classifier, or by its name."""
    for ending, label in (("means", "class means"), ("classifier", "classifier")):
        if name.endswith(f"_{ending}"):
            return label
    return name.replace("_", " ")


def _points(rows: Sequence[Row], name: str, split: str) -> tuple[list[int], list[float]]:
    """Epochs and values of a measurement, where it was made."""
    series = Series.of(rows, split)
    column = series.metric(name) if name in METRICS else [getattr(row, name) for row in series.rows]
    pairs = [(e, x) for e, x in zip(series.epochs, column, strict=True) if not math.isnan(x)]
    return [e for e, _ in pairs], [x for _, x in pairs]


def _grid(
    runs: Runs,
    draw: Callable[[Axes, tuple[str, str], Sequence[Row]], bool],
    key: Sequence[dict[str, Any]],
    heading: str,
    read: set[tuple[str, str]],
) -> Figure:
    """A panel for each cell, in the order in which rows and columns first come up.

    ``draw(ax, cell, rows)`` says whether it drew any of the rows.
    """
    if not runs:
        raise ValueError("runs: expected at least one cell, got none")
    down, across = (list(dict.fromkeys(cell[k] for cell in runs)) for k in (0, 1))
    heights = {row: _height([(row, column) for column in across], runs, read) for row in down}
    low = {row for row, height in heights.items() if height < READ}
    with styled():
        figure = new_figure(6.0, sum(heights.values()) + REST)
        shared: dict[str, Any] = {"sharex": True, "sharey": True, "squeeze": False}
        height_ratios = list(heights.values())
        axes = figure.subplots(len(down), len(across), height_ratios=height_ratios, **shared)
        for row, panels in zip(down, axes, strict=True):
            for column, ax in zip(across, panels, strict=True):
                found = runs.get((row, column))
                drawn = draw(ax, (row, column), found[1] if found else ())
                _finish(ax, found, drawn)
                if row in low:
                    ax.tick_params(left=False, bottom=False, labelleft=False)
                    ax.grid(False)
            panels[0].set_ylabel(TITLES.get(row, row), rotation=0, ha="right", va="center")
        for column, ax in zip(across, axes[0], strict=True):
            ax.set_title(column)
        _scale(axes[-1, len(across) // 2], any(runs.values()))
        lines = [Line2D([], [], **line) for line in key]
        if any(runs.values()):
            lines.append(Line2D([], [], label="zero training error", **ZERO_ERROR))
        place = {"loc": "outside lower center", "ncol": 2 if read else 4}
        figure.legend(handles=lines, title=heading, **place)
    return figure


def _height(cells: Sequence[tuple[str, str]], runs: Runs, read: set[tuple[str, str]]) -> float:
    if any(runs.get(cell) for cell in cells):
        return TALL
    return READ if read.intersection(cells) else FLAT * (1 + cells[0][0].count("\n"))


def _finish(ax: Axes, found: Stored | None, drawn: bool) -> None:
    """The zero-error line of a run, and in words how it stands unless it is finished."""
    zero = terminal_epoch(found[1]) if found else None
    if zero is not None:
        ax.axvline(zero, zorder=1, **ZERO_ERROR)
    gray = {"transform": ax.transAxes, "color": "#6B6B6B"}
    if not drawn:
        word = "not measured" if found else NOT_RUN
        ax.text(0.5, 0.5, word, ha="center", va="center", **gray)
    elif found and found[0].status != "finished":
        ax.text(0.97, 0.97, found[0].status, ha="right", va="top", **gray)


def _scale(ax: Axes, any_run: bool) -> None:
    """Logarithmic axes with few numbers, shared by all; epochs are numbered where a run is."""
    ax.set_xscale("log", nonpositive="mask")
    ax.set_yscale("log", nonpositive="mask")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(numticks=4))
        axis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    low, high = ax.get_ylim()
    if high < 10 * low:
        middle = (low * high) ** 0.5
        ax.set_ylim(middle / 10**0.5, middle * 10**0.5)
    label_ticks(ax.yaxis, widest=30)
    if any_run:
        ax.set_xlabel("epoch")
        ax.set_xlim(left=0.85)
    else:
        ax.xaxis.set_major_locator(NullLocator())
