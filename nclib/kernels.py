"""The kernel of the SNR values: all that a network contributes to their speed.

K_ij is the inner product of the gradients of omega_i and omega_j in the network's weights. No
choice of coordinates for the features enters: a linear map after them moves no SNR value, so
its weights add nothing. On the central path gradient flow moves the SNR values by
K (omega / (C + omega^2)^2), exactly; the second factor is the loss, and the same for all networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from .models import split
from .snr import snr
from .stats import ClassStats
from .theory.discriminants import discriminants

__all__ = ["Kernel", "full_set_features", "kernel_of", "snr_gradients", "weight_gradients"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """K and what it acts on, at one moment.

    Chapter: prediction.
    """

    omega: Tensor  # (C-1,)
    matrix: Tensor  # (C-1, C-1)
    own_speed: Tensor  # (C-1,) d omega / dt under the same flow with the network's head as it is

    @property
    def num_classes(self) -> int:
        return len(self.omega) + 1

    @property
    def push(self) -> Tensor:
        """omega / (C + omega^2)^2: minus the slope of the loss in each value, (C-1,)."""
        return self.omega / (self.num_classes + self.omega.square()).square()

    @property
    def speed(self) -> Tensor:
        """d omega / dt under gradient flow of 1/2 Ave |Wh+b-y|^2 with the best head, (C-1,)."""
        return self.matrix @ self.push

    @property
    def mixing(self) -> float:
        """Mean of |K_ij| / sqrt(K_ii K_jj) over i != j: 0 where modes do not push each other."""
        size = self.matrix.diagonal().sqrt()
        correlations = (self.matrix / size / size[:, None]).abs()
        C = self.num_classes
        return float((correlations.sum() - correlations.trace()) / ((C - 1) * (C - 2)))

    @property
    def exponent(self) -> float:
        """p: slope of log(K_jj omega_j / (C + omega_j^2)^2) against log(omega_j) over the modes.

        1 for plain flow, 0 for the additive law, -1 and -3 for whitened and projected flow at
        large values. By least squares, so it means little where the values hardly differ.
        """
        x, y = self.omega.log(), (self.matrix.diagonal() * self.push).log()
        x, y = x - x.mean(), y - y.mean()
        return float(x @ y / (x @ x))


def kernel_of(model: nn.Module, inputs: Tensor, labels: Tensor, num_classes: int) -> Kernel:
    """K of a network on a balanced set, by C-1 backward passes through the whole of it at once.

    ``inputs`` (N, ...) are network inputs, ``labels`` (N,) have equally many of each class. Batch
    norms use the statistics of the whole set, and are differentiated through. Frozen weights are
    left out. SNR values must be simple and positive; where two nearly meet, their directions turn
    fast and K, in their basis, is hard to read. The model is left as it was.

    One more pass, of the loss with the network's own head, gives ``own_speed``.

    Source: our derivation.   Chapter: prediction.
    """
    with full_set_features(model, inputs) as features:
        slopes = snr_gradients(features.detach(), labels, num_classes)
        loss = _loss_slope(model, features.detach(), labels, num_classes)
        columns = _pull_back(model, features, torch.cat([slopes, loss[None]]))
    gram = torch.zeros(num_classes, num_classes, dtype=torch.float64)
    for gradients in columns:  # one parameter at a time: all of them at once may not fit
        gram += (gradients @ gradients.T).cpu()
    omega = snr(ClassStats.of(features.detach(), labels, num_classes)).omega.cpu()
    return Kernel(omega, gram[:-1, :-1], -gram[:-1, -1])


def weight_gradients(
    model: nn.Module, inputs: Tensor, labels: Tensor, num_classes: int
) -> list[Tensor]:
    """The gradients (C-1, P_k) of all SNR values in each parameter; zero for the head's.

    In the order of ``model.parameters()``, those that require gradients.   Chapter: prediction.
    """
    with full_set_features(model, inputs) as features:
        slopes = snr_gradients(features.detach(), labels, num_classes)
        return _pull_back(model, features, slopes)


def snr_gradients(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The gradient of each SNR value in the features, (C-1, N, d) float64, for equal classes.

    For a sample h of class c, with Fisher's direction a_j and lambda_j = omega_j^2 / C,
        d omega_j / dh = (a_j . (mu_c - mu_G) - lambda_j a_j . (h - mu_c)) C a_j / (N omega_j),
    N samples in all. Values must be simple and positive.

    Source: our derivation.   Chapter: prediction.
    """
    stats = ClassStats.of(features, labels, num_classes)
    a, omega = discriminants(stats), snr(stats).omega  # (d, C-1), (C-1,)
    if not bool((omega > 0).all()):
        raise ValueError(
            f"features: expected class means that span {num_classes - 1} directions, "
            f"got SNR values {omega.tolist()}"
        )
    deviations = features.double() - stats.means[labels]
    signal, noise = stats.centered_means[labels] @ a, deviations @ a  # (N, C-1) each
    weight = (signal - omega.square() / num_classes * noise) * (num_classes / omega)
    return torch.einsum("nj,dj->jnd", weight / len(features), a)


@contextmanager
def full_set_features(model: nn.Module, inputs: Tensor) -> Iterator[Tensor]:
    """Features (N, d) of all inputs in one batch, differentiable within; the model stays as it is.

    Batch norms take their statistics from this batch, as in training, but remember none of it;
    all else, such as dropout, is in eval mode. Needs the memory of one step on the whole set.

    Chapter: prediction.
    """
    modes = {module: module.training for module in model.modules()}
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    counts = [norm.num_batches_tracked for norm in norms]
    before = [None if count is None else count.clone() for count in counts]
    try:
        model.eval()
        for norm in norms:
            norm.train()
            norm.momentum = 0.0
        with torch.enable_grad():
            features = split(model)[0](inputs)[0]
        yield features
    finally:
        for module, mode in modes.items():
            module.training = mode
        for norm, momentum, count, old in zip(norms, momenta, counts, before, strict=True):
            norm.momentum = momentum
            if count is not None and old is not None:
                count.copy_(old)


def _pull_back(model: nn.Module, features: Tensor, slopes: Tensor) -> list[Tensor]:
    """Slopes in the features (R, N, d) as slopes (R, P_k) in each parameter that is trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    found: list[list[Tensor]] = [[] for _ in parameters]
    for slope in slopes.to(features):
        gradients = torch.autograd.grad(
            features, parameters, slope, retain_graph=True, allow_unused=True
        )
        for rows, parameter, gradient in zip(found, parameters, gradients, strict=True):
            rows.append(torch.zeros_like(parameter) if gradient is None else gradient)
    return [torch.stack([row.flatten().double() for row in rows]) for rows in found]


def _loss_slope(model: nn.Module, features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The gradient of 1/2 Ave |Wh+b-y|^2 in the features, (N, d), at the network's own head."""
    head = split(model)[1]
    residuals = head.logits(features.double()) - one_hot(labels, num_classes)
    return residuals @ head.weight / len(features)
