"""Arrays of runs and the accuracy table: what is shown is what the rows say, or "not run"."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import matplotlib
import pytest

from nclib.figures import reproduction, stored
from nclib.metrics import METRICS
from nclib.palette import COLORS
from nclib.records import Row, Run
from nclib.reported import REPORTED
from nclib.statements import terminal_epoch

from .tolerances import EXACT

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

EPOCHS = (1, 4, 20)
TERMS = {"nc1": 0.3, "nc23": 0.2, "perp": 0.1}


def a_run(status: str = "finished", **changed: Any) -> tuple[Run, list[Row]]:
    """A run whose training error is zero in the papers' sense from epoch 4 on."""
    run = Run(
        id="mnist-resnet18-mse", cell={}, recipe={}, ridge={}, versions={"torch": "9.9"},
        commit="0123456789abcdef", device="a machine", precision="float32",
        started="2030-01-02T03:04:05+00:00", status=status, seconds=61.6,
    )  # fmt: skip
    rows = [
        Row(
            run=run.id, epoch=epoch, split=split, mismatch=0.1 / epoch, loss=0.1,
            accuracy=(0.999 if epoch >= 4 else 0.9) if split == "train" else 0.9 + epoch / 1000,
            metrics={n: (k + 1) / epoch * (2 if split == "test" else 1) / 10
                     for k, n in enumerate(METRICS)},
            terms={"consistent": {n: x / epoch for n, x in TERMS.items()},
                   "notebook": {n: 2 * x / epoch for n, x in TERMS.items()}},
            robustness=math.nan if epoch == 4 else 0.01 * epoch,
        )
        for epoch in EPOCHS for split in ("train", "test")
    ]  # fmt: skip
    return replace(run, **changed), rows


FAMILIES = ("VGG", "ResNet", "DenseNet")
RUNS: dict[tuple[str, str], Any] = {
    (d, f): None for d in ("mnist", "svhn", "stl10") for f in FAMILIES
}
RUNS["mnist", "ResNet"] = a_run()


def panels(figure: Any, runs: Any) -> dict[tuple[str, str], Any]:
    """The axes of each cell."""
    return dict(zip(runs, figure.axes, strict=True))


def words(ax: Any) -> str:
    return "".join(text.get_text() for text in ax.texts)


def curves(ax: Any) -> list[tuple[list[float], list[float]]]:
    """The lines that carry measurements, not those that mark a place."""
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()]
    return [(x, y) for x, y in drawn if len(x) > 1 and x[0] != x[1]]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "names", ["duality_gap", ("norm_spread_means", "norm_spread_classifier"), "mismatch"]
)
def test_a_panel_shows_the_rows_of_its_run(names, split):
    """Each curve of the grid is a column of that run's rows on the asked split."""
    figure: Any = reproduction.grid(RUNS, names, split=split)
    rows = [row for row in RUNS["mnist", "ResNet"][1] if row.split == split]
    wanted = [
        (list(EPOCHS), [r.metrics[n] if n in METRICS else getattr(r, n) for r in rows])
        for n in ([names] if isinstance(names, str) else names)
    ]
    seen = panels(figure, RUNS)
    assert curves(seen["mnist", "ResNet"]) == wanted
    assert {(ax.get_xscale(), ax.get_yscale()) for ax in figure.axes} == {("log", "log")}


@pytest.mark.parametrize("reading", ["consistent", "notebook"])
def test_terms_are_those_of_the_asked_ridge(reading):
    """The three terms of the run are drawn in the book's colors under the asked ridge."""
    figure: Any = reproduction.term_grid(RUNS, ridge=reading)
    ax = panels(figure, RUNS)["mnist", "ResNet"]
    rows = [row for row in RUNS["mnist", "ResNet"][1] if row.split == "train"]
    assert curves(ax) == [(list(EPOCHS), [r.terms[reading][n] for r in rows]) for n in TERMS]
    assert [line.get_color() for line in ax.get_lines()[:3]] == [COLORS[n] for n in TERMS]


@pytest.mark.parametrize("draw", [
    lambda runs: reproduction.grid(runs, "duality_gap"),
    lambda runs: reproduction.term_grid(runs, ridge="consistent"),
])  # fmt: skip
def test_every_cell_without_a_run_says_so(draw):
    """Cells without a run are empty but for the words, also where there is no run at all."""
    nothing = dict.fromkeys(RUNS)
    for runs in (RUNS, nothing):
        figure = draw(runs)
        figure.canvas.draw()
        for key, ax in panels(figure, runs).items():
            assert words(ax) == ("not run" if runs[key] is None else "")
            assert bool(curves(ax)) == (runs[key] is not None)


def test_rows_without_runs_are_low():
    """A data set without any run takes less room than one with a run."""
    figure: Any = reproduction.grid(RUNS, "duality_gap")
    figure.canvas.draw()
    heights = {key: ax.get_position().height for key, ax in panels(figure, RUNS).items()}
    assert heights["mnist", "VGG"] == pytest.approx(heights["mnist", "ResNet"])
    assert heights["svhn", "VGG"] < heights["mnist", "VGG"] / 2


def test_zero_error_is_that_of_the_papers():
    """The line stands at the first measured epoch with 99.9 % training accuracy."""
    run, rows = RUNS["mnist", "ResNet"]
    assert terminal_epoch(rows) == 4
    assert terminal_epoch([r for r in rows if r.epoch < 4]) is None
    tested = [replace(r, accuracy=1.0) for r in rows if r.split == "test"]
    assert terminal_epoch(tested) is None  # training error is meant
    ax = panels(reproduction.grid(RUNS, "duality_gap"), RUNS)["mnist", "ResNet"]
    assert [float(line.get_xdata()[0]) for line in ax.get_lines()[1:]] == [4.0]


def test_what_was_not_measured_is_left_out():
    """A quantity measured at some epochs only is drawn at these."""
    ax = panels(reproduction.grid(RUNS, "robustness", split="test"), RUNS)["mnist", "ResNet"]
    assert curves(ax) == [([1, 20], [0.01, 0.2])]


def test_a_reading_stands_at_its_height():
    """A reading is a hollow mark at its value, with or without a run in that panel."""
    read = {("mnist", "ResNet"): 2e-3, ("stl10", "VGG"): 7e-3}
    figure: Any = reproduction.grid(RUNS, "relative_variability", readings=read)
    for key, ax in panels(figure, RUNS).items():
        marks = [line for line in ax.get_lines() if line.get_marker() == "D"]
        assert [float(m.get_ydata()[0]) for m in marks] == ([read[key]] if key in read else [])
    with pytest.raises(ValueError, match="readings: expected cells of the grid, got"):
        reproduction.grid(RUNS, "duality_gap", readings={("cifar10", "VGG"): 1.0})


@pytest.mark.parametrize("status", ["diverged", "paused"])
def test_a_run_that_is_not_finished_says_so(status):
    """A run that diverged or was paused keeps its curves and carries the word."""
    runs = {("mnist", "VGG"): a_run(status)}
    ax = panels(reproduction.grid(runs, "duality_gap"), runs)["mnist", "VGG"]
    assert words(ax) == status and curves(ax)


def test_a_run_without_that_measurement_says_so():
    """A quantity that a run never measured is not a missing run."""
    run, rows = a_run()
    runs = {("mnist", "VGG"): (run, [replace(row, robustness=math.nan) for row in rows])}
    ax = panels(reproduction.grid(runs, "robustness", split="test"), runs)["mnist", "VGG"]
    assert words(ax) == "not measured" and not curves(ax)


def test_no_cells_are_refused():
    """A grid without a cell is an error, not an empty picture."""
    with pytest.raises(ValueError, match="runs: expected at least one cell"):
        reproduction.grid({}, "duality_gap")


def test_accuracies_stand_beside_the_printed_ones():
    """Ours are the test accuracies at zero error and at the end; theirs are Table 1's."""
    seen = {c.printed.family: c for c in stored.accuracy_table(RUNS, "mse")[:3]}
    assert seen["ResNet"].printed is REPORTED["mnist", "ResNet", "mse"]
    assert seen["ResNet"].at_zero_error == pytest.approx(90.4, rel=EXACT)
    assert seen["ResNet"].at_end == pytest.approx(92.0, rel=EXACT)
    assert seen["ResNet"].difference == pytest.approx(92.0 - 99.70, rel=1e3 * EXACT)
    assert seen["VGG"].state == "not run" and math.isnan(seen["VGG"].difference)


@pytest.mark.parametrize("status, told, difference", [
    ("finished", "90.40 → 92.00", "-7.70"),
    ("paused", "90.40 → 92.00 (paused)", ""),
])  # fmt: skip
def test_the_table_tells_the_state_of_a_run(status, told, difference):
    """Only a finished run is compared; one that is not says so, and so does a missing one."""
    runs = {("mnist", "ResNet"): a_run(status), ("mnist", "VGG"): None}
    lines = stored.accuracy_table(runs, "mse")._repr_markdown_().splitlines()
    assert lines[2] == f"| MNIST, resnet18 | 99.16 → 99.70 | {told} | {difference} |"
    assert lines[3] == "| MNIST, vgg11 | 99.23 → 99.59 | not run |  |"


def test_a_run_without_zero_error_has_no_number_there():
    """A dash stands for an accuracy at an epoch that never came."""
    run, rows = a_run()
    early = [row for row in rows if row.epoch == 1]
    line = stored.accuracy_table({("mnist", "ResNet"): (run, early)}, "mse")
    assert "| – → 90.10 |" in line._repr_markdown_()


def test_only_cells_of_the_papers_have_a_printed_line():
    """A cell that the table of that loss does not have is refused by name."""
    with pytest.raises(ValueError, match=r"table for mse, got \[\('imagenet', 'VGG'\)\]"):
        stored.accuracy_table({("imagenet", "VGG"): None}, "mse")


def test_provenance_names_every_stored_run():
    """One line a stored run, with device, precision, commit, date and seconds; none for others."""
    told = stored.provenance(RUNS)
    assert told.splitlines() == [
        "- `mnist-resnet18-mse`: finished, a machine, float32, torch 9.9, commit 0123456789, "
        "2030-01-02, 62 s"
    ]
    dirty = {("mnist", "VGG"): a_run(commit="0123456789abcdef-dirty")}
    assert "commit 0123456789 with changes, " in stored.provenance(dirty)
    assert told._repr_markdown_() == told and stored.provenance(dict.fromkeys(RUNS)) == ""
