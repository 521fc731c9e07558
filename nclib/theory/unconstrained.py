"""Features as free parameters: the risk, its descent, and the subspace S on which it is solved.

The paper's own layout is kept in this file, and it is NOT the layout of the rest of the book:
features are COLUMNS here, H is (p, CN), the transpose of ``features``. C classes with N samples
EACH; class c owns columns cN to cN + N - 1. W is (C, p) and b is (C,), as everywhere.

Most functions take W, H, b, so that a ``Point`` is passed as ``risk(*point)``. Leading dimensions
are a batch, or the time along a path.

Source: Mixon, Parshall & Pi 2022.   Chapter: unconstrained.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..simplex import centering, simplex_etf

__all__ = [
    "Errors",
    "Point",
    "class_part",
    "descend",
    "errors",
    "flow",
    "gradient",
    "hessian",
    "imbalance",
    "logistic",
    "project",
    "random_start",
    "residual",
    "risk",
    "risk_on_subspace",
    "strong_collapse",
    "subspace_flow",
    "targets",
]


class Point(NamedTuple):
    """A classifier and free features: ``W, H, b = point``.   Chapter: unconstrained."""

    W: Tensor  # (..., C, p)
    H: Tensor  # (..., p, CN), features as columns
    b: Tensor  # (..., C)


class Errors(NamedTuple):
    """Distances from strong collapse and from S, of the batch's shape.   Chapter: unconstrained."""

    snc1: Tensor  # ||W W^T - sqrt(N) P||_F
    snc2: Tensor  # ||H - N^(-1/2) (W x 1_N)^T||_F / ||H||_F
    snc3: Tensor  # ||b - 1/C||
    distance: Tensor  # ||Z - project(Z)|| / ||Z||


def targets(C: int, N: int) -> Tensor:
    """One-hot labels as columns, I_C x 1_N^T, (C, CN), class after class.

    Source: Mixon, Parshall & Pi 2022, Section 2.   Chapter: unconstrained.

    >>> targets(2, 2).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    return torch.eye(C, dtype=torch.float64).repeat_interleave(N, dim=1)


def strong_collapse(C: int, N: int, p: int) -> Point:
    """One strongly collapsed point: W W^T = sqrt(N) P, H = N^(-1/2) (W x 1_N)^T, b = 1/C.

    All others are (W Q, Q^T H, b) with an orthogonal Q of (p, p). p < C-1 is a ValueError.
    Source: Mixon, Parshall & Pi 2022, (SNC1)-(SNC3).   Chapter: unconstrained.

    >>> W, H, b = strong_collapse(3, 4, 5)
    >>> W.shape, H.shape, round(float((W @ W.T).trace()), 12)
    (torch.Size([3, 5]), torch.Size([5, 12]), 4.0)
    """
    if N < 1:
        raise ValueError(f"N: expected at least 1 sample per class, got {N}")
    W = simplex_etf(C, p) * math.sqrt((C - 1) / C) * N**0.25
    return Point(
        W, W.mT @ targets(C, N) / math.sqrt(N), torch.full((C,), 1 / C, dtype=torch.float64)
    )


def random_start(C: int, N: int, p: int, scale: Tensor, seed: int) -> Point:
    """Gaussian W and H, rescaled to ||W||_F = ||H||_F = scale, and b = 0: the paper's start.

    ``scale`` of any shape gives a batch of that shape, every start drawn anew.
    Source: Mixon, Parshall & Pi 2022, Figure 1.   Chapter: unconstrained.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = ((C, p), (p, C * N))
    drawn = [torch.randn(*scale.shape, *s, generator=generator) for s in shapes]
    W, H = (x.double() * (scale / _norm(x.double()))[..., None, None] for x in drawn)
    return Point(W, H, torch.zeros(*scale.shape, C, dtype=torch.float64))


def residual(W: Tensor, H: Tensor, b: Tensor) -> Tensor:
    """What is left to fit, W H + b 1^T - I x 1^T, (..., C, CN).

    Source: Mixon, Parshall & Pi 2022, Section 2.   Chapter: unconstrained.
    """
    C, N = _sizes(W, H, b)
    return W @ H + b[..., None] - targets(C, N).to(W)


def risk(W: Tensor, H: Tensor, b: Tensor) -> Tensor:
    """R = 1/2 ||W H + b 1^T - I x 1^T||_F^2, summed over all CN samples, no weight decay.

    Source: Mixon, Parshall & Pi 2022, Section 2.   Chapter: unconstrained.

    >>> round(float(risk(*strong_collapse(3, 4, 5))), 20)
    0.0
    """
    return residual(W, H, b).square().sum((-2, -1)) / 2


def gradient(W: Tensor, H: Tensor, b: Tensor) -> Point:
    """The slope of the risk in each part: A H^T, W^T A and A 1, with the residual A.

    Source: Mixon, Parshall & Pi 2022, Section 2.   Chapter: unconstrained.
    """
    A = residual(W, H, b)
    return Point(A @ H.mT, W.mT @ A, A.sum(-1))


def descend(point: Point, step: float, steps: int, record: int = 1) -> Point:
    """The path of gradient descent: every ``record``-th point from the start on, stacked in front.

    W of the path is (1 + steps / record, ..., C, p), so that ``errors(*path)`` are curves.
    ``steps`` must be a multiple of ``record``. Near strong collapse descent is stable for
    step < 2 / (CN + sqrt(N)).
    Source: Mixon, Parshall & Pi 2022, Figure 1.   Chapter: unconstrained.

    >>> path = descend(random_start(3, 3, 15, torch.tensor(0.01), seed=0), 0.01, 3000, record=100)
    >>> path.W.shape, bool(errors(*path).snc1[-1] < 1e-4)
    (torch.Size([31, 3, 15]), True)
    """
    if steps < 0 or record < 1 or steps % record:
        raise ValueError(f"record: expected a divisor of steps = {steps}, got {record}")
    kept = [point]
    for k in range(1, steps + 1):
        slopes = gradient(*point)
        point = Point(*(x - step * slope for x, slope in zip(point, slopes, strict=True)))
        if k % record == 0:
            kept.append(point)
    return Point(*(torch.stack(parts) for parts in zip(*kept, strict=True)))


def flow(point: Point, times: Tensor, *, rtol: float = 1e-10) -> Point:
    """The path of gradient flow Z' = -grad R at the given times >= 0, by an ODE integrator.

    ``point`` without batch; ``times`` (T,) increasing. The path has T in front.
    Source: Mixon, Parshall & Pi 2022, Theorem 3.   Chapter: unconstrained.
    """
    from scipy.integrate import solve_ivp

    moments = torch.as_tensor(times, dtype=torch.float64)
    ordered = moments.ndim == 1 and len(moments) > 0 and bool((moments.diff() > 0).all())
    if not (ordered and float(moments[0]) >= 0 and bool(moments.isfinite().all())):
        raise ValueError(
            f"times: expected (T,), finite, increasing and >= 0, got {moments.tolist()}"
        )

    def velocity(_: float, flat: object) -> object:
        return -_flat(gradient(*_shaped(torch.as_tensor(flat), point))).numpy()

    ends = (0.0, float(times[-1]))
    start = _flat(point).numpy()
    found = solve_ivp(
        velocity, ends, start, "DOP853", times.tolist(), rtol=rtol, atol=rtol * abs(start).max()
    )
    return _shaped(torch.as_tensor(found.y.T), point)


def class_part(H: Tensor, C: int) -> Tensor:
    """G = N^(-1/2) (I x 1_N^T) H^T, (..., C, p): sqrt(N) times the class means, as rows.

    On S it is W itself.   Source: our derivation.   Chapter: unconstrained.
    """
    by_class = H.unflatten(-1, (C, -1))
    return by_class.sum(-1).mT / math.sqrt(by_class.shape[-1])


def project(W: Tensor, H: Tensor, b: Tensor) -> Point:
    """The nearest point of S = {H = N^(-1/2) (W x 1_N)^T, 1^T W = 0, b in span(1)}.

    V = P (W + G) / 2 with G = ``class_part(H, C)``, V's rows as features, the mean of b.
    Source: our derivation; S is that of Mixon, Parshall & Pi 2022.   Chapter: unconstrained.
    """
    C, N = _sizes(W, H, b)
    V = centering(C).to(W) @ (W + class_part(H, C)) / 2
    mean = b.mean(-1, keepdim=True).expand_as(b)
    return Point(V, V.mT @ targets(C, N).to(W) / math.sqrt(N), mean)


def errors(W: Tensor, H: Tensor, b: Tensor) -> Errors:
    """The three errors of Figure 1 and the relative distance to S of Figure 2.

    SNC1 and SNC3 are absolute, SNC2 is divided by the norm of H.
    Source: Mixon, Parshall & Pi 2022, Figures 1 and 2.   Chapter: unconstrained.
    """
    C, N = _sizes(W, H, b)
    snc1 = _norm(W @ W.mT - math.sqrt(N) * centering(C).to(W))
    snc2 = _norm(H - W.mT @ targets(C, N).to(W) / math.sqrt(N)) / _norm(H)
    off = [x - y for x, y in zip((W, H, b), project(W, H, b), strict=True)]
    distance = _length(*off) / _length(W, H, b)
    return Errors(snc1, snc2, (b - 1 / C).norm(dim=-1), distance)


def risk_on_subspace(W: Tensor, b: Tensor, N: int) -> Tensor:
    """R of a point of S: 1/2 ||W W^T - sqrt(N) P||_F^2 + CN/2 ||b - 1/C||^2.

    Source: Mixon, Parshall & Pi 2022, Lemma 4.   Chapter: unconstrained.
    """
    C = W.shape[-2]
    gram = W @ W.mT - math.sqrt(N) * centering(C).to(W)
    return gram.square().sum((-2, -1)) / 2 + C * N / 2 * (b - 1 / C).square().sum(-1)


def logistic(sigma0: Tensor, N: int, t: Tensor) -> Tensor:
    """A singular value of W on S at time t >= 0, from sigma0 >= 0 at time 0.

    sigma^2 = sqrt(N) / (1 + (sqrt(N)/sigma0^2 - 1) exp(-2 sqrt(N) t)); zero stays zero, all
    others go to N^(1/4). ``sigma0`` and ``t`` broadcast; t may be infinite.
    Source: Mixon, Parshall & Pi 2022, proof of Theorem 3.   Chapter: unconstrained.

    >>> logistic(torch.tensor([0.0, 1e-3, 2.0]), 16, torch.tensor(float("inf"))).tolist()
    [0.0, 2.0, 2.0]
    """
    root = math.sqrt(N)
    share = sigma0.double().square() / root
    fading = torch.exp(-2 * root * torch.as_tensor(t, dtype=torch.float64))
    left = (1 - fading) * share + fading  # both terms >= 0: no digits are lost, also above N^(1/4)
    squared = root * torch.where(share > 0, share, 0 * share) / left.where(share > 0, 1.0)
    return squared.sqrt()


def subspace_flow(W: Tensor, b: Tensor, N: int, t: Tensor) -> Point:
    """Gradient flow on S in closed form: singular vectors rest, singular values are logistic.

    W (C, p) with 1^T W = 0 and b (C,) in span(1) at time 0; the shape of ``t`` comes in front.
    Source: Mixon, Parshall & Pi 2022, Theorem 3.   Chapter: unconstrained.
    """
    C, t = len(b), torch.as_tensor(t, dtype=torch.float64)
    U, sigma, V = torch.linalg.svd(W, full_matrices=False)
    W_t = (U * logistic(sigma, N, t[..., None])[..., None, :]) @ V
    b_t = 1 / C + (b - 1 / C) * torch.exp(-C * N * t)[..., None]
    return Point(W_t, W_t.mT @ targets(C, N) / math.sqrt(N), b_t)


def imbalance(W: Tensor, H: Tensor) -> Tensor:
    """W^T W - H H^T, (..., p, p), which gradient flow of the whole risk leaves constant.

    Source: our derivation.   Chapter: unconstrained.
    """
    return W.mT @ W - H @ H.mT


def hessian(W: Tensor, H: Tensor, b: Tensor) -> Tensor:
    """Second derivatives of the risk by automatic differentiation, in the order W, H, b.

    No batch; (n, n) with n = Cp + pCN + C.   Source: our derivation.   Chapter: unconstrained.
    """
    point = Point(W, H, b)
    found = torch.autograd.functional.hessian(lambda z: risk(*_shaped(z, point)), _flat(point))
    return torch.as_tensor(found)


def _sizes(W: Tensor, H: Tensor, b: Tensor) -> tuple[int, int]:
    """C and N, after a look at the shapes."""
    C, p = W.shape[-2:]
    if H.shape[-2] != p or H.shape[-1] % C:
        raise ValueError(
            f"H: expected ({p}, {C}N), features as columns, to match W of {tuple(W.shape)}, "
            f"got {tuple(H.shape)}"
        )
    if b.shape[-1] != C:
        raise ValueError(f"b: expected ({C},) to match W, got {tuple(b.shape)}")
    return C, H.shape[-1] // C


def _norm(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix)


def _length(W: Tensor, H: Tensor, b: Tensor) -> Tensor:
    """The norm of a point, all numbers in one list."""
    return (_norm(W).square() + _norm(H).square() + b.square().sum(-1)).sqrt()


def _flat(point: Point) -> Tensor:
    return torch.cat([x.flatten() for x in point])


def _shaped(flat: Tensor, like: Point) -> Point:
    """The last dimension cut into W, H and b again."""
    parts = flat.split([x.numel() for x in like], dim=-1)
    return Point(*(x.unflatten(-1, y.shape) for x, y in zip(parts, like, strict=True)))
