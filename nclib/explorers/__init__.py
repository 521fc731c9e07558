"""Pictures to play with: plain pages of their own, without a network."""

from .flows import flow
from .page import Explorer
from .rescalings import rescaled

__all__ = ["Explorer", "flow", "rescaled"]
