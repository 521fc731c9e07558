"""What the paper says about its Figures 2 to 9, held against runs: tables of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..notation import markdown_table
from ..records import Row, Run
from ..reported import STATEMENTS
from ..statements import RIDGES, TESTS, after_zero_error, falls_of
from .stored import Lines, Runs, Stored

__all__ = ["Answers", "StatementTable", "statement_table", "term_table"]


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
    late = after_zero_error(rows)
    shares = [row.terms[ridge]["perp"] / row.terms[ridge]["nc1"] for row in late]
    told = [f"{max(shares):.0%}", f"{shares[-1]:.0%}"] if shares else ["–", "–"]
    return (f"`{run.id}`", ridge, *told, *(f"{x:.1f}" for x in falls_of(rows, ridge).values()))
