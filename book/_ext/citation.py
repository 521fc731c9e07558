"""How to cite this edition, as BibTeX: the fields of CITATION.cff, the version and date of today.

```{bibtex-entry}
```
stands on the page where the entry is wanted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from edition import date, version
from repository import address
from sphinx.util.docutils import SphinxDirective

SOURCE = "CITATION.cff"
KEPT = re.compile(r"\b(MSE)\b")  # BibTeX styles would write these in lower case


def bibtex(root: Path) -> str:
    """The entry of this edition."""
    fields = yaml.safe_load((root / SOURCE).read_text(encoding="utf-8"))
    entry = {
        "title": KEPT.sub(r"{\1}", fields["title"]),
        "author": " and ".join(author(one) for one in fields["authors"]),
        "year": str(fields.get("date-released", date()))[:4],
        "version": version(root),
        "url": address(root),
    }
    if doi := fields.get("doi"):
        entry["doi"] = doi
    width = max(map(len, entry))
    lines = [f"  {name:<{width}} = {{{value}}}," for name, value in entry.items()]
    key = re.sub(r"\W", "", address(root).rsplit("/", 1)[-1])
    return "\n".join([f"@software{{{key},", *lines, "}"])


def author(fields: dict[str, str]) -> str:
    """A person as "Family, Given"; a group in braces, so that it is not taken apart."""
    if "family-names" in fields:
        return f"{fields['family-names']}, {fields['given-names']}"
    return f"{{{fields['name']}}}"


class BibtexEntry(SphinxDirective):
    """A code block with the entry."""

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        for name in (SOURCE, "pyproject.toml"):
            self.env.note_dependency(str(root / name))
        text = bibtex(root)
        return [nodes.literal_block(text, text, language="bibtex")]


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("bibtex-entry", BibtexEntry)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
