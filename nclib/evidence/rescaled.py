"""The rescaled squared loss in numbers: closed forms against logits, autograd and descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd.functional import hessian

from ..simplex import centering, simplex_etf
from ..theory import landscape
from ..theory.rescaled import LocalLandscape, cross_entropy_gradient, plane_logits
from .check import Check, worst_of

__all__ = [
    "cross_entropy_with_many_classes",
    "curvature_by_differentiation",
    "flow_by_small_steps",
    "logits_in_the_plane",
    "minimizers_by_descent",
    "polar_loss_by_logits",
    "slopes_by_differentiation",
    "target_is_a_unit",
]

# K, n, lambda_W, lambda_H, lambda_b, alpha, M: every regime, alpha below and above one.
CASES = (
    (4, 3, 5e-2, 5e-2, 1e-2, 5.0, 1.0),
    (4, 3, 5e-2, 5e-2, 2.0, 5.0, 1.0),
    (3, 2, 1e-1, 5e-2, 1e-2, 0.5, 2.0),
    (3, 2, 1e-1, 5e-2, 5.0, 0.5, 2.0),
    (5, 2, 5e-2, 1e-1, 2e-1, 1.0, 5.0),
    (4, 3, 0.3, 0.2, 1e-1, 1.0, 1.0),
    (4, 3, 0.3, 0.2, 1e-1, 5.0, 2.0),
)


def polar_loss_by_logits() -> Check:
    """Features in random directions around their vertex, logit by logit."""
    worst = 0.0
    for land, h, s, theta in _features():
        exact = _loss(land, h)
        worst = worst_of(worst, abs(float(land.loss(s, theta) - exact) / float(exact)))
    return Check("polar loss, against the loss of 60 features", worst, 1e-12)


def slopes_by_differentiation() -> Check:
    """The two slopes, against automatic differentiation."""
    worst = 0.0
    for land, _, s, theta in _features():
        polar = s.requires_grad_(), theta.requires_grad_()
        exact = torch.autograd.grad(land.loss(*polar), polar)
        pairs = zip((x.detach() for x in land.gradient(*polar)), exact, strict=True)
        worst = worst_of(worst, *(abs(float(a - b)) / (1 + abs(float(b))) for a, b in pairs))
    return Check("slopes in radius and angle, against automatic differentiation", worst, 1e-12)


def curvature_by_differentiation() -> Check:
    """Eigenvalues of the automatic Hessian in h: the two closed ones, and one zero outside."""
    worst = 0.0
    for land, h, _, _ in _features():
        K = len(h)
        found = torch.linalg.eigvalsh(_square(hessian(_loss_of(land), h)))
        closed = [0.0, *[land.transverse_curvature] * (K - 2), land.radial_curvature]
        expected = torch.tensor(sorted(closed), dtype=torch.float64)
        worst = worst_of(worst, float((found - expected).abs().max()))
    return Check("eigenvalues of the Hessian in the feature", worst, 1e-11)


def flow_by_small_steps() -> Check:
    """Small steps of the exact field against the closed flow; halving the step halves the gap."""
    land, gaps = LocalLandscape(6, alpha=4.0, M=2.0, rho=0.8, beta=0.1), []
    start = torch.tensor([-0.3, 0.9], dtype=torch.float64)
    s, theta = float(start.norm()), math.atan2(0.9, -0.3)
    end = torch.stack(land.flow(s, theta, torch.tensor(1.0, dtype=torch.float64)))
    spring = land.transverse_curvature
    for steps in (1000, 2000):
        along, across = 1.0 * start[0], 1.0 * start[1]
        for _ in range(steps):
            pull = land.rho * (land.alpha * (land.M - land.rho * along - land.beta))
            pull = pull + land.rho * (land.rho * along + land.beta)
            along = along - (spring * along - pull) / steps
            across = across - spring * across / steps
        gaps.append(float((torch.stack([along, across]) - end).norm()))
    return Check(
        "gap of the flow to small steps, halved with the step", abs(gaps[0] / gaps[1] - 2), 1e-2
    )


def logits_in_the_plane() -> Check:
    """Proposition C.1 against inner products with the vertices."""
    worst = 0.0
    for K in (3, 4, 10, 50):
        vertices = simplex_etf(K)
        aside = vertices[1] - (vertices[1] @ vertices[0]) * vertices[0]
        for turn in (0.0, 0.7, 2.0):
            feature = math.cos(turn) * vertices[0] + math.sin(turn) * aside / aside.norm()
            s, theta = torch.tensor([1.6, turn], dtype=torch.float64)
            own, other, rest = plane_logits(s, theta, K)
            expected = torch.stack([own, other, *[rest] * (K - 2)])
            worst = worst_of(worst, float((1.6 * vertices @ feature - expected).abs().max()))
    return Check("logits in the plane of two vertices", worst, 1e-12)


def cross_entropy_with_many_classes() -> Check:
    """The gradient of cross-entropy at a billion classes, against (-cos, s sin)."""
    s, theta = torch.meshgrid(
        torch.linspace(0.2, 3, 8, dtype=torch.float64),
        torch.linspace(0.0, 3.1, 8, dtype=torch.float64),
        indexing="ij",
    )
    in_s, in_theta = cross_entropy_gradient(s, theta, 10**9)
    gap = torch.maximum((in_s + theta.cos()).abs(), (in_theta - s * theta.sin()).abs())
    return Check(
        "cross-entropy slopes of many classes, against their limit", float(gap.max()), 1e-7
    )


def target_is_a_unit() -> Check:
    """The objective with target M at scaled variables, against M^2 times that with target 1."""
    worst = 0.0
    for K, n, lW, lH, lb, alpha, M in CASES:
        W, H, b = _start(K, n, seed=K)
        scaled = _objective(M**0.5 * W, M**0.5 * H, M * b, (lW, lH, lb), alpha, M)
        unit = _objective(W, H, b, (lW / M, lH / M, lb), alpha, 1.0)
        worst = worst_of(worst, abs(float(scaled / (M**2 * unit)) - 1))
    return Check("the target as a unit of length, on random networks", worst, 1e-12)


def minimizers_by_descent() -> Check:
    """Values and Gram matrices of the closed minimizers, against L-BFGS from random starts."""
    worst = 0.0
    for K, n, lW, lH, lb, alpha, M in CASES:
        best = landscape.minimizer(K, n, lW, lH, lb, alpha, M)
        W, H, b = _descend(K, n, (lW, lH, lb), alpha, M)
        gap = float(_objective(W, H, b, (lW, lH, lb), alpha, M)) - best.value
        common = torch.full((K, K), 1 / K, dtype=torch.float64)
        gram = math.sqrt(n * lH / lW) * (best.x * centering(K) + best.y * common)
        worst = worst_of(worst, abs(gap) * 1e2, float((W @ W.T - gram).abs().max()))
    return Check(
        "minimizers for seven choices of (alpha, M) and decays, against descent", worst, 1e-5
    )


def _features() -> Iterator[tuple[LocalLandscape, Tensor, Tensor, Tensor]]:
    """Random landscapes, each with a feature (K,) of class 0, its radius and angle."""
    generator = torch.Generator().manual_seed(0)
    for k in range(60):
        K = 3 + k % 6
        alpha, M, rho = (0.3 + 4 * torch.rand(3, generator=generator)).tolist()
        beta = float(torch.randn((), generator=generator)) / 3
        vertices = simplex_etf(K)
        mix = torch.randn(K, generator=generator, dtype=torch.float64)
        h = mix @ vertices
        s = h.norm()
        theta = torch.acos(h @ vertices[0] / s)
        yield LocalLandscape(K, alpha, M, rho, beta), h, s, theta


def _loss_of(land: LocalLandscape) -> Callable[[Tensor], Tensor]:
    return lambda h: _loss(land, h)


def _loss(land: LocalLandscape, h: Tensor) -> Tensor:
    """Logit by logit."""
    logits = land.rho * simplex_etf(len(h)) @ h + land.beta
    wrong = sum((z**2 for z in logits[1:]), torch.zeros(()))
    return (land.alpha * (logits[0] - land.M) ** 2 + wrong) / 2


def _square(matrix: object) -> Tensor:
    assert isinstance(matrix, Tensor)
    return matrix


def _objective(
    W: Tensor, H: Tensor, b: Tensor, decays: tuple[float, float, float], alpha: float, M: float
) -> Tensor:
    """Zhou et al. 2022, Eq. (4), with features H (d, K n), class after class."""
    K, N = len(W), H.shape[1]
    Y = torch.eye(K, dtype=torch.float64).repeat_interleave(N // K, 1)
    errors = (W @ H + b[:, None] - M * Y).square()
    data = (errors * (1 + (alpha - 1) * Y)).sum() / (2 * N)
    return data + sum(l / 2 * p.square().sum() for l, p in zip(decays, (W, H, b), strict=True))


def _start(K: int, n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((K, K + 1), (K + 1, K * n), (K,))
    W, H, b = (torch.randn(s, generator=generator, dtype=torch.float64) / 2 for s in shapes)
    return W, H, b


def _descend(
    K: int, n: int, decays: tuple[float, float, float], alpha: float, M: float
) -> tuple[Tensor, Tensor, Tensor]:
    variables = tuple(p.requires_grad_() for p in _start(K, n, seed=1))
    optimizer = torch.optim.LBFGS(
        variables,
        max_iter=300,
        tolerance_grad=1e-9,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    W, H, b = variables

    def closure() -> float:
        optimizer.zero_grad()
        value = _objective(W, H, b, decays, alpha, M)
        torch.autograd.backward(value)
        return float(value.detach())

    optimizer.step(closure)
    return W.detach(), H.detach(), b.detach()
