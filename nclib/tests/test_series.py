"""Rows as columns: the right rows, in order, and nothing invented."""

from __future__ import annotations

import pytest

from nclib.records import Row
from nclib.series import Series


def row(epoch: int, split: str = "train", accuracy: float = 0.5, **options) -> Row:
    values = {
        "run": "a", "mismatch": epoch / 100, "loss": 0.1,
        "metrics": {"duality_gap": 1 / (1 + epoch)},
        "terms": {"consistent": {"nc1": 1.0 * epoch, "nc23": 2.0, "perp": 3.0}},
    }  # fmt: skip
    return Row(epoch=epoch, split=split, accuracy=accuracy, **(values | options))


def test_columns_are_the_rows_by_epoch():
    """One number per epoch, of the asked split only, in order of epochs."""
    rows = [row(3), row(1), row(2, "test"), row(2)]
    series = Series.of(rows, "train")
    assert (series.run, series.split, series.epochs) == ("a", "train", [1, 2, 3])
    assert series.metric("duality_gap") == [1 / 2, 1 / 3, 1 / 4]
    assert series.mismatch == [0.01, 0.02, 0.03] and series.accuracy == [0.5] * 3
    terms = series.terms("consistent")
    assert terms["nc1"] == [1, 2, 3] and terms["total"] == [6, 7, 8]


def test_zero_error_is_that_of_training_on_every_split():
    """The first epoch with training accuracy one; test rows and later epochs do not count."""
    rows = [row(1, "test", 1.0), row(1), row(2, accuracy=1.0), row(3, accuracy=1.0), row(4)]
    assert Series.of(rows, "train").zero_error_epoch == 2
    assert Series.of(rows, "test").zero_error_epoch == 2
    assert Series.of(rows[:2], "train").zero_error_epoch is None


def test_nc4_is_read_on_test_where_there_is_one():
    """The test split if measured, else the other."""
    assert Series.tested([row(1), row(1, "test")], "train").split == "test"
    assert Series.tested([row(1)], "train").split == "train"


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda: Series.of([], "train"), "rows: expected at least one row, got none"),
        (lambda: Series.of([row(1)], "test"), r"split: expected one of \['train'\], got 'test'"),
        (
            lambda: Series.of([row(1), row(2, run="b")], "train"),
            r"rows: expected those of one run, got 2: \['a', 'b'\]",
        ),
        (
            lambda: Series.of([row(1)], "train").metric("nc1"),
            "name: expected one of relative_variability, .*; got 'nc1'",
        ),
        (
            lambda: Series.of([row(1)], "train").metric("alignment"),
            r"rows: expected alignment in every row, none at epochs \[1\]",
        ),
        (
            lambda: Series.of([row(1)], "train").terms("mean"),
            r"ridge: expected one of \['consistent'\], got 'mean'",
        ),
        (
            lambda: Series.of([row(1, terms={})], "train").terms("consistent"),
            "rows: expected terms of the squared loss, a has none",
        ),
    ],
)
def test_errors_name_what_is_known(ask, words):
    """What is missing is named together with what there is."""
    with pytest.raises(ValueError, match=words):
        ask()
