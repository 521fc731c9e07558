"""``nclib sweep``: run a grid here or on a cluster, watch it, and choose the learning rate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from .cells import Cell, grid_of
from .selection import choose, sweeps_within
from .slurm import Queue, Resources, SlurmError, sweep_on_slurm
from .standings import Board, Standing, line, summary, table
from .sweeps import Show, sweep

__all__ = ["sweep_command"]

SLURM: dict[str, Any] = {"rich_help_panel": "With --on slurm, for each job"}
ON_SLURM = {
    "time_limit", "partition", "account", "qos", "constraint", "gpus", "gres", "cpus", "mem",
    "array_parallelism", "setup", "slurm", "wait",
}  # fmt: skip
LINE_SECONDS = 60.0  # a plain line of a cell at most so often, unless its state has changed
Grid = Annotated[
    str, typer.Argument(help="A grid, rates-<cell> for 25 learning rates, or cells, by commas.")
]


def sweep_command(
    context: typer.Context,
    grid: Grid,
    folder: Annotated[Path, typer.Option("--folder", help="Where runs are kept.")] = Path("runs"),
    workers: Annotated[int, typer.Option(min=1, help="Cells at a time on each device.")] = 1,
    devices: Annotated[str, typer.Option(help="Devices, by commas: cpu, cuda:0, ...")] = "cpu",
    root: Annotated[Path | None, typer.Option(help="Folder of torchvision's data sets.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a missing data set.")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="Pause after so long.")] = None,
    on: Annotated[str, typer.Option(help="here, or slurm: a job for each cell.")] = "here",
    time_limit: Annotated[
        int, typer.Option("--time", min=1, help="Minutes; a longer cell is requeued.", **SLURM)
    ] = 60,
    partition: Annotated[str | None, typer.Option(**SLURM)] = None,
    account: Annotated[str | None, typer.Option(**SLURM)] = None,
    qos: Annotated[str | None, typer.Option(**SLURM)] = None,
    constraint: Annotated[str | None, typer.Option(help="Features of a node.", **SLURM)] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="Of each job.", **SLURM)] = None,
    gres: Annotated[str | None, typer.Option(help="Such as gpu:a100:1.", **SLURM)] = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="Cores of each job.", **SLURM)] = None,
    mem: Annotated[str | None, typer.Option(help="Memory of each job: 8G.", **SLURM)] = None,
    array_parallelism: Annotated[
        int | None, typer.Option(min=1, help="Jobs at once.", **SLURM)
    ] = None,
    setup: Annotated[
        list[str] | None, typer.Option(help="A command before each start; repeatable.", **SLURM)
    ] = None,
    slurm: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE for sbatch; repeatable.", **SLURM)
    ] = None,
    wait: Annotated[bool, typer.Option(help="Watch the jobs, or leave them.", **SLURM)] = True,
) -> None:
    """Run the cells of a grid, several at a time; called again, it goes on where it ended.

    What follows -- is handed on to nclib run, such as -- --robustness ends.
    """
    cells, console = _cells(grid), Console()
    given = _given(context)
    _require_place(on, given)
    common: dict[str, Any] = {
        "folder": folder, "root": root, "download": download, "max_minutes": max_minutes,
        "options": context.args,
    }  # fmt: skip
    if on == "slurm":
        if devices not in ("cpu", "cuda"):
            raise ValueError(f"--devices: expected cpu or cuda in each job, got {devices!r}")
        resources = Resources(
            minutes=time_limit, partition=partition, account=account, qos=qos, gpus=gpus,
            gres=gres, cpus=cpus, mem=mem, constraint=constraint, setup=tuple(setup or ()),
            parallelism=array_parallelism, more=Resources.options(slurm or []),
            device=devices if "devices" in given else None,
        )  # fmt: skip
        standings = _on_slurm(console, cells, resources, wait, common)
        slots = None
    else:
        where = [name for part in devices.split(",") if (name := part.strip())]
        slots = workers * len(where)
        standings = _here(console, cells, where, workers, common)
    _say_end(console, standings, slots)
    _say_choices(console, Board(folder), cells)
    if any(not standing.ended for standing in standings):
        console.print(
            "the same command shows how they stand, and submits what is missing"
            if on == "slurm" and not wait
            else "the same command goes on with what is not finished"
        )
    if any(standing.state in ("failed", "killed") for standing in standings):
        raise typer.Exit(1)


def _here(
    console: Console, cells: list[Cell], where: list[str], workers: int, common: dict[str, Any]
) -> list[Standing]:
    slots = workers * len(where)
    try:
        with _display(console, slots) as show:
            return sweep(cells, devices=where, workers=workers, show=show, **common)
    except KeyboardInterrupt:
        board = Board(common["folder"])
        typer.echo(summary([board.standing(cell) for cell in cells], slots))
        typer.echo("stopped; the same command goes on with every cell")
        raise typer.Exit(130) from None


def _on_slurm(
    console: Console, cells: list[Cell], resources: Resources, wait: bool, common: dict[str, Any]
) -> list[Standing]:
    """Submit and watch; an interrupt leaves the jobs in the queue and says so."""
    try:
        with _display(console) as show:
            return sweep_on_slurm(cells, resources=resources, wait=wait, show=show, **common)
    except KeyboardInterrupt:
        typer.echo(_leaving_words(Queue(Path(common["folder"]).resolve()), cells))
        raise typer.Exit(130) from None
    except ImportError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _leaving_words(queue: Queue, cells: list[Cell]) -> str:
    try:
        jobs = queue.to_cancel([cell.name for cell in cells])
    except SlurmError as error:
        return f"stopped watching; what is in the queue goes on ({error})"
    if not jobs:
        return "stopped; no job is in the queue"
    return f"stopped watching; the jobs go on. To cancel them: scancel {' '.join(jobs)}"


def _given(context: typer.Context) -> set[str]:
    """The parameters that the command line names."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    }


def _require_place(on: str, given: set[str]) -> None:
    """An option of the other place would be passed over in silence."""
    if on not in ("here", "slurm"):
        raise ValueError(f"--on: expected here or slurm, got {on!r}")
    elsewhere = given & ({"workers"} if on == "slurm" else ON_SLURM)
    if elsewhere:
        names = ", ".join(_spelled(name) for name in sorted(elsewhere))
        where = "on a cluster" if on == "slurm" else "without --on slurm"
        raise ValueError(f"{names}: expected no such option {where}, got one; leave it out")


def _spelled(parameter: str) -> str:
    return "--time" if parameter == "time_limit" else "--" + parameter.replace("_", "-")


def _say_end(console: Console, standings: list[Standing], slots: int | None) -> None:
    if console.is_terminal:
        console.print(table(standings, slots or _running(standings)))
    else:
        typer.echo(summary(standings, slots or _running(standings)))


def _running(standings: Sequence[Standing]) -> int:
    """How many cells share the time that is left, where nobody says how many jobs may run."""
    return max(1, sum(standing.state == "running" for standing in standings))


def _cells(grid: str) -> list[Cell]:
    """Names of grids and of cells, separated by commas."""
    found: list[Cell] = []
    for name in filter(None, (part.strip() for part in grid.split(","))):
        is_cell = "-" in name and not name.startswith("rates-")
        try:
            found += grid_of(name)
        except ValueError:
            if not is_cell:
                raise
            found.append(Cell.parse(name))
    return found


@contextmanager
def _display(console: Console, workers: int | None = None) -> Iterator[Show]:
    """A table that stays in place; plain lines where there is no terminal to draw it on."""
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def show(standings: Sequence[Standing]) -> None:
            height = max(3, console.height - 8)
            live.update(table(standings, workers or _running(standings), height), refresh=True)

        yield show


@dataclass
class _Lines:
    """A line for each cell whose state has changed, or that has something new to say."""

    said: dict[Cell, tuple[str, int, str, float]] = field(default_factory=dict)

    def __call__(self, standings: Sequence[Standing]) -> None:
        now = time.monotonic()
        for standing in standings:
            state, epoch, reason, when = self.said.get(standing.cell, ("waiting", 0, "", now))
            is_new = standing.epoch > epoch or standing.reason != reason
            if standing.state != state or (is_new and now - when >= LINE_SECONDS):
                typer.echo(line(standing))
                self.said[standing.cell] = (standing.state, standing.epoch, standing.reason, now)


def _say_choices(console: Console, board: Board, cells: Sequence[Cell]) -> None:
    """Both choices of every sweep over the learning rate that has a finished run."""
    stood = (board.standing(cell) for cell in cells)
    runs = [found for s in stood if s.epoch and (found := board.record(s.cell)) is not None]
    for members in sweeps_within(runs):
        if any(run.status == "finished" for run, _ in members):
            words = choose(members).words
            console.print("learning rates:", *words, sep="\n  ", highlight=False, soft_wrap=True)
    picture = board.folder / "sweep.png"
    if picture.exists():
        console.print(f"picture: {picture}")
