"""ClassStats: definitions, the exact merge, and digits that survive collapse."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import ClassStats
from nclib.metrics import relative_variability
from nclib.moments import is_finite

from .samples import random_sample, scatter_of
from .tolerances import EXACT, TIGHT


def naive(features, labels, C):
    """The definitions in float64, in two passes over the whole sample."""
    h = features.double()
    means = torch.stack([h[labels == c].mean(0) for c in range(C)])
    residual = h - means[labels]
    scatter = torch.einsum("ni,nj->ij", residual, residual)
    spread = torch.stack([residual[labels == c].square().sum() for c in range(C)])
    return means, scatter, spread


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    return float((a - b).norm()) <= tolerance * max(float(b.norm()), 1e-300)


shapes = st.tuples(st.integers(2, 6), st.integers(1, 9), st.integers(0, 999))


@given(shapes, st.data())
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_definitions(shape, data):
    """Means, scatter and spread equal their definitions, for any class proportions."""
    C, d, seed = shape
    counts = data.draw(st.lists(st.integers(1, 12), min_size=C, max_size=C))
    sample = random_sample(seed, C, d, counts)
    stats = sample.stats
    means, scatter, spread = naive(sample.features, sample.labels, C)
    assert stats.counts.tolist() == counts
    assert close(stats.means, means, EXACT)
    assert close(scatter_of(stats), scatter, EXACT)
    assert close(stats.spread, spread, EXACT)
    assert float(stats.spread.sum()) == pytest.approx(float(scatter_of(stats).trace()), rel=EXACT)


@given(shapes, st.lists(st.integers(1, 30), max_size=5))
@settings(max_examples=40, deadline=None)
def test_split_equals_whole_in_any_order(shape, cuts):
    """Statistics of the parts add up to the statistics of the whole, forwards and backwards."""
    C, d, seed = shape
    sample = random_sample(seed, C, d, 8, offset=10.0)
    bounds = [0, *sorted(min(c, len(sample.labels) - 1) for c in cuts), len(sample.labels)]
    pieces = [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]
    parts = [ClassStats.of(sample.features[p], sample.labels[p], C) for p in pieces]
    for order in (parts, parts[::-1]):
        total = order[0]
        for part in order[1:]:
            total = total + part
        assert torch.equal(total.counts, sample.stats.counts)
        for name in ("means", "scatter", "spread"):
            assert close(getattr(total, name), getattr(sample.stats, name), EXACT), name


def test_merge_is_associative():
    """(a + b) + c = a + (b + c)."""
    a, b, c = (random_sample(seed, 4, 6, [3, 1, 7, 2]).stats for seed in range(3))
    left, right = (a + b) + c, a + (b + c)
    assert close(scatter_of(left), scatter_of(right), EXACT) and close(
        left.means, right.means, EXACT
    )


@pytest.mark.parametrize("batch", [1, 7, 256, 1000])
@pytest.mark.parametrize("spread, offset", [(1e-4, 100.0), (1e-5, 0.0), (1.0, 1e3)])
def test_digits_survive_collapse(batch, spread, offset):
    """Float32 features of spread 1e-4 around offset 100, streamed, agree with two-pass float64."""
    sample = random_sample(0, 10, 24, 100, spread=spread, offset=offset)
    features = sample.features.float()
    means, scatter, _ = naive(features, sample.labels, 10)
    batches = zip(features.split(batch), sample.labels.split(batch), strict=True)
    streamed = sum(ClassStats.of(h, y, 10) for h, y in batches)
    assert isinstance(streamed, ClassStats)
    assert close(scatter_of(streamed), scatter, TIGHT)
    whole = ClassStats(streamed.counts, means, scatter, streamed.spread)
    assert relative_variability(streamed) == pytest.approx(relative_variability(whole), rel=TIGHT)


@given(shapes, st.data())
@settings(max_examples=30, deadline=None)
def test_total_is_within_plus_between(shape, data):
    """Sigma_T = Sigma_W + Sigma_B is the covariance of all samples, for any class proportions."""
    C, d, seed = shape
    counts = data.draw(st.lists(st.integers(1, 12), min_size=C, max_size=C))
    sample = random_sample(seed, C, d, counts)
    stats = sample.stats
    centered = sample.features - sample.features.mean(0)
    assert close(stats.total, centered.T @ centered / len(centered), EXACT)
    assert close(stats.global_mean, sample.features.mean(0), EXACT)
    assert float(stats.priors.sum()) == pytest.approx(1, rel=EXACT)


def test_absent_classes_may_come_later_but_are_named_when_needed():
    """A part may miss a class; asking for priors then names it."""
    sample = random_sample(1, 3, 4, 5)
    first = ClassStats.of(sample.features[sample.labels < 2], sample.labels[sample.labels < 2], 3)
    with pytest.raises(ValueError, match=r"samples of all 3 classes, none of \[2\]"):
        _ = first.priors
    rest = ClassStats.of(sample.features[sample.labels == 2], sample.labels[sample.labels == 2], 3)
    assert close(scatter_of(first + rest), scatter_of(sample.stats), EXACT)


def test_everything_is_float64_and_detached():
    """Half-precision features with a gradient give float64 statistics without one."""
    h = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).half().requires_grad_()
    stats = ClassStats.of(h, torch.arange(8) % 2, 2)
    for name in ("means", "scatter", "spread"):
        value = getattr(stats, name)
        assert value.dtype == torch.float64 and not value.requires_grad
    assert stats.counts.dtype == torch.int64


good, labels = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])
nan = good.clone()
nan[2, 1] = float("nan")


@pytest.mark.parametrize(
    "features, labels, C, message",
    [
        (good[0], labels, 2, r"features: expected \(N, d\) with N, d >= 1, got \(3,\)"),
        (good[:0], labels[:0], 2, r"features: expected \(N, d\) with N, d >= 1, got \(0, 3\)"),
        (good.long(), labels, 2, "features: expected a floating-point tensor, got torch.int64"),
        (good, labels[:3], 2, r"labels: expected \(4,\) to match features, got \(3,\)"),
        (good, labels.int(), 2, "labels: expected int64, got torch.int32"),
        (good, labels, 1, r"labels: expected values in 0\.\.0, got 0\.\.1"),
        (good, labels - 100, 2, r"labels: expected values in 0\.\.1, got -100\.\.-99"),
        (good, labels, 0, "num_classes: expected a whole number >= 1, got 0"),
        (nan, labels, 2, "NaN or infinity in 1 of 4 rows, first in row 2"),
        (good.numpy(), labels, 2, "features, labels: expected two tensors, got ndarray and Tensor"),
    ],
)
def test_bad_input_is_refused_in_words(features, labels, C, message):
    """Each error names the culprit, the expectation and what came."""
    with pytest.raises((ValueError, TypeError), match=message):
        ClassStats.of(features, labels, C)


def test_merge_of_different_shapes_is_refused():
    """Statistics of other features do not add up."""
    a, b = random_sample(0, 2, 3, 4).stats, random_sample(0, 2, 4, 4).stats
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        _ = a + b
    with pytest.raises(TypeError):
        _ = a + 1  # pyright: ignore[reportOperatorIssue]


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e6])
def test_an_outlier_that_comes_first_costs_no_digits(distance):
    """Each class is shifted by its first sample; one that lies far out changes nothing."""
    sample = random_sample(3, 4, 6, 200, spread=1e-3, offset=5.0)
    features = sample.features.clone()
    features[0, 0] += distance
    means, scatter, spread = naive(features, sample.labels, 4)
    stats = sample.with_features(features).stats
    assert close(scatter_of(stats), scatter, EXACT) and close(stats.means, means, EXACT)
    # Also where the outlier is not: the other coordinates, and the other classes.
    assert close(scatter_of(stats)[1:, 1:], scatter[1:, 1:], EXACT)
    assert torch.allclose(stats.spread, spread, rtol=EXACT)
    # And nothing is left over across its direction, where the spread is a millionth of it.
    assert float(torch.linalg.eigvalsh(scatter_of(stats)[1:, 1:]).min()) > 0


def test_features_are_left_alone():
    """Statistics never write into what they are given, float64 included."""
    sample = random_sample(0, 3, 4, 5, offset=1.0)
    before = sample.features.clone()
    _ = sample.stats
    assert torch.equal(sample.features, before)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_values_are_known_also_where_their_sum_is_not(kind):
    """Summed first, looked at one by one where that overflows."""
    largest = torch.finfo(kind).max
    assert is_finite(torch.full((3, 40), largest, dtype=kind))
    for bad in (float("nan"), float("inf"), -float("inf")):
        values = torch.full((3, 40), largest, dtype=kind)
        values[1, 7] = bad
        assert not is_finite(values)
        assert not is_finite(torch.tensor([0.0, bad, -bad], dtype=kind))
    assert is_finite(torch.empty(0, 2, dtype=kind))
