"""A report as a piece of HTML: for notebooks, light and dark, wide and narrow."""

from __future__ import annotations

import base64
import html
from itertools import groupby
from typing import TYPE_CHECKING

from .entries import Entry
from .words import alternative, heading

if TYPE_CHECKING:
    from .collapse import CollapseReport

__all__ = ["fragment"]

TITLES = {
    "NC1": "NC1: samples gather at their class mean",
    "NC2": "NC2: class means and classifier form a simplex",
    "NC3": "NC3: classifier and class means agree",
    "NC4": "NC4: the head decides for the nearest class mean",
    "loss": "MSE loss, taken apart (ridge {ridge:g})",
    "spectrum": "Spectrum",
}
# Colors of the page around it throughout, so that any theme of any notebook fits; the picture is
# a light card. A notebook may show several reports: the style says the same each time.
STYLE = """
.nclib-report { max-width: 60rem; color: inherit; line-height: 1.4; }
.nclib-report p, .nclib-report ul { margin: 0 0 .6em; }
.nclib-report table { border-collapse: collapse; table-layout: auto; width: 100%;
  margin: 0 0 .8em; color: inherit; background: transparent; font-size: .92em; }
.nclib-report tr, .nclib-report td, .nclib-report th { background: transparent !important;
  color: inherit; border: 0; text-align: left; white-space: normal; max-width: none; }
.nclib-report tbody th { padding: .7em .4em .2em 0; border-bottom: 1px solid; font-weight: 600; }
.nclib-report td, .nclib-report thead th { padding: .18em .8em .18em 0; vertical-align: baseline; }
.nclib-report td.value { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; font-weight: 600; }
.nclib-report thead th, .nclib-report td.limit { white-space: nowrap; }
.nclib-report td.meaning, .nclib-report thead th:last-child { width: 100%; padding-right: 0; }
.nclib-report thead th.value { text-align: right; }
.nclib-report td.name, .nclib-report code { font-family: ui-monospace, Menlo, Consolas, monospace;
  background: transparent; color: inherit; overflow-wrap: anywhere; }
.nclib-report .why { font-style: italic; }
.nclib-report img { display: block; max-width: 100%; height: auto; background: #fff;
  border-radius: 6px; padding: 6px; box-sizing: border-box; }
.nclib-report td.name { white-space: nowrap; }
@media (max-width: 640px) {
  .nclib-report thead { display: none; }
  .nclib-report table, .nclib-report tbody, .nclib-report tbody th { display: block; }
  .nclib-report tbody tr { display: grid; grid-template-columns: 1fr auto; padding: .25em 0; }
  .nclib-report td, .nclib-report td.meaning { padding: 0; width: auto; }
  .nclib-report td.name { white-space: normal; }
  .nclib-report td.meaning { grid-area: 2 / 1; font-size: .94em; padding-right: 1em; }
  .nclib-report td.limit { grid-area: 2 / 2; font-size: .94em; text-align: right; }
  .nclib-report td.limit:not(:empty)::before { content: "limit "; }
  .nclib-report tbody th { grid-column: 1 / -1; }
}
"""


def fragment(report: CollapseReport) -> str:
    """Heading, notes, picture and table; nothing is fetched from anywhere."""
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    groups = groupby(report.entries, lambda one: one.group)
    bodies = "".join(_group(report, group, list(lines)) for group, lines in groups)
    return (
        f'<div class="nclib-report"><style>{STYLE}</style>'
        f"<p><strong>{html.escape(heading(report))}</strong></p>"
        + (f"<ul>{notes}</ul>" if notes else "")
        + _picture(report)
        + "<table><thead><tr><th>name</th><th class='value'>value</th><th>at collapse</th>"
        f"<th>meaning</th></tr></thead>{bodies}</table></div>"
    )


def _group(report: CollapseReport, group: str, lines: list[Entry]) -> str:
    title = TITLES[group].format(ridge=report.ridge)
    head = f'<tr><th colspan="4" scope="rowgroup">{html.escape(title)}</th></tr>'
    return f"<tbody>{head}{''.join(map(_line, lines))}</tbody>"


def _line(one: Entry) -> str:
    why = f' <span class="why">({html.escape(one.why)})</span>' if one.why else ""
    return (
        f'<tr><td class="name">{html.escape(one.name)}</td><td class="value">{one.shown}</td>'
        f'<td class="limit">{html.escape(one.at_collapse)}</td>'
        f'<td class="meaning">{html.escape(one.meaning)}{why}</td></tr>'
    )


def _picture(report: CollapseReport) -> str:
    from ..figures.last_layer import as_png  # matplotlib

    figure = report.figure()
    width = int(96 * figure.get_figwidth())
    data = base64.b64encode(as_png(figure)).decode()
    told = html.escape(alternative(report), quote=True)
    return f'<p><img alt="{told}" width="{width}" src="data:image/png;base64,{data}"></p>'
