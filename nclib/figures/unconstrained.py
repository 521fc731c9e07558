"""Paths of the unconstrained-features model as pictures: Figures 1 and 2, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from ..palette import COLORS, INK, MARKERS
from ..theory.unconstrained import Errors
from .canvas import new_figure, styled

__all__ = ["plot_distance", "plot_emergence", "plot_fall", "plot_logistic", "plot_plateau"]

DASHES = ("-", "--", "-.", ":")
PANELS = {
    "snc1": r"SNC1   $\Vert WW^T-\sqrt{N}\,P\Vert_F$",
    "snc2": r"SNC2   relative distance of $H$ from copies of $W$",
    "snc3": r"SNC3   $\Vert b-\frac{1}{C}\,\mathbf{1}\Vert$",
}


def plot_emergence(steps: Sequence[int], errors: Errors, scales: Sequence[float]) -> Figure:
    """The errors in (SNC1)-(SNC3) against the step, a curve for each size of the start.

    Errors are (T, len(scales)), as ``errors(*descend(...))`` gives them.
    Source: Mixon, Parshall & Pi 2022, Figure 1.   Chapter: unconstrained.
    """
    with styled():
        figure = new_figure(6.0, 8.4)
        axes = figure.subplots(len(PANELS), sharex=True)
        for ax, (name, label) in zip(axes, PANELS.items(), strict=True):
            _draw_curves(ax, steps, getattr(errors, name), scales)
            ax.set_title(label, loc="left")
        axes[-1].set_xlabel("step of gradient descent")
        _key(figure, scales)
    return figure


def plot_distance(steps: Sequence[int], distance: Tensor, scales: Sequence[float]) -> Figure:
    """The relative distance to S against the step, a curve for each size of the start.

    Source: Mixon, Parshall & Pi 2022, Figure 2.   Chapter: unconstrained.
    """
    with styled():
        figure = new_figure(6.0, 4.4)
        ax = figure.add_subplot()
        _draw_curves(ax, steps, distance, scales)
        ax.set(xlabel="step of gradient descent", ylabel="relative distance to $S$")
        _key(figure, scales)
    return figure


def plot_fall(H: Tensor, W: Tensor, num_classes: int) -> Figure:
    """Paths of features (T, 2, CN) in the plane, and the classifier at the end.

    ``W`` (C, 2) is drawn to the length of the class means.   Chapter: unconstrained.
    """
    per_class = H.shape[-1] // num_classes
    colors = (COLORS["means"], COLORS["classifier"], COLORS["nc1"])
    with styled():
        figure = new_figure(5.2, 5.0)
        ax = figure.add_subplot()
        for c in range(num_classes):
            look: dict[str, Any] = {"color": colors[c % 3], "marker": MARKERS[c % 3]}
            for i in range(c * per_class, (c + 1) * per_class):
                x, y = H[:, 0, i].tolist(), H[:, 1, i].tolist()
                ax.plot(x, y, linewidth=0.8, alpha=0.6, markevery=[0], **look)
            end = H[-1, :, c * per_class]
            look |= {"markersize": 9, "linestyle": "", "label": f"class {c}"}
            ax.plot(float(end[0]), float(end[1]), **look)
            x, y = (0.72 * W[c] / W[c].norm() * end.norm()).tolist()
            arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.4}
            ax.annotate("", xy=(x, y), xytext=(0, 0), arrowprops=arrow)
        ax.set_aspect("equal")
        ax.set(xlabel="first coordinate", ylabel="second coordinate")
        figure.legend(loc="outside lower center", ncol=num_classes)
    return figure


def plot_logistic(times: Tensor, closed: Tensor, dots: Tensor, seen: Tensor) -> Figure:
    """Singular values of W on S: closed form as lines, an integrated flow as dots.

    ``closed`` (T, k) at ``times`` (T,), ``seen`` (D, k) at ``dots`` (D,).
    Source: Mixon, Parshall & Pi 2022, Theorem 3.   Chapter: unconstrained.
    """
    colors = (COLORS["means"], COLORS["classifier"], COLORS["nc1"], COLORS["perp"])
    with styled():
        figure = new_figure(6.0, 4.0)
        ax = figure.add_subplot()
        for k in range(closed.shape[1]):
            look: dict[str, Any] = {"color": colors[k % 4]}
            ax.plot(times.tolist(), closed[:, k].tolist(), linestyle=DASHES[k % 4], **look)
            marks: dict[str, Any] = {"linestyle": "", "marker": "os^D"[k % 4], "markersize": 5}
            ax.plot(dots.tolist(), seen[:, k].tolist(), **marks | look)
        ax.set(xlabel="time $t$", ylabel="singular values of $W$")
        both = [Line2D([], [], color=INK), Line2D([], [], color=INK, marker="o", linestyle="")]
        figure.legend(both, ["logistic law", "integrated flow"], loc="outside lower center", ncol=2)
    return figure


def plot_plateau(
    steps: Sequence[int], risk: Tensor, slow: Tensor, scales: Sequence[float]
) -> Figure:
    """The risk and its slow part against the step, both axes logarithmic.

    ``risk`` and ``slow`` are (T, len(scales)).   Chapter: unconstrained.
    """
    colors = (COLORS["means"], COLORS["classifier"], COLORS["nc1"], COLORS["perp"])
    with styled():
        figure = new_figure(6.0, 4.4)
        ax = figure.add_subplot()
        for k, scale in enumerate(scales):
            label = rf"$\varepsilon = {scale:g}$"
            ax.loglog(steps[1:], risk[1:, k].tolist(), color=colors[k % 4], label=label)
            ax.loglog(steps[1:], slow[1:, k].tolist(), color=colors[k % 4], linestyle=":")
        ax.set(xlabel="step of gradient descent", ylabel="risk; dotted, its slow part")
        ax.set_ylim(bottom=1e-16)  # below, rounding
        figure.legend(loc="outside lower center", ncol=len(scales))
    return figure


def _draw_curves(ax: Axes, steps: Sequence[int], values: Tensor, scales: Sequence[float]) -> None:
    for k in range(len(scales)):
        ax.semilogy(steps, values[:, k].tolist(), **_look(k, len(scales)))


def _key(figure: Figure, scales: Sequence[float]) -> None:
    handles = [
        Line2D([], [], label=f"{scale:.0e}".replace("e-0", "e-"), **_look(k, len(scales)))
        for k, scale in enumerate(scales)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncol=5, title="size of the start")


def _look(k: int, count: int) -> dict[str, Any]:
    """One color of a ladder from light to dark, and one of four dashes."""
    shade = 0.9 - 0.9 * k / max(count - 1, 1)
    return {"color": colormaps["viridis"](shade), "linestyle": DASHES[k % 4], "linewidth": 1.6}
