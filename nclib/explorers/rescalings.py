"""The rescaled explorer: what alpha and M do to the loss of one feature, beside cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..palette import COLORS
from ..theory.rescaled import LocalLandscape, cross_entropy, cross_entropy_gradient
from .frame import Axis, Frame, numeral
from .page import Explorer, Picture, defaults, explorer

__all__ = ["FRAMES", "picture", "rescaled"]

ANGLE = Axis(0, 180, (0, 45, 90, 135, 180), "angle θ to the row, degrees")
LENGTH = Axis(0, 10, (0, 2, 4, 6, 8, 10), "length s of the feature")
FRAMES = {name: Frame(name, ANGLE, LENGTH) for name in ("squared", "entropy")}
INKS = {"squared": COLORS["means"], "entropy": COLORS["classifier"]}
LEVELS = 2 ** (torch.arange(14, dtype=torch.float64) - 5.5)  # in units of the loss at 0
POINTS = 40  # on each side of an outline
REACH = 1.5 * LENGTH.high  # outlines are followed so far
WIDEST = 3.14  # from here on an outline reaches the end of the picture
ROUNDS = 24  # of halving
ARROW = 13  # pixels
TITLE = "The rescaled loss to play with"


@dataclass(frozen=True)
class Surface:
    """A loss over s and theta, and its derivatives in them."""

    loss: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def rescaled() -> Explorer:
    """Sliders for alpha, M, K and rho: the squared loss over angle and length, and cross-entropy.

    Source: Zhou et al. 2022, Figs. 2 and 8, there as four still pictures.   Chapter: rescaled.
    """
    return explorer("rescaled", TITLE, FRAMES.values(), INKS, picture(defaults("rescaled")))


def picture(setting: Mapping[str, float | bool | str]) -> Picture:
    """Paths and words for a setting of the controls."""
    K = int(setting["classes"])
    alpha, M, rho = (float(setting[key]) for key in ("alpha", "target", "rows"))
    landscape = LocalLandscape(K, alpha, M, rho)
    surfaces = {
        "squared": Surface(landscape.loss, landscape.gradient),
        "entropy": _entropy(K, rho),
    }
    lines = {name: _outlines(surface) for name, surface in surfaces.items()}
    lines |= {f"{name}_arrows": _arrows(surface) for name, surface in surfaces.items()}
    words = {"classes": str(K), "alpha": numeral(alpha), "target": numeral(M), "rows": numeral(rho)}
    words["sentence"] = _sentence(landscape)
    return Picture(lines | {"best": FRAMES["squared"].dot(0, landscape.minimum)}, words)


def _entropy(K: int, rho: float) -> Surface:
    """Cross-entropy with rows of length rho: only rho s counts."""

    def gradient(s: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        in_length, in_angle = cross_entropy_gradient(rho * s, theta, K)
        return rho * in_length, in_angle

    return Surface(lambda s, theta: cross_entropy(rho * s, theta, K), gradient)


def _sentence(landscape: LocalLandscape) -> str:
    one, right_angle = torch.tensor([1.0, math.pi / 2], dtype=torch.float64)
    in_length, in_angle = landscape.gradient(one, right_angle)
    best = landscape.minimum
    place = ", above the picture," if best > LENGTH.high else ""
    return (
        f"The best feature points along its row and has length {numeral(best)}{place} under the "
        f"squared loss; cross-entropy wants it ever longer. "
        f"Condition number {numeral(landscape.condition_number)}; at a right angle the loss falls "
        f"{numeral(float(in_angle / in_length))} times as fast per radian as per unit of length."
    )


def _outlines(surface: Surface) -> str:
    """Outlines of evenly spaced logarithms of the loss, nested.

    Both losses are convex along every ray, so that each outline meets a ray in an interval. It
    ends at the angle where even the lowest value on the ray is too high. Levels are rows here.
    """
    zero = torch.zeros(1, 1, dtype=torch.float64)
    level = (LEVELS * surface.loss(zero, zero)).T  # (levels, 1)
    level = level[level > surface.loss(_best(surface, zero), zero)][:, None]
    widest = _edge(
        lambda theta: surface.loss(_best(surface, theta), theta) > level,
        torch.zeros_like(level),
        torch.full_like(level, math.pi),
    )
    steps = torch.arange(POINTS + 1, dtype=torch.float64) / POINTS
    # Angles lie closer together where the outline turns back, if it does.
    theta = widest * torch.where(widest < WIDEST, torch.sin(steps * math.pi / 2), steps)
    lowest = _best(surface, theta)
    near = _edge(lambda s: surface.loss(s, theta) <= level, torch.zeros_like(theta), lowest)
    top = torch.full_like(theta, REACH)
    far = _edge(lambda s: surface.loss(s, theta) > level, lowest, top)
    angles = torch.cat([theta, theta.flip(1)], dim=1).rad2deg().tolist()
    lengths = torch.cat([near, far.flip(1)], dim=1).tolist()
    frame = FRAMES["squared"]
    return "".join(
        f"{frame.line(zip(*outline, strict=True))}Z"
        for outline in zip(angles, lengths, strict=True)
    )


def _best(surface: Surface, theta: Tensor) -> Tensor:
    """The lengths of least loss at these angles, within the picture."""
    low, high = torch.zeros_like(theta), torch.full_like(theta, REACH)
    return _edge(lambda s: surface.gradient(s, theta)[0] > 0, low, high)


def _edge(passed: Callable[[Tensor], Tensor], inside: Tensor, outside: Tensor) -> Tensor:
    """The last points before ``passed`` becomes true; it must not become false again."""
    for _ in range(ROUNDS):
        middle = (inside + outside) / 2
        beyond = passed(middle)
        inside = torch.where(beyond, inside, middle)
        outside = torch.where(beyond, middle, outside)
    return (inside + outside) / 2


def _arrows(surface: Surface) -> str:
    """Where gradient descent in the feature takes it, as arrows of one length.

    Descent in h moves s at the rate -dL/ds and theta at the rate -(dL/dtheta) / s^2.
    """
    width, height = FRAMES["squared"].size
    degrees = torch.arange(10, 180, 20, dtype=torch.float64)
    rows = (2 * torch.arange(6, dtype=torch.float64) + 1) * LENGTH.high / 12
    theta, s = torch.meshgrid(degrees.deg2rad(), rows, indexing="ij")
    in_length, in_angle = surface.gradient(s, theta)
    dx, dy = -in_angle / s**2 * width / math.pi, in_length * height / LENGTH.high
    unit = ARROW / torch.hypot(dx, dy)
    dx, dy = dx * unit, dy * unit
    x = width * theta / math.pi + dx / 2
    y = height * (1 - s / LENGTH.high) + dy / 2
    arrows = torch.stack([x, y, dx, dy], -1).reshape(-1, 4).tolist()
    return "".join(_arrow(*one) for one in arrows)


def _arrow(x: float, y: float, dx: float, dy: float) -> str:
    """An arrow with its point at (x, y)."""
    barbs = [
        f"{x - 0.35 * (dx - turn * dy):.1f} {y - 0.35 * (dy + turn * dx):.1f}"
        for turn in (0.7, -0.7)
    ]
    point = f"{x:.1f} {y:.1f}"
    return f"M{x - dx:.1f} {y - dy:.1f}L{point}M{barbs[0]}L{point}L{barbs[1]}"
