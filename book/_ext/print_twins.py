"""Still pictures of what moves on a screen, for paper.

An explorer reaches a page as HTML that holds its first picture as SVG, colored by variables of its
style. The printed edition takes the drawings, gives them the colors of light mode, and puts them on
paper with their keys. What has no drawing leaves a line that says where to find it.
"""

from __future__ import annotations

import html
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ONLINE = "Interactive in the online edition."
ABSENT = "An interactive figure stands here in the online edition."
# Beside one of these, an explorer is on paper as its author drew it.
STILL = ("image/png", "image/jpeg", "application/pdf")
# These have their own form on paper; that of Plotly figures is in plotly_figures.py.
WORDS = ("text/latex", "text/markdown", "application/vnd.plotly.v1+json")
WIDTH, TITLE, KEY, GAP = 360, 26, 22, 24  # pixels of a drawing, its title, a line of keys
TAG = re.compile(r"<[^>]*>")
DRAWING = re.compile(r'<svg[^>]*role="img"')
LAYOUT = re.compile(r"(?<=[{;\s])(?:(?:max-|min-)?(?:width|height)|display|margin)\s*:[^;}]*;?")
KEYED = re.compile(r'(<svg class="nc-key".*?</svg>)(.*?)(?=<svg|</label>|</p>)', re.DOTALL)


def inside(text: str, start: int, opening: str, closing: str) -> int:
    """Where the piece that opens at ``start`` ends, however deep others lie in it."""
    depth, mark = 0, re.compile(f"{opening}|{closing}")
    for found in mark.finditer(text, start):
        depth += 1 if re.fullmatch(opening, found[0]) else -1
        if depth == 0:
            return found.end()
    raise ValueError(f"expected {closing} after {text[start : start + 40]!r}, found none")


def drawings(page: str) -> list[str]:
    """The pictures of an explorer, in order."""
    starts = [found.start() for found in DRAWING.finditer(page)]
    return [page[start : inside(page, start, "<svg", "</svg>")] for start in starts]


def plain_colors(style: str) -> str:
    """A style without variables, dark colors and the layout of a page."""
    variables: dict[str, str] = {}
    for name, value in re.findall(r"(--[\w-]+)\s*:\s*([^;}]+)", style):
        variables.setdefault(name, value.strip())
    while found := re.search(r"\bvar\(\s*(--[\w-]+)", style):
        end = inside(style, found.start() + 3, r"\(", r"\)")
        spare = style[found.end() : end - 1].strip(" ,\n")
        style = style[: found.start()] + variables.get(found[1], spare) + style[end:]
    while (start := style.find("light-dark(")) >= 0:
        end = inside(style, start + 10, r"\(", r"\)")
        depth = 0
        for place in range(start + 11, end):
            depth += {"(": 1, ")": -1}.get(style[place], 0)
            if style[place] == "," and depth == 0:
                break
        style = style[:start] + style[start + 11 : place].strip() + style[end:]
    return LAYOUT.sub("", style)


def words(markup: str) -> str:
    """The text of a piece of HTML, escaped for SVG."""
    return html.escape(html.unescape(" ".join(TAG.sub("", markup).split())))


def placed(svg: str, x: float, y: float, width: float, height: float) -> str:
    """An SVG element at a place of a larger one."""
    place = f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
    return svg.replace("<svg ", place, 1)


def twin(page: str) -> str:
    """One SVG with all pictures of an explorer, two in a row, and the keys to their lines."""
    pictures = drawings(page)
    if not pictures:
        raise ValueError("expected a picture (svg with role img) in the explorer, found none")
    parts, down, columns = [], 0.0, min(2, len(pictures))
    for first in range(0, len(pictures), columns):
        row = pictures[first : first + columns]
        heights = []
        for side, picture in enumerate(row):
            box = re.search(r'viewBox="\S+ \S+ ([\d.]+) ([\d.]+)"', picture)
            high = WIDTH * float(box[2]) / float(box[1]) if box else WIDTH
            name = re.search(r"<title[^>]*>(.*?)</title>", picture, re.DOTALL)
            across = side * (WIDTH + GAP)
            parts.append(f'<text class="nc-title" x="{across + WIDTH / 2}" y="{down + 16}">')
            parts.append(f"{words(name[1]) if name else ''}</text>")
            parts.append(placed(picture, across, down + TITLE, WIDTH, high))
            heights.append(high)
        down += TITLE + max(heights)
    across, wide = 0.0, columns * WIDTH + (columns - 1) * GAP
    for key, meaning in KEYED.findall(page):
        label = words(meaning).strip(" .,;")
        length = 38 + 6.6 * len(label) + 18
        if across and across + length > wide:
            across, down = 0.0, down + KEY
        parts.append(placed(key, across, down + 4, 30, 12))
        parts.append(f'<text x="{across + 36}" y="{down + 14}">{label}</text>')
        across += length
    down += KEY if across else 0
    root = re.search(r'<\w+ class="([\w -]+)"', page)
    style = plain_colors("".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL)))
    style += (
        "text { font: 12px sans-serif } text.nc-title { text-anchor: middle; font-weight: 600 }"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{down:g}" '
        f'viewBox="0 0 {wide} {down:g}" color="#1a1a1a"><style>{html.escape(style)}</style>'
        f'<g class="{root[1] if root else ""}"><svg>{"".join(parts)}</svg></g></svg>'
    )


def to_pdf(svg: str, path: Path) -> None:
    """Write a drawing as PDF; rsvg-convert comes with librsvg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["rsvg-convert", "--format=pdf", f"--output={path}"]
    try:
        subprocess.run(command, input=svg.encode(), check=True, capture_output=True)
    except FileNotFoundError:
        raise RuntimeError(
            "no rsvg-convert here, which draws the interactive figures for paper "
            "(on Debian and Ubuntu: apt install librsvg2-bin)"
        ) from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"rsvg-convert cannot read a figure: {error.stderr.decode()}") from None


def still(env: Any, docname: str, page: str) -> nodes.image:
    """The first picture of an explorer, as PDF beside the LaTeX."""
    svg = twin(page)
    name = f"twin-{sha256(svg.encode()).hexdigest()[:16]}.pdf"
    path = Path(env.app.outdir) / "twins" / name
    to_pdf(svg, path)
    uri = path.relative_to(env.srcdir).as_posix()
    env.images.add_file(docname, uri)
    return nodes.image(uri=uri, candidates={"*": uri}, width="100%", align="center")


def said(page: str, has_still: bool) -> str:
    """The name of an explorer, and what it says in words about the setting of its own picture."""
    title = re.search(r'aria-label="([^"]*)"', page)
    sentence = re.search(r'data-word="sentence">(.*?)</output>', page, re.DOTALL)
    told = " ".join(TAG.sub("", sentence[1]).split()) if sentence and not has_still else ""
    return html.unescape(f"{title[1]}. {told}".strip() if title else told)


def note(text: str) -> nodes.paragraph:
    """A small line under a picture."""
    opening, closing = (nodes.raw("", part, format="latex") for part in (r"\booktwin{", "}"))
    return nodes.paragraph("", "", opening, nodes.Text(text), closing)


def replace(env: Any, docname: str, bundle: nodes.Element, page: str, has_still: bool) -> None:
    """Put a still picture in the place of an explorer, and say where it moves."""
    if not has_still and not DRAWING.search(page):
        bundle.replace_self(note(ABSENT))
        return
    figure, place = bundle.parent, bundle.parent.index(bundle)
    caption = next((child for child in figure if isinstance(child, nodes.caption)), None)
    if caption is not None:
        caption += nodes.Text(f" {ONLINE}")
    else:
        figure.insert(place + 1, note(f"{said(page, has_still)} {ONLINE}".strip()))
    if not has_still:
        bundle.replace_self(still(env, docname, page))


class StandStill(SphinxPostTransform):
    """Replace the outputs that are made for a screen only, before a form is chosen for LaTeX."""

    default_priority = 3
    formats = ("latex",)

    def run(self, **kwargs: Any) -> None:
        bundles = self.document.findall(nodes.container)
        for bundle in [node for node in bundles if node.get("nb_element") == "mime_bundle"]:
            forms: list[Any] = list(bundle.children)
            kinds = {form["mime_type"]: form for form in forms}
            if "text/html" not in kinds or not kinds.keys().isdisjoint(WORDS):
                continue
            page = kinds["text/html"].astext()
            replace(self.env, self.env.docname, bundle, page, not kinds.keys().isdisjoint(STILL))
