"""The meter and data loaders: what they yield, one look or two, and the bar."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import tqdm

from nclib import CollapseMeter

from .test_meter import AFTER, Wild, cut, labels_of, network, tensor


def test_loaders_of_every_kind():
    """Pairs, dicts, items of your own; what cannot be told is refused with the way to tell it."""
    model, x, y = Wild(AFTER[""]), tensor(12, 6), labels_of(12)
    told = CollapseMeter(model).measure(cut(x, y, 5))
    dicts = [{"image": h, "label": z, "index": torch.arange(len(z))} for h, z in cut(x, y, 5)]
    named = [{"x": h, "targets": z, "name": ["a"] * len(z)} for h, z in cut(x, y, 5)]
    triples = [(h, z, 0) for h, z in cut(x, y, 5)]
    for loader, unpack in ((dicts, None), (named, None), (triples, lambda item: item[:2])):
        found = CollapseMeter(model).measure(loader, unpack=unpack)
        assert found.metrics == told.metrics and found.decisions == told.decisions
    for item, message in (
        (triples[0], r"got tuple of 3; say what is what.*unpack=lambda"),
        ({"image": x}, r"expected labels under one of .*got \['image'\]"),
        ({"left": x, "right": x, "label": y}, r"one input beside 'label', .*\['left', 'right'\]"),
        (x, "got Tensor; say"),
    ):
        with pytest.raises(TypeError, match=message):
            CollapseMeter(model).measure([item])


def test_one_look_or_two():
    """An iterator is gone through once; the report says what that costs."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    for loader, passes in ((iter(cut(x, y, 5)), 2), (cut(x, y, 5), 1)):
        report = CollapseMeter(model, covariance=False).measure(loader, passes=passes)
        assert report.decisions is None and "second look" in report.reasons["decisions"]
        assert report.terms is None and "second look" in report.reasons["relative_variability"]
        assert any("gone through once" in note for note in report.notes) == (passes == 2)
    with pytest.raises(ValueError, match="passes: expected 1 or 2, got 3"):
        CollapseMeter(model).measure([], passes=3)
    with pytest.raises(ValueError, match="expected samples, none were added"):
        CollapseMeter(model).measure([])


def test_augmentation_shows_in_the_second_look():
    """Other features the second time are refused; what the first look said can still be had."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    meter = CollapseMeter(model)

    class Augmented:
        def __iter__(self) -> Any:
            return iter([(x + torch.randn(12, 6), y)])

    with pytest.raises(ValueError, match=r"augmentation.*meter.report\(passes=1\)"):
        meter.measure(Augmented())
    assert meter.report(passes=1).samples == 12
    meter.reset()
    meter.update(x[:6], y[:6])
    with pytest.raises(
        ValueError, match="second look, batch 1: .*which had none of class|expected"
    ):
        meter.review(x[:7], torch.tensor([0, 1, 2, 0, 1, 2, 5]))


def test_a_bar_is_shown_only_where_it_helps(capsys, monkeypatch):
    """Not for a short loader; never without progress."""
    monkeypatch.setattr("tqdm.tqdm", partial(tqdm.tqdm, disable=False))  # whatever is set outside
    meter, pairs = CollapseMeter(network()), cut(tensor(12, 6), labels_of(12), 2)
    for patience, progress, seen in ((2.0, True, False), (0.0, True, True), (0.0, False, False)):
        monkeypatch.setattr("nclib.models.batches.PATIENCE", patience)
        meter.measure(pairs, progress=progress)
        assert ("second look" in capsys.readouterr().err) == seen


class Counted:
    """A loader that counts how often it is begun."""

    begun = 0

    def __iter__(self) -> Any:
        self.begun += 1
        torch.rand(1)  # as one that shuffles
        return iter([(tensor(12, 6), labels_of(12))])


def test_a_loader_is_begun_once_for_each_look():
    """To begin one starts its workers."""
    for passes in (1, 2):
        loader = Counted()
        CollapseMeter(network()).measure(loader, passes=passes)
        assert loader.begun == passes


def test_measuring_leaves_the_random_numbers_alone():
    """Training goes on as if nothing had been measured."""
    meter, state = CollapseMeter(network()), torch.get_rng_state()
    meter.measure(Counted())
    assert torch.equal(torch.get_rng_state(), state)


def test_arrays_are_batches():
    """As tensors of the model's type."""
    model, x, y = network(), tensor(12, 6), labels_of(12)
    told = CollapseMeter(model).measure([(x, y)])
    array = x.flip(0).double().numpy()[::-1]
    array.setflags(write=False)
    found = CollapseMeter(model).measure([(array, y.numpy())])
    assert found.metrics == told.metrics
