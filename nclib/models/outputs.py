"""What models return: where the logits are in it, and what was done to a layer's output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["logits_of", "relation"]


def logits_of(output: Any) -> Iterator[Tensor]:
    """The tensors of an output that can be logits: ``.logits`` alone where there are any."""
    if isinstance(output, Tensor):
        if output.ndim:
            yield output
        return
    named_one = output.get("logits") if isinstance(output, Mapping) else None
    named_one = getattr(output, "logits", None) if named_one is None else named_one
    if isinstance(named_one, Tensor):
        yield named_one
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from logits_of(value)
    elif isinstance(output, tuple | list):
        for value in output:
            yield from logits_of(value)


def relation(logits: Tensor, output: Tensor) -> str | None:
    """What turns a layer's output into the model's: "" for nothing, None for something else."""
    if logits is output:
        return ""
    if output.numel() != logits.numel() or not output.is_floating_point():
        return None
    z = logits.detach().float()
    out = output.detach().to(z.device).float().reshape(z.shape)
    rounding = max(torch.finfo(logits.dtype).eps, torch.finfo(output.dtype).eps)

    def same(told: Tensor) -> bool:  # of a softmax's output only what varies tells anything
        slack = 0.01 * (told - told.mean()).norm() + rounding * told.norm()
        return bool((out - told).norm() <= slack)

    if same(z):
        return ""
    factor = float((out * z).sum() / z.square().sum().clamp(min=1e-30))
    if factor > 0 and same(factor * z):
        return f"a factor of {factor:.3g}"
    follow = {"log-softmax": z.log_softmax(-1), "softmax": z.softmax(-1), "sigmoid": z.sigmoid()}
    return next((name for name, told in follow.items() if same(told)), None)
