"""Small networks with random weights, in float64, to compare algorithms on."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gaussian(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear(seed: int, num_classes: int, dimension: int) -> nn.Module:
    layer = nn.Linear(dimension, num_classes).double()
    layer.weight.data = gaussian(seed, num_classes, dimension)
    layer.bias.data = gaussian(seed + 1, num_classes)
    return nn.Sequential(nn.Flatten(), layer)


def initialized(model: nn.Module, seed: int) -> nn.Module:
    """The model with random weights, batch statistics too, in float64."""
    model = model.double()
    for i, (name, value) in enumerate(model.state_dict().items()):
        if value.is_floating_point():
            noise = gaussian(seed + i, *value.shape)
            value.copy_(1 + noise.abs() / 4 if "running_var" in name else noise / 2)
    return model


def convnet(seed: int = 0) -> nn.Module:
    """Convolutions, batch norm, ReLU and pooling; unlike our networks, in float64 to the end."""
    layers = nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Conv2d(5, 6, 2)
    rest = nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    return initialized(nn.Sequential(*layers, *rest), seed).eval()


def smooth(seed: int = 0) -> nn.Module:
    """Curved boundaries: DeepFool needs several steps."""
    layers = nn.Flatten(), nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 12), nn.Tanh()
    return initialized(nn.Sequential(*layers, nn.Linear(12, 4)), seed).eval()


NETWORKS = {"convnet": (convnet, (1, 6, 6)), "smooth": (smooth, (6,))}
