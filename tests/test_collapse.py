"""The main job end to end: `nclib run digits-convnet-mse` on real digits really collapses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nclib.records import Row, read

from .tree import ROOT


@pytest.fixture(scope="module")
def last(tmp_path_factory) -> dict[str, Row]:
    """The last row of each split after the command that the README gives."""
    folder = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "nclib", "run", "digits-convnet-mse", "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    record, rows = read(folder / "digits-convnet-mse.jsonl")
    assert record.status == "finished"
    return {row.split: row for row in rows}


@pytest.mark.slow
def test_training_error_is_zero_and_features_collapse(last):
    """Zero training error, NC1 below 1e-2, and every NC2 and NC3 measurement small."""
    found = last["train"].metrics
    assert last["train"].accuracy == 1
    assert found["relative_variability"] < 1e-2
    assert found["duality_gap"] < 0.1
    for name in ("norm_spread", "cosine_spread", "angle_to_simplex"):
        assert found[f"{name}_means"] < 0.1 and found[f"{name}_classifier"] < 0.1, name


@pytest.mark.slow
def test_the_head_is_nearly_the_best_one(last):
    """L_perp is below a tenth of the loss under the ridge that belongs to the training."""
    terms = last["train"].terms["consistent"]
    assert terms["perp"] < sum(terms.values()) / 10


@pytest.mark.slow
def test_test_images_are_recognized(last):
    """Nearly all test images are right, and the head agrees with the nearest training mean."""
    assert last["test"].accuracy > 0.97 and last["test"].mismatch < 0.03
