"""Cells: a name is an address, all else follows from tables."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nclib import Cell, ridge_from_weight_decay
from nclib.cells import (
    GRIDS,
    LR_GRID,
    PAPER_EPOCHS,
    grid_of,
    measured_epochs,
    rates_grid,
    recipe_of,
    ridges_of,
)
from nclib.data import load
from nclib.models import NETWORKS
from nclib.recipes import DEPTHS, RATES, Rate, rate_of, recipe_for

from .tolerances import EXACT

COUNT = st.none() | st.integers(1, 10**6)
SHARE = st.none() | st.floats(0, 1, allow_subnormal=False)
CELLS_OF_ALL_KINDS = st.builds(
    Cell, st.just("digits"), st.sampled_from(sorted(NETWORKS)), st.sampled_from(["mse", "ce"]),
    st.integers(0, 10**6), rate=st.none() | st.integers(0, 24), epochs=COUNT,
    images=st.none() | st.integers(1, 10**4).map(lambda n: 10 * n), held=COUNT, decay=SHARE,
    drop=SHARE, every=COUNT,
)  # fmt: skip


@given(CELLS_OF_ALL_KINDS, CELLS_OF_ALL_KINDS)
def test_names_and_cells_are_one_to_one(cell, other):
    """parse(name) gives the cell back, two cells share a name only if they are equal."""
    assert Cell.parse(cell.name) == cell
    assert (cell.name == other.name) == (cell == other)
    assert Cell(**cell.to_record()) == cell


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
        ("digits-convnet-mse-q3", "expected the letters k, e, n, h, w, d, m, s, each once"),
        ("digits-convnet-mse-e3-e4", "each once, got 'digits-convnet-mse-e3-e4'"),
        ("digits-convnet-mse-n2000-e1", "this cell's name 'digits-convnet-mse-e1-n2000'"),
        ("digits-convnet-mse-e01", "this cell's name 'digits-convnet-mse-e1'"),
        ("digits-convnet-mse-k1.5", "expected a number after -k"),
        ("digits-convnet-mse-w0.0.5", "expected a number after -w"),
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


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("rate", 25, "rate: expected an index 0 to 24, got 25"),
        ("epochs", 0, "epochs: expected at least 1, got 0"),
        ("images", 25, "images: expected a multiple of 10, as many of each class, got 25"),
        ("held", -1, "held: expected at least 1, got -1"),
        ("decay", float("nan"), "decay: expected a number from 0 to 1, got nan"),
        ("drop", 2.0, "drop: expected a number from 0 to 1, got 2.0"),
        ("every", 0, "every: expected at least 1, got 0"),
    ],
)
def test_a_wrong_change_names_field_and_bounds(field, value, message):
    """Every field that departs from the recipe is checked where the cell is made."""
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=message):
        Cell("digits", "convnet", "mse", **changed)


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
    assert measured_epochs(7, every=3) == (3, 6, 7) and measured_epochs(350, 1)[-1] == 350


def test_ridges_of_a_cell():
    """Consistent is C times the notebook's; a cross-entropy cell has none."""
    ridges = ridges_of(Cell("digits", "convnet", "mse"))
    decay = recipe_of(Cell("digits", "convnet", "mse")).weight_decay
    assert ridges["consistent"]["value"] == ridge_from_weight_decay(decay, 10, "mean")
    assert ridges["consistent"]["value"] == pytest.approx(10 * ridges["notebook"]["value"])
    assert ridges_of(Cell("digits", "convnet", "ce")) == {}


def test_a_changed_field_changes_its_part_of_the_recipe_alone():
    """Rate, epochs, decay and drop reach the recipe; images, held, every and seed do not."""
    cell = Cell("mnist", "resnet18", "mse")
    plain = asdict(recipe_of(cell))
    assert plain == asdict(recipe_of(replace(cell, images=100, held=5, every=2, seed=3)))
    changed = replace(cell, rate=3, epochs=7, decay=0.0, drop=1.0)
    expected = {"learning_rate": LR_GRID[3], "epochs": 7, "weight_decay": 0.0, "drop": 1.0}
    assert asdict(recipe_of(changed)) == plain | expected


@pytest.mark.parametrize("loss", ["mse", "ce"])
def test_the_papers_grids(loss):
    """Fifteen cells, three families on each of five data sets, with the paper's recipe."""
    grid = grid_of(f"{loss}-15")
    families = {(cell.dataset, NETWORKS[cell.network].family) for cell in grid}
    assert len(grid) == len(families) == 15
    for cell in grid:
        recipe = recipe_of(cell)
        assert (recipe.epochs, recipe.batch_size, recipe.momentum) == (350, 128, 0.9)
        assert (recipe.weight_decay, recipe.drop, recipe.loss) == (5e-4, 0.1, loss)
        assert cell.network in DEPTHS[cell.dataset, loss]


def test_every_rate_of_the_squared_error_is_known_and_the_rest_is_marked():
    """Each of the fifteen has a selected rate; what no source gives is called our choice."""
    for cell in GRIDS["mse-15"]:
        assert rate_of(cell.dataset, cell.network, "mse").evidence in ("stated", "inferred")
        assert recipe_of(cell).learning_rate == RATES[cell.dataset, cell.network, "mse"].value
    assert rate_of("svhn", "resnet18", "ce").evidence == "our choice"
    assert rate_of("svhn", "resnet18", "mse").index == rate_of("svhn", "resnet34", "mse").index
    assert rate_of("mnist", "resnet18", "mse").value == pytest.approx(0.0184, abs=5e-5)
    assert rate_of("mnist", "resnet18", "ce").value == pytest.approx(0.0679, abs=5e-5)
    with pytest.raises(TypeError):
        Rate(3)  # pyright: ignore[reportCallIssue]


def test_the_sweep_changes_the_rate_alone():
    """rates-<cell> are 25 cells with the grid's rates in order."""
    cell = Cell("mnist", "thinresnet", "mse", epochs=35, held=100)
    swept = grid_of(f"rates-{cell.name}")
    assert swept == rates_grid(cell) and len(swept) == 25
    assert [recipe_of(c).learning_rate for c in swept] == pytest.approx(list(LR_GRID), rel=EXACT)
    assert {replace(c, rate=None) for c in swept} == {cell}
    with pytest.raises(ValueError, match="grid: expected one of .*'mse-15'.* got 'mse-16'"):
        grid_of("mse-16")


@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("dataset", ["digits", "synthetic", "mnist", "stl10"])
def test_every_data_set_and_network_has_a_recipe(dataset, network):
    """Any depth can be run on any set: the epochs fit, the batch fits the embedded sets."""
    recipe = recipe_for(dataset, network, "ce")
    assert recipe.loss == "ce" and recipe.epochs >= 6
    if dataset in ("digits", "synthetic"):
        assert recipe.batch_size <= len(load(dataset, split="train"))


def test_an_unknown_part_of_a_recipe_is_refused():
    """The error says what there is."""
    with pytest.raises(ValueError, match="network: expected one of .* got 'resnet17'"):
        recipe_for("mnist", "resnet17", "mse")
