"""Features in several coordinates, heads that catch up with them, and the loss value by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from ..head import Head, least_squares
from ..palette import COLORS, MARKERS, TERMS
from ..stats import ClassStats
from .canvas import label_ticks, new_figure, styled

__all__ = ["plot_approach", "plot_coordinates", "plot_parts"]

_DASHES = ("-", "--", "-.", ":")
_CLASSES = ("#0072B2", "#D55E00", "#009E73")
_GRID = 160  # points a side at which decisions are drawn


def plot_coordinates(views: Mapping[str, Tensor], labels: Tensor) -> Figure:
    """Features (n, 2) of up to three classes in several coordinates, a panel each, by its name.

    The ground is tinted by the decisions of the best head without ridge, found anew in each
    panel. Class means are large marks.

    Source: Han, Papyan & Donoho 2022, Eq. (7).   Chapter: invariance.
    """
    count = int(labels.max()) + 1
    with styled():
        figure = new_figure(6.0, 6.0 / len(views) + 0.9)
        panels = figure.subplots(1, len(views), squeeze=False)[0]
        for ax, (name, features) in zip(panels, views.items(), strict=True):
            stats = ClassStats.of(features, labels, count)
            _ground(ax, features, least_squares(stats, 0.0), count)
            for c in range(count):
                dots = {"color": _CLASSES[c], "marker": MARKERS[c]}
                x, y = features[labels == c].T.tolist()
                ax.scatter(x, y, s=8, alpha=0.6, linewidth=0, label=f"class {c + 1}", **dots)
                ax.scatter(*stats.means[c].tolist(), s=70, edgecolor="white", zorder=3, **dots)
            ax.set_xlabel(name)
            ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncol=count, markerscale=2)
    return figure


def _ground(ax: Axes, features: Tensor, head: Head, count: int) -> None:
    """Tint the axes by decision, with a square around the features."""
    center = (features.amax(0) + features.amin(0)) / 2
    half = float((features.amax(0) - features.amin(0)).max()) / 2 * 1.05
    ticks = torch.linspace(-half, half, _GRID, dtype=torch.float64)
    points = torch.cartesian_prod(ticks, ticks) + center
    decisions = head.logits(points).argmax(1).reshape(_GRID, _GRID).T
    left, bottom = (center - half).tolist()
    extent = (left, left + 2 * half, bottom, bottom + 2 * half)
    look = {"cmap": ListedColormap(_CLASSES[:count]), "vmin": 0, "vmax": count - 1, "alpha": 0.15}
    ax.imshow(decisions.tolist(), origin="lower", extent=extent, **look)


def plot_approach(shares: Mapping[str, tuple[Tensor, Tensor]], *, ax: Axes | None = None) -> Axes:
    """Shares of L_perp in the loss over time, a line for each name: times (T,), shares (T,).

    Chapter: central-path.
    """
    with styled():
        ax = ax or new_figure(6.0, 3.8).add_subplot()
        colors = (COLORS["perp"], "#009E73", "#8C564B", "#CC3311")
        for k, (name, (times, values)) in enumerate(shares.items()):
            line: dict[str, Any] = {"color": colors[k % 4], "linestyle": _DASHES[k % 4]}
            ax.plot(times.tolist(), values.tolist(), label=name, **line)
        ax.set(xscale="log", yscale="log", xlabel="time")
        ax.set_ylabel(r"$\mathcal{L}_{\mathrm{LS}}^{\perp} \, / \, \mathcal{L}$")
        ax.legend()
    return ax


def plot_parts(num_classes: int, *, ax: Axes | None = None) -> Axes:
    """What one SNR value pays: its shares of L_NC1 and L_NC2/3, and their sum, over its size.

    A gray line marks omega = sqrt(C), where the two shares are equal.

    Chapter: snr.
    """
    omega = torch.logspace(-1, 3, 200, dtype=torch.float64)
    total = 1 / (num_classes + omega.square()) / 2
    nc23 = 2 * num_classes * total.square()
    nc1 = 2 * omega.square() * total.square()
    with styled():
        ax = ax or new_figure(6.0, 3.8).add_subplot()
        for name, values in {"total": total, "nc1": nc1, "nc23": nc23}.items():
            line: dict[str, Any] = TERMS[name] | {"marker": ""}
            line |= {"label": r"$\mathcal{L}_{\mathrm{LS}}$"} if name == "total" else {}
            ax.plot(omega.tolist(), values.tolist(), color=COLORS[name], **line)
        ax.axvline(num_classes**0.5, color=COLORS["simplex"], linewidth=1.0, zorder=1)
        ax.set(xscale="log", yscale="log", xlabel=r"$\omega_j$", ylabel="share of one value")
        label_ticks(ax.xaxis, 1e5)
        ax.legend()
    return ax
