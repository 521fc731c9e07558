"""The one cut that matters: a network as trunk and head."""

from __future__ import annotations

from torch import Tensor, nn

from ..head import Head

__all__ = ["Trunk", "split"]


class Trunk:
    """Everything before the head: images -> (features, logits), from one forward pass.

    The features are the input of the network's last linear layer, caught as they arrive there,
    so that pooling, flattening or reshaping in the network's own forward is part of them.
    """

    def __init__(self, model: nn.Module, layer: nn.Linear, name: str) -> None:
        self.model = model
        self.layer = layer
        self.name = name

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, d) and logits (B, C) of a batch."""
        caught: list[tuple[Tensor, Tensor]] = []

        def catch(layer: nn.Module, inputs: tuple, named: dict, output: Tensor) -> None:
            caught.append((inputs[0] if inputs else named["input"], output))

        handle = self.layer.register_forward_hook(catch, with_kwargs=True)
        try:
            logits = self.model(images)
        finally:
            handle.remove()
        if len(caught) != 1 or caught[0][1] is not logits:
            found = f"{len(caught)} calls" if len(caught) != 1 else "a different output"
            raise ValueError(
                f"model: expected its output to be that of one call of its last linear layer, "
                f"{self.name!r}, with nothing after it (no softmax, scale or dict), got {found}"
            )
        features = caught[0][0]
        if features.ndim != 2:
            raise ValueError(
                f"model: expected features (B, {self.layer.in_features}) before {self.name!r}, "
                f"got {tuple(features.shape)}"
            )
        return features, logits


def split(model: nn.Module) -> tuple[Trunk, Head]:
    """The network as (trunk, head), cut before its last linear layer.

    ``trunk(images)`` gives features and logits; ``head`` is a float64 copy of the layer *now*.
    A model without a linear layer is refused; one whose last linear layer does not give its
    output is refused at the first batch.   Chapter: collapse.
    """
    linear = [
        (name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)
    ]
    if not linear:
        raise ValueError(
            f"model: expected a linear layer at the end, {type(model).__name__} has none"
        )
    name, layer = linear[-1]
    return Trunk(model, layer, name or type(model).__name__), Head.of(layer)
