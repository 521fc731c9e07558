"""Nonlinear networks with linear heads of several layers, trained for several seeds at once.

The network of Jacot et al.: ``nonlinear`` layers Z -> sigma(Z W^T), then ``linear`` layers
Z -> Z W^T, no bias anywhere, all hidden layers of one width. Trained by full-batch gradient
descent on 1/2 ||Z - Y||_F^2 + (weight_decay/2) ||weights||^2: a SUM over samples, as in the paper,
so that learning rates are smaller than one is used to and weight decays larger.

Source: Jacot et al. 2025.   Chapter: wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, one_hot
from tqdm import tqdm

from .data import ImageSet
from .theory import deep_head
from .theory.orthogonal_frame import class_means, condition, nc1, nc2, nc3, negativity

__all__ = ["ACTIVATIONS", "Descent", "Look", "WideNet", "column", "head_of", "inputs_of", "train"]


def smooth_leaky(z: Tensor) -> Tensor:
    """0.2 z + 0.4 (z + sqrt(z^2 + 1) - 1): slope between 0.2 and 1, 0 at 0, no kink.

    The kind of activation that the paper's theorem on gradient descent asks for; ReLU is not.
    Chapter: wide.
    """
    return 0.2 * z + 0.4 * (z + torch.sqrt(z.square() + 1) - 1)


BOUNDS: dict[str, Callable[[deep_head.DeepHead], Tensor]] = {
    "nc1_bound": deep_head.nc1_bound,
    "nc2_bound": deep_head.nc2_bound,
    "nc3_bound": deep_head.nc3_bound,
    "condition_bound": deep_head.condition_bound,
    "conditioning_bound": deep_head.conditioning_bound,
}

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky": lambda z: leaky_relu(z, 0.2),
    "smooth leaky": smooth_leaky,
}
"""All 1-Lipschitz with sigma(0) = 0, as the bound on conditioning asks."""

DROP_AT, DROP = 0.8, 0.1  # the last fifth of the steps runs at a tenth of the rate


@dataclass(frozen=True)
class WideNet:
    """The shape of a network: ``nonlinear`` >= 1 layers, then ``linear`` >= 1 layers.

    Source: Jacot et al. 2025.   Chapter: wide.
    """

    nonlinear: int
    linear: int
    width: int
    activation: str

    def __post_init__(self) -> None:
        for name in ("nonlinear", "linear", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.activation not in ACTIVATIONS:
            expected = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation: expected one of {expected}, got {self.activation!r}")

    def start(self, inputs: int, classes: int, seeds: Sequence[int]) -> list[Tensor]:
        """Normal weights of variance 1/(inputs of the layer), (S, n_l, n_{l-1}) for each layer."""
        layers = self.nonlinear + self.linear
        sizes = [inputs, *[self.width] * (layers - 1), classes]
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return [
            torch.stack([torch.randn(n, m, generator=g) / math.sqrt(m) for g in generators])
            for m, n in zip(sizes, sizes[1:], strict=False)
        ]


@dataclass(frozen=True)
class Descent:
    """Gradient descent on the whole set at once, and how often to look.

    Source: Jacot et al. 2025 (the drop after 80 %).   Chapter: wide.
    """

    steps: int
    learning_rate: float
    weight_decay: float
    looks: int

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate * (DROP if step >= DROP_AT * self.steps else 1.0)

    @property
    def measured(self) -> list[int]:
        """Steps before which to look: ``looks`` of them, evenly from 0 to the end."""
        gaps = max(self.looks - 1, 1)
        return sorted({round(self.steps * k / gaps) for k in range(self.looks)})


@dataclass(frozen=True)
class Look:
    """One network at one step, on its training images.

    ``root`` is kappa(product of the linear layers)^(1/linear); ``balancedness`` that of the worst
    pair of linear layers and the bounds are NaN where there is only one. ``negativity`` is that
    of the last nonlinear layer. ``within_error`` is the part of ``error`` that differs within
    classes.   Chapter: wide.
    """

    linear: int
    seed: int
    step: int
    loss: float
    accuracy: float
    error: float
    within_error: float
    nc1: float
    nc2: float
    nc3: float
    balancedness: float
    imbalance: float
    negativity: float
    condition: float
    root: float
    squared_norm: float
    nc1_bound: float
    nc2_bound: float
    nc3_bound: float
    condition_bound: float
    conditioning_bound: float


def train(
    images: ImageSet,
    net: WideNet,
    descent: Descent,
    seeds: Sequence[int],
    *,
    progress: bool = True,
) -> Iterator[tuple[list[Look], list[Tensor]]]:
    """Train one network per seed, all at once; yield their looks and weights as they come.

    Weights (S, n_l, n_{l-1}) are copies. The images are used whole; ``images.balanced`` makes
    fewer of them. Deterministic on a CPU. A training that diverges is an ArithmeticError.
    ``progress`` shows a bar while it lasts.
    Chapter: wide.
    """
    inputs, labels = inputs_of(images), images.labels
    targets = one_hot(labels, images.num_classes).float()
    weights = net.start(inputs.shape[1], images.num_classes, seeds)
    due = set(descent.measured)
    name = f"{images.name}, {net.linear} linear"
    steps = range(descent.steps + 1)
    for step in tqdm(steps, desc=name, unit="step", leave=False) if progress else steps:
        gradients, loss = _gradients(net, weights, inputs, targets)
        if step in due:
            if not math.isfinite(loss):
                raise ArithmeticError(
                    f"learning_rate: the loss is no longer finite at step {step}, expected less "
                    f"than {descent.learning_rate}"
                )
            yield _looks(net, weights, inputs, labels, descent, seeds, step), list(weights)
        rate = descent.rate(step)
        keep = 1 - rate * descent.weight_decay
        weights = [keep * w - rate * g for w, g in zip(weights, gradients, strict=True)]


def inputs_of(images: ImageSet) -> Tensor:
    """All images as rows of pixels, normalized to a norm of about one, (N, pixels).

    Chapter: wide.
    """
    rows = images.batch(torch.arange(len(images), device=images.labels.device)).flatten(1)
    return rows / math.sqrt(rows.shape[1])


def head_of(images: ImageSet, net: WideNet, weights: Sequence[Tensor]) -> deep_head.DeepHead:
    """The linear layers of trained networks and what enters them, for the bounds, in float64.

    ``weights`` as ``train`` yields them, (S, n_l, n_{l-1}) each.   Chapter: wide.
    """
    exact = [weight.double() for weight in weights]
    _, after = _trunk(net, exact, inputs_of(images).double())
    return deep_head.DeepHead(after, exact[net.nonlinear :], images.labels)


def column(looks: Sequence[Look], name: str) -> tuple[list[int], Tensor]:
    """The steps that were looked at, and one measurement as (seeds, steps), float64.

    Chapter: wide.
    """
    steps, seeds = sorted({look.step for look in looks}), sorted({look.seed for look in looks})
    found = {(look.seed, look.step): getattr(look, name) for look in looks}
    table = [[found[seed, step] for step in steps] for seed in seeds]
    return steps, torch.tensor(table, dtype=torch.float64)


def _trunk(net: WideNet, weights: list[Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What enters the last activation and what leaves it, (S, N, width)."""
    after, before = inputs, inputs
    for weight in weights[: net.nonlinear]:
        before = after @ weight.mT
        after = ACTIVATIONS[net.activation](before)
    return before, after


def _gradients(
    net: WideNet, weights: list[Tensor], inputs: Tensor, targets: Tensor
) -> tuple[tuple[Tensor, ...], float]:
    """Gradients of the loss without weight decay, and its sum over seeds.

    The linear layers are multiplied with each other first: their cost is free of N.
    """
    leaves = [weight.requires_grad_() for weight in weights]
    product = leaves[-1]
    for weight in reversed(leaves[net.nonlinear : -1]):
        product = product @ weight
    _, after = _trunk(net, leaves, inputs)
    loss = (after @ product.mT - targets).square().sum() / 2
    gradients = torch.autograd.grad(loss, leaves)
    for weight in weights:
        weight.requires_grad_(False)
    return gradients, float(loss.detach())


@torch.no_grad()
def _looks(
    net: WideNet,
    weights: list[Tensor],
    inputs: Tensor,
    labels: Tensor,
    descent: Descent,
    seeds: Sequence[int],
    step: int,
) -> list[Look]:
    """One look per seed; float64 from the weights on."""
    exact = [weight.double() for weight in weights]
    before, after = _trunk(net, exact, inputs.double())
    activation = ACTIVATIONS[net.activation]
    table = _head_measures(exact[net.nonlinear :], after, labels)
    table["negativity"] = negativity(before, activation)
    table["squared_norm"] = torch.stack([w.square().sum((1, 2)) for w in exact]).sum(0)
    penalty = descent.weight_decay * table["squared_norm"]
    table["loss"] = (table["error"].square() + penalty) / 2
    columns = {name: values.tolist() for name, values in table.items()}
    return [
        Look(linear=net.linear, seed=seed, step=step, **{k: v[s] for k, v in columns.items()})
        for s, seed in enumerate(seeds)
    ]


def _head_measures(layers: list[Tensor], after: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """What can be said of linear layers on what enters them, each (S,)."""
    features, product, classes = after, layers[0], layers[-1].shape[1]
    for weight in layers[:-1]:
        features = features @ weight.mT
    for weight in layers[1:]:
        product = weight @ product
    outputs = features @ layers[-1].mT
    residual = outputs - one_hot(labels, classes)
    means = class_means(residual, labels, classes)[:, labels]
    table = {
        "accuracy": (outputs.argmax(-1) == labels).double().mean(-1),
        "error": residual.square().sum((1, 2)).sqrt(),
        "within_error": (residual - means).square().sum((1, 2)).sqrt(),
        "nc1": nc1(features, labels, classes),
        "nc2": nc2(features, labels, classes),
        "nc3": nc3(features, labels, layers[-1]),
        "condition": condition(layers[-1]),
        "root": condition(product) ** (1 / len(layers)),
    }
    return table | _bounds(layers, after, labels)


def _bounds(layers: list[Tensor], after: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Balancedness and the bounds, each (S,); NaN for a single linear layer."""
    if len(layers) < 2:
        nothing = after.new_full(after.shape[:1], math.nan)
        return dict.fromkeys(("balancedness", "imbalance", *BOUNDS), nothing)
    head = deep_head.DeepHead(after, layers, labels)
    differences = deep_head.imbalances(layers)
    worst = torch.stack([torch.linalg.matrix_norm(D, ord=2) for D in differences]).amax(0)
    table = {"balancedness": deep_head.balancedness(layers).amax(-1), "imbalance": worst}
    return table | {name: bound(head) for name, bound in BOUNDS.items()}
