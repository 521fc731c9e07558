"""What the meter refuses: models, labels and features it cannot measure, each in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nclib import CollapseMeter

from .test_meter import C, Pair, Wild, labels_of, network, tensor


class Cosine(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.normalize(input) @ nn.functional.normalize(self.weight).T


class Int8Linear(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


MODELS: list[tuple[Callable[[], Any], Any, str]] = [
    (lambda: "resnet18", None, "model: expected torch.nn.Module, got str"),
    (lambda: nn.Conv2d(1, 1, 1), None, "expected a linear layer at the end, Conv2d has none"),
    (lambda: nn.Sequential(Int8Linear()), None, "of another kind .'0'.: measure the model before"),
    (network, "4", r"expected the name of a linear layer, such as \['0', '3'\], got '4'"),
    (network, "2", "expected torch.nn.Linear, '2' is ReLU; linear layers of the model: '0', '3'"),
    (network, nn.Linear(1, 1), "expected a module of the model, this Linear is not one"),
    (network, 3, "layer: expected a name or a module, got int"),
]


@pytest.mark.parametrize("make, layer, message", MODELS)
def test_models_are_refused_at_once(make, layer, message):
    """Without a linear layer, or with a name that is none."""
    with pytest.raises((TypeError, ValueError), match=message):
        CollapseMeter(make(), layer)


FIRST_BATCH: list[tuple[Callable[[], nn.Module], str]] = [
    (lambda: Wild(lambda z: z.relu()), "made in another way.*'head' Linear.* layer='head'"),
    (lambda: Wild(lambda z: -z), "made in another way"),
    (lambda: Wild(lambda z: z.relu_()), "expected the output W h . b, 'head'"),
    (lambda: nn.Sequential(nn.Linear(6, C), nn.Linear(C, 1)), "at least 2 classes, got 1"),
    (lambda: nn.Sequential(Cosine(6, C)), "expected the output W h . b, '0' Cosine"),
    (
        lambda: Pair(lambda a, b: {"a": a * 1.0, "b": b * 1.0}),
        "one linear layer that makes the output, got 2: 'a' .*, 'b' ",
    ),
]


@pytest.mark.parametrize("make, message", FIRST_BATCH)
def test_models_are_refused_by_what_they_do(make, message):
    """The first batch tells; nothing was added, and no hook is left."""
    meter = CollapseMeter(make())
    with pytest.raises(ValueError, match=message):
        meter.update(tensor(9, 6), labels_of(9))
    with pytest.raises(ValueError, match="expected samples, none were added"):
        meter.report()
    assert not any(module._forward_hooks for module in meter.model.modules())


LABELS: list[tuple[Any, str]] = [
    (torch.eye(C).repeat(3, 1), "one-hot or soft labels. One-hot ones are labels.argmax"),
    (torch.eye(C).repeat(3, 1).long(), "one-hot or soft labels"),
    (labels_of(9).float(), "expected whole numbers, got torch.float32"),
    (labels_of(9) > 1, "expected whole numbers, got torch.bool"),
    (torch.zeros(9, 2, 2).long(), "a label per pixel or token.*meter.add"),
    (torch.tensor(1), "got a single number"),
    (["cat"] * 9, "expected whole numbers .*, got list"),
    (labels_of(8), "expected 9, one for each row of features, got 8"),
    (torch.full((9,), 3), r"values in 0..2, .* or -100 to ignore a sample; got 3 in row 0"),
    (labels_of(9) - 1, "values in 0..2.* got -1 in row 0"),
]


@pytest.mark.parametrize("labels, message", LABELS)
def test_labels_are_refused_in_words(labels, message):
    """The error names the batch, counted from 1, and nothing has changed."""
    meter, x = CollapseMeter(network()), tensor(9, 6)
    meter.update(x, labels_of(9))
    before = meter.stats
    with pytest.raises((TypeError, ValueError), match=f"batch 2: labels: .*{message}"):
        meter.update(x, labels)
    with pytest.raises((TypeError, ValueError), match=f"batch 2: labels: .*{message}"):
        meter.add(tensor(9, 8), labels)
    for name in ("counts", "means", "scatter", "spread"):
        assert torch.equal(getattr(meter.stats, name), getattr(before, name))
    assert meter.ignored == 0


FEATURES: list[tuple[Any, str]] = [
    (tensor(9, 4, 8), r"got \(9, 4, 8\): token by token.*meter.add\(features.reshape\(-1, 8\)"),
    (tensor(9, 8, 2, 2), "once the features are in the last place"),
    (tensor(9, 7), r"expected \(B, 8\), got \(9, 7\)"),
    (torch.full((9, 8), torch.nan), "NaN or infinity in 9 of 9 rows"),
    (torch.ones(9, 8).long(), "expected a floating-point tensor"),
    ([[1.0] * 8] * 9, "expected a tensor, got list"),
]


@pytest.mark.parametrize("features, message", FEATURES)
def test_features_are_refused_in_words(features, message):
    """Also as the very first batch."""
    meter = CollapseMeter(network())
    with pytest.raises((TypeError, ValueError), match=f"batch 1: features: .*{message}"):
        meter.add(features, labels_of(9))
    meter.add(tensor(9, 8), labels_of(9))
    assert meter.stats.total_count == 9


@pytest.mark.parametrize(
    "given, message",
    [
        ({"num_classes": 4}, "num_classes: expected 3, the outputs of the layer, got 4$"),
        ({"num_classes": 2}, "got 2: classes without samples are left out of the report by"),
        ({"ridge": -1.0}, "ridge: expected a finite number >= 0"),
    ],
)
def test_arguments_are_checked(given, message):
    """At once where the layer is named."""
    with pytest.raises(ValueError, match=message):
        CollapseMeter(network(), "3", **given)


def test_a_refused_second_look_leaves_the_first():
    """The report is as it was, and the second look can be taken again."""
    meter, x, y = CollapseMeter(network()), tensor(9, 6), labels_of(9)
    meter.update(x, y)
    before = meter.report()
    for batch, labels in ((x * torch.nan, y), (x, y + 7), (x, y[:4])):
        with pytest.raises(ValueError, match="second look, batch 1: "):
            meter.review(batch, labels)
        assert meter.report().metrics == before.metrics and meter.decisions is None
    meter.review(x[:5], y[:5])
    with pytest.raises(ValueError, match="second look, batch 2: "):
        meter.review(x[5:] * torch.nan, y[5:])
    meter.review(x[5:], y[5:])
    assert meter.decisions is not None and meter.decisions.total == 9
    with pytest.raises(ValueError, match="passes: expected 1 or 2, got 7"):
        meter.report(passes=7)


def test_rows_are_counted_as_they_were_given():
    """Ignored ones before the wrong one count; what is wrong in them does not matter."""
    x, y = tensor(9, 8), labels_of(9)
    y[[0, 1, 4]] = -100
    x[[1, 5]] = torch.nan
    meter = CollapseMeter(network())
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 9 rows, first in row 5"):
        meter.add(x, y)
    meter.add(x[:5], y[:5])
    assert meter.ignored == 3 and meter.stats.total_count == 2
