"""The theory refuses what it cannot answer, in words, and answers what is extreme."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
import torch

from nclib.data import load
from nclib.evidence.check import Check, worst_of
from nclib.evidence.jacot import under
from nclib.ledger import Claim, Report
from nclib.miniatures import Miniature, train
from nclib.theory import deep_head, free_features, saddles, small_start, unconstrained
from nclib.theory.central_path import CentralPath, loss_parts
from nclib.theory.landscape import Problem
from nclib.theory.two_speeds import TwoSpeedPath, exponent

BAD_TIMES = ([], [1.0, 0.5], [-1.0, 1.0], [math.inf], [math.nan])


def test_an_undefined_error_is_never_skipped() -> None:
    """The worst of some errors is undefined as soon as one is; so is a bound."""
    assert math.isnan(worst_of(1.0, math.nan, 0.0)) and worst_of(1.0, 2.0) == 2.0
    ones = torch.ones(1500)
    assert under("one at most two", ones, 2 * ones).holds
    assert not under("undefined bounds", ones, math.nan * ones).holds
    assert not under(
        "hardly any bound", ones, torch.where(torch.arange(1500) < 9, 2.0, torch.inf)
    ).holds


def test_json_of_any_number() -> None:
    """NumPy's numbers and undefined errors are written as plain JSON."""
    found = (lambda: Check("numpy", np.float64(0.0), 1.0), lambda: Check("none", math.nan, 1.0))
    claim = Claim("han:x", "s", "s", "c", "numeric", found)
    text = Report.on([claim], progress=False).to_json()
    (verdict,) = json.loads(text, parse_constant=pytest.fail)
    assert [e["holds"] for e in verdict["evidence"]] == [True, False]


@pytest.mark.parametrize("times", BAD_TIMES)
def test_times_of_a_flow_are_checked(times: list[float]) -> None:
    """Times that no integrator can reach are refused at once."""
    point = unconstrained.random_start(3, 2, 4, torch.tensor(0.1), seed=0)
    with pytest.raises(ValueError, match="times: expected"):
        unconstrained.flow(point, torch.tensor(times))
    with pytest.raises(ValueError, match="times: expected"):
        free_features.flow(free_features.gradient, free_features.start(3, 4, 5, 0), times, 1e-8)


def test_extreme_values() -> None:
    """Where SNR values are huge, losses vanish and exponents have their limits; none is NaN."""
    huge = torch.tensor([1e160, 1e200], dtype=torch.float64)
    assert [float(part) for part in loss_parts(huge, 3)] == [0.0, 0.0]
    ends = torch.tensor([0.0, 1e200, math.inf])
    assert exponent(ends, 3, 0.5).tolist() == [1.0, 1.0, 1.0]
    assert exponent(ends, 3, 0.0).tolist() == [1.0, -3.0, -3.0]
    with pytest.raises(ValueError, match="omega: expected 0 or values from"):
        TwoSpeedPath(3, 5, huge, 0.5, torch.ones(2))


def test_shapes_are_checked() -> None:
    """A wrong shape is named with the right one."""
    path, problem = CentralPath(3, 5, torch.ones(2)), Problem(3, 2, 0.1, 0.1, 0.1, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"omega: expected \(\.\.\., 2\)"):
        path.time_to(torch.ones(3))
    with pytest.raises(ValueError, match=r"logits: expected \(3, 2, 3\), got \(3, 3\)"):
        problem.slope(torch.zeros(3, 3))
    W, H = torch.zeros(3, 4), torch.zeros(3, 2, 5)
    with pytest.raises(ValueError, match="H, slope: expected"):
        saddles.escape(W, H, torch.zeros(3, 2, 3), 0.1, 0.1, 1.0)
    with pytest.raises(ValueError, match="record: expected"):
        unconstrained.descend(unconstrained.strong_collapse(3, 2, 4), 0.1, 10, record=0)


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_only_if_wanted(progress: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Without progress a training says nothing: a check within a check has one bar."""
    images = load("digits", split="train").balanced(2, seed=0)
    list(train(Miniature("sgd", 2, 1e-3), images, measured=(2,), progress=progress))
    shown = progress and not os.environ.get("TQDM_DISABLE")
    assert bool(capsys.readouterr().err) == shown


def test_a_start_without_enough_rank_is_refused() -> None:
    """No forecast and no spectrum where strong collapse has no room."""
    with pytest.raises(ValueError, match="p: expected at least C-1 = 4, got 1"):
        small_start.collapse_spectrum(5, 2, 1)
    with pytest.raises(ValueError, match="W, H: expected P .* of rank C-1 = 2"):
        small_start.forecast(torch.zeros(3, 4).double(), torch.zeros(4, 6).double())
    with pytest.raises(ValueError, match=r"H: expected \(p, CN\)"):
        small_start.linear_phase(torch.zeros(3, 4).double(), torch.zeros(4, 7).double(), 1.0)


def test_labels_of_a_head_are_checked() -> None:
    """Every class must be there, and every row have a label."""
    weights = [torch.eye(3), torch.eye(3)]
    for labels in ([0, 1, 1], [0, 1, 3], [0, 1, 2, 2]):
        with pytest.raises(ValueError, match="labels: expected 3 of them, of all 3 classes"):
            deep_head.DeepHead(torch.eye(3), weights, torch.tensor(labels))
