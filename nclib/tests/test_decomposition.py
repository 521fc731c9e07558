"""The decomposition: three terms, each >= 0, that add up to the sample-by-sample loss."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import Head, LossTerms, decompose, least_squares, regularized_mse
from nclib import decomposition as module

from .samples import Sample, collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, TIGHT

ridges = st.sampled_from([0.0, 1e-8, 2.5e-3, 0.1, 10.0])
proportions = st.lists(st.integers(1, 40), min_size=2, max_size=6)


def sample_loss(sample: Sample, head: Head, ridge: float) -> float:
    """1/2 Ave |Wh + b - y|^2 + (ridge/2)(|W|^2 + |b|^2), one sample after the other."""
    total = 0.0
    for h, y in zip(sample.features, sample.labels, strict=True):
        residual = head.weight @ h + head.bias
        residual[y] -= 1
        total += float(residual.square().sum()) / 2
    penalty = float(head.weight.square().sum() + head.bias.square().sum())
    return total / len(sample.labels) + ridge / 2 * penalty


@given(st.integers(0, 9999), proportions, st.integers(1, 12), ridges, st.sampled_from([0, 1e-3, 1]))
@settings(max_examples=80, deadline=None)
def test_terms_add_up_to_the_loss(seed, counts, d, ridge, distance):
    """nc1 + nc23 + perp = loss for any proportions, ridge, and head, near the best one or far."""
    sample = random_sample(seed, len(counts), d, counts)
    best = least_squares(sample.stats, ridge)
    head = Head(
        best.weight + distance * sample.head.weight, best.bias + distance * sample.head.bias
    )
    terms = decompose(sample.stats, head, ridge)
    loss = sample_loss(sample, head, ridge)
    assert terms.total == pytest.approx(loss, rel=EXACT)
    assert regularized_mse(sample.stats, head, ridge) == pytest.approx(loss, rel=EXACT)
    assert min(terms.nc1, terms.nc23, terms.perp) >= 0


@pytest.mark.parametrize("ridge", [0.0, 2.5e-3])
def test_terms_add_up_far_from_the_origin_and_close_to_collapse(ridge):
    """The identity keeps its digits for spread 1e-4 around offset 100."""
    sample = random_sample(0, 10, 16, 30, spread=1e-4, offset=100.0)
    terms = decompose(sample.stats, sample.head, ridge)
    assert terms.total == pytest.approx(sample_loss(sample, sample.head, ridge), rel=EXACT)


@given(st.integers(0, 999), proportions, ridges)
@settings(max_examples=30, deadline=None)
def test_perp_vanishes_at_least_squares_and_only_there(seed, counts, ridge):
    """L_perp is 0 at W_LS and positive for any other head."""
    sample = random_sample(seed, len(counts), 4, counts)
    best = least_squares(sample.stats, ridge)
    assert decompose(sample.stats, best, ridge).perp == 0
    moved = Head(best.weight, best.bias + 1e-3)
    assert decompose(sample.stats, moved, ridge).perp > 0


def test_collapse_leaves_only_what_the_ridge_costs():
    """At exact collapse and ridge 0 every term of the best head is 0."""
    sample = collapsed_sample(5, 8, 3, "simplex")
    best = least_squares(sample.stats, 0.0)
    terms = decompose(sample.stats, best, 0.0)
    assert max(terms.nc1, terms.nc23, terms.perp) < EXACT


def test_terms_ignore_order_relabeling_and_rotation():
    """The terms do not depend on names of classes, order of samples or the feature basis."""
    sample = random_sample(2, 4, 5, [3, 8, 2, 6])
    terms = decompose(sample.stats, sample.head, 0.03)
    Q, names = orthogonal(0, 5), torch.tensor([2, 0, 3, 1])
    W, b = sample.head.weight[names.argsort()] @ Q.T, sample.head.bias[names.argsort()]
    moved = Sample(sample.features.flip(0) @ Q.T, names[sample.labels].flip(0), Head(W, b), 4)
    other = decompose(moved.stats, moved.head, 0.03)
    for name in ("nc1", "nc23", "perp"):
        assert getattr(other, name) == pytest.approx(getattr(terms, name), rel=TIGHT)


def notebook_terms(sample: Sample, head: Head, ridge: float) -> LossTerms:
    """The balanced formulas with equal class weights, as the paper's notebook arranges them."""
    h, y, C = sample.features, sample.labels, sample.num_classes
    M = torch.stack([h[y == c].mean(0) for c in range(C)]).T  # (d, C), columns are classes
    mu = M.mean(1)
    Sw = sum(torch.outer(x - M[:, c], x - M[:, c]) for x, c in zip(h, y, strict=True)) / len(h)
    centered = M - mu[:, None]
    St = Sw + centered @ centered.T / C
    eye, one = torch.eye(len(mu)).double(), torch.ones(C).double()
    inner = torch.linalg.inv(St + ridge / (1 + ridge) * torch.outer(mu, mu) + ridge * eye)
    W = (M.T - torch.outer(one, mu) / (1 + ridge)) @ inner / C
    b = (one / C - W @ mu) / (1 + ridge)
    nc1 = (torch.trace(W @ (Sw + ridge * eye) @ W.T) + ridge * b.dot(b)) / 2
    nc23 = (W @ M + b[:, None] - torch.eye(C)).square().sum() / (2 * C)
    A = torch.zeros(len(mu) + 1, len(mu) + 1).double()
    A[:-1, :-1] = St + torch.outer(mu, mu) + ridge * eye
    A[:-1, -1] = A[-1, :-1] = mu
    A[-1, -1] = 1 + ridge
    D = torch.cat([head.weight - W, (head.bias - b)[:, None]], 1)
    return LossTerms(float(nc1), float(nc23), float(torch.trace(D @ A @ D.T)) / 2)


@given(st.integers(0, 999), st.sampled_from([1e-3, 0.1, 2.0]))
@settings(max_examples=20, deadline=None)
def test_balanced_classes_give_the_papers_formulas(seed, ridge):
    """With equal classes the prior-weighted terms are the paper's, term by term."""
    sample = random_sample(seed, 4, 5, 6)
    ours = decompose(sample.stats, sample.head, ridge)
    theirs = notebook_terms(sample, sample.head, ridge)
    for name in ("nc1", "nc23", "perp"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=TIGHT)


def test_equal_weights_break_the_identity_for_unequal_classes():
    """The trap: the balanced formulas do not add up to the loss when classes differ in size."""
    sample = random_sample(1, 4, 5, [40, 3, 8, 20])
    loss = sample_loss(sample, sample.head, 0.1)
    assert abs(notebook_terms(sample, sample.head, 0.1).total / loss - 1) > 1e-3
    assert decompose(sample.stats, sample.head, 0.1).total == pytest.approx(loss, rel=EXACT)


@pytest.mark.parametrize("term", ["_spread_cost", "_mean_cost", "_penalty"])
def test_a_perturbed_term_is_noticed(term, monkeypatch):
    """Change any piece of a term by one part in 1e9 and the identity with the loss fails."""
    sample = random_sample(0, 4, 5, [3, 8, 2, 6])
    loss = sample_loss(sample, sample.head, 0.1)
    exact = getattr(module, term)
    monkeypatch.setattr(module, term, lambda *args: exact(*args) * (1 + 1e-9))
    assert decompose(sample.stats, sample.head, 0.1).total != pytest.approx(loss, rel=EXACT)


def test_bad_input_is_refused_in_words():
    """The ridge is a convention and has no default; shapes are named."""
    sample = random_sample(0, 3, 4, 5)
    with pytest.raises(TypeError, match="ridge"):
        decompose(sample.stats, sample.head)  # pyright: ignore[reportCallIssue]
    other = random_sample(0, 3, 5, 5)
    with pytest.raises(
        ValueError, match=r"head.weight: expected \(3, 4\) to match stats.means, got \(3, 5\)"
    ):
        decompose(sample.stats, other.head, 0.1)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("factor", [1e4, 1e7, 1e9])
def test_terms_add_up_for_features_of_very_different_sizes(factor, ridge):
    """One feature far larger than the others is not a singular matrix."""
    sample = random_sample(0, 3, 5, 20)
    size = torch.tensor([factor, 1, 1, 1, 1], dtype=torch.float64)
    sample = Sample(
        sample.features * size, sample.labels, Head(sample.head.weight / size, sample.head.bias), 3
    )
    terms = decompose(sample.stats, sample.head, ridge)
    assert terms.total == pytest.approx(sample_loss(sample, sample.head, ridge), rel=EXACT)


@pytest.mark.parametrize("ridge", [2.5e-3, 1.0])
@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_terms_add_up_far_away_with_a_ridge(offset, ridge):
    """The distance from zero does not enter the condition number of what is solved."""
    sample = random_sample(0, 3, 5, 20, offset=offset)
    head = Head(sample.head.weight / offset, sample.head.bias)
    terms = decompose(sample.stats, head, ridge)
    # What is left is the rounding of means and features themselves, 1e-16 of their distance.
    assert terms.total == pytest.approx(regularized_mse(sample.stats, head, ridge), rel=TIGHT)
    assert decompose(sample.stats, least_squares(sample.stats, ridge), ridge).perp == 0
