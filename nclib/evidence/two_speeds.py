"""Our two-speed family against brute force: free features, automatic gradients, stepped flows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import torch
from torch import Tensor

from ..snr import snr
from ..stats import ClassStats
from ..theory import discriminants, free_features
from ..theory.free_features import flow, snr_values, split_gradient, start, statistics
from ..theory.two_speeds import RenormalizedPath, TwoSpeedPath
from .check import Check, worst_of

__all__ = [
    "blind_directions",
    "budget_rests",
    "budgets_turn",
    "commuting_flows",
    "commuting_once",
    "final_shares",
    "kernel_by_differentiation",
    "means_become_the_budget",
    "renormalized_steps",
    "snr_without_trace",
    "speeds_along_flow",
    "time_and_back",
    "velocities_by_differentiation",
]

C, N = 3, 4
RATIOS = (0.0, 0.1, 0.5, 1.0)
TIMES = (0.0, 10.0, 40.0)
LATE = 580.0


def _states() -> Iterator[tuple[Tensor, ClassStats]]:
    """Random features whose covariances do not commute, of several sizes."""
    for seed, (classes, per_class, d) in enumerate(((3, 4, 5), (4, 6, 3), (2, 5, 2))):
        features = start(classes, per_class, d, seed, white=None)
        yield features, statistics(features)


def _features(dimension: int, *, stretched: bool) -> Tensor:
    """White noise around random means; stretched along the axes, the covariances do not commute."""
    features = start(C, N, dimension, seed=5, omega=[1.8, 0.9])
    return features * torch.linspace(0.8, 1.4, dimension) if stretched else features


@cache
def _path(first: str, ratio: float, dimension: int = 4, last: float = TIMES[-1]) -> Tensor:
    """Features at TIMES and a last time, by brute force, from "white", "total" or "stretched"."""
    if first == "total":
        features = start(C, N, dimension, seed=5, omega=[1.8, 0.9], white="total")
    else:
        features = _features(dimension, stretched=first == "stretched")
    times = sorted({*TIMES, last})
    return flow(partial(split_gradient, ratio=ratio), features, times, rtol=1e-11)


def _relative(found: Tensor, expected: Tensor) -> float:
    return float(((found - expected).norm() / expected.norm()).nan_to_num(torch.inf))


def velocities_by_differentiation() -> Check:
    """Both parts of the gradient, as formulas in the covariances, against differentiation."""
    worst = 0.0
    for X, stats in _states():
        classes, per_class, _ = X.shape
        inverse = stats.total.inverse() / (classes**2 * per_class)
        means = X.mean(1, keepdim=True)
        up = (means - stats.global_mean) @ inverse @ stats.within @ stats.total.inverse()
        down = (X - means) @ inverse @ stats.between @ stats.total.inverse()
        worst = worst_of(worst, _relative(down - up, free_features.gradient(X)))
    return Check("the velocities of class means and deviations, differentiated", worst, 1e-10)


def blind_directions() -> Check:
    """The gradient is orthogonal to every linear motion of the features."""
    worst = 0.0
    for X, stats in _states():
        slope = free_features.gradient(X).flatten(0, 1)
        centered = X.flatten(0, 1) - stats.global_mean
        worst = worst_of(
            worst, float((centered.T @ slope).norm() / (centered.norm() * slope.norm()))
        )
    return Check("the gradient along linear maps of the features", worst, 1e-12)


def budget_rests() -> Check:
    """Sigma_W + r Sigma_B along flows that do not commute."""
    worst = 0.0
    for ratio in RATIOS:
        kept = [discriminants.budget(statistics(x), ratio) for x in _path("stretched", ratio)]
        worst = worst_of(worst, *(_relative(later, kept[0]) for later in kept))
    return Check("the budget along flows that do not commute", worst, 1e-8)


def commuting_once() -> Check:
    """Covariances that commute at the start do so along the flow."""
    worst = 0.0
    for ratio in RATIOS:
        for x in _path("white", ratio):
            stats = statistics(x)
            product = stats.within @ stats.between
            worst = worst_of(worst, float((product - product.T).norm() / product.norm()))
    return Check("the commutator along flows that start commuting", worst, 1e-8)


def kernel_by_differentiation() -> Check:
    """The Gram matrix of the differentiated SNR values: diagonal, and the formula."""
    worst = 0.0
    for X, stats in _states():
        slopes = torch.autograd.functional.jacobian(_differentiable_snr, X).flip(0)
        means = slopes.mean(2, keepdim=True)
        for ratio in RATIOS:
            split = means + ratio * (slopes - means)
            gram = torch.einsum("icnd,jcnd->ij", slopes, split)
            worst = worst_of(worst, _relative(gram, discriminants.kernel(stats, ratio).diag()))
    return Check("the kernel of the SNR values, differentiated, is this diagonal", worst, 1e-9)


def _differentiable_snr(features: Tensor) -> Tensor:
    """The positive SNR values, least first, by other means than ``snr``."""
    classes, per_class, _ = features.shape
    means = features.mean(1)
    noise = (features - means[:, None]).flatten(0, 1) / (classes * per_class) ** 0.5
    signal = means - means.mean(0)
    root = torch.linalg.cholesky(noise.T @ noise)
    white = torch.linalg.solve_triangular(root, signal.T, upper=False)
    return torch.linalg.eigvalsh(white @ white.T)[-(classes - 1) :].sqrt()


def speeds_along_flow() -> Check:
    """The speed against differences of SNR values a little before and after, not commuting."""
    worst, h = 0.0, 1e-3
    for ratio in RATIOS:
        for x in _path("stretched", ratio):
            step = h * split_gradient(x, ratio)
            moved = (snr_values(x - step) - snr_values(x + step)) / (2 * h)
            worst = worst_of(worst, _relative(moved, discriminants.speed(statistics(x), ratio)))
    return Check("the speed of every SNR value at any state", worst, 1e-5)


def commuting_flows() -> Check:
    """The per-mode closed form against brute-force flows from white noise and from white total."""
    worst = 0.0
    for ratio in RATIOS:
        for kind in ("white", "total"):
            states = _path(kind, ratio)
            first = statistics(states[0])
            budgets = discriminants.mode_budgets(first, ratio)
            path = TwoSpeedPath(C, N, snr(first).omega, ratio, budgets)
            times = torch.tensor(TIMES, dtype=torch.float64)
            # From a white total the largest mode may be overtaken: compare sorted values.
            found = path.at(times).sort(descending=True).values
            worst = worst_of(worst, _relative(found, snr_values(states)))
    return Check("the law of each mode against commuting flows", worst, 1e-8)


def budgets_turn() -> Check:
    """Without commuting, budgets of modes do move: the per-mode law is then not closed."""
    states = _path("stretched", 0.5)
    first, last = (discriminants.mode_budgets(statistics(states[k]), 0.5) for k in (0, -1))
    return Check(
        "budgets of modes move by a twentieth at least", 0.05 - _relative(last, first), 0.0
    )


def time_and_back() -> Check:
    """From time to SNR values and back, up to 1e9, for both families."""
    times, worst = torch.logspace(-1, 9, 21).double(), 0.0
    omega, ones = torch.tensor([3.0, 0.8]).double(), torch.ones(2).double()
    for ratio in (0.0, 1e-6, 1e-3, 0.1, 1.0):
        for path in (TwoSpeedPath(C, N, omega, ratio, ones), RenormalizedPath(C, N, omega, ratio)):
            values = path.at(times)
            there = torch.isfinite(values)
            back = path.time_to(torch.where(there, values, 1.0))
            worst = worst_of(
                worst, _relative((back / times[:, None])[there], torch.ones(int(there.sum())))
            )
    return Check("times, from SNR values solved for them", worst, 1e-9)


def final_shares() -> Check:
    """The limit of the ratios at equal budgets against late times, and the power r^2."""
    worst, ones = 0.0, torch.ones(2).double()
    for ratio in RATIOS[1:]:
        path = TwoSpeedPath(C, N, torch.tensor([1e-3, 1e-4]).double(), ratio, ones)
        late = path.log_at(1e3 * N * C**2 / ratio**2)
        worst = worst_of(worst, abs(float(late[1] - late[0] - path.final_shares[1].log())))
        worst = worst_of(worst, abs(float(path.final_shares[1]) - 10 ** -(ratio**2)))
    return Check(
        "the ratio in the limit; small starts to the power of the ratio squared", worst, 1e-6
    )


def means_become_the_budget() -> Check:
    """With d = C-1 all noise is spent: r Sigma_B goes to the budget, commuting or not."""
    states = _path("stretched", 1.0, 2, 1000.0)
    first, last = statistics(states[0]), statistics(states[-1])
    error = _relative(last.between, discriminants.budget(first, 1.0))
    return Check("late class means against the initial budget, d = C-1", error, 1e-4)


def snr_without_trace() -> Check:
    """With d > C-1 and no commuting, SNR values diverge while tr(Sigma_W Sigma_B^+)/C stays."""
    stats = statistics(_path("stretched", 1.0, 4, LATE)[-1])
    trace = float((stats.within @ torch.linalg.pinv(stats.between, rtol=1e-9)).trace() / C)
    shortfall = worst_of(0.01 - trace, 1e3 - float(snr(stats).omega.min()))
    return Check("trace NC1 above 0.01 where all SNR values are above 1000", shortfall, 0.0)


def renormalized_steps() -> Check:
    """Small two-speed steps, whitened after each, against the sister family's closed form."""
    worst, last = 0.0, 12.0
    first = start(C, N, 4, seed=3, omega=[1.8, 0.9])
    for ratio in (0.0, 0.3, 1.0):
        ends = []
        for steps in (12, 24):
            x = first
            for _ in range(steps):
                x = free_features.whitened(x - last / steps * split_gradient(x, ratio))
            ends.append(snr_values(x))
        limit = 2 * ends[1] - ends[0]  # the error of first order in the step cancels
        path = RenormalizedPath(C, N, snr_values(first), ratio)
        worst = worst_of(worst, _relative(limit, path.at(last)))
    return Check("two-speed steps with whitening, extrapolated to small steps", worst, 1e-4)
