"""How gradient flow and descent balance linear layers, and how far they bring the loss down.

Source: Jacot et al. 2025, Section 4.   Chapter: wide.
"""

from __future__ import annotations

import math

from torch import Tensor

__all__ = ["after_descent", "after_flow", "shifted_pl"]


def after_flow(imbalance: Tensor, weight_decay: float, time: float) -> Tensor:
    """D(t) = exp(-2 lambda t) D(0) under gradient flow of loss + (lambda/2) ||weights||^2.

    Our derivation; known for linear networks.   Source: see Jacot et al. 2025, Section 4.
    Chapter: wide.
    """
    return math.exp(-2 * weight_decay * time) * imbalance


def after_descent(
    imbalance: Tensor, lower: Tensor, upper: Tensor, learning_rate: float, weight_decay: float
) -> Tensor:
    """D after one step of gradient descent, exactly.

    (1 - eta lambda)^2 D + eta^2 (G_{l+1}^T G_{l+1} - G_l G_l^T), where ``lower`` and ``upper`` are
    the gradients G_l and G_{l+1} of the loss without weight decay.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 4.4.   Chapter: wide.
    """
    shrunk = (1 - learning_rate * weight_decay) ** 2 * imbalance
    return shrunk + learning_rate**2 * (upper.mT @ upper - lower @ lower.mT)


def shifted_pl(alpha: Tensor, radius: Tensor, weight_decay: float) -> Tensor:
    """The floor F with ||grad C||^2 >= (alpha/2) (C - F), for C = C_0 + (lambda/2) ||theta||^2.

    F = lambda R^2 (1/2 + 2 lambda/alpha), wherever ||grad C_0||^2 >= alpha C_0, ||theta|| <= R.
    Down to F the loss falls at least like exp(-alpha t / 2) under gradient flow.

    Our derivation; the paper has a proposition of this kind.   Chapter: wide.
    """
    return weight_decay * radius**2 * (0.5 + 2 * weight_decay / alpha)
