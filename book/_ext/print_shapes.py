"""What is shaped differently on paper: long and wide tables, large figures, the HTML in prose."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.util import logging, texescape

# The HTML that prose may hold, as LaTeX.
INLINE = {"<br>": r"\newline ", "<small>": r"{\footnotesize\color{bookgray} ", "</small>": "}"}
LOST = {"turning", "api-label"}  # classes of HTML that paper does without
FIGURE = "84%"  # of a line
FULL = 92  # letters on a line
MARGIN = 4  # letters between two columns
LONG = 10  # rows of a table that may break between pages
logger = logging.getLogger(__name__)


def latex(text: str) -> nodes.raw:
    """A piece of LaTeX as it stands."""
    return nodes.raw("", text, format="latex")


def escape(text: str) -> str:
    """Plain words as LaTeX."""
    return texescape.escape(text, "xelatex")


def translate_html(tree: nodes.document) -> None:
    """Write the few tags that prose uses as LaTeX; say what is lost on paper."""
    for node in list(tree.findall(nodes.raw)):
        if node.get("format") != "html":
            continue
        if found := INLINE.get(node.astext()):
            node.replace_self(latex(found))
        elif not LOST.intersection(node["classes"]):
            logger.warning("HTML that has no form on paper: %s", node.astext()[:60], location=node)


def fit_formulas(tree: nodes.document) -> None:
    """Let a formula of a program that is wider than the paper shrink to its width."""
    for block in tree.findall(nodes.math_block):
        text = block.astext().strip()
        wide = max(visible(line) for line in text.split(r"\\"))
        if wide > FULL and text.startswith(r"\begin{aligned}"):
            block.children = [nodes.Text(rf"\bookfit{{{text}}}")]


def fit_figures(tree: nodes.document) -> None:
    """Set pictures that fill a page on a screen a little smaller, so that two go on a sheet."""
    for image in tree.findall(nodes.image):
        if isinstance(image.parent, nodes.figure) and image.get("width") == "100%":
            image["width"] = FIGURE


def visible(text: str) -> int:
    """Roughly how many letters a text with formulas shows."""
    letters = re.sub(r"\\[A-Za-z]+", "x", text)
    return len(re.sub(r"[{}_^$\\]", "", letters))


def fair_share(widths: list[int]) -> int:
    """The widest that a column may be so that all of them fill a line."""
    room, share = FULL, 0
    for count, width in zip(range(len(widths), 0, -1), sorted(widths), strict=True):
        share = room // count
        room -= min(width, share)
    return share


def shape_tables(tree: nodes.document) -> None:
    """Let long tables run over pages, and share the width of a page by what the columns hold."""
    for table in tree.findall(nodes.table):
        rows = list(table.findall(nodes.row))
        columns = list(table.findall(nodes.colspec))
        cells = [[visible(entry.astext()) for entry in row] for row in rows]
        if len(rows) > LONG and not isinstance(table.parent, nodes.Admonition):
            table["classes"].append("longtable")
        if any(len(row) != len(columns) for row in cells):
            continue
        widths = [max(column) + MARGIN for column in zip(*cells, strict=True)]
        if sum(widths) > FULL:
            table["classes"].append("colwidths-given")
            for column, width in zip(columns, widths, strict=True):
                column["colwidth"] = min(width, fair_share(widths))
