"""What every network of ours is made of: a convolutional body, a neck to the features, a head."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Network"]


class Network(nn.Module):
    """A classifier in three parts: head(neck(body(images))).

    ``body`` maps images (B, channels, H, W) to maps (B, c, h, w) and holds all the convolutions,
    which is where low precision pays. ``neck`` maps these to the features (B, d), by pooling or
    hidden layers; ``fc`` is the linear head. Neck and head always compute in float32.

    Chapter: protocol.
    """

    def __init__(self, body: nn.Module, neck: nn.Module, dimension: int, num_classes: int) -> None:
        super().__init__()
        self.body = body
        self.neck = neck
        self.fc = nn.Linear(dimension, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.body(images))

    def classify(self, maps: Tensor) -> Tensor:
        """Logits (B, C) of the body's output (B, c, h, w), whatever precision that came in."""
        return self.fc(self.neck(maps.float()))


class Pool(nn.Module):
    """The average over each channel: (B, c, h, w) -> (B, c)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))
