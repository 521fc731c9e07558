"""What the paper says about its Figures 2 to 9, held against runs: a yes or no for each run.

The words of the paper, such as "negligible", are replaced by tests that were fixed before any
full-size run was made. A question that a run cannot answer has the answer None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..notation import markdown_table
from ..records import Row, Run
from ..reported import STATEMENTS
from ..series import Series
from .stored import Lines, Runs, Stored, terminal_epoch

__all__ = ["TESTS", "Answers", "Question", "StatementTable", "statement_table", "term_table"]

NEGLIGIBLE = 0.1  # of L_NC1
DOWN = 0.5  # of the first value
RIDGES = ("consistent", "notebook")


@dataclass(frozen=True)
class Question:
    """A statement as a question to the rows of one run: the test in words, and the test.

    ``ask(rows, ridge)`` is None where it does not apply. ``by_ridge`` says whether the answer
    depends on the reading of the ridge.   Chapter: reproduction.
    """

    test: str
    ask: Callable[[Sequence[Row], str], bool | None]
    by_ridge: bool = False


def _after_zero_error(rows: Sequence[Row]) -> list[Row]:
    zero = terminal_epoch(rows)
    return [r for r in rows if r.split == "train" and zero is not None and r.epoch >= zero]


def _throughout(holds: Callable[[dict[str, float]], bool]) -> Callable[..., bool | None]:
    """The same question to the terms at every look from zero error on."""

    def ask(rows: Sequence[Row], ridge: str) -> bool | None:
        late = _after_zero_error(rows)
        return all(holds(row.terms[ridge]) for row in late) if late else None

    return ask


def _falls(rows: Sequence[Row], ridge: str) -> dict[str, float]:
    """By how much each term falls, from the first look to the last."""
    terms = Series.of(rows, "train").terms(ridge)
    return {name: terms[name][0] / terms[name][-1] for name in ("nc1", "nc23", "perp")}


def _fastest(rows: Sequence[Row], ridge: str) -> bool:
    falls = _falls(rows, ridge)
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


@dataclass(frozen=True)
class Answers:
    """What the runs answer to one statement; ``ridge`` is "" where it does not matter.

    Chapter: reproduction.
    """

    name: str
    ridge: str
    answers: tuple[bool | None, ...]

    @property
    def count(self) -> str:
        """In how many of the runs that could be asked it holds: "2 of 3"."""
        asked = [answer for answer in self.answers if answer is not None]
        return f"{sum(asked)} of {len(asked)}"


class StatementTable(dict[tuple[str, str], Answers]):
    """Answers by (statement, ridge); in a notebook it shows as a table of counts.

    Chapter: reproduction.
    """

    def _repr_markdown_(self) -> str:
        header = ("the paper, in our words", "holds in", "our test")
        lines = [
            (
                f"{STATEMENTS[name].figure}: {STATEMENTS[name].says}",
                self._told(name),
                TESTS[name].test,
            )
            for name in dict.fromkeys(name for name, _ in self)
        ]
        return markdown_table(header, lines)

    def _told(self, name: str) -> str:
        counts = {a.ridge: a.count for a in self.values() if a.name == name}
        return "; ".join(f"{ridge} ridge: {n}" if ridge else n for ridge, n in counts.items())


def statement_table(runs: Runs) -> StatementTable:
    """Every statement of TESTS put to every finished run, under both readings of the ridge.

    Chapter: reproduction.
    """
    stored = [rows for _, rows in _finished(runs)]
    keys = [(n, r) for n, q in TESTS.items() for r in (RIDGES if q.by_ridge else ("",))]
    return StatementTable(
        {(n, r): Answers(n, r, tuple(TESTS[n].ask(rows, r) for rows in stored)) for n, r in keys}
    )


def term_table(runs: Runs) -> Lines:
    """How the terms behave, a line for each finished run and reading of the ridge, as Markdown.

    L_perp relative to L_NC1 from zero error on, at most and at the end, and by which factor each
    term falls from the first look to the last.   Chapter: reproduction.
    """
    header = ("run", "ridge", "L_perp / L_NC1, at most", "at the end",
              "L_NC1 fell by", "L_NC2/3", "L_perp")  # fmt: skip
    lines = [_line(run, rows, ridge) for run, rows in _finished(runs) for ridge in RIDGES]
    return Lines(markdown_table(header, lines))


def _finished(runs: Runs) -> list[Stored]:
    return [found for found in runs.values() if found and found[0].status == "finished"]


def _line(run: Run, rows: Sequence[Row], ridge: str) -> tuple[str, ...]:
    late = _after_zero_error(rows)
    shares = [row.terms[ridge]["perp"] / row.terms[ridge]["nc1"] for row in late]
    told = [f"{max(shares):.0%}", f"{shares[-1]:.0%}"] if shares else ["–", "–"]
    return (f"`{run.id}`", ridge, *told, *(f"{x:.1f}" for x in _falls(rows, ridge).values()))
