"""Which layer a meter measures, and what it saw in a forward pass."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..models.heads import Call, first_guess, linear_layers, named, require_linear, unwrapped
from ..models.watch import Watch, called, counting, evaluating

__all__ = ["Sight"]


class Sight:
    """The measured layer of a model: given, or found in the first forward pass.

    Until then ``layer`` is the linear layer that was registered last.
    """

    def __init__(
        self, model: nn.Module, layer: str | nn.Module | None, num_classes: int | None
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model: expected torch.nn.Module, got {type(model).__name__}")
        self.model = unwrapped(model)
        self.given = None if layer is None else named(self.model, layer)[0]
        self.num_classes = num_classes
        self.forget()

    def forget(self) -> None:
        """As if no batch had been seen; the layer is looked up anew, for it may be another now."""
        self.name, self.layer = (
            first_guess(self.model) if self.given is None else named(self.model, self.given)
        )
        self.settled = self.given is not None
        self.checked = False  # whether its output was seen to be W h + b
        self.times = 1  # calls in a forward pass; the last one counts
        self.remark = ""
        if self.settled:
            self.require_outputs(self.layer)

    def guess(self, name: str, layer: nn.Linear) -> None:
        """Take a layer that others measured for the one; the next batch may know better."""
        if not self.settled:
            self.name, self.layer = name, layer

    def joined(self, name: str, mine: str | None, what: str) -> tuple[str, nn.Linear]:
        """The layer of samples from elsewhere, or a ValueError where ``mine`` is another."""
        if mine not in (None, name):
            raise ValueError(
                f"{what}: expected samples of {mine!r}, the layer of this meter, got those of "
                f"{name!r}: features of two layers do not add up"
            )
        return named(self.model, name)

    def watch(self) -> Watch:
        """A watch on the layer, or on all that it might be."""
        layers = {self.name: self.layer} if self.settled else linear_layers(self.model)
        return Watch(self.model, layers, copies=self.settled and not self.checked)

    def run(self, batch: Any) -> tuple[Watch, Any]:
        """A forward pass of the model in eval mode, watched; and its output."""
        with evaluating(self.model), self.watch() as watch:
            output = called(self.model, batch)
        return watch, output

    def find(self, watch: Watch) -> tuple[Call, str]:
        """The call that counts, and what follows the layer; nothing is settled yet."""
        if watch.passes > 1:
            raise ValueError(
                f"watching: expected one forward pass, got {watch.passes}: open it anew for each "
                f"batch; a model that DataParallel replicates goes through update"
            )
        name = self.name if self.settled else None
        call, how = counting(watch, name, times=self.times, num_classes=self.num_classes)
        if not self.checked:
            require_linear(call)
        return call, how

    def settle(self, call: Call, how: str) -> None:
        """From now on this layer is the one."""
        if not self.settled:
            self.name, self.layer, self.times = call.name, call.layer, call.times
            if how:
                self.remark = (
                    f"in the model {how} follows {call.name!r}; the report is about the layer's "
                    f"own output"
                )
        self.settled = self.checked = True

    def require_measured(self, layer: nn.Linear) -> None:
        """Raise a ValueError unless this is the layer whose features were added."""
        if layer is not self.layer:
            raise ValueError(
                f"model: its output is not that of {self.name!r}, whose features were added "
                f"before: name the layer that is meant, or reset() first"
            )

    def require_outputs(self, layer: nn.Linear) -> None:
        """Raise a ValueError unless the layer has an output for each class."""
        outputs, asked = layer.out_features, self.num_classes
        if outputs < 2:
            raise ValueError(
                f"layer: expected an output for each of at least 2 classes, got {outputs}: class "
                f"means are compared with one row of weights per class"
            )
        if asked is not None and asked != outputs:
            fewer = (
                ": classes without samples are left out of the report by themselves, leave "
                "num_classes out" if asked < outputs else ""
            )  # fmt: skip
            raise ValueError(
                f"num_classes: expected {outputs}, the outputs of the layer, got {asked}{fewer}"
            )
