"""Mixon, Parshall & Pi 2022 in numbers: small starts, both figures, and what is left over."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from ..theory import small_start as small
from ..theory import unconstrained as free
from ..theory.unconstrained import Errors, Point
from .check import Check, worst_of

__all__ = [
    "bound_is_sharp",
    "distance_follows_size",
    "errors_follow_size",
    "leftovers_are_forecast",
    "linear_phase_by_integration",
    "linear_phase_is_bounded",
    "plateau_decays_slower",
    "plateau_is_the_risk",
    "share_by_integration",
    "small_start_is_linear",
]

SIZES = ((3, 3, 15), (4, 1, 6), (2, 5, 3), (5, 2, 4))  # C, N, p
SCALES = torch.tensor([1e-2, 1e-3, 1e-4, 1e-5], dtype=torch.float64)


def linear_phase_by_integration() -> Check:
    """Theorem 2's equation, integrated as it stands, against the closed form."""
    from scipy.integrate import solve_ivp

    worst = 0.0
    for C, N, p in SIZES:
        W, H = _normal(C, p, seed=1), _normal(p, C * N, seed=2)
        like, labels = Point(W, H, torch.zeros(C).double()), free.targets(C, N)

        def velocity(_: float, flat: object, like: Point = like, labels: Tensor = labels) -> object:
            W, H, b = _shaped(torch.as_tensor(flat), like)
            A = b[:, None] - labels
            return _flat(Point(-A @ H.T, -W.T @ A, -A.sum(1))).numpy()

        end = solve_ivp(velocity, (0, 1.3), _flat(like).numpy(), "DOP853", rtol=1e-11, atol=1e-11)
        told = _flat(Point(*small.linear_phase(W, H, 1.3)))
        worst = worst_of(worst, float((torch.as_tensor(end.y[:, -1]) - told).norm() / told.norm()))
    return Check("the linear phase, against integration", worst, 1e-8)


def linear_phase_is_bounded() -> Check:
    """Theorem 2 on 1,200 random starts at random times, half of them near the worst."""
    worst, generator = -math.inf, torch.Generator().manual_seed(0)
    for k in range(1200):
        C, N, p = SIZES[k % len(SIZES)]
        scale = 10 ** (4 * torch.rand(2, generator=generator).double() - 2)
        W, H = scale[0] * _normal(C, p, seed=k), scale[1] * _normal(p, C * N, seed=k + 5000)
        extra = small.worst_start(C, N, _normal(p, seed=k + 9000)) if k % 2 else (0.0, 0.0)
        W, H = W + extra[0], H + extra[1]
        worst = worst_of(worst, _excess(W, H, t=float(4 * torch.rand(1, generator=generator))))
    return Check("Theorem 2's inequality, left minus right over right, 1,200 starts", worst, 1e-12)


def bound_is_sharp() -> Check:
    """Starts with equal rows reach the bound as time grows."""
    gaps = []
    for C, N, p in SIZES:
        W, H = small.worst_start(C, N, _normal(p, seed=3))
        gaps.append(abs(_excess(W, H, t=40.0 / (C * N))))
    return Check("the constant of Theorem 2 is attained", worst_of(*gaps), 1e-12)


def small_start_is_linear() -> Check:
    """The true flow from size 1e-6 against the linear phase, until features have grown a lot."""
    worst = 0.0
    for C, N, p in SIZES:
        start = free.random_start(C, N, p, torch.tensor(1e-6, dtype=torch.float64), seed=4)
        end = free.flow(start, torch.tensor([3 / math.sqrt(N)], dtype=torch.float64), rtol=1e-12)
        told = small.linear_phase(start.W, start.H, 3 / math.sqrt(N))
        worst = worst_of(
            worst, *(float((x[0] - y).norm() / y.norm()) for x, y in zip(end, told, strict=True))
        )
    return Check("the flow from a start of size 1e-6, against the linear phase", worst, 1e-6)


@cache
def _ends() -> tuple[Point, Errors, Tensor]:
    """Ends of descent for one start of several sizes, and the largest distance to S on the way.

    C = N = 3, p = 15, 5,000 steps of 0.01; on the way means after the first 100 of them.
    """
    one = free.random_start(3, 3, 15, torch.tensor(1.0, dtype=torch.float64), seed=0)
    start = Point(*(x.expand(4, *x.shape) * _like(SCALES, x) for x in one))
    path = free.descend(start, 0.01, 5000, record=100)
    end = Point(*(x[-1] for x in path))
    return end, free.errors(*end), free.errors(*path).distance[1:].amax(0)


def errors_follow_size() -> Check:
    """Figure 1: the three errors go with the powers 2, 1 and 1 of the size of the start."""
    _, errors, _ = _ends()
    slopes = [_slope(error) for error in (errors.snc1, errors.snc2, errors.snc3)]
    gap = worst_of(*(abs(slope - power) for slope, power in zip(slopes, (2, 1, 1), strict=True)))
    limits = zip(errors, (SCALES**2, SCALES, SCALES, SCALES), strict=True)
    gap = gap if all(bool((error <= limit).all()) for error, limit in limits) else math.inf
    return Check("powers 2, 1, 1 of the start's size in (SNC1)-(SNC3)", gap, 0.01)


def distance_follows_size() -> Check:
    """Figure 2: the distance to S goes with the size of the start, at the end and on the way."""
    _, errors, on_the_way = _ends()
    gap = worst_of(*(abs(_slope(seen) - 1) for seen in (errors.distance, on_the_way)))
    near = bool((on_the_way <= 3 * SCALES).all())
    return Check("power 1 in the distance to S", gap if near else math.inf, 0.01)


def leftovers_are_forecast() -> Check:
    """Ends of the flow from starts of size 1e-3 against the forecast from the start."""
    worst = 0.0
    for C, N, p in SIZES:
        start = free.random_start(C, N, p, torch.tensor(1e-3, dtype=torch.float64), seed=1)
        end = free.flow(start, torch.tensor([32 / math.sqrt(N)], dtype=torch.float64))
        told = free.errors(*small.forecast(start.W, start.H))
        seen = free.errors(*(x[0] for x in end))
        worst = worst_of(
            worst, *(float(abs(x / y - 1)) for x, y in zip(seen[1:], told[1:], strict=True))
        )
    return Check("(SNC2), (SNC3) and distance to S after a start of size 1e-3", worst, 1e-4)


def share_by_integration() -> Check:
    """The surviving share, a ratio of Gamma functions, against its equation, integrated."""
    from scipy.integrate import solve_ivp

    worst = 0.0
    for C, N in ((2, 1), (3, 3), (4, 9), (10, 50)):
        root = math.sqrt(N)

        def velocity(t: float, y: list[float], C: int = C, N: int = N, r: float = root) -> object:
            sigma = math.sqrt(r / (1 + math.exp(-2 * r * t)))
            push = sigma * y[0] + C * N * y[1]
            return [-sigma * push, -push]

        ends = (-9 / root, 12 / root)
        found = solve_ivp(velocity, ends, [1.0, 0.0], "LSODA", rtol=1e-10, atol=1e-12)
        worst = worst_of(worst, abs(float(found.y[0, -1]) - small.surviving_share(C, N)))
    return Check("the surviving share, against integration", worst, 1e-6)


def plateau_is_the_risk() -> Check:
    """After the fast phase the risk is the plateau, and goes with the fourth power."""
    end, _, _ = _ends()
    risk, told = free.risk(*end), small.plateau(end.W, end.H)
    gap = worst_of(float((risk / told - 1).abs().max()), abs(_slope(risk) - 4))
    return Check("risk after the fast phase: the plateau, and power 4", gap, 0.03)


def plateau_decays_slower() -> Check:
    """A smaller start has the lower but slower plateau; error is the ratio of the two rates."""
    scale = torch.tensor([1e-1, 1e-2], dtype=torch.float64)
    one = free.random_start(3, 3, 15, torch.tensor(1.0, dtype=torch.float64), seed=0)
    start = Point(*(x.expand(2, *x.shape) * _like(scale, x) for x in one))
    path = free.descend(start, 0.1, 6000, record=1500)
    risk = free.risk(*path)
    rates = (risk[1] / risk[-1]).log()
    return Check("decay of the plateau, a ten times smaller start over the larger", *_ratio(rates))


def _ratio(rates: Tensor) -> tuple[float, float]:
    return float(rates[1] / rates[0]), 0.02  # the sizes squared would give 0.01


def _excess(W: Tensor, H: Tensor, t: float) -> float:
    """(left - right) / right in Theorem 2."""
    C, N = len(W), H.shape[1] // len(W)
    V, V_H = small.growing_part(W, H)
    W_t, H_t, _ = small.linear_phase(W, H, t)
    grown = math.exp(math.sqrt(N) * t)
    left = torch.hypot((W_t - grown * V).norm(), (H_t - grown * V_H).norm())
    right = small.bound_constant(C, N) * torch.hypot((W - V).norm(), (H - V_H).norm())
    return float(left / right - 1)


def _slope(values: Tensor) -> float:
    """Power of the scale, between the smallest and the largest."""
    return float((values[0] / values[-1]).log() / (SCALES[0] / SCALES[-1]).log())


def _like(scale: Tensor, x: Tensor) -> Tensor:
    """Sizes in front of the dimensions of x."""
    return scale.reshape(-1, *[1] * x.ndim)


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _flat(point: Point) -> Tensor:
    return torch.cat([x.flatten() for x in point])


def _shaped(flat: Tensor, like: Point) -> Point:
    parts = flat.split([x.numel() for x in like])
    return Point(*(x.reshape(y.shape) for x, y in zip(parts, like, strict=True)))
