"""Features set free: brute force against the closed forms, and against itself."""

from __future__ import annotations

import pytest
import torch

from nclib import decompose, least_squares
from nclib.theory import free_features as free
from nclib.theory.central_path import CentralPath
from nclib.theory.central_path import loss as loss_of

from .samples import orthogonal
from .tolerances import EXACT, ITERATED, TIGHT

C, N, D = 4, 3, 5
OMEGA = torch.tensor([2.0, 0.9, 0.4], dtype=torch.float64)


@pytest.fixture(params=["within", "total", None])
def features(request):
    """Features in whitened, totally whitened and raw coordinates."""
    return free.start(C, N, D, 0, omega=OMEGA, white=request.param)


def moving(x, direction, step=1e-6):
    """Central difference of Sigma_W along a direction."""
    ahead, behind = (free.within_covariance(x + s * direction) for s in (step, -step))
    return (ahead - behind) / (2 * step)


def test_start_keeps_its_promises(features, request):
    """Zero global mean, the SNR values asked for, and the covariance asked for is white."""
    assert torch.allclose(free.snr_values(features), OMEGA, rtol=EXACT)
    stats = free.statistics(features)
    assert float(stats.global_mean.abs().max()) < EXACT
    eye = torch.eye(D, dtype=torch.float64)
    white = request.node.callspec.params["features"]
    for name in ("within", "total"):
        assert torch.allclose(getattr(stats, name), eye, atol=1e-10) == (name == white)


def test_seeds_and_free_values():
    """A seed gives the same features, another seed others; means are random unless told."""
    assert torch.equal(free.start(C, N, D, 1), free.start(C, N, D, 1))
    assert not torch.allclose(free.start(C, N, D, 1), free.start(C, N, D, 2))
    assert torch.allclose(free.within_covariance(free.start(3, 9, 2, 1)), torch.eye(2).double())


def test_loss_is_that_of_the_least_squares_head(features):
    """By QR, by class statistics, and from the SNR values: one number."""
    stats = free.statistics(features)
    terms = decompose(stats, least_squares(stats, 0), 0)
    assert float(free.loss(features)) == pytest.approx(terms.least_squares, rel=TIGHT)
    assert float(free.loss(features)) == pytest.approx(float(loss_of(OMEGA, C)), rel=TIGHT)


def test_gradient_is_the_slope(features):
    """Along a random direction the loss changes as the gradient says."""
    g = torch.Generator().manual_seed(1)
    direction = torch.randn(features.shape, generator=g, dtype=torch.float64)
    ahead, behind = (free.loss(features + s * direction) for s in (1e-6, -1e-6))
    slope = float((free.gradient(features) * direction).sum())
    assert float(ahead - behind) / 2e-6 == pytest.approx(slope, rel=ITERATED)


def test_gradient_is_orthogonal_to_every_linear_map(features):
    """X^T gradient = 0: no change of coordinates, and no shift, changes the loss."""
    slope, flat = free.gradient(features).flatten(0, 1), features.flatten(0, 1)
    assert float((flat.T @ slope).abs().max()) < EXACT
    assert float(slope.sum(0).abs().max()) < EXACT


def test_projection_is_tangent_and_takes_off_a_normal(features):
    """What is left leaves Sigma_W alone; what went is deviations times a symmetric matrix."""
    slope, kept = free.gradient(features), free.projected_gradient(features)
    assert float(moving(features, kept).abs().max()) < TIGHT
    assert float(moving(features, slope).abs().max()) > 1e-4
    deviations = (features - features.mean(1, keepdim=True)).flatten(0, 1)
    symmetric = torch.linalg.lstsq(deviations, (slope - kept).flatten(0, 1)).solution
    assert torch.allclose(deviations @ symmetric, (slope - kept).flatten(0, 1), atol=EXACT)
    assert torch.allclose(symmetric, symmetric.T, atol=TIGHT)


def test_projected_gradient_moves_whole_classes_where_white():
    """In whitened features the projection leaves exactly the class means' part."""
    x = free.start(C, N, D, 0, omega=OMEGA)
    expected = free.split_gradient(x, 0.0)
    assert torch.allclose(free.projected_gradient(x), expected, atol=EXACT)


def test_split_gradient_has_two_speeds(features):
    """1 is the gradient, 0 has class means only, and the ratio is linear between them."""
    ends = [free.split_gradient(features, r) for r in (0.0, 1.0)]
    assert torch.allclose(ends[1], free.gradient(features), atol=EXACT)
    assert float((ends[0] - ends[0].mean(1, keepdim=True)).abs().max()) < EXACT
    third = free.split_gradient(features, 0.3)
    assert torch.allclose(third, 0.7 * ends[0] + 0.3 * ends[1], atol=EXACT)


def test_projected_flow_has_the_closed_form():
    """Brute-force flow of the features against CentralPath.at: SNR values, 1e-9."""
    x = free.start(C, N, D, 3, omega=OMEGA)
    times = torch.tensor([0.0, 0.5, 20.0, 1000.0], dtype=torch.float64)
    states = free.flow(free.projected_gradient, x, times, 1e-11)
    expected = CentralPath(C, N, OMEGA).at(times)
    assert torch.allclose(free.snr_values(states), expected, rtol=TIGHT)
    drift = states - states.mean(2, keepdim=True) - (x - x.mean(1, keepdim=True))
    assert float(drift.abs().max()) < TIGHT  # within classes nothing moves


def test_flow_does_not_know_coordinates_it_cannot_see():
    """Rotations commute with the flow; the loss falls all the way."""
    x, Q = free.start(C, N, D, 4, white=None), orthogonal(5, D)
    times = torch.tensor([1.0, 10.0], dtype=torch.float64)
    straight = free.flow(free.gradient, x, times, 1e-9)
    turned = free.flow(free.gradient, x @ Q, times, 1e-9)
    assert torch.allclose(straight @ Q, turned, atol=ITERATED)
    losses = [float(free.loss(state)) for state in (x, *straight)]
    assert losses == sorted(losses, reverse=True)


def test_steps_with_whitening_are_another_flow():
    """C N (C log omega + omega^2 / 2) grows by t; halving the step halves the error."""
    x = free.start(C, N, D, 6, omega=OMEGA)

    def law(omega):
        return C * N * (C * omega.log() + omega**2 / 2)

    errors = []
    for step, steps in ((0.8, 25), (0.4, 50)):
        omega = free.step_then_whiten(x, step, steps)
        assert omega.shape == (steps + 1, C - 1) and torch.allclose(omega[0], OMEGA)
        errors.append((law(omega[-1]) - law(OMEGA) - 20.0).abs().max())
    assert errors[0] < 0.5 and float(errors[0] / errors[1]) == pytest.approx(2, rel=0.1)


def test_whitening_keeps_the_values(features):
    """Renormalized features have Sigma_W = I and the same SNR values and loss."""
    white = free.whitened(features)
    assert torch.allclose(free.within_covariance(white), torch.eye(D).double(), atol=TIGHT)
    assert torch.allclose(free.snr_values(white), OMEGA, rtol=TIGHT)
    assert float(free.loss(white)) == pytest.approx(float(free.loss(features)), rel=TIGHT)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: free.start(2, 2, 3, 0), r"dimension: expected at most C \(N - 1\) = 2"),
        (lambda: free.start(4, 9, 2, 0, omega=OMEGA), "dimension: expected at least C-1 = 3"),
        (lambda: free.start(3, 9, 2, 0, omega=OMEGA), "omega: expected C-1 = 2 values, got 3"),
        (lambda: free.start(3, 9, 2, 0, white="all"), 'white: expected "within", "total" or None'),
        (lambda: free.loss(torch.ones(3, 2)), r"features: expected \(C, N, d\), got \(3, 2\)"),
        (lambda: free.whitened(torch.ones(2, 3, 2).double()), "spread in all 2 directions, none"),
    ],
)
def test_front_door(call, words):
    """What does not fit is named, with what was expected."""
    with pytest.raises(ValueError, match=words):
        call()


def test_a_flow_that_breaks_down_says_so():
    """A field that blows up before the last time is a RuntimeError."""
    x = free.start(2, 3, 1, 0)
    with pytest.raises(RuntimeError, match="flow: expected to reach time"):
        free.flow(lambda features: -(features.abs() ** 3), x, [100.0], 1e-6)
