"""Training a network by the paper's recipe: plain SGD, and nothing that is not in the recipe.

One step for every machine: the images lie on the device as bytes, and gathering, normalizing,
both passes and the update are one function, run as it is or recorded as a CUDA graph.

The order of the images depends on (seed, epoch) alone, so a training that was killed goes on
from its checkpoint and ends with the same weights, bit for bit on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import checkpoints
from .checkpoints import CheckpointError
from .data import ImageSet
from .machine import CPU, CudaRecorder, Machine, Recorder, record
from .models import Network

__all__ = ["CheckpointError", "DivergedError", "Recipe", "Training", "fit", "loss_of"]

LOSSES = ("mse", "ce")
FIELDS = ("epoch", "loss", "zero_error_epoch", "model", "momentum", "scaler")


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
    # Not one_hot, which may wait for the device to see its labels.
    classes = torch.arange(logits.shape[1], device=labels.device)
    return nn.functional.mse_loss(logits, (labels[:, None] == classes).to(logits.dtype))


@dataclass
class Training:
    """A training in progress: the network, the optimizer and the epochs done.

    The network is moved to the machine. The body of a ``Network`` computes in the machine's
    precision, its neck and head in float32; any other module computes in float32, or with
    ``whole`` all of it in the machine's precision. What dropout draws is not in a checkpoint.
    """

    model: nn.Module
    recipe: Recipe
    seed: int
    machine: Machine = CPU
    epoch: int = 0
    loss: float = float("nan")  # mean over the last epoch's batches
    zero_error_epoch: int | None = None  # the first look that saw (almost) no training error
    whole: bool = False
    optimizer: torch.optim.SGD = field(init=False)

    def __post_init__(self) -> None:
        machine, recipe = self.machine, self.recipe
        self.model.to(machine.device)
        self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        on_cuda = machine.kind == "cuda"
        # A rate that lies on the device can change between two replays of a recorded step.
        rate: Any = recipe.learning_rate
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=torch.tensor(rate, dtype=torch.float32, device=machine.device) if on_cuda else rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=True if on_cuda else None,
        )
        if on_cuda and recipe.momentum:
            # Zero momentum makes the same first step. Left to itself, a fused first step whose
            # scaled gradients overflow is skipped, but keeps its new buffers, never written to.
            for p in self._parameters():
                self.optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
        self._scaler = torch.amp.GradScaler(machine.kind, enabled=machine.precision == "float16")
        self._index = torch.zeros(recipe.batch_size, dtype=torch.int64, device=machine.device)
        self._total = torch.zeros((), device=machine.device)  # of the epoch's losses
        self._given = self._resident = None
        self._replay: Callable[[], None] | None = None
        body = self.model.body if isinstance(self.model, Network) else self.model
        # Beside the model, not in it: names in a checkpoint must not depend on the machine.
        self._compute: Any = torch.compile(body) if machine.compile else body

    def advance(self, images: ImageSet) -> None:
        """One epoch. Raises DivergedError when the loss stops being finite."""
        batch_size, count = self.recipe.batch_size, len(images)
        if batch_size > count:
            raise ValueError(f"batch_size: expected at most {count} (images), got {batch_size}")
        steps = count // batch_size
        self._set_rate(self.recipe.rate(self.epoch + 1))
        self.model.train()
        with self.machine.training():
            step = self._step_on(images)
            self._total.zero_()
            order = self._order(count)[: steps * batch_size].to(self.machine.device)
            for index in order.split(batch_size):
                self._index.copy_(index)
                step()
        self.epoch += 1
        self.loss = float(self._total) / steps  # the only time in an epoch that the host waits
        if not math.isfinite(self.loss):
            raise DivergedError(f"training loss is {self.loss} in epoch {self.epoch}")

    def _order(self, count: int) -> Tensor:
        """The epoch's permutation, drawn on the CPU so that every device sees the same one."""
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        return torch.randperm(count, generator=generator)

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def _step_on(self, images: ImageSet) -> Callable[[], None]:
        """A step on these images, moved to the machine once; recorded where it has a graph."""
        if images is not self._given:
            self._given, self._resident = images, images.to(self.machine.device)
            self._replay = None
            self._index.zero_()  # the last images may have been more
        assert self._resident is not None
        step = partial(self._step, self._resident)
        if not self.machine.graph:
            return step
        if self._replay is None:
            self._replay = record(step, self._state, self._recorder())
        return self._replay

    def _recorder(self) -> Recorder:
        return CudaRecorder(self.machine.device)

    def _step(self, images: ImageSet) -> None:
        """One step on the images at ``_index``: nothing here may wait for the device."""
        batch = images.batch(self._index).contiguous(memory_format=torch.channels_last)
        loss = loss_of(self._logits(batch), images.labels[self._index], self.recipe.loss)
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        self._total += loss.detach()

    def _logits(self, batch: Tensor) -> Tensor:
        if isinstance(self.model, Network):
            with self.machine.autocast():
                maps = self._compute(batch)
            return self.model.classify(maps)
        if not self.whole:
            return self._compute(batch)
        with self.machine.autocast():
            logits = self._compute(batch)
        return logits.float()

    def _state(self) -> list[Tensor]:
        """All that a step changes; nothing else survives from one step to the next."""
        momentum = [buffer for buffer in self._momentum() if buffer is not None]
        return [*self.model.parameters(), *self.model.buffers(), *momentum, self._total]

    def _momentum(self) -> list[Tensor | None]:
        """The momentum of each parameter, None where there was no step yet."""
        state = self.optimizer.state
        return [state[p].get("momentum_buffer") if p in state else None for p in self._parameters()]

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def save(self, path: Path | str) -> None:
        """Write a checkpoint whole or not at all: a temporary file, then a rename.

        It holds numbers only, none of the machine's options, so that another machine can go on.
        Raises CheckpointError where it cannot be written; an older one is left as it was.
        """
        state = self._identity() | {
            "epoch": self.epoch,
            "loss": self.loss,
            "zero_error_epoch": self.zero_error_epoch,
            "model": self.model.state_dict(),
            "momentum": self._momentum(),
            "scaler": self._scaler.state_dict(),
        }
        checkpoints.write(path, state)

    def restore(self, path: Path | str) -> None:
        """Go on from a checkpoint of the same recipe and seed; no code in the file is run.

        Weights and momentum are copied into the tensors that are there, so that a step that was
        recorded before stays right.
        """
        state = self._read(Path(path))
        self.model.load_state_dict(state["model"])
        with torch.no_grad():
            for p, mine, kept in zip(
                self._parameters(), self._momentum(), state["momentum"], strict=True
            ):
                if mine is None and kept is not None:
                    mine = self.optimizer.state[p]["momentum_buffer"] = torch.empty_like(p)
                if mine is not None:
                    mine.zero_() if kept is None else mine.copy_(kept)
        if self._scaler.is_enabled() and state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        self.epoch, self.loss = state["epoch"], state["loss"]
        self.zero_error_epoch = state["zero_error_epoch"]

    def _read(self, path: Path) -> dict[str, Any]:
        """A checkpoint that fits, or an error before anything is changed."""
        state = checkpoints.read(path, self._identity(), FIELDS)
        shapes = {name: tensor.shape for name, tensor in self.model.state_dict().items()}
        if {name: tensor.shape for name, tensor in state["model"].items()} != shapes:
            raise CheckpointError(
                f"{path}: expected the weights of this network, {len(shapes)} tensors, "
                f"got other names or shapes, {len(state['model'])} tensors"
            )
        return state

    def _identity(self) -> dict[str, Any]:
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "network": type(self.model).__name__,
        }


def fit(
    model: nn.Module, images: ImageSet, recipe: Recipe, *, seed: int, machine: Machine = CPU
) -> Iterator[Training]:
    """Train a network, epoch by epoch; the model is changed in place and yielded after each.

    Chapter: collapse.
    """
    training = Training(model, recipe, seed, machine)
    while training.epoch < recipe.epochs:
        training.advance(images)
        yield training
