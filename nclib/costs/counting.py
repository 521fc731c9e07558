"""The kernels of a network's step, counted where tensors have shapes and no numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ..training import LOSSES, loss_of

__all__ = ["Kernel", "Work", "count"]

_UPDATE = 32  # bytes a parameter and step: SGD with momentum, and copies in half precision


class Kernel(NamedTuple):
    """One kernel: its operations, the bytes it reads and writes, the bytes of one number."""

    flops: float
    traffic: float
    width: int


@dataclass(frozen=True)
class Work:
    """The kernels of a piece of work, as Kernel -> how many of them.

    ``kept`` are the bytes that the forward pass leaves behind for the backward pass.
    Chapter: scale.
    """

    kernels: Mapping[Kernel, int]
    kept: float = 0.0

    @property
    def flops(self) -> float:
        """All operations; a product with its sum is two."""
        return sum(kernel.flops * times for kernel, times in self.kernels.items())

    @property
    def traffic(self) -> float:
        """All bytes read and written, if nothing stays in a cache from kernel to kernel."""
        return sum(kernel.traffic * times for kernel, times in self.kernels.items())


def count(model: nn.Module, images: Tensor, loss: str | None) -> Work:
    """The kernels of one step, or of a forward pass where ``loss`` is None.

    On torch's meta device, which has shapes and no numbers, a network of any size is counted in
    seconds; model and images (B, ...) must be there. The types are those that they have.

    Source: Williams, Waterman & Patterson 2009 (the roof).   Chapter: scale.
    """
    if loss not in (None, *LOSSES):
        raise ValueError(f"loss: expected one of {LOSSES} or None, got {loss!r}")
    tensors = {"images": images, **dict(model.named_parameters())}
    for name, tensor in tensors.items():
        if tensor.device.type != "meta":
            raise ValueError(f"{name}: expected a tensor on the meta device, got {tensor.device}")
    with _Counting() as counted:
        kept = _pass(model, images, loss, counted)
    kernels = counted.kernels
    if loss is not None:
        parameters = sum(parameter.numel() for parameter in model.parameters())
        kernels[Kernel(0.0, float(_UPDATE * parameters), 4)] += 1
    return Work(kernels, kept)


def _pass(model: nn.Module, images: Tensor, loss: str | None, counted: _Counting) -> float:
    """One pass, and the backward pass where there is a loss; the bytes left in between."""
    if loss is None:
        model.eval()
        with torch.no_grad():
            model(images)
        return 0.0
    labels = torch.zeros(len(images), dtype=torch.int64, device="meta")
    total = loss_of(model.train()(images), labels, loss)
    kept = counted.alive
    total.backward()
    return kept


class _Counting(TorchDispatchMode):
    """Notes every kernel that runs inside, and which tensors are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[Kernel] = Counter()
        self._made: dict[StorageWeakRef, int] = {}

    @property
    def alive(self) -> float:
        """Bytes of the tensors made so far that something still holds."""
        return float(sum(size for one, size in self._made.items() if not one.expired()))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        read, written = _tensors((args, kwargs)), _tensors(out)
        known = {StorageWeakRef(tensor.untyped_storage()) for tensor in read}
        new = [t for t in written if StorageWeakRef(t.untyped_storage()) not in known]
        for tensor in new:
            storage = tensor.untyped_storage()
            self._made[StorageWeakRef(storage)] = storage.nbytes()
        in_place = func.overloadpacket.__name__.endswith("_")
        if new or in_place:  # else a view, which moves nothing
            formula = _FORMULAS.get(func.overloadpacket)
            flops = 0 if formula is None else formula(*args, **(kwargs or {}), out_val=out)
            moved = sum(t.numel() * t.element_size() for t in [*read, *written])
            self.kernels[Kernel(float(flops), float(moved), _width(read))] += 1
        return out


def _convolution_backward(
    above: Tensor, maps: Tensor, weight: Tensor, *others: Any, out_val: Any = None
) -> int:
    """Two products of the size of the forward one; torch's formula counts groups too often."""
    transposed, mask = others[4], others[7]
    *_, places = (maps if transposed else above).flatten(2).shape
    return 2 * weight.numel() * len(maps) * places * (int(mask[0]) + int(mask[1]))


_FORMULAS = {**flop_registry, torch.ops.aten.convolution_backward: _convolution_backward}


def _tensors(values: Any) -> Sequence[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _width(tensors: Iterable[Tensor]) -> int:
    """Bytes of one number of the first floating-point tensor."""
    return next((t.element_size() for t in tensors if t.is_floating_point()), 4)
