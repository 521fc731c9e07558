"""Pictures to play with: plain pages of their own, without a network."""

from .flows import flow
from .landscapes import landscape
from .page import Explorer
from .rescalings import rescaled

__all__ = ["Explorer", "flow", "landscape", "rescaled"]
