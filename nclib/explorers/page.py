"""What every explorer is made of: a template, the style and scripts beside it, the numbers."""

from __future__ import annotations

import html
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from string import Template
from typing import Any, Protocol

from ..palette import shade
from .frame import Frame

__all__ = ["Control", "Explorer", "Picture", "controls", "defaults", "explorer", "script", "source"]

FOLDER = Path(__file__).parent
STAND_ALONE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }}
body {{ margin: 0 auto; padding: 0.5em 1em; max-width: 60em; font-family: sans-serif }}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{fragment}
</main>
</body>
</html>
"""


class Drawn(Protocol):
    """What a twin is made from: a figure of Matplotlib, which is not imported here."""

    def savefig(self, fname: Any, *, format: str, dpi: int) -> None: ...


@dataclass(frozen=True)
class Explorer:
    """A picture with sliders, as a piece of HTML that needs nothing from anywhere else.

    A notebook shows it as it stands, and so does a page of the book. Without JavaScript it is
    the picture of its first setting. Where HTML cannot be shown, in a PDF, there is its twin, if
    it was given one.   Chapter: flow.
    """

    name: str
    title: str
    html: str = field(repr=False)
    twin: bytes | None = field(default=None, repr=False)  # a PNG

    def _repr_html_(self) -> str:
        return self.html

    def _repr_png_(self) -> bytes | None:
        return self.twin

    def with_twin(self, figure: Drawn) -> Explorer:
        """The same explorer with a figure of Matplotlib as its twin on paper.

        Close the figure afterwards, or a notebook shows it as well.
        """
        paper = io.BytesIO()
        figure.savefig(paper, format="png", dpi=200)
        return replace(self, twin=paper.getvalue())

    def save(self, path: str | Path) -> Path:
        """Write a page that holds this explorer alone, and say where."""
        page = STAND_ALONE.format(title=html.escape(self.title), fragment=self.html)
        path = Path(path)
        path.write_text(page, encoding="utf-8")
        return path


@dataclass(frozen=True)
class Control:
    """One control of a template: where it starts; for a slider, its ends and its step as well."""

    value: float | bool | str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0


@dataclass(frozen=True)
class Picture:
    """What a setting changes: the paths by name (``d`` of SVG) and the words by name."""

    lines: Mapping[str, str]
    words: Mapping[str, str]


def source(name: str) -> str:
    """The text of a template, style or script that lies beside this file."""
    return (FOLDER / name).read_text(encoding="utf-8")


def controls(name: str) -> dict[str, Control]:
    """The controls of an explorer's template, by name: the template alone says where it starts."""
    reader = _Reader()
    reader.feed(source(f"{name}.html"))
    return reader.found


def defaults(name: str) -> dict[str, float | bool | str]:
    """The setting in which an explorer is first seen."""
    return {key: control.value for key, control in controls(name).items()}


def script(name: str) -> str:
    """Mathematics, drawing and view of an explorer as one strict script without globals."""
    parts = "\n".join(source(part) for part in (f"{name}.js", "draw.js", f"{name}_view.js"))
    return f'(() => {{\n"use strict";\n{parts}\n}})();'


def explorer(
    name: str,
    title: str,
    frames: Iterable[Frame],
    colors: Mapping[str, str],
    picture: Picture,
    *,
    data: Mapping[str, object] | None = None,
    markup: Mapping[str, str] | None = None,
) -> Explorer:
    """Fill an explorer's template with its first picture, its style and its script.

    ``data``, numbers only, reach the script beside the frames; ``markup`` is put into the template
    as it is.
    """
    frames = tuple(frames)
    values = {f"line_{key}": path for key, path in picture.lines.items()}
    values |= {f"word_{key}": html.escape(words) for key, words in picture.words.items()}
    for frame in frames:
        values |= {f"{frame.name}_frame": frame.markup(), f"{frame.name}_area": frame.area()}
    values |= {"title": html.escape(title), "style": _style(colors), "script": script(name)}
    numbers = {frame.name: frame.data() for frame in frames} | dict(data or {})
    values["data"] = json.dumps(numbers, separators=(",", ":"))
    values |= markup or {}
    return Explorer(name, title, Template(source(f"{name}.html")).substitute(values))


def _style(colors: Mapping[str, str]) -> str:
    """The explorers' style, and the colors of one: as they are on white, lighter on black."""
    pairs = [
        f"--nc-{key}: light-dark({color}, {shade(color, 2)});" for key, color in colors.items()
    ]
    return source("explorer.css") + f".nc-explorer {{ {' '.join(pairs)} }}"


class _Reader(HTMLParser):
    """Collects the controls of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Control] = {}
        self.choice = ""  # the name of the select element that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "select":
            self.choice = values["name"]
        elif tag == "option" and "selected" in values:
            self.found[self.choice] = Control(values["value"])
        elif tag == "input" and values["type"] == "checkbox":
            self.found[values["name"]] = Control("checked" in values)
        elif tag == "input":
            ends = (float(values[key]) for key in ("value", "min", "max", "step"))
            self.found[values["name"]] = Control(*ends)
