"""The two-speed family as pictures: where spreads shrink, how ratios turn, two readings of NC1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from ..palette import COLORS
from ..theory.two_speeds import exponent, least_exponent
from .canvas import label_ticks, new_figure, styled

__all__ = ["plot_exponents", "plot_nc1", "plot_spreads"]

_COLORS = ("#222222", "#0072B2", "#009E73", "#D55E00", "#BB5599", "#785EF0")
_DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)))
_GUIDE: dict[str, Any] = {"color": COLORS["simplex"], "linewidth": 1.0, "zorder": 1}


def plot_exponents(ratios: Sequence[float]) -> Axes:
    """The local exponent p against omega^2 / C, a curve for each ratio, its least value marked.

    Chapter: two-speeds.
    """
    v = torch.logspace(-2, 5, 400, dtype=torch.float64)
    with styled():
        ax = new_figure(6.0, 4.6).add_subplot()
        ax.axhline(1.0, **_GUIDE)
        ax.axhline(0.0, **_GUIDE)
        words: dict[str, Any] = {"va": "bottom", "fontsize": 10.5}
        ax.text(1.2e5, 1.06, "ratios shrink below", ha="right", **words)
        ax.text(8e-3, 0.06, "differences\nshrink below", ha="left", **words)
        for k, ratio in enumerate(ratios):
            p = exponent((2 * v).sqrt(), 2, ratio)
            ax.plot(v.tolist(), p.tolist(), label=f"$r={ratio:g}$", **_look(k))
            if 0 < ratio < 1:
                ax.plot(ratio**-0.5, least_exponent(ratio), "o", color=_COLORS[k], markersize=6)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=9))
        ax.set(xlabel=r"$\omega^2/C$", ylabel="local exponent $p$", ylim=(-3.2, 1.6))
        _key(ax)
    return ax


def plot_spreads(
    times: Tensor, panels: Mapping[str, Mapping[str, Tensor]], *, ylabel: str
) -> Figure:
    """Ratios of two values over times (T,): panel -> curve -> ratios (T,), both axes logarithmic.

    A thin line at 1, where the values are equal.   Chapter: two-speeds.
    """
    with styled():
        figure = new_figure(6.0, 1.2 + 2.9 * len(panels))
        axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for ax, (name, curves) in zip(axes, panels.items(), strict=True):
            ax.axhline(1.0, **_GUIDE)
            for k, (label, values) in enumerate(curves.items()):
                ax.plot(times.tolist(), values.tolist(), label=label, **_look(k))
            ax.set_xscale("log")
            ax.set_yscale("log")
            label_ticks(ax.yaxis, widest=300)
            ax.set_title(name, loc="left")
            ax.set_ylabel(ylabel)
        axes[-1].set_xlabel("time")
        _key(axes[0])
    return figure


def plot_nc1(times: Tensor, curves: Mapping[str, Tensor]) -> Axes:
    """Positive measurements (T,) over a linear time axis (T,), values logarithmic.

    Chapter: two-speeds.
    """
    with styled():
        ax = new_figure(6.0, 4.2).add_subplot()
        for k, (label, values) in enumerate(curves.items()):
            ax.plot(times.tolist(), values.tolist(), label=label, **_look(k))
        ax.set_yscale("log")
        ax.set(xlabel="time", ylabel="NC1, two readings")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=1)
    return ax


def _look(k: int) -> dict[str, Any]:
    return {"color": _COLORS[k % len(_COLORS)], "linestyle": _DASHES[k % len(_DASHES)]}


def _key(ax: Axes) -> None:
    """The legend above the axes, leaving room for a panel's own title."""
    height = 1.0 if not ax.get_title(loc="left") else 1.1
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, height), ncol=3)
