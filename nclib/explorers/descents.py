"""The descent that the simulation plays: free features and a head, both with decay.

The layout is that of the theory: features are COLUMNS, H is (p, CN), class after class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..metrics import relative_variability
from ..simplex import gram_distance
from ..stats import ClassStats
from ..theory.unconstrained import Point, gradient, project, risk

__all__ = ["N", "STEP", "advance", "corners", "least_risk", "measure", "start"]

N = 8  # samples of a class
STEP = 0.01  # of gradient descent


def start(C: int, p: int, size: float, seed: int) -> Point:
    """A random start with |W| = |H| = size and b = 0, the same in every language.

    Its numbers are sums of twelve uniform ones of Lehmer's generator: to the last bit, no
    library of functions has a say in them.   Chapter: unconstrained.

    >>> [round(x, 6) for x in start(3, 2, 1.0, seed=1).W[0].tolist()]
    [-0.201731, 0.677941]
    """
    drawn = _normal(seed)
    W, H = ([[next(drawn) for _ in range(p)] for _ in range(n)] for n in (C, C * N))
    parts = []
    for rows in (W, H):
        norm = math.sqrt(sum(sum(x * x for x in row) for row in rows))
        parts.append(
            torch.tensor([[size / norm * x for x in row] for row in rows], dtype=torch.float64)
        )
    return Point(parts[0], parts[1].mT, torch.zeros(C, dtype=torch.float64))


def advance(point: Point, decay: float, steps: int) -> Point:
    """The state after steps of gradient descent, with decay of W and H.

    Chapter: unconstrained.
    """
    for _ in range(steps):
        slopes = _slopes(point, decay)
        point = Point(*(x - STEP * slope for x, slope in zip(point, slopes, strict=True)))
    return point


def measure(point: Point, decay: float) -> dict[str, float]:
    """What the chart shows, and ``steepest``, the largest slope.

    ``excess`` is the risk above the least there is, ``variability`` NC1, ``distance`` NC2.
    Chapter: unconstrained.
    """
    W, H, b = point
    labels = torch.arange(len(b)).repeat_interleave(N)
    stats = ClassStats.of(H.mT.contiguous(), labels, len(b))
    slopes = _slopes(point, decay)
    total = risk(W, H, b) + decay / 2 * (W.square().sum() + H.square().sum())
    return {
        "excess": max(float(total) - least_risk(W.shape[0], W.shape[1], decay), 0.0),
        "variability": relative_variability(stats),
        "distance": gram_distance(stats.centered_means),
        "steepest": max(float(slope.abs().max()) for slope in slopes),
    }


def corners(point: Point, decay: float) -> Tensor:
    """Where the part of a state that lies in S takes the class means, (C, p).

    N^(-1/2) times the polar factor of P (W + G), times (sqrt(N) - decay)^(1/2): on S singular
    vectors rest, and every singular value of W goes there.
    Source: Mixon, Parshall & Pi 2022, Theorem 3; with decay our derivation.
    Chapter: unconstrained.
    """
    left, _, right = torch.linalg.svd(project(*point).W, full_matrices=False)
    p = point.W.shape[1]
    return left[:, :p] @ right * math.sqrt((math.sqrt(N) - decay) / N)


def least_risk(C: int, p: int, decay: float) -> float:
    """The least R + decay/2 (|W|^2 + |H|^2) of C classes in p < C dimensions, decay < sqrt(N).

    Source: Zhou et al. 2022, Theorem 3.1, without decay of the bias.   Chapter: unconstrained.
    """
    return p * decay * (math.sqrt(N) - decay / 2) + (C - 1 - p) * N / 2


def _normal(seed: int) -> Iterator[float]:
    state = seed
    while True:
        total = -6.0
        for _ in range(12):
            state = 48271 * state % 2147483647
            total += state / 2147483647
        yield total


def _slopes(point: Point, decay: float) -> Point:
    slopes = gradient(*point)
    return Point(slopes.W + decay * point.W, slopes.H + decay * point.H, slopes.b)
