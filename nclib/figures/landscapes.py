"""Minimizers and saddles of free features: regimes, spectra, small dimensions, the way down."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..palette import COLORS
from ..theory.landscape import Minimizer, minimizer
from ..theory.saddles import Escape, training_accuracy
from .canvas import new_figure, styled

__all__ = ["plot_few_features", "plot_regimes", "plot_threshold", "plot_way_down"]

PALE = {"simplex": "#DCEBF7", "between": "#FBE3D3", "zero": "#EEEEEE"}


def plot_regimes(ax: Axes | None = None) -> Axes:
    """Which minimizer the plain loss has, over c and the bias decay, for d >= K.

    Source: Zhou et al. 2022, Theorem 3.1.   Chapter: landscape.
    """
    c = torch.linspace(1e-3, 1 - 1e-3, 400).double()
    edge, low, high = c / (1 - c), 1e-2, 1e2
    with styled():
        ax = ax or new_figure(6.0, 4.0).add_subplot()
        ax.fill_between(c, low, edge.clamp(low, high), color=PALE["simplex"], linewidth=0)
        ax.fill_between(c, edge.clamp(low, high), high, color=PALE["between"], linewidth=0)
        ax.axvspan(1, 1.3, color=PALE["zero"], linewidth=0)
        ax.plot(c, edge, color=COLORS["classifier"], label=r"$\lambda_b = c/(1-c)$")
        ax.axvline(1, color=COLORS["total"], linestyle="--", label="$c = 1$")
        for x, y, words in (
            (0.62, 0.05, "simplex ETF"),
            (0.3, 12, "simplex with\na common part"),
            (1.15, 1, "nothing\nis learned"),
        ):
            ax.text(x, y, words, ha="center", va="center")
        ax.set(yscale="log", xlim=(0, 1.3), ylim=(low, high))
        ax.set(xlabel=r"$c = K\sqrt{n\lambda_W\lambda_H}$", ylabel=r"bias decay $\lambda_b$")
        ax.grid(False)
        ax.figure.legend(loc="outside lower center", ncols=2)
    return ax


def plot_threshold(K: int, c: float) -> Figure:
    """Lengths, bias and angle of the plain minimizer against the bias decay, d >= K.

    Above: x, y and K beta. Below: the cosine between two class means.   Chapter: landscape.
    """
    decays = torch.logspace(-2, 3, 300).double()
    found = [plain(K, c, float(decay), K) for decay in decays]
    cosines = [float(m.gram_H[0, 1] / m.gram_H[0, 0]) for m in found]
    lines = {
        "$x$, differences": ([m.x for m in found], COLORS["means"], "-"),
        "$y$, common part": ([m.y for m in found], COLORS["classifier"], "--"),
        r"$K\beta$, bias": ([K * m.beta for m in found], COLORS["total"], "-."),
    }
    with styled():
        figure = new_figure(6.0, 5.2)
        lengths, angle = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        for label, (values, color, dash) in lines.items():
            lengths.plot(decays, values, color=color, linestyle=dash, label=label)
        angle.plot(decays, cosines, color=COLORS["means"])
        angle.axhline(-1 / (K - 1), color=COLORS["simplex"], linestyle=":")
        for ax in (lengths, angle):
            ax.axvline(c / (1 - c), color=COLORS["simplex"], linestyle=":")
        lengths.set(ylabel="length", xscale="log")
        angle.set(ylabel="cosine", xlabel=r"bias decay $\lambda_b$")
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def plot_few_features(K: int, projectors: Sequence[Sequence[Tensor]]) -> Figure:
    """Training accuracy and distance from the simplex of minimizers with d = 1, ..., K-1 features.

    ``projectors``: for each d some projectors of rank d, (K, K), whose accuracies are shown as a
    band from the least to the best, beside (d+1)/K.   Chapter: landscape.
    """
    dims = torch.arange(1, K)
    seen = [torch.tensor([training_accuracy(Q) for Q in some]) for some in projectors]
    floor = (2 - 2 * (dims / (K - 1)).sqrt()).clamp(min=0).sqrt()
    with styled():
        figure = new_figure(6.0, 5.4)
        accuracy, distance = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        low, high = [float(s.min()) for s in seen], [float(s.max()) for s in seen]
        blue, orange = COLORS["means"], COLORS["classifier"]
        accuracy.fill_between(dims, low, high, color=blue, alpha=0.2, linewidth=0)
        mean = [float(s.mean()) for s in seen]
        accuracy.plot(dims, mean, color=blue, marker="o", label="random projectors")
        merged = (dims + 1) / K
        accuracy.plot(
            dims, merged, color=orange, linestyle="--", marker="s", label="merged classes"
        )
        accuracy.set(ylabel="training accuracy", ylim=(0, 1.05))
        distance.plot(dims, floor, color=COLORS["total"], marker="^", label="both")
        distance.set(ylabel="NC2", xlabel="feature dimension $d$", xticks=dims.tolist())
        figure.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_way_down(
    ways: dict[str, tuple[Escape, Tensor]], s: Tensor, ax: Axes | None = None
) -> Axes:
    """The objective along the way down from saddles: quartics as lines, measured values as marks.

    ``ways``: label -> (way, measured f(s) - f(0) of the shape of s).   Chapter: landscape.
    """
    styles = (("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", "-.", "^"))
    fine = torch.linspace(float(s.min()), float(s.max()), 200, dtype=torch.float64)
    with styled():
        ax = ax or new_figure(6.0, 3.9).add_subplot()
        for (label, (way, seen)), (color, dash, mark) in zip(ways.items(), styles, strict=False):
            ax.plot(fine, way.change(fine), color=color, linestyle=dash, label=label)
            ax.plot(s, seen, color=color, linestyle="", marker=mark, markersize=5)
        ax.axhline(0, color=COLORS["simplex"], linewidth=1.0)
        ax.set(xlabel="$s$", ylabel="$f(s) - f(0)$")
        ax.figure.legend(loc="outside lower center", ncols=3)
    return ax


def plain(K: int, c: float, lambda_b: float, d: int) -> Minimizer:
    """The minimizer of the plain loss with equal decays and one sample a class."""
    return minimizer(K, 1, c / K, c / K, lambda_b, 1.0, 1.0, d)
