"""Meters joined, saved and continued: only what belongs together adds up."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nclib import ClassStats, CollapseMeter

from .test_meter import C, labels_of, near, network, tensor


def test_state_is_plain_and_continues():
    """Saved, loaded with weights_only and continued, as if at one go; refusals change nothing."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    whole, part, other = CollapseMeter(model), CollapseMeter(model), CollapseMeter(model)
    for meter in (whole, part):
        meter.update(x[:7], torch.where(torch.arange(7) == 3, -100, y[:7]))
    place = io.BytesIO()
    torch.save(part.state_dict(), place)
    place.seek(0)
    other.load_state_dict(torch.load(place, weights_only=True))
    for meter in (whole, other):
        meter.update(x[7:], y[7:])
    assert near(other.report().metrics, whole.report().metrics) and other.ignored == 1
    state = other.state_dict()
    for broken, message in (
        ({}, "expected that of a CollapseMeter"),
        (state | {"means": torch.zeros(C, 9)}, r"counts and spread \(3,\), scatter \(9, 9\)"),
        (state | {"means": torch.zeros(C, 9), "scatter": torch.zeros(9, 9)}, "and 8 features, t"),
        (state | {"means": torch.zeros(C)}, r"expected class means \(C, d\), got \(3,\)"),
        (state | {"means": state["means"] * torch.nan}, r"NaN or infinity in \['means'\]"),
        (state | {"spread": -state["spread"]}, "expected a spread >= 0"),
        (state | {"counts": -state["counts"]}, "counts in whole numbers >= 0"),
        (state | {"counts": [1, 2, 3]}, r"\['counts'\] missing or of another type"),
        (state | {"ignored": "many"}, "expected 'ignored' to be a whole number"),
        (state | {"batches": -1}, "expected 'batches' to be a whole number"),
        (state | {"notes": "none"}, "expected 'notes' to be a list of str"),
        (state | {"weights": None}, "expected 'weights' to be a list of int"),
        (state | {"layer": "0"}, "expected statistics of 8 classes and 6 features"),
        (state | {"spread": torch.zeros(C + 1)}, "expected counts and spread"),
    ):
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(broken)
        assert other.state_dict().keys() == state.keys() and other.layer_name == "3"
        assert all(torch.equal(torch.as_tensor(other.state_dict()[name]), torch.as_tensor(value))
                   for name, value in state.items() if isinstance(value, Tensor | int))  # fmt: skip
    other.load_state_dict(CollapseMeter(model).state_dict())
    with pytest.raises(ValueError, match="none were added"):
        other.report()


def test_shards_add_up():
    """Merged or added, two halves and an empty shard are the whole."""
    model, x, y = network().double(), tensor(12, 6).double(), labels_of(12)
    whole, left, right, empty = (CollapseMeter(model) for _ in range(4))
    whole.update(x, y)
    left.update(x[:5], y[:5])
    right.update(x[5:], torch.where(y[5:] == 1, -100, y[5:]))
    right.update(x[5:][y[5:] == 1], y[5:][y[5:] == 1])
    both = left + right
    left.merge(right)
    left.merge(empty)
    for meter in (both, left):
        assert near(meter.report().metrics, whole.report().metrics)
        assert meter.ignored == int((y[5:] == 1).sum())
    right.merge(left.stats)
    assert right.stats.total_count == 19
    with pytest.raises(ValueError, match="both with the within-class covariance, or both without"):
        left.merge(ClassStats.of(tensor(3, 8), labels_of(3), C, covariance=False))
    with pytest.raises(ValueError, match="expected statistics of 3 classes and 8 features"):
        left.merge(ClassStats.of(tensor(3, 4), labels_of(3), C))
    with pytest.raises(TypeError, match="expected CollapseMeter or ClassStats, got int"):
        left.merge(1)  # pyright: ignore


def test_a_head_that_changed_is_noted():
    """Training between two batches, or before the report."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    meter = CollapseMeter(model)
    meter.update(x, y)
    assert not any("changed" in note for note in meter.report().notes)
    with torch.no_grad():
        model.state_dict()["3.weight"][0, 0] += 1e-6
    assert any("weights of '3' changed" in note for note in meter.report().notes)


class Inner(nn.Module):
    """A head that is not the layer registered last, and one of its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.other, self.proj = nn.Linear(6, C), nn.Linear(6, C), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        self.proj(x)
        self.other(x)
        return self.head(x)


def test_a_fresh_meter_goes_on_with_the_layer_of_another():
    """Loaded, merged or added on either side, and with more samples after that."""
    model, x, y = Inner(), tensor(12, 6), labels_of(12)
    whole, half = CollapseMeter(model), CollapseMeter(model)
    whole.update(x, y)
    half.update(x[:6], y[:6])
    loaded, merged, empty = (CollapseMeter(model) for _ in range(3))
    loaded.load_state_dict(half.state_dict())
    merged.merge(half)
    for meter in (loaded, merged, empty + half, half + empty, half):
        assert meter.layer_name == "head" and meter.report().samples == 6
        meter.update(x[6:], y[6:])
        assert near(meter.report().metrics, whole.report().metrics)
    assert empty.layer_name == "proj" and not empty._sight.settled
    half.merge(CollapseMeter(model))  # nothing, of no layer in particular
    half.load_state_dict(CollapseMeter(model).state_dict())
    half.update(x, y)
    assert half.layer_name == "head"


def test_layers_of_one_shape_are_not_mixed():
    """Neither merged nor loaded; a meter whose layer was named keeps it."""
    model, x, y = Inner(), tensor(12, 6), labels_of(12)
    head, other = CollapseMeter(model, "head"), CollapseMeter(model, "other")
    head.update(x, y)
    other.update(x, y)
    state = head.state_dict()
    for act in (
        lambda: head.merge(other), lambda: head + other, lambda: other.load_state_dict(state),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"expected samples of '\w+', .*got those of '\w+'"):
            act()
        assert head.report().samples == other.report().samples == 12
    found = CollapseMeter(model)
    found.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="not that of 'other', whose features were added"):
        found.update(x, y)


def test_weights_of_any_part_count():
    """A note where one of several meters saw another head than the present, in either order."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    old, new = CollapseMeter(model), CollapseMeter(model)
    old.update(x, y)
    with torch.no_grad():
        model.state_dict()["3.weight"].mul_(1.5)
    new.update(x, y)
    for meter in (new + old, old + new):
        assert any("weights of '3' changed" in note for note in meter.report().notes)
        loaded = CollapseMeter(model)
        loaded.load_state_dict(meter.state_dict())
        assert loaded.report().notes == meter.report().notes
    assert not any("changed" in note for note in (new + new).report().notes)


def test_weights_are_recognized_by_their_bytes(monkeypatch):
    """However sums come out: their last digits change with the number of threads."""
    layer = nn.Linear(6, C)
    meter = CollapseMeter(layer)
    meter.update(tensor(12, 6), labels_of(12))
    total: Any = torch.Tensor.sum
    monkeypatch.setattr(torch.Tensor, "sum", lambda *a, **k: total(*a, **k) * (1 + 1e-15))
    told = meter._remarks.about("fc", layer)
    assert not told
    for kind in (torch.bfloat16, torch.float64):
        CollapseMeter(nn.Linear(6, C, bias=False).to(kind)).update(tensor(9, 6), labels_of(9))


def test_only_statistics_of_the_layer_are_taken():
    """Also as the first ones, and with the covariance that was asked for."""
    stats = ClassStats.of(tensor(21, 5), torch.arange(21) % 7, 7)
    meter = CollapseMeter(network(), "3")
    with pytest.raises(ValueError, match="expected statistics of 3 classes and 8 features"):
        meter.merge(stats)
    meter.update(tensor(12, 6), labels_of(12))
    for asked in (True, False):
        giver = CollapseMeter(network(), covariance=not asked)
        giver.update(tensor(12, 6), labels_of(12))
        taker = CollapseMeter(network(), covariance=asked)
        load = partial(taker.load_state_dict, giver.state_dict())
        for take in (partial(taker.merge, giver), load):
            with pytest.raises(ValueError, match="both with the within-class covariance, or both"):
                take()
        taker.update(tensor(12, 6), labels_of(12))
        assert taker.covariance == asked and taker.report().samples == 12
