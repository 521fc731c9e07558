"""Statements with headings of their own, and every number as the pages have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docutils import nodes
from print_shapes import latex

PROOF = "Proof."  # what the proof extension puts before the first word
COUNTERS = {"figure": "figure", "table": "table", "displaymath": "equation"}
# The environments of bookstyle.sty that exercises go into; all other statements share one.
ENVIRONMENTS = {"exercise": "bookexercise", "solution": "booksolution"}


def page_of(node: Any, root: str) -> str:
    """The page that a node of the assembled tree comes from."""
    # A section that was read keeps its old document as the last parent, not the assembled tree.
    while node is not None:
        if isinstance(node, nodes.section) and "docname" in node:
            return node["docname"]
        node = node.parent
    return root


def number(app: Any, docname: str, kind: str, ids: Iterable[str]) -> str:
    """The number that the page shows for something, or nothing."""
    numbers = app.env.toc_fignumbers.get(docname, {}).get(kind, {})
    return next((".".join(map(str, numbers[name])) for name in ids if name in numbers), "")


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


def is_boxed(node: nodes.Node) -> bool:
    """Whether a node is one of those that Sphinx sets as a boxed note."""
    return isinstance(node, nodes.Admonition)


def set_statements(app: Any, tree: nodes.document) -> None:
    """Set theorems, exercises and solutions with their own headings, not as boxed notes."""
    boxes: list[Any] = list(tree.findall(is_boxed))
    for node in boxes:
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
