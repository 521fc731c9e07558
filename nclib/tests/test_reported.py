"""The papers' numbers: their printed summaries follow from their printed tables."""

from __future__ import annotations

from statistics import mean, median

import pytest

from nclib.models import FAMILIES, NETWORKS
from nclib.recipes import DEPTHS
from nclib.reported import (
    ACCURACY_GAIN,
    DATASETS,
    NC1_READ,
    REPORTED,
    ROBUSTNESS_GAIN,
    ROBUSTNESS_READ,
    STATEMENTS,
)
from nclib.reported import FAMILIES as REPORTED_FAMILIES

# Each entry is rounded to 0.01, so a gain may be off by 0.01, and so may a mean or a median of
# gains; the printed summary is rounded once more.
ROUNDING = 0.01 + 0.0005


@pytest.mark.parametrize("loss, cells", [("mse", 15), ("ce", 21)])
def test_printed_gains_follow_from_the_table(loss, cells):
    """Median and mean of the gains are those that the paper prints, within its rounding."""
    gains = [entry.gain for entry in REPORTED.values() if entry.loss == loss]
    assert len(gains) == cells
    printed = ACCURACY_GAIN[loss]
    assert median(gains) == pytest.approx(printed[0], abs=ROUNDING)
    # Roundings are independent: over 15 cells their mean is far below a single one's bound.
    assert mean(gains) == pytest.approx(printed[1], abs=ROUNDING / 5)


def test_networks_are_those_of_the_recipes():
    """The table's networks are the depths of the recipes, family by family."""
    assert REPORTED_FAMILIES == FAMILIES
    for (dataset, loss), networks in DEPTHS.items():
        for family, network in zip(FAMILIES, networks, strict=True):
            assert REPORTED[dataset, family, loss].network == network
            assert NETWORKS[network].family == family
    assert {dataset for dataset, _ in DEPTHS} == set(DATASETS)


def test_keys_say_what_the_entries_are():
    """An entry stands under its own data set, family and loss."""
    for key, entry in REPORTED.items():
        assert key == (entry.dataset, entry.family, entry.loss)
        assert 0 < entry.at_zero_error < 100 and 0 < entry.at_end < 100


def test_readings_are_of_cells_in_the_table():
    """A figure was read only where the table has a cross-entropy cell."""
    for readings in (NC1_READ, ROBUSTNESS_READ):
        assert {(*key, "ce") for key in readings} <= set(REPORTED)
        assert all(value > 0 for value in readings.values())
    assert set(ROBUSTNESS_READ) >= {(d, f) for d in DATASETS for f in FAMILIES}


def test_mean_gains_are_above_the_medians():
    """Robustness gains are skewed: a few cells carry the mean, under both losses."""
    for middle, average in ROBUSTNESS_GAIN.values():
        assert 0 < middle < average


def test_statements_except_only_cells_of_the_table():
    """The cells a statement excepts are cells of the squared-error table."""
    assert {s.figure for s in STATEMENTS.values()} == {f"Fig. {k}" for k in range(2, 13)}
    for statement in STATEMENTS.values():
        assert {(*cell, "mse") for cell in statement.exceptions} <= set(REPORTED)
