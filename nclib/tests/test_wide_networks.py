"""Networks with deep linear heads: seeds do not meet, descent is descent, looks are true."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import mse_loss, one_hot

from nclib import ClassStats
from nclib.data import ImageSet, load
from nclib.theory.orthogonal_frame import nc1
from nclib.wide_networks import (
    ACTIVATIONS,
    Descent,
    Look,
    WideNet,
    column,
    head_of,
    inputs_of,
    train,
)

from .samples import scatter_of
from .tolerances import SINGLE, TIGHT

NET = WideNet(nonlinear=2, linear=3, width=16, activation="relu")
DESCENT = Descent(steps=20, learning_rate=0.01, weight_decay=0.3, looks=3)


def images() -> ImageSet:
    return load("synthetic", split="train").balanced(5, seed=0)


def looks_of(net: WideNet, descent: Descent, *seeds: int) -> list[Look]:
    return [look for looks, _ in train(images(), net, descent, seeds) for look in looks]


def test_seeds_do_not_meet() -> None:
    """A seed trained beside others ends as it does alone."""
    together = [look for look in looks_of(NET, DESCENT, 4, 7, 2) if look.seed == 7]
    for one, other in zip(looks_of(NET, DESCENT, 7), together, strict=True):
        for name, value in vars(one).items():
            assert getattr(other, name) == pytest.approx(value, rel=SINGLE, nan_ok=True), name


def test_the_same_twice() -> None:
    """Two trainings from the same seed are equal bit for bit."""
    assert looks_of(NET, DESCENT, 1, 2) == looks_of(NET, DESCENT, 1, 2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_descent_is_that_of_torch(activation: str) -> None:
    """One seed against modules, a summed loss and torch's SGD with weight decay."""
    net = replace(NET, activation=activation)
    (_, start), *_, (_, end) = train(images(), net, DESCENT, [3])
    weights = [w[0].clone().requires_grad_() for w in start]
    targets = one_hot(images().labels, 10).float()
    rate = DESCENT.learning_rate
    sgd = torch.optim.SGD(weights, lr=rate, weight_decay=DESCENT.weight_decay)
    for step in range(DESCENT.steps):
        sgd.param_groups[0]["lr"] = rate if step < 16 else rate / 10
        rows = inputs_of(images())
        for k, weight in enumerate(weights):
            rows = torch.nn.functional.linear(rows, weight)
            rows = ACTIVATIONS[activation](rows) if k < net.nonlinear else rows
        sgd.zero_grad()
        (mse_loss(rows, targets, reduction="sum") / 2).backward()
        sgd.step()
    for ours, theirs in zip(end, weights, strict=True):
        assert float((ours[0] - theirs).detach().norm() / theirs.detach().norm()) < SINGLE


def test_looks_are_what_is_there() -> None:
    """Loss, accuracy and measures recomputed from the weights, image by image."""
    looks, weights = list(train(images(), NET, DESCENT, [5]))[-1]
    look, labels = looks[0], images().labels
    exact = [w[0].double() for w in weights]
    rows = inputs_of(images()).double()
    for k, weight in enumerate(exact):
        features = rows
        rows = rows @ weight.T
        if k < 2:
            rows = rows.clamp(min=0)
    stats = ClassStats.of(features, labels, 10)
    residual = rows - torch.eye(10).double()[labels]
    squared = sum(float(w.square().sum()) for w in exact)
    spread = scatter_of(ClassStats.of(residual, labels, 10)).trace()
    means = torch.linalg.svdvals(stats.means)
    wanted = {
        "accuracy": float((rows.argmax(1) == labels).double().mean()),
        "error": float(residual.norm()),
        "within_error": math.sqrt(spread),
        "squared_norm": squared,
        "loss": float(residual.square().sum()) / 2 + 0.15 * squared,
        "nc1": float(stats.within.trace() / stats.between.trace()),
        "nc2": float(means[0] / means[9]),
    }
    for name, value in wanted.items():
        assert getattr(look, name) == pytest.approx(value, rel=TIGHT), name
    assert (look.step, look.seed, look.linear) == (20, 5, 3)


def test_training_reaches_collapse() -> None:
    """The loss falls, all images are fitted, layers balance, and NC1 falls by far."""
    descent = Descent(steps=600, learning_rate=0.02, weight_decay=0.1, looks=2)
    first, last = looks_of(NET, descent, 0)
    assert (last.accuracy, last.loss < first.loss / 2) == (1.0, True)
    assert last.nc1 < first.nc1 / 20
    assert last.balancedness < first.balancedness / 3


def test_a_single_linear_layer_has_no_balance() -> None:
    """With one linear layer balancedness and bounds are NaN, and the root is the condition."""
    look = looks_of(replace(NET, linear=1), DESCENT, 0)[-1]
    assert all(math.isnan(x) for x in (look.balancedness, look.nc1_bound, look.condition_bound))
    assert look.root == pytest.approx(look.condition, rel=TIGHT)


def test_head_of_trained_networks() -> None:
    """The head carries every seed, and its bound and features are those of the looks."""
    looks, weights = list(train(images(), NET, DESCENT, [1, 6]))[-1]
    head = head_of(images(), NET, weights)
    assert nc1(head.features, head.labels, 10).tolist() == pytest.approx([x.nc1 for x in looks])
    assert head.error.tolist() == pytest.approx([x.error for x in looks])


def test_columns() -> None:
    """A measurement as a table, a row per seed and a column per look."""
    looks = looks_of(NET, DESCENT, 8, 3)
    steps, table = column(looks, "nc1")
    assert steps == DESCENT.measured == [0, 10, 20]
    assert table[1, 2] == next(x.nc1 for x in looks if (x.seed, x.step) == (8, 20))
    assert table.shape == (2, 3)


def test_activations_are_as_the_bounds_ask() -> None:
    """Zero at zero, slopes between 0 and 1, and at least 0.2 but for ReLU."""
    z = torch.linspace(-30, 30, 4001, dtype=torch.float64)
    for name, activation in ACTIVATIONS.items():
        slopes = activation(z).diff() / z.diff()
        assert float(activation(torch.zeros(1))) == 0
        assert float(slopes.max()) <= 1 + TIGHT
        assert float(slopes.min()) >= (0 if name == "relu" else 0.2) - TIGHT


def test_errors_name_the_culprit() -> None:
    """Shapes and activations that make no sense are refused; a divergence is told, not drawn."""
    with pytest.raises(ValueError, match="linear: expected at least 1, got 0"):
        replace(NET, linear=0)
    with pytest.raises(ValueError, match="activation: expected one of relu, leaky, .* 'swish'"):
        replace(NET, activation="swish")
    with pytest.raises(ArithmeticError, match="learning_rate: the loss is no longer finite"):
        looks_of(NET, replace(DESCENT, learning_rate=10.0), 0)
