"""One last layer as a picture: how far from collapse, which angles, which spectra, which loss."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from ..decisions import Decisions
from ..decomposition import LossTerms
from ..head import Head
from ..metrics import METRICS
from ..palette import COLORS, INK, TERMS
from ..stats import ClassStats
from .canvas import label_ticks, new_figure, styled

__all__ = ["as_png", "overview", "plot_cosines", "plot_distances", "plot_loss", "plot_spectrum"]

SHOWN = 48  # classes of the matrix of cosines: more could not be told apart
FLOOR = 1e-16  # what lies below is drawn there: zero has no logarithm
SUBJECTS = {
    "features": ("o", COLORS["means"]),
    "classifier": ("s", COLORS["classifier"]),
    "both": ("D", INK),
}
COSINES = LinearSegmentedColormap.from_list(
    "cosines", [COLORS["means"], "#FFFFFF", COLORS["classifier"]]
)


def overview(
    stats: ClassStats,
    head: Head,
    *,
    metrics: Mapping[str, float],
    decisions: Decisions | None = None,
    terms: LossTerms | None = None,
    within: Tensor | None = None,
) -> Figure:
    """A last layer at a glance: distances from collapse, cosines, spectra, the three terms.

    ``within`` are the eigenvalues of Sigma_W, largest first; without them and without ``terms``
    their parts are left out.   Chapter: measure.
    """
    with styled():
        figure = new_figure(6.4, 8.8 if terms is not None else 7.9)
        heights = (5.0, 3.4, 1.6)[: 3 if terms is not None else 2]
        rows = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        plot_distances(metrics, decisions, ax=rows[0].add_subplot())
        cosines, spectrum = rows[1].subplots(1, 2, width_ratios=(1.1, 1))
        plot_cosines(stats, head, ax=cosines)
        plot_spectrum(stats.directions()[1].square(), within, ax=spectrum)
        if terms is not None:
            plot_loss(terms, ax=rows[2].add_subplot())
    return figure


def plot_distances(
    metrics: Mapping[str, float], decisions: Decisions | None = None, *, ax: Axes | None = None
) -> Axes:
    """How far each measurement is from its value at collapse, on a logarithmic axis.

    Color and mark tell features from classifier. What is at collapse to the last digit lies on
    the left edge; what is infinite or not known is left out.

    Source: see METRICS.   Chapter: measure.
    """
    lines = [
        (f"{METRICS[name].property}  {_plain(name)}", name, abs(value - limit))
        for name, value in metrics.items()
        if (limit := METRICS[name].at_collapse) is not None
        and METRICS[name].frame == "simplex"
        and not name.endswith("_sum")  # the same point, moved by C
    ]
    if decisions is not None:
        lines.append(("NC4  mismatch", "mismatch", decisions.nearest_mean_mismatch))
    lines = [line for line in lines if math.isfinite(line[2])]
    labels = list(dict.fromkeys(label for label, _, _ in lines))
    low = min([value for _, _, value in lines if value > FLOOR], default=0.1)
    edge = max(10.0 ** math.floor(math.log10(low) - 0.3), FLOOR)
    with styled():
        ax = ax or new_figure(6.4, 4.2).add_subplot()
        ax.set_xscale("log")
        for label, name, value in lines:
            row, (mark, color) = labels.index(label), SUBJECTS[_subject(name)]
            ax.plot(max(value, edge), row, mark, color=color, markersize=6.5, clip_on=False)
        ax.set_yticks(range(len(labels)), labels)
        ax.set(ylim=(len(labels) - 0.5, -0.5), xlabel="distance from the value at collapse")
        ax.set_xlim(edge, max(ax.get_xlim()[1], 10 * edge))
        label_ticks(ax.xaxis, widest=100)
        handles = [
            Line2D([], [], marker=mark, color=color, linestyle="", markersize=6.5, label=name)
            for name, (mark, color) in SUBJECTS.items()
        ]
        ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=3)
    return ax


def plot_cosines(stats: ClassStats, head: Head, *, ax: Axes | None = None) -> Axes:
    """Cosines between classes: of centered means below the diagonal, of classifier rows above.

    White is the simplex, -1/(C-1). Of more than 48 classes, 48 evenly spaced ones are shown.

    Source: after Papyan, Han & Donoho 2020, Fig. 3.   Chapter: measure.
    """
    C = stats.num_classes
    shown = torch.linspace(0, C - 1, min(C, SHOWN)).round().long()
    below, above = (_cosines(rows[shown]) for rows in (stats.centered_means, head.weight))
    matrix = below.tril(-1) + above.triu(1)
    matrix.fill_diagonal_(math.nan)
    with styled():
        ax = ax or new_figure(4.0, 3.6).add_subplot()
        image = ax.imshow(
            matrix.cpu().numpy(), cmap=COSINES, norm=TwoSlopeNorm(-1 / (C - 1), -1.0001, 1),
            interpolation="nearest",
        )  # fmt: skip
        ax.grid(False)
        ax.set_facecolor("#DDDDDD")
        ends = [0, len(shown) - 1]
        ax.set_xticks(ends, [str(int(shown[end])) for end in ends])
        ax.set_yticks(ends, [str(int(shown[end])) for end in ends])
        ax.set_title("cosines" if C == len(shown) else f"cosines, {SHOWN} of {C:,}")
        ax.set_xlabel("above: classifier")
        ax.set_ylabel("below: class means")
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.85)
        bar.set_ticks([-1, -1 / (C - 1), 1] if C < 8 and C > 2 else [-1, 0, 1])
        bar.ax.set_yscale("linear")
    return ax


def plot_spectrum(between: Tensor, within: Tensor | None = None, *, ax: Axes | None = None) -> Axes:
    """Eigenvalues of Sigma_B and, where they are known, of Sigma_W, largest first, on two log axes.

    At collapse the between-class ones are equal, C-1 of them, and the others vanish.

    Source: after Papyan 2020 (spectra of features).   Chapter: measure.
    """
    with styled():
        ax = ax or new_figure(4.0, 3.6).add_subplot()
        ax.set(xscale="log", yscale="log", xlabel="rank", title="eigenvalues")
        _steps(ax, between, COLORS["means"], "-", r"between, $\Sigma_B$")
        if within is not None and len(within) and float(within[0]) > 0:
            kept = within[within > within[0] * 1e-15]
            _steps(ax, kept, COLORS["nc1"], "--", r"within, $\Sigma_W$")
        label_ticks(ax.yaxis, widest=100)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        if ax.get_legend_handles_labels()[0]:  # equal features have no spectrum
            ax.legend(loc="best", handlelength=1.6)
    return ax


def plot_loss(terms: LossTerms, *, ax: Axes | None = None) -> Axes:
    """The three terms of the loss as one bar, its whole length the loss.

    Source: Han, Papyan & Donoho 2022, Theorem 1.   Chapter: decomposition.
    """
    with styled():
        ax = ax or new_figure(6.4, 1.4).add_subplot()
        start, total = 0.0, terms.total
        for name in ("nc1", "nc23", "perp"):
            value = getattr(terms, name)
            share = f" {value / total:.0%}" if total > 0 else ""
            label = f"{TERMS[name]['label']} {value:.3g}{share}"
            ax.barh(0, value, left=start, color=COLORS[name], label=label, height=0.8)
            start += value
        ax.set(yticks=[], ylim=(-0.5, 0.5), xlim=(0, total if total > 0 else 1), xlabel="loss")
        ax.grid(False)
        ax.spines["left"].set_visible(False)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3, handlelength=0.9)
    return ax


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG of the book's resolution; it is closed, so that none is shown twice."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    plt.close(figure)
    return image.getvalue()


def _cosines(rows: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize(rows, dim=1)
    return unit @ unit.T


def _steps(ax: Axes, values: Tensor, color: str, dash: str, label: str) -> None:
    if len(values):
        rank = range(1, len(values) + 1)
        mark = "o" if len(values) <= 30 else ""
        ax.plot(rank, values.cpu(), color=color, linestyle=dash, marker=mark, label=label)


def _subject(name: str) -> str:
    needs = METRICS[name].needs if name in METRICS else ("stats", "head")
    return "both" if len(needs) > 1 else "features" if needs == ("stats",) else "classifier"


def _plain(name: str) -> str:
    """A name without its subject, which the mark tells."""
    return name.removesuffix("_means").removesuffix("_classifier").replace("_", " ")
