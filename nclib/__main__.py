"""The ``nclib`` command: run a cell, list and show runs, check every claim of the ledger."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from .cells import CELLS, Cell, recipe_of
from .experiments import published
from .experiments import run as run_cell
from .machine import Machine
from .metrics import METRICS
from .records import RecordError, Row, Run, read

if TYPE_CHECKING:
    from .ledger import Report

app = typer.Typer(
    help="Neural collapse under the MSE loss, measured.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True, highlight=False, soft_wrap=True)
VERDICT_COLORS = {"holds": "green", "partly": "cyan", "fails": "red", "open": "yellow"}

Folder = Annotated[Path, typer.Option("--folder", help="Where runs are kept.")]
Name = Annotated[str, typer.Argument(help="dataset-network-loss, such as digits-convnet-mse.")]


@app.command()
def run(
    cell: Name,
    folder: Folder = Path("runs"),
    root: Annotated[Path | None, typer.Option(help="Folder of torchvision's data sets.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch a missing data set.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    epochs: Annotated[int | None, typer.Option(help="Fewer epochs than the recipe's.")] = None,
    limit: Annotated[int | None, typer.Option(help="Train on so many images, balanced.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Pause after so long.")] = None,
    robustness: Annotated[str, typer.Option(help="never, ends or always.")] = "never",
) -> None:
    """Train and measure a cell; a killed run goes on where it was, a finished one is read back."""
    chosen = Cell.parse(cell)
    chosen = replace(chosen, epochs=epochs or chosen.epochs, images=limit or chosen.images)
    _require_device(device)
    rows = list(run_cell(
        chosen, folder=folder, root=root, download=download, machine=Machine(device),
        max_minutes=max_minutes, robustness=robustness,
    ))  # fmt: skip
    record, _ = read(folder / f"{chosen.name}.jsonl")
    console.print(
        f"{chosen.name}: {record.status}, {len(rows)} rows in {folder / chosen.name}.jsonl"
    )
    console.print(_last_rows(rows))
    if record.status == "diverged":
        raise typer.Exit(1)


@app.command("list")
def list_(folder: Folder = Path("runs")) -> None:
    """Cells with a recipe, and where each has been run."""
    table = Table(Column("cell", no_wrap=True), "epochs", "batch", "rate", "decay", "state")
    stored = {path.stem for path in folder.glob("*.jsonl")}
    for name in dict.fromkeys([*(cell.name for cell in CELLS), *sorted(stored)]):
        try:
            recipe = recipe_of(Cell.parse(name))
        except ValueError:
            table.add_row(name, "", "", "", "", "not a record of a cell")
            continue
        table.add_row(
            name, str(recipe.epochs), str(recipe.batch_size), f"{recipe.learning_rate:.4g}",
            f"{recipe.weight_decay:.1e}", _state(name, folder),
        )  # fmt: skip
    console.print(table)


@app.command()
def show(cell: Name, folder: Folder = Path("runs")) -> None:
    """A run's last rows as a table, and all of it as a picture beside the record."""
    from . import figures

    name = Cell.parse(cell).name
    record, rows = _find(name, folder)
    console.print(
        f"{name}: {record.status}, {record.seconds:.0f} s on {record.device}, "
        f"started {record.started}"
    )
    console.print(_last_rows(rows))
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
    from .ledger import CLAIMS, Report, claims_of

    report = Report.on(claims_of(CLAIMS, papers) if papers else CLAIMS)
    if as_json:
        typer.echo(report.to_json())
    else:
        console.print(_verdicts(report))
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


def _require_device(device: str) -> None:
    """Raise a ValueError unless torch can put something there."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device: expected one that works here, got {device!r}: {reason}"
        ) from error


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


def _state(name: str, folder: Path) -> str:
    path = folder / f"{name}.jsonl"
    if path.exists():
        try:
            record, rows = read(path)
        except RecordError as error:
            return f"damaged: {error}"
        return f"{record.status}, epoch {rows[-1].epoch if rows else 0}"
    return "published" if published(name) else "not run"


def _verdicts(report: Report) -> Table:
    """A line per claim: what it says, and the evidence or what is open."""
    table = Table(Column("", no_wrap=True), Column("claim", no_wrap=True), "statement", "evidence")
    for verdict in report:
        color = VERDICT_COLORS[verdict.status]
        table.add_row(
            f"[{color}]{verdict.status}[/]", verdict.claim.id, escape(verdict.claim.statement),
            escape("\n".join(verdict.words)),
        )  # fmt: skip
    return table


def _last_rows(rows: list[Row]) -> Table:
    """The last row of each split, a column each."""
    last = {row.split: row for row in rows}
    table = Table("quantity", *(f"{split}, epoch {row.epoch}" for split, row in last.items()))
    for name in ("accuracy", "mismatch", "loss"):
        table.add_row(name, *(f"{getattr(row, name):.4g}" for row in last.values()))
    for name, metric in METRICS.items():
        values = (f"{row.metrics.get(name, nan):.4g}" for row in last.values())
        table.add_row(f"{metric.property}  {name}", *values)
    for reading in next(iter(last.values())).terms if last else ():
        for term in ("nc1", "nc23", "perp"):
            values = (f"{row.terms[reading][term]:.4g}" for row in last.values())
            table.add_row(f"L_{term}, {reading} ridge", *values)
    return table


if __name__ == "__main__":
    main()
