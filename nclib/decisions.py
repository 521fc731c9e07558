"""Decisions: the class the head chooses, and the class whose mean is nearest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import torch
from torch import Tensor

from .head import Head
from .moments import is_finite, rows_at_once
from .stats import check_sample

__all__ = ["Choices", "Decisions", "compare", "decide"]


@dataclass(frozen=True)
class Decisions:
    """How many samples the head gets right, and on how many it agrees with the nearest mean.

    ``a + b`` adds disjoint samples. Source: Papyan, Han & Donoho 2020, Fig. 7 (there on test
    samples, with the means of the training samples).   Chapter: collapse.
    """

    total: int
    correct: int
    agreeing: int

    def __add__(self, other: Decisions) -> Decisions:
        if not isinstance(other, Decisions):
            return NotImplemented
        return Decisions(
            self.total + other.total, self.correct + other.correct, self.agreeing + other.agreeing
        )

    @property
    def accuracy(self) -> float:
        """Fraction of samples whose largest logit is their label."""
        return self.correct / self.total

    @property
    def nearest_mean_mismatch(self) -> float:
        """NC4: fraction of samples the head puts in another class than the nearest mean does."""
        return 1 - self.agreeing / self.total


def decide(features: Tensor, labels: Tensor, head: Head, means: Tensor) -> Decisions:
    """Compare the head's decision with the label and with the nearest class mean.

    features (N, d), labels (N,), means (C, d) of classes that have all been seen: usually the
    *training* means, also for test features. The bias is part of the decision. Ties, up to
    rounding, go to the lowest class.

    Source: Papyan, Han & Donoho 2020, Fig. 7.   Chapter: collapse.
    """
    check_sample(features, labels, head.num_classes)
    if features.shape[1] != head.dimension:
        raise ValueError(
            f"features: expected (N, {head.dimension}) to match head.weight, "
            f"got {tuple(features.shape)}"
        )
    if means.shape != head.weight.shape:
        raise ValueError(
            f"means: expected {tuple(head.weight.shape)} to match head.weight, "
            f"got {tuple(means.shape)}"
        )
    if not is_finite(means):
        raise ValueError("means: expected finite values, got NaN or infinity")
    choices = Choices(head, means.to(head.weight))
    rows = rows_at_once(head.dimension, features.device)
    pieces = zip(features.split(rows), labels.split(rows), strict=True)
    return reduce(add, (choices.compared(h, y) for h, y in pieces))


class Choices:
    """What a head and the nearest of the class means (C, d) choose for samples, in float64.

    Around the middle of the means: without that shift two means far from zero and close to each
    other would tie by rounding, and |h - mu|^2 needs no |h|^2 to find the nearest. What float64
    cannot tell apart is a tie, and goes to the lowest class: the same in every batch.
    """

    def __init__(self, head: Head, means: Tensor) -> None:
        self.head = head
        self.means = means
        self.origin = means.mean(0)
        self.base = head.weight @ self.origin + head.bias  # logits of the origin
        self.size = float(torch.linalg.vector_norm(head.weight, dim=1).max())
        self.rounding = (head.dimension + 8) * torch.finfo(torch.float64).eps

    @cached_property
    def centered(self) -> Tensor:
        """The means around their middle, (C, d)."""
        return self.means - self.origin

    @cached_property
    def radii(self) -> Tensor:
        """Their distances from it, (C,)."""
        return torch.linalg.vector_norm(self.centered, dim=1)

    def chosen(self, features: Tensor) -> Tensor:
        """The head's classes (B,)."""
        return self._chosen(features.to(self.origin) - self.origin)

    def nearest(self, features: Tensor) -> Tensor:
        """The classes (B,) with the nearest means."""
        return self._nearest(features.to(self.origin) - self.origin)

    def compared(self, features: Tensor, labels: Tensor) -> Decisions:
        """Both, counted against each other and against the labels."""
        h = features.to(self.origin) - self.origin
        return compare(self._chosen(h), self._nearest(h), labels.to(h.device))

    def _chosen(self, h: Tensor) -> Tensor:
        reach = torch.linalg.vector_norm(h, dim=1)
        return _lowest_of_best(
            h @ self.head.weight.T + self.base, self.rounding * self.size * reach
        )

    def _nearest(self, h: Tensor) -> Tensor:
        reach, R = torch.linalg.vector_norm(h, dim=1), float(self.radii.max())
        nearness = h @ self.centered.T - self.radii.square() / 2
        return _lowest_of_best(nearness, self.rounding * R * (reach + R))


def compare(chosen: Tensor, nearest: Tensor, labels: Tensor) -> Decisions:
    """Decisions of a head's classes (B,), the nearest means' (B,) and the labels (B,)."""
    return Decisions(len(labels), int((chosen == labels).sum()), int((chosen == nearest).sum()))


def _lowest_of_best(scores: Tensor, tie: Tensor) -> Tensor:
    """The lowest class among those whose scores (B, C) are within ``tie`` (B,) of the best."""
    best = scores.max(1).values
    tie = tie + 4 * torch.finfo(scores.dtype).eps * best.abs()
    return (scores >= (best - tie)[:, None]).to(torch.uint8).argmax(1)
