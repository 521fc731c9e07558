"""Networks with linear heads of several lengths, in training and at its end.

One color, dash and mark for each number of linear layers. Lines are means over seeds and bands or
bars one standard deviation to both sides; of the logarithm, where the axis is logarithmic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from ..palette import COLORS, INK
from ..wide_networks import Descent, Look, column
from .canvas import label_ticks, new_figure, styled

__all__ = ["plot_balance", "plot_bounds", "plot_depth", "plot_training"]

SHADES = ("#0D0887", "#5B02A3", "#9A179B", "#CB4679", "#E8703F", "#E0A000")
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)))
MARKS = ("o", "s", "^", "D", "v", "P")
PANELS = {
    "nc1": "NC1  within / between",
    "nc2": "NC2 \N{MINUS SIGN} 1  condition",
    "nc3": "1 \N{MINUS SIGN} NC3  cosine",
    "balancedness": "balancedness, worst pair",
    "negativity": "negativity, last nonlinear",
    "error": r"error $\epsilon_1$",
}
LINEAR = {"negativity"}  # drawn on a linear axis


def plot_training(looks: Sequence[Look]) -> Figure:
    """NC1, NC2, NC3, balancedness, negativity and error over the steps, a line per head length.

    Source: Jacot et al. 2025, Figs. 1-3.   Chapter: wide.
    """
    with styled():
        figure = new_figure(6.0, 7.4)
        axes = figure.subplots(3, 2, sharex=True)
        for ax, (name, title) in zip(axes.flat, PANELS.items(), strict=True):
            for linear, some in by_length(looks).items():
                steps, values = column(some, name)
                _draw(ax, steps, _distance(name, values), name not in LINEAR, **look(linear))
            ax.set_title(title, loc="left")
        for ax in axes[-1]:
            ax.set_xlabel("step")
        _key(figure, by_length(looks))
    return figure


def plot_depth(looks: Sequence[Look]) -> Figure:
    """The end of the training against the number of linear layers: conditioning, NC1 and 1 - NC3.

    Source: Jacot et al. 2025, Fig. 2.   Chapter: wide.
    """
    left = {
        "nc2": ("NC2", COLORS["means"], "-", "o"),
        "condition": (r"$\kappa(W_L)$", COLORS["classifier"], "--", "s"),
        "root": (r"$\kappa$(product)$^{1/L_2}$", INK, ":", "^"),
    }
    right = {
        "nc1": ("NC1", COLORS["nc1"], "-", "o"),
        "nc3": ("1 \N{MINUS SIGN} NC3", COLORS["nc23"], "--", "s"),
    }
    with styled():
        figure = new_figure(6.0, 3.9)
        for ax, lines in zip(figure.subplots(1, 2), (left, right), strict=True):
            for name, (label, color, dash, mark) in lines.items():
                style = {"label": label, "color": color, "linestyle": dash, "marker": mark}
                _bars(ax, looks, name, **style)
            ax.set_xlabel("linear layers")
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
        figure.axes[0].axhline(1, color=COLORS["simplex"], linewidth=1.0)
        figure.axes[0].set_yscale("log")
        figure.axes[1].set_yscale("log")
        label_ticks(figure.axes[0].yaxis, widest=100)
    return figure


def plot_bounds(looks: Sequence[Look], *, linear: int) -> Figure:
    """NC1 beside its bound: over the steps for one head length, and at the end for all.

    Chapter: wide.
    """
    styles = {
        "nc1_bound": {"label": "bound", "color": INK, "linestyle": "--", "marker": "s"},
        "nc1": {"label": "NC1", "color": COLORS["nc1"], "linestyle": "-", "marker": "o"},
    }
    with styled():
        figure = new_figure(6.0, 3.6)
        over_steps, at_end = figure.subplots(1, 2, sharey=True)
        for name, style in styles.items():
            steps, values = column(by_length(looks)[linear], name)
            _draw(over_steps, steps, values, True, **style)
            _bars(at_end, [one for one in looks if one.linear > 1], name, **style)
        over_steps.set(xlabel="step", ylabel="NC1")
        over_steps.xaxis.set_major_locator(MaxNLocator(3))
        over_steps.set_title(f"{linear} linear layers", loc="left")
        at_end.set_xlabel("linear layers")
        at_end.set_title("last step", loc="left")
        lines, labels = over_steps.get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower center", ncol=2)
    return figure


def plot_balance(looks: Sequence[Look], descent: Descent) -> Axes:
    """The largest imbalance over that at the start, and the decay that weight decay alone gives.

    Chapter: wide.
    """
    with styled():
        ax = new_figure(6.0, 4.2).add_subplot()
        lengths = {linear: some for linear, some in by_length(looks).items() if linear > 1}
        for linear, some in lengths.items():
            steps, values = column(some, "imbalance")
            _draw(ax, steps, values / values[:, :1], True, **look(linear))
        kept, told = 1.0, [1.0]
        for step in range(descent.steps):
            kept *= (1 - descent.rate(step) * descent.weight_decay) ** 2
            told.append(kept)
        ax.plot(range(descent.steps + 1), told, color=INK, linestyle="--", linewidth=1.2)
        ax.set(xlabel="step", ylabel="imbalance / imbalance at the start")
        decay = Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="weight decay alone")
        _key(ax.figure, lengths, decay)
    return ax


def look(linear: int) -> dict[str, Any]:
    """Color, dash and mark of a head length."""
    k = (linear - 1) % len(SHADES)
    return {"color": SHADES[k], "linestyle": DASHES[k], "marker": MARKS[k]}


def by_length(looks: Sequence[Look]) -> dict[int, list[Look]]:
    """The looks at each head length, shortest first."""
    lengths = sorted({one.linear for one in looks})
    return {linear: [one for one in looks if one.linear == linear] for linear in lengths}


def _distance(name: str, values: Tensor) -> Tensor:
    """How far from collapse: NC2 and NC3 tend to 1."""
    return values - 1 if name == "nc2" else 1 - values if name == "nc3" else values


def _spread(values: Tensor, logarithmic: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Low end, mean and high end over seeds, one standard deviation to both sides."""
    values = values.log() if logarithmic else values
    middle = values.mean(0)
    band = values.std(0) if len(values) > 1 else torch.zeros_like(middle)
    ends = middle - band, middle, middle + band
    low, mean, high = (end.exp() if logarithmic else end for end in ends)
    return low, mean, high


def _draw(ax: Axes, steps: list[int], values: Tensor, logarithmic: bool, **style: Any) -> None:
    """A mean line with its band; nothing where there is nothing to draw."""
    if not bool(values.isfinite().any()):
        return
    low, mean, high = _spread(values, logarithmic)
    ax.plot(steps, mean.tolist(), markevery=max(len(steps) // 6, 1), **style)
    ax.fill_between(steps, low.tolist(), high.tolist(), color=style["color"], alpha=0.18, lw=0)
    if logarithmic:
        ax.set_yscale("log")
        label_ticks(ax.yaxis, widest=100)


def _bars(ax: Axes, looks: Sequence[Look], name: str, **style: Any) -> None:
    """The last look at each head length, with bars."""
    ends = [column(some, name)[1][:, -1] for some in by_length(looks).values()]
    values = torch.stack([_distance(name, end) if name == "nc3" else end for end in ends], 1)
    low, mean, high = _spread(values, logarithmic=True)
    reach = [(mean - low).tolist(), (high - mean).tolist()]
    lengths = list(by_length(looks))
    ax.errorbar(lengths, mean.tolist(), yerr=reach, capsize=3, **style)
    ax.set_xticks(lengths)
    ax.set_yscale("log")


def _key(figure: Any, lengths: dict[int, list[Look]], *more: Line2D) -> None:
    """One key for all panels, below them."""
    lines = [Line2D([], [], label=f"{linear} linear", **look(linear)) for linear in lengths]
    figure.legend(handles=[*lines, *more], loc="outside lower center", ncol=3, handlelength=2.6)
