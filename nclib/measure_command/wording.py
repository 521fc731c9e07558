"""The words of the Python interface as those of the shell: options, and names of classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..report import CollapseReport

__all__ = ["in_shell_words", "told_in_shell", "with_class_names"]

OPTIONS = (
    (r"CollapseMeter\(model, layer=(['\"])(.*?)\1\)", r"--layer \2"),
    (r"CollapseMeter\(model, covariance=(True|\.\.\.)\)", "--covariance"),
    (r"covariance=True", "--covariance"),
    (r"covariance=False", "--no-covariance"),
    (r"passes=2, or review\(\)", "--passes 2"),
    (r"meter\.report\(passes=1\)", "--passes 1"),
    (r"passes=(\d)", r"--passes \1"),
)  # fmt: skip
LISTED = re.compile(r"(?<=: )\d+(, \d+)*(?=, \.\.\.|\.)")  # the classes of a note


def in_shell_words(text: str) -> str:
    """What Python's arguments are called on the command line."""
    for python, option in OPTIONS:
        text = re.sub(python, option, text)
    return text


def told_in_shell(report: CollapseReport, classes: Sequence[str]) -> CollapseReport:
    """The same report; its reasons name options, its notes the classes where these have names."""
    found = replace(
        report,
        reasons={name: in_shell_words(why) for name, why in report.reasons.items()},
        notes=tuple(with_class_names(in_shell_words(note), classes) for note in report.notes),
    )
    missing = {name: in_shell_words(why) for name, why in report.spectrum.missing.items()}
    # Found already, and no field of the report: a second time it would cost d^3 work.
    vars(found)["spectrum"] = replace(report.spectrum, missing=missing)
    return found


def with_class_names(note: str, classes: Sequence[str]) -> str:
    """A note that lists classes by their numbers, with the name behind each."""
    if not classes or "class" not in note:
        return note

    def named(numbers: re.Match[str]) -> str:
        told = (int(number) for number in numbers[0].split(", "))
        return ", ".join(f"{n} ({classes[n]})" if n < len(classes) else str(n) for n in told)

    return LISTED.sub(named, note)
