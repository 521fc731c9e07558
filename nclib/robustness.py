"""How far an image is from the network's decision boundary: DeepFool, a batch at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["robustness_of"]


def robustness_of(model: nn.Module, inputs: Tensor) -> float:
    """Ave ||r(x)|| / ||x||, r(x) the smallest perturbation that changes the decision at x."""
    raise NotImplementedError
