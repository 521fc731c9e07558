"""A small convolutional net for small images."""

from __future__ import annotations

from torch import nn

from .network import Network, Pool

__all__ = ["ConvNet"]


class ConvNet(Network):
    """Three 3x3 blocks, average pooling, linear head: a network for small images.

    Each block is convolution, batch norm, ReLU; the second halves the resolution. The features
    are the d = 64 channel averages of the last block, so they are non-negative, as in the paper's
    networks. 56,554 parameters for one channel and ten classes. Without ``norm`` the convolutions
    have biases instead of batch norm.   Chapter: collapse.
    """

    widths = (32, 64, 64)

    def __init__(self, num_classes: int, channels: int, *, norm: bool = True) -> None:
        blocks: list[nn.Module] = []
        previous = channels
        for width in self.widths:
            blocks.append(nn.Conv2d(previous, width, kernel_size=3, padding=1, bias=not norm))
            blocks += [nn.BatchNorm2d(width), nn.ReLU()] if norm else [nn.ReLU()]
            previous = width
        blocks.insert(6 if norm else 4, nn.MaxPool2d(2))
        super().__init__(nn.Sequential(*blocks), Pool(), previous, num_classes)
