"""The kernel of the SNR values: differences, free features, coordinates, and what it leaves."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from nclib.head import least_squares
from nclib.kernels import (
    Kernel,
    full_set_features,
    kernel_of,
    snr_gradients,
    weight_gradients,
)
from nclib.models.convnet import ConvNet
from nclib.snr import snr
from nclib.stats import ClassStats
from nclib.theory import discriminants, free_features

from .samples import random_sample
from .tolerances import EXACT, ITERATED, SINGLE, TIGHT

C, N, D = 4, 12, 6
LABELS = torch.arange(C).repeat_interleave(N)
SAMPLE = random_sample(3, C, 5, N, spread=1.0)
INPUTS = SAMPLE.features[SAMPLE.labels.argsort()]


class Free(nn.Module):
    """A network whose weights are its features, whatever it is shown."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = nn.Parameter(features.clone())
        self.fc = nn.Linear(features.shape[1], C, dtype=torch.float64)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.fc(self.features)


def perceptron(*between: nn.Module, norm: bool = True) -> nn.Sequential:
    """Two layers and a head in float64; ``between`` goes before the head."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Linear(5, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.Tanh()]
        layers += [nn.Linear(16, D), *between, nn.Linear(D, C)]
        return nn.Sequential(*layers).double()


def omega_of(model: nn.Module) -> Tensor:
    with torch.no_grad(), full_set_features(model, INPUTS) as features:
        return snr(ClassStats.of(features, LABELS, C)).omega


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def test_free_features_have_the_diagonal_kernel() -> None:
    """Where the weights are the features, K is diagonal, with the entries of the theory."""
    features = free_features.start(C, N, D, seed=1, white=None).flatten(0, 1)
    found = kernel_of(Free(features), INPUTS, LABELS, C)
    stats = ClassStats.of(features, LABELS, C)
    assert relative(found.matrix, discriminants.kernel(stats, 1.0).diag()) < TIGHT
    assert relative(found.speed, discriminants.speed(stats, 1.0)) < TIGHT
    assert found.mixing < TIGHT


def test_slopes_in_the_features_are_differences() -> None:
    """snr_gradients is how the SNR values change, in any direction of the features."""
    features = free_features.start(C, N, D, seed=2, white=None).flatten(0, 1)
    slopes = snr_gradients(features, LABELS, C)
    way = torch.randn(features.shape, generator=torch.Generator().manual_seed(0)).double()

    def values(step: float) -> Tensor:
        return snr(ClassStats.of(features + step * way, LABELS, C)).omega

    change = (values(1e-5) - values(-1e-5)) / 2e-5
    assert relative((slopes * way).sum((1, 2)), change) < ITERATED


@pytest.mark.parametrize("norm", [True, False])
def test_small_steps_of_the_weights(norm: bool) -> None:
    """A small step of all weights, batch norms included, moves omega by its gradients."""
    model = perceptron(norm=norm)
    columns = weight_gradients(model, INPUTS, LABELS, C)
    weights = parameters_to_vector(model.parameters()).detach()
    way = torch.randn(len(weights), generator=torch.Generator().manual_seed(0)).double()

    def values(step: float) -> Tensor:
        vector_to_parameters(weights + step * way, model.parameters())
        return omega_of(model)

    change = (values(1e-6) - values(-1e-6)) / 2e-6
    assert relative(torch.cat(columns, 1) @ way, change) < ITERATED


@pytest.mark.parametrize("best", [True, False])
def test_gradient_flow_moves_omega_at_this_speed(best: bool) -> None:
    """A small step down the loss moves omega by `speed`, at the head as it is by `own_speed`."""
    model = perceptron()
    body, fc = model[:-1], model[-1]
    kernel = kernel_of(model, INPUTS, LABELS, C)
    with full_set_features(model, INPUTS) as features:
        if best:
            loss = free_features.loss(features.reshape(C, N, D))
        else:
            loss = (fc(features) - one_hot(LABELS, C)).square().sum() / (2 * C * N)
        slopes = torch.autograd.grad(loss, list(body.parameters()))
    weights = parameters_to_vector(body.parameters()).detach()
    slope = torch.cat([s.flatten() for s in slopes])

    def values(time: float) -> Tensor:
        vector_to_parameters(weights - time * slope, body.parameters())
        return omega_of(model)

    expected = kernel.speed if best else kernel.own_speed
    assert relative((values(1e-5) - values(-1e-5)) / 2e-5, expected) < ITERATED


def test_the_best_head_needs_no_other() -> None:
    """Where the network's head is the best one, both speeds are the same."""
    model = perceptron()
    fc = model[-1]
    assert isinstance(fc, nn.Linear)
    with torch.no_grad(), full_set_features(model, INPUTS) as features:
        head = least_squares(ClassStats.of(features, LABELS, C), ridge=0.0)
        fc.weight.copy_(head.weight)
        fc.bias.copy_(head.bias)
    kernel = kernel_of(model, INPUTS, LABELS, C)
    assert relative(kernel.own_speed, kernel.speed) < TIGHT


def test_linear_maps_of_the_features_add_nothing() -> None:
    """K is free of coordinates: a linear layer before the head, trained or not, leaves it as is."""
    plain = kernel_of(perceptron(), INPUTS, LABELS, C)
    mixing = nn.Linear(D, D).double()
    g = torch.Generator().manual_seed(5)
    mixing.weight.data = torch.eye(D) + 0.3 * torch.randn(D, D, generator=g).double()
    model = perceptron(mixing)
    model[0], model[3] = perceptron()[0], perceptron()[3]
    found = kernel_of(model, INPUTS, LABELS, C)
    assert relative(found.omega, plain.omega) < TIGHT
    assert relative(found.matrix, plain.matrix) < TIGHT
    *_, before, _, mixed, _, _, _ = weight_gradients(model, INPUTS, LABELS, C)
    assert float(mixed.norm() / before.norm()) < TIGHT  # the mixing's weight, the one below it


def test_a_rescaled_layer_under_batch_norm() -> None:
    """Weights before a batch norm, times 3: omega stays, their share of K falls ninefold."""
    model = perceptron()
    for module in (model[1], model[3]):
        module.requires_grad_(False)
    first, norm = model[0], model[1]
    assert isinstance(first, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
    norm.eps = 1e-15
    before = kernel_of(model, INPUTS, LABELS, C)
    with torch.no_grad():
        first.weight.mul_(3)
        first.bias.mul_(3)
    after = kernel_of(model, INPUTS, LABELS, C)
    assert relative(after.omega, before.omega) < TIGHT
    assert relative(9 * after.matrix, before.matrix) < TIGHT


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_is(training: bool) -> None:
    """Modes, running statistics, counters, momenta and gradients are left alone."""
    model = ConvNet(2, 1).train(training)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.randn(160, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(2).repeat(80)
    kernel_of(model, images, labels, 2)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert all(module.training is training for module in model.modules())
    assert all(m.momentum == 0.1 for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_real_network_in_single_precision() -> None:
    """On a convolutional net the differences of omega agree, within what float32 can tell."""
    model = ConvNet(3, 1)
    g = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(60)
    images = torch.randn(180, 1, 8, 8, generator=g) + labels.reshape(-1, 1, 1, 1)
    columns = weight_gradients(model, images, labels, 3)
    slopes = torch.cat(columns, 1)
    weights = parameters_to_vector(model.parameters()).detach()
    way = slopes[0].float() / slopes[0].norm().float()

    def largest(step: float) -> float:
        vector_to_parameters(weights + step * way, model.parameters())
        with torch.no_grad(), full_set_features(model, images) as features:
            return float(snr(ClassStats.of(features, labels, 3)).omega[0])

    change = (largest(2e-3) - largest(-2e-3)) / 4e-3
    assert change == pytest.approx(float(slopes[0].norm()), rel=100 * SINGLE)


def test_exponents_of_the_laws() -> None:
    """K of the form that each law needs has that law's exponent, for large values."""
    omega = torch.tensor([5e3, 3e3, 2e3, 1e3], dtype=torch.float64)
    stretch = (5 + omega.square()).square()
    for diagonal, p in ((1 + 0 * omega, -3), (5 + omega.square(), -1), (stretch / omega, 0),
                        (stretch, 1)):  # fmt: skip
        assert Kernel(omega, diagonal.diag(), omega).exponent == pytest.approx(p, abs=SINGLE)


def test_mixing_is_a_mean_correlation() -> None:
    """All off-diagonal correlations 1/2, of either sign, are a mixing of 1/2."""
    scale = torch.tensor([1.0, 3.0, 0.1], dtype=torch.float64)
    signs = torch.tensor([[1, 0.5, -0.5], [0.5, 1, 0.5], [-0.5, 0.5, 1]], dtype=torch.float64)
    kernel = Kernel(scale, signs * scale * scale[:, None], scale)
    assert kernel.mixing == pytest.approx(0.5, rel=EXACT)
    assert math.isfinite(kernel.exponent)


def test_means_that_do_not_span_are_refused() -> None:
    """With fewer features than C - 1 some values are zero, and have no gradient."""
    features = free_features.start(C, N, 2, seed=0, white=None).flatten(0, 1)
    with pytest.raises(ValueError, match="expected class means that span 3 directions"):
        snr_gradients(features, LABELS, C)
