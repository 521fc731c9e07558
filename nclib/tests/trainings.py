"""Small trainings to start, what is read off them, and a tape that records a step on a CPU."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nclib.machine import CPU, Machine
from nclib.models import build
from nclib.training import Recipe, Training

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
RECIPE = Recipe("mse", epochs=3, batch_size=64, learning_rate=0.1, weight_decay=1e-3)


def start(recipe=RECIPE, seed=0, machine=CPU) -> Training:
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    return Training(model, recipe, seed, machine)


def weights(training: Training) -> Tensor:
    return torch.cat([v.flatten().double().cpu() for v in training.model.state_dict().values()])


def losses(training: Training, images, epochs: int = 3) -> list[float]:
    found = []
    for _ in range(epochs):
        training.advance(images)
        found.append(training.loss)
    return found


class Tape(TorchDispatchMode):
    """Records operations as a CUDA graph does: tensors by address, Python's numbers for good.

    What makes the host wait, or copies from it, cannot be recorded.
    """

    forbidden = ("_local_scalar_dense", "nonzero", "lift_fresh", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        assert not any(name in func.name() for name in self.forbidden), func.name()
        made = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, made))
        return made

    def replay(self) -> None:
        for func, args, kwargs, made in self.calls:
            again = tree_leaves(func(*args, **kwargs))
            for old, new in zip(tree_leaves(made), again, strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class CpuRecorder:
    """Warm-up and capture without CUDA. A capture must run nothing, so what it ran is undone."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.captures = 0

    def aside(self):
        return nullcontext()

    def capture(self, step):
        self.captures += 1
        before = [tensor.detach().clone() for tensor in self.training._state()]
        with Tape() as tape:
            step()
        for tensor, value in zip(self.training._state(), before, strict=True):
            tensor.detach().copy_(value)

        def replay() -> None:
            with torch.no_grad():
                tape.replay()

        return replay


def recorded(recipe=RECIPE, precision="float32", rate_on_device=True) -> Training:
    """A training whose step is recorded as on CUDA: fused SGD, its rate a tensor."""
    machine = Machine("cpu", precision)
    object.__setattr__(machine, "graph", True)  # refused on a CPU, where it would gain nothing
    training = start(recipe, machine=machine)
    if rate_on_device:
        rate = torch.tensor(recipe.learning_rate)
        group = training.optimizer.param_groups[0]
        group |= {"lr": rate, "fused": True}
    recorder = CpuRecorder(training)
    training._recorder = lambda: recorder
    return training


LONG = replace(RECIPE, epochs=6)  # rates drop at 3 and at 5
