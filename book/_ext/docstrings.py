"""Docstrings as the package writes them, turned into markup that Sphinx reads without mishap.

They are plain text with formulas, not reStructuredText: ``|x|`` is a norm, ``W_LS`` a letter with
an index and ``*`` a product. So all of it is escaped, and what has a shape keeps it: code,
examples, formulas on lines of their own, two-column lists, "Source:" and "Chapter:".
"""

from __future__ import annotations

import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Any

KEPT = re.compile(
    r"``(?P<code>.+?)``"
    r"|(?P<role>:[a-z:]+:`[^`]+`)"
    r"|`(?P<name>[^`]+)`"
    r"|(?<![\w*])(?P<stress>\*[A-Za-z][\w ]*\*)(?![\w*])"
)
MARKUP = re.compile(r"[\\*|_`]")
LIST_MARK = re.compile(r"(?:[-+•]|\(?\w{1,3}[.)]|\.\.)(?= )")
PRINTED = (
    (re.compile(r"\b([A-Z])'(?![a-z])"), "\\1\N{PRIME}"),
    (re.compile(r"(?<= )->(?= )"), "\N{RIGHTWARDS ARROW}"),
    (re.compile(r"(?<= )>=(?= )"), "\N{GREATER-THAN OR EQUAL TO}"),
    (re.compile(r"(?<= )<=(?= )"), "\N{LESS-THAN OR EQUAL TO}"),
)
CHAPTERS = re.compile(r"(?:^|\s+)Chapters?: ([\w-]+(?:, [\w-]+)*)\.?$")
SOURCE = re.compile(r"(?:^|(?<=[.:])\s+)Source: (.+)$")
ITEM = re.compile(r"\S+(?:,? \S+)* {2,}(?=\S)")
FORMULA = re.compile(r"\S+ += ")


def plain(text: str) -> str:
    """Escape everything that reStructuredText would take as markup."""
    for typed, printed in PRINTED:
        text = typed.sub(printed, text)
    text = MARKUP.sub(r"\\\g<0>", text)
    return text[:-1] + "\\:" if text.endswith("::") else text


def sentence(text: str) -> str:
    """A line of prose: code, roles and stressed words stay, the rest is plain text."""
    parts, end = [], 0
    for found in KEPT.finditer(text):
        parts.append(plain(text[end : found.start()]))
        code = found["code"] or found["name"]
        parts.append(f"\\ ``{code}``\\ " if code else found["role"] or found["stress"])
        end = found.end()
    line = "".join(parts) + plain(text[end:])
    return "\\" + line if LIST_MARK.match(line) else line


def paragraph(lines: list[str], fields: dict[str, str]) -> list[str]:
    """Prose, less its source and chapters, which go into the fields."""
    text = " ".join(line.strip() for line in lines)
    if found := CHAPTERS.search(text):
        names = found[1].split(", ")
        fields["Chapter"] = ", ".join(f":doc:`/book/{name}`" for name in names)
        text = text[: found.start()]
    if found := SOURCE.search(text):
        fields["Source"] = sentence(found[1])
        text = text[: found.start()]
    return [sentence(text), ""] if text else []


def verbatim(lines: list[str]) -> list[str]:
    """Lines that stand as they are: formulas."""
    body = textwrap.dedent("\n".join(lines)).replace("``", "").splitlines()
    return [".. code-block:: text", "", *("   " + line for line in body), ""]


def column_of(lines: list[str]) -> int:
    """Where the second column of a two-column list begins; 0 for anything else."""
    starts = {found.end() for line in lines if (found := ITEM.match(line))}
    column = starts.pop() if len(starts) == 1 else 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        indent = len(line) - len(line.lstrip())
        is_item = indent == 0 and (bool(ITEM.match(line)) or following.startswith(" " * column))
        if len(lines) < 2 or line[column:].startswith("= ") or not (is_item or indent == column):
            return 0
    return column


def two_columns(lines: list[str], column: int) -> list[str]:
    """A two-column list as definitions."""
    items: list[tuple[str, list[str]]] = []
    for line in lines:
        if line[0] != " ":
            has_text = ITEM.match(line)
            items.append((line[:column].strip() if has_text else line, []))
            if not has_text:
                continue
        items[-1][1].append(line[column:].strip())
    told = [(f"``{name}``", " ".join(words).strip()) for name, words in items]
    return [row for name, text in told for row in (name, "   " + sentence(text))] + [""]


def block(lines: list[str], fields: dict[str, str]) -> list[str]:
    """What stands between two empty lines."""
    if lines[0].lstrip().startswith(">>>"):
        return [*lines, ""]
    bare = textwrap.dedent("\n".join(lines)).splitlines()
    if column := column_of(bare):
        return two_columns(bare, column)
    if len(lines) > 1 and all(FORMULA.match(line) for line in lines):
        return verbatim(lines)
    written: list[str] = []
    for indented, group in groupby(lines, key=lambda line: line.startswith("  ")):
        part = list(group)
        written += verbatim(part) if indented else paragraph(part, fields)
    return written


def blocks(lines: list[str]) -> Iterator[list[str]]:
    for empty, group in groupby(lines, key=lambda line: not line.strip()):
        if not empty:
            yield list(group)


def markup(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText; its source and chapters close it."""
    fields: dict[str, str] = {}
    body = [row for part in blocks(lines) for row in block(part, fields)]
    order = [name for name in ("Source", "Chapter") if name in fields]
    return [*body, *(f":{name}: {fields[name]}" for name in order), ""]


@cache
def field_notes(owner: type) -> dict[str, str]:
    """What the comments beside the fields of a class say, by field."""
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return {}
    notes, field = {}, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        declared = re.match(r"    (\w+): ", token.line)
        field = declared[1] if declared else ""
        if token.type == tokenize.COMMENT and field and token.start[1] > 4:
            notes[field] = " ".join(token.string.lstrip("#: ").split())
    return notes


def convert(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace the lines that autodoc read by what they mean."""
    lines[:] = markup([line.rstrip() for line in lines])


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", convert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
