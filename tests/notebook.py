"""A generated notebook, read as a reader of Jupyter or Colab gets it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from .chapter import code_cells
from .tree import ROOT

FENCED = re.compile(r"^(````?)\w*\n.*?\n\1$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
FORMULA = re.compile(r"\$\$.*?\$\$|(?<!\\)\$[^$]*\$", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Roles, directives, targets, placeholders and references that only the book's own tools understand.
MARKUP = re.compile(r"\{[\w:-]+\}`|:{3,}|\{code-cell\}|^\([\w-]+\)=$|\{\{|\{#|<a id=", re.MULTILINE)
MADE_UP = ("# On Colab, install", "def glue(")  # how the cells begin that no chapter has
GLUE = "from myst_nb import glue"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def markdown(notebook: NotebookNode) -> str:
    """All text of a notebook, without code that is shown in it."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    # An empty pair of ticks stays, so that a role before it is still seen.
    return INLINE.sub("``", FENCED.sub("", "\n\n".join(cells)))


def code(notebook: NotebookNode) -> list[str]:
    """The chapter's code cells as they stand in the notebook, in order."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if not cell.startswith(MADE_UP)]


def bare(cell: str) -> str:
    """A code cell without what differs between chapter and notebook: title, import, blank lines."""
    lines = [line for line in cell.splitlines() if line.strip() and line != GLUE]
    return "\n".join(line for line in lines if not line.startswith("# @title "))


def lost_cells(chapter: str, notebook: NotebookNode) -> list[str]:
    """The first lines of the chapter's cells that the notebook lacks or has elsewhere."""
    wanted, there = [bare(cell) for cell in code_cells(chapter)], [bare(c) for c in code(notebook)]
    pairs = zip(wanted, [*there, *[""] * len(wanted)], strict=False)
    faults = [want.split("\n")[0] for want, have in pairs if want != have]
    return faults + [cell.split("\n")[0] for cell in there[len(wanted) :]]


def macros() -> list[str]:
    """The names of the book's own TeX macros."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return list(config["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"])


def leaks(notebook: NotebookNode) -> list[str]:
    """Pieces of the book's own language in the text: markup, and macros in formulas."""
    text = markdown(notebook)
    found = MARKUP.findall(FORMULA.sub("", text))
    names = re.compile(rf"\\(?:{'|'.join(macros())})(?![A-Za-z])")
    return found + [name for formula in FORMULA.findall(text) for name in names.findall(formula)]


def broken_links(notebook: NotebookNode, folder: Path) -> list[str]:
    """The links that lead neither to a notebook of the folder nor to the web."""
    links = LINK.findall(FORMULA.sub("", markdown(notebook)))
    inner = [link for link in links if not link.startswith(("https://", "data:image/"))]
    return [link for link in inner if not (folder / link).is_file() or "/" in link]
