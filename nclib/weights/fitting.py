"""The tensors of a checkpoint, under a model's names, copied where they fit whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import CheckpointError

__all__ = ["Weights", "brief"]

SHOWN = 3  # names in a message
IN_TRAINING = "num_batches_tracked"  # of batch norm; of no use in eval mode, missing in old files


@dataclass(frozen=True, eq=False)
class Weights:
    """The tensors of a checkpoint by name, and where in the file they stood.

    ``key`` is the part of the file that was taken, "" for all of it, and ``others`` names parts
    that hold weights too, such as a moving average.   Chapter: measure.
    """

    path: Path
    tensors: dict[str, Tensor]
    key: str = ""
    others: tuple[str, ...] = ()

    def named_as(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors under a model's own names: "module.fc.bias" is "fc.bias" to the model.

        What wrappers put before every name is taken off, whatever it is called. Tensors outside
        of the prefix, such as a loss's, are left out. A file that holds the model twice raises
        CheckpointError.
        """
        # torch.compile writes this into names, in the middle, too.
        tensors = {name.replace("_orig_mod.", ""): value for name, value in self.tensors.items()}
        prefix = self._prefix(tensors, set(names))
        return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

    def load_into(self, model: nn.Module, who: str = "the model") -> None:
        """Copy the weights into a model that they fit whole; else CheckpointError, nothing copied.

        The message names what is missing, unexpected, of another shape, or not finite; ``who`` is
        the model's name in it.
        """
        wanted = model.state_dict()
        # Stored as another kind they could not count: of 16 bits 65,520 batches are infinite.
        named = self.named_as(wanted).items()
        found = {n: t for n, t in named if n not in wanted or not n.endswith(IN_TRAINING)}
        if faults := _differences(wanted, found):
            raise CheckpointError(f"{self.path}: does not fit {who}: {'; '.join(faults)}")
        for name, tensor in found.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(f"{self.path}: {name}: holds NaN or infinite numbers")
        model.load_state_dict(found, strict=False)

    def _prefix(self, tensors: Mapping[str, Tensor], names: set[str]) -> str:
        """What stands before the model's names in this file: the prefix that fits most of them."""
        fits = Counter[str]()
        for name in tensors:
            parts = name.split(".")
            for cut in range(len(parts)):
                if ".".join(parts[cut:]) in names:
                    fits[".".join([*parts[:cut], ""])] += 1
        most = max(fits.values(), default=0)
        best = [prefix for prefix, count in fits.items() if count == most]
        if "" in best or not best:
            return ""
        if len(best) > 1:
            place = f"{self.key}." if self.key else ""
            keys = " or ".join(f"--key {place}{prefix[:-1]}" for prefix in best[:SHOWN])
            raise CheckpointError(f"{self.path}: holds the model {len(best)} times; choose: {keys}")
        return best[0]


def _differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    missing = [n for n in wanted if n not in found and not n.endswith(IN_TRAINING)]
    extra = [n for n in found if n not in wanted]
    both = [(n, wanted[n], found[n]) for n in wanted if n in found]
    shapes = [(n, mine, theirs) for n, mine, theirs in both if mine.shape != theirs.shape]
    kinds = [n for n, a, b in both if a.is_floating_point() != b.is_floating_point()]
    faults = []
    if missing:
        faults.append(f"{len(missing)} of {len(wanted)} tensors missing ({brief(missing)})")
    if extra:
        faults.append(f"{len(extra)} unexpected ({brief(extra)})")
    if shapes:
        told = (f"{n} {tuple(b.shape)} for {tuple(a.shape)}" for n, a, b in shapes)
        faults.append(f"{len(shapes)} of another shape ({brief(told)})")
    if kinds:
        faults.append(f"{len(kinds)} of another kind, as of a quantized model ({brief(kinds)})")
    rows = {b.shape[0] for _, a, b in shapes if b.ndim and a.shape[1:] == b.shape[1:]}
    alike = all(b.ndim and a.shape[1:] == b.shape[1:] for _, a, b in shapes)
    if alike and len(rows) == 1:
        faults.append(f"the checkpoint's head has {rows.pop()} outputs: leave --num-classes out")
    return faults


def brief(names: Iterable[Any]) -> str:
    told = [str(name) for name in names]
    more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return ", ".join(told[:SHOWN]) + more if told else "nothing"
