"""Runs: rows as they come, killed and resumed to the same bytes, never done twice."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nclib
from nclib import METRICS, Cell, cells, recipes
from nclib.__main__ import app, main
from nclib.experiments import published, run
from nclib.observations import observe, summarize
from nclib.records import RecordError, append, read
from nclib.training import Recipe, Training

from .tolerances import EXACT, SINGLE

CELL = Cell("synthetic", "convnet", "mse", images=200)
ROOT = Path(nclib.__file__).parents[1]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with one finished run."""
    folder = tmp_path_factory.mktemp("runs")
    rows = list(run(CELL, folder=folder))
    return folder, rows


def test_every_measured_epoch_has_a_row_of_each_split(finished):
    """Rows come in order, with every metric and both readings of the ridge."""
    folder, rows = finished
    epochs = cells.measured_epochs(cells.recipe_of(CELL).epochs)
    assert [(r.epoch, r.split) for r in rows] == [(e, s) for e in epochs for s in ("train", "test")]
    for row in rows:
        assert set(row.metrics) == set(METRICS) and set(row.terms) == {"consistent", "notebook"}
    record, stored = read(folder / f"{CELL.name}.jsonl")
    assert (record.status, stored) == ("finished", rows) and record.seconds > 0
    assert record.recipe["loss"] == "mse" and record.device.startswith("cpu")


def test_terms_of_a_row_are_the_trained_objective(finished):
    """Under the consistent ridge the terms add up to (C/2)(mean-reduced loss) + penalty."""
    seen = [o for o in observe(CELL) if o.split == "train"][-1]
    row = summarize(seen, CELL)
    ridge = cells.ridges_of(CELL)["consistent"]["value"]
    penalty = float(seen.head.weight.square().sum() + seen.head.bias.square().sum())
    expected = 10 / 2 * row.loss + ridge / 2 * penalty
    assert sum(row.terms["consistent"].values()) == pytest.approx(expected, rel=SINGLE)
    assert row == finished[1][-2]  # and observing again gives the same bits


def test_a_finished_run_is_read_back_not_trained(finished, monkeypatch):
    """The second call yields the stored rows and never starts a training."""
    folder, rows = finished
    before = (folder / f"{CELL.name}.jsonl").read_bytes()
    monkeypatch.setattr(Training, "advance", lambda *a: pytest.fail("trained again"))
    assert list(run(CELL, folder=folder)) == rows
    assert (folder / f"{CELL.name}.jsonl").read_bytes() == before


def leave_after(count: int, folder: Path) -> None:
    """Take that many rows of a run and drop the generator, as a reader who stops a cell does."""
    for number, _ in enumerate(run(CELL, folder=folder), start=1):
        if number == count:
            break


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_run_left_at_any_row_resumes_to_the_same_rows(finished, tmp_path, stop_after):
    """Stop after any row; the next call ends with the same rows, bit for bit, none twice."""
    leave_after(stop_after, tmp_path)
    assert list(run(CELL, folder=tmp_path)) == finished[1]
    assert read(tmp_path / f"{CELL.name}.jsonl")[1] == finished[1]


def test_a_torn_line_and_a_lost_checkpoint_cost_no_row(finished, tmp_path):
    """A half-written last line is set aside; without a checkpoint training starts over."""
    leave_after(3, tmp_path)
    path = tmp_path / f"{CELL.name}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind": "row", "run": "synth')
    path.with_suffix(".pt").unlink()
    assert list(run(CELL, folder=tmp_path)) == finished[1]
    assert path.with_name(path.name + ".torn").read_bytes().startswith(b'{"kind": "row"')


def test_a_diverged_run_is_recorded_and_not_retried(tmp_path, monkeypatch):
    """NaN ends a run with the status diverged; a second call does not train."""
    wild = replace(recipes.RECIPES["synthetic", "convnet"]["mse"], learning_rate=1e12)
    monkeypatch.setitem(recipes.RECIPES["synthetic", "convnet"], "mse", wild)
    list(run(CELL, folder=tmp_path))
    assert read(tmp_path / f"{CELL.name}.jsonl")[0].status == "diverged"
    monkeypatch.setattr(Training, "advance", lambda *a: pytest.fail("trained again"))
    list(run(CELL, folder=tmp_path))


def test_another_recipes_run_is_refused_and_kept(finished, tmp_path, monkeypatch):
    """A stored run is never continued under other settings."""
    path = tmp_path / f"{CELL.name}.jsonl"
    append(path, read(finished[0] / path.name)[0])
    before = path.read_bytes()
    other = replace(recipes.RECIPES["synthetic", "convnet"]["mse"], batch_size=16)
    monkeypatch.setitem(recipes.RECIPES["synthetic", "convnet"], "mse", other)
    with pytest.raises(RecordError, match="'batch_size': 16.*got.*'batch_size': 32"):
        list(run(CELL, folder=tmp_path))
    assert path.read_bytes() == before


def test_cross_entropy_rows_have_metrics_and_no_terms(tmp_path, monkeypatch):
    """A cross-entropy cell is measured the same way; the MSE terms are not its loss."""
    monkeypatch.setitem(
        recipes.RECIPES["synthetic", "convnet"], "ce", Recipe("ce", 1, 32, 0.05, weight_decay=1e-3)
    )
    rows = list(run(Cell("synthetic", "convnet", "ce"), folder=tmp_path))
    assert len(rows) == 2 and rows[0].terms == {} and set(rows[0].metrics) == set(METRICS)


def test_published_runs_are_whole():
    """Every run stored with the package is finished, its terms are >= 0 and its epochs increase."""
    assert published("synthetic-convnet-mse-s9") is None
    folder = Path(nclib.__file__).parent / "results"
    for path in sorted(folder.glob("*-*-*.jsonl")):
        record, rows = published(path.stem)  # pyright: ignore[reportGeneralTypeIssues]
        assert record.status == "finished"
        for split in ("train", "test"):
            epochs = [row.epoch for row in rows if row.split == split]
            assert epochs == sorted(set(epochs))
        for row in rows:
            assert all(value >= -EXACT for terms in row.terms.values() for value in terms.values())
    assert sum(path.stat().st_size for path in folder.glob("*")) < 5_000_000


def test_command_line(finished, tmp_path):
    """run, list and show print what there is; show leaves a picture."""
    folder, cli = finished[0], CliRunner()
    result = cli.invoke(app, ["run", CELL.name, "--folder", str(folder)])
    assert result.exit_code == 0 and "read back" in result.output
    asked = cli.invoke(
        app, ["run", CELL.name, "--folder", str(folder), "--robustness", "ends",
              "--precision", "bfloat16"],
    )  # fmt: skip
    assert "robustness was not measured then" in asked.output
    assert "trained in float32 so far; stays as it is" in asked.output
    listed = cli.invoke(app, ["list", "--folder", str(folder)]).output
    assert "finished, epoch 6" in listed and "mse-15" in listed
    grid = cli.invoke(app, ["list", "smoke", "--folder", str(folder)]).output
    assert "synthetic-thinvgg-ce-e2" in grid and grid.count("not run") == 8
    shown = cli.invoke(app, ["show", CELL.name, "--folder", str(folder)])
    assert "relative_variability" in shown.output
    assert (folder / f"{CELL.name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["run", "digits-convnt-mse"], "error: network: expected one of"),
        (["show", "digits-convnet-ce"], "no such run, and none is published"),
        (["run", "mnist-convnet-mse"], "error: root: expected the folder"),
        (["run", "mnist-convnet-mse", "--root", "nowhere"], "not found"),
        (["run", "synthetic-convnet-mse", "--device", "abacus"], "device: expected one that works"),
    ],
)
def test_the_command_says_errors_in_words(arguments, message, tmp_path, monkeypatch, capsys):
    """No traceback: a line on the error stream that says what was expected, and exit status 2."""
    monkeypatch.setattr(sys, "argv", ["nclib", *arguments, "--folder", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_in_the_way_is_said_in_words(tmp_path, monkeypatch, capsys):
    """A file where the folder should be is an error in words, not a traceback."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "argv", ["nclib", "run", CELL.name, "--folder", f"{tmp_path}/file"])
    with pytest.raises(SystemExit):
        main()
    assert "error:" in capsys.readouterr().err


def test_strange_and_damaged_records_do_not_hide_the_others(finished, tmp_path):
    """`nclib list` names a file that is no cell, and a damaged one, and lists the rest."""
    (tmp_path / "notes.jsonl").write_text("hello\n")
    (tmp_path / "digits-convnet-mse.jsonl").write_text("hello\n")
    output = CliRunner().invoke(app, ["list", "--folder", str(tmp_path)]).output
    assert "not a record" in output and "damaged" in output and "ce-15" in output


@pytest.mark.parametrize("keep", [0, 1, 4])
def test_a_checkpoint_ahead_of_its_rows_is_refused(finished, tmp_path, keep):
    """With the record deleted or cut, a left-over checkpoint may not skip what was measured."""
    path = tmp_path / f"{CELL.name}.jsonl"
    lines = (finished[0] / path.name).read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:keep]))
    path.with_suffix(".pt").write_bytes((finished[0] / f"{CELL.name}.pt").read_bytes())
    with pytest.raises(RecordError, match="move the checkpoint away to train from the start"):
        list(run(CELL, folder=tmp_path))
    path.with_suffix(".pt").unlink()
    assert list(run(CELL, folder=tmp_path)) == finished[1]


def test_a_resumed_run_says_where_it_went_on(tmp_path, monkeypatch):
    """The line that counts names the versions and device of the process that ended the run."""
    leave_after(2, tmp_path)
    path = tmp_path / f"{CELL.name}.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"device": "cpu', b'"device": "abacus'))
    first = read(path)[0]
    list(run(CELL, folder=tmp_path))
    last = read(path)[0]
    assert first.device.startswith("abacus") and last.device.startswith("cpu")
    assert last.started == first.started


def test_a_finished_run_is_read_from_where_nothing_can_be_written(finished, monkeypatch):
    """Reading back takes no lock and leaves no file."""
    monkeypatch.setattr("nclib.experiments.lock", lambda path: pytest.fail("locked"))
    assert list(run(CELL, folder=finished[0])) == finished[1]


def test_a_name_is_as_good_as_its_cell(finished):
    """run and observe take the address where they take the cell."""
    assert list(run(CELL.name, folder=finished[0])) == finished[1]
    assert next(iter(observe(f"{CELL.name}"))).epoch == 1


@pytest.mark.parametrize(
    "changed, given, message",
    [
        ({"images": 20}, {}, "images: expected at least 32, a batch, got 20"),
        ({}, {"max_minutes": -1.0}, "max_minutes: expected a number >= 0, got -1.0"),
        ({}, {"max_minutes": float("nan")}, "max_minutes: expected a number >= 0, got nan"),
    ],
)
def test_what_cannot_be_run_leaves_no_record(tmp_path, changed, given, message):
    """It is refused before anything is written."""
    with pytest.raises(ValueError, match=message):
        list(run(replace(CELL, **changed), folder=tmp_path, **given))
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_in_words(tmp_path, monkeypatch):
    """The command says that it goes on, and exits as a shell expects."""

    def interrupted(*given, **named):
        for row in run(*given, **named):
            yield row
            raise KeyboardInterrupt

    monkeypatch.setattr("nclib.__main__.run_cell", interrupted)
    result = CliRunner().invoke(app, ["run", CELL.name, "--folder", str(tmp_path)])
    assert result.exit_code == 130 and "goes on from its checkpoint" in result.output
