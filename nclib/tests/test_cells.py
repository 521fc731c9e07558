"""Cells: a name is an address, all else follows from tables."""

from __future__ import annotations

from dataclasses import fields

import pytest

from nclib import Cell, ridge_from_weight_decay
from nclib.cells import CELLS, LR_GRID, PAPER_EPOCHS, measured_epochs, recipe_of, ridges_of


@pytest.mark.parametrize(
    "cell", [*CELLS, Cell("digits", "convnet", "ce", 12)], ids=lambda c: c.name
)
def test_names_and_cells_are_one_to_one(cell):
    """parse(name) gives the cell back."""
    assert Cell.parse(cell.name) == cell


@pytest.mark.parametrize(
    "name, message",
    [
        ("digits-convnet", "expected dataset-network-loss"),
        ("digits-convnet-mse-2", "expected dataset-network-loss"),
        ("digits-convnet-mse-s", "expected dataset-network-loss"),
        ("digit-convnet-mse", "dataset: expected one of .*'digits'.* got 'digit'"),
        ("digits-convnt-mse", "network: expected one of .* got 'convnt'"),
        ("digits-convnet-l2", "loss: expected one of .* got 'l2'"),
        ("", "expected dataset-network-loss"),
    ],
)
def test_a_wrong_name_is_refused_with_the_known_ones(name, message):
    """The error says what there is."""
    with pytest.raises(ValueError, match=message):
        Cell.parse(name)


def test_wrong_fields_are_type_errors():
    """A misspelled field cannot pass unnoticed; a negative seed is refused."""
    with pytest.raises(TypeError):
        Cell("digits", "convnet", "mse", sead=1)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ValueError, match="seed: expected a whole number >= 0, got -1"):
        Cell("digits", "convnet", "mse", -1)
    assert [f.name for f in fields(Cell)] == ["dataset", "network", "loss", "seed"]


def test_learning_rate_grid_is_the_papers():
    """25 log-spaced values between 1e-4 and 0.25."""
    assert len(LR_GRID) == 25
    assert (LR_GRID[0], round(LR_GRID[16], 9), round(LR_GRID[24], 9)) == (1e-4, 0.018420157, 0.25)


def test_measured_epochs():
    """The paper's 50 of 350; for other lengths increasing, from the first to the last."""
    assert measured_epochs(350) == PAPER_EPOCHS and len(PAPER_EPOCHS) == 50
    for epochs in (1, 2, 6, 100, 1000):
        found = measured_epochs(epochs)
        assert found[0] == 1 and found[-1] == epochs and list(found) == sorted(set(found))
        assert len(found) <= 50


def test_ridges_of_a_cell():
    """Consistent is C times the notebook's; a cross-entropy cell has none."""
    ridges = ridges_of(Cell("digits", "convnet", "mse"))
    decay = recipe_of(Cell("digits", "convnet", "mse")).weight_decay
    assert ridges["consistent"]["value"] == ridge_from_weight_decay(decay, 10, "mean")
    assert ridges["consistent"]["value"] == pytest.approx(10 * ridges["notebook"]["value"])
    assert ridges_of(Cell("digits", "convnet", "ce")) == {}


def test_a_cell_without_a_recipe_is_refused():
    """A valid combination that no table lists is named."""
    with pytest.raises(ValueError, match=r"cell: expected one of .*got \('stl10', 'convnet'\)"):
        recipe_of(Cell("stl10", "convnet", "mse"))
