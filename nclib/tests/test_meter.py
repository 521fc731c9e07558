"""The meter: the last layer of any classifier, streamed, is what whole features say it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nclib import ClassStats, CollapseMeter, Head, decide, decompose, measure
from nclib.models import split

from .tolerances import TIGHT

C = 3


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(width: int = 6, classes: int = C, depth: int = 8) -> nn.Sequential:
    torch.manual_seed(0)  # restored after each test
    layers = nn.Linear(width, depth), nn.BatchNorm1d(depth), nn.ReLU(), nn.Linear(depth, classes)
    return nn.Sequential(*layers)


@pytest.fixture(autouse=True)
def _generator() -> Any:
    with torch.random.fork_rng():
        yield


def labels_of(count: int) -> Tensor:
    return torch.arange(count) % C


def cut(x: Tensor, y: Tensor, rows: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(x.split(rows), y.split(rows), strict=True))


def near(found: dict[str, float], told: dict[str, float]) -> bool:
    return all(found[k] == pytest.approx(told[k], rel=1e-10, abs=1e-10) for k in told)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 4), st.integers(2, 9), st.integers(1, 7), st.booleans(), st.booleans(),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), st.integers(0, 2**16),
)  # fmt: skip
def test_any_batching_is_all_at_once(classes, dimension, rows, covariance, shuffled, dtype, seed):
    """Measurements, terms and decisions of the stream are those of the whole features."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(classes * 6) % classes
    x = (torch.randn(len(labels), dimension, generator=g) + 3 * labels[:, None]).to(dtype)
    order = torch.randperm(len(labels), generator=g) if shuffled else torch.arange(len(labels))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(dimension, classes)).to(dtype)
    meter = CollapseMeter(model, covariance=covariance, ridge=0.01)
    report = meter.measure(cut(x[order], labels[order], rows), progress=False)
    trunk, head = split(model)
    features = trunk(x)[0].detach()
    stats = ClassStats.of(features, labels, classes)
    assert near(report.metrics, measure(stats, head))
    told = decide(features, labels, head, stats.means)
    assert report.decisions is not None and report.decisions.correct == told.correct
    if dtype != torch.bfloat16:  # there samples lie between two means to the last digit
        assert report.decisions == told
    if covariance:
        assert report.terms is not None
        assert near(vars(report.terms), vars(decompose(stats, head, 0.01)))


@pytest.mark.parametrize("mode", ["train", "eval", "frozen"])
def test_modes_and_hooks_are_as_before(mode):
    """A frozen part stays frozen, training goes on, also after an error in the model."""
    model = network().train(mode != "eval")
    if mode == "frozen":
        model[1].eval()
    before = [module.training for module in model.modules()]
    running_mean = model.state_dict()["1.running_mean"].clone()
    meter = CollapseMeter(model)
    meter.update(tensor(9, 6), labels_of(9))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        meter.update(tensor(9, 5), labels_of(9))
    assert [module.training for module in model.modules()] == before
    assert torch.equal(model.state_dict()["1.running_mean"], running_mean)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters()) and meter.stats.total_count == 9


class Wild(nn.Module):
    """A linear layer, and whatever follows it."""

    def __init__(self, after: Callable[[Tensor], Any], first: bool = False) -> None:
        super().__init__()
        if first:
            self.head, self.aux = nn.Linear(6, C), nn.Linear(6, C)
        else:
            self.aux, self.head = nn.Linear(6, C), nn.Linear(6, C)
        self.after = after

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Any:
        self.aux(x)
        return self.after(self.head(x if scale is None else x * scale))


class Pair(nn.Module):
    """Two heads."""

    def __init__(self, after: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, C), nn.Linear(6, C)
        self.after = after

    def forward(self, x: Tensor) -> Any:
        return self.after(self.a(x), self.b(x))


AFTER: dict[str, Callable[[Tensor], Any]] = {
    "": lambda z: z,
    "float": lambda z: z.double(),
    "tuple": lambda z: (z, None),
    "dict": lambda z: {"hidden": torch.ones(4, 2), "logits": z},
    "nested": lambda z: {"out": [z]},
    "view": lambda z: z.reshape(1, -1, C),
    "beside its softmax": lambda z: (z.softmax(1), z + 0),
    "log-softmax": lambda z: z.log_softmax(1),
    "softmax": lambda z: z.softmax(1),
    "sigmoid": lambda z: z.sigmoid(),
    "a factor of 0.5": lambda z: z / 2,
}


def test_batches_of_every_kind():
    """A tensor, a tuple, a dict; to the model's device and type; arrays and lists as labels."""
    model = Wild(AFTER[""])
    x, scale = tensor(9, 6), torch.full((9, 6), 2.0)
    forms = (x * 2, labels_of(9)), ((x, scale), labels_of(9).int()), (
        {"x": x.double(), "scale": scale}, labels_of(9).tolist()
    ), ([x * 2], labels_of(9).numpy().astype("uint8")), (x * 2, labels_of(9)[:, None])  # fmt: skip
    found = []
    for batch, labels in forms:
        meter = CollapseMeter(model)
        meter.update(batch, labels)
        found.append(meter.stats.means)
    assert all(torch.equal(one, found[0]) for one in found)


def test_ignored_samples_are_counted():
    """They change nothing else; a batch of them alone, or an empty one, adds nothing."""
    x, y = tensor(12, 6), labels_of(12)
    meter, told = CollapseMeter(network()), CollapseMeter(network())
    hidden = torch.where(torch.arange(12) % 4 == 0, -100, y)
    for batch, labels in ((x, torch.full((12,), -100)), (x, hidden), (x[:0], [])):
        meter.update(batch, labels)
    told.update(x[hidden >= 0], y[hidden >= 0])
    assert meter.ignored == 15 and meter.report().ignored == 15
    assert meter.stats.counts.tolist() == told.stats.counts.tolist()
    assert (meter.stats.means - told.stats.means).norm() < 1e-6  # another batch in float32
    with pytest.raises(ValueError, match="values in 0..2, the outputs of the layer,; got|got -100"):
        CollapseMeter(network(), ignore_index=None).update(x, hidden)


def test_watching_your_own_forward_pass():
    """It adds what the layer saw, leaves gradients alone, and warns once in training mode."""
    model, x, y = network().eval(), tensor(9, 6), labels_of(9)
    told, meter = CollapseMeter(model), CollapseMeter(model)
    told.update(x, y)
    with meter.watching(y):
        loss = model(x).sum()
    loss.backward()
    assert torch.equal(meter.stats.means, told.stats.means) and model[0].weight.grad is not None
    assert meter.layer_name == "3" and not meter.report().notes[1:]
    model.train()
    with pytest.warns(UserWarning, match="the model was in training mode"), meter.watching(y):
        model(x)
    with meter.watching(y):  # no second warning
        model(x)
    assert any("training mode" in note for note in meter.report().notes)
    for passes, message in ((0, "run the model inside the block"), (2, "one forward pass, got 2")):
        with pytest.raises(ValueError, match=message), meter.watching(y):
            for _ in range(passes):
                model(x)
    with pytest.raises(ZeroDivisionError), meter.watching(y):
        _ = 1 / 0
    assert meter.stats.total_count == 27
    assert not any(module._forward_hooks for module in model.modules())
    meter.reset()
    with meter.watching(y):  # once is once
        model(x)
    assert any("training mode" in note for note in meter.report().notes)


@pytest.mark.parametrize(
    "around", [lambda: torch.autocast("cpu", torch.bfloat16), torch.inference_mode]
)
def test_modes_around_the_meter(around):
    """Statistics stay float64 and exact, and can be gone on with outside of the mode."""
    model, x, y = network().eval(), tensor(30, 6) + 100, labels_of(30)
    trunk, _ = split(model)
    meter = CollapseMeter(model, covariance=False)
    with around():
        meter.update(x, y)
        meter.review(x, y)
        features = trunk(x)[0].detach().double()
    report = meter.report()
    told = ClassStats.of(features.clone(), y, C)
    assert (meter.stats.spread - told.spread).norm() <= TIGHT * told.spread.norm()
    assert near(report.metrics, measure(told, meter.head))
    meter.update(x, y)
    assert meter.stats.total_count == 60


def test_covariance_goes_by_width():
    """Up to 4,096 features unless it is said; without it memory is C x d."""
    for width, asked, kept in ((4096, None, True), (4097, None, False), (8, False, False)):
        meter = CollapseMeter(nn.Linear(width, 2), covariance=asked)
        assert meter.covariance == kept
    meter.update(tensor(4, 8), [0, 1, 0, 1])
    assert meter.stats.scatter is None


def test_empty_classes_are_left_out():
    """As if the head had no such rows; but accuracy counts all outputs."""
    classes = 5
    torch.manual_seed(1)
    layer = nn.Linear(6, classes)
    x, y = tensor(20, 6), torch.tensor([0, 2, 4, 2]).repeat(5)
    seen = [0, 2, 4]
    meter = CollapseMeter(layer)
    report = meter.measure(cut(x, y, 7))
    stats = ClassStats.of(x, torch.tensor([0, -1, 1, -1, 2])[y], 3)
    head = Head(layer.weight[seen], layer.bias[seen])
    assert report.classes == 3 and report.empty_classes == [1, 3]
    assert near(report.metrics, measure(stats, head))
    assert report.decisions is not None
    assert report.decisions.correct == int((layer(x).argmax(1) == y).sum())
    assert report.decisions.agreeing == decide(x, stats_labels(y), head, stats.means).agreeing
    assert meter.stats.num_classes == classes
    with pytest.raises(ValueError, match="which had none of class 1"):
        meter.review(x, torch.ones(20).long())


def stats_labels(y: Tensor) -> Tensor:
    return torch.tensor([0, -1, 1, -1, 2])[y]
