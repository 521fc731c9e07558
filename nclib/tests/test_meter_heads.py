"""Which layer the meter measures: the one that makes the output, whatever is beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nclib import ClassStats, CollapseMeter
from nclib.models.heads import linear_layers
from nclib.models.watch import Watch, counting

from .test_meter import AFTER, C, Pair, Wild, labels_of, tensor


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("first", [False, True])
def test_the_head_is_what_makes_the_output(after, first):
    """Registered last or not; and what follows it stands in the notes."""
    meter = CollapseMeter(Wild(AFTER[after], first))
    x = tensor(9, 6)
    meter.update(x, labels_of(9))
    assert meter.layer_name == "head"
    assert torch.equal(meter.stats.means, ClassStats.of(x, labels_of(9), C).means)
    named = after in ("log-softmax", "softmax", "sigmoid", "a factor of 0.5")
    assert any(f"in the model {after} follows" in n for n in meter.report().notes) == named


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.fc(x).tanh())


def test_features_of_another_layer_are_not_mixed_in():
    """Of the layer registered last first, of the one that makes the output then."""
    other = CollapseMeter(Pair(lambda a, b: a))
    other.add(tensor(9, 6), labels_of(9))
    with pytest.raises(ValueError, match="not that of 'b', whose features were added before"):
        other.update(tensor(9, 6), labels_of(9))


class Projected(nn.Module):
    """A linear layer before the head, whose output is given out as well; the head is not last."""

    def __init__(self, out: Callable[[Tensor, Tensor], Any], width: int = 7) -> None:
        super().__init__()
        self.head, self.proj = nn.Linear(width, C), nn.Linear(6, width)
        self.out = out

    def forward(self, x: Tensor) -> Any:
        h = self.proj(x)
        return self.out(h, self.head(h))


BESIDE: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "features first": lambda h, z: (h, z),
    "features in a dict": lambda h, z: {"features": h, "scores": z},
    "a factor": lambda h, z: (z * 4, h),
    "log-softmax": lambda h, z: (z.log_softmax(1), h),
    "copied": lambda h, z: (h.clone(), z.clone()),
    "nested": lambda h, z: [{"h": h}, (z.softmax(1), z + 0)],
}


@pytest.mark.parametrize("out", BESIDE)
@pytest.mark.parametrize("width, asked", [(7, None), (7, C), (C, None)])
def test_features_in_the_output_are_no_logits(out, width, asked):
    """What another of the candidates is given is not the end of the model."""
    model, x = Projected(BESIDE[out], width), tensor(9, 6)
    meter = CollapseMeter(model, num_classes=asked)
    meter.update(x, labels_of(9))
    assert meter.layer_name == "head"
    assert torch.equal(meter.stats.means, ClassStats.of(model.proj(x), labels_of(9), C).means)


@pytest.mark.parametrize(
    "after",
    [
        lambda a, b: (a, b), lambda a, b: (a.softmax(1), b), lambda a, b: (a * 2, b + 0),
        lambda a, b: [a.log_softmax(1), {"b": b}],
    ],
)  # fmt: skip
def test_of_two_heads_the_first_output_counts(after):
    """However plain the second one is; told from what comes out, not from what runs first."""
    for order, name in ((after, "a"), (lambda a, b: after(b, a), "b")):
        meter = CollapseMeter(Pair(order))
        meter.update(tensor(9, 6), labels_of(9))
        assert meter.layer_name == name


def test_heads_of_two_widths():
    """Refused with both names, unless the number of classes tells them apart."""
    model = Pair(lambda a, b: (a, b))
    model.a = nn.Linear(6, C + 2)
    with pytest.raises(ValueError, match="one linear layer that makes the output, got 2: 'a' .*'b"):
        CollapseMeter(model).update(tensor(9, 6), labels_of(9))
    for classes, name in ((C, "b"), (C + 2, "a")):
        meter = CollapseMeter(model, num_classes=classes)
        meter.update(tensor(9, 6), labels_of(9))
        assert meter.layer_name == name


def test_two_layers_behind_one_tensor_are_refused():
    """Equal copies, averaged: nothing tells which is meant."""
    model = Pair(lambda a, b: (a + b) / 2)
    model.b.load_state_dict(model.a.state_dict())
    with pytest.raises(ValueError, match="one linear layer that makes the output, got 2"):
        CollapseMeter(model).update(tensor(9, 6), labels_of(9))


class Body(nn.Module):
    """Gives features; its head and an auxiliary layer are called by others."""

    def __init__(self, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc, self.body, self.aux = nn.Linear(7, C), nn.Linear(6, 7), nn.Linear(6, 5)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(x))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("after", [lambda h: h, torch.relu])
def test_a_head_that_runs_after_the_model(whole, after):
    """Where the model gives features, or is not called as a whole, what ran last counts."""
    model, x = Body(after), tensor(9, 6)
    with Watch(model, linear_layers(model)) as watch:
        model.fc(model(x) if whole else model.body(x))
    assert counting(watch)[0].name == "fc"
    with pytest.raises(ValueError, match=r"expected 2 call\(s\) of 'fc'"):
        counting(watch, "fc", times=2)


@pytest.mark.parametrize("after", [False, True])
def test_an_auxiliary_layer_that_runs_last_is_not_the_head(after):
    """Inside of the model or after it."""
    model, x = Body(lambda h: (h, model.aux(x))[0]), tensor(9, 6)
    with Watch(model, linear_layers(model)) as watch:
        model(x)
        if after:
            model.aux(x)
    assert watch.calls[-1].name == "aux" and counting(watch)[0].name == "body"


class Tokens(nn.Module):
    """Scores every token and keeps the last one's."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(6, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(x)[:, -1]


@pytest.mark.parametrize("layer", [None, "score"])
def test_one_token_of_each_sequence(layer):
    """The advice is to take that token: there is a label for each sequence, not each token."""
    model, x = Tokens(), tensor(9, 4, 6)
    with pytest.raises(ValueError, match="keeps the scores of one token per sample") as error:
        CollapseMeter(model, layer).update(x, labels_of(9))
    assert "reshape" not in str(error.value)


def test_reset_looks_at_the_model_anew():
    """A head that was replaced is found, one that computes something else by now refused."""
    model, x = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, C)), tensor(9, 6)
    for layer in (None, "1"):
        meter = CollapseMeter(model, layer)
        meter.update(x, labels_of(9))
        model[1] = nn.Linear(6, C)
        meter.reset()
        meter.update(x, labels_of(9))
        assert meter.layer is model[1] and meter.report().samples == 9
    meter = CollapseMeter(model)
    report = meter.measure([(x, labels_of(9))])
    model.append(nn.Softmax(1))
    again = meter.measure([(x, labels_of(9))])
    assert any("softmax follows" in note for note in set(again.notes) - set(report.notes))
    model.append(nn.Tanh())
    with pytest.raises(ValueError, match="made in another way"):
        meter.measure([(x, labels_of(9))])


def test_a_named_layer_is_taken_as_it_is():
    """Whatever follows it, in place or not, and wherever it is."""
    model, x = nn.Sequential(nn.Linear(6, C), nn.ReLU(inplace=True)), tensor(9, 6)
    for layer in ("0", "module.0", model[0]):
        meter = CollapseMeter(nn.DataParallel(model), layer)
        meter.update(x, labels_of(9))
        assert meter.layer_name == "0" and meter.stats.total_count == 9


def test_a_layer_called_twice():
    """The call that gives the output counts; of a named one it cannot be told."""
    model, x = Twice(), tensor(12, 6)
    meter = CollapseMeter(model)
    meter.update(x, torch.arange(12) % 6)
    told = ClassStats.of(model.fc(x).tanh(), torch.arange(12) % 6, 6)
    assert torch.equal(meter.stats.means, told.means)
    with pytest.raises(ValueError, match=r"expected 1 call\(s\) of 'fc'.* got 2"):
        CollapseMeter(model, "fc").update(x, torch.arange(12) % 6)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "no bias": lambda: nn.Linear(6, C, bias=False),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, C)),
    "lazy": lambda: nn.LazyLinear(C),
    "half": lambda: nn.Linear(6, C).bfloat16(),
    "double": lambda: nn.Linear(6, C).double(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_kinds_of_layers(name):
    """What came in, times what the layer is now, is what went out."""
    layer = LAYERS[name]()
    meter = CollapseMeter(nn.Sequential(nn.Flatten(), layer))
    out = meter.update(tensor(9, 6), labels_of(9)).double()
    told = meter.stats.means @ meter.head.weight.T + meter.head.bias
    means = torch.stack([out[c::C].mean(0) for c in range(C)])
    assert (told - means).norm() < (0.02 if name == "half" else 1e-6) * means.norm()
