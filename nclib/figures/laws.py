"""Laws against runs as pictures: the values over the clock, errors, wins, and the kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import COLORS, INK
from ..prediction import Judgement, Spectrum, Verdict, settings_won
from ..theory.laws import FAMILIES, FREE
from .canvas import label_ticks, new_figure, styled

__all__ = ["plot_errors", "plot_kernels", "plot_paths", "plot_wins"]

_LAWS: dict[str, dict[str, Any]] = {
    "projected": {"color": "#0072B2", "hatch": ""},
    "whitened": {"color": "#4BA3D9", "hatch": "//"},
    "plain": {"color": "#D55E00", "hatch": ".."},
    "additive": {"color": "#009E73", "hatch": "xx"},
    "two-speed": {"color": "#BB5599", "hatch": ""},
    "power": {"color": "#785EF0", "hatch": ""},
}
_DATA = {"digits": ("#222222", "o"), "mnist": ("#0072B2", "s"), "fashionmnist": ("#D55E00", "^")}
_NETWORKS = {
    "convnet": ("#0072B2", "-", "o"),
    "plainnet": ("#D55E00", "--", "s"),
    "thinresnet": ("#009E73", "-.", "^"),
}
_GUIDE: dict[str, Any] = {"color": COLORS["simplex"], "linewidth": 1.0, "zorder": 1}


def plot_paths(spectrum: Spectrum, found: Judgement) -> Figure:
    """All SNR values over the largest, measured as dots; a panel for each free law as lines.

    Lines leave from the anchor; open dots lie before it, full ones are held out, pale ones
    lie between. Both axes logarithmic.   Chapter: prediction.
    """
    omega, at = spectrum.omega, spectrum.epochs.index(found.anchor)
    clock = torch.linspace(float(omega[at:, 0].min()), float(omega[at:, 0].max()), 60).double()
    held = spectrum.epochs.index(found.held_out[0])
    with styled():
        figure = new_figure(6.0, 6.2)
        axes = figure.subplots(2, 2, sharex=True, sharey=True)
        for ax, (name, law) in zip(axes.flat, FREE.items(), strict=True):
            lines = law.predict(omega[at], clock, spectrum.num_classes)[:, 1:]
            ax.plot(clock.tolist(), lines.tolist(), color=_LAWS[name]["color"], linewidth=1.4)
            dots: dict[str, Any] = {"linestyle": "", "marker": "o", "color": INK, "markersize": 3}
            looks = ({"fillstyle": "none"}, {"alpha": 0.35}, {})
            for part, look in zip((omega[:at], omega[at:held], omega[held:]), looks, strict=True):
                ax.plot(part[:, 0].tolist(), part[:, 1:].tolist(), **dots, **look)
            ax.set(xscale="log", yscale="log")
            ax.set_title(f"{name}, error {found.errors[name]:.2f}", loc="left", fontsize=11)
            for axis in (ax.xaxis, ax.yaxis):
                label_ticks(axis, widest=300)
        figure.supxlabel(r"largest value $\omega_1$", fontsize=12)
        figure.supylabel(r"the other values $\omega_j$", fontsize=12)
    return figure


def plot_errors(judgements: Sequence[Judgement]) -> Axes:
    """The error of every law on every run that was judged, and its median, on a log axis.

    Infinite errors are left out.   Chapter: prediction.
    """
    seen = [judgement for judgement in judgements if not judgement.reason]
    names = [*FREE, *FAMILIES]
    with styled():
        ax = new_figure(6.0, 4.6).add_subplot()
        for k, (dataset, (color, marker)) in enumerate(_DATA.items()):
            runs = [judgement for judgement in seen if judgement.name.startswith(f"{dataset}-")]
            points = [
                (run.errors[n], y + 0.22 * (k - 1)) for y, n in enumerate(names) for run in runs
            ]
            if points:
                x, y = zip(*points, strict=True)
                ax.plot(x, y, marker, color=color, alpha=0.55, markersize=4.5, label=dataset)
        for y, name in enumerate(names):
            middle = median(run.errors[name] for run in seen)
            ax.plot([middle, middle], [y - 0.4, y + 0.4], color=INK, linewidth=2.5)
        ax.axhline(len(FREE) - 0.5, **_GUIDE)
        ax.set_xscale("log")
        label_ticks(ax.xaxis, widest=300)
        ax.set(yticks=range(len(names)), yticklabels=names, xlabel="error on the held-out half")
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3, markerscale=1.4)
    return ax


def plot_wins(groups: Mapping[str, Sequence[Judgement]], verdicts: Mapping[str, Verdict]) -> Axes:
    """In which share of its settings each free law was best, a bar for each group of runs.

    The additive law comes first; a bold line marks the share it needs.   Chapter: prediction.
    """
    order = ["additive", *(name for name in FREE if name != "additive")]
    with styled():
        ax = new_figure(6.0, 1.4 + 0.75 * len(groups)).add_subplot()
        for y, (group, judgements) in enumerate(groups.items()):
            winners, left = [law for _, law in settings_won(judgements)], 0.0
            for name in order:
                share = winners.count(name) / max(1, len(winners))
                look: dict[str, Any] = {"facecolor": _LAWS[name]["color"], "edgecolor": "white"}
                ax.barh(y, share, left=left, height=0.62, hatch=_LAWS[name]["hatch"],
                        label=name if not y else None, **look)  # fmt: skip
                if share:
                    ax.text(left + share / 2, y, str(winners.count(name)), ha="center",
                            va="center", bbox={"facecolor": "white", "edgecolor": "none",
                                               "boxstyle": "round,pad=0.15"})  # fmt: skip
                left += share
            least = verdicts[group].needed
            if least is not None:
                ax.plot([least / len(winners)] * 2, [y - 0.45, y + 0.45], color=INK, linewidth=3)
        ax.set(yticks=range(len(groups)), yticklabels=list(groups), xlim=(0, 1.01))
        ax.set_ylim(len(groups) - 0.5, -0.5)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel("share of settings")
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=4, fontsize=11)
    return ax


def plot_kernels(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    guides: Mapping[str, Sequence[float]],
) -> Figure:
    """Curves over the epochs: panel -> run -> (epochs, values), with guide lines per panel.

    A run's looks follow the network that its name has in it.   Chapter: prediction.
    """
    with styled():
        figure = new_figure(6.0, 1.0 + 2.7 * len(panels))
        axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for ax, (title, curves) in zip(axes, panels.items(), strict=True):
            for height in guides.get(title, ()):
                ax.axhline(height, **_GUIDE)
            shown: set[str] = set()
            for name, (epochs, values) in curves.items():
                network = name.split("-")[1]
                color, dash, marker = _NETWORKS[network]
                label = None if network in shown else network
                shown.add(network)
                ax.plot(epochs, values, dash, marker=marker, color=color, label=label, markersize=5)
            ax.set_xscale("log")
            label_ticks(ax.xaxis, widest=300)
            ax.set_title(title, loc="left")
        axes[-1].set_xlabel("epoch")
        if any(panels.values()):
            axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.12), ncol=3)
    return figure
