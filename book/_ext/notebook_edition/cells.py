"""The cells of a notebook: a head, the installation on Colab, then the chapter."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import nbformat
import repository
from edition import version
from nbformat import NotebookNode

from .prose import Code, Text

GLUE = "from myst_nb import glue\n"
INSTALL = """\
# On Colab, install the package of this edition. Anywhere else this cell does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "{package} @ {address}"\
"""
STAND_IN = '''\
def glue(name, value, display=False):
    """Print a number that the text quotes."""
    print(f"{name} = {value}")\
'''
NUMBERS = """

Numbers in the text are those of the edition; the cells print those of your own run.\
"""
TITLE = re.compile(r"^#+ ")
FOLDED_INPUT = {"hide-input", "hide-cell"}
FOLDED_OUTPUT = {"hide-output", "hide-cell"}
PACKAGE = "neural-collapse-mse"


def head(root: Path, book: str, chapter: str, title: str) -> str:
    """The first cell: title, edition, and where else the chapter can be read."""
    page = repository.page_address(root, chapter)
    where = f"[web page]({page})" if page else f"[repository]({repository.address(root)})"
    colab = f"[Open in Colab]({repository.colab_address(root, chapter)})"
    return f"{title}\n\n*{book}*, edition {version(root)} · {where} · {colab}"


def markdown(text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def code(source: str, **metadata: object) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def without_glue(source: str) -> str:
    """The code without the import of a function that the notebook defines itself."""
    before, line, after = source.partition(GLUE)
    alone = before.endswith("\n\n") or not before
    return before + (after.lstrip("\n") if line and alone else after)


def chapter_cell(cell: NotebookNode, figure: str) -> NotebookNode:
    """A code cell of the chapter; folded in JupyterLab and on Colab if it is folded in the book."""
    tags = cell.metadata.get("tags", [])
    metadata: dict[str, object] = {"tags": tags} if tags else {}
    hidden = {}
    source = without_glue(cell.source + "\n").rstrip("\n")
    if FOLDED_INPUT.intersection(tags):
        hidden["source_hidden"] = True
        metadata["cellView"] = "form"  # which Colab heeds where there is a title
        source = f"# @title {figure or 'Folded code'}\n{source}"
    if FOLDED_OUTPUT.intersection(tags):
        hidden["outputs_hidden"] = True
    if hidden:
        metadata["jupyter"] = hidden
    return code(source, **metadata)


def chapter_cells(pieces: Iterable[Text | Code], source: NotebookNode) -> list[NotebookNode]:
    """The chapter itself; a heading, a statement and a code cell each begin a new cell."""
    cells: list[NotebookNode] = []
    is_open = False
    for piece in pieces:
        if isinstance(piece, Code):
            cells.append(chapter_cell(source.cells[piece.index], piece.figure))
            is_open = False
        elif is_open and not piece.alone and not TITLE.match(piece.markdown):
            cells[-1].source += f"\n\n{piece.markdown}"
        else:
            cells.append(markdown(piece.markdown))
            is_open = not piece.alone
    return cells


def identify(cells: list[NotebookNode]) -> None:
    """Name every cell after what is in it, so that it keeps its name while others change."""
    seen: Counter[str] = Counter()
    for cell in cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] += 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"


def wants_gpu(source: NotebookNode) -> bool:
    """Whether a chapter offers a cell that trains on a GPU."""
    return any("cuda" in cell.source for cell in source.cells if cell.cell_type == "code")


def notebook(
    root: Path, book: str, chapter: str, pieces: list[Text | Code], source: NotebookNode
) -> NotebookNode:
    """The whole notebook of a chapter."""
    title, *rest = pieces
    if not isinstance(title, Text) or not TITLE.match(title.markdown):
        raise ValueError(f"{chapter}: does not begin with its title")
    install = INSTALL.format(package=PACKAGE, address=repository.install_address(root))
    cells = [markdown(head(root, book, chapter, title.markdown)), code(install)]
    quoting = any(GLUE in f"{cell.source}\n" for cell in source.cells if cell.cell_type == "code")
    if quoting:
        cells[0].source += NUMBERS
        cells.append(code(STAND_IN))
    cells += chapter_cells(rest, source)
    identify(cells)
    metadata: dict[str, object] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "colab": {"provenance": [], "toc_visible": True},
    }
    if wants_gpu(source):
        metadata["accelerator"] = "GPU"
    made = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(made)
    return made


def text_of(made: NotebookNode) -> str:
    """The notebook as it lies in its file."""
    return nbformat.writes(made, indent=1) + "\n"
