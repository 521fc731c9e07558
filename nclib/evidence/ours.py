"""What the package itself adds: any class proportions, exact merges, the right ridge, its limit."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import torch
from torch import Tensor, nn

from ..decomposition import decompose
from ..head import Head, least_squares, ridge_from_weight_decay
from ..stats import ClassStats
from .check import Check, worst_of

__all__ = [
    "any_proportions",
    "merged_at_collapse",
    "other_ridge_sees_a_gap",
    "trained_to_the_ridge",
    "vanishing_ridge",
]


def _sample(seed: int, counts: list[int], d: int) -> tuple[Tensor, Tensor, Head]:
    """Gaussian classes of these sizes around random means, and a random head."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=g)]
    means = torch.randn(len(counts), d, generator=g, dtype=torch.float64)
    noise = torch.randn(len(labels), d, generator=g, dtype=torch.float64)
    weight = torch.randn(len(counts), d, generator=g, dtype=torch.float64)
    bias = torch.randn(len(counts), generator=g, dtype=torch.float64)
    return means[labels] + noise + 1, labels, Head(weight, bias)


def any_proportions() -> Check:
    """The three terms against sums over samples, at very unequal classes."""
    worst = 0.0
    for seed, counts in enumerate(([2, 3, 40], [1, 9], [5, 5, 5, 5], [30, 1, 2, 7, 3])):
        for ridge in (0.0, 1e-3, 0.5):
            X, labels, head = _sample(seed, counts, 4)
            terms = decompose(ClassStats.of(X, labels, len(counts)), head, ridge)
            naive = _terms_by_loop(X, labels, head, ridge)
            found = torch.tensor(
                [terms.nc1, terms.nc23, terms.perp, terms.total], dtype=torch.float64
            )
            worst = worst_of(worst, float(((found - naive) / naive[3]).abs().max()))
    return Check("the three terms and their sum, from a loop over samples", worst, 1e-9)


def _terms_by_loop(X: Tensor, labels: Tensor, head: Head, ridge: float) -> Tensor:
    """L_NC1, L_NC2/3, L_perp and L: the best head from the normal equations of all samples."""
    inputs = torch.cat([X, torch.ones(len(X), 1).double()], 1)
    targets = torch.eye(len(head.bias)).double()[labels]
    eye = len(X) * ridge * torch.eye(inputs.shape[1]).double()
    best = torch.linalg.solve(inputs.T @ inputs + eye, inputs.T @ targets)
    given = torch.cat([head.weight, head.bias[:, None]], 1).T

    def loss(weights: Tensor) -> Tensor:
        errors = torch.stack([h @ weights - y for h, y in zip(inputs, targets, strict=True)])
        return (errors.square().sum() / len(X) + ridge * weights.square().sum()) / 2

    means = torch.stack([inputs[labels == c].mean(0) for c in range(len(head.bias))])
    nc23 = sum(((means[c] @ best - targets[i]).square().sum() for i, c in enumerate(labels)))
    nc23 = torch.as_tensor(nc23) / (2 * len(X))
    return torch.stack([loss(best) - nc23, nc23, loss(given) - loss(best), loss(given)])


def merged_at_collapse() -> Check:
    """Spread merged from shards, against exact fractions: tiny spread, far from the origin."""
    g = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(20)
    X = 1000.0 + labels[:, None] + 1e-7 * torch.randn(60, 2, generator=g, dtype=torch.float64)
    shards = [ClassStats.of(x, y, 3) for x, y in zip(X.split(7), labels.split(7), strict=True)]
    merged = sum(shards[1:], shards[0])
    exact = [_exact_spread(X[labels == c].tolist()) for c in range(3)]
    pairs = zip(merged.spread.tolist(), exact, strict=True)
    worst = max(abs(found / float(true) - 1) for found, true in pairs)
    return Check("the spread of nine merged shards near collapse, from fractions", worst, 1e-4)


def _exact_spread(rows: list[list[float]]) -> Fraction:
    """Sum of squared distances to the mean, in exact arithmetic."""
    columns = [[Fraction(x) for x in column] for column in zip(*rows, strict=True)]
    means = [sum(column, Fraction(0)) / len(column) for column in columns]
    gaps = [(x - mean) ** 2 for column, mean in zip(columns, means, strict=True) for x in column]
    return sum(gaps, Fraction(0))


@cache
def _trained(weight_decay: float) -> tuple[ClassStats, Head]:
    """A linear layer trained to its optimum: mean-reduced MSE, weight decay in the optimizer."""
    X, labels, start = _sample(3, [4, 6, 10], 3)
    layer = nn.Linear(3, 3).double()
    with torch.no_grad():
        layer.weight.copy_(start.weight)
        layer.bias.copy_(start.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3, momentum=0.9, weight_decay=weight_decay)
    targets = torch.eye(3).double()[labels]
    for _ in range(500):
        optimizer.zero_grad()
        nn.functional.mse_loss(layer(X), targets).backward()
        optimizer.step()
    return ClassStats.of(X, labels, 3), Head.of(layer)


def trained_to_the_ridge() -> Check:
    """A trained layer has no L_perp under the ridge C wd / 2."""
    stats, head = _trained(weight_decay=0.05)
    terms = decompose(stats, head, ridge_from_weight_decay(0.05, 3, "mean"))
    return Check("L_perp of a trained layer under C wd / 2", terms.perp / terms.total, 1e-12)


def other_ridge_sees_a_gap() -> Check:
    """The same layer under wd / 2, the reading of the authors' code, seems not to be the best."""
    stats, head = _trained(weight_decay=0.05)
    terms = decompose(stats, head, 0.05 / 2)
    gap = terms.perp / terms.total
    return Check("L_perp of the same layer under wd / 2, above 1e-4", 1e-4 - gap, 0.0)


def vanishing_ridge() -> Check:
    """The limit of a small ridge where a feature never varies is not the head without one."""
    X, labels, _ = _sample(1, [5, 7, 4], 3)
    X = torch.cat([X, torch.full((16, 1), 2.0).double()], 1)
    stats = ClassStats.of(X, labels, 3)
    none, tiny = least_squares(stats, 0.0), least_squares(stats, 1e-9)
    q = torch.tensor([0.0, 0.0, 0.0, 2.0]).double()
    weight = none.weight + torch.outer(none.bias, q) / (1 + q @ q)
    error = (tiny.weight - weight).norm() + (tiny.bias - none.bias / (1 + q @ q)).norm()
    return Check("the head of a vanishing ridge, from the head without one", float(error), 1e-7)
