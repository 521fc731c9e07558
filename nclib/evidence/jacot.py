"""Jacot et al. 2025 in numbers: bounds on thousands of random heads and on trained networks.

Random heads start from exact balance and an exact fit; each is then disturbed by its own amount,
from nothing to a tenth, so that bounds are tried where they are sharp and where they give up.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..data import load
from ..theory.balancing import after_descent, after_flow, shifted_pl
from ..theory.deep_head import (
    DeepHead,
    balanced_head,
    condition_bound,
    conditioning_bound,
    imbalances,
    kantorovich,
    minimum_norm_bound,
    nc1_bound,
    nc2_bound,
    nc3_bound,
)
from ..theory.orthogonal_frame import condition, nc1, nc2, nc3
from ..wide_networks import Descent, Look, WideNet, train
from .check import Check, worst_of

__all__ = [
    "balanced_heads_collapse",
    "bounds_hold_in_training",
    "condition_bound_holds",
    "conditioning_bound_holds",
    "critical_points_are_balanced",
    "depth_helps",
    "descent_balances",
    "flow_balances",
    "large_steps_condition",
    "minimum_norm_bound_holds",
    "nc1_bound_holds",
    "nc2_bound_holds",
    "nc3_bound_holds",
    "roots_of_balanced_heads",
    "shifted_pl_holds",
]

COUNT = 4000  # random heads for each bound, so that it says something on over a thousand
ROUNDING = 1e-9  # an inequality that is reached is reached up to this


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def frames(widths: list[int], rank: int, seed: int) -> list[Tensor]:
    """Random frames with orthonormal columns, (COUNT, n_l, rank) for each width."""
    return [torch.linalg.qr(normal(COUNT, n, rank, seed=seed + k))[0] for k, n in enumerate(widths)]


@cache
def balanced() -> DeepHead:
    """Balanced heads of three layers for classes of unequal size, condition numbers up to 5.

    Their inputs vary within classes, but only where the head does not look.
    """
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
    U = frames([6, 7, 5, 3], 3, seed=0)
    head = balanced_head(U, torch.exp(normal(COUNT, 3, seed=9).clamp(-0.8, 0.8)), labels)
    noise = normal(COUNT, len(labels), 6, seed=10)
    return DeepHead(head.inputs + noise - noise @ U[0] @ U[0].mT, head.weights, labels)


@cache
def disturbed() -> DeepHead:
    """The same heads, all their numbers disturbed, by 1e-7 to 1e-1 from head to head."""
    head = balanced()
    amount = 10 ** torch.linspace(-7, -1, COUNT, dtype=torch.float64)[:, None, None]
    moved = [w + amount * normal(*w.shape, seed=20 + k) for k, w in enumerate(head.weights)]
    return DeepHead(head.inputs + amount * normal(*head.inputs.shape, seed=30), moved, head.labels)


def excess(smaller: Tensor, larger: Tensor) -> float:
    """How far smaller <= larger is broken at worst, relative to the larger; NaN breaks it."""
    return float(((smaller - larger) / larger.abs().clamp(min=1e-300)).nan_to_num(torch.inf).max())


def under(says: str, smaller: Tensor, larger: Tensor) -> Check:
    """smaller <= larger wherever the bound is not infinite, on a thousand heads at least."""
    useful = larger.abs() != torch.inf  # a bound that is not a number must fail, not be left out
    count = int(useful.sum())
    broken = excess(smaller[useful], larger[useful]) if count >= 1000 else math.inf
    return Check(f"{says}, {count:,} random instances", broken, ROUNDING)


def nc1_bound_holds() -> Check:
    """NC1 against its bound."""
    head = disturbed()
    measured = nc1(head.features, head.labels, head.num_classes)
    return under("NC1 at most its bound", measured, nc1_bound(head))


def nc2_bound_holds() -> Check:
    """NC2 against its bound."""
    head = disturbed()
    measured = nc2(head.features, head.labels, head.num_classes)
    return under("NC2 at most its bound", measured, nc2_bound(head))


def nc3_bound_holds() -> Check:
    """NC3 against its bound, a lower one."""
    head = disturbed()
    measured = nc3(head.features, head.labels, head.weights[-1])
    return under("NC3 at least its bound", -measured, -nc3_bound(head))


def condition_bound_holds() -> Check:
    """The last layer's condition number against its bound from the product's."""
    head = disturbed()
    return under("kappa(W_L) at most its bound", condition(head.weights[-1]), condition_bound(head))


def conditioning_bound_holds() -> Check:
    """The product's condition number against its bound from the norms."""
    head = disturbed()
    return under("kappa(product) at most its bound", condition(head.product),
                 conditioning_bound(head))  # fmt: skip


def minimum_norm_bound_holds() -> Check:
    """Linear networks of least norm, in closed form: the layers above the first against the bound.

    Square invertible inputs X leave one map M with X M^T = Y; its cheapest factorization is
    balanced, each layer with the root of its singular values.
    """
    labels, linear = torch.arange(6) % 3, 3
    targets, X = one_hot(labels, 3).double(), normal(COUNT, 6, 6, seed=40)
    M = torch.linalg.solve(X, targets.expand(COUNT, -1, -1)).mT
    values = torch.linalg.svdvals(M)
    measured = (values[:, 0] / values[:, -1]) ** (linear / (linear + 1))
    size, cost = X.square().sum((1, 2)).sqrt(), M.square().sum((1, 2))
    least = torch.tensor(2.0, dtype=torch.float64)
    bound = minimum_norm_bound(size, least, cost, num_classes=3, nonlinear=1)
    return under("kappa(product) of networks of least norm at most its bound", measured, bound)


def balanced_heads_collapse() -> Check:
    """NC1 = 0, NC2 = kappa(W_L), NC3 above Kantorovich's value, at exact balance."""
    head = balanced()
    kappa = condition(head.weights[-1])
    spread = nc1(head.features, head.labels, 3)
    ratio = nc2(head.features, head.labels, 3) / kappa
    cosine = nc3(head.features, head.labels, head.weights[-1])
    errors = [spread.max(), (ratio - 1).abs().max(), (kantorovich(kappa) - cosine).max()]
    return Check(f"NC1, NC2 and NC3 at exact balance, {COUNT:,} heads",
                 float(torch.stack(errors).max()), 1e-12)  # fmt: skip


def roots_of_balanced_heads() -> Check:
    """kappa(W_L) is the L-th root of kappa(product), and the bound is reached."""
    head = balanced()
    kappa, root = condition(head.weights[-1]), condition(head.product) ** (1 / 3)
    errors = (kappa / root - 1).abs().max(), (condition_bound(head) / root - 1).abs().max()
    return Check(f"kappa(W_L) against the root, {COUNT:,} balanced heads",
                 float(torch.stack(errors).max()), ROUNDING)  # fmt: skip


def gradients(weights: list[Tensor], targets: Tensor) -> tuple[Tensor, ...]:
    """Of 1/2 ||Z - Y||_F^2 of a tanh layer and linear layers above it, by autograd."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    rows = torch.tanh(normal(9, 4, seed=50) @ leaves[0].mT)
    for weight in leaves[1:]:
        rows = rows @ weight.mT
    return torch.autograd.grad((rows - targets).square().sum() / 2, leaves)


def small_network() -> tuple[list[Tensor], Tensor]:
    """Weights of one tanh layer and three linear ones, and labels to fit."""
    widths = [4, 6, 5, 6, 3]
    pairs = enumerate(zip(widths, widths[1:], strict=False))
    weights = [normal(n, m, seed=60 + k) / 2 for k, (m, n) in pairs]
    return weights, one_hot(torch.arange(9) % 3, 3).double()


def descent_balances() -> Check:
    """Fifty steps of gradient descent, the imbalance of each against the identity."""
    weights, targets = small_network()
    rate, decay, worst = 0.01, 0.3, 0.0
    for _ in range(50):
        slopes = gradients(weights, targets)
        before, pairs = imbalances(weights[1:]), zip(slopes[1:], slopes[2:], strict=False)
        told = [after_descent(D, *pair, rate, decay) for D, pair in zip(before, pairs, strict=True)]
        weights = [w - rate * (g + decay * w) for w, g in zip(weights, slopes, strict=True)]
        after = imbalances(weights[1:])
        gap = [(a - b).norm() / b.norm() for a, b in zip(told, after, strict=True)]
        worst = worst_of(worst, float(torch.stack(gap).max()))
    return Check("imbalance after each of 50 steps against the identity", worst, 1e-12)


def flow_balances() -> Check:
    """A flow integrated by Runge-Kutta, its imbalance at the end against exp(-2 lambda t) D(0)."""
    weights, targets = small_network()
    decay, step, count = 0.5, 0.002, 500
    told = [after_flow(D, decay, step * count) for D in imbalances(weights[1:])]

    def slope(at: list[Tensor]) -> list[Tensor]:
        return [-(g + decay * w) for w, g in zip(at, gradients(at, targets), strict=True)]

    def moved(by: float, along: list[Tensor]) -> list[Tensor]:
        return [w + by * v for w, v in zip(weights, along, strict=True)]

    for _ in range(count):
        a = slope(weights)
        b = slope(moved(step / 2, a))
        c = slope(moved(step / 2, b))
        stages = zip(a, b, c, slope(moved(step, c)), strict=True)
        weights = moved(step / 6, [p + 2 * q + 2 * r + s for p, q, r, s in stages])
    pairs = zip(told, imbalances(weights[1:]), strict=True)
    error = worst_of(*(float((a - b).norm() / a.norm()) for a, b in pairs))
    return Check("imbalance after a flow of time 1 against exp(-2 lambda t)", error, 1e-6)


def critical_points_are_balanced() -> Check:
    """lambda D from gradients with weight decay, at a random point: zero where they vanish."""
    weights, targets = small_network()
    decay = 0.3
    total = [g + decay * w for w, g in zip(weights, gradients(weights, targets), strict=True)]
    head = list(zip(weights[1:], total[1:], strict=True))
    found = [U.mT @ u - v @ V.mT for (V, v), (U, u) in zip(head, head[1:], strict=False)]
    pairs = zip(found, imbalances(weights[1:]), strict=True)
    error = worst_of(*(float((a - decay * D).norm() / D.norm()) for a, D in pairs))
    return Check("imbalance read off the gradients of the regularized loss", error, 1e-12)


def shifted_pl_holds() -> Check:
    """Linear least squares with more unknowns than equations, alpha = 2 s_min^2.

    At random points, and, for every other problem, at its minimum, where the floor is all there is.
    """
    A, y = normal(COUNT, 3, 6, seed=70), normal(COUNT, 3, seed=71)
    theta, decay = 3 * normal(COUNT, 6, seed=72), 0.05
    ridge = A.mT @ A + decay * torch.eye(6, dtype=torch.float64)
    lowest = torch.linalg.solve(ridge, (A.mT @ y[..., None])[..., 0])
    theta[::2] = lowest[::2]
    residual = (A @ theta[..., None])[..., 0] - y
    slope = (A.mT @ residual[..., None])[..., 0] + decay * theta
    size, alpha = theta.norm(dim=1), 2 * torch.linalg.svdvals(A)[:, -1].square()
    cost = residual.square().sum(1) / 2 + decay / 2 * size.square()
    least = alpha / 2 * (cost - shifted_pl(alpha, size, decay))
    return under("shifted PL inequality", least, slope.square().sum(1))


@cache
def trained() -> tuple[Look, ...]:
    """Two seeds on a hundred digits, linear heads of two and five layers."""
    images = load("digits", split="train").balanced(10, seed=0)
    descent = Descent(steps=1200, learning_rate=0.01, weight_decay=0.2, looks=7)
    nets = [WideNet(1, linear, 32, "relu") for linear in (2, 5)]
    runs = (train(images, net, descent, (0, 1), progress=False) for net in nets)
    return tuple(look for run in runs for seen in run for look in seen[0])


def bounds_hold_in_training() -> Check:
    """All five bounds on every look at the trained networks."""
    pairs = [
        (value, bound)
        for look in trained()
        for value, bound in (
            (look.nc1, look.nc1_bound),
            (look.nc2, look.nc2_bound),
            (look.nc3_bound, look.nc3),
            (look.condition, look.condition_bound),
            (look.root**look.linear, look.conditioning_bound),
        )
    ]
    smaller, larger = torch.tensor(pairs, dtype=torch.float64).T
    useful = larger != torch.inf
    return Check("all bounds at all looks at networks in training",
                 excess(smaller[useful], larger[useful]), 0.0)  # fmt: skip


def depth_helps() -> Check:
    """Five linear layers end with smaller NC1, NC2 nearer 1 and larger NC3 than two."""
    end = {}
    for look in trained():
        end[look.linear, look.seed] = (look.nc1, look.nc2, 1 - look.nc3)  # the last look stays
    ratios = [a / b for s in (0, 1) for a, b in zip(end[5, s], end[2, s], strict=True)]
    return Check("NC1, NC2 and 1 - NC3 at five linear layers over those at two", max(ratios), 1.0)


def large_steps_condition() -> Check:
    """Half the learning rate and twice the steps: the class means end worse conditioned."""
    images, excess_of = load("digits", split="train").balanced(10, seed=0), []
    for parts in (1, 2):
        descent = Descent(800 * parts, 0.012 / parts, weight_decay=0.25, looks=2)
        *_, (looks, _) = train(images, WideNet(1, 4, 32, "relu"), descent, (0,), progress=False)
        excess_of.append(looks[0].nc2 - 1)
    return Check("NC2 - 1 at the full learning rate over that at half of it, same time",
                 excess_of[0] / excess_of[1], 1.0)  # fmt: skip
