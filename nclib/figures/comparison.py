"""Squared error beside cross-entropy: an array of small plots, gaps with whiskers, NC1 and error.

A loss has one color and one mark; training images are solid lines with filled marks, test images
dashes with hollow ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from ..palette import COLORS, INK, ZERO_ERROR
from ..records import Row
from ..series import Series
from .canvas import label_ticks, new_figure, styled

__all__ = ["LOSS_COLORS", "Curve", "plot_array", "plot_gaps", "plot_plane"]

LOSS_COLORS = {"mse": INK, "ce": "#CC3311"}
"""A color for each loss."""
NOT_RUN = "not run"
_DOTTED: dict[str, Any] = ZERO_ERROR
# Inches: an only row, one with curves, with readings alone, with nothing; key and headings.
LONE, TALL, READ, FLAT, REST = 2.2, 1.45, 0.75, 0.42, 1.5
_LABELS = {"mse": "squared error", "ce": "cross-entropy"}
_MARKS = {"mse": "o", "ce": "s"}
_LAWS = ((INK, "-"), ("#0072B2", "--"), ("#BB5599", "-."), (COLORS["simplex"], (0, (1, 1))))
_CLOUDS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#785EF0", "D"),
           ("#999933", "v"), ("#BB5599", "P"))  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """One quantity of one run: y over x, the loss that was trained, the split it was seen on.

    ``mark`` is where on the x axis the training error was first seen to be zero, if it was.

    Chapter: mse-vs-ce.
    """

    loss: str
    split: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    mark: float | None = None

    def __post_init__(self) -> None:
        if self.loss not in LOSS_COLORS:
            raise ValueError(f"loss: expected one of {sorted(LOSS_COLORS)}, got {self.loss!r}")
        if len(self.x) != len(self.y):
            raise ValueError(f"y: expected {len(self.x)} values to match x, got {len(self.y)}")

    @classmethod
    def of(cls, rows: Sequence[Row], quantity: str, *, loss: str, split: str) -> Curve:
        """A quantity over the epochs: a name of METRICS, "accuracy", "loss" or "robustness".

        Epochs in which it was not measured are left out.
        """
        series = Series.of(rows, split)
        if quantity in ("accuracy", "loss", "robustness"):
            values = [getattr(row, quantity) for row in series.rows]
        else:
            values = series.metric(quantity)
        pairs = zip(series.epochs, values, strict=True)
        seen = [(float(x), y) for x, y in pairs if not math.isnan(y)]
        x, y = zip(*seen, strict=True) if seen else ((), ())
        return cls(loss, split, x, y, series.zero_error_epoch)


Panels = Mapping[tuple[str, str], Sequence[Curve]]
Readings = Mapping[tuple[str, str], float]


def plot_array(
    panels: Panels,
    *,
    xlabel: str,
    ylabel: str,
    logx: bool = True,
    readings: Readings | None = None,
    reading: str = "cross-entropy, read in the paper",
) -> Figure:
    """A panel for each (row, column), both losses in it, the two axes common to all panels.

    A panel without curves says "not run", and a row of such panels is low. A dotted line in the
    color of its loss stands where the training error was first zero; a hollow diamond at the
    right edge is a value of ``readings``, of a cross-entropy network that others trained.

    Source: Han, Papyan & Donoho 2022, Figs. 10-12.   Chapter: mse-vs-ce.
    """
    if not panels:
        raise ValueError("panels: expected at least one (row, column), got none")
    readings = readings or {}
    if strangers := sorted(set(readings) - set(panels)):
        raise ValueError(f"readings: expected keys of panels, got {strangers}")
    down, across = (list(dict.fromkeys(key[k] for key in panels)) for k in (0, 1))
    heights = [_height([(row, column) for column in across], panels, readings) for row in down]
    heights = [LONE] if heights == [TALL] else heights
    with styled():
        figure = new_figure(6.0, sum(heights) + REST)
        axes = figure.subplots(
            len(down), len(across), sharex=True, sharey=True, squeeze=False, height_ratios=heights
        )
        for row, line in zip(down, axes, strict=True):
            for column, ax in zip(across, line, strict=True):
                _fill(ax, panels.get((row, column), ()), readings.get((row, column)))
            line[0].set_ylabel(row, rotation=0, ha="right", va="center")
        for ax, column in zip(axes[0], across, strict=True):
            ax.set_title(column)
        drawn = any(panels.values())
        _scale(axes[-1, 0], logx=logx, drawn=drawn, valued=drawn or bool(readings))
        axes[-1, len(across) // 2].set_xlabel(xlabel if drawn else "")
        figure.legend(
            handles=_key(panels, reading if readings else None), title=ylabel,
            loc="outside lower center", ncol=2,
        )  # fmt: skip
    return figure


def plot_gaps(
    gaps: Mapping[str, tuple[float, float]],
    *,
    xlabel: str,
    hollow: Sequence[str] = (),
    linear: float = 1.0,
) -> Axes:
    """Values with whiskers, one a line from top to bottom: name -> (value, half-width).

    The axis is linear up to ``linear`` on both sides of zero and logarithmic beyond. Lines named
    in ``hollow`` have hollow marks.   Chapter: mse-vs-ce.
    """
    if not gaps:
        raise ValueError("gaps: expected at least one named value, got none")
    if strangers := sorted(set(hollow) - set(gaps)):
        raise ValueError(f"hollow: expected names of gaps, got {strangers}")
    with styled():
        ax = new_figure(6.0, 1.0 + 0.29 * len(gaps)).add_subplot()
        ax.axvline(0, color=COLORS["simplex"], linewidth=1.0, zorder=1)
        for k, (name, (value, half)) in enumerate(gaps.items()):
            face = "white" if name in hollow else INK
            ax.errorbar(value, k, xerr=half, fmt="o", color=INK, markerfacecolor=face,
                        markersize=6, elinewidth=1.4, capsize=3)  # fmt: skip
        ax.set_xscale("symlog", linthresh=linear, linscale=1.6)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_yticks(range(len(gaps)), list(gaps))
        ax.set(xlabel=xlabel, ylim=(len(gaps) - 0.4, -0.6))
    return ax


def plot_plane(
    laws: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    clouds: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
) -> Axes:
    """Laws as lines and measurements as points, both axes logarithmic: name -> (x, y).

    Points at zero are left out.   Chapter: test-data.
    """
    if not clouds:
        raise ValueError("clouds: expected at least one named set of points, got none")
    with styled():
        figure = new_figure(6.0, 5.6)
        ax = figure.add_subplot()
        for k, (name, (x, y)) in enumerate(clouds.items()):
            color, mark = _CLOUDS[k % len(_CLOUDS)]
            ax.plot(x, y, mark, color=color, markersize=5.5, alpha=0.75, label=name)
        for k, (name, (x, y)) in enumerate(laws.items()):
            color, dash = _LAWS[k % len(_LAWS)]
            ax.plot(x, y, color=color, linestyle=dash, label=name, zorder=1)
        ax.set_xscale("log", nonpositive="mask")
        ax.set_yscale("log", nonpositive="mask")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        figure.legend(loc="outside lower center", ncol=2)
    return ax


def _height(keys: Sequence[tuple[str, str]], panels: Panels, readings: Readings) -> float:
    if any(panels.get(key) for key in keys):
        return TALL
    return READ if any(key in readings for key in keys) else FLAT


def _fill(ax: Axes, curves: Sequence[Curve], read: float | None) -> None:
    for curve in curves:
        ax.plot(curve.x, curve.y, **_look(curve.loss, curve.split))
        if curve.mark is not None:
            ax.axvline(curve.mark, **dict(_DOTTED, color=LOSS_COLORS[curve.loss]))
    if read is not None:
        ax.plot([0.96], [read], transform=ax.get_yaxis_transform(), **_READING)
    if not curves:
        ax.text(0.5, 0.5, NOT_RUN, transform=ax.transAxes, ha="center", va="center",
                color=COLORS["simplex"])  # fmt: skip
        ax.grid(False)


def _look(loss: str, split: str) -> dict[str, Any]:
    color, tested = LOSS_COLORS[loss], split != "train"
    return {
        "color": color, "marker": _MARKS[loss], "linestyle": "--" if tested else "-",
        "markerfacecolor": "white" if tested else color, "markersize": 3.6, "linewidth": 1.4,
    }  # fmt: skip


_READING: dict[str, Any] = {
    "color": LOSS_COLORS["ce"], "marker": "D", "linestyle": "", "markersize": 6.5,
    "markerfacecolor": "none", "clip_on": False,
}  # fmt: skip


def _key(panels: Panels, reading: str | None) -> list[Line2D]:
    """What the marks mean, of those that are there; without curves, both losses."""
    curves = [curve for panel in panels.values() for curve in panel]
    kinds = dict.fromkeys((curve.loss, curve.split) for curve in curves)
    splits = {split for _, split in kinds}
    lines = [
        Line2D([], [], label=_LABELS[loss] + (f", {split}" if len(splits) > 1 else ""),
               **_look(loss, split))
        for loss, split in kinds or dict.fromkeys((loss, "train") for loss in LOSS_COLORS)
    ]  # fmt: skip
    if any(curve.mark is not None for curve in curves):
        lines.append(Line2D([], [], label="zero training error", **_DOTTED))
    if reading is not None:
        lines.append(Line2D([], [], label=reading, **_READING))
    return lines


def _scale(ax: Axes, *, logx: bool, drawn: bool, valued: bool) -> None:
    """Axes with few numbers, and with none where no curve or reading needs them."""
    if valued:
        ax.set_yscale("log", nonpositive="mask")
        ax.yaxis.set_major_locator(LogLocator(numticks=4 if drawn else 3))
        ax.yaxis.set_minor_locator(NullLocator())
        label_ticks(ax.yaxis, widest=100 if drawn else 30)
    else:
        ax.yaxis.set_major_locator(NullLocator())
    if not drawn:
        ax.xaxis.set_major_locator(NullLocator())
    elif logx:
        ax.set_xscale("log", nonpositive="mask")
        ax.xaxis.set_major_locator(LogLocator(numticks=4))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter("{x:g}")
