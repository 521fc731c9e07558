"""Batches measured as they pass through a model that someone else runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..meter import CollapseMeter
from ..models.heads import Call, linear_layers, named, require_linear
from ..models.watch import Watch
from ..report import CollapseReport
from ..stats import ClassStats
from .packing import Packing

__all__ = ["Passing"]


class Passing:
    """What a linear layer is given in the forward passes of others, loader by loader.

    The layer is that of a name, or the linear one that ran last in the first batch: of the step
    that surrounds it nothing else is known, not even that it calls the model as a whole.
    ``meter(model, name)`` makes the meters.
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
        self._watch: Watch | None = None

    def open(self) -> None:
        """Watch the layers, until ``add`` or ``close``."""
        self.close()
        self._watch = Watch(self.model, self.layers, copies=not self._meters)
        self._watch.__enter__()

    def close(self) -> None:
        """Leave no hook behind."""
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
        self._watch = None

    def add(self, labels: Any, loader: int) -> None:
        """Add what the layer was given since ``open``."""
        watch = self._watch
        self.close()
        if watch is None:
            return
        call = self._call(watch.calls)
        if loader not in self._meters:
            require_linear(call)
            self.name = call.name
            self.layers = {call.name: call.layer}
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

    def _call(self, calls: list[Call]) -> Call:
        flat = [call for call in calls if call.features is not None] or calls
        if not flat:
            wanted = "a linear layer" if self.name is None else repr(self.name)
            raise ValueError(f"model: expected a call of {wanted} for each batch, got none")
        call = flat[-1]
        if call.times != 1:
            raise ValueError(
                f"model: expected one call of {call.name!r} for each batch, got {call.times}: "
                f"which one counts is not clear. Name another layer=, or measure a loader="
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
