"""Every network by name, where its definition comes from, and how wide its features are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from ..notation import markdown_table
from .convnet import ConvNet
from .densenet import DenseNet, DenseNet201
from .network import Network
from .resnet import ResNet, ThinResNet
from .vgg import VGG, ThinVGG

__all__ = ["FAMILIES", "NETWORKS", "Architecture", "Networks", "build"]

FAMILIES = ("VGG", "ResNet", "DenseNet")
"""The families of the papers' networks, in the order of their tables."""

# Pixels. At 96 and batch 128 DenseNet250 would keep about 200 GB, by estimate.
_LARGE = 64


@dataclass(frozen=True)
class Architecture:
    """A network that can be built: ``make(num_classes, channels, size)`` for size x size images.

    ``evidence`` says how the definition is known: "stated" by the papers' authors, "inferred" from
    their other code or from the papers they name, or "our choice"; ``source`` says from what.
    ``family`` is one of FAMILIES, or "ours". ``smallest`` is the least size the network can take.

    Chapter: protocol.
    """

    name: str
    family: str
    make: Callable[[int, int, int], Network]
    evidence: str
    source: str
    smallest: int = 1

    def outline(self, num_classes: int, channels: int, size: int) -> Network:
        """The network without numbers: its shapes alone, on torch's meta device."""
        with torch.device("meta"):
            return self.make(num_classes, channels, size)

    def parameters(self, num_classes: int, channels: int, size: int) -> int:
        """How many numbers are trained."""
        outline = self.outline(num_classes, channels, size)
        return sum(parameter.numel() for parameter in outline.parameters())

    def dimension(self, num_classes: int, channels: int, size: int) -> int:
        """The number d of features."""
        return self.outline(num_classes, channels, size).fc.in_features


class Networks(dict[str, Architecture]):
    """The table of networks by name; in a notebook it shows as one.   Chapter: protocol."""

    def _repr_markdown_(self) -> str:
        header = ("name", "family", "evidence", "source", "parameters", "features d")
        return markdown_table(header, [_shown(a) for a in self.values()])


@cache
def _shown(architecture: Architecture) -> tuple[str, ...]:
    """A row of the table, with the counts for 32x32 color images and ten classes."""
    outline = architecture.outline(10, 3, 32)
    count = sum(parameter.numel() for parameter in outline.parameters())
    return (
        f"`{architecture.name}`", architecture.family, architecture.evidence, architecture.source,
        f"{count:,}", str(outline.fc.in_features),
    )  # fmt: skip


def build(network: str, *, num_classes: int, channels: int, size: int, seed: int) -> Network:
    """A freshly initialized network for size x size images.

    The same seed gives the same weights, whatever ran before.   Chapter: protocol.
    """
    if network not in NETWORKS:
        raise ValueError(f"network: expected one of {sorted(NETWORKS)}, got {network!r}")
    architecture = NETWORKS[network]
    for name, value in (("num_classes", num_classes), ("channels", channels)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")
    if size < architecture.smallest:
        raise ValueError(
            f"size: expected at least {architecture.smallest} (pixels a side) for {network}, "
            f"got {size}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return architecture.make(num_classes, channels, size)


def _dense40(C: int, channels: int, size: int) -> Network:
    return DenseNet(
        C, channels, growth=12, initial=24, blocks=(12, 12, 12), bottleneck=False,
        compression=1.0, recompute=size > _LARGE,
    )  # fmt: skip


def _dense_bc(layers: int, growth: int) -> Callable[[int, int, int], Network]:
    return lambda C, channels, size: DenseNet(
        C, channels, growth=growth, initial=2 * growth, blocks=(layers,) * 3, bottleneck=True,
        compression=0.5, recompute=size > _LARGE,
    )  # fmt: skip


def _thin_dense(C: int, channels: int, size: int) -> Network:
    return DenseNet(
        C, channels, growth=12, initial=24, blocks=(2, 2, 2), bottleneck=False, compression=1.0,
        stride=2,
    )  # fmt: skip


_LAB = "the lab's code of 2019"
_HUANG = "Huang et al. 2017"
_TABLE = (
    Architecture("vgg11", "VGG", lambda C, c, s: VGG(C, c, s, depth=11), "inferred",
                 f"Papyan, Han & Donoho 2020: batch norm for dropout; the rest as in {_LAB}", 32),
    Architecture("vgg13", "VGG", lambda C, c, s: VGG(C, c, s, depth=13), "inferred",
                 "as vgg11", 32),
    Architecture("resnet18", "ResNet", lambda C, c, s: ResNet(C, c, depth=18), "stated",
                 "Han, Papyan & Donoho 2022, notebook"),
    Architecture("resnet34", "ResNet", lambda C, c, s: ResNet(C, c, depth=34), "inferred",
                 f"stem as in resnet18 and in {_LAB}"),
    Architecture("resnet50", "ResNet", lambda C, c, s: ResNet(C, c, depth=50), "inferred",
                 f"stem as in resnet18 and in {_LAB}"),
    Architecture("densenet40", "DenseNet", _dense40, "inferred",
                 f"{_LAB}: growth 12, no bottleneck, no compression, 24 channels after the stem",
                 4),
    Architecture("densenet100", "DenseNet", _dense_bc(16, 12), "our choice",
                 f"{_HUANG}, DenseNet-BC with growth 12; bottleneck and compression are the "
                 f"defaults of {_LAB}, but the plain network of that depth is possible", 4),
    Architecture("densenet201", "DenseNet", lambda C, c, s: DenseNet201(C, c), "inferred",
                 "torchvision's, the only one of that depth, with its 7x7 stem for 96x96 images",
                 29),
    Architecture("densenet250", "DenseNet", _dense_bc(41, 24), "inferred",
                 f"{_HUANG}, DenseNet-BC with growth 24, the only one of that depth there", 4),
    Architecture("thinvgg", "VGG", ThinVGG, "our choice", "VGG in small, for a CPU", 8),
    Architecture("thinresnet", "ResNet", lambda C, c, s: ThinResNet(C, c), "our choice",
                 "ResNet in small, for a CPU"),
    Architecture("thindensenet", "DenseNet", _thin_dense, "our choice",
                 "DenseNet40 in small, for a CPU", 7),
    Architecture("plainnet", "ours", lambda C, c, s: ConvNet(C, c, norm=False), "our choice",
                 "convnet without batch norm", 2),
    Architecture("convnet", "ours", lambda C, c, s: ConvNet(C, c), "our choice",
                 "small enough for the embedded digits", 2),
)  # fmt: skip

NETWORKS = Networks((architecture.name, architecture) for architecture in _TABLE)
"""The table of every network that can be built, by name.   Chapter: protocol."""
