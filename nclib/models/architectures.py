"""Every network by name, where its definition comes from, and how wide its features are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .convnet import ConvNet
from .network import Network

__all__ = ["FAMILIES", "NETWORKS", "Architecture", "build"]

FAMILIES = ("VGG", "ResNet", "DenseNet")


@dataclass(frozen=True)
class Architecture:
    """A network that can be built: ``make(num_classes, channels, size)`` for size x size images.

    ``evidence`` says how the definition is known: "stated" by the papers, "inferred" from their
    authors' other code, or "our choice"; ``source`` says from what. ``family`` is one of FAMILIES,
    or "ours".   Chapter: protocol.
    """

    name: str
    family: str
    make: Callable[[int, int, int], Network]
    evidence: str
    source: str


NETWORKS: dict[str, Architecture] = {
    name: Architecture(
        name, family, lambda C, channels, size: ConvNet(C, channels), "our choice", "to come"
    )
    for name, family in {
        "vgg11": "VGG", "vgg13": "VGG", "resnet18": "ResNet", "resnet34": "ResNet",
        "resnet50": "ResNet", "densenet40": "DenseNet", "densenet100": "DenseNet",
        "densenet201": "DenseNet", "densenet250": "DenseNet", "thinvgg": "VGG",
        "thinresnet": "ResNet", "thindensenet": "DenseNet", "plainnet": "ours",
    }.items()
} | {
    "convnet": Architecture(
        "convnet", "ours", lambda C, channels, size: ConvNet(C, channels), "our choice",
        "small enough for the embedded digits",
    ),
}  # fmt: skip


def build(network: str, *, num_classes: int, channels: int, size: int, seed: int) -> Network:
    """A freshly initialized network for size x size images.

    The same seed gives the same weights, whatever ran before.   Chapter: protocol.
    """
    if network not in NETWORKS:
        raise ValueError(f"network: expected one of {sorted(NETWORKS)}, got {network!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[network].make(num_classes, channels, size)
