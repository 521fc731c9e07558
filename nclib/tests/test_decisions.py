"""Decisions: what the head chooses, and the nearest class mean."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import Decisions, Head, decide

from .samples import collapsed_sample, random_sample


def naive_decisions(sample, means):
    """Decisions one sample at a time."""
    correct = agreeing = 0
    for h, y in zip(sample.features, sample.labels, strict=True):
        chosen = int((sample.head.weight @ h + sample.head.bias).argmax())
        nearest = int((h - means).norm(dim=1).argmin())
        correct += chosen == int(y)
        agreeing += chosen == nearest
    return Decisions(len(sample.labels), correct, agreeing)


@given(st.integers(0, 999), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_decisions_one_by_one_and_in_parts(seed, offset):
    """Batched decisions equal a loop over samples, and the parts add up to the whole."""
    sample = random_sample(seed, 4, 3, 7, offset=offset)
    means = sample.stats.means
    whole = decide(sample.features, sample.labels, sample.head, means)
    assert whole == naive_decisions(sample, means)
    first = decide(sample.features[:5], sample.labels[:5], sample.head, means)
    rest = decide(sample.features[5:], sample.labels[5:], sample.head, means)
    assert first + rest == whole
    assert whole.nearest_mean_mismatch == pytest.approx(1 - whole.agreeing / whole.total)


def test_decisions_at_collapse():
    """At exact collapse the head is right everywhere and agrees with the nearest mean."""
    sample = collapsed_sample(5, 6, 4, "simplex")
    decisions = decide(sample.features, sample.labels, sample.head, sample.stats.means)
    assert (decisions.accuracy, decisions.nearest_mean_mismatch) == (1.0, 0.0)


def test_bias_is_part_of_the_decision():
    """A bias large enough sends everything to its class."""
    sample = random_sample(0, 3, 4, 5)
    biased = Head(sample.head.weight, torch.tensor([0.0, 1e6, 0.0]))
    chosen = decide(sample.features, sample.labels, biased, sample.stats.means)
    assert chosen.accuracy == pytest.approx(1 / 3)


def test_decisions_refuse_what_statistics_refuse():
    """NaN features or means, ignored labels and wrong types do not become a number."""
    sample = random_sample(0, 3, 4, 5)
    means, nan = sample.stats.means, torch.full((3, 4), float("nan")).double()
    for features, labels, centers, message in (
        (sample.features * float("nan"), sample.labels, means, "features: expected finite"),
        (sample.features, sample.labels, nan, "means: expected finite values"),
        (sample.features, sample.labels - 100, means, r"labels: expected values in 0\.\.2"),
        (sample.features, sample.labels.double(), means, "labels: expected int64"),
        (sample.features[:, :3], sample.labels, means, r"features: expected \(N, 4\)"),
        (
            sample.features,
            sample.labels,
            means[:2],
            r"means: expected \(3, 4\) to match head.weight, got \(2, 4\)",
        ),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            decide(features, labels, sample.head, centers)


@pytest.mark.parametrize("batch", [1, 3, 7, 40])
def test_ties_go_to_the_lowest_class_in_every_batch(batch):
    """Equal rows of the head and means that coincide tie exactly, whatever the product rounds."""
    sample = random_sample(8, 4, 9, 10, offset=30.0)
    head = Head(sample.head.weight[[2, 0, 2, 0]], sample.head.bias[[1, 3, 1, 3]])
    means = sample.stats.means[[1, 3, 1, 3]]
    labels = sample.labels % 2  # of each pair the lower one
    parts = zip(sample.features.split(batch), labels.split(batch), strict=True)
    whole = sum((decide(h, y, head, means) for h, y in parts), start=Decisions(0, 0, 0))
    low = Head(head.weight[:2], head.bias[:2])
    assert whole == decide(sample.features, labels, low, means[:2])
    # In the last bit the upper of a pair is better now; that is rounding, and a tie.
    ulp = 1 + torch.finfo(torch.float64).eps * torch.tensor([0.0, 0.0, 1.0, 1.0])
    more = Head(head.weight, head.bias * ulp)
    assert decide(sample.features, labels, more, means * ulp[:, None]) == whole
