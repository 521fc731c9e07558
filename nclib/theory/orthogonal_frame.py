"""How close class means are to an orthogonal frame: what Jacot et al. call NC1, NC2 and NC3.

NC2 means something else here than in the rest of the book: the class means are NOT centered, and
what they collapse to is an orthogonal frame, condition number 1, not a simplex. There is no bias.

Functions take any number of leading dimensions, so that thousands of networks go in one call.

Source: Jacot et al. 2025; the definitions are those its reviews give.   Chapter: wide.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = ["class_means", "condition", "nc1", "nc2", "nc3", "negativity"]


def class_means(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The means of the classes as they are, not centered, (..., C, d).

    Source: Jacot et al. 2025.   Chapter: wide.
    """
    if features.ndim < 2 or features.shape[-2] != len(labels):
        shape = tuple(features.shape)
        raise ValueError(f"features: expected (..., {len(labels)}, d) to match labels, got {shape}")
    targets = one_hot(labels, num_classes).to(features)
    counts = targets.sum(0)
    if bool((counts == 0).any()):
        raise ValueError(f"labels: expected all {num_classes} classes, got {counts.tolist()}")
    return (targets / counts).mT @ features


def nc1(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Variation within the classes over variation between them, tr Sigma_W / tr Sigma_B, (...).

    Source: Jacot et al. 2025.   Chapter: wide.

    >>> h = torch.tensor([[0.0], [2.0], [4.0], [6.0]])
    >>> nc1(h, torch.tensor([0, 0, 1, 1]), 2).item()
    0.25
    """
    means = class_means(features, labels, num_classes)[..., labels, :]  # (..., N, d)
    overall = features.mean(-2, keepdim=True)
    return _square(features - means) / _square(means - overall)


def nc2(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """The condition number of the class means, NOT centered, (...); 1 for an orthogonal frame.

    A simplex ETF centered at the origin has infinite ``nc2``: its rows sum to zero. Needs d >= C.

    Source: Jacot et al. 2025.   Chapter: wide.

    >>> nc2(2 * torch.eye(3), torch.arange(3), 3).item()
    1.0
    """
    if features.shape[-1] < num_classes:
        shape = tuple(features.shape)
        raise ValueError(f"features: expected at least C = {num_classes} columns, got {shape}")
    return condition(class_means(features, labels, num_classes))


def nc3(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Average cosine between features and the row of the weight (..., C, d) for their class, (...).

    Source: Jacot et al. 2025.   Chapter: wide.

    >>> nc3(torch.eye(2), torch.arange(2), torch.eye(2)).item()
    1.0
    """
    return torch.cosine_similarity(features, weight[..., labels, :], dim=-1).mean(-1)


def negativity(before: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """How far a nonlinear layer is from a linear one, ||Z - sigma(Z)|| / ||Z||, (...).

    Operator norms; ``before`` (..., N, d) is what enters the activation. With ReLU, 0 where no
    entry is negative: the layer then works as one more linear layer.

    Source: Jacot et al. 2025.   Chapter: wide.

    >>> negativity(torch.tensor([[3.0, -4.0]]), torch.relu).item()
    0.800000011920929
    """
    return _norm(before - activation(before)) / _norm(before)


def condition(matrix: Tensor) -> Tensor:
    """Largest over smallest singular value, (...).

    Chapter: wide.
    """
    values = torch.linalg.svdvals(matrix)
    return values[..., 0] / values[..., -1]


def _norm(matrix: Tensor) -> Tensor:
    """Operator norm, (...)."""
    return torch.linalg.matrix_norm(matrix, ord=2)


def _square(matrix: Tensor) -> Tensor:
    """Squared Frobenius norm, (...)."""
    return matrix.square().sum((-2, -1))
