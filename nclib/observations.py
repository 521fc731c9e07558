"""Train a cell and look at its last layer at the measured epochs.

Nothing is written but a checkpoint; keeping what was seen is the work of ``experiments``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from .cells import Cell, measured_epochs, recipe_of, ridges_of
from .data import PER_CLASS, ImageSet, load
from .decisions import Decisions, decide
from .decomposition import decompose
from .head import Head
from .machine import CPU, Machine
from .metrics import measure
from .models import build, split
from .records import Row
from .reported import TERMINAL_ACCURACY
from .robustness import robustness_of
from .snr import snr_values
from .stats import ClassStats
from .training import DivergedError, Training, loss_of

__all__ = ["Observation", "features_of", "observe", "splits_of", "summarize"]

MEASURE_BATCH = 1000
SAVE_MINUTES = 5.0  # at most so much work is lost to a kill between two measurements
ROBUSTNESS = ("never", "ends", "always")
ROBUST_IMAGES = 100


@dataclass(frozen=True, eq=False)
class Observation:
    """The last layer at one epoch, seen on one split in eval mode.

    Chapter: collapse.
    """

    epoch: int
    split: str
    features: Tensor  # (N, d) float32
    labels: Tensor  # (N,)
    stats: ClassStats
    head: Head
    decisions: Decisions
    loss: float
    robustness: float = math.nan  # Ave ||r|| / ||x|| on test images, where it was measured


def observe(
    cell: Cell | str,
    *,
    root: Path | str | None = None,
    download: bool = False,
    machine: Machine = CPU,
    checkpoint: Path | str | None = None,
    max_minutes: float | None = None,
    robustness: str = "never",
    stop: Callable[[], bool] | None = None,
) -> Iterator[Observation]:
    """Train a cell, or that of a name, and look at its last layer on train, then on test images.

    ``root`` and ``download`` say where data sets lie that are not embedded. With ``checkpoint``
    the training is saved there after each measured epoch, and every few minutes, and goes on from
    there; with ``max_minutes`` it stops after that time, at the end of an epoch, and with ``stop``
    after an epoch at whose end that is true. ``robustness``
    is measured "never", at both "ends" of the terminal phase (the first measured epoch with a
    training accuracy of 99.9 %, as the papers count it, and the last one), or "always".
    Chapter: collapse.
    """
    cell = Cell.parse(cell) if isinstance(cell, str) else cell
    if max_minutes is not None and not max_minutes >= 0:
        raise ValueError(f"max_minutes: expected a number >= 0, got {max_minutes}")
    if robustness not in ROBUSTNESS:
        raise ValueError(f"robustness: expected one of {ROBUSTNESS}, got {robustness!r}")
    begun = saved = time.monotonic()
    recipe = recipe_of(cell)
    splits = {
        name: images.to(machine.device)
        for name, images in splits_of(cell, root=root, download=download).items()
    }
    train = splits["train"]
    model = build(
        cell.network, num_classes=train.num_classes, channels=train.images.shape[1],
        size=train.size, seed=cell.seed,
    )  # fmt: skip
    training = Training(model.to(machine.device), recipe, cell.seed, machine)
    if checkpoint is not None and Path(checkpoint).exists():
        training.restore(checkpoint)
    epochs = measured_epochs(recipe.epochs, cell.every)
    look = _Look(training, splits, robustness, last=recipe.epochs)
    with tqdm(total=recipe.epochs, initial=training.epoch, desc=cell.name, unit="epoch") as bar:
        while training.epoch < recipe.epochs:
            training.advance(train)
            bar.update()
            measured = training.epoch in epochs
            if measured:
                yield from look()
            now = time.monotonic()
            over = max_minutes is not None and now - begun >= 60 * max_minutes
            over = over or (stop is not None and stop())
            # Only after the look: a checkpoint ahead of its row would lose that row to a kill.
            if checkpoint is not None and (measured or over or now - saved >= 60 * SAVE_MINUTES):
                training.save(checkpoint)
                saved = now
            if over:
                return


def summarize(seen: Observation, cell: Cell) -> Row:
    """An observation as a row: every measurement and the three terms under each ridge."""
    terms = {
        reading: asdict(decompose(seen.stats, seen.head, ridge["value"]))
        for reading, ridge in ridges_of(cell).items()
    }
    return Row(
        run=cell.name,
        epoch=seen.epoch,
        split=seen.split,
        accuracy=seen.decisions.accuracy,
        mismatch=seen.decisions.nearest_mean_mismatch,
        loss=seen.loss,
        metrics=measure(seen.stats, seen.head),
        terms=terms,
        omega=_omega(seen.stats),
        robustness=seen.robustness,
    )


def _omega(stats: ClassStats) -> list[float]:
    """The SNR values; none where means differ along directions in which nothing spreads."""
    try:
        return snr_values(stats).tolist()
    except ValueError:
        return []


def splits_of(
    cell: Cell, *, root: Path | str | None = None, download: bool = False
) -> dict[str, ImageSet]:
    """The images that a cell trains on, is tested on and, where it says so, holds out.

    The training set is balanced as in the paper. Which images are drawn does not depend on the
    cell's seed; only the training does.   Chapter: protocol.
    """
    train = load(cell.dataset, split="train", root=root, download=download)
    test = load(cell.dataset, split="test", root=root, download=download)
    held, most = cell.held or 0, int(train.counts.min())
    if cell.images is not None:
        per_class: int | None = cell.images // train.num_classes
        fewest = int(test.counts.min())
        test = test.balanced(min(cell.images // test.num_classes, fewest), seed=0)
    else:
        per_class = PER_CLASS.get(cell.dataset)
        if held:
            per_class = min(per_class or most, most - held)
    if held:
        train, aside = train.parted(per_class or most, held, seed=0)
        return {"train": train, "test": test, "held": aside}
    return {"train": train.balanced(per_class, seed=0) if per_class else train, "test": test}


@dataclass
class _Look:
    """Every split through the network in eval mode; decisions use the training means."""

    training: Training
    splits: dict[str, ImageSet]
    robustness: str
    last: int

    def __call__(self) -> Iterator[Observation]:
        training = self.training
        means: Tensor | None = None
        for split_, images in self.splits.items():
            features, logits, head = features_of(training, images)
            if not bool(torch.isfinite(features).all()):
                raise DivergedError(f"features are no longer finite in epoch {training.epoch}")
            labels = images.labels.to(features.device)
            stats = ClassStats.of(features, labels, images.num_classes)
            means = stats.means if means is None else means
            decisions = decide(features, labels, head, means)
            if split_ == "train":
                wanted = self._wants_robustness(decisions.accuracy)
            yield Observation(
                training.epoch, split_, features, labels, stats, head, decisions,
                float(loss_of(logits, labels, training.recipe.loss)),
                self._robustness(images) if split_ == "test" and wanted else math.nan,
            )  # fmt: skip

    def _wants_robustness(self, accuracy: float) -> bool:
        training = self.training
        if accuracy >= TERMINAL_ACCURACY and training.zero_error_epoch is None:
            training.zero_error_epoch = training.epoch
        ends = training.epoch in (training.zero_error_epoch, self.last)
        return self.robustness == "always" or (self.robustness == "ends" and ends)

    def _robustness(self, images: ImageSet) -> float:
        """On the same test images at every epoch, drawn without replacement as in the paper."""
        drawn = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        index = drawn[:ROBUST_IMAGES].to(images.labels.device)
        with self.training.machine.measuring():
            return robustness_of(self.training.model, images.batch(index))


@torch.no_grad()
def features_of(training: Training, images: ImageSet) -> tuple[Tensor, Tensor, Head]:
    """Features (N, d) and logits (N, C) of a whole set, and the head.

    Never from the training pass: batch statistics put a floor under the within-class spread.
    """
    training.model.eval()
    trunk, head = split(training.model)
    index = torch.arange(len(images), device=images.images.device)
    # Fewer at a time where they are large: as many pixels as a batch of 32 x 32.
    batch = max(MEASURE_BATCH * 32**2 // max(images.size, 32) ** 2, 1)
    with training.machine.measuring(choose=True):
        pairs = [trunk(images.batch(part)) for part in index.split(batch)]
    home = training.machine.statistics_device
    features, logits = (torch.cat(parts).to(home) for parts in zip(*pairs, strict=True))
    return features, logits, head
