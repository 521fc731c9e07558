"""Mixon, Parshall & Pi 2022 in numbers: closed forms against brute force on random points."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ..decisions import decide
from ..head import Head
from ..metrics import METRICS, measure
from ..stats import ClassStats
from ..theory import small_start as small
from ..theory import unconstrained as free
from ..theory.unconstrained import Point
from .check import Check, worst_of

__all__ = [
    "collapse_curvature",
    "conserved_along_flow",
    "conserved_under_descent",
    "descent_stays_on_subspace",
    "flow_on_subspace",
    "limit_on_subspace",
    "metrics_at_collapse",
    "plateau_splits_off",
    "projection_by_least_squares",
    "risk_on_subspace",
    "saddle_curvature",
    "slopes_by_differentiation",
]

SIZES = ((3, 3, 15), (4, 1, 6), (2, 5, 3), (5, 2, 4), (3, 4, 2))  # C, N, p; p = C - 1 among them


def metrics_at_collapse() -> Check:
    """Every measurement of METRICS at strongly collapsed points, and the nearest-mean rule.

    Also (SNC1)-(SNC3) themselves, the distance to S and the risk: all zero.
    """
    worst = 0.0
    for C, N, p in SIZES[:4]:
        W, H, b = free.strong_collapse(C, N, p)
        worst = worst_of(worst, *map(float, free.errors(W, H, b)), float(free.risk(W, H, b)))
        turn = torch.linalg.qr(_normal(p, p, seed=p)).Q
        features, head = (turn.T @ H).T, Head(W @ turn, b)
        labels = torch.arange(C).repeat_interleave(N)
        stats = ClassStats.of(features, labels, C)
        limits = {k: METRICS[k].at_collapse for k in METRICS if METRICS[k].frame == "simplex"}
        gaps = (
            abs(x - y) for k, x in measure(stats, head).items() if (y := limits.get(k)) is not None
        )
        worst = worst_of(worst, *gaps)
        worst = worst_of(worst, decide(features, labels, head, stats.means).nearest_mean_mismatch)
    return Check("NC1 to NC4 as METRICS measures them, at strong collapse", worst, 1e-7)


def slopes_by_differentiation() -> Check:
    """The gradient against automatic differentiation."""
    worst = 0.0
    for point in _random_points():
        leaves = [x.clone().requires_grad_() for x in point]
        exact = torch.autograd.grad(free.risk(*leaves), leaves)
        worst = worst_of(worst, _gap(free.gradient(*point), exact))
    return Check("slopes of the risk, against automatic differentiation", worst, 1e-12)


def projection_by_least_squares() -> Check:
    """The nearest point of S against least squares on a basis of S made from its definition."""
    worst = 0.0
    for (C, N, p), point in zip(SIZES, _random_points(), strict=True):
        samples = (_on_subspace(C, N, p, seed) for seed in range(p * (C - 1) + 1))
        basis = torch.stack([_flat(sample) for sample in samples], 1)
        weights = torch.linalg.lstsq(basis, _flat(point)[:, None]).solution
        worst = worst_of(worst, _gap((basis @ weights,), (_flat(free.project(*point))[:, None],)))
    return Check("projection onto S, against least squares", worst, 1e-9)


def descent_stays_on_subspace() -> Check:
    """Distance to S after 300 steps of descent from points of S."""
    worst = 0.0
    for C, N, p in SIZES:
        path = free.descend(_on_subspace(C, N, p, seed=1), 0.02, 300, record=300)
        worst = worst_of(worst, float(free.errors(*path).distance[-1]))
    return Check("relative distance to S after descent from S", worst, 1e-12)


def risk_on_subspace() -> Check:
    """Lemma 4's two squares against the risk summed over samples, on random points of S."""
    worst = 0.0
    for C, N, p in SIZES:
        point = _on_subspace(C, N, p, seed=2)
        split = free.risk_on_subspace(point.W, point.b, N)
        worst = worst_of(worst, float(abs(split / free.risk(*point) - 1)))
    return Check("risk on S, against the sum over samples", worst, 1e-12)


def flow_on_subspace() -> Check:
    """Theorem 3's closed form against an integrator of the whole flow."""
    worst, times = 0.0, torch.tensor([0.1, 0.5, 1.5])
    for C, N, p in SIZES:
        start = _on_subspace(C, N, p, seed=3)
        closed = free.subspace_flow(start.W, start.b, N, times)
        worst = worst_of(worst, _gap(free.flow(start, times), closed))
    return Check("flow on S, against integration of the whole flow", worst, 1e-7)


def limit_on_subspace() -> Check:
    """W W^T goes to sqrt(N) times the projector onto the range of W, whatever its rank."""
    worst = 0.0
    for C, N, p in SIZES:
        U, sigma, V = torch.linalg.svd(_on_subspace(C, N, p, seed=4).W, full_matrices=False)
        for rank in range(C):
            W = (U[:, :rank] * sigma[:rank]) @ V[:rank]
            late = torch.tensor(10 / math.sqrt(N))
            end = free.subspace_flow(W, torch.zeros(C).double(), N, late).W
            limit = math.sqrt(N) * U[:, :rank] @ U[:, :rank].T
            worst = worst_of(worst, float((end @ end.T - limit).norm()))
    return Check("limit on S, against sqrt(N) times the projector onto the range", worst, 1e-6)


def conserved_along_flow() -> Check:
    """W^T W - H H^T along the flow of the whole risk, from points off S."""
    worst, times = 0.0, torch.tensor([0.2, 1.0, 3.0])
    for point in _random_points():
        path = free.flow(point, times)
        change = free.imbalance(path.W, path.H) - free.imbalance(point.W, point.H)
        worst = worst_of(worst, float(change.abs().max()))
    return Check("W^T W - H H^T along the flow", worst, 1e-8)


def conserved_under_descent() -> Check:
    """A step of descent changes W^T W - H H^T by the step squared times that of the slopes."""
    worst = 0.0
    for point in _random_points():
        path, slopes = free.descend(point, 0.1, 1), free.gradient(*point)
        before, after = free.imbalance(path.W, path.H)
        worst = worst_of(
            worst, _gap((after,), (before + 0.01 * free.imbalance(slopes.W, slopes.H),))
        )
    return Check("change of W^T W - H H^T in a step of descent", worst, 1e-12)


def saddle_curvature() -> Check:
    """Eigenvalues of the Hessian at (0, 0, 1/C), by differentiation, against the list."""
    gaps = []
    for C, N, p in SIZES:
        W, H = torch.zeros(C, p).double(), torch.zeros(p, C * N).double()
        found = free.hessian(W, H, torch.full((C,), 1 / C, dtype=torch.float64))
        gaps.append(_spectral_gap(found, small.saddle_spectrum(C, N, p)))
    return Check("spectrum of the Hessian at the saddle", worst_of(*gaps), 1e-9)


def collapse_curvature() -> Check:
    """Eigenvalues of the Hessian at strong collapse, by differentiation, against the list."""
    gaps = [
        _spectral_gap(free.hessian(*free.strong_collapse(*size)), small.collapse_spectrum(*size))
        for size in SIZES
    ]
    return Check("spectrum of the Hessian at strong collapse", worst_of(*gaps), 1e-9)


def plateau_splits_off() -> Check:
    """The plateau is the squared residual along 1_C times within-class patterns, at any point."""
    worst = 0.0
    for (C, N, _), point in zip(SIZES, _random_points(), strict=True):
        common = free.residual(*point).mean(0).unflatten(0, (C, N))  # all outputs alike
        slow = C / 2 * (common - common.mean(1, keepdim=True)).square().sum()
        worst = worst_of(worst, float(abs(small.plateau(point.W, point.H) - slow)))
    return Check("the plateau as a part of the residual", worst, 1e-12)


def _spectral_gap(matrix: Tensor, spectrum: small.Spectrum) -> float:
    """Largest difference between sorted eigenvalues, infinite if their number is another."""
    found = torch.linalg.eigvalsh(matrix)
    values = [value for value, count in spectrum for _ in range(count)]
    told = torch.tensor(values, dtype=torch.float64)
    return float((found - told).abs().max()) if len(found) == len(told) else math.inf


def _random_points() -> list[Point]:
    """A point of ordinary size for each of SIZES, far from S."""
    return [
        Point(_normal(C, p, seed=1), _normal(p, C * N, seed=2), _normal(C, seed=3))
        for C, N, p in SIZES
    ]


def _on_subspace(C: int, N: int, p: int, seed: int) -> Point:
    """A random point of S, straight from its definition."""
    W = _normal(C, p, seed=seed)
    W = W - W.mean(0)
    columns = [W[c] / math.sqrt(N) for c in range(C) for _ in range(N)]
    return Point(W, torch.stack(columns, 1), _normal(1, seed=seed + 1000).expand(C))


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _flat(point: Point) -> Tensor:
    return torch.cat([x.flatten() for x in point])


def _gap(found: Iterable[Tensor], told: Iterable[Tensor]) -> float:
    """Largest distance between the parts, relative to the size of what was told."""
    pairs = zip(found, told, strict=True)
    return worst_of(*(float((x - y).norm() / y.norm().clamp(min=1e-300)) for x, y in pairs))
