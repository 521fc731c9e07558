"""Names of the package in the code of a chapter, linked to where they are described.

A name counts if the page has imported it: from then on, until something else is bound to it. The
links go into the finished HTML of a cell, around whole tokens, so that its text stays as it was.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

PACKAGE = "nclib"
CELL = re.compile(
    r'(<div class="highlight-(?:ipython3|python) notranslate"><div class="highlight"><pre>)'
    r"(.*?)(</pre>)",
    re.DOTALL,
)
TOKEN = re.compile(r"<span[^>]*>[^<]*</span>|[^<]+")
TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Mention:
    """Where a name of the package stands in a cell, in characters, and what it names."""

    start: int
    end: int
    name: str


class Reader(ast.NodeVisitor):
    """Goes through the cells of a page in order and notes every mention."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self.is_known = is_known
        self.bound: dict[str, str] = {}  # what the page has imported, by its name there
        self.mentions: list[Mention] = []
        self.text = ""
        self.lines: list[str] = []

    def read(self, text: str) -> list[Mention]:
        """The mentions in one more cell; none where it is no plain Python."""
        self.text, self.lines, self.mentions = text, text.splitlines(keepends=True), []
        try:
            self.visit(ast.parse(text))
        except SyntaxError:
            return []
        return sorted(self.mentions, key=lambda one: one.start)

    def offset(self, line: int, column: int) -> int:
        """Characters before a place, which Python gives in bytes of its line."""
        before = sum(len(one) for one in self.lines[: line - 1])
        return before + len(self.lines[line - 1].encode()[:column].decode())

    def note(self, start: int, words: str, name: str) -> None:
        if self.is_known(name):
            self.mentions.append(Mention(start, start + len(words), name))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.note(self.offset(alias.lineno, alias.col_offset), alias.name, alias.name)
            root = alias.name.split(".")[0]
            self.bound.pop(alias.asname or root, None)
            if root == PACKAGE:
                self.bound[alias.asname or root] = alias.name if alias.asname else root

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        ours = module.split(".")[0] == PACKAGE
        if ours:
            self.note(self.offset(node.lineno, node.col_offset) + len("from "), module, module)
        for alias in node.names:
            self.bound.pop(alias.asname or alias.name, None)
            if ours:
                name = f"{module}.{alias.name}"
                self.bound[alias.asname or alias.name] = name
                self.note(self.offset(alias.lineno, alias.col_offset), alias.name, name)

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bound.pop(node.id, None)
        elif node.id in self.bound:
            start = self.offset(node.lineno, node.col_offset)
            self.note(start, node.id, self.bound[node.id])

    def visit_arg(self, node: ast.arg) -> None:
        self.bound.pop(node.arg, None)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        written = ast.unparse(node)
        root, _, rest = written.partition(".")
        start = self.offset(node.lineno, node.col_offset)
        name = f"{self.bound.get(root, '')}.{rest}"
        if self.is_known(name) and self.text.startswith(written, start):
            self.note(start, written, name)
        else:
            self.visit(node.value)


def linked(code: str, mentions: list[Mention], href: Callable[[str], str]) -> str:
    """Highlighted code with a link around the tokens of each mention.

    A name that a cell repeats stays out of the tab order: its first mention is enough there.
    """
    pieces, position, seen = [], 0, set[str]()
    tokens = [token[0] for token in TOKEN.finditer(code.replace("<span></span>", ""))]
    widths = [len(html.unescape(TAG.sub("", token))) for token in tokens]
    edges = set(accumulate(widths, initial=0))
    starts = {one.start: one for one in mentions if {one.start, one.end} <= edges}
    inside: Mention | None = None
    for token, width in zip(tokens, widths, strict=True):
        if inside is None and position in starts:
            inside = starts[position]
            order = ' tabindex="-1"' if inside.name in seen else ""
            seen.add(inside.name)
            address = html.escape(href(inside.name))
            pieces.append(f'<a class="api-link" href="{address}" title="{inside.name}"{order}>')
        pieces.append(token)
        position += width
        if inside is not None and position == inside.end:
            pieces.append("</a>")
            inside = None
    return "<span></span>" + "".join(pieces)


def link_cells(body: str, is_known: Callable[[str], bool], href: Callable[[str], str]) -> str:
    """A page with its code linked."""
    reader = Reader(is_known)

    def link(cell: re.Match[str]) -> str:
        mentions = reader.read(html.unescape(TAG.sub("", cell[2])))
        return cell[1] + linked(cell[2], mentions, href) + cell[3] if mentions else cell[0]

    return CELL.sub(link, body)


def link_page(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Link the code of a page that Sphinx is about to write."""
    objects = app.env.get_domain("py").objects
    if "body" not in context or app.builder.format != "html":
        return

    def href(name: str) -> str:
        entry = objects[name]
        return app.builder.get_relative_uri(page, entry.docname) + "#" + entry.node_id

    context["body"] = link_cells(context["body"], objects.__contains__, href)


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", link_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
