"""Show Plotly figures on the pages, drawn by the library that lies beside them.

MyST-NB knows nothing of them: a cell's figure would be missing from the page. Here its data goes
into the page; `turning.js` fetches the library and draws when a reader comes near, and only pages
with such a figure load it. Other builders get a sentence. A chapter puts a still picture of the
same directly before the figure: for print, and for browsers that cannot draw this one.
"""

from __future__ import annotations

import html
import json
import os
from typing import Any

from docutils import nodes
from myst_nb.core.render import load_mime_renders
from sphinx import addnodes

MIME = "application/vnd.plotly.v1+json"
MARK = "turning"  # the class by which page, style and script find a figure
FIGURE = """<figure role="group" aria-label="{alt}">
<noscript><p>To turn this figure, the page needs JavaScript. {still}</p></noscript>
<script type="application/json">{data}</script>
</figure>"""
STILL = "The picture before it shows the same, standing still."
ELSEWHERE = f"The online edition has a figure here that can be turned. {STILL}"


class PlotlyFigure:
    """What MyST-NB asks of a renderer: which type of output, before which others, as what."""

    mime_priority_overrides = (("*", MIME, 1),)

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Node] | None:
        """The figure as nodes of the page; None for what is not ours."""
        if data.mime_type != MIME or inline:
            return None
        ask = renderer.renderer.get_cell_level_config
        options = ask("render_image_options", data.cell_metadata, line=data.line)
        if not (alt := options.get("alt", "")):
            words = "a Plotly figure needs an alternative text (mystnb: image: alt)"
            renderer.logger.warning(words, subtype="plotly", line=data.line)
        text = markup(data.content, alt)
        elsewhere = addnodes.only("", nodes.paragraph(text=ELSEWHERE), expr="not html")
        return [nodes.raw(text=text, format="html", classes=["output", MARK]), elsewhere]


def markup(figure: dict[str, Any], alt: str) -> str:
    """A figure as HTML; no text of its data can end or hide the end of the script around it."""
    data = json.dumps(figure, separators=(",", ":")).replace("<", "\\u003c")
    return FIGURE.format(alt=html.escape(alt), still=STILL, data=data)


def wake(app: Any, page: str, template: str, context: Any, doctree: nodes.document | None) -> None:
    """Give script and style to a page with such a figure, and to no other."""
    found = doctree.findall(nodes.raw) if doctree is not None else ()
    if any(MARK in node["classes"] for node in found):
        app.add_css_file(f"../{MARK}.css")
        app.add_js_file(f"../{MARK}.js", loading_method="defer")


def setup(app: Any) -> dict[str, bool]:
    # What an entry point of an installed package would do; the list is made once and kept.
    renderers: list[Any] = load_mime_renders()
    if PlotlyFigure not in renderers:
        renderers.append(PlotlyFigure)
    # Else a kernel's surroundings decide, and some choices put the library into every output.
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    app.connect("html-page-context", wake)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
