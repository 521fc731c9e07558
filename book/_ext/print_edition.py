"""The printed edition: one PDF of the whole book through LaTeX, from the same pages.

The macros of the formulas come from `mathjax3_config`, the one place where they stand. What only
moves on a screen is replaced by a picture, see print_twins.py; the order of a book is made in
print_tree.py, its look in book/_latex.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import edition
import print_shapes
import print_tree
import print_twins

STYLES = ("bookfonts", "bookstyle")
NAME = "neural-collapse-mse"
COVER = r"""
\begin{titlepage}
\hypersetup{pageanchor=false, pdftitle={%(title)s}, pdfauthor={%(author)s}}
\null\vfill
{\bfseries\fontsize{28}{34}\selectfont\raggedright %(title)s\par}
\vspace{1.2em}{\Large\itshape An executable paper\par}
\vspace{1.6em}{\color{bookaccent}\rule{4em}{2pt}}
\par\vspace{1.6em}{\large %(author)s\par}
\vfill\vfill
{\color{bookgray}%(edition)s\par}
\end{titlepage}
\hypersetup{pageanchor=true}
"""


def macros(config: Mapping[str, Any]) -> dict[str, str]:
    """Every macro of the pages as a LaTeX definition, by name."""
    written = {}
    for name, meaning in config["tex"]["macros"].items():
        body, count = (meaning, 0) if isinstance(meaning, str) else meaning
        arguments = f"[{count}]" if count else ""
        # Packages own some of these names, and unicode-math takes its own at the very last.
        written[name] = (
            rf"\providecommand{{\{name}}}{{}}\renewcommand{{\{name}}}{arguments}{{{body}}}"
        )
    return written


def edition_line(root: Path) -> str:
    """Version, commit and date, as at the foot of the pages."""
    parts = [f"Edition {edition.version(root)}"]
    if name := edition.commit(root):
        parts.append(f"commit {name}")
    return ", ".join([*parts, f"built {edition.date()}"])


def configure(app: Any, config: Any) -> None:
    """Tell the LaTeX builder what this book is and how it looks."""
    root = Path(app.srcdir)
    words = {"title": config.project, "author": config.author, "edition": edition_line(root)}
    words = {key: print_shapes.escape(value) for key, value in words.items()}
    target = f"{NAME}-{edition.version(root)}.tex"
    config.latex_engine = "xelatex"
    config.latex_documents = [(config.root_doc, target, words["title"], words["author"], "manual")]
    config.latex_additional_files = [f"book/_latex/{name}.sty" for name in STYLES]
    config.latex_domain_indices = False
    config.latex_use_xindy = False  # a program more; makeindex comes with LaTeX
    definitions = "\n".join(macros(config.mathjax3_config).values())
    config.latex_elements = {
        "papersize": "a4paper",
        "pointsize": "11pt",
        "extraclassoptions": "openany,oneside",
        "fontpkg": r"\usepackage{bookfonts}",
        "fncychap": "",
        "geometry": r"\usepackage[margin=2.5cm]{geometry}",
        "preamble": rf"\usepackage{{bookstyle}}\AfterEndPreamble{{{definitions}}}",
        "maketitle": COVER % words,
        "tableofcontents": r"{\hypersetup{hidelinks}\sphinxtableofcontents}",
        "figure_align": "htbp",
    }


def prepare(app: Any) -> None:
    """Rewrite the tree where the book is printed."""
    if app.builder.name == "latex":
        app.connect("doctree-resolved", print_tree.rewrite)


def setup(app: Any) -> dict[str, bool]:
    # Jupyter Book sets the LaTeX documents itself, after its own extensions have been read.
    app.connect("config-inited", configure, priority=900)
    app.connect("builder-inited", prepare)
    app.add_post_transform(print_twins.StandStill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
