"""Residual networks for small images: torchvision's, with a stem that does not shrink them."""

from __future__ import annotations

from torch import nn

from .network import Network, Pool

__all__ = ["ResNet", "ThinResNet"]


class ResNet(Network):
    """torchvision's ResNet18, 34 or 50 with a 3x3 stride-1 stem and no max-pool.

    d = 512 features, 2048 for ResNet50: the channel averages of the last stage's ReLU. Every size
    is taken; 32x32 images end as 4x4 maps.

    Source: Han, Papyan & Donoho 2022, notebook.   Chapter: protocol.
    """

    def __init__(self, num_classes: int, channels: int, *, depth: int) -> None:
        from torchvision import models

        whole = {18: models.resnet18, 34: models.resnet34, 50: models.resnet50}[depth]()
        body = nn.Sequential(
            # As in the notebook, the new stem keeps torch's own initial weights.
            nn.Conv2d(channels, 64, kernel_size=3, padding=1, bias=False),
            *(getattr(whole, name) for name in ("bn1", "relu", "layer1", "layer2", "layer3")),
            whole.layer4,
        )
        super().__init__(body, Pool(), whole.fc.in_features, num_classes)


class ThinResNet(Network):
    """ResNet in small: a 3x3 stride-2 stem and three residual blocks of 16, 32 and 64 channels.

    d = 64 features; each block is a stage of its own.   Chapter: protocol.
    """

    widths = (16, 32, 64)

    def __init__(self, num_classes: int, channels: int) -> None:
        from torchvision.models.resnet import BasicBlock, conv1x1

        previous = self.widths[0]
        body = nn.Sequential(
            nn.Conv2d(channels, previous, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(previous),
            nn.ReLU(inplace=True),
        )
        for width in self.widths:
            shortcut = None
            if width != previous:
                shortcut = nn.Sequential(conv1x1(previous, width, 2), nn.BatchNorm2d(width))
            body.append(BasicBlock(previous, width, 1 if shortcut is None else 2, shortcut))
            previous = width
        super().__init__(body, Pool(), previous, num_classes)
