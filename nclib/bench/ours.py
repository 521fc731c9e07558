"""Our way: the training loop and the measurement that every run uses, and what bounds them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..cells import Cell, recipe_of
from ..data import ImageSet
from ..decisions import decide
from ..machine import Machine
from ..models import Network, build
from ..observations import MEASURE_BATCH, Observation, features_of, summarize
from ..stats import ClassStats
from ..training import DivergedError, Training, loss_of
from .clock import Clock, Timing

__all__ = ["bounds", "flops_per_image", "matrix_rate", "measurement", "network", "steps"]

SQUARES = {"cpu": (1024, 2048, 4096), "mps": (2048, 4096), "cuda": (4096, 8192, 16384)}


def network(cell: Cell, images: ImageSet) -> Network:
    """The cell's network as it starts."""
    return build(
        cell.network, num_classes=images.num_classes, channels=images.images.shape[1],
        size=images.size, seed=cell.seed,
    )  # fmt: skip


def steps(cell: Cell, images: ImageSet, machine: Machine, seconds: float) -> Timing:
    """Steps of our training loop, in whole epochs of a part of the images."""
    recipe = recipe_of(cell)
    training = Training(network(cell, images), recipe, cell.seed, machine)
    parts: dict[int, ImageSet] = {}

    def advance(count: int) -> None:
        if count not in parts:
            index = torch.arange(count * recipe.batch_size)
            parts[count] = images.subset(index).to(machine.device)
        training.epoch = 0  # always at the first rate
        with suppress(DivergedError):  # steps of a training that diverges take as long
            training.advance(parts[count])

    # Other images are recorded anew, which must not count.
    return Clock(machine, seconds).fit(
        advance, 1, len(images) // recipe.batch_size, rehearse=machine.graph or machine.compile
    )


def measurement(cell: Cell, images: ImageSet, machine: Machine, seconds: float) -> Timing:
    """Images of the training set, measured as at an epoch of a run: features, then every number."""
    plain = replace(machine, graph=False, compile=False)  # a measurement uses neither
    training = Training(network(cell, images), recipe_of(cell), cell.seed, plain)
    parts: dict[int, ImageSet] = {}

    def look(count: int) -> None:
        if count not in parts:
            part = images.balanced(count // images.num_classes, seed=0)
            parts[count] = part.to(machine.device)
        features, logits, head = features_of(training, parts[count])
        labels = parts[count].labels.to(features.device)
        stats = ClassStats.of(features, labels, images.num_classes)
        decisions = decide(features, labels, head, stats.means)
        loss = float(loss_of(logits, labels, training.recipe.loss))
        summarize(Observation(0, "train", features, labels, stats, head, decisions, loss), cell)

    # A whole batch at the least, and once before it counts: its shapes need kernels of their own.
    least, most = bounds(images)
    elsewhere = machine.kind != "cpu"
    least = min(MEASURE_BATCH, most) if elsewhere else least
    return Clock(machine, seconds).fit(look, least, most, rehearse=elsewhere)


def bounds(images: ImageSet) -> tuple[int, int]:
    """The least and the most images of a measurement, as many of each class."""
    most = int(images.counts.min())
    return min(20, most) * images.num_classes, most * images.num_classes


def matrix_rate(machine: Machine, seconds: float) -> tuple[int, float]:
    """(n, FLOP/s) of the fastest product of two n x n matrices in the training precision."""
    rates: dict[int, float] = {}
    for n in SQUARES[machine.kind]:
        if rates and 2 * (2 * n**3) / max(rates.values()) > seconds:
            break  # a slow machine need not show twice that it is slow
        a, b = (
            torch.randn(n, n, device=machine.device).to(getattr(torch, machine.precision))
            for _ in range(2)
        )

        def multiply(count: int, a: torch.Tensor = a, b: torch.Tensor = b) -> None:
            for _ in range(count):
                torch.mm(a, b)

        with machine.training():
            rates[n] = 2 * n**3 / Clock(machine, min(seconds, 2.0)).fit(multiply, 1, 1000).each
    return max(rates.items(), key=lambda found: found[1])


def flops_per_image(cell: Cell, images: ImageSet, machine: Machine) -> float:
    """Floating-point operations of both passes, as executed; a product with its sum is two."""
    count = 2
    model = network(cell, images).to(machine.device).train()
    part = images.subset(torch.arange(count)).to(machine.device)
    with FlopCounterMode(display=False) as counter:
        batch = part.batch(torch.arange(count, device=machine.device))
        loss_of(model(batch), part.labels, recipe_of(cell).loss).backward()
    return counter.get_total_flops() / count
