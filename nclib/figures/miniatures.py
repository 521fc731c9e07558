"""Small trainings as pictures: measures against the work done, and what a small dimension does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..miniatures import Snapshot
from ..palette import COLORS, INK
from .canvas import label_ticks, new_figure, styled

__all__ = ["plot_class_logits", "plot_dimensions", "plot_runs"]

LOOKS = (
    (INK, "-", "o"),
    (COLORS["classifier"], "--", "s"),
    (COLORS["means"], "-.", "^"),
    ("#009E73", ":", "D"),
    (COLORS["nc1"], (0, (5, 1, 1, 1, 1, 1)), "v"),
)
"""A color, a dash and a mark for each run of a picture."""

SHARES = ("accuracy", "test_accuracy")  # between 0 and 1, drawn on a linear axis


def plot_runs(
    runs: Mapping[str, Sequence[Snapshot]], panels: Mapping[str, str], *, against: str = "step"
) -> Figure:
    """One panel per measurement, one line per run, against "step" or "evaluations".

    ``runs`` are snapshots by label; ``panels`` say what is drawn under which heading: a name of
    METRICS, "objective", "accuracy" or "test_accuracy".

    Source: after Zhou et al. 2022, Figs. 3 and 6.   Chapters: landscape, rescaled.
    """
    if len(runs) > len(LOOKS):
        raise ValueError(f"runs: expected at most {len(LOOKS)}, got {len(runs)}")
    rows = (len(panels) + 1) // 2
    with styled():
        figure = new_figure(6.0, 0.7 + 2.35 * rows)
        axes = figure.subplots(rows, 2, sharex=True, squeeze=False)
        for ax, (heading, name) in zip(axes.flat, panels.items(), strict=False):
            for (label, seen), (color, dash, mark) in zip(runs.items(), LOOKS, strict=False):
                x = [getattr(s, against) for s in seen]
                line = {"color": color, "linestyle": dash, "marker": mark, "label": label}
                ax.plot(x, [_value(s, name) for s in seen], **line)
            _scale(ax, name)
            ax.set_title(heading, loc="left")
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax in axes[-1]:
            ax.set_xlabel("gradients" if against == "evaluations" else "steps")
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncol=min(len(runs), 3))
    return figure


def plot_dimensions(
    ends: Mapping[int, Sequence[Snapshot]], *, law: Mapping[int, float], floor: Mapping[int, float]
) -> Figure:
    """Training accuracy and the distance to a simplex against the feature dimension.

    ``ends`` are the last snapshots of one or more seeds for each dimension; ``law`` and ``floor``
    are what is expected of accuracy and of the distance of the class logits.

    Source: after Zhou et al. 2022, Fig. 4.   Chapter: landscape.
    """
    marks = {"marker": "s", "linestyle": "", "markersize": 7, "color": COLORS["classifier"]}
    expected = {"color": COLORS["simplex"], "linestyle": "--", "zorder": 1}
    with styled():
        figure = new_figure(6.0, 5.0)
        top, bottom = figure.subplots(2, 1, sharex=True)
        for ax, name in ((top, "accuracy"), (bottom, "product_distance")):
            points = [(d, _value(s, name)) for d, seen in ends.items() for s in seen]
            ax.plot(*zip(*points, strict=True), label="networks", fillstyle="none", **marks)
        top.plot(list(law), list(law.values()), label="$(d+1)/K$, at most 1", **expected)
        bottom.plot(list(floor), list(floor.values()), label="best possible", **expected)
        top.set_ylabel("training accuracy")
        bottom.set(ylabel="class logits to simplex", xlabel="feature dimension d")
        for ax in (top, bottom):
            ax.legend()
        bottom.set_xticks(sorted({*ends, *law}))
    return figure


def plot_class_logits(logits: Tensor, *, ax: Axes | None = None) -> Axes:
    """The logits of the class means, (C, C): a row per class, a column per logit, as shades.

    Chapter: landscape.
    """
    if logits.ndim != 2 or logits.shape[0] != logits.shape[1]:
        raise ValueError(f"logits: expected (C, C), got {tuple(logits.shape)}")
    with styled():
        ax = ax or new_figure(6.0, 4.6).add_subplot()
        image = ax.imshow(logits.tolist(), cmap="viridis", vmin=0.0, vmax=1.0)
        ax.grid(False)
        ax.set(xlabel="logit", ylabel="class", xticks=range(len(logits)))
        ax.set_yticks(range(len(logits)))
        ax.figure.colorbar(image, ax=ax, label="logit of the class mean")
    return ax


def _value(seen: Snapshot, name: str) -> float:
    return seen.metrics[name] if name in seen.metrics else float(getattr(seen, name))


def _scale(ax: Axes, name: str) -> None:
    ax.set_xscale("log", nonpositive="mask")
    label_ticks(ax.xaxis, widest=10)
    if name not in SHARES:
        ax.set_yscale("log", nonpositive="mask")
        label_ticks(ax.yaxis, widest=100)
