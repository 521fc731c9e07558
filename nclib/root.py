"""The point where an increasing function reaches a value, for many values at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["solve_increasing"]

ROUNDS = 1200  # bisection alone narrows any bracket of float64 numbers within these


def solve_increasing(
    function: Callable[[Tensor], tuple[Tensor, Tensor]], target: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """The x in [low, high] with f(x) = target, entry by entry, for an increasing f.

    ``function`` returns f and its derivative at a tensor of the shape of ``target``. Newton steps
    from ``high``, each replaced by a bisection where it would leave what is known to hold the
    root. For f convex on the bracket Newton's steps from the right never leave it. A target
    outside [f(low), f(high)] gives the nearer end; where f is not a number, neither is x. A
    bracket that is upside down is a ValueError.

    Chapter: flow.

    >>> cube = lambda x: (x**3, 3 * x**2)
    >>> target = torch.tensor([8.0, 27.0], dtype=torch.float64)
    >>> solve_increasing(cube, target, torch.zeros(2), 10 * torch.ones(2)).tolist()
    [2.0, 3.0]
    """
    low, high = (end.to(target.dtype).expand_as(target) for end in (low, high))
    if bool((low > high).any()):
        raise ValueError("low: expected no entry above that of high")
    eps = torch.finfo(target.dtype).eps
    floor = eps * (high - low)  # a root at zero has no relative precision to reach
    x = high
    for _ in range(ROUNDS):
        value, slope = function(x)
        excess = value - target
        newton = x - excess / slope
        low, high = torch.where(excess > 0, low, x), torch.where(excess < 0, high, x)
        near = x.abs() + floor
        inside = (newton >= low) & (newton <= high)
        # Newton squares the error: a step this short is the last one. A bracket must be shorter.
        done = inside & ((newton - x).abs() <= eps**0.5 / 16 * near)
        if not bool(inside.all()):
            newton = torch.where(inside, newton, (low + high) / 2 + 0 * excess)  # NaN stays NaN
            done |= (high - low <= 4 * eps * near) | excess.isnan()
        x = newton
        if bool(done.all()):
            break
    return x
