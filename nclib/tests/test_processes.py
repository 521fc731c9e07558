"""What a cell's process is given: data that are there, and options that it takes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import typer

from nclib import Cell, processes
from nclib.__main__ import app
from nclib.machine import PRECISIONS
from nclib.observations import ROBUSTNESS
from nclib.processes import HANDED_ON, absent_data, require_handed_on, with_threads


def test_what_is_handed_on_is_what_the_real_command_takes():
    """Each of its options is handed on, or set by the sweep, or part of a cell's name."""
    run = typer.main.get_command(app).commands["run"]  # pyright: ignore
    options = [p for p in run.params if p.param_type_name == "option"]
    names = {name for p in options for name in (*p.opts, *p.secondary_opts)}
    assert names == {*HANDED_ON, *processes.SET_HERE, *processes.RENAMING}
    assert {p.opts[0] for p in options if not p.is_flag} & HANDED_ON.keys() == {
        name for name, values in HANDED_ON.items() if values
    }
    assert HANDED_ON["--robustness"] == ROBUSTNESS and HANDED_ON["--precision"] == PRECISIONS
    for option, end in processes.RENAMING.items():
        field = {"--limit": "images"}.get(option, option.strip("-"))
        number = int(end[2:])
        assert end in replace(Cell("digits", "convnet", "mse"), **{field: number}).name
    for words in (["--precision=bfloat16", "--compile"], ["--robustness", "ends", "--no-graph"]):
        require_handed_on(words)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--folder", "x"], "--folder: expected before --"), (["--root=x"], "--root: expected"),
        (["--epochs", "3"], "--epochs: expected in the cell's name, such as ...-e20"),
        (["--robustness"], "got 'nothing'"), (["--robustness", "twice"], "never, ends, always"),
        (["--compile=1"], "--compile: expected no value"), (["ends"], "options of nclib run"),
    ],
)  # fmt: skip
def test_what_is_not_handed_on(words, said):
    """Each refusal names the option, and where it belongs."""
    with pytest.raises(ValueError, match=re.escape(said)):
        require_handed_on(words)


def test_a_data_set_is_loaded_once_for_all_its_cells(monkeypatch, tmp_path):
    """Both splits of each; of one that is not there every cell gets the reason, and no other."""
    asked = []

    def load(name: str, *, split: str, **_) -> None:
        asked.append((name, split))
        if name == "mnist":
            raise OSError("no room")

    monkeypatch.setattr(processes, "load", load)
    mnist = [Cell("mnist", "thinvgg", loss) for loss in ("mse", "ce")]
    others = [Cell(name, "convnet", "mse") for name in ("digits", "fashionmnist", "synthetic")]
    assert absent_data([*mnist, *others], tmp_path, True) == dict.fromkeys(mnist, "no room")
    assert asked == [("mnist", "train"), ("fashionmnist", "train"), ("fashionmnist", "test")]


@pytest.mark.parametrize("asked, threads", [("", "4"), ("2", "2"), ("8", "4"), ("0", "4")])
def test_threads_are_at_most_the_share(asked, threads):
    """One that wants fewer keeps it; the environment that is given stays as it is."""
    given = {"OMP_NUM_THREADS": asked, "HOME": "/"}
    found = with_threads(given, 4)
    assert found["OMP_NUM_THREADS"] == threads and found["MKL_NUM_THREADS"] == "4"
    assert found["HOME"] == "/" and given == {"OMP_NUM_THREADS": asked, "HOME": "/"}
