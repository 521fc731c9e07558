"""From a small start to strong collapse: the linear phase, the curvature, and what is left over.

The layout is that of Mixon, Parshall & Pi: features are COLUMNS, H is (p, CN), class after class.

Source: Mixon, Parshall & Pi 2022, and our derivation where marked.   Chapter: unconstrained.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..simplex import centering

__all__ = [
    "Spectrum",
    "bound_constant",
    "collapse_spectrum",
    "forecast",
    "growing_part",
    "linear_phase",
    "plateau",
    "saddle_spectrum",
    "surviving_share",
    "worst_start",
]

Spectrum = tuple[tuple[float, int], ...]  # eigenvalues with their multiplicities


def linear_phase(W: Tensor, H: Tensor, t: float) -> tuple[Tensor, Tensor, Tensor]:
    """W, H, b at time t of the flow whose residual lacks W H, from W, H and b = 0.

    With G the class-mean part of H: P(W + G) grows by exp(sqrt(N) t), P(W - G) shrinks alike,
    the spread within classes rests, and the parts along 1_C turn into each other for a while:
    their sum grows by exp(sqrt(N) tau) with tau = (1 - exp(-CN t)) / (CN), a bounded clock.
    b = (1 - exp(-CN t)) / C.
    Source: Mixon, Parshall & Pi 2022, Theorem 2; the closed form is our derivation.
    Chapter: unconstrained.
    """
    C, N = _sizes(W, H)
    labels = _labels(C, N)
    G = labels @ H.T / math.sqrt(N)
    P, root = centering(C), math.sqrt(N)
    tau = -math.expm1(-C * N * t) / (C * N)
    grown = math.exp(root * t) * P + math.exp(root * tau) * (torch.eye(C).double() - P)
    faded = math.exp(-root * t) * P + math.exp(-root * tau) * (torch.eye(C).double() - P)
    up, down = grown @ (W + G) / 2, faded @ (W - G) / 2
    H_t = H + (up - down - G).T @ labels / root
    return up + down, H_t, torch.full((C,), N * tau, dtype=torch.float64)


def growing_part(W: Tensor, H: Tensor) -> tuple[Tensor, Tensor]:
    """The projection of (W, H) onto T = {H = N^(-1/2) (W x 1_N)^T, 1^T W = 0}.

    Source: Mixon, Parshall & Pi 2022, Theorem 2.   Chapter: unconstrained.
    """
    C, N = _sizes(W, H)
    labels = _labels(C, N)
    V = centering(C) @ (W + labels @ H.T / math.sqrt(N)) / 2
    return V, V.T @ labels / math.sqrt(N)


def bound_constant(C: int, N: int) -> float:
    """exp(1 / (C sqrt(N))), by which all that does not grow may swell in the linear phase.

    Source: Mixon, Parshall & Pi 2022, Theorem 2.   Chapter: unconstrained.

    >>> round(bound_constant(3, 3), 6)
    1.212216
    """
    return math.exp(1 / (C * math.sqrt(N)))


def worst_start(C: int, N: int, z: Tensor) -> tuple[Tensor, Tensor]:
    """W = sqrt(N) 1 z^T and H = z 1^T: the start that attains the constant as t grows.

    Source: our derivation, from the proof of Mixon, Parshall & Pi 2022, Theorem 2.
    Chapter: unconstrained.
    """
    return math.sqrt(N) * z.expand(C, -1), z[:, None].expand(-1, C * N)


def saddle_spectrum(C: int, N: int, p: int) -> Spectrum:
    """Eigenvalues of the Hessian at W = 0, H = 0, b = 1/C, with multiplicities.

    Source: our derivation.   Chapter: unconstrained.

    >>> saddle_spectrum(3, 4, 5)
    ((-2.0, 10), (0.0, 55), (2.0, 10), (12.0, 3))
    """
    root, pairs = math.sqrt(N), p * (C - 1)
    return (-root, pairs), (0.0, p * (C * N - C + 2)), (root, pairs), (float(C * N), C)


def collapse_spectrum(C: int, N: int, p: int) -> Spectrum:
    """Eigenvalues of the Hessian at strong collapse, with multiplicities, smallest first.

    Equal values are listed apart, one entry for each kind of residual they move. p >= C-1.
    Source: our derivation.   Chapter: unconstrained.

    >>> collapse_spectrum(3, 4, 5)
    ((0.0, 51), (2.0, 2), (2.0, 18), (4.0, 4), (12.0, 1), (14.0, 2))
    """
    if p < C - 1:
        raise ValueError(f"p: expected at least C-1 = {C - 1}, got {p}")
    root, total = math.sqrt(N), float(C * N)
    moved = (
        (root, (C - 1) * (C * N - C)),  # centered over classes, within classes
        (root, C - 1),  # along 1_C, class means
        (2 * root, (C - 1) ** 2),  # centered over classes, class means
        (total, 1),  # along 1_C, the same for all samples
        (total + root, C - 1),  # centered over classes, the same for all samples
    )
    rest = C * p + p * C * N + C - sum(count for _, count in moved)
    return ((0.0, rest), *sorted(moved))


def plateau(W: Tensor, H: Tensor) -> Tensor:
    """The slow part of the risk, ||(W^T 1)^T H_w||^2 / (2C), H_w the spread within classes.

    It is half the squared residual along 1_C times within-class patterns, the only residuals that
    meet no curvature at strong collapse. Leading dimensions are a batch.
    Source: our derivation.   Chapter: unconstrained.
    """
    C = W.shape[-2]
    by_class = H.unflatten(-1, (C, -1))
    spread = (by_class - by_class.mean(-1, keepdim=True)).flatten(-2)
    return (W.sum(-2, keepdim=True) @ spread).square().sum((-2, -1)) / (2 * C)


def surviving_share(C: int, N: int) -> float:
    """How much of a shift of all features, along rows of W, is left once W has grown.

    Gamma(c)^2 / (Gamma(c - 1/2) Gamma(c + 1/2)) with c = (1 + C sqrt(N)) / 2, between 0 and 1.
    Source: our derivation.   Chapter: unconstrained.

    >>> round(surviving_share(3, 3), 6)
    0.908778
    """
    c = (1 + C * math.sqrt(N)) / 2
    return math.exp(2 * math.lgamma(c) - math.lgamma(c - 0.5) - math.lgamma(c + 0.5))


def forecast(W: Tensor, H: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where gradient flow from a small start (W, H, b = 0) comes to rest, to first order.

    N^(1/4) times the polar factor of P (W + G) is the strongly collapsed point it approaches. What
    that W does not reach of the spread within classes, of q = W^T 1 and of v = H 1 stays, and
    so does a share of the rest of v, which pushes b off 1/C. The error is O(size^2) for the flow;
    for descent a relative O(step) of what stays. P (W + G) must have rank C-1.
    Source: our derivation.   Chapter: unconstrained.
    """
    C, N = _sizes(W, H)
    labels, root, kappa = _labels(C, N), math.sqrt(N), 1 / (C * math.sqrt(N))
    G = labels @ H.T / root
    U, sizes, rows = torch.linalg.svd(centering(C) @ (W + G), full_matrices=False)
    if len(sizes) < C - 1 or not bool(sizes[C - 2] > 1e-12 * sizes[0]):
        raise ValueError(f"W, H: expected P (W + G) of rank C-1 = {C - 1}, got {sizes.tolist()}")
    U, rows = U[:, : C - 1], rows[: C - 1]
    free = torch.eye(W.shape[1]).double() - rows.T @ rows
    q, v = W.sum(0), H.sum(1)
    q, v = (  # turned into each other, by the bounded clock of the linear phase
        math.cosh(kappa) * q + math.sinh(kappa) / root * v,
        math.cosh(kappa) * v + math.sinh(kappa) * root * q,
    )
    v = free @ v + surviving_share(C, N) * rows.T @ rows @ v
    collapsed = N**0.25 * U @ rows
    spread = free @ (H - G.T @ labels / root)
    H_end = collapsed.T @ labels / root + v[:, None] / (C * N) + spread
    return collapsed + free @ q / C, H_end, 1 / C - collapsed @ v / (C * N)


def _sizes(W: Tensor, H: Tensor) -> tuple[int, int]:
    """C and N of one pair (C, p) and (p, CN)."""
    if W.ndim != 2 or H.ndim != 2 or len(H) != W.shape[1] or H.shape[1] % len(W):
        raise ValueError(
            f"H: expected (p, CN) to match W (C, p) of {tuple(W.shape)}, got {tuple(H.shape)}"
        )
    return len(W), H.shape[1] // len(W)


def _labels(C: int, N: int) -> Tensor:
    """One-hot labels as columns, (C, CN)."""
    return torch.eye(C, dtype=torch.float64).repeat_interleave(N, dim=1)
