"""What a constant of the package holds, as a reader takes it in: a table, or a line.

Sequences and dictionaries of one dataclass become tables with its fields as columns. Where the
entries have names of their own and stand in a sequence, the names are enough: a chapter shows
them. On a narrow screen a row becomes a block, so each of its cells also carries its label.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, get_origin

import docstrings
from docutils import nodes

MANY = 8  # entries of a long constant that are shown
SLOW = {"NETWORKS"}  # its own table builds every network
PARTS = re.compile(r"(`[^`]*`|\$[^$]*\$)")


def cell(text: str) -> str:
    """A Markdown cell with code and mathematics."""
    kept = {
        "`": lambda part: f"\\ ``{part[1:-1]}``\\ ",
        "$": lambda part: f"\\ :math:`{part[1:-1]}`\\ ",
    }
    return "".join(kept[p[0]](p) if p[:1] in kept else docstrings.plain(p) for p in within(text))


def within(text: str) -> list[str]:
    return [part for part in PARTS.split(text) if part]


def table(rows: list[tuple[str, ...]], header: bool, kind: str = "") -> list[str]:
    """A list table of cells that are markup already."""
    lines = [".. list-table::", *(["   :header-rows: 1"] if header else [])]
    lines += [f"   :class: api {kind}".rstrip(), ""]
    for row in rows:
        lines += ["   * - " + row[0], *("     - " + text for text in row[1:])]
    return [*lines, ""]


def brief(value: Any) -> str:
    """A value in few words."""
    if isinstance(value, (tuple, list)):
        nested = all(isinstance(one, (tuple, list)) for one in value)
        shown = ("; " if nested else ", ").join(
            f"({brief(one)})" if isinstance(one, (tuple, list)) and not nested else brief(one)
            for one in value[:MANY]
        )
        return shown if len(value) <= MANY else f"{shown}, …"
    if isinstance(value, dict):
        return ", ".join(f"{brief(key)}: {brief(one)}" for key, one in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    if is_record(value):
        return named(value) or called(value)
    if get_origin(value) is not None:
        return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(value))
    text = str(getattr(value, "__name__", value))
    return rule(value) if text == "<lambda>" else text


def is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def named(value: Any) -> str:
    """What an entry is called, where it has a name."""
    found = getattr(value, "name", getattr(value, "id", ""))
    return found if isinstance(found, str) else ""


def columns(value: Any) -> dict[str, Any]:
    """The fields of an entry, less what can only be called."""
    told = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: one for name, one in told.items() if not callable(one)}


def called(value: Any) -> str:
    told = [f"{name}={brief(one)}" for name, one in columns(value).items()]
    return f"{type(value).__name__}({', '.join(told)})"


def rule(value: Any) -> str:
    """A function without a name, as it is written if that takes one line."""
    found = re.search(r"lambda\b.*", inspect.getsource(value).splitlines()[0])
    text = found[0].rstrip(", ") if found else ""
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return "…"
    return text or "…"


def code(value: Any) -> str:
    """A value as inline code, which must not be empty; prose and mathematics as what they are."""
    if isinstance(value, str) and ("$" in value or " " in value.strip()):
        return cell(value)
    text = brief(value).strip()
    is_long = isinstance(value, (tuple, list)) and len(value) > MANY
    return (f"{len(value)} entries: " if is_long else "") + (f"``{text}``" if text else "")


def entries(value: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The keys and the entry of each row; dictionaries within a dictionary add their keys."""
    if not isinstance(value, dict):
        return [((), one) for one in value]
    found = []
    for key, one in value.items():
        keys = key if isinstance(key, tuple) else (key,)
        deep = isinstance(one, dict) and any(is_record(inner) for inner in one.values())
        found += [(keys + inner, row) for inner, row in entries(one)] if deep else [(keys, one)]
    return found


def records(value: Any) -> list[tuple[str, ...]]:
    """A head and rows for entries of one kind, columns by their fields; nothing for others."""
    found = entries(value) if isinstance(value, (dict, tuple, list)) else []
    rows = [one for _, one in found]
    alike = len({type(one) for one in rows}) == 1
    if not alike or not (is_record(rows[0]) or isinstance(rows[0], dict)):
        return []
    if not isinstance(value, dict) and (not is_record(rows[0]) or named(rows[0])):
        return []
    told = [columns(one) if is_record(one) else one for one in rows]
    heads = list(dict.fromkeys(head for one in told for head in one))
    keys = [without_repeats(keys, told) for keys in zip(*(keys for keys, _ in found), strict=True)]
    keys = [column for column in keys if column]
    labels = [code(one[0] if len(one) == 1 else one) for one in zip(*keys, strict=True)]
    cells = [column_cells([one.get(head, "") for one in told]) for head in heads]
    body = list(zip(*cells, strict=True))
    if not labels:
        return [tuple(f"``{head}``" for head in heads), *body]
    body = [(label, *row) for label, row in zip(labels, body, strict=True)]
    return [("", *(f"``{head}``" for head in heads)), *body]


def column_cells(column: list[Any]) -> list[str]:
    """The cells of a column: prose throughout where one of them is prose."""
    is_prose = any(isinstance(one, str) and " " in one for one in column)
    return [cell(one) if is_prose and isinstance(one, str) else code(one) for one in column]


def without_repeats(keys: Iterable[Any], told: list[dict[str, Any]]) -> list[Any]:
    """One part of all keys, unless a column says the same."""
    column = list(keys)
    return [] if any([one.get(head) for one in told] == column for head in told[0]) else column


def value_rows(name: str, value: Any) -> list[str]:
    """What a constant holds, as a table or a line."""
    has_own = hasattr(value, "_repr_markdown_") and name not in SLOW
    lines = value._repr_markdown_().splitlines() if has_own else []
    if lines and lines[0].startswith("|"):
        parts = [[part.strip() for part in line.strip(" |").split(" | ")] for line in lines]
        width = len(parts[1])
        padded = [tuple(map(cell, ([""] * (width - len(row)) + row))) for row in parts]
        return table([padded[0], *padded[2:]], header=True, kind="api-rows")
    if rows := records(value):
        return table(rows, header=True, kind="api-rows")
    if is_record(value) and not named(value):
        value = columns(value)
    if isinstance(value, dict):
        return table([(code(key), code(one)) for key, one in value.items()], header=False)
    return [code(value), ""]


def label_cells(within: nodes.Element) -> None:
    """Give each cell its column's head, which a style sheet shows where rows are blocks."""
    for group in within.findall(nodes.tgroup):
        heads = [one.astext() for one in group.findall(nodes.entry)][: group["cols"]]
        if not any(group.findall(nodes.thead)):
            continue
        for row in next(group.findall(nodes.tbody)).findall(nodes.row):
            for head, one in zip(heads, row.findall(nodes.entry), strict=True):
                if not one.astext():
                    one["classes"].append("api-empty")
                elif head:
                    label = f'<span class="api-label">{html.escape(head)}</span>'
                    one.insert(0, nodes.raw("", label, format="html", classes=["api-label"]))
