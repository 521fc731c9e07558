"""Two classes of two samples with one feature: a world so small that its flows can be drawn.

Without the global mean such features have three coordinates left, the deviations of the two
classes and the signal m. Sigma_W = 1 is a cylinder around the axis of the signal, and by symmetry
all that matters happens in the half-plane of noise s = sqrt(Sigma_W) and signal m = sqrt(Sigma_B).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from mpl_toolkits.mplot3d import Axes3D

from ..palette import COLORS, INK
from .canvas import new_figure, styled

__all__ = ["plot_cylinder", "plot_plane", "velocity"]

_ANGLE = 0.9  # of the point on the cylinder, so that it faces the reader


def velocity(noise: float, signal: float) -> tuple[float, float]:
    """How a plain gradient step moves noise and signal, in units of 1/(C^2 N).

    s' = -s m^2 / (s^2 + m^2)^2 and m' = s^2 m / (s^2 + m^2)^2: at right angles to (s, m), along
    which the loss does not change.   Chapter: flow.

    >>> velocity(1.0, 1.0)
    (-0.25, 0.25)
    """
    scale = noise * signal / (noise**2 + signal**2) ** 2
    return -scale * signal, scale * noise


def plot_cylinder(signal: float = 0.7, *, step: float = 2.0, ax: Axes | None = None) -> Axes3D:
    """The manifold {Sigma_W = 1}, a gradient step from a point on it, and the step's two parts.

    The part along the axis is tangent and kept; the part towards the axis is normal and removed.

    Source: Han, Papyan & Donoho 2022, Eq. (5).   Chapter: flow.
    """
    inward, upward = (step * part for part in velocity(1.0, signal))
    with styled():
        space = _space(ax)
        _draw_wall(space)
        _arrow(space, (1.0, signal), (inward, upward), color=INK, label="gradient step")
        kept = {"color": COLORS["means"], "label": "tangent part: kept"}
        _arrow(space, (1.0, signal), (0.0, upward), **kept)
        removed = {"color": COLORS["classifier"], "label": "normal part: removed"}
        _arrow(space, (1.0, signal), (inward, 0.0), **removed)
        line = {"color": COLORS["means"], "linestyle": ":", "linewidth": 2.0}
        space.plot(*_points((1.0, signal), (1.0, 2.0)), label="path of the flow", **line)
        space.plot(*_points((1.0, signal)), color=INK, marker="o", markersize=6)
        space.legend(loc="center left", bbox_to_anchor=(0.92, 0.5))
    return space


def plot_plane(signal: float = 0.6, *, step: float = 1.5, ax: Axes | None = None) -> Axes:
    """One gradient step in the plane of noise and signal, and the two ways back to Sigma_W = 1.

    Thin rays are the sets of equal loss. Projection goes back straight, whitening along a ray;
    the dotted arc is the plain flow, which never goes back.

    Source: our derivation.   Chapter: renormalizations.
    """
    noise_after, signal_after = np.add((1.0, signal), np.multiply(step, velocity(1.0, signal)))
    radius = float(np.hypot(1.0, signal))
    arc = np.linspace(np.arctan(signal), np.pi / 2, 100)
    with styled():
        ax = ax or new_figure(6.0, 5.2).add_subplot()
        ax.grid(False)
        for slope in (0.2, 0.4, signal, 0.8, signal_after, signal_after / noise_after, 2.2, 4.0):
            ax.plot([0, 2 / slope], [0, 2], color="#C8C8C8", linewidth=0.8, zorder=0)
        ax.axvline(1.0, color=COLORS["simplex"], linewidth=2.5, zorder=1)
        ax.plot(radius * np.cos(arc), radius * np.sin(arc), color="#009E73", linestyle=":")
        here, there = (1.0, signal), (noise_after, signal_after)
        _hop(ax, here, there, INK)
        _hop(ax, there, (1.0, signal_after), COLORS["means"])
        _hop(ax, there, (1.0, signal_after / noise_after), COLORS["classifier"])
        ax.plot(*here, color=INK, marker="o", markersize=6)
        _name_parts(ax, signal_after, noise_after, radius)
        ax.set(xlim=(0, 1.5), ylim=(0, 1.9), aspect="equal")
        ax.set(xlabel=r"noise  $\sqrt{\Sigma_W}$", ylabel=r"signal  $\sqrt{\Sigma_B}$")
    return ax


def _name_parts(ax: Axes, signal: float, noise: float, radius: float) -> None:
    """Words beside the arrows, where no line runs."""
    ax.text(1.03, signal, "project", color=COLORS["means"], va="center")
    ax.text(1.03, signal / noise, "whiten", color=COLORS["classifier"], va="center")
    ax.text(0.8, signal * 0.74, "gradient\nstep", color=INK, ha="right", va="center")
    ax.text(0.04, radius - 0.08, "plain flow", color="#007A5A", va="top")
    ax.text(1.03, 0.06, r"$\Sigma_W=I$", color=COLORS["simplex"])


def _hop(ax: Axes, start: Any, end: Any, color: str) -> None:
    shape = {"arrowstyle": "-|>", "color": color, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=end, xytext=start, arrowprops=shape, zorder=3)


def _space(ax: Axes | None) -> Axes3D:
    ax = ax or new_figure(6.0, 3.9, layout=None).add_axes(
        (-0.13, -0.04, 0.86, 1.1), projection="3d"
    )
    if not isinstance(ax, Axes3D):
        raise TypeError(f'ax: expected 3-D axes (projection="3d"), got {type(ax).__name__}')
    ax.set_axis_off()
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-0.1, 2.0))
    ax.set_box_aspect((1, 1, 1.05), zoom=1.25)  # pyright: ignore[reportArgumentType]
    ax.view_init(elev=18, azim=10)
    return ax


def _draw_wall(space: Axes3D) -> None:
    """The cylinder as a pale net, and the axis of the signal."""
    around = np.linspace(0, 2 * np.pi, 73)
    thin = {"color": COLORS["simplex"], "linewidth": 0.8}
    for height in np.linspace(0.0, 2.0, 6):
        space.plot(np.cos(around), np.sin(around), height, alpha=0.5, **thin)
    for angle in around[::6]:
        space.plot([np.cos(angle)] * 2, [np.sin(angle)] * 2, [0, 2], alpha=0.25, **thin)
    space.plot([0, 0], [0, 0], [0, 2.0], linestyle="--", **thin)
    space.text(0, 0, 2.05, "signal", ha="center")


def _arrow(space: Axes3D, start: Any, part: Any, **line: Any) -> None:
    (x, y, z), (u, v, w) = np.ravel(_points(start)), np.ravel(_points(part))
    space.quiver(x, y, z, u, v, w, linewidth=2.4, arrow_length_ratio=0.2, **line)


def _points(*ends: tuple[float, float]) -> list[list[float]]:
    """Pairs (noise, signal) at the angle of the picture, as three lists of coordinates."""
    noise, signal = zip(*ends, strict=True)
    turned = [[s * f(_ANGLE) for s in noise] for f in (np.cos, np.sin)]
    return [*turned, list(signal)]
