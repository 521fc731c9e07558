"""The second pass: the spread of the samples along the class means, and the decisions."""

from __future__ import annotations

import torch
from torch import Tensor

from ..decisions import Choices, Decisions
from ..head import Head, require_pair
from ..moments import Chunks, Shift, add_by_class, rows_at_once
from ..stats import ClassStats, check_sample
from .deciding import Deciding
from .projected import ProjectedStats

__all__ = ["SecondPass"]

SAME_SHIFT = 1e-3  # of the spread: fresh samples move a class mean by more, up to 1e6 of a class
SAME_SPREAD = 1e-4  # relative
STEPS = 4  # of the size that fits the cache between two sums: those have a price each
NARROW = 32  # rows: products with fewer are faster from the left


class SecondPass:
    """Looks again at the samples of ``stats``: their spread along the class means, and NC4.

    O(N d C) work and O(C d) memory, whatever the batches and their order. NC4 compares the head's
    decision, bias included, with the nearest class mean; both are those of ``decide``, in float64.

    Source: Papyan, Han & Donoho 2020, Fig. 7 (NC4); the projection is our derivation.
    Chapter: measure.
    """

    # Tensors made in inference mode could not be added to outside of it.
    @torch.inference_mode(False)
    def __init__(self, stats: ClassStats, head: Head) -> None:
        require_pair(stats, head)
        stats.require_every_class()
        rows = rows_at_once(stats.dimension, stats.means.device, least=64)
        together = STEPS * rows
        self.first = stats
        self.head = head
        self.basis, _ = stats.directions()
        r = len(self.basis)
        # What the means have outside the basis is smaller than their rounding.
        outside = stats.rounding / float(stats.priors.min().sqrt())
        self._deciding = Deciding(Choices(head, stats.means), self.basis, outside, together)
        self._counts = torch.zeros_like(stats.counts)
        self._residuals = stats.means.new_zeros(stats.num_classes, r)  # sums of V (h - mu_c)
        self._spread = torch.zeros_like(stats.spread)  # sums of |h - mu_c|^2
        self._inside = torch.zeros_like(stats.spread)  # sums of |V (h - mu_c)|^2
        self._scatter = stats.means.new_zeros(r, r)
        self._eps = 0.0  # of the features' type
        self._chunks = Chunks(together)
        self._rows = rows
        self._shift = Shift(stats.means, rows)

    @torch.inference_mode(False)
    def add(self, features: Tensor, labels: Tensor) -> None:
        """Look at a batch again: features (B, d), labels (B,)."""
        check_sample(features, labels, self.head.num_classes)
        if features.shape[1] != self.head.dimension:
            raise ValueError(
                f"features: expected (B, {self.head.dimension}), got {tuple(features.shape)}"
            )
        self._eps = max(self._eps, torch.finfo(features.dtype).eps)
        home = self.first.means.device
        for h, y in self._chunks.put(features.detach().to(home), labels.detach().to(home)):
            self._add(h, y)

    @property
    def decisions(self) -> Decisions:
        """NC4 and the accuracy of the samples so far."""
        with torch.inference_mode(False):
            self._finish()
            return self._deciding.finish()

    @property
    def stats(self) -> ProjectedStats:
        """The statistics with the covariance along the class means; all samples must be back."""
        self.require_same_samples()
        first, residuals = self.first, self._residuals
        # Around their own means: those of the first pass have rounding of their own.
        scatter = self._scatter - residuals.T @ (residuals / first.counts[:, None])
        return ProjectedStats(
            first.counts, first.means, first.scatter, first.spread,
            self.basis, scatter / first.total_count,
        )  # fmt: skip

    def require_same_samples(self) -> None:
        """Raise a ValueError unless these were the samples of the first pass, each once.

        Known by the number of each class, its mean along the class means, and its spread. The
        same samples may come in any order, and rounded differently in the last digit of their
        type, all alike: networks do that in batches of another size. Fresh noise moves a mean of
        n samples by 1/sqrt(n) of the spread, and is seen as far as that is more.
        """
        with torch.inference_mode(False):
            self._finish()
        first, n = self.first, self.first.counts
        if not torch.equal(self._counts, n):
            raise ValueError(
                f"second pass: expected the {first.total_count} samples of the first, as many "
                f"of each class, got {int(self._counts.sum())}"
            )
        sizes = (first.means.square().sum(1) + first.spread / n).sqrt()  # root mean square of |h|
        rounding = self._eps * sizes  # of one sample, all features together
        share = min(2 * (len(self.basis) / first.dimension) ** 0.5, 1.0)  # of it along the basis
        moved = torch.linalg.vector_norm(self._residuals, dim=1) / n
        allowed = SAME_SHIFT * (self._inside / n).sqrt() + share * rounding
        other = moved > allowed + first.rounding
        change = (self._spread.sqrt() - first.spread.sqrt()).abs()
        other |= change > SAME_SPREAD * first.spread.sqrt() + n.sqrt() * (rounding + first.rounding)
        if bool(other.any()):
            classes = torch.nonzero(other).flatten().tolist()
            raise ValueError(
                "second pass: expected the very samples of the first, got other features in "
                f"{len(classes)} classes, first in class {classes[0]}; random augmentation, "
                "dropout or a model in training mode makes them differ"
            )

    def _finish(self) -> None:
        for h, y in self._chunks.take():
            self._add(h, y)

    def _add(self, h: Tensor, y: Tensor) -> None:
        size, along = self._projected(h, y)
        self._counts += torch.bincount(y, minlength=len(self._counts))
        add_by_class(self._residuals, y, along)
        add_by_class(self._spread, y, size.square())
        add_by_class(self._inside, y, along.square().sum(1))
        self._scatter.addmm_(along.T, along)
        self._deciding.add(h, y, along, size)

    def _projected(self, h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """|x| (B,) and V x (B, r) of x = h - mu_y, as many rows at a time as fit the cache."""
        size = self.basis.new_empty(len(y))
        along = self.basis.new_empty(len(y), len(self.basis))
        for start in range(0, len(y), self._rows):
            here = slice(start, start + self._rows)
            x = self._shift(h[here], y[here])
            torch.linalg.vector_norm(x, dim=1, out=size[here])
            if len(self.basis) < NARROW:
                along[here] = (self.basis @ x.T).T
            else:
                torch.mm(x, self.basis.T, out=along[here])
        return size, along
