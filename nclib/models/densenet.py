"""Densely connected networks: plain, with bottlenecks, and torchvision's DenseNet201."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .network import Network, Pool

__all__ = ["DenseNet", "DenseNet201"]


class DenseNet(Network):
    """DenseNet for small images: a 3x3 stem, dense blocks, and transitions that halve the maps.

    Each layer of a block sees the outputs of all before it and adds ``growth`` channels: BN,
    ReLU, 3x3 convolution, and with ``bottleneck`` a BN, ReLU, 1x1 convolution to 4 growth
    channels before. A transition is BN, ReLU, 1x1 convolution, 2x2 average pooling; it keeps a
    share ``compression`` of the channels. The features are the channel averages after a last BN
    and ReLU. With ``recompute`` concatenation, BN and ReLU are computed again in the backward
    pass instead of being kept: less memory, the same outputs, gradients and running statistics.

    Source: Huang, Liu, van der Maaten & Weinberger 2017 (DenseNet and DenseNet-BC); Pleiss et al.
    2017 (recomputation).   Chapter: protocol.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        growth: int,
        initial: int,
        blocks: tuple[int, ...],
        bottleneck: bool,
        compression: float,
        stride: int = 1,
        recompute: bool = False,
    ) -> None:
        width = initial
        body = nn.Sequential(nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False))
        for i, layers in enumerate(blocks):
            if i:
                previous, width = width, int(compression * width)
                body.append(_transition(previous, width))
            body.append(DenseBlock(width, layers, growth, bottleneck, recompute))
            width += layers * growth
        body.extend([nn.BatchNorm2d(width), nn.ReLU(inplace=True)])
        super().__init__(body, Pool(), width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)


class DenseBlock(nn.Sequential):
    """Layers that each see all outputs before them; the block's output is all of these."""

    def __init__(
        self, width: int, layers: int, growth: int, bottleneck: bool, recompute: bool
    ) -> None:
        super().__init__(
            *(DenseLayer(width + i * growth, growth, bottleneck, recompute) for i in range(layers))
        )

    def forward(self, input: Tensor) -> Tensor:
        maps = [input]
        for layer in self:
            maps.append(layer(maps))
        return torch.cat(maps, 1)


class DenseLayer(nn.Module):
    """BN, ReLU, convolution of all maps so far; with a bottleneck a second such step."""

    def __init__(self, width: int, growth: int, bottleneck: bool, recompute: bool) -> None:
        super().__init__()
        self.recompute = recompute
        self.norm = nn.BatchNorm2d(width)
        narrow = 4 * growth
        if bottleneck:
            self.conv = nn.Conv2d(width, narrow, kernel_size=1, bias=False)
            self.rest = nn.Sequential(
                nn.BatchNorm2d(narrow),
                nn.ReLU(inplace=True),
                nn.Conv2d(narrow, growth, kernel_size=3, padding=1, bias=False),
            )
        else:
            self.conv = nn.Conv2d(width, growth, kernel_size=3, padding=1, bias=False)
            self.rest = nn.Identity()

    def forward(self, maps: list[Tensor]) -> Tensor:
        # A compiler cannot trace the checkpoint, and chooses by itself what to compute again.
        if self.recompute and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            # Nothing here is random, and a CUDA graph cannot read the generator's state.
            first = checkpoint(
                self._first, *maps, use_reentrant=False, preserve_rng_state=False,
                context_fn=lambda: (nullcontext(), _statistics_kept(self.norm)),
            )  # fmt: skip
        else:
            first = self._first(*maps)
        return self.rest(first)

    def _first(self, *maps: Tensor) -> Tensor:
        return self.conv(torch.relu_(self.norm(torch.cat(maps, 1))))


@contextmanager
def _statistics_kept(norm: nn.BatchNorm2d) -> Iterator[None]:
    """Running statistics and batch count stay as they are: the forward pass has updated them.

    Momentum 0 does that with the very call of the forward pass. Leaving the statistics out of the
    call would save fewer tensors than it did, which the checkpoint refuses.
    """
    momentum, count = norm.momentum, norm.num_batches_tracked
    norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        norm.momentum, norm.num_batches_tracked = momentum, count


def _transition(width: int, narrower: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, narrower, kernel_size=1, bias=False),
        nn.AvgPool2d(2),
    )


class DenseNet201(Network):
    """torchvision's DenseNet201 with its own stem, a 7x7 stride-2 convolution and a max-pool.

    d = 1920 features. The papers use it for 96x96 images, where this stem leaves 3x3 maps in the
    last block; a 3x3 stride-1 stem would cost 16 times as much and leave 12x12. ``size`` is at
    least 29.

    Source: torchvision.   Chapter: protocol.
    """

    def __init__(self, num_classes: int, channels: int) -> None:
        from torchvision.models import densenet201

        whole = densenet201()
        stem = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(stem.weight)
        whole.features[0] = stem
        body = nn.Sequential(whole.features, nn.ReLU(inplace=True))
        super().__init__(body, Pool(), whole.classifier.in_features, num_classes)
