"""What the paper says about its Figures 2 to 9, held against runs: a yes or no for each run.

The words of the paper, such as "negligible", are replaced by tests that were fixed before any
full-size run was made. A question that a run cannot answer has the answer None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .records import Row
from .reported import TERMINAL_ACCURACY
from .series import Series

__all__ = ["RIDGES", "TESTS", "Question", "after_zero_error", "falls_of", "terminal_epoch"]

NEGLIGIBLE = 0.1  # of L_NC1
DOWN = 0.5  # of the first value
RIDGES = ("consistent", "notebook")
"""The two readings of weight decay that a run is judged under."""


def terminal_epoch(rows: Sequence[Row]) -> int | None:
    """The first measured epoch with zero training error as the papers understand it.

    That is a training accuracy of at least TERMINAL_ACCURACY, 99.9 %; None where it never comes.

    Source: Papyan, Han & Donoho 2020.   Chapter: reproduction.
    """
    fitted = (r.epoch for r in rows if r.split == "train" and r.accuracy >= TERMINAL_ACCURACY)
    return min(fitted, default=None)


@dataclass(frozen=True)
class Question:
    """A statement as a question to the rows of one run: the test in words, and the test.

    ``ask(rows, ridge)`` is None where it does not apply. ``by_ridge`` says whether the answer
    depends on the reading of the ridge.   Chapter: reproduction.
    """

    test: str
    ask: Callable[[Sequence[Row], str], bool | None]
    by_ridge: bool = False


def after_zero_error(rows: Sequence[Row]) -> list[Row]:
    """The looks at the training images from zero error on."""
    zero = terminal_epoch(rows)
    return [r for r in rows if r.split == "train" and zero is not None and r.epoch >= zero]


def _throughout(holds: Callable[[dict[str, float]], bool]) -> Callable[..., bool | None]:
    """The same question to the terms at every look from zero error on."""

    def ask(rows: Sequence[Row], ridge: str) -> bool | None:
        late = after_zero_error(rows)
        return all(holds(row.terms[ridge]) for row in late) if late else None

    return ask


def falls_of(rows: Sequence[Row], ridge: str) -> dict[str, float]:
    """By how much each term falls, from the first look to the last."""
    terms = Series.of(rows, "train").terms(ridge)
    return {name: terms[name][0] / terms[name][-1] for name in ("nc1", "nc23", "perp")}


def _fastest(rows: Sequence[Row], ridge: str) -> bool:
    falls = falls_of(rows, ridge)
    return falls["nc23"] > max(falls["nc1"], falls["perp"])


def _down(*names: str) -> Question:
    def ask(rows: Sequence[Row], ridge: str) -> bool:
        columns = Series.of(rows, "train").metrics(names).values()
        return all(column[-1] < DOWN * column[0] for column in columns)

    both = ", class means and classifier" if len(names) > 1 else ""
    return Question(f"ends below half of its first value{both}", ask)


def _pair(name: str) -> Question:
    return _down(f"{name}_means", f"{name}_classifier")


def _nearest(rows: Sequence[Row], ridge: str) -> bool:
    column = Series.of(rows, "test").mismatch
    return column[-1] < DOWN * column[0]


def _sturdier(rows: Sequence[Row], ridge: str) -> bool | None:
    zero = terminal_epoch(rows) or math.inf
    seen = [r.robustness for r in rows if r.split == "test" and r.epoch >= zero]
    seen = [value for value in seen if not math.isnan(value)]
    return seen[-1] > seen[0] if len(seen) > 1 else None


TESTS: dict[str, Question] = {
    "perp": Question("below a tenth of L_NC1 at every look from zero error on",
                     _throughout(lambda t: t["perp"] < NEGLIGIBLE * t["nc1"]), by_ridge=True),
    "nc1": Question("the largest of the three at every look from zero error on",
                    _throughout(lambda t: t["nc1"] > max(t["nc23"], t["perp"])), by_ridge=True),
    "nc23": Question("falls by a larger factor than the two others, first look to last",
                     _fastest, by_ridge=True),
    "norms": _pair("norm_spread"),
    "angles": _pair("cosine_spread"),
    "simplex": _pair("angle_to_simplex"),
    "duality": _down("duality_gap"),
    "variability": _down("relative_variability"),
    "nearest": Question("the mismatch on test images ends below half of its first value",
                        _nearest),
    "robustness": Question("larger in the last epoch than at zero error", _sturdier),
}  # fmt: skip
"""A test for each statement of STATEMENTS about a single run trained with the squared error."""
