"""The point where an increasing function reaches a value, for many values at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["solve_increasing"]

ROUNDS = 200  # bisection alone halves a bracket of any float64 width well within these


def solve_increasing(
    function: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """The x in [low, high] with f(x) = target, entry by entry, for an increasing f.

    ``function`` returns f and its derivative at a tensor of the shape of ``target``. Newton steps
    from ``high``, each replaced by a bisection where it would leave what is known to hold the
    root. For f convex on the bracket Newton's steps from the right never leave it. A target
    outside [f(low), f(high)] gives the nearer end.

    Chapter: flow.

    >>> cube = lambda x: (x**3, 3 * x**2)
    >>> target = torch.tensor([8.0, 27.0], dtype=torch.float64)
    >>> solve_increasing(cube, target, torch.zeros(2), 10 * torch.ones(2)).tolist()
    [2.0, 3.0]
    """
    low, high = (end.to(target.dtype).expand_as(target) for end in (low, high))
    tiny = 2 * torch.finfo(target.dtype).eps
    x = high
    for _ in range(ROUNDS):
        value, slope = function(x)
        above = value > target
        low, high = torch.where(above, low, x), torch.where(above, x, high)
        newton = x - (value - target) / slope
        inside = (newton >= low) & (newton <= high)
        moved = torch.where(inside, newton, (low + high) / 2)
        if bool(((moved - x).abs() <= tiny * x.abs()).all()):
            return moved
        x = moved
    return x
