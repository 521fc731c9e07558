"""Hours and gigabytes of a cell of the grid, by the papers' protocol."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from ..cells import Cell, measured_epochs, recipe_of
from ..data import NUM_CLASSES, PER_CLASS
from ..models import NETWORKS
from .accelerators import Accelerator
from .counting import Kernel, Work, count

__all__ = ["SHARES", "Cost", "cost", "images_of", "work_of"]

SHARES = (0.2, 0.7)
"""Shares of the roof between which we expect real training: ours, from published rates."""

_GEOMETRY = {  # channels, side with border, images per class as they come, test images
    "digits": (1, 8, 140, 397), "synthetic": (1, 8, 100, 500), "mnist": (1, 32, 5421, 10_000),
    "fashionmnist": (1, 32, 6000, 10_000), "svhn": (3, 32, 4659, 26_032),
    "cifar10": (3, 32, 5000, 10_000), "stl10": (3, 96, 500, 8000),
}  # fmt: skip
_KEPT = 14  # bytes a parameter: weight, gradient and momentum, and the half-precision weight
_LOOK = 1000  # images of a batch of a measurement


@dataclass(frozen=True)
class Cost:
    """Hours and gigabytes of a cell on one accelerator, at one share of its roof.

    Chapter: scale.
    """

    cell: Cell
    accelerator: Accelerator
    share: float
    training: float
    measuring: float  # statistics included
    statistics: float
    memory: float

    @property
    def hours(self) -> float:
        """Training and measuring."""
        return self.training + self.measuring

    @property
    def fits(self) -> bool:
        """Whether nine tenths of the memory are enough; the driver and libraries want some, too."""
        return self.memory <= 0.9 * self.accelerator.memory


def cost(cell: Cell, accelerator: Accelerator, share: float) -> Cost:
    """What a cell costs by the model: every step of every epoch, and its measurements.

    Steps compute in half precision but for the head and what stands before it, measurements in
    float32 and their statistics in float64. The launch of kernels is not in it: a recorded step
    has next to none.   Chapter: scale.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: expected a number above 0 and up to 1, got {share}")
    recipe, (channels, size, train, test) = recipe_of(cell), images_of(cell)
    batch = min(recipe.batch_size, train)
    step = work_of(cell.network, channels, size, batch, cell.loss)
    look = work_of(cell.network, channels, size, _LOOK, None)
    parameters, d = _sizes(cell.network, channels, size)
    seen = train + test
    # Half of Sigma_W is summed, of both splits.
    statistics = Work({Kernel(seen * d * d, 8.0 * seen * d, 8): 1})
    steps = recipe.epochs * (train // batch)
    looks = len(measured_epochs(recipe.epochs, cell.every))
    summed = accelerator.roof(statistics)
    each = accelerator.roof(look) * seen / _LOOK + summed
    held = seen * channels * size**2 + 4 * train * d + 4 * 8 * d * d
    return Cost(
        cell, accelerator, share,
        training=steps * accelerator.roof(step) / share / 3600,
        measuring=looks * each / share / 3600,
        statistics=looks * summed / share / 3600,
        memory=(_KEPT * parameters + max(step.kept, look.kept) + held) / 1e9,
    )  # fmt: skip


def images_of(cell: Cell) -> tuple[int, int, int, int]:
    """Channels, side with border, training and test images of a cell, by the papers' protocol.

    Chapter: scale.
    """
    channels, size, whole, test = _GEOMETRY[cell.dataset]
    train = NUM_CLASSES * (PER_CLASS[cell.dataset] or whole) - NUM_CLASSES * (cell.held or 0)
    if cell.images is not None:
        train, test = min(train, cell.images), min(test, cell.images)
    return channels, size, train, test


@cache
def work_of(
    network: str, channels: int, size: int, batch: int, loss: str | None, half: bool = True
) -> Work:
    """The kernels of a training step with ``loss``, or of a float32 forward pass without one.

    ``half`` is False where the body computes in float32 while training, too.   Chapter: scale.

    >>> round(work_of("convnet", 1, 8, 32, "mse").flops / 32 / 1e6, 1)
    10.7
    """
    if network not in NETWORKS:
        raise ValueError(f"network: expected one of {sorted(NETWORKS)}, got {network!r}")
    model = NETWORKS[network].outline(NUM_CLASSES, channels, size)
    images = torch.empty(batch, channels, size, size, device="meta")
    if half and loss is not None:
        model.body.to(torch.bfloat16)
        images = images.to(torch.bfloat16)
    return count(model, images, loss)


@cache
def _sizes(network: str, channels: int, size: int) -> tuple[int, int]:
    """Parameters and features of a network."""
    outline = NETWORKS[network].outline(NUM_CLASSES, channels, size)
    return sum(parameter.numel() for parameter in outline.parameters()), outline.fc.in_features
