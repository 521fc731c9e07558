"""Which class the head chooses and which mean is the nearest, by the cheapest sure arithmetic.

Close enough to its class mean a sample is decided as the mean is; else float32 says it, unless
two classes come too close; only what is left needs float64. The decisions are those of ``decide``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..decisions import Choices, Decisions, compare
from ..moments import Chunks
from ..simplex import row_blocks

__all__ = ["Deciding"]

EPS = torch.finfo(torch.float64).eps
UNIT = torch.finfo(torch.float32).eps / 2
HUGE = 1e30  # float32 products of such vectors may overflow
LEAST = 1e-3  # of the largest row of W: rows of W closer than that count as that far apart


class Deciding:
    """The decisions of samples that come in chunks, each with what is known of it already.

    ``basis`` (r, d) spans the centered means; ``outside`` bounds what they have outside of it.
    """

    def __init__(self, choices: Choices, basis: Tensor, outside: float, rows: int) -> None:
        self.choices = choices
        self.single = SingleLogits(choices)
        self.outside = outside
        self.anchors = choices.centered @ basis.T  # (C, r)
        self.radii = choices.radii
        self.cells = Cells.of(choices, self.anchors)
        self.counted = Decisions(0, 0, 0)
        self.doubtful = Chunks(rows)  # decided together: a few rows cost as much as many

    def add(self, h: Tensor, y: Tensor, along: Tensor, size: Tensor) -> None:
        """Samples h (B, d) of classes y, V (h - mu_y) (B, r) and |h - mu_y| (B,)."""
        reach = size + self.radii[y]  # no less than |h - origin|
        nearest = self._nearest(h, y, along, reach)
        chosen, sure = self._by_the_mean(y, size, reach)
        if not bool(sure.all()):
            rest = torch.nonzero(~sure).flatten()
            chosen[rest], doubt = self.single.chosen(h[rest], reach[rest])
            if bool(doubt.any()):
                self._put_off(h, y, nearest, rest[doubt])
                kept = torch.ones_like(sure).index_fill(0, rest[doubt], False)
                chosen, nearest, y = chosen[kept], nearest[kept], y[kept]
        self.counted += compare(chosen, nearest, y)

    def finish(self) -> Decisions:
        """The decisions of all samples so far."""
        for h, pair in self.doubtful.take():
            self._decide(h, pair)
        return self.counted

    def _by_the_mean(self, y: Tensor, size: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
        """What the head chooses at the class means (B,), and for whom that is sure."""
        choices, R = self.choices, self.radii.max()
        error = choices.rounding * (reach + R) + 8 * EPS * self.cells.base
        return self.cells.chosen[y], size + 4 / LEAST * error < self.cells.margin[y]

    def _nearest(self, h: Tensor, y: Tensor, along: Tensor, reach: Tensor) -> Tensor:
        """The nearest means (B,): the own, or from r numbers a sample, or from all of them."""
        R = self.radii.max()
        slack = (8 * self.choices.rounding * R + 4 * self.outside) * (reach + R)
        apart = self.cells.apart[y]
        far = ~(torch.linalg.vector_norm(along, dim=1) < apart / 2 - slack / apart)
        nearest = y.clone()
        if bool(far.any()):
            rest = torch.nonzero(far).flatten()
            nearness = (self.anchors[y[rest]] + along[rest]) @ self.anchors.T
            found, doubt = best_and_doubt(nearness - self.cells.half_squares, slack[rest])
            if bool(doubt.any()):
                found[doubt] = self.choices.nearest(h[rest[doubt]])
            nearest[rest] = found
        return nearest

    def _put_off(self, h: Tensor, y: Tensor, nearest: Tensor, which: Tensor) -> None:
        pair = y[which] * len(self.anchors) + nearest[which]  # two classes in one number
        for few, their_pair in self.doubtful.put(h[which], pair):
            self._decide(few, their_pair)

    def _decide(self, h: Tensor, pair: Tensor) -> None:
        C = len(self.anchors)
        self.counted += compare(self.choices.chosen(h), pair % C, pair // C)


class Cells(NamedTuple):
    """How far each class mean is from where another decision would be taken."""

    chosen: Tensor  # (C,) the head's class at each mean
    margin: Tensor  # (C,) distance of the mean from the boundary of that decision, or less
    apart: Tensor  # (C,) distance from the nearest other mean, along the basis, or less
    half_squares: Tensor  # (C,) |anchor|^2 / 2
    base: Tensor  # largest logit of the origin, in units of the largest row of W

    @classmethod
    def of(cls, choices: Choices, anchors: Tensor) -> Cells:
        """For a head, means and their coordinates along the basis (C, r)."""
        W, size = choices.head.weight, choices.size or 1.0
        norms, squares = W.square().sum(1), anchors.square().sum(1)
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for start, means in row_blocks(choices.centered):
            here = slice(start, start + len(means))
            logits = means @ W.T + choices.base
            best, index = logits.max(1)
            between = norms[index, None] + norms - 2 * W[index] @ W.T  # |w_best - w_c|^2
            ratio = (best[:, None] - logits) / between.sqrt().nan_to_num(0).clamp(min=LEAST * size)
            margin = ratio.scatter(1, index[:, None], float("inf")).min(1).values
            both = squares[here, None] + squares
            distance = both * (1 - 2 * choices.rounding) - 2 * anchors[here] @ anchors.T
            distance.diagonal(start).fill_(float("inf"))
            found.append((index, margin, distance.min(1).values.clamp(min=0).sqrt()))
        chosen, margin, apart = (torch.cat(parts) for parts in zip(*found, strict=True))
        return cls(chosen, margin, apart, squares / 2, choices.base.abs().max() / size)


class SingleLogits:
    """The head's decisions from float32 products, where they are those of float64 for sure.

    A score of d products is off by (d + 8) u |w| |h - origin| at most, u = 2^-24; a sample whose
    two best scores are closer than twice that is in doubt.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        size = choices.size or 1.0  # scaled, so that no product overflows or vanishes
        self.weight = (choices.head.weight / size).float()
        self.origin = choices.origin.float()
        self.base = (choices.head.weight @ self.origin.double() + choices.head.bias) / size
        self.moved = float((choices.origin - self.origin.double()).norm())

    def chosen(self, features: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
        """The head's classes (B,), and which are in doubt; reach (B,) is at least |h - origin|."""
        if features.dtype == torch.float64 or not float32_is_exact():
            return self.choices.chosen(features), torch.zeros_like(reach, dtype=torch.bool)
        with torch.autocast(features.device.type, enabled=False):
            # As a product from the left: twice as fast where classes are few.
            scores = (self.weight @ (features.float() - self.origin).T).T + self.base
        unit = 2 * (features.shape[1] + 8) * UNIT
        reach = reach + self.moved
        chosen, doubt = best_and_doubt(scores, unit * (reach + 1 / HUGE))
        return chosen, doubt | ~(reach < HUGE)


def best_and_doubt(scores: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """The best of the scores (B, C), and whether another is within ``slack`` (B,) of it."""
    best, index = scores.max(1)
    return index, (scores >= (best - slack)[:, None]).sum(1) != 1


def float32_is_exact() -> bool:
    """Whether torch may not round the factors of float32 products to fewer digits."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # set through the switches of single backends
        return False
