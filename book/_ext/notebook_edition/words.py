"""Running text of a resolved doctree as Markdown: words, formulas, links, citations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes

from .macros import Macros, expand
from .markdown import BREAK, around, embedded, escaped


@dataclass
class Words:
    """Tells what stands within a line.

    link     the address for a reference to another page, or nothing
    images   the folder in which the pictures' paths begin
    cited    the anchors of the works named so far
    """

    macros: Macros
    link: Callable[[str], str]
    images: Path
    cited: list[str] = field(default_factory=list, init=False)

    def formula(self, node: nodes.Node) -> str:
        return expand(node.astext().strip(), self.macros)

    def inline(self, node: nodes.Node) -> str:
        """The Markdown of a piece of running text and of everything in it."""
        if isinstance(node, nodes.Text):
            return escaped(node.astext())
        teller = getattr(self, f"inline_{type(node).__name__}", None)
        return teller(node) if teller else self.children(node)

    def children(self, node: nodes.Node) -> str:
        return "".join(self.inline(child) for child in node.children)

    def inline_math(self, node: nodes.math) -> str:
        return f"${' '.join(self.formula(node).split())}$"

    def inline_literal(self, node: nodes.literal) -> str:
        code = node.astext()
        return f"`` {code} ``" if "`" in code else f"`{code}`"

    def inline_emphasis(self, node: nodes.emphasis) -> str:
        return around("*", self.children(node))

    def inline_strong(self, node: nodes.strong) -> str:
        return around("**", self.children(node))

    def inline_subscript(self, node: nodes.subscript) -> str:
        return f"<sub>{self.children(node)}</sub>"

    def inline_superscript(self, node: nodes.superscript) -> str:
        return f"<sup>{self.children(node)}</sup>"

    def inline_raw(self, node: nodes.raw) -> str:
        return BREAK if BREAK in node.astext() else ""

    def inline_image(self, node: nodes.image) -> str:
        return f"![{escaped(node.get('alt', ''))}]({embedded(self.images / node['uri'])})"

    def inline_number_reference(self, node: nodes.Element) -> str:
        return self.children(node)

    def inline_reference(self, node: nodes.reference) -> str:
        words, address = self.children(node), node.get("refuri", "")
        if "#" in address and words and "bibtex-citation" in node.parent.get("classes", ()):
            self.cited.append(address.split("#")[1])
            return words
        if node.get("internal") or not address:
            address = self.link(address) if address and not address.startswith("#") else ""
        return f"[{words}]({address})" if address and words else words

    def inline_footnote_reference(self, node: nodes.footnote_reference) -> str:
        return f"<sup>{self.children(node)}</sup>"

    def inline_target(self, node: nodes.target) -> str:
        return ""

    inline_index = inline_target
