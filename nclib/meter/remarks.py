"""What the reader of a report must know about how its samples were taken."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import torch
from torch import nn

__all__ = ["ONE_SHOT", "TRAINING", "Remarks"]

TRAINING = (
    "the model was in training mode: dropout and the statistics of single batches, where it has "
    "them, add to the within-class spread; update() or model.eval() measure the network as it is "
    "used"
)
ONE_SHOT = (
    "the samples came from an iterator that can be gone through once, so there was no second look: "
    "give a loader or a list"
)


class Remarks:
    """Sentences, each once and in order, and the layer as it was when the first samples came.

    That is one fingerprint, or several where samples of several meters were joined.
    """

    def __init__(self, texts: Iterable[str] = (), weights: Iterable[int] = ()) -> None:
        self.texts = dict.fromkeys(texts)
        self.weights = set(weights)

    def say(self, text: str) -> bool:
        """Note a sentence; whether it is new."""
        new = text not in self.texts
        self.texts[text] = None
        return new

    def begin(self, layer: nn.Linear) -> None:
        """Remember the layer, unless it was done before."""
        if not self.weights:
            self.weights = {fingerprint(layer)}

    def merge(self, other: Remarks) -> None:
        """Add what was noted elsewhere."""
        for text in other.texts:
            self.say(text)
        self.weights |= other.weights

    def about(self, name: str, layer: nn.Linear) -> tuple[str, ...]:
        """All sentences, and one more if the layer has changed."""
        if not self.weights or self.weights == {fingerprint(layer)}:
            return tuple(self.texts)
        return (
            *self.texts,
            f"the weights of {name!r} changed after the first of these samples: their features "
            f"may be those of several networks, and the head is the present one",
        )


def fingerprint(layer: nn.Linear) -> int:
    """A number that changes with the layer's weights, in place of a copy of them."""
    # Of the bytes: a sum in floating point would change with the number of threads.
    found = 0
    for values in (layer.weight, layer.bias):
        if values is not None:
            plain = values.detach().cpu().contiguous().view(torch.uint8)
            found = zlib.crc32(plain.numpy().data, found)
    return found
