"""Pictures to play with: plain pages of their own, without a network."""

from .flows import flow
from .landscapes import landscape
from .page import Explorer
from .portraits import portrait
from .rescalings import rescaled
from .results import browser
from .simulations import simulation

__all__ = ["Explorer", "browser", "flow", "landscape", "portrait", "rescaled", "simulation"]
