"""What the results browser says of a choice: its numbers, the papers', and where both come from."""

from __future__ import annotations

from collections.abc import Mapping

from .choices import Choice
from .entries import SPLITS, Entry, written
from .quantities import PAPERS

__all__ = ["LOSSES", "captions", "key", "missing"]

LOSSES = {"mse": "squared error", "ce": "cross-entropy"}
COLUMNS = (
    "network", "now", "zero", "end", "paper", "paper_zero", "paper_end", "note", "command",
)  # fmt: skip
"""What is said of each loss, in the table and below it."""


def captions(choice: Choice) -> dict[str, str]:
    """All words but those in the picture, by name."""
    about, epoch = choice.about, choice.epoch
    label = about.label[0].upper() + about.label[1:]
    words = {"title": f"{label}: {choice.where}, {SPLITS[choice.split]}", "says": about.says}
    words["look"] = "" if epoch is None else f"epoch {epoch}"
    for loss in LOSSES:
        words |= {f"{loss}_{part}": text for part, text in _column(choice, loss).items()}
    told = [f"{_spoken(words[f'{loss}_now'])} with {LOSSES[loss]}" for loss in choice.groups]
    known = "; ".join(told) or "no loss is chosen"
    when = words["title"], words["look"]
    return words | {"sentence": f"{', '.join(filter(None, when))}: {known}."}


def key(lines: Mapping[str, str]) -> str:
    """What the marks beside the curves stand for: of those that are drawn."""
    marks = {
        "dotted": ("zero training error", [f"{loss}_zero" for loss in LOSSES]),
        "thin": ("the epoch of the table", ["now"]),
    }
    drawn = [
        f"{mark}: {meaning}"
        for mark, (meaning, names) in marks.items()
        if any(lines[name] for name in names)
    ]
    parts = [f"Upright, {'; '.join(drawn)}."] if drawn else []
    if any(lines[f"{loss}_read"] for loss in LOSSES):
        parts.append("Diamond: the paper's value at the end.")
    return " ".join(parts)


def missing(choice: Choice) -> str:
    """Why there is no curve."""
    groups = [group for group in choice.groups.values() if group]
    if not groups:
        return "no such cell" if choice.groups else "no loss is chosen"
    return "not measured" if choice.epochs else "not run"


def _column(choice: Choice, loss: str) -> dict[str, str]:
    """What is said of a loss: our numbers, the paper's, and where both come from."""
    said: dict[str, str] = dict.fromkeys(COLUMNS, "")
    group = choice.groups.get(loss)
    if group is None:
        return said
    if not group:
        return said | {"now": "no such cell"}
    ran, printed = choice.ran(loss), choice.printed(loss)
    said["network"] = group[0].network
    if ran:
        epoch = choice.epoch or 0
        numbers = choice.at(loss, epoch), choice.at_zero_error(loss), choice.at_end(loss)
        said |= {
            part: written(choice.quantity, x) for part, x in zip(COLUMNS[1:4], numbers, strict=True)
        }
    else:
        said |= {"now": "not run", "command": group[0].command}
    if printed:
        said["paper"] = f"{LOSSES[loss]}, the paper's"
        said["paper_zero"] = written(choice.quantity, printed.at_zero_error)
        said["paper_end"] = written(choice.quantity, printed.at_end)
    title = LOSSES[loss].capitalize()
    said["note"] = f"{title}. {_paper(choice, loss)} {_ours(choice, loss)}"
    return said


def _paper(choice: Choice, loss: str) -> str:
    """What the paper has of this quantity."""
    printed, one = choice.printed(loss), choice.groups[loss][0]
    if not one.full:
        return "The papers have no such run."
    if printed:
        return f"The paper's numbers: {printed.source}."
    figure = dict(zip(PAPERS, choice.about.figures, strict=True))[loss]
    if not figure:
        return f"{PAPERS[loss]} do not show it."
    return f"{PAPERS[loss]} show it on {SPLITS[choice.about.seen]} in {figure}, as curves."


def _ours(choice: Choice, loss: str) -> str:
    """Where our runs come from, or that there is none."""
    ran = choice.ran(loss)
    if not ran:
        return "Ours has not been run; this would do it:"
    told = [
        f"{entry.told}; zero error {_zero(entry)}, last look at {entry.epochs[-1]}."
        for entry in ran
    ]
    mean = f" The numbers are means of {len(ran)} seeds." if len(ran) > 1 else ""
    return "Ours: " + " ".join(told) + mean


def _zero(entry: Entry) -> str:
    return "never" if entry.zero is None else f"at epoch {entry.zero}"


def _spoken(text: str) -> str:
    return "not measured" if text == "–" else text
