"""The landscape of one feature before a collapsed classifier, and the minimizers, as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from torch import Tensor

from ..palette import COLORS, INK
from ..theory.rescaled import LocalLandscape
from .canvas import new_figure, styled

__all__ = ["plot_landscapes", "plot_plane", "plot_shrinkage", "plot_turning"]

Loss = Callable[[Tensor, Tensor], Tensor]
LEVELS = [0.02 * 2**k for k in range(14)]  # above the least value of a panel; the same for all
LOOKS = (
    (INK, "-"),
    (COLORS["classifier"], "--"),
    (COLORS["means"], "-."),
    ("#009E73", ":"),
)


def plot_landscapes(losses: Mapping[str, Loss], *, radius: float) -> Figure:
    """Loss against radius and angle, a panel for each, with the same contour levels in all.

    ``losses`` map radius and angle to the loss, by heading. From one line to the next the loss
    above the panel's least value doubles, so that dense lines mean steep ground in every panel.

    Source: after Zhou et al. 2022, Fig. 2.   Chapter: rescaled.
    """
    s, theta = _grid(torch.linspace(0.02, radius, 121), torch.linspace(0, math.pi, 121))
    with styled():
        figure, axes = _panels(len(losses), height=2.5)
        for ax, (heading, loss) in zip(axes, losses.items(), strict=True):
            _contours(ax, s, theta, loss(s, theta))
            ax.set_title(heading, loc="left")
            ax.set_yticks([0, math.pi / 2, math.pi], ["0", "π/2", "π"])
        _label(figure, "radius s", "angle θ")
    return figure


def plot_plane(
    losses: Mapping[str, Loss],
    *,
    radius: float,
    paths: Mapping[str, Sequence[tuple[Tensor, Tensor]]] | None = None,
) -> Figure:
    """The same in the plane of the feature: along its vertex and across it, in true proportions.

    ``paths`` are curves (along, across) by heading, drawn with a mark at their end.
    Chapter: rescaled.
    """
    along, across = _grid(torch.linspace(-radius / 3, radius, 161), torch.linspace(0, radius, 121))
    s, theta = torch.hypot(along, across), torch.atan2(across, along)
    with styled():
        figure, axes = _panels(len(losses), height=2.1)
        for ax, (heading, loss) in zip(axes, losses.items(), strict=True):
            _contours(ax, along, across, loss(s, theta))
            for path in (paths or {}).get(heading, ()):
                x, y = (part.tolist() for part in path)
                ax.plot(x, y, color=COLORS["classifier"], linewidth=2.2, zorder=4)
                ax.plot(x[-1:], y[-1:], "o", color=COLORS["classifier"], markersize=6, zorder=5)
            ax.set_aspect("equal")
            ax.set_title(heading, loc="left")
        _label(figure, "along the vertex", "across")
    return figure


def plot_turning(
    landscapes: Mapping[str, LocalLandscape], *, start: tuple[float, float], times: Tensor
) -> Figure:
    """Angle and radial error of a feature that flows down each landscape, against time.

    ``start`` is (radius, angle); the error is relative to the best radius.
    Source: our derivation.   Chapter: rescaled.
    """
    with styled():
        figure = new_figure(6.0, 5.0)
        axes = figure.subplots(2, 1, sharex=True)
        for (label, land), (color, dash) in zip(landscapes.items(), LOOKS, strict=False):
            along, across = land.flow(*start, times)
            angle = torch.atan2(across, along).rad2deg()
            error = (along / land.minimum - 1).abs()
            for ax, values in zip(axes, (angle, error), strict=True):
                ax.plot(times, values, color=color, linestyle=dash, label=label)
        for ax, name in zip(axes, ("angle, degrees", "error along vertex"), strict=True):
            ax.set(yscale="log", ylabel=name)
        axes[-1].set_xlabel("time")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncol=len(labels))
    return figure


def plot_shrinkage(curves: Mapping[str, Sequence[tuple[float, float, float]]]) -> Figure:
    """Size of the simplex and of its common part against c, for each choice of (alpha, M).

    ``curves`` hold (c, x/M, y/M) by label.
    Source: our derivation.   Chapter: rescaled.
    """
    with styled():
        figure = new_figure(6.0, 5.0)
        axes = figure.subplots(2, 1, sharex=True, sharey=True)
        for (label, points), (color, dash) in zip(curves.items(), LOOKS, strict=False):
            c, x, y = zip(*points, strict=True)
            for ax, values in zip(axes, (x, y), strict=True):
                ax.plot(c, values, color=color, linestyle=dash, label=label)
        axes[0].set_ylabel("simplex  x / M")
        axes[1].set(ylabel="common  y / M", xlabel="c", xscale="log")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncol=len(labels))
    return figure


def _grid(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    x, y = torch.meshgrid(first.double(), second.double(), indexing="xy")
    return x, y


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """Two panels a row, all with the same axes."""
    rows = (count + 1) // 2
    figure = new_figure(6.0, 0.4 + height * rows)
    axes = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:count])


def _contours(ax: Axes, x: Tensor, y: Tensor, loss: Tensor) -> None:
    above = (loss - loss.min()).tolist()
    grid = (x.tolist(), y.tolist(), above)
    bands = [0, *LEVELS]
    norm = BoundaryNorm(bands, 256, extend="max")
    ax.contourf(*grid, levels=bands, cmap="viridis_r", norm=norm, extend="max", alpha=0.85)
    ax.contour(*grid, levels=LEVELS, colors="white", linewidths=0.6)
    ax.grid(False)


def _label(figure: Figure, x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=12)
    figure.supylabel(y, fontsize=12)
