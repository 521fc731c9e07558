"""Mixon, Parshall & Pi 2022 in numbers: closed forms against brute force on random points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor

from ..head import Head, decide
from ..metrics import METRICS, measure
from ..stats import ClassStats
from ..theory import small_start as small
from ..theory import unconstrained as free
from ..theory.unconstrained import Point
from .check import Check

__all__ = [
    "bound_is_sharp",
    "collapse_curvature",
    "conserved_along_flow",
    "descent_stays_on_subspace",
    "distance_to_subspace",
    "errors_shrink_with_start",
    "figures_are_forecast",
    "flow_on_subspace",
    "fourth_power_plateau",
    "leftovers_are_forecast",
    "limit_on_subspace",
    "linear_phase_by_integration",
    "linear_phase_is_bounded",
    "metrics_at_collapse",
    "plateau_decays_slower",
    "projection_by_least_squares",
    "risk_on_subspace",
    "saddle_curvature",
    "share_by_integration",
    "slopes_by_differentiation",
]

SIZES = ((3, 3, 15), (4, 1, 6), (2, 5, 3), (5, 2, 4), (3, 4, 2))  # C, N, p; p = C - 1 among them


def metrics_at_collapse() -> Check:
    """Every measurement of METRICS at strongly collapsed points, and the nearest-mean rule."""
    worst = 0.0
    for C, N, p in SIZES[:4]:
        W, H, b = free.strong_collapse(C, N, p)
        turn = torch.linalg.qr(_normal(p, p, seed=p)).Q
        features, head = (turn.T @ H).T, Head(W @ turn, b)
        labels = torch.arange(C).repeat_interleave(N)
        stats = ClassStats.of(features, labels, C)
        found = measure(stats, head)
        worst = max(worst, *(abs(found[k] - METRICS[k].at_collapse) for k in found))
        worst = max(worst, decide(features, labels, head, stats.means).nearest_mean_mismatch)
    return Check("NC1 to NC4 as METRICS measures them, at strong collapse", worst, 1e-7)


def slopes_by_differentiation() -> Check:
    """The gradient against automatic differentiation."""
    worst = 0.0
    for point in _random_points():
        leaves = [x.clone().requires_grad_() for x in point]
        exact = torch.autograd.grad(free.risk(*leaves), leaves)
        worst = max(worst, _gap(free.gradient(*point), exact))
    return Check("slopes of the risk, against automatic differentiation", worst, 1e-12)


def projection_by_least_squares() -> Check:
    """The nearest point of S against least squares on a basis of S made from its definition."""
    worst = 0.0
    for (C, N, p), point in zip(SIZES, _random_points(), strict=True):
        samples = (_on_subspace(C, N, p, seed) for seed in range(p * (C - 1) + 1))
        basis = torch.stack([_flat(sample) for sample in samples], 1)
        weights = torch.linalg.lstsq(basis, _flat(point)[:, None]).solution
        worst = max(worst, _gap((basis @ weights,), (_flat(free.project(*point))[:, None],)))
    return Check("projection onto S, against least squares", worst, 1e-9)


def descent_stays_on_subspace() -> Check:
    """Distance to S after 300 steps of descent from points of S."""
    worst = 0.0
    for C, N, p in SIZES:
        path = free.descend(_on_subspace(C, N, p, seed=1), 0.02, 300, record=300)
        worst = max(worst, float(free.errors(*path).distance[-1]))
    return Check("relative distance to S after descent from S", worst, 1e-12)


def risk_on_subspace() -> Check:
    """Lemma 4's two squares against the risk summed over samples, on random points of S."""
    worst = 0.0
    for C, N, p in SIZES:
        point = _on_subspace(C, N, p, seed=2)
        split = free.risk_on_subspace(point.W, point.b, N)
        worst = max(worst, float(abs(split / free.risk(*point) - 1)))
    return Check("risk on S, against the sum over samples", worst, 1e-12)


def flow_on_subspace() -> Check:
    """Theorem 3's closed form against an integrator of the whole flow."""
    worst, times = 0.0, torch.tensor([0.1, 0.5, 1.5])
    for C, N, p in SIZES:
        start = _on_subspace(C, N, p, seed=3)
        closed = free.subspace_flow(start.W, start.b, N, times)
        worst = max(worst, _gap(free.flow(start, times), closed))
    return Check("flow on S, against integration of the whole flow", worst, 1e-7)


def limit_on_subspace() -> Check:
    """W W^T at infinite time is sqrt(N) times the projector onto the range, also below full rank."""
    worst = 0.0
    for C, N, p in SIZES:
        for rank in range(C):
            W = _on_subspace(C, N, p, seed=4).W
            W = W @ torch.linalg.pinv(W)[:, :rank] @ W[:rank] if rank < C - 1 else W
            end = free.subspace_flow(W, torch.zeros(C).double(), N, torch.tensor(math.inf)).W
            range_projector = W @ torch.linalg.pinv(W, rtol=1e-9)
            kept = torch.linalg.svdvals(W) > 1e-9
            assert int(kept.sum()) == min(rank, C - 1)
            U = torch.linalg.svd(W, full_matrices=False).U[:, kept]
            limit = math.sqrt(N) * range_projector
            worst = max(worst, float((U.T @ (end @ end.T - limit) @ U).norm()))
    return Check("limit on S, against sqrt(N) times the projector onto the range", worst, 1e-9)
