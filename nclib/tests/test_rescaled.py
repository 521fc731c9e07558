"""The rescaled loss around a collapsed classifier, against classifiers and features in the open."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.functional import hessian as hessian_of
from torch.autograd.functional import jacobian

from nclib import simplex_etf
from nclib.theory.rescaled import (
    LocalLandscape,
    cross_entropy,
    cross_entropy_gradient,
    plane_logits,
)

from .tolerances import EXACT, ITERATED, TIGHT

landscapes = st.builds(
    LocalLandscape,
    num_classes=st.integers(2, 9),
    alpha=st.floats(0.2, 8),
    M=st.floats(0.5, 6),
    rho=st.floats(0.3, 2),
    beta=st.floats(-0.5, 0.5),
)
quick = settings(max_examples=25, deadline=None)


def at(s: float, theta: float) -> tuple[Tensor, Tensor]:
    return torch.tensor(s, dtype=torch.float64), torch.tensor(theta, dtype=torch.float64)


def brute(land: LocalLandscape, h: Tensor) -> Tensor:
    """The loss of a feature of class 0, logit by logit."""
    K = int(land.num_classes)
    logits = land.rho * simplex_etf(K, h.shape[-1]) @ h + land.beta
    weight, target = torch.ones(K).double(), torch.zeros(K).double()
    weight[0], target[0] = land.alpha, land.M
    return (weight * (logits - target) ** 2).sum() / 2


def feature(K: int, s: float, theta: float, seed: int) -> Tensor:
    """A feature of radius s at angle theta to vertex 0, in a random direction around it."""
    vertices = simplex_etf(K)
    generator = torch.Generator().manual_seed(seed)
    aside = torch.randn(K, generator=generator, dtype=torch.float64) @ vertices
    aside -= (aside @ vertices[0]) * vertices[0]
    return s * (math.cos(theta) * vertices[0] + math.sin(theta) * aside / aside.norm())


@quick
@given(land=landscapes, s=st.floats(0, 5), theta=st.floats(0, 3.1), seed=st.integers(0, 99))
def test_only_radius_and_angle_count(land, s, theta, seed):
    """Any feature of that radius and angle has the loss of the polar formula."""
    if land.num_classes == 2:
        theta = 0.0  # on a line there is no angle in between
    h = feature(int(land.num_classes), s, theta, seed) if land.num_classes > 2 else None
    h = s * simplex_etf(2)[0] if h is None else h
    scale = land.alpha * (land.M + land.rho * s + 1) ** 2
    error = abs(float(land.loss(*at(s, theta)) - brute(land, h)))
    assert error <= 1e2 * EXACT * scale


@quick
@given(land=landscapes, s=st.floats(0.01, 5), theta=st.floats(0, 6.3))
def test_gradient_is_that_of_the_loss(land, s, theta):
    """The closed gradient is the automatic one."""
    polar = at(s, theta)
    for x in polar:
        x.requires_grad_()
    by_hand = land.gradient(*polar)
    for found, true in zip(by_hand, torch.autograd.grad(land.loss(*polar), polar), strict=True):
        torch.testing.assert_close(found, true, rtol=TIGHT, atol=TIGHT)


@quick
@given(land=landscapes)
@example(land=LocalLandscape(4, alpha=0.3, M=1.0))
def test_hessian_has_two_eigenvalues_in_the_span(land):
    """The automatic Hessian of the brute loss: radial once, transverse K-2 times, 0 outside."""
    K = int(land.num_classes)
    hessian = hessian_of(lambda h: brute(land, h), torch.zeros(K + 1).double())
    expected = [0.0] * 2 + [land.transverse_curvature] * (K - 2) + [land.radial_curvature]
    found = torch.linalg.eigvalsh(hessian)
    assert found.tolist() == pytest.approx(sorted(expected), rel=TIGHT, abs=TIGHT)
    inside = found[2:]
    assert land.condition_number == pytest.approx(float(inside[-1] / inside[0]), rel=TIGHT)


@quick
@given(land=landscapes)
def test_minimum_is_stationary(land):
    """At the minimum on the axis the brute gradient vanishes in every direction."""
    h = land.minimum * simplex_etf(int(land.num_classes))[0]
    slope = jacobian(lambda x: brute(land, x), h)
    assert float(slope.norm()) <= TIGHT * (1 + land.alpha * land.M)


@quick
@given(land=landscapes, s=st.floats(0.1, 5))
def test_angular_curvature_is_the_second_derivative(land, s):
    """The closed curvature in the angle is the automatic one."""
    radius, angle = at(s, 0.0)
    second: Any = hessian_of(lambda t: land.loss(radius, t), angle)
    assert float(land.angular_curvature(s)) == pytest.approx(float(second), rel=TIGHT, abs=TIGHT)


def test_flow_follows_the_slope():
    """Small steps down the brute gradient end where the closed flow says; at time 0 it stands."""
    land = LocalLandscape(5, alpha=3.0, M=2.0, rho=0.7, beta=0.2)
    h, step = feature(5, 1.5, 2.0, seed=3), 5e-4
    along, across = land.flow(1.5, 2.0, torch.tensor([0.0, 0.5]).double())
    axis = simplex_etf(5)[0]
    assert (float(along[0]), float(across[0])) == pytest.approx(
        (1.5 * math.cos(2.0), 1.5 * math.sin(2.0))
    )
    for _ in range(1000):
        h = h - step * jacobian(lambda x: brute(land, x), h)
    assert float(along[1]) == pytest.approx(float(h @ axis), rel=1e3 * ITERATED)  # step error
    assert float(across[1]) == pytest.approx(
        float((h - (h @ axis) * axis).norm()), rel=1e3 * ITERATED
    )


@quick
@given(land=landscapes, unit=st.floats(0.2, 5), s=st.floats(0, 5), theta=st.floats(0, 3.1))
def test_the_target_is_a_unit_of_length(land, unit, s, theta):
    """Target, bias and radius in another unit: the same landscape times the unit squared."""
    scaled = LocalLandscape(land.num_classes, land.alpha, unit * land.M, land.rho, unit * land.beta)
    s_, theta_ = at(s, theta)
    torch.testing.assert_close(
        scaled.loss(unit * s_, theta_), unit**2 * land.loss(s_, theta_), rtol=TIGHT, atol=TIGHT
    )


def test_many_classes_approach_the_limit():
    """The landscape of a million classes is that of infinitely many, to one millionth."""
    s, theta = at(1.3, 0.8)
    many, limit = LocalLandscape(10**6, 2.0, 3.0), LocalLandscape(math.inf, 2.0, 3.0)
    torch.testing.assert_close(many.loss(s, theta), limit.loss(s, theta), rtol=ITERATED, atol=0)
    formula = (2 * (s * torch.cos(theta) - 3) ** 2 + s**2 * torch.sin(theta) ** 2) / 2
    torch.testing.assert_close(limit.loss(s, theta), formula, rtol=EXACT, atol=0)


@pytest.mark.parametrize("K", [3, 4, 10])
def test_plane_logits_are_those_of_a_feature_in_the_plane(K):
    """Proposition C.1 gives the logits of a vector turned from vertex 0 towards vertex 1."""
    vertices = simplex_etf(K)
    aside = vertices[1] - (vertices[1] @ vertices[0]) * vertices[0]
    h = 1.7 * (math.cos(0.6) * vertices[0] + math.sin(0.6) * aside / aside.norm())
    own, other, rest = plane_logits(*at(1.7, 0.6), K)
    expected = torch.stack([own, other, *[rest] * (K - 2)])
    torch.testing.assert_close(vertices @ h, expected, rtol=EXACT, atol=EXACT)
    naive = torch.nn.functional.cross_entropy(vertices @ h, torch.tensor(0))
    torch.testing.assert_close(cross_entropy(*at(1.7, 0.6), K), naive, rtol=EXACT, atol=0)


def test_cross_entropy_gradient_and_its_limit():
    """The closed gradient is the automatic one; for many classes it is (-cos, s sin)."""
    polar = at(1.7, 0.6)
    for x in polar:
        x.requires_grad_()
    true = torch.autograd.grad(cross_entropy(*polar, 7), polar)
    for found, expected in zip(cross_entropy_gradient(*polar, 7), true, strict=True):
        torch.testing.assert_close(found, expected, rtol=TIGHT, atol=0)
    in_s, in_theta = cross_entropy_gradient(*at(1.7, 0.6), 10**9)
    assert float(in_s) == pytest.approx(-math.cos(0.6), rel=ITERATED)
    assert float(in_theta) == pytest.approx(1.7 * math.sin(0.6), rel=ITERATED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_classes": 1}, "num_classes: expected a whole number >= 2"),
        ({"num_classes": 2.5}, "num_classes: expected a whole number >= 2"),
        ({"alpha": 0.0}, "alpha: expected a finite number > 0"),
        ({"M": math.nan}, "M: expected a finite number > 0"),
        ({"rho": math.inf}, "rho: expected a finite number > 0"),
        ({"beta": math.nan}, "beta: expected a finite number"),
        ({"num_classes": math.inf, "beta": 0.1}, "beta: expected 0 for infinitely many"),
    ],
)
def test_wrong_numbers_are_named(change, words):
    """A number without meaning is refused in words."""
    with pytest.raises(ValueError, match=words):
        LocalLandscape(**({"num_classes": 4, "alpha": 1.0, "M": 1.0} | change))
    with pytest.raises(ValueError, match="num_classes: expected a whole number >= 3"):
        plane_logits(*at(1.0, 0.5), 2)
