"""A report as a table on a terminal."""

from __future__ import annotations

import io
from itertools import groupby
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from .words import heading, missing

if TYPE_CHECKING:
    from .collapse import CollapseReport

__all__ = ["table", "text"]

WIDTH = 100  # of plain text


def table(report: CollapseReport) -> Table:
    """Every number with its value at collapse and its meaning; below what is missing, and notes."""
    below = [f"{', '.join(names)}: {why}" for why, names in missing(report).items()]
    below += [f"* {note}" for note in report.notes]
    found = Table(
        Column("name", no_wrap=True),
        Column("value", justify="right", no_wrap=True),
        Column("at collapse", justify="right"),
        "meaning",
        box=SIMPLE_HEAD,
        title=escape(heading(report)),
        title_justify="left",
        caption=escape("\n".join(below)) or None,
        caption_justify="left",
        pad_edge=False,
    )
    for group, lines in groupby(report.entries, lambda one: one.group):
        found.add_section()
        found.add_row(f"[bold]{group}[/]")
        for one in lines:
            found.add_row(escape(one.name), one.shown, one.at_collapse, escape(one.meaning))
    return found


def text(report: CollapseReport) -> str:
    """The same table as plain text."""
    lines = io.StringIO()
    console = Console(file=lines, width=WIDTH, color_system=None, force_terminal=False)
    console.print(table(report))
    return "\n".join(line.rstrip() for line in lines.getvalue().splitlines())
