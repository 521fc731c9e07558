"""Networks, and the one cut that matters: split(model) -> trunk, head."""

from .architectures import FAMILIES, NETWORKS, Architecture, Networks, build
from .convnet import ConvNet
from .network import Network
from .trunk import Trunk, split

__all__ = [
    "FAMILIES",
    "NETWORKS",
    "Architecture",
    "ConvNet",
    "Network",
    "Networks",
    "Trunk",
    "build",
    "split",
]
