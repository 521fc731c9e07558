"""A chapter's resolved doctree, told again as plain Markdown with formulas, and its code cells.

What Sphinx knows and a notebook does not is written out: numbers of theorems, equations, figures
and exercises, the names of cited papers, the values of numbers. A link leads to the notebook of
another chapter; one to a place inside a page keeps its words only, because notebooks have no such
places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from docutils import nodes

from .markdown import BREAK, around, bars_in_words, displayed, folded, item, quoted, verbatim
from .words import Words

SILENT = (nodes.comment, nodes.meta, nodes.target, nodes.substitution_definition, nodes.compound)
FORMULA = re.compile(r"(?<!\\)\$[^$]*\$")


@dataclass
class Text:
    """Markdown; where it stands alone, it gets a cell of its own."""

    markdown: str
    alone: bool = False


@dataclass
class Code:
    """A code cell, by its place in the chapter's source, and the label of its figure."""

    index: int
    figure: str = ""


@dataclass
class Prose(Words):
    """Tells a whole document.

    numbers   what Sphinx has counted: ``numbers["theorem"]["thm-..."] == (3, 1)``
    sections  the numbers of the headings by their anchors, the title under ""
    """

    numbers: dict[str, dict[str, tuple[int, ...]]]
    sections: dict[str, tuple[int, ...]]
    level: int = field(default=0, init=False)

    def blocks(self, node: nodes.Node) -> Iterator[Text | Code]:
        """The pieces that a block and everything in it come to."""
        if isinstance(node, SILENT) or type(node).__name__ in ("index", "toctree"):
            return
        name = type(node).__name__
        if teller := getattr(self, f"block_{name}", None):
            yield from teller(node)
        elif isinstance(node, nodes.Element) and node.get("realtype"):
            yield from self.statement(node)
        elif isinstance(node, nodes.Admonition):
            yield Text(quoted(self.admonition(node)))
        elif isinstance(node, nodes.TextElement | nodes.Inline):
            if words := self.inline(node).strip():
                yield Text(words)
        elif isinstance(node, nodes.Element):
            for child in node.children:
                yield from self.blocks(child)

    def body(self, node: nodes.Node, *, but: type | tuple[type, ...] = nodes.title) -> str:
        """The Markdown of all blocks in a node; a code cell cannot stand in such a place."""
        kept = [child for child in node.children if not isinstance(child, but)]
        pieces = [piece for child in kept for piece in self.blocks(child)]
        if lost := [piece.index for piece in pieces if isinstance(piece, Code)]:
            raise ValueError(f"code cells {lost} inside a {type(node).__name__}")
        return "\n\n".join(piece.markdown for piece in pieces if isinstance(piece, Text))

    def block_section(self, node: nodes.section) -> Iterator[Text | Code]:
        titled = bool(node.children) and isinstance(node.children[0], nodes.title)
        self.level += titled
        for child in node.children:
            if titled and child is node.children[0]:
                anchors = ["" if self.level == 1 else f"#{name}" for name in node["ids"]]
                found = [self.sections[name] for name in anchors if name in self.sections]
                number = ".".join(map(str, found[0])) + ". " if found else ""
                yield Text(f"{'#' * self.level} {number}{self.children(child)}", alone=False)
            else:
                yield from self.blocks(child)
        self.level -= titled

    def block_math_block(self, node: nodes.math_block) -> Iterator[Text]:
        number = self.number("displaymath", node) if node.get("label") else ""
        yield Text(displayed(self.formula(node), number))

    def block_literal_block(self, node: nodes.literal_block) -> Iterator[Text]:
        language = node.get("language", "")
        yield Text(verbatim(node.astext(), "" if language == "default" else language))

    def block_block_quote(self, node: nodes.block_quote) -> Iterator[Text]:
        yield Text(quoted(self.body(node)))

    def block_bullet_list(self, node: nodes.bullet_list) -> Iterator[Text]:
        yield Text("\n".join(item("- ", self.body(child)) for child in node.children))

    def block_enumerated_list(self, node: nodes.enumerated_list) -> Iterator[Text]:
        first = node.get("start", 1)
        items = [item(f"{first + k}. ", self.body(c)) for k, c in enumerate(node.children)]
        yield Text("\n".join(items))

    def block_definition_list(self, node: nodes.definition_list) -> Iterator[Text]:
        entries = []
        for child in node.children:
            terms = [self.children(term) for term in child.children if isinstance(term, nodes.term)]
            words = f"{around('**', ', '.join(terms))}: {self.body(child, but=nodes.term)}"
            entries.append(item("- ", words))
        yield Text("\n".join(entries))

    def block_table(self, node: nodes.table) -> Iterator[Text]:
        head, *rows = [[self.cell(entry) for entry in row] for row in node.findall(nodes.row)]
        lines = [head, ["---"] * len(head), *rows]
        yield Text("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def cell(self, entry: nodes.Node) -> str:
        """A table's cell on one line, without the sign that would end it."""
        words = BREAK.join(self.inline(child) for child in entry.children)
        words = FORMULA.sub(lambda found: bars_in_words(found[0]), words)
        return " ".join(words.replace("|", r"\|").split())

    def block_footnote(self, node: nodes.footnote) -> Iterator[Text]:
        mark = next((child.astext() for child in node if isinstance(child, nodes.label)), "")
        yield Text(f"<sup>{mark}</sup> {self.body(node, but=nodes.label)}")

    def block_figure(self, node: nodes.figure) -> Iterator[Text]:
        for image in node.findall(nodes.image):
            yield Text(self.inline_image(image))
        for caption in node.findall(nodes.caption):
            label = f"**{self.figure(node)}.** " if self.figure(node) else ""
            yield Text(label + self.children(caption).strip(), alone=True)

    def figure(self, node: nodes.Element) -> str:
        """The label of a figure, for instance "Fig. 3.1"."""
        number = self.number("figure", node)
        return f"Fig. {number}" if number else ""

    def block_container(self, node: nodes.container) -> Iterator[Text | Code]:
        if node.get("nb_element") == "cell_code":
            # What the cell has put out is left to the reader's run, but for the captions.
            figures = list(node.findall(nodes.figure))
            yield Code(node["cell_index"], self.figure(figures[0]) if figures else "")
            for figure in figures:
                for image in list(figure.findall(nodes.image)):
                    image.parent.remove(image)
                yield from self.block_figure(figure)
            return
        if "sd-card" in node["classes"]:
            yield Text(item("- ", self.body(node)))
            return
        if "sd-card-title" in node["classes"]:
            yield Text(around("**", self.children(node).strip()))
            return
        for child in node.children:
            yield from self.blocks(child)

    # Statements, exercises, boxes. ---------------------------------------------------------------

    def number(self, kind: str, node: nodes.Element) -> str:
        """The number under which a node is counted, for instance "3.1"; nothing if it is not."""
        counted = self.numbers.get(kind, {})
        found = [counted[name] for name in node["ids"] if name in counted]
        return ".".join(map(str, found[0])) if found else ""

    def title(self, node: nodes.Node) -> str:
        return next(
            (self.children(child) for child in node.children if isinstance(child, nodes.title)), ""
        )

    def statement(self, node: nodes.Element) -> Iterator[Text]:
        """A theorem or one of its kin."""
        number = self.number(node["countertype"], node)
        name = f"{node['realtype'].title()} {number}".strip()
        yield Text(f"**{name}**{self.title(node).rstrip()}.\n\n{self.body(node)}", alone=True)

    def block_proof_node(self, node: nodes.Element) -> Iterator[Text]:
        """A proof; the extension has written its first word into the text."""
        inner = [child for child in node.children if isinstance(child, nodes.Admonition)]
        body = self.body(inner[0] if inner else node).removeprefix("Proof. ")
        gap = "\n\n" if body.endswith(("$$", "```")) else " "
        yield Text(f"**Proof.** {body}{gap}$\\square$", alone=True)

    def block_exercise_enumerable_node(self, node: nodes.Element) -> Iterator[Text]:
        name = f"**Exercise {self.number('exercise', node)}**{self.title(node)}"
        yield Text(f"{name}.\n\n{self.body(node)}", alone=True)

    def block_solution_node(self, node: nodes.Element) -> Iterator[Text | Code]:
        """The text folded, in as many pieces as the code leaves; the code stays open to run."""
        title = next((child for child in node if isinstance(child, nodes.title)), nodes.title())
        summary = " ".join(re.sub(r"[*$`\\]", "", title.astext()).split())
        pieces: list[str] = []
        for child in [child for child in node.children if child is not title]:
            for piece in self.blocks(child):
                if isinstance(piece, Text):
                    pieces.append(piece.markdown)
                    continue
                if pieces:
                    yield Text(folded(summary, pieces), alone=True)
                    summary, pieces = f"{summary.removesuffix(', continued')}, continued", []
                yield piece
        if pieces:
            yield Text(folded(summary, pieces), alone=True)

    def admonition(self, node: nodes.Node) -> str:
        return f"**{self.title(node) or type(node).__name__.title()}**\n\n{self.body(node)}"

    def block_sidebar(self, node: nodes.sidebar) -> Iterator[Text]:
        yield Text(quoted(self.body(node)))
