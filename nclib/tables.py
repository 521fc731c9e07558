"""Cells, rows and verdicts as tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

from .cells import GRIDS, Cell, recipe_of
from .experiments import published
from .metrics import METRICS
from .records import RecordError, Row, is_held, read

if TYPE_CHECKING:
    from .ledger import Report

__all__ = ["cells_table", "grids_table", "rows_table", "state_of", "verdicts_table"]

VERDICT_COLORS = {"holds": "green", "partly": "cyan", "fails": "red", "open": "yellow"}


def cells_table(names: Sequence[str], folder: Path) -> Table:
    """Cells by name: how each is trained, and where it has been run."""
    table = Table(Column("cell", no_wrap=True), "epochs x batch at rate, decay", "state")
    for name in names:
        try:
            recipe = recipe_of(Cell.parse(name))
        except ValueError:
            table.add_row(name, "", "not a record of a cell")
            continue
        table.add_row(
            name,
            f"{recipe.epochs} x {recipe.batch_size} at {recipe.learning_rate:.3g}, "
            f"{recipe.weight_decay:g}",
            escape(state_of(name, folder)),
        )
    return table


def grids_table(folder: Path) -> Table:
    """The grids: how many cells each has, and how many of them have been run."""
    table = Table("grid", "cells", f"finished in {folder}", "published")
    for name, cells in GRIDS.items():
        done = sum(state_of(cell.name, folder).startswith("finished") for cell in cells)
        stored = sum(published(cell.name) is not None for cell in cells)
        table.add_row(name, str(len(cells)), str(done), str(stored))
    return table


def rows_table(rows: list[Row]) -> Table:
    """The last row of each split, a column each."""
    last = {row.split: row for row in rows}
    table = Table("quantity", *(f"{split}, epoch {row.epoch}" for split, row in last.items()))
    labels = {"accuracy": "accuracy", "mismatch": "NC4  mismatch with the nearest mean",
              "loss": "loss, data term", "robustness": "robustness"}  # fmt: skip
    for name, label in labels.items():
        values = [getattr(row, name) for row in last.values()]
        if not all(isnan(value) for value in values):
            table.add_row(label, *("" if isnan(value) else f"{value:.4g}" for value in values))
    for name, metric in METRICS.items():
        values = (f"{row.metrics.get(name, nan):.4g}" for row in last.values())
        table.add_row(f"{metric.property}  {name}", *values)
    for reading in next(iter(last.values())).terms if last else ():
        totals = (f"{sum(row.terms[reading].values()):.4g}" for row in last.values())
        table.add_row(f"L, {reading} ridge", *totals)
        for term in ("nc1", "nc23", "perp"):
            values = (f"{row.terms[reading][term]:.4g}" for row in last.values())
            table.add_row(f"L_{term}, {reading} ridge", *values)
    return table


def verdicts_table(report: Report) -> Table:
    """A line per claim: what it says, and the evidence or what is open."""
    table = Table(Column("", no_wrap=True), Column("claim", no_wrap=True), "statement", "evidence")
    for verdict in report:
        color = VERDICT_COLORS[verdict.status]
        table.add_row(
            f"[{color}]{verdict.status}[/]", verdict.claim.id, escape(verdict.claim.statement),
            escape("\n".join(verdict.words)),
        )  # fmt: skip
    return table


def state_of(name: str, folder: Path) -> str:
    """Where a cell stands in a folder: its status and last measured epoch, or published, or not."""
    path = folder / f"{name}.jsonl"
    if path.exists():
        try:
            record, rows = read(path)
        except RecordError as error:
            return f"damaged: {error}"
        status = record.status if record.status != "running" or is_held(path) else "killed"
        return f"{status}, epoch {rows[-1].epoch if rows else 0}"
    return "published" if published(name) else "not run"
