"""Training a network by the paper's recipe: plain SGD, and nothing that is not in the recipe.

The order of the images depends on (seed, epoch) alone, so a training that was killed goes on
from its checkpoint and ends with the same weights, bit for bit on a CPU.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .data import ImageSet
from .machine import CPU, Machine

__all__ = ["CheckpointError", "DivergedError", "Recipe", "Training", "fit", "loss_of"]

LOSSES = ("mse", "ce")


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file, which is left as it is."""


class DivergedError(ArithmeticError):
    """The training loss is no longer a number."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: SGD with momentum and coupled weight decay, two drops of the rate.

    ``loss`` is "mse" (one-hot targets, averaged over batch *and* outputs, torch's "mean") or
    "ce". ``learning_rate`` is multiplied by ``drop`` after one and after two thirds of the
    epochs. The last, ragged batch of an epoch is left out; weight decay acts on every parameter.

    Source: Han, Papyan & Donoho 2022, Appendix A.3, and notebook.
    Chapter: decomposition-measured.
    """

    loss: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    momentum: float = 0.9
    drop: float = 0.1

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {LOSSES}, got {self.loss!r}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "weight_decay", "momentum", "drop"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(
                    f"{name}: expected a finite number >= 0, got {getattr(self, name)}"
                )

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1: with 350 epochs it drops at 117 and 234."""
        drops = sum(epoch > third * self.epochs // 3 for third in (1, 2))
        return self.learning_rate * self.drop**drops


def loss_of(logits: Tensor, labels: Tensor, loss: str) -> Tensor:
    """The data term that is trained: mean-reduced MSE to one-hot targets, or cross-entropy."""
    if loss == "ce":
        return nn.functional.cross_entropy(logits, labels)
    targets = nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return nn.functional.mse_loss(logits, targets)


@dataclass
class Training:
    """A training in progress: the network, the optimizer and the epochs done."""

    model: nn.Module
    recipe: Recipe
    seed: int
    machine: Machine = CPU
    epoch: int = 0
    loss: float = float("nan")  # mean over the last epoch's batches
    zero_error_epoch: int | None = None  # the first look that saw no training error
    optimizer: torch.optim.SGD = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
        )

    def advance(self, images: ImageSet) -> None:
        """One epoch. Raises DivergedError when the loss stops being finite."""
        batch_size, count = self.recipe.batch_size, len(images)
        if batch_size > count:
            raise ValueError(f"batch_size: expected at most {count} (images), got {batch_size}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.epoch + 1)
        self.model.train()
        total, steps = torch.zeros((), device=images.images.device), count // batch_size
        for index in self._order(count)[: steps * batch_size].split(batch_size):
            total += self._step(images, index.to(images.images.device))
        self.epoch += 1
        self.loss = float(total) / steps
        if not torch.isfinite(total):
            raise DivergedError(f"training loss is {self.loss} in epoch {self.epoch}")

    def _order(self, count: int) -> Tensor:
        """The epoch's permutation, drawn on the CPU so that every device sees the same one."""
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        return torch.randperm(count, generator=generator)

    def _step(self, images: ImageSet, index: Tensor) -> Tensor:
        batch = images.batch(index).contiguous(memory_format=torch.channels_last)
        loss = loss_of(self.model(batch), images.labels[index], self.recipe.loss)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def save(self, path: Path | str) -> None:
        """Write a checkpoint whole or not at all: a temporary file, then a rename."""
        path = Path(path)
        temporary = path.with_name(path.name + ".part")
        state = self._identity() | {
            "epoch": self.epoch,
            "loss": self.loss,
            "zero_error_epoch": self.zero_error_epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def restore(self, path: Path | str) -> None:
        """Go on from a checkpoint of the same recipe and seed; no code in the file is run."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path}: not a checkpoint that can be read: {error}") from error
        mine = self._identity()
        theirs = {key: state.get(key) for key in mine} if isinstance(state, dict) else None
        if theirs != mine:
            raise CheckpointError(f"{path}: expected a checkpoint of {mine}, got {theirs}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.loss = state["epoch"], state["loss"]
        self.zero_error_epoch = state["zero_error_epoch"]

    def _identity(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "network": type(self.model).__name__,
        }


def fit(model: nn.Module, images: ImageSet, recipe: Recipe, *, seed: int) -> Iterator[Training]:
    """Train a network, epoch by epoch; the model is changed in place and yielded after each.

    Chapter: collapse.
    """
    training = Training(model, recipe, seed)
    while training.epoch < recipe.epochs:
        training.advance(images)
        yield training
