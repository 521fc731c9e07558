"""What a grid costs as pictures: hours by accelerator, and the roof over a network's kernels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes

from ..palette import COLORS, INK
from .canvas import new_figure, styled

__all__ = ["plot_hours", "plot_roof", "plot_timeline"]

Ranges = Mapping[str, Mapping[str, tuple[float, float]]]
"""Series -> accelerator -> the least and the most hours."""
_LOOKS = ((COLORS["means"], "o"), ("#009E73", "s"), (COLORS["classifier"], "^"), (INK, "D"))
_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6}
_STATES: dict[str, dict[str, Any]] = {
    "running": {"color": COLORS["means"], "edgecolor": "white"},
    "lost": {"color": "white", "edgecolor": COLORS["classifier"], "hatch": "////"},
    "waiting": {"color": "#DDDDDD"},
}


class Roofed(Protocol):
    """What a roof is drawn of: an ``Accelerator``."""

    @property
    def name(self) -> str: ...
    @property
    def half(self) -> float: ...
    @property
    def bandwidth(self) -> float: ...


def plot_hours(ranges: Ranges, *, hollow: Collection[tuple[str, str]] = ()) -> Axes:
    """A bar from the least to the most hours for every series on every accelerator, log axis.

    ``hollow`` are (series, accelerator) whose markers are not filled: what does not fit there.
    Chapter: scale.
    """
    if not ranges or len(ranges) > len(_LOOKS):
        raise ValueError(f"ranges: expected 1 to {len(_LOOKS)} series, got {len(ranges)}")
    names = list(dict.fromkeys(name for hours in ranges.values() for name in hours))
    with styled():
        ax = new_figure(6.0, 0.62 * len(names) + 1.5).add_subplot()
        for k, (label, hours) in enumerate(ranges.items()):
            color, marker = _LOOKS[k]
            places = [names.index(name) + 0.17 * (k - (len(ranges) - 1) / 2) for name in hours]
            low, high = (np.array(side) for side in zip(*hours.values(), strict=True))
            ax.hlines(places, low, high, color=color, linewidth=3.0)
            middle = np.sqrt(low * high)
            ax.plot(middle, places, color=color, marker=marker, linestyle="", markersize=5,
                    label=label)  # fmt: skip
            empty = [i for i, name in enumerate(hours) if (label, name) in hollow]
            ax.plot(middle[empty], np.array(places)[empty], color=color, marker=marker,
                    linestyle="", markersize=5, markerfacecolor="white")  # fmt: skip
        ax.set(xscale="log", xlabel="hours", yticks=range(len(names)), yticklabels=names)
        ax.grid(False, axis="y")
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.xaxis.set_major_formatter("{x:g}")
        columns = 2 if len(ranges) > 1 else 1
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncol=columns)  # pyright: ignore
    return ax


def plot_roof(accelerators: Sequence[Roofed], intensities: Mapping[str, float]) -> Axes:
    """The rate that a data sheet allows against operations per byte, and where networks lie.

    ``intensities`` are operations per byte of whole steps, by the name of the network.

    Source: Williams, Waterman & Patterson 2009.   Chapter: scale.
    """
    marks = sorted(intensities.items(), key=lambda found: found[1])
    with styled():
        ax = new_figure(6.0, 4.0).add_subplot()
        x = np.geomspace(5, 1000, 200)
        for (color, _), one, dash in zip(
            _LOOKS, accelerators, ("-", "--", "-.", ":"), strict=False
        ):
            rates = np.minimum(one.half, x * one.bandwidth / 1000)
            ax.plot(x, rates, color=color, linestyle=dash, label=one.name)
        ax.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="TFLOP/s at most")
        low, high = ax.get_ylim()
        for k, (name, intensity) in enumerate(marks):
            ax.axvline(intensity, color="#BBBBBB", linewidth=1.0, zorder=0)
            ax.text(intensity, low * (high / low) ** (0.02 + 0.09 * (k % 3)), f" {name}",
                    fontsize=10.5, color=INK, bbox=_HALO)  # fmt: skip
        ax.grid(False)
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncol=4)  # pyright: ignore
    return ax


def plot_timeline(spans: Sequence[tuple[str, str, float, float]], words: str) -> Axes:
    """Bars over time: (row, state, begin, end) in seconds, a row for each name in its first order.

    States are "running", "lost" and "waiting"; ``words`` names the time axis.   Chapter: scale.
    """
    names = list(dict.fromkeys(name for name, *_ in spans))
    seen: set[str] = set()
    with styled():
        ax = new_figure(6.0, 0.36 * len(names) + 1.3).add_subplot()
        for name, state, begin, end in spans:
            label = "" if state in seen else state
            seen.add(state)
            ax.barh(names.index(name), end - begin, left=begin, height=0.62, label=label or None,
                    **_STATES[state])  # fmt: skip
        ax.set(xlabel=words, yticks=range(len(names)), yticklabels=names, axisbelow=True)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.grid(False, axis="y")
        if len(seen) > 1:
            ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncol=3)  # pyright: ignore
    return ax
