"""Turn the assembled pages into a book: parts, a preface, statements, numbers as on the pages.

Sphinx assembles one tree of all pages for LaTeX. It drops the names of the parts, counts what is
in chapters without a number, and sets statements as notes. That is put right here, with the
numbers that the pages have.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from print_shapes import escape, fit_figures, fit_formulas, latex, shape_tables, translate_html
from print_statements import fix_numbers, set_statements
from sphinx import addnodes
from sphinx.builders.latex.nodes import thebibliography

PREFACE = "About this book"
PAPER = (
    "On paper, code that only draws is left out, solutions stand below their exercises, and "
    "figures that move stand still. The reference of the package is in the online edition."
)
ONLINE = "book/api"  # how the names of the pages begin that are not printed
DOORS = "doors"  # the class of the cover's cards
SOURCE = "cell_code_source"


def toctrees(app: Any) -> list[addnodes.toctree]:
    """The parts of the book as the table of contents names them."""
    return list(app.env.get_doctree(app.config.root_doc).findall(addnodes.toctree))


def name_parts(app: Any, tree: nodes.document) -> None:
    """Open each part with its name, and number the chapters of the numbered ones only."""
    parts = {toctree["includefiles"][0]: toctree for toctree in toctrees(app)}
    for start in list(tree.findall(addnodes.start_of_file)):
        if part := parts.get(start["docname"]):
            switch = r"\booknumbered" if part.get("numbered") else r"\bookunnumbered"
            opening = rf"{switch}\bookpart{{{escape(part['caption'])}}}"
            start.parent.insert(start.parent.index(start), latex(opening))


def write_preface(tree: nodes.document) -> None:
    """Make the text of the cover a chapter without a number, before the first part."""
    cover = next(tree.findall(nodes.section))
    text = [node for node in cover.children[1:] if not any(node.findall(addnodes.start_of_file))]
    for node in text:
        cover.remove(node)
    preface = nodes.section("", nodes.title("", PREFACE), *text, ids=["preface"])
    preface += nodes.paragraph("", PAPER)
    cover.insert(1, [latex(r"\bookunnumbered"), preface])


def leave_online(tree: nodes.document) -> None:
    """Leave out cards that only link, and the pages that nobody reads on paper; unlink those."""
    for cards in [node for node in tree.findall(nodes.container) if DOORS in node["classes"]]:
        cards.parent.remove(cards)
    for start in list(tree.findall(addnodes.start_of_file)):
        if start["docname"].startswith(ONLINE):
            start.parent.remove(start)
    for link in list(tree.findall(nodes.reference)):
        if link.get("refuri", "").startswith(f"%{ONLINE}"):
            link.replace_self(link.children)


def return_literature(tree: nodes.document) -> None:
    """Put the literature back on its page: Sphinx moves it behind everything else."""
    for literature in list(tree.findall(thebibliography)):
        home = next(literature.findall(nodes.citation))["docname"]
        sections = tree.findall(nodes.section)
        page = next(node for node in sections if node.get("docname") == home)
        literature.parent.remove(literature)
        page.append(literature)


def drop_folded_code(tree: nodes.document) -> None:
    """Leave out the code that is folded on the pages, and cells that then show nothing."""
    for cell in list(tree.findall(nodes.container)):
        if cell.get("nb_element") != "cell_code" or "input" not in cell.get("hide_mode", ""):
            continue
        children: list[Any] = list(cell.children)
        for source in [child for child in children if child.get("nb_element") == SOURCE]:
            cell.remove(source)
        if not cell.children:
            cell.parent.remove(cell)


def spell_raised(app: Any, tree: nodes.document) -> None:
    """Write out a macro that raises something where it follows a prime.

    A prime looks for a superscript behind it, and LaTeX does not look into macros, MathJax does.
    """
    macros = app.config.mathjax3_config["tex"]["macros"]
    raised = {name: text for name, text in macros.items() if str(text).startswith("^")}
    follows = re.compile(rf"'\s*\\({'|'.join(raised)})(?![A-Za-z])")
    for node in [*tree.findall(nodes.math), *tree.findall(nodes.math_block)]:
        text = follows.sub(lambda found: "'" + raised[found[1]], node.astext())
        node.children = [nodes.Text(text)]


def rewrite(app: Any, tree: nodes.document, docname: str) -> None:
    """Make a book of the assembled tree."""
    drop_folded_code(tree)
    spell_raised(app, tree)
    translate_html(tree)
    fit_formulas(tree)
    fit_figures(tree)
    fix_numbers(app, tree)
    shape_tables(tree)
    set_statements(app, tree)
    name_parts(app, tree)
    leave_online(tree)
    return_literature(tree)
    write_preface(tree)
