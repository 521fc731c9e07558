"""How far an image is from the network's decision boundary: DeepFool, a batch at a time.

The papers give no settings. Ours: x is the network's input, after normalization and padding, and
r is free in it: no pixel is clipped to what an image could hold. The network is measured in eval
mode, and comes back as it was. Chapter: protocol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Perturbations", "deepfool", "robustness_of"]

BLOCK = 1 << 17  # input values taken at once: 128 images of 1 x 32 x 32, 4 of 3 x 96 x 96


@dataclass(frozen=True, eq=False)
class Perturbations:
    """What DeepFool found: for each image a small perturbation that changes the decision.

    The decision at x + r differs from that at x wherever ``found``, as r is here, overshoot and
    rounding included. An image without a boundary in reach has r = NaN: no number would be an
    upper or a lower bound of its distance.   Chapter: protocol.
    """

    perturbations: Tensor  # (B, ...)  r, NaN where none was found
    found: Tensor  # (B,)  bool
    steps: Tensor  # (B,)  int64, linearizations made
    relative: Tensor  # (B,)  float64, |r| / |x|; NaN where none was found or x = 0

    @property
    def average(self) -> float:
        """Ave |r|/|x| over the images that have one; NaN if none has."""
        return float(self.relative.nanmean())


def robustness_of(model: nn.Module, inputs: Tensor) -> float:
    """Ave |r(x)| / |x|, r(x) the smallest perturbation that changes the decision at x.

    inputs (B, ...) is what the network is given. Images on which 50 steps of DeepFool find no
    boundary, and images that are zero, are left out of the average: it is over the others, and NaN
    if there are none; ``deepfool(model, inputs).found`` says which. Above 1 the perturbation is
    larger than the image, which tells more of flat outputs than of robustness.

    Source: Papyan, Han & Donoho 2020, Fig. 8.   Chapter: protocol.
    """
    return deepfool(model, inputs).average


def deepfool(
    model: nn.Module, inputs: Tensor, *, max_steps: int = 50, overshoot: float = 0.02
) -> Perturbations:
    """Small perturbations of inputs (B, ...) that change the decisions of the model.

    Each step goes to the nearest of the C-1 boundaries of the model linearized at x + r, and a
    fraction ``overshoot`` further; it is at least as long as rounding, of the logits and of x + r,
    so that an image on a boundary leaves it. On a linear model the first step ends
    (1 + overshoot) times the exact distance away. An image is done when its decision has
    changed; it stays without one after ``max_steps``, where all slopes are zero, or where the
    logits are not finite.

    Source: Moosavi-Dezfooli, Fawzi & Frossard 2016, Algorithm 2; overshoot at every step.
    Chapter: protocol.

    >>> line = nn.Linear(1, 2)
    >>> line.load_state_dict({"weight": torch.tensor([[1.0], [0.0]]), "bias": torch.zeros(2)})
    <All keys matched successfully>
    >>> found = deepfool(line, torch.tensor([[4.0]]), overshoot=0.5)
    >>> found.perturbations.round(decimals=4).tolist(), found.steps.tolist()
    ([[-6.0]], [1])
    """
    _check(inputs, max_steps, overshoot)
    x = inputs.detach()
    block = BLOCK if x.device.type == "cpu" else 8 * BLOCK
    size = max(block // max(x[0].numel(), 1), 1)
    with _measured(model):
        parts = [_deepfool(model, block, max_steps, overshoot) for block in x.split(size)]
    r, found, steps = (torch.cat(part) for part in zip(*parts, strict=True))
    length, norm = (_norms(v).cpu().double() for v in (r, x))
    relative = torch.where(norm > 0, length / norm, math.nan)
    return Perturbations(r, found, steps, relative)


def _deepfool(
    model: nn.Module, x: Tensor, max_steps: int, overshoot: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Perturbations, found, steps of one block; only images that are not done are computed."""
    r = torch.zeros_like(x)
    found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    steps = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    left = torch.arange(len(x), device=x.device)
    decision = left  # replaced by the first look
    for step in range(max_steps + 1):
        point, logits = _look(model, x[left] + r[left])
        chosen, finite = logits.argmax(1), torch.isfinite(logits).all(1)
        decision = chosen if step == 0 else decision
        found[left] = finite & (chosen != decision)
        stay = finite & (chosen == decision)
        if step == max_steps or not bool(stay.any()):
            break
        if not bool(stay.all()):  # a second look costs less than C-1 ways back for all
            left, decision = left[stay], decision[stay]
            point, logits = _look(model, point.detach()[stay])
        move, moving = _step(logits, decision, point)
        left, decision = left[moving], decision[moving]
        if len(left) == 0:
            break
        r[left] += (1 + overshoot) * move[moving]
        steps[left] += 1
    r[~found] = math.nan
    return r, found, steps


def _look(model: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The images as the point to differentiate at, and their logits (B, C)."""
    point = images.requires_grad_()
    # A copy goes in: a first module that works in place would change the point itself.
    logits = model(point.clone())
    _check_logits(logits, len(point))
    return point, logits


def _step(logits: Tensor, decision: Tensor, point: Tensor) -> tuple[Tensor, Tensor]:
    """The way (B, ...) to the nearest boundary of the linearized model; where (B,) there is one.

    One backward pass for each of the other classes, all images in it: their margins are summed,
    and no image's logits depend on another's input. Only the nearest class is kept.
    """
    C = logits.shape[1]
    every = torch.arange(C, device=logits.device).expand(len(logits), C)
    others = every[every != decision[:, None]].view(len(logits), C - 1)
    margins = logits.gather(1, others) - logits.gather(1, decision[:, None])  # (B, C-1), <= 0
    # At a tie the margin is 0. What rounding hides, in the logits and in x + r, is added to it.
    hidden = torch.finfo(logits.dtype).eps * logits.detach().abs().amax(1)
    least = torch.finfo(point.dtype).eps * _norms(point.detach())
    nearest = torch.full_like(hidden, math.inf)
    move = torch.zeros_like(point)
    for j in range(C - 1):
        # Of the input alone: parameters get no gradient, and theirs is not computed.
        (slope,) = torch.autograd.grad(margins[:, j].sum(), point, retain_graph=j < C - 2)
        steep = _norms(slope)
        distance = (margins[:, j].detach().abs() + hidden) / steep + least
        closer = distance < nearest  # false for NaN, and for the infinity of a zero slope
        nearest = torch.where(closer, distance, nearest)
        move = torch.where(_wide(closer, slope), slope / _wide(steep, slope), move)
    return move * _wide(torch.where(nearest.isfinite(), nearest, 0.0), move), nearest.isfinite()


def _norms(values: Tensor) -> Tensor:
    """Euclidean norm of each entry of values (B, ...): (B,)."""
    return torch.linalg.vector_norm(values.flatten(1), dim=1)


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """values (B,) as (B, 1, ..., 1), to stand beside like (B, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))


@contextmanager
def _measured(model: nn.Module) -> Iterator[None]:
    """Eval mode, gradients on, the same bits every time; afterwards each module's own mode."""
    modes = [(module, module.training) for module in model.modules()]
    deterministic = torch.backends.cudnn.deterministic
    model.eval()
    torch.backends.cudnn.deterministic = True
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.backends.cudnn.deterministic = deterministic
        for module, training in modes:
            module.training = training


def _check(inputs: Tensor, max_steps: int, overshoot: float) -> None:
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
        raise TypeError(f"inputs: expected a floating-point tensor, got {kind}")
    if inputs.ndim < 2 or inputs.numel() == 0:
        raise ValueError(f"inputs: expected (B, ...) with B >= 1, got {tuple(inputs.shape)}")
    if not bool(torch.isfinite(inputs).all()):
        raise ValueError("inputs: expected finite values, got NaN or infinity")
    if max_steps < 1:
        raise ValueError(f"max_steps: expected at least 1, got {max_steps}")
    if not 0 <= overshoot < math.inf:
        raise ValueError(f"overshoot: expected a finite number >= 0, got {overshoot}")


def _check_logits(logits: Tensor, count: int) -> None:
    if logits.ndim != 2 or len(logits) != count or logits.shape[1] < 2:
        raise ValueError(
            f"model: expected logits ({count}, C) with C >= 2, got {tuple(logits.shape)}"
        )
    if not logits.requires_grad:
        raise ValueError(
            "model: expected logits that depend on the input, through torch operations"
        )
