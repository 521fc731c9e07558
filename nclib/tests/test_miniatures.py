"""Miniatures: one objective for every optimizer, the same numbers every time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nclib import METRICS, decide, measure, regularized_mse
from nclib.data import ImageSet, load
from nclib.miniatures import OPTIMIZERS, Miniature, Snapshot, pairs, rescaled_mse, train
from nclib.training import DivergedError

from .tolerances import EXACT, TIGHT

SMALL = Miniature("adam", 6, weight_decay=1e-2, dimension=4, hidden=(6,))
IMAGES = load("synthetic", split="train").balanced(8, seed=0)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def snapshots(miniature: Miniature, images: ImageSet = IMAGES, **options) -> list[Snapshot]:
    return list(train(miniature, images, **options))


def data_term(seen: Snapshot) -> float:
    """1/2 Ave |Wh + b - y|^2 from the statistics."""
    return regularized_mse(seen.stats, seen.head, ridge=0.0)


@pytest.mark.parametrize("alpha, M", [(1.0, 1.0), (5.0, 1.0), (1.0, 5.0), (0.3, 2.0)])
def test_rescaled_loss_is_the_sum_over_logits(alpha, M):
    """Logit by logit: weight alpha and target M for the true class, weight 1 and 0 elsewhere."""
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)).double()
    labels = torch.tensor([0, 1, 2, 0, 0, 2, 1])
    total = 0.0
    for row, y in zip(logits.tolist(), labels.tolist(), strict=True):
        total += sum(alpha * (z - M) ** 2 if j == y else z**2 for j, z in enumerate(row))
    found = rescaled_mse(logits, labels, alpha, M)
    assert float(found) == pytest.approx(total / 14, rel=EXACT)


@every_optimizer
def test_same_miniature_same_numbers(optimizer):
    """Two trainings agree bit for bit, whatever the global generator did in between."""
    miniature = replace(SMALL, optimizer=optimizer)
    first = snapshots(miniature)
    torch.manual_seed(123)
    second = snapshots(miniature)
    assert [s.objective for s in first] == [s.objective for s in second]
    other = snapshots(replace(miniature, seed=1))
    assert first[-1].objective != other[-1].objective


@every_optimizer
def test_every_optimizer_goes_down_the_same_objective(optimizer):
    """All start at one value and end lower; the gradients asked for are counted."""
    start, end = snapshots(replace(SMALL, optimizer=optimizer, steps=30), measured=(0, 30))
    reference = snapshots(SMALL, measured=(0,))[0]
    assert start.objective == reference.objective and start.evaluations == 0
    assert end.objective < start.objective
    assert end.evaluations == 30 if optimizer != "lbfgs" else end.evaluations > 30


def test_lbfgs_looks_along_its_line():
    """The line search never accepts a step up, and it does not get stuck."""
    seen = snapshots(replace(SMALL, optimizer="lbfgs", steps=150), measured=range(151))
    values = [s.objective for s in seen]
    assert all(b <= a for a, b in zip(values, values[1:], strict=False))
    assert values[150] < values[120] < values[90]
    assert seen[-1].evaluations > 2 * 150  # one gradient a step to start from, and looks


def test_objective_is_data_term_and_ridge():
    """Without weight decay the objective is the data term; with it, it is larger."""
    bare = snapshots(replace(SMALL, weight_decay=0.0), measured=(0,))[0]
    decayed = snapshots(SMALL, measured=(0,))[0]
    assert bare.objective == pytest.approx(data_term(bare), rel=TIGHT)
    assert data_term(decayed) == data_term(bare)
    head = decayed.head.weight.square().sum() + decayed.head.bias.square().sum()
    assert decayed.objective - data_term(decayed) > float(head) * SMALL.weight_decay / 2


def test_snapshot_shows_the_last_layer():
    """Metrics and accuracy belong to the statistics and head; test images are seen, not trained."""
    test = load("synthetic", split="test")
    blind, seeing = snapshots(SMALL)[-1], snapshots(SMALL, test=test)[-1]
    assert math.isnan(blind.test_accuracy) and 0 <= seeing.test_accuracy <= 1
    assert blind.objective == seeing.objective
    assert blind.metrics == measure(blind.stats, blind.head) and set(blind.metrics) == set(METRICS)
    means, labels = blind.stats.means, torch.arange(10)
    assert decide(means, labels, blind.head, means).total == 10
    assert blind.stats.means.shape == (10, 4) and (blind.step, blind.evaluations) == (6, 6)


def test_measuring_changes_nothing():
    """Looking more often leaves the training alone."""
    often, once = snapshots(SMALL, measured=range(7)), snapshots(SMALL, measured=(6,))
    assert [s.step for s in often] == list(range(7))
    assert often[-1].objective == once[-1].objective


def test_a_fixed_classifier_stays():
    """The simplex head is a simplex before and after; the rest of the network moves."""
    fixed = replace(SMALL, simplex_head=True, dimension=9)
    start, end = snapshots(fixed, measured=(0, 6))
    assert torch.equal(start.head.weight, end.head.weight)
    assert end.metrics["gram_distance_classifier"] <= TIGHT
    assert end.objective < start.objective and not torch.equal(start.head.bias, end.head.bias)
    with pytest.raises(ValueError, match="dimension: expected at least C-1 = 9"):
        snapshots(replace(fixed, dimension=8))


def test_cross_entropy_goes_down_from_chance():
    """A fresh network's cross-entropy is near log C, the value of ten equal probabilities."""
    start, end = snapshots(replace(SMALL, loss="ce", weight_decay=0.0), measured=(0, 6))
    assert abs(start.objective - math.log(10)) < 0.2 and end.objective < start.objective


def test_pairs_are_two_images_side_by_side():
    """Class 10a+b holds an a beside a b, each an image of the set; the draw belongs to the seed."""
    double = pairs(IMAGES, 2, seed=0)
    assert (double.num_classes, len(double)) == (100, 200)
    assert double.images.shape[1:] == (1, 8, 16) and double.counts.unique().tolist() == [2]
    known = {
        (int(y), image.numpy().tobytes())
        for image, y in zip(IMAGES.images, IMAGES.labels, strict=True)
    }
    for image, label in zip(double.images, double.labels.tolist(), strict=True):
        left, right = (half.contiguous().numpy().tobytes() for half in image.split(8, dim=2))
        assert (label // 10, left) in known and (label % 10, right) in known
    assert torch.equal(double.images, pairs(IMAGES, 2, seed=0).images)
    assert not torch.equal(double.images, pairs(IMAGES, 2, seed=1).images)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"optimizer": "adamw"}, "optimizer: expected one of"),
        ({"loss": "mae"}, "loss: expected one of"),
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"dimension": 0}, "dimension: expected at least 1"),
        ({"hidden": (5, 0)}, "hidden: expected widths of at least 1"),
        ({"alpha": 0.0}, "alpha: expected a finite number > 0"),
        ({"M": math.inf}, "M: expected a finite number > 0"),
        ({"weight_decay": -1.0}, "weight_decay: expected a finite number >= 0"),
        ({"loss": "ce", "M": 2.0}, "alpha, M: expected 1 and 1 for cross-entropy"),
    ],
)
def test_wrong_miniatures_are_named(change, words):
    """A field without meaning is refused in words."""
    with pytest.raises(ValueError, match=words):
        replace(SMALL, **change)


def test_other_errors_are_in_words():
    """Steps that never come, no pairs, and a training that explodes."""
    for measured in ((), (7,), (-1,)):
        with pytest.raises(ValueError, match="measured: expected steps from 0 to 6"):
            snapshots(SMALL, measured=measured)
    with pytest.raises(ValueError, match="per_class: expected at least 1"):
        pairs(IMAGES, 0, seed=0)
    with pytest.raises(DivergedError, match="objective is"):
        snapshots(replace(SMALL, optimizer="sgd", learning_rate=1e6, steps=200))
