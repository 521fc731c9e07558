"""The portrait: the same picture wherever features lie, and one point per class at collapse."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, Head, simplex_etf
from nclib.portrait import Portrait, closest_frame, tripod

from .samples import Sample, collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, TIGHT

seeds = st.integers(0, 2**16)
some = settings(max_examples=25, deadline=None)


def seen(
    sample: Sample, classes: tuple[int, ...] = (0, 1, 2), frame: Tensor | None = None
) -> Portrait:
    of = (sample.stats, sample.head, sample.features, sample.labels)
    return Portrait.of(*of, classes=classes, frame=frame)


def same(one: Portrait, other: Portrait) -> bool:
    names = ("features", "means", "classifier", "simplex")
    return all(torch.allclose(getattr(one, n), getattr(other, n), atol=TIGHT) for n in names)


@some
@given(st.integers(3, 30))
def test_tripod_is_three_vertices_of_the_simplex(C):
    """Its Gram matrix is that of any three vertices of a simplex ETF of C classes."""
    vertices = simplex_etf(C)[:3]
    assert torch.allclose(tripod(C) @ tripod(C).T, vertices @ vertices.T, atol=EXACT)


@some
@given(seeds, st.integers(3, 8), st.integers(1, 12))
def test_the_frame_is_an_isometry(seed, C, d):
    """Columns are orthonormal; in fewer than three dimensions rows are."""
    sample = random_sample(seed, C, d, 4, offset=1.0)
    Q = closest_frame(sample.stats, (2, 0, 1))
    gram, size = (Q.T @ Q, 3) if d >= 3 else (Q @ Q.T, d)
    assert torch.allclose(gram, torch.eye(size, dtype=torch.float64), atol=TIGHT)


@some
@given(seeds, st.integers(4, 8))
def test_no_other_frame_lies_closer(seed, C):
    """No rotation of the frame brings the three means nearer to their vertices."""
    sample = random_sample(seed, C, 6, 4)
    means, target = sample.stats.centered_means[:3], tripod(C)
    best = closest_frame(sample.stats, (0, 1, 2))
    other = orthogonal(seed + 1, 6) @ best
    assert (means @ best * target).sum() >= (means @ other * target).sum()


@some
@given(seeds, st.sampled_from([(3, 2), (3, 3), (3, 7), (4, 3), (4, 6), (10, 9), (10, 12)]))
def test_at_collapse_all_four_coincide(seed, size):
    """On an exact simplex of any pose, size and place every feature, mean and row is its vertex."""
    C, d = size
    sample = collapsed_sample(C, d, per_class=3, frame="simplex")
    turn = orthogonal(seed, d)
    moved = replace(
        sample,
        features=sample.features @ turn + 5.0,
        head=Head(0.7 * sample.head.weight @ turn, sample.head.bias),
    )
    portrait = seen(moved, classes=(2, 0, 1))
    assert torch.allclose(portrait.means, portrait.simplex, atol=TIGHT)
    assert torch.allclose(portrait.classifier, portrait.simplex, atol=TIGHT)
    assert torch.allclose(portrait.features, portrait.simplex[portrait.labels], atol=TIGHT)


@some
@given(seeds, st.integers(3, 6), st.integers(5, 9))
def test_rotating_features_and_head_leaves_the_picture(seed, C, d):
    """No coordinate changes under a rotation of feature space, nor with the unit of length."""
    sample = random_sample(seed, C, d, 6, offset=2.0)
    turn = 3.0 * orthogonal(seed, d)
    turned = replace(
        sample,
        features=sample.features @ turn,
        head=Head(sample.head.weight @ turn, sample.head.bias),
    )
    assert same(seen(sample), seen(turned))


@some
@given(seeds, st.integers(4, 6))
def test_shifting_features_leaves_the_picture(seed, C):
    """Everything is seen from the global mean (with C = 3 the mean itself gives a direction)."""
    sample = random_sample(seed, C, 5, 6)
    assert same(seen(sample), seen(sample.with_features(sample.features + 4.0)))


def test_only_the_three_classes_are_seen_in_their_order():
    """Features of other classes are left out; labels count positions in ``classes``."""
    sample = random_sample(0, 5, 6, [3, 4, 5, 6, 7])
    portrait = seen(sample, classes=(4, 0, 2))
    assert torch.bincount(portrait.labels).tolist() == [7, 3, 5]
    in_class = torch.stack([portrait.features[portrait.labels == k].mean(0) for k in range(3)])
    assert torch.allclose(in_class, portrait.means, atol=TIGHT)


def test_a_given_frame_is_kept():
    """A frame passed on shows later epochs from the same side."""
    first, later = (random_sample(seed, 5, 6, 4) for seed in (0, 1))
    frame = seen(first).frame
    assert same(seen(first), seen(first, frame=frame))
    portrait = seen(later, frame=frame)
    assert torch.equal(portrait.frame, frame)
    centered = later.stats.centered_means
    expected = centered[:3] @ frame / centered.norm(dim=1).mean()
    assert torch.allclose(portrait.means, expected, atol=EXACT)
    assert not torch.allclose(portrait.means, seen(later).means, atol=0.01)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"classes": (0, 1)}, r"classes: expected three different ones from 0 to 3, got \[0, 1\]"),
        ({"classes": (0, 1, 1)}, r"classes: .* got \[0, 1, 1\]"),
        ({"classes": (0, 1, 4)}, r"classes: .* got \[0, 1, 4\]"),
        ({"features": torch.zeros(8, 3)}, r"features: expected \(N, 5\) .* got \(8, 3\)"),
        ({"labels": torch.zeros(3).long()}, r"labels: expected \(8,\) .* got \(3,\)"),
        ({"labels": torch.full((8,), 4)}, "labels: expected 0 to 3 .* got 4 to 4"),
        ({"head": Head(torch.ones(4, 2), torch.ones(4))}, "head.weight: expected"),
        ({"head": Head(torch.zeros(4, 5), torch.ones(4))}, "head.weight: .* not all zero"),
        ({"frame": torch.eye(3)}, r"frame: expected \(5, 3\) .* got \(3, 3\)"),
    ],
)
def test_errors_name_the_culprit(change, words):
    """What does not fit is named with what was expected."""
    sample = random_sample(0, 4, 5, 2)
    arguments = {
        "stats": sample.stats, "head": sample.head, "features": sample.features,
        "labels": sample.labels, "classes": (0, 1, 2),
    }  # fmt: skip
    with pytest.raises(ValueError, match=words):
        Portrait.of(**(arguments | change))


def test_two_classes_or_equal_means_have_no_portrait():
    """Fewer than three classes and means that coincide are refused in words."""
    two = random_sample(0, 2, 5, 3)
    with pytest.raises(ValueError, match="expected at least 3 for a portrait, got 2|classes"):
        seen(two)
    flat = ClassStats.of(torch.ones(6, 4), torch.arange(3).repeat(2), 3)
    with pytest.raises(ValueError, match="class means that differ"):
        Portrait.of(
            flat,
            Head(torch.ones(3, 4), torch.ones(3)),
            torch.ones(6, 4),
            torch.arange(3).repeat(2),
            classes=(0, 1, 2),
        )
