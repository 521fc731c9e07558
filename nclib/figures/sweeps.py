"""A sweep in one picture: accuracy and collapse against the learning rate, or a panel per cell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import ceil, isfinite
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..palette import COLORS, INK
from ..records import Row, Run
from ..selection import Selection, choose, sweeps_within
from .canvas import label_ticks, new_figure, styled

__all__ = ["panels", "rates", "save_summary"]

Runs = Sequence[tuple[Run, Sequence[Row]]]
TEST, HELD = COLORS["means"], COLORS["classifier"]
COLUMNS = 5


def rates(selection: Selection) -> Figure:
    """Test accuracy and NC1 at the last epoch against the learning rate, both choices marked.

    A full line is the papers' choice, by test accuracy; a dashed one that by the held-out split,
    whose accuracy is drawn dashed, too.

    Source: Papyan, Han & Donoho 2020, the sweep.   Chapter: protocol.
    """
    with styled():
        figure = new_figure(6.0, 5.4)
        accuracy, collapse = figure.subplots(2, 1, sharex=True)
        _draw_accuracies(accuracy, selection)
        _draw_collapse(collapse, selection)
        for ax in (accuracy, collapse):
            _mark_choices(ax, selection)
        collapse.set(xscale="log", xlabel="learning rate")
        handles, labels = accuracy.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncol=2)
    return figure


def panels(runs: Runs) -> Figure:
    """NC1 on the training images against the epoch, a small panel per run, with its name.

    Chapter: how-to-run.
    """
    if not runs:
        raise ValueError("runs: expected at least one, got none")
    columns = min(COLUMNS, len(runs))
    lines = ceil(len(runs) / columns)
    with styled():
        figure = new_figure(2.6 * columns + 0.6, 2.1 * lines + 0.6)
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        for ax, (run, rows) in zip(axes.flat, runs, strict=False):
            _draw_run(ax, run, rows)
        for ax in axes.flat[len(runs) :]:
            ax.set_axis_off()
        figure.supxlabel("epoch")
        figure.supylabel("NC1  within / between")
    return figure


def save_summary(runs: Runs, path: Path | str) -> None:
    """Draw a sweep over learning rates as such, other grids as panels; replace the file whole."""
    from matplotlib import pyplot as plt

    path = Path(path)
    finished = any(run.status == "finished" for run, _ in runs)
    one = [len(members) for members in sweeps_within(runs)] == [len(runs)]
    figure = rates(choose(runs)) if one and finished else panels(runs)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(temporary, dpi=150, format="png")
        os.replace(temporary, path)
    finally:
        plt.close(figure)
        temporary.unlink(missing_ok=True)


def _draw_accuracies(ax: Axes, selection: Selection) -> None:
    learning_rates = [c.learning_rate for c in selection.candidates]
    tested = [100 * c.test_accuracy for c in selection.candidates]
    ax.plot(learning_rates, tested, color=TEST, marker="o", label="test")
    if selection.held is not None:
        held = [100 * c.held_accuracy for c in selection.candidates]
        ax.plot(learning_rates, held, color=HELD, marker="s", linestyle="--", label="held out")
    ax.set_ylabel("accuracy (%)")


def _draw_collapse(ax: Axes, selection: Selection) -> None:
    learning_rates = [c.learning_rate for c in selection.candidates]
    values = [c.nc1 for c in selection.candidates]
    ax.plot(learning_rates, values, color=INK, marker="o")
    ax.set_ylabel("NC1  within / between")
    if any(isfinite(value) and value > 0 for value in values):
        ax.set_yscale("log", nonpositive="mask")
        low, high = ax.get_ylim()
        if high < 10 * low:  # a decade at least, or noise looks like a law
            middle = (low * high) ** 0.5
            ax.set_ylim(middle / 10**0.5, middle * 10**0.5)
        label_ticks(ax.yaxis, widest=100)


def _mark_choices(ax: Axes, selection: Selection) -> None:
    chosen = selection.paper.best.learning_rate
    ax.axvline(chosen, color=TEST, linewidth=1.2, zorder=1, label="best on test (the papers')")
    if selection.held is not None:
        ax.axvline(
            selection.held.best.learning_rate, color=HELD, linewidth=1.2, linestyle="--", zorder=1,
            label="best on held out",
        )  # fmt: skip


def _draw_run(ax: Axes, run: Run, rows: Sequence[Row]) -> None:
    last = {row.split: row for row in rows}
    train = [row for row in rows if row.split == "train"]
    values = [row.metrics.get("relative_variability", float("nan")) for row in train]
    ax.plot([row.epoch for row in train], values, color=INK, marker="o", markersize=2)
    if any(isfinite(value) and value > 0 for value in values):
        ax.set_yscale("log", nonpositive="mask")
    ax.set_xscale("log", nonpositive="mask")
    said = run.status
    if run.status == "finished" and "test" in last:
        said = f"test {100 * last['test'].accuracy:.2f}%"
    ax.set_title(f"{run.id.replace('-', ' ', 1)}\n{said}", loc="left", fontsize=8)
    ax.tick_params(labelsize=8)
