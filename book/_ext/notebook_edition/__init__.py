"""The book as notebooks, for Colab and Jupyter: one for each chapter with code cells.

macros    the book's TeX letters, written out
prose     a chapter's text as plain Markdown
numbers   the numbers that the text quotes, without running anything
cells     the cells of a notebook
builder   the Sphinx builder that puts them together
rehearsal every notebook, run where only the built package is installed

    python -m notebook_edition             take the numbers from the built book, write notebooks/
    python -m notebook_edition --check     compare notebooks/ with what the chapters give now
"""

from __future__ import annotations

from typing import Any

from .builder import NotebookBuilder, stand_in


def setup(app: Any) -> dict[str, bool]:
    app.add_builder(NotebookBuilder)
    # Before MyST-NB reads the configuration.
    app.connect("builder-inited", stand_in, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
