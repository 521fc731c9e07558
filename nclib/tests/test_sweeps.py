"""Sweeps: every cell once, whatever becomes of the others, and both choices of the rate."""

from __future__ import annotations

import io
import json
import math
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from nclib import Cell, records, sweeps
from nclib.__main__ import app as nclib_app
from nclib.cells import recipe_of, ridges_of
from nclib.figures.sweeps import save_summary
from nclib.records import Row, Run, append, lock
from nclib.selection import choose, sweeps_within
from nclib.standings import Board, line, summary, table
from nclib.sweep_command import sweep_command
from nclib.sweeps import command_of, sweep

BASE = Cell("synthetic", "convnet", "mse", epochs=2, images=100, held=1)

# A stand-in for ``nclib run`` that starts in no time: it writes records as that does.
CHILD = """
import importlib.util, json, os, signal, sys, time
from dataclasses import replace
spec = importlib.util.spec_from_file_location("records", sys.argv[1])
records = sys.modules["records"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(records)
path, behavior, run = sys.argv[2], sys.argv[3], records.Run(**json.loads(sys.argv[4]))
with open(path + ".starts", "a") as starts:
    starts.write(f"{time.monotonic()} {os.environ['OMP_NUM_THREADS']}\\n")
told = []
if behavior == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif behavior == "hangs":
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
if behavior == "refuses":
    sys.exit("error: no such option")
def row(epoch, split):
    score = 0.1 * run.cell["rate"]
    return records.Row(run.id, epoch, split, score, 0.0, 1 - score, {"relative_variability": 0.5})
with records.lock(path) as writer:
    writer.append(run)
    for split in ("train", "test", "held"):
        writer.append(row(1, split))
    if behavior == "crashes":
        raise RuntimeError("out of memory")
    if behavior == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    while behavior in ("hangs", "stubborn") and not told:
        time.sleep(0.01)
    if told:
        writer.append(replace(run, status="paused", seconds=1.0))
        sys.exit(143)
    if behavior == "diverges":
        writer.append(replace(run, status="diverged", reason="training loss is nan in epoch 2"))
        sys.exit(1)
    for split in ("train", "test", "held"):
        writer.append(row(2, split))
    writer.append(replace(run, status="finished", seconds=2.0))
"""


def run_of(cell: Cell, status: str = "running", **more) -> Run:
    return Run(
        id=cell.name, cell=cell.to_record(), recipe=asdict(recipe_of(cell)), ridge=ridges_of(cell),
        versions={}, commit="", device="cpu", precision="float32", started="", status=status,
        **more,
    )  # fmt: skip


@pytest.fixture
def behaving(monkeypatch):
    """Let children of the given rates behave badly; all others finish."""

    def set_behavior(behaviors: dict[int, str]) -> None:
        def command(cell: Cell, device: str, *, folder: Path, **_) -> list[str]:
            path, how = folder / f"{cell.name}.jsonl", behaviors.get(cell.rate or 0, "finishes")
            run = json.dumps(asdict(run_of(cell)))
            return [sys.executable, "-S", "-c", CHILD, records.__file__, str(path), how, run]

        monkeypatch.setattr(sweeps, "command_of", command)

    monkeypatch.setattr(sweeps, "POLL", 0.01)
    monkeypatch.setattr(sweeps._Picture, "draw", lambda *_, **__: None)
    set_behavior({})
    return set_behavior


def cells(*rates: int) -> list[Cell]:
    return [replace(BASE, rate=k) for k in rates]


def states(standings) -> list[str]:
    return [standing.state for standing in standings]


def starts(folder: Path, cell: Cell) -> list[float]:
    lines = (folder / f"{cell.name}.jsonl.starts").read_text().splitlines()
    return [float(line.split()[0]) for line in lines]


def test_every_cell_is_run_once(behaving, tmp_path):
    """A second sweep finds all finished and starts nothing; logs of what went well are gone."""
    for _ in range(2):
        found = sweep(cells(1, 2, 3), folder=tmp_path, workers=2)
        assert states(found) == ["finished"] * 3
        assert [round(s.test_accuracy, 6) for s in found] == [0.1, 0.2, 0.3]
    assert [len(starts(tmp_path, cell)) for cell in cells(1, 2, 3)] == [1, 1, 1]
    assert list((tmp_path / "logs").iterdir()) == []


def test_what_goes_wrong_does_not_stop_the_others(behaving, tmp_path):
    """One crashes, one diverges, one is killed, one does not start: each with its reason."""
    behaving({1: "crashes", 2: "diverges", 3: "dies", 4: "refuses"})
    found = sweep(cells(1, 2, 3, 4, 5), folder=tmp_path, workers=2)
    assert states(found) == ["failed", "diverged", "killed", "failed", "finished"]
    assert [s.reason for s in found] == [
        "RuntimeError: out of memory", "training loss is nan in epoch 2", "killed by SIGKILL",
        "no such option", "",
    ]  # fmt: skip
    assert (tmp_path / "logs" / f"{cells(1)[0].name}.log").read_text().count("Traceback") == 1
    behaving({})
    found = sweep(cells(1, 2, 3, 4, 5), folder=tmp_path, workers=2)
    assert states(found) == ["finished", "diverged"] + ["finished"] * 3
    assert len(starts(tmp_path, cells(2)[0])) == 1


@pytest.mark.parametrize(
    "number, behavior, times",
    [(signal.SIGINT, "hangs", 1), (signal.SIGTERM, "hangs", 1), (signal.SIGINT, "stubborn", 2)],
)
def test_an_orderly_end(behaving, tmp_path, number, behavior, times):
    """Ctrl-C and SIGTERM ask every child to end, a second one kills; all can go on after that."""
    behaving({1: behavior, 2: behavior})
    sent = []

    def interrupt(standings) -> None:
        if [s.epoch for s in standings[:2]] == [1, 1] and len(sent) < times:
            sent.append(standings)
            signal.raise_signal(number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit) as end:
        sweep(cells(1, 2, 3), folder=tmp_path, workers=2, show=interrupt)
    assert number == signal.SIGINT or getattr(end.value, "code", 0) == 128 + number
    assert signal.getsignal(number) is before
    board = Board(tmp_path)
    ended = "paused" if times == 1 else "killed"
    assert states(map(board.standing, cells(1, 2, 3))) == [ended, ended, "waiting"]
    behaving({})
    assert states(sweep(cells(1, 2, 3), folder=tmp_path)) == ["finished"] * 3


def test_an_error_of_the_sweep_itself_leaves_no_child_behind(behaving, tmp_path):
    """Children are asked to end when what shows them fails."""
    behaving({1: "hangs"})

    def broken(standings) -> None:
        if standings[0].epoch:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sweep(cells(1), folder=tmp_path, show=broken)
    assert states(map(Board(tmp_path).standing, cells(1))) == ["paused"]


def test_a_cell_that_another_process_writes_is_waited_for(behaving, tmp_path):
    """It is not started while it is held, and needs nothing when the other one has finished it."""
    one, two = cells(1, 2)
    path, seen = tmp_path / f"{one.name}.jsonl", []
    with lock(path) as writer:
        writer.append(run_of(one))

        def end(standings) -> None:
            seen.append(standings[0].state)
            if standings[1].state == "finished" and standings[0].state == "elsewhere":
                writer.append(run_of(one, "finished"))
                writer.file.close()

        found = sweep([one, two], folder=tmp_path, show=end)
    assert states(found) == ["finished", "finished"] and "elsewhere" in seen
    assert not path.with_name(path.name + ".starts").exists()


def test_no_cell_is_started_when_time_is_over(behaving, tmp_path):
    """What is not begun waits for the next call."""
    assert states(sweep(cells(1, 2), folder=tmp_path, max_minutes=0)) == ["waiting"] * 2


def test_the_longest_is_started_first(behaving, tmp_path):
    """After those nobody knows, by seconds per epoch of the runs that are there."""
    known = {"thinvgg": 3.0, "thinresnet": 9.0, "plainnet": 6.0}
    for network, seconds in known.items():
        cell = replace(BASE, network=network, rate=1)
        append(tmp_path / f"{cell.name}.jsonl", run_of(cell, "paused", seconds=seconds))
        append(tmp_path / f"{cell.name}.jsonl", Row(cell.name, 1, "train", 0.5, 0.0, 0.1))
    names = ["thinvgg", "thinresnet", "thindensenet", "plainnet"]
    asked = [replace(BASE, network=name, rate=1) for name in names]
    sweep(asked, folder=tmp_path)
    order = sorted(names, key=lambda n: starts(tmp_path, asked[names.index(n)])[0])
    assert order == ["thindensenet", "thinresnet", "plainnet", "thinvgg"]


def test_cells_whose_data_are_missing_fail_in_words(behaving, tmp_path):
    """They are not started at all; the others run."""
    lost = Cell("mnist", "convnet", "mse", rate=1)
    found = sweep([lost, *cells(1)], folder=tmp_path)
    assert states(found) == ["failed", "finished"] and "root: expected" in found[0].reason


def test_a_damaged_record_fails_alone(behaving, tmp_path):
    """Its cell is named with what is wrong; the file stays."""
    path = tmp_path / f"{cells(1)[0].name}.jsonl"
    path.write_bytes(b"hello\n")
    behaving({1: "refuses"})
    found = sweep(cells(1, 2), folder=tmp_path)
    assert states(found) == ["failed", "finished"] and path.read_bytes() == b"hello\n"


@pytest.mark.parametrize(
    "visible, device, expected",
    [("", "cuda:1", "1"), ("4,7", "cuda:1", "7"), ("4,7", "cuda", "4"), ("4,7", "cpu", "4,7")],
)
def test_a_child_sees_its_own_gpu_alone(monkeypatch, visible, device, expected):
    """Devices count within those that this process sees; the child has one and calls it cuda."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = sweeps._environment(device, threads=8)
    assert found["CUDA_VISIBLE_DEVICES"] == expected and found["OMP_NUM_THREADS"] == "3"
    command = command_of(BASE, device, folder=Path("runs"), max_minutes=1.5, options=("--x",))
    assert command[command.index("--device") + 1] == device.partition(":")[0]
    assert command[-3:] == ["--max-minutes", "1.5000", "--x"]


def test_impossible_sweeps_are_refused(monkeypatch, tmp_path):
    """No cells, no workers, a GPU that is not shown."""
    with pytest.raises(ValueError, match="workers: expected at least 1, got 0"):
        sweep([BASE], folder=tmp_path, workers=0)
    with pytest.raises(ValueError, match="expected at least one of each"):
        sweep([], folder=tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(ValueError, match="expected cuda:0 to cuda:0, .* got 'cuda:1'"):
        sweep([BASE], folder=tmp_path, devices=["cuda:1"])


def test_workers_share_the_cores(behaving, tmp_path, monkeypatch):
    """Threads of all children together are as many as there are cores."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(sweeps, "_cores", lambda: 8)
    sweep(cells(1), folder=tmp_path, workers=3)
    starts_file = tmp_path / f"{cells(1)[0].name}.jsonl.starts"
    assert starts_file.read_text().split()[1] == "2"


# The choice of the learning rate


def finished(rate: int, test: float, held: float | None = None, loss: float = 0.1):
    """A finished run with these accuracies at its last epoch, and better ones before."""
    cell = replace(BASE, rate=rate, held=None if held is None else 1)
    scores = {"train": 1.0, "test": test} | ({} if held is None else {"held": held})
    rows = [
        Row(cell.name, epoch, split, 1.0 if epoch == 1 else score, 0.0, loss)
        for epoch in (1, 2)
        for split, score in scores.items()
    ]
    return run_of(cell, "finished"), rows


scores = st.integers(0, 5).map(lambda k: k / 5)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=8))
def test_choices_are_the_best_on_their_splits(found):
    """Each choice is the maximum on its split; tuning on the test set never loses there."""
    chosen = choose([finished(k, test, held) for k, (test, held) in enumerate(found)])
    best_test, best_held = max(t for t, _ in found), max(h for _, h in found)
    assert chosen.held is not None
    assert chosen.paper.best.test_accuracy == best_test
    assert chosen.held.best.held_accuracy == best_held
    assert chosen.optimism == best_test - chosen.held.best.test_accuracy >= 0
    assert len(chosen.paper.tied) == sum(t == best_test for t, _ in found) - 1
    # Losses are equal here, so that the smallest of the tied rates is taken.
    assert chosen.paper.best.rate == [t for t, _ in found].index(best_test)


def test_a_tie_goes_to_the_smaller_loss_and_is_said():
    """Equal accuracies: the loss on the same split decides, and the words name the others."""
    chosen = choose([finished(3, 0.9, loss=0.2), finished(5, 0.9, loss=0.1), finished(7, 0.8)])
    assert chosen.paper.best.rate == 5 and [c.rate for c in chosen.paper.tied] == [3]
    words = " ".join(chosen.words)
    assert "k5 = 0.0005104, 90.00% right, as k3" in words and "tuned on the test set" in words
    assert chosen.held is None and math.isnan(chosen.optimism) and "no held-out split" in words


def test_optimism_is_said_in_points():
    """What the paper's way gained over the held-out choice, and an end of the sweep."""
    chosen = choose([finished(3, 0.9, 0.7), finished(5, 0.8, 0.9), finished(7, 0.7, 0.8)])
    words = " ".join(chosen.words)
    assert "gained 10.00 points" in words and "90.00% right there and 80.00% on test" in words
    assert "the smallest rate of the sweep" in words and words.count("of the sweep") == 1


def test_what_did_not_end_is_left_out_by_name():
    """Diverged and paused runs take no part; a sweep without a finished run has no choice."""
    diverged = run_of(cells(9)[0], "diverged", reason="training loss is nan in epoch 2"), []
    paused = run_of(cells(8)[0], "paused"), [Row(cells(8)[0].name, 1, "test", 1.0, 0.0, 0.1)]
    chosen = choose([finished(3, 0.5, 0.5), diverged, paused])
    assert list(chosen.left_out.values()) == [
        "training loss is nan in epoch 2", "paused at epoch 1",
    ]  # fmt: skip
    assert "paused at epoch 1" in " ".join(chosen.words)
    with pytest.raises(ValueError, match="at least one that is finished"):
        choose([diverged, paused])
    with pytest.raises(ValueError, match="expected those of one sweep, got 2"):
        choose([finished(3, 0.5, 0.5), finished(3, 0.5)])


def test_sweeps_are_found_among_runs():
    """Runs that differ in the rate alone belong together; a single one is no sweep."""
    runs = [finished(1, 0.1), finished(2, 0.2), finished(1, 0.1, 0.1)]
    assert [[run.cell["rate"] for run, _ in members] for members in sweeps_within(runs)] == [[1, 2]]


# What is shown


def test_the_table_keeps_those_that_run(behaving, tmp_path):
    """Where there are more cells than lines, the running and the failed ones are shown."""
    behaving({4: "crashes"})
    found = sweep(cells(1, 2, 3, 4), folder=tmp_path)
    found[1] = replace(found[1], state="running", left=400.0)
    text = io.StringIO()
    Console(file=text, width=140).print(table(found, workers=2, height=2))
    shown = text.getvalue()
    assert "-k2-" in shown and "-k4-" in shown and "-k1-" not in shown
    assert "RuntimeError: out of memory" in shown and "2 more not shown" in shown
    assert "2 of 4 finished, 1 failed, 1 running; about 7 min left" in summary(found, 2)
    assert line(found[0]).endswith(
        "k1-e2-n100-h1: finished, epoch 2/2, train 0.1000, NC1 0.5, test 0.1000, time 2 s"
    )


@pytest.mark.parametrize("rates, width", [((1, 2, 3), 900), ((1,), 480)])
def test_the_picture_is_written_whole(tmp_path, rates, width):
    """A sweep over rates is drawn as such, another grid as panels; nothing else is left."""
    save_summary([finished(k, 0.1 * k, 0.1 * k) for k in rates], tmp_path / "sweep.png")
    content = (tmp_path / "sweep.png").read_bytes()
    assert content.startswith(b"\x89PNG") and int.from_bytes(content[16:20], "big") == width
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.png"]


def test_the_command_shows_lines_and_both_choices(behaving, tmp_path):
    """Away from a terminal: a line for each change, the choices, and status 1 where one failed."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command(context_settings={"allow_extra_args": True})(sweep_command)
    behaving({2: "crashes"})
    names = ",".join(cell.name for cell in cells(1, 2, 3))
    done = CliRunner().invoke(app, [names, "--folder", str(tmp_path), "--workers", "2"])
    assert done.exit_code == 1
    assert "-k2-e2-n100-h1: failed, epoch 1/2" in done.output
    assert "2 of 3 finished, 1 failed" in done.output and "best on held: k3" in done.output
    assert "the same command goes on" in done.output
    assert CliRunner().invoke(app, ["nonsense"]).exit_code == 1


def test_the_real_command_has_the_options_that_a_sweep_gives_it(tmp_path):
    """The stand-in is honest: what ``nclib run`` is called with is what it takes."""
    command = command_of(BASE, "cpu", folder=tmp_path, root=tmp_path, max_minutes=1.0)
    assert command[:3] == [sys.executable, "-m", "nclib"]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(nclib_app, ["run", "--help"]).output
    assert [part for part in command if part.startswith("--") and part not in shown] == []
