"""Which linear layer makes a model's output: told by what one forward pass executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from .outputs import logits_of, relation

__all__ = [
    "Call",
    "first_guess",
    "leading",
    "linear_layers",
    "named",
    "require_linear",
    "tokens",
    "unwrapped",
]

CLOSE = 0.05  # relative: bfloat16 and TF32 pass, a layer that computes something else does not
LISTED = 8  # candidates that an error names
ADVICE = (
    "; or take the features before it yourself and measure them with nclib.ClassStats.of or "
    "nclib.RunningStats"
)


@dataclass(frozen=True, eq=False)
class Call:
    """The last call of a linear layer in a forward pass.

    ``features`` and ``output`` are kept where they are (B, d) and (B, C): what a layer inside of a
    transformer sees, token by token, would fill the memory.
    """

    name: str
    layer: nn.Linear
    times: int  # calls in this forward pass
    shape: tuple[int, ...]  # of the features
    features: Tensor | None
    output: Tensor | None

    @property
    def rows(self) -> Tensor:
        """The features (B, d), or a ValueError that says what came instead."""
        if self.features is None:
            raise ValueError(tokens(self))
        return self.features

    @property
    def rowwise(self) -> bool:
        """Whether the layer saw a row per sample."""
        return self.features is not None

    def feeds(self, other: Call) -> bool:
        """Whether what this layer gave is what the other one was given."""
        out, h = self.output, other.features
        if other is self or out is None or h is None or out.shape != h.shape:
            return False
        return out.data_ptr() == h.data_ptr() or torch.equal(out.detach().to(h), h)

    def __str__(self) -> str:
        layer = self.layer
        return f"{self.name!r} {type(layer).__name__}({layer.in_features} -> {layer.out_features})"


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside of ``torch.compile``, ``DataParallel`` and ``DistributedDataParallel``."""
    while True:
        if isinstance(model, nn.DataParallel | DistributedDataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Every linear layer by its dotted name, in the order of registration; at least one."""
    found = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    if found:
        return found
    kind = type(model).__name__
    # Quantized and scripted layers are no nn.Linear: their weights are not at hand as numbers.
    alike = [n for n, m in model.named_modules() if "Linear" in _kind(m)]
    if alike:
        raise ValueError(
            f"model: expected torch.nn.Linear layers, the linear layers of {kind} are of another "
            f"kind ({_listed(alike)}): measure the model before it is quantized or scripted{ADVICE}"
        )
    convolutions = [n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    last = f"; its last convolution is {convolutions[-1]!r}, and" if convolutions else ":"
    raise ValueError(
        f"model: expected a linear layer at the end, {kind} has none{last} a head that is not "
        f"linear in one feature vector per sample has no class means to compare with. Give the "
        f"model a linear head{ADVICE}"
    )


def first_guess(model: nn.Module) -> tuple[str, nn.Linear]:
    """The linear layer that was registered last; a forward pass may know better."""
    name, layer = list(linear_layers(model).items())[-1]
    return name, layer


def named(model: nn.Module, layer: str | nn.Module) -> tuple[str, nn.Linear]:
    """The linear layer of a dotted name, or the module itself with its name."""
    everything = dict(model.named_modules())
    if isinstance(layer, nn.Module):
        names = [n for n, m in everything.items() if m is layer]
        if not names:
            raise ValueError(
                f"layer: expected a module of the model, this {type(layer).__name__} is not one"
            )
        name = names[0]
    elif isinstance(layer, str):
        name = layer
        while name not in everything and name.split(".")[0] in ("module", "_orig_mod"):
            name = name.partition(".")[2]  # the name that a wrapper gave it
    else:
        raise TypeError(f"layer: expected a name or a module, got {type(layer).__name__}")
    linear = [n for n, m in everything.items() if isinstance(m, nn.Linear)]
    if name not in everything:
        near = get_close_matches(name, everything, n=3) or linear[-LISTED:]
        raise ValueError(
            f"layer: expected the name of a linear layer, such as {near}, got {name!r}"
        )
    found = everything[name]
    if not isinstance(found, nn.Linear):
        inside = [n for n in linear if n.startswith(f"{name}." if name else "")]
        raise TypeError(
            f"layer: expected torch.nn.Linear, {name!r} is {_kind(found)}; linear layers "
            f"{'inside of it' if inside else 'of the model'}: {_listed(inside or linear)}"
        )
    return name, found


def leading(calls: list[Call], output: Any, num_classes: int | None = None) -> tuple[Call, str]:
    """The call whose output is the model's, and what follows it: "", "softmax", ...

    Softmax, log-softmax, sigmoid and a positive factor keep the decision; anything else after a
    layer means that it is not the head. Of several, those that feed another are features; with
    ``num_classes`` only layers of so many outputs count; and of heads for the same classes the one
    whose output comes first in a tuple does.
    """
    found: dict[str, _Match] = {}
    for place, tensor in enumerate(logits_of(output)):
        for match in _matches(calls, tensor, place):
            known = found.setdefault(match.call.name, match)
            if not match.how:  # beside its own softmax, say
                found[match.call.name] = _Match(match.call, "", known.place)
    heads = [
        one for one in found.values() if not any(one.call.feeds(o.call) for o in found.values())
    ]
    fitting = [one for one in heads if one.call.layer.out_features == num_classes]
    heads = fitting or heads
    if not heads:
        raise ValueError(_nothing_leads(calls, output))
    first = [one for one in heads if one.place == heads[0].place]
    alike = len({one.call.layer.out_features for one in heads}) == 1
    if len(heads) == 1 or (alike and len(first) == 1 and not isinstance(output, Mapping)):
        return heads[0].call, heads[0].how
    raise ValueError(
        f"model: expected one linear layer that makes the output, got {len(heads)}: "
        f"{', '.join(str(one.call) for one in heads)}. Say which one is meant: "
        f"CollapseMeter(model, layer={heads[0].call.name!r})"
    )


def require_linear(call: Call) -> None:
    """Raise a ValueError unless the layer's output is W h + b with its weight and bias."""
    layer, h, out = call.layer, call.features, call.output
    weight = layer.weight
    sharded = hasattr(weight, "full_tensor")  # a DTensor
    if (
        sharded
        or not weight.is_floating_point()
        or weight.shape != (layer.out_features, layer.in_features)
    ):
        raise ValueError(
            f"layer: expected a floating-point weight {layer.out_features, layer.in_features}, "
            f"{call} has {tuple(weight.shape)} of {weight.dtype}: measure the model before it is "
            f"quantized or sharded"
        )
    if h is None or out is None:
        return
    with torch.no_grad(), torch.autocast(h.device.type, enabled=False):
        told = nn.functional.linear(
            h.to(weight.device).float(),
            weight.detach().float(),
            None if layer.bias is None else layer.bias.detach().float(),
        )
        error = (out.to(told) - told).norm()
    if bool(error > CLOSE * told.norm() + 1e-6):  # NaN passes: the features' own check names it
        raise ValueError(
            f"layer: expected the output W h + b, {call} gives something else (a normalized, "
            f"quantized or adapted layer, or an operation in place after it){ADVICE}"
        )


def tokens(call: Call, output: Any = None) -> str:
    """What to do about a layer that sees more than a row per sample, in words."""
    d, B = call.layer.in_features, call.shape[0] if call.shape else 0
    seen = f"model: expected features (B, {d}), one row per sample; {call} sees {call.shape}, token"
    if any(tuple(z.shape) == (B, call.layer.out_features) for z in logits_of(output)):
        return (
            f"{seen} by token, and the model keeps the scores of one token per sample. Take that "
            f"token's features yourself, such as h[torch.arange({B}), position] where padding is "
            f"at the end, and measure them: meter.add(features, labels)"
        )
    return (
        f"{seen} by token or pixel by pixel. Take them yourself and say which count: "
        f"meter.add(features.reshape(-1, {d}), labels.reshape(-1))"
    )


class _Match(NamedTuple):
    call: Call
    how: str  # what follows the layer
    place: int  # of the tensor among the model's outputs


def _matches(calls: list[Call], tensor: Tensor, place: int) -> list[_Match]:
    """The calls that a tensor can come from; the plainest of them."""
    with_output = [(call, call.output) for call in calls if call.output is not None]
    same = [_Match(call, "", place) for call, out in with_output if out is tensor]
    if same:
        return same
    told = [(call, relation(out, tensor)) for call, out in with_output]
    found = [_Match(call, how, place) for call, how in told if how is not None]
    return [one for one in found if not one.how] or found


def _kind(module: nn.Module) -> str:
    return getattr(module, "original_name", type(module).__name__)  # a scripted module's own


def _listed(names: list[str]) -> str:
    dots = "..., " if len(names) > LISTED else ""
    return dots + ", ".join(repr(name) for name in names[-LISTED:])


def _nothing_leads(calls: list[Call], output: Any) -> str:
    if not calls:
        return (
            "model: expected a linear layer to be executed, none was: a fused or scripted path "
            f"leaves no trace. Name the layer: CollapseMeter(model, layer=...){ADVICE}"
        )
    last = calls[-1]
    if last.output is None and len(last.shape) > 2:
        return tokens(last, output)
    rows = [call for call in calls if call.output is not None][-LISTED:]
    return (
        f"model: expected its output to be that of a linear layer, it is made in another way "
        f"(several heads averaged, a convolution, a scaled or normalized product). Linear layers "
        f"in the order of execution: {', '.join(str(call) for call in rows)}. If one of them is "
        f"meant, name it: CollapseMeter(model, layer={last.name!r}){ADVICE}"
    )
