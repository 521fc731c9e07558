"""Han, Papyan & Donoho in numbers: the projected flow, against features moved by brute force."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..simplex import gram_distance
from ..theory.central_path import CentralPath, loss_parts
from ..theory.free_features import (
    flow,
    gradient,
    projected_gradient,
    snr_values,
    start,
    statistics,
    step_then_whiten,
)
from .check import Check, worst_of

__all__ = [
    "gradient_is_orthogonal_to_linear_maps",
    "growth_and_ratio",
    "implicit_law",
    "limit_is_collapsed",
    "power_laws",
    "projected_flow",
    "projection_keeps_class_means",
    "singular_vectors_stay",
    "whitening_steps_follow_another_law",
]

C, N, D = 4, 3, 5
OMEGA = torch.tensor([2.0, 0.9, 0.4], dtype=torch.float64)
TIMES = torch.tensor([0.0, 0.3, 10.0, 200.0, 3000.0], dtype=torch.float64)
CENTURIES = torch.cat([torch.zeros(1), torch.logspace(-6, 12, 400)]).double()


@cache
def moved() -> Tensor:
    """Features (T, C, N, d) at some times of the projected flow, by brute force."""
    return flow(projected_gradient, start(C, N, D, 0, omega=OMEGA), TIMES, 1e-10)


def largest(difference: Tensor) -> float:
    """The largest absolute entry."""
    return float(difference.abs().max())


def projection_keeps_class_means() -> Check:
    """The projected gradient is the class means' part, -1/N V K^2 Omega U^T, and no more."""
    x = start(C, N, D, 1, omega=OMEGA)
    left, values, right = torch.linalg.svd(x.mean(1), full_matrices=False)
    slopes = values[: C - 1] / (C + values[: C - 1].square()).square() / N
    expected = -(left[:, : C - 1] * slopes) @ right[: C - 1]
    error = largest(projected_gradient(x) - expected[:, None])
    return Check("Projected gradient against its formula, every entry", error, 1e-12)


def gradient_is_orthogonal_to_linear_maps() -> Check:
    """X^T gradient vanishes in any coordinates, to rounding."""
    errors = []
    for seed in range(10):
        x = start(C, N, D, seed, white=None)
        slope = gradient(x).flatten(0, 1)
        scale = slope.norm() * x.norm()
        errors.append(largest(x.flatten(0, 1).T @ slope) / float(scale))
    return Check("Features against the gradient of the loss, 10 samples", worst_of(*errors), 1e-12)


def projected_flow() -> Check:
    """SNR values of integrated features against the closed form."""
    expected = CentralPath(C, N, OMEGA).at(TIMES)
    error = largest(snr_values(moved()) / expected - 1)
    return Check("SNR values of the brute-force flow against the closed form", error, 1e-9)


def singular_vectors_stay() -> Check:
    """Eqs. (10) and (11): deviations and the polar factor of the means do not move."""
    deviations = moved() - moved().mean(2, keepdim=True)
    left, values, right = torch.linalg.svd(moved().mean(2), full_matrices=False)
    polar = left[..., : C - 1] @ right[:, : C - 1]
    error = worst_of(largest(deviations - deviations[0]), largest(polar - polar[0]))
    assert values.shape[-1] == C
    return Check("Deviations and the means' polar factor, over the flow", error, 1e-8)


def implicit_law() -> Check:
    """c1 log omega + c2 omega^2 + c3 omega^4 - a against t, from 0 to 1e12, starts 1e-6 to 1e3."""
    errors = []
    for size in (1e-6, 1e-3, 1.0, 1e3):
        path = CentralPath(10, 50, size * torch.linspace(3, 1, 9, dtype=torch.float64))
        omega = path.at(CENTURIES)
        c1, c2, c3 = path.constants
        terms = torch.stack([c1 * omega.log(), c2 * omega**2, c3 * omega**4])
        law = terms.sum(0)
        error = (law - law[0] - CENTURIES[:, None]).abs()
        errors.append(largest(error / (CENTURIES[:, None] + terms.abs().sum(0))))
    return Check("The implicit law, over its largest term, t = 0 to 1e12", worst_of(*errors), 1e-9)


def growth_and_ratio() -> Check:
    """Corollary 1 with rates: |omega (4t/N)^(-1/4) - 1| <= C / sqrt(t/N), and the ratio's bound."""
    path = CentralPath(C, N, OMEGA)
    t = torch.logspace(4, 12, 60, dtype=torch.float64)
    omega = path.at(t)
    growth = (omega / (4 * t / N)[:, None] ** 0.25 - 1).abs() - C / (t / N).sqrt()[:, None]
    a1, a2 = (-path.time_to(torch.ones(C - 1)))[[0, -1]]
    ratio = (omega[:, 0] / omega[:, -1]) ** 4 - 1
    bound = (a1 - a2) / (path.constants[2] * omega[:, -1] ** 4)
    excess = worst_of(float(growth.max()), float((ratio - bound).max()))
    return Check("Growth and ratio beyond their bounds", excess, 1e-12)


def power_laws() -> Check:
    """In the end L_NC1 sqrt(t) and L_NC2/3 t are constants: (C-1)/4 sqrt(N) and (C-1) C N / 8."""
    t = torch.tensor([1e12], dtype=torch.float64)
    nc1, nc23 = loss_parts(CentralPath(C, N, OMEGA).at(t), C)
    first = float(nc1 * t.sqrt() / ((C - 1) / 4 * N**0.5) - 1)
    second = float(nc23 * t / ((C - 1) * C * N / 8) - 1)
    return Check(
        "Terms at t = 1e12 against their power laws", worst_of(abs(first), abs(second)), 1e-4
    )


def limit_is_collapsed() -> Check:
    """At t = 1e16 the means are a simplex ETF, the head parallel to them, the spread nothing."""
    x = start(C, N, D, 0, omega=OMEGA)
    left, _, right = torch.linalg.svd(x.mean(1), full_matrices=False)
    omega = CentralPath(C, N, OMEGA).at(1e16)
    means = (left[:, : C - 1] * omega) @ right[: C - 1]
    features = (x - x.mean(1, keepdim=True) + means[:, None]) / omega.max()
    stats = statistics(features)
    weight = stats.centered_means @ torch.linalg.inv(stats.total)
    duality = weight / weight.norm() - stats.centered_means / stats.centered_means.norm()
    spread = float(stats.within.trace() / stats.between.trace())
    nearest = torch.cdist(features.flatten(0, 1), stats.means).argmin(1)
    decided = (features.flatten(0, 1) @ weight.T).argmax(1)
    error = worst_of(
        gram_distance(means), largest(duality), spread, float((nearest != decided).sum())
    )
    return Check("NC1 to NC4 at t = 1e16, largest distance", error, 1e-6)


def whitening_steps_follow_another_law() -> Check:
    """Steps that whiten: C N (C log omega + omega^2/2) grows by t, first order in the step."""
    x, errors = start(C, N, D, 2, omega=OMEGA), []
    for step in (0.4, 0.2):
        omega = step_then_whiten(x, step, round(20 / step))[-1]
        law = C * N * (C * (omega / OMEGA).log() + (omega**2 - OMEGA**2) / 2)
        errors.append(law - 20)
    extrapolated = 2 * errors[1] - errors[0]  # to step zero
    return Check(
        "Step, then whiten, against its own law at t = 20", largest(extrapolated) / 20, 1e-3
    )
