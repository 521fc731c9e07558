"""One forward pass seen from inside: which linear layers were called, on what, with what output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .heads import Call, leading, tokens, unwrapped

__all__ = ["Watch", "called", "counting", "evaluating"]


class Watch:
    """Notes the calls of some linear layers of a model while it is open; leaves no hook behind.

    Compiled code runs eagerly meanwhile: it would pass the hooks by.
    """

    def __init__(
        self, model: nn.Module, layers: Mapping[str, nn.Linear], *, copies: bool = False
    ) -> None:
        self.model = unwrapped(model)
        self.layers = layers
        self.copies = copies  # of outputs: what follows in place would change them
        self.passes = 0  # of the whole model
        self.output: Any = None
        self.training = False  # whether the model was in training mode
        self.later: set[str] = set()  # layers called after the model was done
        self._calls: dict[str, Call] = {}
        self._open: list[Any] = []

    @property
    def calls(self) -> list[Call]:
        """The last call of each layer, in the order of execution."""
        return list(self._calls.values())

    def __enter__(self) -> Watch:
        try:
            for name, layer in self.layers.items():
                hook = self._catcher(name)
                self._open.append(layer.register_forward_hook(hook, with_kwargs=True))
            self._open.append(self.model.register_forward_hook(self._end))
            self._eager = _eager()
            self._eager.__enter__()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._eager.__exit__(*error)
        self._close()

    def _close(self) -> None:
        for handle in self._open:
            handle.remove()
        self._open.clear()

    def _catcher(self, name: str) -> Any:
        def catch(layer: nn.Module, inputs: tuple, by_name: dict, output: Any) -> None:
            features = inputs[0] if inputs else by_name.get("input")
            if not isinstance(features, Tensor) or not isinstance(output, Tensor):
                return
            if self.passes:
                self.later.add(name)
            before = self._calls.pop(name, None)  # moves to the end: the order of execution
            times = 1 if before is None else before.times + 1
            flat = features.ndim == 2
            out = output.detach().clone() if flat and self.copies else output if flat else None
            self._calls[name] = Call(
                name, self.layers[name], times, tuple(features.shape),
                features.detach() if flat else None, out,
            )  # fmt: skip

        return catch

    def _end(self, model: nn.Module, inputs: tuple, output: Any) -> None:
        self.passes += 1
        self.output = output
        self.training = model.training
        self.later.clear()


def counting(
    watch: Watch, name: str | None = None, *, times: int = 1, num_classes: int | None = None
) -> tuple[Call, str]:
    """The call that counts in a forward pass, and what follows it: "", "softmax", ...

    That of the layer ``name``, which must have been called ``times`` times. Without a name the one
    that makes the model's output; where the model was not called as a whole, or its output goes
    on into another layer, the linear layer with features (B, d) that ran last.
    """
    if name is None and watch.passes > 1:
        raise ValueError(
            f"model: expected one forward pass for each batch, got {watch.passes}: which one "
            f"counts is not clear. Name the layer that is meant"
        )
    if name is None and watch.passes:
        later = [call for call in watch.calls if call.name in watch.later and call.rowwise]
        try:
            call, how = leading(watch.calls, watch.output, num_classes)
            if not any(call.feeds(other) for other in later):
                return call, how
        except ValueError:
            if not later:
                raise
    calls = [call for call in watch.calls if name in (None, call.name)]
    if not calls:
        ran = "was called" if watch.passes else "was called: run the model inside the block"
        raise ValueError(
            f"model: expected a call of {'a linear layer' if name is None else repr(name)}, no "
            f"such layer {ran} (a fused or scripted path leaves no trace)"
        )
    call = ([call for call in calls if call.rowwise] or calls)[-1]
    if call.times != times:
        raise ValueError(
            f"model: expected {times} call(s) of {call.name!r} in a forward pass, got "
            f"{call.times}: which one counts is not clear; take the features before it "
            f"yourself: meter.add(features, labels)"
        )
    if not call.rowwise:
        raise ValueError(tokens(call, watch.output))
    return call, ""


def called(model: nn.Module, batch: Any) -> Any:
    """model(batch), model(*batch) of a tuple or list, model(**batch) of a dict.

    Tensors go to the device of the model's parameters; those in floating point also to their type,
    where that is one for all of them.
    """
    parameters = list(model.parameters())
    device = next((p.device for p in parameters), torch.device("cpu"))
    kinds = {p.dtype for p in parameters if p.is_floating_point()}
    batch = _moved(batch, device, kinds.pop() if len(kinds) == 1 else None)
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(*batch) if isinstance(batch, tuple | list) else model(batch)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards each module is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _moved(batch: Any, device: torch.device, dtype: torch.dtype | None) -> Any:
    if isinstance(batch, Tensor):
        cast = dtype if batch.is_floating_point() else None
        return batch.to(device, cast, non_blocking=True)
    if isinstance(batch, np.ndarray) and batch.dtype.kind in "biufc":
        return _moved(torch.as_tensor(np.array(batch)), device, dtype)  # flipped, read-only
    if isinstance(batch, Mapping):
        return {key: _moved(value, device, dtype) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        return [_moved(value, device, dtype) for value in batch]
    return batch


def _eager() -> AbstractContextManager:
    # Nothing is compiled before this module is loaded, and loading it takes seconds.
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    return torch.compiler.set_stance("force_eager")
