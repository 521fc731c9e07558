"""Pieces of Markdown that every program shows alike: Jupyter, Colab, and sites with notebooks."""

from __future__ import annotations

import base64
import mimetypes
import re
from pathlib import Path

ACTIVE = re.compile(r"([\\`*$~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
LIST_MARK = re.compile(r"^(\s*)(?:([-+>#=])|(\d+)([.)]))(?=\s|$)", re.MULTILINE)
LINE_MARK = re.compile(r"\n\s*(?=[-+*>=#|]|\d+[.)])")
DISPLAYED = re.compile(r"^\$\$\n(.*?)\n\$\$$", re.DOTALL | re.MULTILINE)
ENTITY = re.compile(r"&(?=#?\w+;)")  # what would be read as a sign of HTML
BREAK = "<br>"


def displayed(formula: str, number: str = "") -> str:
    """A formula in lines of its own, none of which begins with what a list would begin with."""
    tag = f" \\tag{{{number}}}" if number else ""
    return f"$$\n{LINE_MARK.sub(' ', formula)}{tag}\n$$"


def verbatim(text: str, language: str = "") -> str:
    """Text as it stands, in a fence that it does not close."""
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def escaped(text: str) -> str:
    """Text in which Markdown finds nothing to act on."""
    text = ACTIVE.sub(r"\\\1", ENTITY.sub("&amp;", text).replace("<", "&lt;"))
    text = re.sub(r"\](?=[(\[])", "&#93;", text)
    return LIST_MARK.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", text)


def around(mark: str, words: str) -> str:
    """Words between two marks, which must touch them."""
    inner = words.strip()
    return words.replace(inner, f"{mark}{inner}{mark}", 1) if inner else words


def bars_in_words(formula: str) -> str:
    """A formula without the sign that would end a table's cell."""
    words = formula.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return words.replace(" $", "$")  # a dollar after a blank would end nothing


def on_one_line(markdown: str) -> str:
    """The same with each displayed formula on a line, as it must be behind a mark."""
    return DISPLAYED.sub(lambda found: f"$$ {' '.join(found[1].split())} $$", markdown)


def quoted(markdown: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in on_one_line(markdown).splitlines())


def item(mark: str, body: str) -> str:
    """A list's item, its further lines under its first word."""
    first, *rest = on_one_line(body).splitlines() or [""]
    indented = [f"{' ' * len(mark)}{line}".rstrip() for line in rest]
    return "\n".join([mark + first, *indented])


def folded(summary: str, pieces: list[str]) -> str:
    body = on_one_line("\n\n".join(pieces))
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def embedded(path: Path) -> str:
    """A picture as an address that carries it, so that it is there wherever the notebook is."""
    if not path.is_file():
        raise ValueError(f"no picture at {path}")
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
