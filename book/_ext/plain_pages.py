"""Last repairs of the pages, each for a fault of one of the extensions that make them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

FRONT_DOOR = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={page}">
<link rel="canonical" href="{page}">
<title>{title}</title>
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""
# The theorem and exercise extensions give every box of a page the same inner name.
SHARED_NAMES = {"proof", "proof-content", "exercise-content", "solution-content"}
# What to look for in a written page, and what to put there instead.
REPAIRS = (
    # Browsers refuse to preload fonts from file://, with six errors on the console of every page.
    (re.compile(r'<link rel="preload" as="font"[^>]*>\s*'), ""),
    # The style and font draw the same icons without a script of a megabyte and a half.
    (re.compile(r'<script src="[^"]*/fontawesome/[^"]*/js/all\.min\.js[^"]*"></script>\s*'), ""),
    # Folded code is labelled differently from what its summary shows: speech cannot name it.
    (re.compile(r' aria-label="Toggle hidden content"'), ""),
    # A table that scrolls on a phone must scroll with the keyboard, too.
    (
        re.compile(r'(<div class="pst-scrollable-table-container")>'),
        r'\1 tabindex="0" role="group" aria-label="Table">',
    ),
    # The bibliography calls itself a list, whose entries are then no list items.
    (re.compile(r'<div role="list" (class="citation-list")>'), r"<div \1>"),
    (re.compile(r' role="doc-biblioentry"'), ""),
    # Search shows a piece of each page it finds, which browsers refuse to read from file://.
    (
        re.compile(r'(<script src="[^"]*searchtools\.js[^>]*></script>)'),
        r'\1<script>if (location.protocol === "file:") '
        r"DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;</script>",
    ),
)


def open_front_door(app: Any, exception: Exception | None) -> None:
    """Write index.html at the top, which leads to the cover; the cover itself lies in book/."""
    if exception is not None or app.builder.name != "html":
        return
    page = app.builder.get_target_uri(app.config.root_doc)
    text = FRONT_DOOR.format(page=page, title=app.config.project)
    (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")


def drop_shared_names(app: Any, doctree: nodes.document, docname: str) -> None:
    """Remove the repeated ids, so that an id names one element of its page."""
    for node in doctree.findall(nodes.Element):
        if SHARED_NAMES.intersection(node.get("ids", ())):
            node["ids"] = [name for name in node["ids"] if name not in SHARED_NAMES]


def repair_pages(app: Any, exception: Exception | None) -> None:
    """Apply the repairs to every written page."""
    if exception is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        repaired = page
        for fault, remedy in REPAIRS:
            repaired = fault.sub(remedy, repaired)
        if repaired != page:
            path.write_text(repaired, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-resolved", drop_shared_names)
    app.connect("build-finished", open_front_door)
    app.connect("build-finished", repair_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
