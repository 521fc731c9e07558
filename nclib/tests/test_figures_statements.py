"""Statements of the paper as questions: the answers follow from the rows, and only from these."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from nclib.figures.statements import statement_table, term_table
from nclib.metrics import METRICS
from nclib.records import Row, Run
from nclib.reported import STATEMENTS
from nclib.statements import TESTS

EPOCHS = (1, 5, 20)
ZERO = 5


def a_run(**changed: Any) -> tuple[Run, list[Row]]:
    """A run of which every statement is true, but for what ``changed`` says of its last look."""
    run = Run(
        id="x", cell={}, recipe={}, ridge={}, versions={}, commit="", device="", precision="",
        started="", status="finished",
    )  # fmt: skip
    rows = [
        Row(
            run="x", epoch=epoch, split=split, accuracy=1.0 if epoch >= ZERO else 0.5, loss=0.1,
            mismatch=1 / epoch, metrics={name: 1 / epoch for name in METRICS},
            terms=dict.fromkeys(
                ("consistent", "notebook"),
                {"nc1": 1 / epoch, "nc23": 0.9 / epoch**2, "perp": 0.05 / epoch},
            ),
            robustness=float(epoch),
        )
        for epoch in EPOCHS for split in ("train", "test")
    ]  # fmt: skip
    return run, [replace(row, **changed) if row.epoch == 20 else row for row in rows]


def answers(*found: Any) -> dict[tuple[str, str], tuple[bool | None, ...]]:
    table = statement_table({(str(k), ""): one for k, one in enumerate(found)})
    return {key: entry.answers for key, entry in table.items()}


def test_a_run_that_does_all_of_it_is_told_so():
    """Every question is answered with yes by rows made to fulfil all statements."""
    assert set(answers(a_run()).values()) == {(True,)}


FLAT = dict.fromkeys(METRICS, 0.6)


@pytest.mark.parametrize("changed, refuted", [
    ({"metrics": FLAT}, {"norms", "angles", "simplex", "duality", "variability"}),
    ({"mismatch": 0.6}, {"nearest"}),
    ({"robustness": 4.9}, {"robustness"}),
    ({"terms": dict.fromkeys(("consistent", "notebook"),
                             {"nc1": 0.1, "nc23": 1e-3, "perp": 0.011})}, {"perp"}),
    ({"terms": dict.fromkeys(("consistent", "notebook"),
                             {"nc1": 1e-4, "nc23": 2e-4, "perp": 1e-6})}, {"nc1", "nc23"}),
    ({"terms": dict.fromkeys(("consistent", "notebook"),
                             {"nc1": 0.05, "nc23": 1e-3, "perp": 1e-5})}, {"nc23"}),
])  # fmt: skip
def test_each_question_can_be_answered_with_no(changed, refuted):
    """A last look that contradicts a statement refutes that one and no other."""
    found = answers(a_run(), a_run(**changed))
    assert {name for (name, _), (_, second) in found.items() if second is False} == refuted
    assert all(first for first, _ in found.values())


def test_one_of_two_curves_is_not_enough():
    """Where the paper shows class means and classifier, both have to come down."""
    half = dict.fromkeys(METRICS, 0.05) | {"norm_spread_classifier": 0.9}
    assert answers(a_run(metrics=half))["norms", ""] == (False,)


def test_readings_of_the_ridge_are_answered_apart():
    """A deviation that is small under one ridge only holds under that one."""
    _, rows = a_run()
    large = {"nc1": 0.1, "nc23": 1e-3, "perp": 0.09}
    rows = [replace(r, terms=r.terms | {"notebook": large}) if r.epoch == 20 else r for r in rows]
    found = answers((a_run()[0], rows))
    assert found["perp", "consistent"] == (True,) and found["perp", "notebook"] == (False,)


def test_what_cannot_be_asked_is_not_counted():
    """Without zero error, and without robustness, there is no answer, and counts say so."""
    run, rows = a_run()
    rows = [replace(row, accuracy=0.9, robustness=math.nan) for row in rows]
    others: dict[tuple[str, str], Any] = {("b", ""): a_run(), ("c", ""): None}
    others["d", ""] = (replace(run, status="paused"), rows)  # not at its end
    table = statement_table({("a", ""): (run, rows)} | others)
    for key in (("perp", "consistent"), ("nc1", "notebook"), ("robustness", "")):
        assert table[key].answers == (None, True) and table[key].count == "1 of 1"
    assert table["variability", ""].count == "2 of 2"


def test_the_table_shows_statement_test_and_count():
    """A line for each statement, with the paper's words, a count for each ridge and our test."""
    text = statement_table({("a", ""): a_run()})._repr_markdown_().splitlines()
    assert len(text) == 2 + len(TESTS)
    told = "consistent ridge: 1 of 1; notebook ridge: 1 of 1"
    assert f"| Fig. 2: {STATEMENTS['nc1'].says} | {told} | {TESTS['nc1'].test} |" in text
    assert f"| Fig. 3: {STATEMENTS['norms'].says} | 1 of 1 | {TESTS['norms'].test} |" in text
    assert set(TESTS) <= set(STATEMENTS)


def test_terms_are_told_in_numbers():
    """The largest and last share from zero error on, and the factors by which the terms fall."""
    told = term_table({("a", ""): a_run(), ("b", ""): None}).splitlines()
    assert told[2:] == [f"| `x` | {r} | 5% | 5% | 20.0 | 400.0 | 20.0 |"
                        for r in ("consistent", "notebook")]  # fmt: skip
