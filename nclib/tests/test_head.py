"""The head: least squares, the ridge behind weight decay."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nclib import Head, least_squares, ridge_from_weight_decay

from .samples import collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, ITERATED, TIGHT

ridges = st.sampled_from([0.0, 1e-6, 1e-3, 0.1, 3.0])


def sample_loss(sample, weight, bias, ridge):
    """The regularized loss, sample by sample."""
    residual = sample.features @ weight.T + bias - torch.eye(sample.num_classes)[sample.labels]
    penalty = weight.square().sum() + bias.square().sum()
    return residual.square().sum(1).mean() / 2 + ridge / 2 * penalty


@given(st.integers(0, 999), st.lists(st.integers(1, 9), min_size=2, max_size=5), ridges)
@settings(max_examples=60, deadline=None)
def test_gradient_vanishes_at_least_squares(seed, counts, ridge):
    """The sample-by-sample loss has zero gradient in (W, b) at W_LS, for any class proportions."""
    sample = random_sample(seed, len(counts), 3, counts)
    head = least_squares(sample.stats, ridge)
    W, b = head.weight.clone().requires_grad_(), head.bias.clone().requires_grad_()
    loss = sample_loss(sample, W, b, ridge)
    gradient = torch.autograd.grad(loss, (W, b))
    assert all(float(g.abs().max()) < TIGHT for g in gradient)


@given(st.integers(0, 999), ridges, st.floats(1e-3, 1.0))
@settings(max_examples=30, deadline=None)
def test_no_head_beats_least_squares(seed, ridge, size):
    """Any step away from W_LS raises the loss."""
    sample = random_sample(seed, 3, 4, [5, 2, 8])
    head = least_squares(sample.stats, ridge)
    step = sample.head
    best = sample_loss(sample, head.weight, head.bias, ridge)
    other = sample_loss(
        sample, head.weight + size * step.weight, head.bias + size * step.bias, ridge
    )
    assert float(other) > float(best)


def extended_formula(sample, ridge):
    """Proposition 1 as printed, for balanced classes: (1/C) M~^T (E[h~ h~^T] + ridge I)^-1."""
    h = torch.cat([sample.features, torch.ones(len(sample.features), 1)], 1).double()
    C = sample.num_classes
    M = torch.stack([h[sample.labels == c].mean(0) for c in range(C)])
    moment = h.T @ h / len(h) + ridge * torch.eye(h.shape[1]).double()
    return M / C @ torch.linalg.inv(moment)


@given(st.integers(0, 999), st.sampled_from([1e-3, 0.1, 3.0]))
@settings(max_examples=30, deadline=None)
def test_agrees_with_proposition_1_as_printed(seed, ridge):
    """For balanced classes [W_LS, b_LS] is the paper's formula in extended coordinates."""
    sample = random_sample(seed, 4, 5, 6, offset=1.0)
    expected = extended_formula(sample, ridge)
    head = least_squares(sample.stats, ridge)
    assert torch.allclose(head.weight, expected[:, :-1], rtol=TIGHT, atol=TIGHT)
    assert torch.allclose(head.bias, expected[:, -1], rtol=TIGHT, atol=TIGHT)


def test_rotates_with_the_features_and_ignores_a_shift_at_ridge_zero():
    """W_LS(QH) = W_LS(H) Q^T; without ridge a shift of the features moves only the bias."""
    sample = random_sample(5, 4, 6, [9, 4, 7, 12])
    Q = orthogonal(1, 6)
    turned = least_squares(sample.with_features(sample.features @ Q.T).stats, 0.01)
    head = least_squares(sample.stats, 0.01)
    assert torch.allclose(turned.weight, head.weight @ Q.T, rtol=TIGHT, atol=TIGHT)
    plain = least_squares(sample.stats, 0.0)
    moved = least_squares(sample.with_features(sample.features + 5).stats, 0.0)
    assert torch.allclose(moved.weight, plain.weight, rtol=TIGHT, atol=TIGHT)
    assert torch.allclose(
        moved.logits(sample.features + 5), plain.logits(sample.features), atol=TIGHT
    )


def test_is_the_shortest_solution_where_the_covariance_is_singular():
    """At exact collapse, ridge 0 fits every target with a W that has no part outside the means."""
    sample = collapsed_sample(4, 7, 3, "simplex")
    head = least_squares(sample.stats, 0.0)
    assert torch.allclose(
        head.logits(sample.features), torch.eye(4).double()[sample.labels], atol=TIGHT
    )
    outside = head.weight[:, 3:]
    assert float(outside.abs().max()) < EXACT


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_ridge_is_the_one_that_sgd_minimizes(reduction):
    """Torch's own loss plus (wd/2)|theta|^2 has zero gradient at W_LS under the converted ridge."""
    sample, decay = random_sample(3, 5, 4, [6, 3, 9, 4, 5]), 0.02
    head = least_squares(sample.stats, ridge_from_weight_decay(decay, 5, reduction))
    W, b = head.weight.clone().requires_grad_(), head.bias.clone().requires_grad_()
    targets = torch.eye(5).double()[sample.labels]
    loss = nn.functional.mse_loss(sample.features @ W.T + b, targets, reduction=reduction)
    loss = loss if reduction == "mean" else loss / len(targets)
    trained = loss + decay / 2 * (W.square().sum() + b.square().sum())
    assert all(float(g.abs().max()) < TIGHT for g in torch.autograd.grad(trained, (W, b)))


@pytest.mark.parametrize("ridge", [0.0, 1e-4, 0.3])
def test_many_classes_are_solved_as_few(ridge):
    """Hundreds of rows, taken some at a time, solve the system that is printed in the docstring."""
    C, d = 600, 40
    sample = random_sample(4, C, d, 3, offset=2.0)
    stats, identity = sample.stats, torch.eye(d, dtype=torch.float64)
    pi, mean, shrink = stats.priors, stats.global_mean, ridge / (1 + ridge)
    matrix = stats.total + shrink * torch.outer(mean, mean) + ridge * identity
    right = pi[:, None] * stats.means - torch.outer(pi, mean) / (1 + ridge)
    weight = torch.linalg.solve(matrix, right.T).T
    head = least_squares(stats, ridge)
    assert (head.weight - weight).norm() < TIGHT * weight.norm()
    assert (head.bias - (pi - weight @ mean) / (1 + ridge)).norm() < TIGHT * head.bias.norm()
    along = torch.einsum("ci,ij,cj->c", weight, stats.within, weight)
    assert torch.allclose(stats.spread_along(weight), along, rtol=TIGHT, atol=0)


def test_statistics_are_left_as_they_were():
    """Solved in place, but in matrices of its own."""
    stats = random_sample(1, 4, 6, 9).stats
    kept = [one for one in (stats.means, stats.scatter, stats.spread) if one is not None]
    before = [one.clone() for one in kept]
    for ridge in (0.0, 0.1):
        least_squares(stats, ridge)
    assert len(kept) == 3 and all(map(torch.equal, before, kept))


def test_head_of_a_layer():
    """Head.of copies a layer in float64; without bias b = 0; other layers are refused."""
    layer = nn.Linear(3, 2, bias=False)
    head = Head.of(layer)
    assert head.weight.dtype == torch.float64 and head.bias.tolist() == [0.0, 0.0]
    before = head.weight.clone()
    with torch.no_grad():
        layer.weight.add_(1)
    assert torch.equal(head.weight, before)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(Head.of(layer).logits(x).float(), layer(x), rtol=ITERATED, atol=ITERATED)
    with pytest.raises(TypeError, match="expected torch.nn.Linear, got Conv2d"):
        Head.of(nn.Conv2d(1, 1, 1))  # pyright: ignore[reportArgumentType]


def test_bad_input_is_refused_in_words():
    """Conventions are never guessed, shapes are named with their sizes."""
    sample = random_sample(0, 3, 4, 5)
    with pytest.raises(ValueError, match='reduction: expected "mean" or "sum", got \'none\''):
        ridge_from_weight_decay(5e-4, 10, "none")
    with pytest.raises(ValueError, match="weight_decay: expected a finite number >= 0, got -1"):
        ridge_from_weight_decay(-1, 10, "mean")
    for ridge in (-1e-9, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="ridge: expected a finite number >= 0"):
            least_squares(sample.stats, ridge)
    with pytest.raises(
        ValueError, match=r"features: expected \(N, 4\) to match head.weight, got \(2, 5\)"
    ):
        sample.head.logits(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"bias: expected \(3,\) to match weight, got \(4,\)"):
        Head(torch.zeros(3, 4), torch.zeros(4))
    with pytest.raises(ValueError, match="weight: expected finite values"):
        Head(torch.full((3, 4), float("nan")), torch.zeros(3))
    with pytest.raises(TypeError, match="weight: expected a tensor, got ndarray"):
        Head(sample.head.weight.numpy(), sample.head.bias)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        least_squares(sample.stats)  # pyright: ignore[reportCallIssue]
