"""The Sphinx builder that writes one notebook for each chapter with code cells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import repository
from docutils import nodes
from nbformat import NotebookNode
from sphinx.builders import Builder

from . import numbers
from .cells import notebook, text_of
from .prose import Code, Prose, Text

NAME = "notebooks"
BIBLIOGRAPHY = "references"


class NotebookBuilder(Builder):
    """Reads the book as any builder does, from a cache of runs that hold its numbers only."""

    name = NAME
    format = "notebook"
    epilog = "The notebooks are in %(outdir)s."
    supported_image_types = ["image/svg+xml", "image/png", "image/jpeg", "image/gif"]
    allow_parallel = False

    def init(self) -> None:
        self.root = Path(self.app.srcdir)
        self.sources: dict[str, NotebookNode] = dict(numbers.sources(self.root))

    def get_outdated_docs(self) -> set[str]:
        return self.env.found_docs

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return f"{PurePosixPath(docname).name}.ipynb"

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        # A page in its own text is "", as other builders have it.
        return "" if from_ == to else self.get_target_uri(to, typ)

    def prepare_writing(self, docnames: set[str]) -> None:
        # The works in the bibliography, by their anchors.
        self.entries: dict[str, nodes.Element] = {}
        for docname in sorted(self.env.found_docs):
            if PurePosixPath(docname).name == BIBLIOGRAPHY:
                tree = self.env.get_and_resolve_doctree(docname, self)
                # Copies: resolving the page again, to write it, would add to these very nodes.
                self.entries = {
                    name: entry.deepcopy()
                    for entry in tree.findall(nodes.citation)
                    for name in entry["ids"]
                }

    def link(self, address: str) -> str:
        """Where a reference to another page leads: its notebook, or else its page on the web."""
        chapter = address.split("#")[0].removesuffix(".ipynb")
        if chapter in self.sources:
            return f"{chapter}.ipynb"
        return repository.page_address(self.root, chapter)

    def write_doc(self, docname: str, doctree: nodes.document) -> None:
        chapter = PurePosixPath(docname).name
        if chapter not in self.sources:
            return
        prose = Prose(
            macros=self.config.mathjax3_config["tex"]["macros"],
            numbers=self.env.toc_fignumbers.get(docname, {}),
            sections=self.env.toc_secnumbers.get(docname, {}),
            link=self.link,
            images=self.root,
        )
        pieces = [piece for child in doctree.children for piece in prose.blocks(child)]
        pieces += self.references(prose)
        made = notebook(self.root, self.config.project, chapter, pieces, self.sources[chapter])
        (Path(self.outdir) / f"{chapter}.ipynb").write_text(text_of(made), encoding="utf-8")

    def references(self, prose: Prose) -> Iterator[Text | Code]:
        """The works that a chapter cites, in the order of the bibliography."""
        cited = [entry for name, entry in self.entries.items() if name in set(prose.cited)]
        if cited:
            lines = [f"- {prose.body(entry, but=nodes.label)}" for entry in cited]
            yield Text("## References")
            yield Text("\n".join(" ".join(line.split()) for line in lines))


def stand_in(app: Any) -> None:
    """Let the build take its runs from a cache that is made for it."""
    if app.builder.name == NAME:
        root, folder = Path(app.srcdir), Path(app.outdir).parent / "runs"
        numbers.stand_in(root, numbers.read(root / repository.NOTEBOOKS), folder)
        app.config.nb_execution_cache_path = str(folder)
        app.config.nb_mime_priority_overrides = [(NAME, "image/png", 10)]
