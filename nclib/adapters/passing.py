"""Batches measured as they pass through a model that someone else runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ..meter import CollapseMeter
from ..models.heads import Call, linear_layers, named, require_linear
from ..models.watch import Watch, counting
from ..report import CollapseReport
from ..stats import ClassStats
from .packing import Packing

__all__ = ["Passing", "Step"]


class Step(Watch):
    """A watch on a step around the model, which may itself be run in place of ``forward``.

    Where processes are joined, Lightning exchanges the module's ``forward`` for the step and calls
    the module; such a call is none of the model.
    """

    def __enter__(self) -> Step:
        super().__enter__()
        self._forwards: list[Any] = []
        self._open.append(self.model.register_forward_pre_hook(self._begin))
        return self

    def _begin(self, model: nn.Module, inputs: tuple) -> None:
        self._forwards.append(model.forward)

    def _end(self, model: nn.Module, inputs: tuple, output: Any) -> None:
        if self._forwards.pop() == model.forward:  # put back within the call that is the step
            super()._end(model, inputs, output)


class Passing:
    """What a linear layer is given in the forward passes of others, loader by loader.

    The layer is that of a name, or the one that makes the model's output in the first batch. Where
    no layer does, or the model is not called as a whole, it is the linear layer that ran last in
    the step. ``meter(model, name)`` makes the meters.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | None,
        meter: Callable[[nn.Module, str | None], CollapseMeter],
        loaders: int,
    ) -> None:
        self.model = model
        self.layers = linear_layers(model) if layer is None else dict([named(model, layer)])
        self.name = layer
        self._meter = meter
        self._meters: dict[int, CollapseMeter] = {}
        self._loaders = loaders
        self._times = 1  # calls of the layer in a step
        self._watch: Watch | None = None
        self._before: Watch | None = None
        self._open = ExitStack()

    def open(self) -> None:
        """Watch the layers, until ``add`` or ``close``."""
        self.close()
        self._watch = self._open.enter_context(Step(self.model, self.layers))
        # Whether the layer is linear, its output tells before something is done to it in place;
        # which layer makes the model's output, only the output itself.
        if not self._meters:
            self._before = self._open.enter_context(Watch(self.model, self.layers, copies=True))

    def close(self) -> None:
        """Leave no hook behind."""
        self._open.close()
        self._watch = self._before = None

    def add(self, labels: Any, loader: int) -> None:
        """Add what the layer was given since ``open``."""
        watch, before = self._watch, self._before
        self.close()
        if watch is None:
            return
        call = self._counting(watch)
        if before is not None:
            require_linear(next(one for one in before.calls if one.name == call.name))
            self.name, self._times = call.name, call.times
            self.layers = {call.name: call.layer}
        if loader not in self._meters:
            self._meters[loader] = self._meter(self.model, call.name)
        self._meters[loader].add(call.rows, labels)

    def reports(self, gather: Callable[[Tensor], Tensor] | None) -> Iterator[CollapseReport | str]:
        """A report for each loader, or why there is none.

        ``gather`` brings together a tensor of every process, (processes, ...); the reports are then
        those of all samples, the same everywhere.
        """
        name = self._agreed(gather)
        for index in range(self._loaders):
            meter = self._meters.get(index) or self._meter(self.model, name)
            stats = self._stats(meter, gather)
            classes = int((stats.counts > 0).sum())
            if classes < 2:
                yield f"expected samples of 2 classes or more, got {stats.total_count} of {classes}"
                continue
            head = meter.head
            yield CollapseReport.of(
                stats.to(head.weight.device), head, None, meter.ridge, layer=meter.layer_name,
                ignored=self._ignored(meter, gather),
            )  # fmt: skip

    def _counting(self, watch: Watch) -> Call:
        try:
            call, _ = counting(watch, self.name, times=self._times)
        except ValueError as error:
            raise ValueError(f"{error} (here: layer=..., or loader=...)") from None
        last = [one for one in watch.calls if one.rowwise][-1]
        if self.name is None and last.name in watch.later and last is not call:
            raise ValueError(
                f"model: its output is that of {call}, and {last} runs after it: which one is the "
                f"head is not clear. Name it: layer={last.name!r}"
            )
        return call

    def _agreed(self, gather: Callable[[Tensor], Tensor] | None) -> str | None:
        """The layer's name; a process without a batch learns it from the others."""
        if gather is None or len(linear_layers(self.model)) == 1:
            return self.name
        names = list(linear_layers(self.model))
        mine = -1 if self.name is None else names.index(self.name)
        found = int(gather(torch.tensor(mine)).max())
        return None if found < 0 else names[found]

    def _stats(self, meter: CollapseMeter, gather: Callable[[Tensor], Tensor] | None) -> ClassStats:
        """The exact merge of every process's statistics."""
        layer = meter.layer
        packing = Packing(layer.out_features, layer.in_features, meter.covariance)
        try:
            row = packing.pack(meter.stats)
        except ValueError:  # no samples here
            row = packing.empty()
        if gather is not None:
            row = packing.merged(gather(row).reshape(-1, len(row)))
        return packing.unpack(row)

    def _ignored(self, meter: CollapseMeter, gather: Callable[[Tensor], Tensor] | None) -> int:
        mine = torch.tensor(meter.ignored)
        return int(mine if gather is None else gather(mine).sum())
