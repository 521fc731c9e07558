"""``nclib sweep``: run a grid on this machine, watch it, and choose the learning rate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from .cells import Cell, grid_of
from .selection import choose, sweeps_within
from .standings import Board, Standing, line, summary, table
from .sweeps import Show, sweep

__all__ = ["sweep_command"]

LINE_SECONDS = 60.0  # a plain line of a cell at most so often, unless its state has changed
Grid = Annotated[
    str, typer.Argument(help="A grid, rates-<cell> for 25 learning rates, or cells, by commas.")
]


def sweep_command(
    context: typer.Context,
    grid: Grid,
    folder: Annotated[Path, typer.Option("--folder", help="Where runs are kept.")] = Path("runs"),
    workers: Annotated[int, typer.Option(help="Cells at a time on each device.")] = 1,
    devices: Annotated[str, typer.Option(help="Devices, by commas: cpu, cuda:0, ...")] = "cpu",
    root: Annotated[Path | None, typer.Option(help="Folder of torchvision's data sets.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a missing data set.")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="Pause after so long.")] = None,
) -> None:
    """Run the cells of a grid, several at a time; called again, it goes on where it ended.

    What follows -- is handed on to nclib run, such as -- --robustness ends.
    """
    cells = _cells(grid)
    where = [name for part in devices.split(",") if (name := part.strip())]
    console = Console()
    slots = workers * len(where)
    try:
        with _display(console, slots) as show:
            standings = sweep(
                cells, folder=folder, devices=where, workers=workers, root=root,
                download=download, max_minutes=max_minutes, options=context.args, show=show,
            )  # fmt: skip
    except KeyboardInterrupt:
        board = Board(folder)
        typer.echo(summary([board.standing(cell) for cell in cells], slots))
        typer.echo("stopped; the same command goes on with every cell")
        raise typer.Exit(130) from None
    if console.is_terminal:
        console.print(table(standings, slots))
    else:
        typer.echo(summary(standings, slots))
    _say_choices(console, Board(folder), cells)
    if any(not standing.ended for standing in standings):
        console.print("the same command goes on with what is not finished")
    if any(standing.state in ("failed", "killed") for standing in standings):
        raise typer.Exit(1)


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
def _display(console: Console, workers: int) -> Iterator[Show]:
    """A table that stays in place; plain lines where there is no terminal to draw it on."""
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def show(standings: Sequence[Standing]) -> None:
            height = max(3, console.height - 8)
            live.update(table(standings, workers, height), refresh=True)

        yield show


@dataclass
class _Lines:
    """A line for each cell whose state has changed, or that has measured something new."""

    said: dict[Cell, tuple[str, int, float]] = field(default_factory=dict)

    def __call__(self, standings: Sequence[Standing]) -> None:
        now = time.monotonic()
        for standing in standings:
            state, epoch, when = self.said.get(standing.cell, ("waiting", 0, now))
            due = standing.epoch > epoch and now - when >= LINE_SECONDS
            if standing.state != state or due:
                typer.echo(line(standing))
                self.said[standing.cell] = (standing.state, standing.epoch, now)


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
