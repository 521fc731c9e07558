"""The ``nclib`` command: measure a network, run and time cells, show runs, check every claim."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from .bench import bench as bench_cell
from .cells import CELLS, Cell, grid_of
from .experiments import closing_words, opening_words, published
from .experiments import run as run_cell
from .machine import Machine
from .measure_command import measure_command
from .records import Row, Run, read
from .sweep_command import sweep_command
from .tables import cells_table, grids_table, rows_table, state_of, verdicts_table

app = typer.Typer(
    help="Neural collapse under the MSE loss, measured.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Folder = Annotated[Path, typer.Option("--folder", help="Where runs are kept.")]
Name = Annotated[str, typer.Argument(help="dataset-network-loss, such as digits-convnet-mse.")]
Root = Annotated[Path | None, typer.Option(help="Folder of torchvision's data sets.")]
Download = Annotated[bool, typer.Option("--download", help="Fetch a missing data set.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
Precision = Annotated[
    str | None, typer.Option(help="float32, bfloat16 or float16; else the device's best.")
]
Graph = Annotated[
    bool | None, typer.Option(help="Replay the step as a CUDA graph; else where it can be.")
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the convolutional body.")]


app.command("sweep", context_settings={"allow_extra_args": True, "ignore_unknown_options": False})(
    sweep_command
)
app.command("measure")(measure_command)


@app.command()
def run(
    cell: Name,
    folder: Folder = Path("runs"),
    root: Root = None,
    download: Download = False,
    device: Device = "cpu",
    precision: Precision = None,
    graph: Graph = None,
    compile: Compile = False,
    epochs: Annotated[int | None, typer.Option(help="Fewer epochs than the recipe's.")] = None,
    limit: Annotated[int | None, typer.Option(help="Train on so many images, balanced.")] = None,
    every: Annotated[int | None, typer.Option(help="Measure each m-th epoch.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Pause after so long.")] = None,
    robustness: Annotated[
        str, typer.Option(help="Of test images: never, ends (zero error and last epoch), always.")
    ] = "never",
) -> None:
    """Train and measure a cell; a killed run goes on where it was, a finished one is read back."""
    asked = {"epochs": epochs, "images": limit, "every": every}
    changed = {name: value for name, value in asked.items() if value is not None}
    chosen = replace(Cell.parse(cell), **changed)
    machine = Machine.of(device, precision, graph, compile)
    path = folder / f"{chosen.name}.jsonl"
    for line in opening_words(path, machine.precision, robustness):
        console.print(line)
    try:
        rows = list(run_cell(
            chosen, folder=folder, root=root, download=download, machine=machine,
            max_minutes=max_minutes, robustness=robustness,
        ))  # fmt: skip
    except (KeyboardInterrupt, SystemExit) as end:
        console.print(closing_words(read(path)[0], path))
        raise typer.Exit(end.code if isinstance(end, SystemExit) else 130) from None  # pyright: ignore
    record, _ = read(path)
    console.print(f"{len(rows)} rows in {path}")
    console.print(closing_words(record, path))
    if rows:
        console.print(rows_table(rows))
    if record.status == "diverged":
        raise typer.Exit(1)


@app.command()
def bench(
    cell: Name,
    root: Root = None,
    download: Download = False,
    device: Device = "cpu",
    precision: Precision = None,
    graph: Graph = None,
    compile: Compile = False,
    limit: Annotated[int | None, typer.Option(help="Train on so many images, balanced.")] = None,
    seconds: Annotated[float, typer.Option(help="Time of each measurement.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Time a cell here: our loop beside the notebook's way, and the machine's own matrix rate."""
    chosen = Cell.parse(cell)
    report = bench_cell(
        replace(chosen, images=chosen.images if limit is None else limit), root=root,
        download=download, machine=Machine.of(device, precision, graph, compile), seconds=seconds,
    )  # fmt: skip
    if as_json:
        typer.echo(report.to_json())
    else:
        console.print(report.to_table())


@app.command("list")
def list_(
    grid: Annotated[str | None, typer.Argument(help="mse-15, ce-15, rates-<cell>, ...")] = None,
    folder: Folder = Path("runs"),
) -> None:
    """The cells of a grid, and where each has been run; without one, all runs and the grids."""
    if grid is not None:
        console.print(cells_table([cell.name for cell in grid_of(grid)], folder))
        return
    here = {path.stem for path in folder.glob("*.jsonl")}
    stored = {cell.name for cell in CELLS if published(cell.name) is not None}
    if here | stored:
        console.print(cells_table(sorted(here | stored), folder))
    console.print(grids_table(folder))
    console.print(
        "rates-<cell> is a grid too: the cell at 25 learning rates; try rates-mnist-vgg11-mse"
    )


@app.command()
def show(cell: Name, folder: Folder = Path("runs")) -> None:
    """A run's last rows as a table, and all of it as a picture beside the record."""
    from . import figures

    name = Cell.parse(cell).name
    record, rows = _find(name, folder)
    console.print(
        f"{name}: {state_of(name, folder)}; {record.device}, trained in {record.precision}, "
        f"started {record.started}, {record.seconds:.0f} s of work on record"
    )
    if record.status != "finished":
        console.print(closing_words(record, folder / f"{name}.jsonl"))
    if rows:
        console.print(rows_table(rows))
    if rows:
        picture = folder / f"{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        figures.overview(rows).savefig(picture, dpi=150)
        console.print(f"picture: {picture}")


@app.command()
def check(
    papers: Annotated[list[str] | None, typer.Argument(help="han, mixon, ... (all).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Check every claim of the ledger, in symbols and in numbers; about a minute."""
    from .ledger import CLAIMS, Report, claims_of  # SymPy comes with it

    report = Report.on(claims_of(CLAIMS, papers) if papers else CLAIMS)
    if as_json:
        typer.echo(report.to_json())
    else:
        console.print(verdicts_table(report))
        counts = ", ".join(f"{count} {status}" for status, count in report.counts.items())
        console.print(f"{len(report)} claims: {counts}; {report.seconds:.0f} s")
    if report.counts["fails"]:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: errors that have words of their own are printed as such, without a traceback."""
    try:
        app()
    # RecordError, DataError and CheckpointError are ValueErrors.
    except (ValueError, OSError) as error:
        errors.print("[bold red]error:[/]", escape(str(error)))
        raise SystemExit(2) from None


def _find(name: str, folder: Path) -> tuple[Run, list[Row]]:
    path = folder / f"{name}.jsonl"
    if path.exists():
        return read(path)
    stored = published(name)
    if stored is None:
        raise FileNotFoundError(
            f"{path}: no such run, and none is published; try: nclib run {name}"
        )
    return stored


if __name__ == "__main__":
    main()
