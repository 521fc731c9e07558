"""Turn the assembled pages into a book: parts, a preface, statements, numbers as on the pages.

Sphinx assembles one tree of all pages for LaTeX. It drops the names of the parts, counts what is
in chapters without a number, and sets statements as notes. That is put right here, with the
numbers that the pages have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging, texescape

PREFACE = "About this book"
# The HTML that prose may hold, as LaTeX.
INLINE = {"<br>": r"\newline ", "<small>": r"{\footnotesize\color{bookgray} ", "</small>": "}"}
PROOF = "Proof."  # what the proof extension puts before the first word
SOURCE = "cell_code_source"
LONG = 10  # rows of a table that may break between pages
LOST = {"turning"}  # classes of HTML that stands beside its own words for paper
FIGURE = "84%"  # of a line
FULL = 92  # letters on a line of a table
COUNTERS = {"figure": "figure", "table": "table", "displaymath": "equation"}
# The environments of bookstyle.sty that statements of the proof and exercise extensions go into.
ENVIRONMENTS = {"exercise": "bookexercise", "solution": "booksolution"}

logger = logging.getLogger(__name__)


def latex(text: str) -> nodes.raw:
    """A piece of LaTeX as it stands."""
    return nodes.raw("", text, format="latex")


def escape(text: str) -> str:
    """Plain words as LaTeX."""
    return texescape.escape(text, "xelatex")


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
    cover.insert(1, [latex(r"\bookunnumbered"), preface])


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


def number(app: Any, docname: str, kind: str, ids: Iterable[str]) -> str:
    """The number that the page shows for something, or nothing."""
    numbers = app.env.toc_fignumbers.get(docname, {}).get(kind, {})
    return next((".".join(map(str, numbers[name])) for name in ids if name in numbers), "")


def page_of(node: Any, root: str) -> str:
    """The page that a node of the assembled tree comes from."""
    # A section that was read keeps its old document as the last parent, not the assembled tree.
    while node is not None:
        if isinstance(node, nodes.section) and "docname" in node:
            return node["docname"]
        node = node.parent
    return root


def fix_numbers(app: Any, tree: nodes.document) -> None:
    """Give figures, tables and equations the numbers of the pages."""
    kinds = ((nodes.figure, "figure"), (nodes.table, "table"), (nodes.math_block, "displaymath"))
    for kind, figtype in kinds:
        for node in list(tree.findall(kind)):
            docname = page_of(node, app.config.root_doc)
            if found := number(app, docname, figtype, node.get("ids", ())):
                command = latex(rf"\booknumber{{{COUNTERS[figtype]}}}{{{found}}}")
                place = node.parent.index(node)
                before = node.parent[place - 1] if place else None
                # On a line of its own it would end the paragraph that a formula belongs to.
                if isinstance(before, nodes.paragraph):
                    before += command
                else:
                    node.parent.insert(place, command)


def visible(text: str) -> int:
    """Roughly how many letters a text with formulas shows."""
    return len(re.sub(r"[{}_^$\\s]", "", re.sub(r"\\\\[A-Za-z]+", "x", text))) + text.count(" ")


def translate_html(tree: nodes.document) -> None:
    """Write the few tags that prose uses as LaTeX; say what is lost on paper."""
    for node in list(tree.findall(nodes.raw)):
        if node.get("format") != "html":
            continue
        if found := INLINE.get(node.astext()):
            node.replace_self(latex(found))
        elif not LOST.intersection(node["classes"]):
            logger.warning("HTML that has no form on paper: %s", node.astext()[:60], location=node)


def fit_figures(tree: nodes.document) -> None:
    """Set pictures that fill a page on a screen a little smaller, so that two go on a sheet."""
    for image in tree.findall(nodes.image):
        if isinstance(image.parent, nodes.figure) and image.get("width") == "100%":
            image["width"] = FIGURE


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
        widths = [max(column) + 2 for column in zip(*cells, strict=True)]
        if sum(widths) > FULL:
            table["classes"].append("colwidths-given")
            for column, width in zip(columns, widths, strict=True):
                column["colwidth"] = min(width, fair_share(widths))


def is_boxed(node: nodes.Node) -> bool:
    """Whether a node is one of those that Sphinx sets as a boxed note."""
    return isinstance(node, nodes.Admonition)


def set_statements(app: Any, tree: nodes.document) -> None:
    """Set theorems, exercises and solutions with their own headings, not as boxed notes."""
    for node in list(tree.findall(is_boxed)):
        classes = node.get("classes", ())
        kind = next((name for name in ("solution", "exercise") if name in classes), "")
        if not kind and "proof" not in classes:
            continue
        if kind or node.tagname != "admonition":
            replace_statement(app, node, kind)
        else:
            close_proof(node)


def close_proof(node: nodes.Element) -> None:
    """Begin a proof with its word in italics and end it with a square."""
    first = next(node.findall(nodes.Text), None)
    if first is not None and first.startswith(PROOF):
        rest = nodes.Text(first[len(PROOF) :])
        first.parent.replace(first, [nodes.emphasis("", PROOF), rest])
    if isinstance(node.children[-1], nodes.paragraph):
        node.children[-1] += latex(r"\bookqed")
    node.replace_self([latex(r"\begin{bookproof}"), *node.children, latex(r"\end{bookproof}")])


def replace_statement(app: Any, node: nodes.Element, kind: str) -> None:
    """Put a heading and an environment in the place of one statement."""
    docname = page_of(node, app.config.root_doc)
    title, *body = node.children
    found = number(app, docname, kind or node["countertype"], node["ids"])
    words = list(title.children)
    if not kind:
        words.insert(0, nodes.Text(f"{node['realtype'].title()} {found}"))
    labels = [f"{docname}:{node['label']}"] + [f"exercise:{node['label']}"] * (kind == "exercise")
    marks = "".join(rf"\bookmark{{{found}}}{{\detokenize{{{label}}}}}" for label in labels)
    environment = ENVIRONMENTS.get(kind, "bookstatement")
    heading = nodes.inline("", "", latex(rf"{marks}\bookheading{{"), *words, latex("}"))
    for section in [child for child in body if isinstance(child, nodes.section)]:
        place = body.index(section)
        body[place : place + 1] = section.children
    opening, closing = latex(rf"\begin{{{environment}}}"), latex(rf"\end{{{environment}}}")
    node.replace_self([opening, nodes.paragraph("", "", heading), *body, closing])


def rewrite(app: Any, tree: nodes.document, docname: str) -> None:
    """Make a book of the assembled tree."""
    drop_folded_code(tree)
    spell_raised(app, tree)
    translate_html(tree)
    fit_figures(tree)
    fix_numbers(app, tree)
    shape_tables(tree)
    set_statements(app, tree)
    name_parts(app, tree)
    write_preface(tree)
