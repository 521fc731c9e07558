"""Zhou et al. 2022 in numbers: the closed minimizers and saddles against descent and autograd."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor
from torch.autograd.functional import hessian

from ..simplex import centering
from ..theory.landscape import Minimizer, Problem, certificate, cluster_projector, minimizer
from ..theory.saddles import escape, smallest_curvature, training_accuracy
from .check import Check, worst_of

__all__ = [
    "accuracy_of_clusters",
    "best_bias_by_search",
    "certificates",
    "curvature_at_saddles",
    "fourth_metric",
    "grams_by_descent",
    "objective_by_loops",
    "simplex_floor",
    "traps_of_rescaling",
    "values_by_descent",
    "way_down",
]

Point = tuple[Tensor, Tensor, Tensor]

# K, n, c, lambda_b, d: the plain loss in every regime.
CASES = (
    (4, 2, 0.3, 0.0, 4),
    (4, 2, 0.3, 0.2, 6),
    (4, 2, 0.3, 3.0, 4),
    (3, 3, 0.2, math.inf, 5),
    (3, 2, 1.2, 0.5, 3),
    (4, 2, 0.3, 0.2, 3),
    (4, 2, 0.3, 3.0, 3),
    (5, 2, 0.3, 0.2, 2),
    (5, 2, 0.3, 9.0, 3),
    (5, 2, 0.3, math.inf, 2),
)


def plain(K: int, n: int, c: float, lambda_b: float, d: int, stretch: float = 2.0) -> Minimizer:
    """The minimizer of the plain loss for a given c; stretch is sqrt(lambda_W / lambda_H)."""
    price = c / (K * math.sqrt(n))
    return minimizer(K, n, price * stretch, price / stretch, lambda_b, 1.0, 1.0, d)


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def point(flat: Tensor, problem: Problem, d: int) -> Point:
    """W, H, b from one vector; no bias where the problem has none."""
    K, n = problem.K, problem.n
    W, H, b = flat.split([K * d, K * n * d, K])
    return W.view(K, d), H.view(K, n, d), b if problem.lambda_b < math.inf else 0 * b


def descended(problem: Problem, d: int, seed: int) -> tuple[float, Tensor]:
    """L-BFGS from a random start: value and point."""
    from scipy.optimize import minimize

    def fun(x):
        flat = torch.tensor(x, requires_grad=True)
        loss = problem.loss(*point(flat, problem, d))
        loss.backward()
        return loss.item(), flat.grad.numpy() if flat.grad is not None else None

    start = normal(problem.K * (d + problem.n * d + 1), seed=seed) / 2
    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 30}
    found = minimize(fun, start.numpy(), jac=True, method="L-BFGS-B", options=options)
    return found.fun, torch.tensor(found.x)


@cache
def _descents() -> tuple[tuple[Minimizer, float, Point], ...]:
    """Each case from two random starts."""
    runs = []
    for case in CASES:
        closed = plain(*case)
        for seed in (0, 1):
            value, flat = descended(closed.problem, closed.d, seed)
            runs.append((closed, value, point(flat, closed.problem, closed.d)))
    return tuple(runs)


def values_by_descent() -> Check:
    """L-BFGS from random starts ends at the closed value in every regime, never below."""
    gaps = [abs(value - closed.value) for closed, value, _ in _descents()]
    return Check(
        "value of the minimizer, against 20 descents in ten regimes", worst_of(*gaps), 1e-7
    )


def grams_by_descent() -> Check:
    """W W^T, the class means' Gram matrix, NC1 and the bias of what L-BFGS finds."""
    worst = 0.0
    for closed, _, (W, H, b) in _descents():
        means, grams = H.mean(1), (closed.gram_W, closed.gram_H)
        if closed.regime == "projector":  # many are equally good: compare spectra
            found = torch.linalg.eigvalsh(W @ W.T), torch.linalg.eigvalsh(means @ means.T)
            grams = tuple(torch.linalg.eigvalsh(gram) for gram in grams)
            if closed.problem.lambda_b < math.inf:  # with a bias the rows sum to zero
                worst = worst_of(worst, float(W.sum(0).norm()), float(means.sum(0).norm()))
        else:
            found = W @ W.T, means @ means.T
        pairs = [*zip(found, grams, strict=True), (b, closed.head().bias), (H, means[:, None])]
        worst = worst_of(worst, *(float((a - e).abs().max()) for a, e in pairs))
    return Check("Gram matrices, bias and within-class spread after descent", worst, 1e-5)


def _random_problems(count: int) -> Iterator[Minimizer]:
    """Every regime and rescaling, with d >= K."""
    numbers = torch.rand(count, 5, generator=torch.Generator().manual_seed(3)).tolist()
    decays = (0.0, 0.01, 0.3, 1.0, 10.0, math.inf)
    for k, (a, b, c, e, f) in enumerate(numbers):
        K, n, alpha, M = 2 + int(6 * a), 1 + int(5 * b), 10 ** (2 * e - 1), 10 ** (2 * f - 1)
        price = 1.4 * c * alpha * M / (K * math.sqrt(n)) + 1e-3
        yield minimizer(K, n, 2 * price, price / 2, decays[k % 6], alpha, M)


def certificates() -> Check:
    """The gap of 1,000 closed minimizers of every regime and rescaling, relative to the value."""
    gaps = [abs(certificate(found).gap) / found.value for found in _random_problems(1000)]
    return Check("certified gap of 1,000 minimizers, any rescaling", worst_of(*gaps), 1e-12)


def objective_by_loops() -> Check:
    """The loss written as loops over samples and classes."""
    worst = 0.0
    for k, found in enumerate(_random_problems(20)):
        p = found.problem
        W, H, b = normal(p.K, 3, seed=k), normal(p.K, p.n, 3, seed=k + 50), normal(p.K, seed=k + 90)
        b = b if p.lambda_b < math.inf else 0 * b
        total = 0.0
        for c in range(p.K):
            for h in H[c]:
                for j in range(p.K):
                    error = float(W[j] @ h + b[j]) - p.M * (j == c)
                    total += error**2 * (p.alpha if j == c else 1.0) / (2 * p.K * p.n)
        total += float(p.lambda_W * (W * W).sum() + p.lambda_H * (H * H).sum()) / 2
        total += 0.0 if p.lambda_b == math.inf else float(p.lambda_b * (b * b).sum()) / 2
        worst = worst_of(worst, abs(float(p.loss(W, H, b)) / total - 1))
    return Check("objective, against loops over samples and classes", worst, 1e-12)


def best_bias_by_search() -> Check:
    """For small d: the best rank-d fit for any bias by SVD, searched over free biases."""
    from scipy.optimize import minimize

    worst = 0.0
    for k, (K, d, decay) in enumerate([(4, 2, 0.3), (4, 3, 5.0), (5, 3, 2.0), (5, 5, 2.0)]):
        closed = plain(K, 1, 0.3, decay, d)

        def fun(b, K=K, d=d, decay=decay):
            sizes = torch.linalg.svdvals(torch.eye(K).double() - torch.tensor(b))
            fitted = (2 * 0.3 * sizes - 0.3**2).where(sizes > 0.3, sizes**2)[:d]
            return float(fitted.sum() + (sizes[d:] ** 2).sum()) / (2 * K) + decay / 2 * (b @ b)

        starts = [normal(K, seed=10 * k + s).numpy() / 3 for s in range(4)]
        found = min(minimize(fun, start, method="L-BFGS-B").fun for start in starts)
        worst = worst_of(worst, abs(found - closed.value))
    return Check("value for few features, against a search over biases", worst, 1e-7)


def saddle(K: int, n: int, rank: int, d: int) -> tuple[Problem, Point]:
    """The best point of a smaller dimension, in d features: critical, and a saddle."""
    small = plain(K, n, 0.4, 0.3, rank)
    pad = (0, d - rank)
    W, H = (torch.nn.functional.pad(x, pad) for x in (small.head().weight, small.features()))
    return small.problem, (W, H, small.head().bias)


def curvature_at_saddles() -> Check:
    """Gradient zero, curvature along the way down and least eigenvalue of the whole Hessian."""
    worst = 0.0
    for rank in (1, 2):
        problem, (W, H, b) = saddle(4, 2, rank, 4)
        flat = torch.cat([W.flatten(), H.flatten(), b])
        gradient, curvatures = _derivatives(problem, flat, 4)
        way = escape(W, H, problem.slope(H @ W.T + b), problem.lambda_W, problem.lambda_H, 1.0)
        step = torch.cat([way.W.flatten(), way.H.flatten(), 0 * b])
        closed = -2 / (4 * math.sqrt(2)) * (1 - 0.4)
        least = smallest_curvature(1 / (4 * math.sqrt(2)), problem.lambda_W, problem.lambda_H)
        errors = [gradient.norm(), step @ curvatures @ step - closed]
        errors += [
            torch.linalg.eigvalsh(curvatures)[0] - least,
            torch.tensor(way.curvature - closed),
        ]
        worst = worst_of(worst, *(abs(float(error)) for error in errors))
    return Check("gradient and curvatures at saddles, by automatic differentiation", worst, 1e-10)


def way_down() -> Check:
    """The quartic along the way down, at 100 steps from each saddle, rescaled ones too."""
    worst, s = 0.0, torch.linspace(0, 3, 100, dtype=torch.float64)
    starts = [saddle(5, 2, rank, 6) for rank in (1, 2, 3)]
    for alpha in (0.4, 5.0):  # the origin, with the bias that is best there
        problem = Problem(4, 2, 0.05, 0.1, 0.3, alpha, 2.0)
        b = torch.full((4,), alpha * 2.0 / (alpha + 3 + 4 * 0.3), dtype=torch.float64)
        starts.append((problem, (normal(4, 5, seed=0) * 0, normal(4, 2, 5, seed=0) * 0, b)))
    for problem, (W, H, b) in starts:
        decays = problem.lambda_W, problem.lambda_H
        way = escape(W, H, problem.slope(H @ W.T + b), *decays, problem.alpha)
        start = problem.loss(W, H, b)
        seen = torch.stack([problem.loss(W + r * way.W, H + r * way.H, b) - start for r in s])
        worst = worst_of(worst, float((seen - way.change(s)).abs().max()))
    return Check("the quartic through a saddle, against the objective", worst, 1e-11)


def simplex_floor() -> Check:
    """The official code's NC2 at random projectors, against sqrt(2 - 2 sqrt(d/(K-1)))."""
    worst = 0.0
    for seed, d in enumerate((1, 3, 5, 8, 9)):
        basis = torch.linalg.qr(
            torch.cat([torch.ones(10, 1).double(), normal(10, d, seed=seed)], 1)
        )
        found = replace(plain(10, 2, 0.2, 0.1, d), projector=basis.Q[:, 1:] @ basis.Q[:, 1:].T)
        W = found.head().weight
        gram = (W - W.mean(0)) @ (W - W.mean(0)).T
        measured = float((gram / gram.norm() - centering(10) / 3).norm())
        worst = worst_of(worst, abs(measured - math.sqrt(2 - 2 * math.sqrt(d / 9))))
    return Check("NC2 of minimizers with few features", worst, 1e-7)


def accuracy_of_clusters() -> Check:
    """(d+1)/K, counted with the head's scores on the features, for every d and two partitions."""
    worst = 0.0
    for K in (4, 7, 10):
        for d in range(1, K):
            closed = plain(K, 1, 0.3, 0.2, d)
            spread = cluster_projector(torch.arange(K) % (d + 1))
            for found in (closed, replace(closed, projector=spread)):
                scores = found.head().logits(found.features().flatten(0, 1))
                chosen = scores.round(decimals=9).argmax(1)  # classes that tie: the first
                accuracy = float((chosen == torch.arange(K)).double().mean())
                expected = (d + 1) / K, training_accuracy(found.projector)
                worst = worst_of(worst, *(abs(accuracy - e) for e in expected))
    return Check("training accuracy where classes are merged", worst, 1e-12)


def fourth_metric() -> Check:
    """|W h_G + b| at the minimizer of every simplex regime: 1/(sqrt(K)(1 + lambda_b))."""
    worst = 0.0
    for K, decay in ((4, 0.0), (4, 0.3), (10, 0.1), (10, 0.2)):
        found = plain(K, 3, 0.4, decay, K)
        mean = found.features().mean((0, 1))
        norm = float(found.head().logits(mean[None]).norm())
        worst = worst_of(worst, abs(norm - 1 / (math.sqrt(K) * (1 + decay))))
    return Check("the official code's NC4 at the minimizer is not zero", worst, 1e-12)


def traps_of_rescaling() -> Check:
    """Rescaled, with one feature less than classes: two stable points of different value.

    The error is the largest of: gradients, negative eigenvalues of the Hessian, eigenvalues that
    vanish beyond the one of the rotation; it is infinite if no two values differ.
    """
    problem = Problem(3, 1, 0.2, 0.2, 50.0, 3.0, 1.0)
    ends = [descended(problem, 2, seed) for seed in range(8)]
    (low, best), (high, trap) = min(ends, key=lambda e: e[0]), max(ends, key=lambda e: e[0])
    errors = [0.0 if high - low > 5e-3 else math.inf]
    for flat in (best, trap):
        gradient, curvatures = _derivatives(problem, flat, 2)
        errors += [float(gradient.abs().max())]
        values = torch.linalg.eigvalsh(curvatures)
        errors += [abs(float(values[0])), 0.0 if values[1] > 1e-3 else math.inf]
    return Check(
        "spurious local minima of the rescaled loss with d = K - 1", worst_of(*errors), 1e-6
    )


def _derivatives(problem: Problem, flat: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """Gradient and Hessian of the objective, by automatic differentiation."""

    def loss(x: Tensor) -> Tensor:
        return problem.loss(*point(x, problem, d))

    flat = flat.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(flat), flat)
    curvatures = hessian(loss, flat.detach())
    return gradient, curvatures if isinstance(curvatures, Tensor) else torch.empty(0)
