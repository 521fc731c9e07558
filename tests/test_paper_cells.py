"""The papers' cells run whole on a CPU, a batch of images each, from files in the true formats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nclib import METRICS, Cell, run
from nclib.tests.formats import SHAPES, WRITE, publish

PER_CLASS = 13  # 130 images: one batch of 128
CELLS = (
    "mnist-resnet18-mse",
    "fashionmnist-thindensenet-ce",
    "svhn-densenet40-mse",
    "cifar10-vgg11-mse",
    "stl10-thinresnet-mse",
)


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> Cell:
    return Cell.parse(f"{request.param}-e1-n{10 * PER_CLASS}")


@pytest.fixture
def root(cell: Cell, tmp_path: Path) -> Iterator[Path]:
    """Both splits of the cell's set, small, with classes that differ in brightness."""
    rng = np.random.default_rng(0)
    shape = SHAPES.get(cell.dataset, (3, 32, 32))
    labels = rng.permutation(np.arange(10 * PER_CLASS) % 10)
    with pytest.MonkeyPatch.context() as patch:
        for split in ("train", "test"):
            noise = rng.integers(100, size=(len(labels), *shape))
            images = (noise + 15 * labels.reshape(-1, 1, 1, 1)).astype(np.uint8)
            WRITE[cell.dataset](cell.dataset, tmp_path, split, images, labels)
        publish(cell.dataset, tmp_path, patch)
        yield tmp_path


def test_a_cell_of_the_papers_runs_on_a_cpu(cell: Cell, root: Path, tmp_path: Path) -> None:
    """Files, network, recipe, training, both splits, every measurement: an epoch of each kind."""
    train, test = run(cell, folder=tmp_path / "runs", root=root)
    assert (train.split, test.split) == ("train", "test")
    assert set(train.metrics) == set(METRICS) and math.isfinite(train.loss)
    assert bool(train.terms) == (cell.loss == "mse")
    assert list(run(cell, folder=tmp_path / "runs", root=root)) == [train, test]
