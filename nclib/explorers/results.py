"""The results browser: any quantity of any run over its epochs, and the papers' numbers beside it.

Its axes follow what is chosen, unlike those of the other explorers.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from ..records import Row, Run
from .captions import LOSSES, captions, key, missing
from .choices import Choice, Setting
from .entries import SPLITS, Entry, entries
from .frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Frame
from .page import Explorer, Picture, explorer
from .quantities import PAPERS, QUANTITIES
from .scales import drawable, epochs_axis, grid, ticks, value_axis

__all__ = ["browser", "payload", "picture", "start"]

INKS = {"ce": "#CC3311"}  # the squared error is drawn in the color of the text
PAPER_EPOCHS = 350  # of every network of the papers
PARTS = ("", "_seeds", "_zero", "_read")  # of what is drawn of a loss
DIAMOND = 6  # pixels from its middle to a corner
ABSENT = "nc-absent"  # class of a row of the table that has nothing to say
TITLE = "The results to browse"


def browser(runs: Mapping[str, tuple[Run, Sequence[Row]] | None]) -> Explorer:
    """Choose data set, network, quantity and loss: its curve, its numbers, and the papers'.

    ``runs`` maps names of cells to what ``published`` gives: a record with its rows, or None for
    a cell that has not been run; that is then said in words, with the command that runs it.
    Cells that differ in the seed alone are drawn together, with their mean.

    Source: Han, Papyan & Donoho 2022, Figs. 2-9 and Table 1, there as still pictures.
    Chapter: reproduction.
    """
    found = entries(runs)
    if not found:
        raise ValueError("runs: expected at least one cell, got none")
    first = start(found)
    choices = {
        "dataset": {entry.place: ("", entry.title) for entry in found},
        "network": {entry.family: ("", entry.family) for entry in found},
        "quantity": {name: (one.group, one.label) for name, one in QUANTITIES.items()},
        "split": {name: ("", label) for name, label in SPLITS.items()},
    }
    markup = {f"options_{name}": _options(one, first[name]) for name, one in choices.items()}
    size = {"width": WIDTH - LEFT - RIGHT, "height": HEIGHT - TOP - BOTTOM}
    markup["area"] = " ".join(f'{k}="{v}"' for k, v in ({"x": LEFT, "y": TOP} | size).items())
    drawn = picture(found, first)
    markup |= {"ticks": _places(drawn), "look": str(first["look"])}
    # "<" is escaped: the text of a record could otherwise end the script element.
    markup["data"] = json.dumps(payload(found), separators=(",", ":")).replace("<", "\\u003c")
    return explorer("results", TITLE, (), INKS, drawn, markup=markup)


def payload(found: Iterable[Entry]) -> dict[str, object]:
    """All that the script knows, as JSON has it."""
    return {
        "size": (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM), "corner": (LEFT, TOP),
        "entries": [entry.data() for entry in found],
        "quantities": {name: one.data() for name, one in QUANTITIES.items()},
        "splits": SPLITS, "losses": LOSSES, "papers": PAPERS,
    }  # fmt: skip


def start(found: Sequence[Entry]) -> dict[str, float | bool | str]:
    """The setting in which the browser is first seen: a cell that was run, where there is one."""
    ran = [entry for entry in found if entry.epochs] or found
    first = next((entry for entry in ran if entry.family == "ResNet"), ran[0])
    return {
        "dataset": first.place, "network": first.family, "quantity": next(iter(QUANTITIES)),
        "split": "train", "mse": True, "ce": True, "look": max(len(first.epochs) // 2 - 1, 0),
    }  # fmt: skip


def picture(found: Sequence[Entry], setting: Setting) -> Picture:
    """Paths, places and words for a setting of the controls."""
    choice = Choice.of(found, setting)
    frame = _frame(choice)
    marks = ticks(frame)
    lines = _paths(choice, frame) | {name: place for name, (place, _) in marks.items()}
    words = {name: text for name, (_, text) in marks.items()}
    words |= captions(choice)
    words |= {"across": "epoch" if frame else "", "upright": frame.y.label if frame else ""}
    words["empty"] = "" if any(lines[loss] for loss in LOSSES) else missing(choice)
    for loss in LOSSES:
        lines[f"{loss}_row"] = "" if words[f"{loss}_paper"] else ABSENT
    words["key"] = key(lines)
    lines["looks"] = str(max(len(choice.epochs) - 1, 0))
    return Picture(lines, words)


# The picture --------------------------------------------------------------------------------------


def _frame(choice: Choice) -> Frame | None:
    """Axes on which all that is chosen fits; None where there is nothing to draw."""
    about = choice.about
    values, last = [], 0
    for loss in choice.groups:
        for entry in choice.ran(loss):
            values += entry.column(choice.split, choice.quantity)
            last = max(last, entry.epochs[-1])
        if printed := choice.printed(loss):
            values += [printed.at_zero_error, printed.at_end]
            last = max(last, PAPER_EPOCHS)
    log, scale = about.shape == "log", _scale(choice)
    if about.limit is not None and any(drawable(value, log=log) for value in values):
        values.append(about.limit)
    label = f"{about.formula}, %" if scale > 1 else about.formula
    axis = value_axis([scale * value for value in values], label, log=log)
    return Frame("results", epochs_axis(last), axis) if axis else None


def _scale(choice: Choice) -> int:
    return 100 if choice.about.shape == "percent" else 1


def _paths(choice: Choice, frame: Frame | None) -> dict[str, str]:
    """Every path, empty where there is nothing to draw."""
    lines = {f"{loss}{part}": "" for loss in LOSSES for part in PARTS}
    lines |= {"grid": grid(frame), "limit": "", "now": ""}
    if frame is None:
        return lines
    scale = _scale(choice)
    if choice.about.limit is not None:
        level = scale * choice.about.limit
        lines["limit"] = frame.line([(frame.x.low, level), (frame.x.high, level)])
    if choice.epoch is not None:
        lines["now"] = _upright(frame, choice.epoch)
    for loss in choice.groups:
        ran, printed = choice.ran(loss), choice.printed(loss)
        lines[loss] = _curve(frame, choice.average(loss), scale)
        if len(ran) > 1:
            each = (_curve(frame, choice.points(entry), scale) for entry in ran)
            lines[f"{loss}_seeds"] = "".join(each)
        zeros = sorted({entry.zero for entry in ran if entry.zero is not None})
        lines[f"{loss}_zero"] = "".join(_upright(frame, zero) for zero in zeros)
        if printed and drawable(printed.at_end, log=frame.y.log):
            lines[f"{loss}_read"] = _diamond(frame, PAPER_EPOCHS, scale * printed.at_end)
    return lines


def _curve(frame: Frame, points: Iterable[tuple[int, float]], scale: int) -> str:
    """A line with gaps where a number is missing or has no place; a ring around a lone point."""
    pieces = groupby(points, lambda point: drawable(point[1], log=frame.y.log))
    drawn = [[(x, scale * y) for x, y in piece] for fits, piece in pieces if fits]
    return "".join(frame.line(one) if len(one) > 1 else frame.dot(*one[0]) for one in drawn)


def _upright(frame: Frame, epoch: int) -> str:
    return frame.line([(epoch, frame.y.low), (epoch, frame.y.high)])


def _diamond(frame: Frame, x: float, y: float) -> str:
    across, down = frame.place(x, y)
    sides = f"l{DIAMOND} {DIAMOND} -{DIAMOND} {DIAMOND} -{DIAMOND} -{DIAMOND}Z"
    return f"M{across:.1f} {down - DIAMOND:.1f}{sides}"


# The markup ---------------------------------------------------------------------------------------


def _options(choices: Mapping[str, tuple[str, str]], chosen: object) -> str:
    """The options of a list, in groups where they have one."""
    parts = []
    for group, members in groupby(choices.items(), lambda item: item[1][0]):
        found = [
            f'<option value="{html.escape(value)}"{" selected" * (value == chosen)}>'
            f"{html.escape(label)}</option>"
            for value, (_, label) in members
        ]
        heading = f'<optgroup label="{html.escape(group)}">' if group else ""
        parts += [heading, *found, "</optgroup>" if group else ""]
    return "\n".join(part for part in parts if part)


def _places(drawn: Picture) -> str:
    """Where the numerals along the axes stand; a script moves them."""
    parts = []
    for name in (name for name, place in drawn.lines.items() if place.startswith("translate")):
        kind = "nc-mid" if name[0] == "x" else "nc-end"
        parts.append(
            f'<text class="{kind}" data-line="{name}" data-attribute="transform" '
            f'data-word="{name}" transform="{drawn.lines[name]}">{drawn.words[name]}</text>'
        )
    return "\n".join(parts)
