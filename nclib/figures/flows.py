"""Flows of SNR values as pictures: over many decades of time, against each other, as collapse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from ..palette import COLORS, PANELS, look
from .canvas import label_ticks, new_figure, styled

__all__ = ["FLOWS", "plot_collapse", "plot_flows", "plot_modes"]

FLOWS: dict[str, dict[str, Any]] = {
    "projected": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "step, then whiten": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    r"plain, from $\Sigma_T=I$": {"color": "#009E73", "linestyle": "-.", "marker": "^"},
    r"plain, from $\Sigma_W=I$": {"color": "#8C564B", "linestyle": (0, (1, 1)), "marker": "D"},
}
"""Color, dash and mark of each flow, by its name in the legends."""

_DASHES = ("-", "--", "-.", ":")
_PANELS = {name: columns for name, columns in PANELS.items() if name != "NC2  equal angles"}
_GUIDE = {"color": COLORS["simplex"], "linewidth": 1.0, "zorder": 1}


def plot_modes(
    times: Tensor,
    values: Tensor,
    *,
    ylabel: str = r"$\omega_j$",
    log: bool = True,
    guides: Mapping[str, Tensor] | None = None,
    points: tuple[Tensor, Tensor] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """One line for each SNR value (T, C-1) over times (T,), the time axis logarithmic.

    ``guides`` are thin gray lines (T,) with their names, such as a limiting law; ``points`` are
    times (K,) and values (K, C-1) of a simulation, drawn as marks. ``log=False`` for an exponent.

    Source: Han, Papyan & Donoho 2022, Proposition 2.   Chapter: flow.
    """
    count = values.shape[1]
    with styled():
        ax = ax or new_figure(6.0, 4.2).add_subplot()
        for k, (name, guide) in enumerate((guides or {}).items()):
            dash = _DASHES[(k + 1) % len(_DASHES)]
            ax.plot(times.tolist(), guide.tolist(), label=name, linestyle=dash, **_GUIDE)
        for j in range(count):
            line = {"color": _tint(j, count), "linestyle": _DASHES[j % len(_DASHES)]}
            name = f"$j={j + 1}$" if count <= 4 else "_mode"
            ax.plot(times.tolist(), values[:, j].tolist(), label=name, **line)
            if points is not None:
                dots = {"color": _tint(j, count), "linestyle": "", "marker": "o", "markersize": 5}
                ax.plot(points[0].tolist(), points[1][:, j].tolist(), fillstyle="none", **dots)
        ax.set(xlabel="time", ylabel=ylabel)
        _scale(ax, log)
        if ax.get_legend_handles_labels()[0]:
            ax.legend()
    return ax


def plot_flows(
    curves: Mapping[str, tuple[Tensor, Tensor]],
    *,
    ylabel: str,
    points: Mapping[str, tuple[Tensor, Tensor]] | None = None,
    log: bool = True,
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Flows against each other: name -> (times (T,), values (T,) or (T, k)), best from FLOWS.

    ``points`` are simulations, as marks in the color of their flow; ``limit`` a thin line.

    Source: our derivation.   Chapter: renormalizations.
    """
    with styled():
        ax = ax or new_figure(6.0, 4.4).add_subplot()
        if limit is not None:
            ax.axhline(limit, **_GUIDE)
        for name, (times, values) in curves.items():
            line = _unmarked(_look(name))
            columns = values.reshape(len(times), -1).T.tolist()
            for k, column in enumerate(columns):
                ax.plot(times.tolist(), column, label="_" * min(k, 1) + name, **line)
        for name, (times, values) in (points or {}).items():
            dots = _look(name) | {"linestyle": "", "markersize": 5, "fillstyle": "none"}
            for column in values.reshape(len(times), -1).T.tolist():
                ax.plot(times.tolist(), column, label="_simulated", **dots)
        ax.set(xlabel="time", ylabel=ylabel)
        _scale(ax, log)
        columns = 1 if len(curves) < 2 else 2
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns)
    return ax


def plot_collapse(
    times: Tensor, measured: Sequence[Mapping[str, float]], mismatch: Sequence[float]
) -> Figure:
    """NC1 to NC4 over the time of a flow: measurements as of ``measure``, one for each time (T,).

    ``mismatch`` is the share of samples in which head and nearest class mean disagree.

    Source: Han, Papyan & Donoho 2022, Corollary 2.   Chapter: limits.
    """
    with styled():
        figure = new_figure(6.0, 6.4)
        axes = figure.subplots(3, 2, sharex=True)
        for ax, (label, names) in zip(axes.flat, _PANELS.items(), strict=False):
            for k, name in enumerate(names):
                line = _unmarked(look(name, k))
                ax.plot(times.tolist(), [row[name] for row in measured], label=name, **line)
            _scale(ax, log=True)
            ax.set_title(label, loc="left")
        last, key = axes.flat[4:]
        last.plot(times.tolist(), list(mismatch), **_unmarked(look("mismatch", 0)))
        _scale(last, log=False)
        last.set_title("NC4  mismatch", loc="left")
        looks = {"class means": look("_means", 0), "classifier": look("_classifier", 0)}
        lines = [Line2D([], [], label=name, **_unmarked(kind)) for name, kind in looks.items()]
        key.set_axis_off()
        key.legend(handles=lines, loc="center")
        axes[1, 1].tick_params(labelbottom=True)
        for ax in (last, axes[1, 1]):
            ax.set_xlabel("time")
    return figure


def _look(name: str) -> dict[str, Any]:
    return dict(FLOWS.get(name) or look(name, len(name)))


def _unmarked(line: dict[str, Any]) -> dict[str, Any]:
    """Without marks: a closed form has no sample times."""
    return {**line, "marker": ""}


def _tint(position: int, count: int) -> tuple[float, ...]:
    """From dark to light along viridis, without its yellow end."""
    return colormaps["viridis"](0.05 + 0.7 * position / max(count - 1, 1))


def _scale(ax: Axes, log: bool) -> None:
    ax.set_xscale("log", nonpositive="mask")
    ax.xaxis.set_major_locator(LogLocator(numticks=7))
    ax.xaxis.set_minor_formatter(NullFormatter())
    if log:
        ax.set_yscale("log", nonpositive="mask")
        ax.yaxis.set_major_locator(LogLocator(numticks=7))
        ax.yaxis.set_minor_formatter(NullFormatter())
        label_ticks(ax.yaxis, widest=100)
