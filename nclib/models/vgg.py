"""VGG with batch norm, and with two hidden layers before the head."""

from __future__ import annotations

import math

from torch import nn

from .network import Network

__all__ = ["ThinVGG", "VGG"]


class VGG(Network):
    """VGG11 or VGG13 with batch norm wherever the original has dropout: d = 4096 features.

    The body is torchvision's: 3x3 convolutions, each with batch norm and ReLU, and five
    max-pools. The neck flattens its maps, without adaptive pooling, and has two hidden layers of
    4096 without bias, each with batch norm and ReLU. ``size`` is at least 32, for five pools.

    Source: Papyan, Han & Donoho 2020 (batch norm instead of dropout); widths and initial weights
    as in the lab's code of 2019.   Chapter: protocol.
    """

    hidden = 4096
    configurations = {11: "A", 13: "B"}

    def __init__(self, num_classes: int, channels: int, size: int, *, depth: int) -> None:
        from torchvision.models.vgg import cfgs, make_layers

        body = make_layers(cfgs[self.configurations[depth]], batch_norm=True)
        body[0] = nn.Conv2d(channels, 64, kernel_size=3, padding=1)
        neck = _hidden_layers(512 * (size // 32) ** 2, self.hidden)
        super().__init__(body, neck, self.hidden, num_classes)
        self._initialize()

    def _initialize(self) -> None:
        """Convolutions with variance 2/(k^2 c_out), linear layers with 0.01^2, no biases."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan))
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)


class ThinVGG(Network):
    """VGG in small: three convolutions, each with a max-pool, and two hidden layers of 128.

    ``size`` is at least 8, for three pools.   Chapter: protocol.
    """

    widths = (16, 32, 64)
    hidden = 128

    def __init__(self, num_classes: int, channels: int, size: int) -> None:
        body = nn.Sequential()
        previous = channels
        for width in self.widths:
            body.append(nn.Conv2d(previous, width, kernel_size=3, padding=1))
            body.extend([nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(2)])
            previous = width
        neck = _hidden_layers(previous * (size // 8) ** 2, self.hidden)
        super().__init__(body, neck, self.hidden, num_classes)


def _hidden_layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(inplace=True),
        nn.Linear(width, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(inplace=True),
    )
