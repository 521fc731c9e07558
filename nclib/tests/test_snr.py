"""The SNR matrix: what it is, what it decides, and what does not move it."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import ClassStats, decompose, least_squares
from nclib.snr import snr, snr_values

from .samples import orthogonal, random_sample
from .tolerances import EXACT, ITERATED, TIGHT

shapes = st.tuples(st.integers(2, 5), st.integers(1, 7), st.integers(0, 99))
few = settings(max_examples=25, deadline=None)


def unequal(C, d, seed):
    """Classes of different sizes, with spread in all directions."""
    counts = [d + 2 + (seed + 3 * c) % 5 for c in range(C)]
    return random_sample(seed, C, d, counts, offset=3.0)


@few
@given(shapes)
def test_matrix_is_means_over_the_root_of_the_spread(shape):
    """With equal classes: M' times the symmetric inverse root of Sigma_W."""
    C, d, seed = shape
    stats = random_sample(seed, C, d, d + 2).stats
    values, vectors = torch.linalg.eigh(stats.within)
    naive = stats.centered_means @ (vectors / values.sqrt()) @ vectors.T
    assert torch.allclose(snr(stats).matrix, naive, rtol=TIGHT, atol=TIGHT)


@few
@given(shapes)
def test_squares_are_eigenvalues(shape):
    """omega^2 / C are the C-1 largest eigenvalues of Sigma_W^-1 Sigma_B, for any proportions."""
    C, d, seed = shape
    stats = unequal(C, d, seed).stats
    found = torch.linalg.eigvals(torch.linalg.solve(stats.within, stats.between)).real
    expected = torch.zeros(max(C - 1, d), dtype=torch.float64)
    expected[:d] = found.sort(descending=True).values
    assert torch.allclose(snr(stats).omega ** 2 / C, expected[: C - 1], rtol=TIGHT, atol=TIGHT)


@few
@given(shapes)
def test_the_decomposition_decides_the_loss(shape):
    """L_LS = 1/2 sum_j v_j^T diag(pi) v_j / (1 + omega_j^2 / C), for any proportions."""
    C, d, seed = shape
    stats = unequal(C, d, seed).stats
    found = snr(stats)
    weights = (found.classes**2 * stats.priors[:, None]).sum(0)
    expected = float((weights / (1 + found.omega**2 / C)).sum() / 2)
    assert decompose(stats, least_squares(stats, 0), 0).least_squares == pytest.approx(
        expected, rel=TIGHT
    )


@few
@given(shapes)
def test_singular_vectors_are_orthonormal(shape):
    """Classes always; directions as far as there are features. Classes leave out sqrt(pi)."""
    C, d, seed = shape
    stats = unequal(C, d, seed).stats
    found = snr(stats)
    eye = torch.eye(C - 1, dtype=torch.float64)
    assert torch.allclose(found.classes.T @ found.classes, eye, atol=EXACT)
    assert float((stats.priors.sqrt() @ found.classes).abs().max()) < EXACT
    rank = min(d, C - 1)
    eye[range(rank, C - 1), range(rank, C - 1)] = 0
    assert torch.allclose(found.directions.T @ found.directions, eye, atol=TIGHT)
    assert bool((found.omega[:-1] >= found.omega[1:]).all())


@few
@given(shapes)
def test_no_change_of_coordinates_moves_a_value(shape):
    """h -> A h + c leaves omega and the class vectors alone, for invertible A, symmetric or not."""
    C, d, seed = shape
    sample = unequal(C, d, seed)
    g = torch.Generator().manual_seed(seed)
    A = torch.randn(d, d, generator=g, dtype=torch.float64) + 2 * orthogonal(seed, d)
    sizes = 10.0 ** torch.randint(-6, 7, (d,), generator=g)
    before = snr(sample.stats)
    moved = [sample.features @ A.T + 5, sample.features * sizes]
    for features in moved:
        after = snr(sample.with_features(features).stats)
        assert torch.allclose(after.omega, before.omega, rtol=ITERATED, atol=TIGHT)
        gram = (before.classes * before.omega) @ before.classes.T
        assert torch.allclose((after.classes * after.omega) @ after.classes.T, gram, atol=ITERATED)


def test_rotations_turn_the_matrix():
    """h -> Q h turns the rows of the matrix by Q, and moves nothing else."""
    sample, Q = random_sample(1, 4, 6, 9), orthogonal(2, 6)
    turned = snr(sample.with_features(sample.features @ Q.T).stats)
    assert torch.allclose(turned.matrix, snr(sample.stats).matrix @ Q.T, atol=TIGHT)


def test_dead_features_are_left_out():
    """Features in which nothing varies change nothing."""
    sample = random_sample(3, 4, 3, 8)
    dead = torch.full((len(sample.features), 2), 7.0, dtype=torch.float64)
    wide = snr(sample.with_features(torch.cat([sample.features, dead], 1)).stats)
    assert torch.allclose(wide.omega, snr(sample.stats).omega, rtol=EXACT)
    assert float(wide.directions[3:].abs().max()) == 0


def test_means_without_noise_are_refused_in_words():
    """Where means differ and nothing spreads the ratio is infinite, in so many directions."""
    sample = random_sample(4, 3, 4, 6)
    features = sample.features.clone()
    features[:, 1] = sample.labels.double()
    with pytest.raises(ValueError, match=r"got 1 of 4 directions .*rank 3.*infinite"):
        snr(sample.with_features(features).stats)
    with pytest.raises(ValueError, match=r"got 2 of 4 directions .*rank 0"):
        snr(sample.with_features(sample.stats.means[sample.labels]).stats)


def test_more_features_than_samples_can_spread():
    """Six samples of three classes spread in three directions only."""
    with pytest.raises(ValueError, match=r"of 5 directions without any \(Sigma_W has rank 3\)"):
        snr(random_sample(5, 3, 5, 2).stats)


def test_front_door():
    """An unseen class and a thing that is no statistics are named."""
    sample = random_sample(6, 3, 2, 5)
    with pytest.raises(ValueError, match=r"none of \[3\]"):
        snr(ClassStats.of(sample.features, sample.labels, 4))
    with pytest.raises(TypeError, match="stats: expected ClassStats, got Tensor"):
        snr(cast(Any, sample.features))


@few
@given(shapes, st.integers(0, 3), st.floats(-6, 6))
def test_the_values_alone_are_those_of_the_decomposition(shape, dead, stretch):
    """Pivoted Cholesky equals eigenvectors: any proportions, sizes, and features that are dead."""
    C, d, seed = shape
    sample = unequal(C, d, seed)
    sizes = torch.logspace(0, stretch, d, dtype=torch.float64)
    features = torch.cat([sample.features * sizes, torch.zeros(len(sample.labels), dead)], 1)
    stats = ClassStats.of(features, sample.labels, C)
    assert torch.allclose(snr_values(stats), snr(stats).omega, rtol=TIGHT, atol=TIGHT)


@pytest.mark.parametrize("copies", [0, 1, 5])
def test_the_values_alone_of_features_that_repeat(copies):
    """Copies of features change nothing, though Sigma_W is then singular."""
    sample = unequal(4, 5, 3)
    features = torch.cat([sample.features, sample.features[:, :copies] * 7], 1)
    found = snr_values(ClassStats.of(features, sample.labels, 4))
    assert torch.allclose(found, snr(sample.stats).omega, rtol=TIGHT)


def test_the_values_alone_are_infinite_where_the_decomposition_says_so():
    """Both refuse the same features, with the same words."""
    sample = unequal(4, 5, 3)
    labels = torch.nn.functional.one_hot(sample.labels, 4).double()  # no spread within classes
    stats = ClassStats.of(torch.cat([sample.features, labels], 1), sample.labels, 4)
    words = []
    for values in (snr, snr_values):
        with pytest.raises(ValueError, match="3 of 9 directions without any") as caught:
            values(stats)
        words.append(str(caught.value))
    assert words[0] == words[1]
