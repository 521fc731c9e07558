"""A second look at the samples: NC1 without a (d, d) matrix, and NC4.

Sigma_B has rank C-1 at most, so tr(Sigma_W Sigma_B^+) needs Sigma_W only along the class means.
The means must be known first; then C-1 numbers of each sample are enough, and the same numbers
say which class mean is the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .head import Decisions, Head
from .moments import CHUNK_BYTES, add_by_class
from .stats import ClassStats, check_sample

__all__ = ["ProjectedStats", "SecondPass"]

SAME = 1e-6  # residuals of the same samples sum to zero; relative to their size


@dataclass(frozen=True, eq=False)
class ProjectedStats(ClassStats):
    """Class statistics whose within-class covariance is known along the class means only.

    ``basis`` are orthonormal rows that span the centered means, ``along`` is V Sigma_W V^T there.
    Every metric can be had from them; the three terms of the loss need all of Sigma_W.

    Source: our derivation.   Chapter: measure.
    """

    basis: Tensor  # V (r, d), r <= C-1
    along: Tensor  # V Sigma_W V^T (r, r)

    def spread_along(self, vectors: Tensor) -> Tensor:
        """v^T Sigma_W v for rows v in the span of the centered means, (k,)."""
        inside = vectors @ self.basis.T  # (k, r)
        outside = vectors - inside @ self.basis
        if bool((outside.norm(dim=1) > SAME * vectors.norm(dim=1)).any()):
            return super().spread_along(vectors)  # says what is missing
        return ((inside @ self.along) * inside).sum(1)

    def to(self, device: torch.device | str) -> ProjectedStats:
        """The same statistics on another device."""
        moved = super().to(device)
        return ProjectedStats(
            moved.counts, moved.means, moved.scatter, moved.spread,
            self.basis.to(device), self.along.to(device),
        )  # fmt: skip


class SecondPass:
    """Looks again at the samples of ``stats``: their spread along the class means, and NC4.

    NC4 compares the head's decision, bias included, with the nearest class mean. Decisions are
    those of float64 arithmetic: where float32 leaves a doubt the sample is decided again.

    Source: Papyan, Han & Donoho 2020, Fig. 7 (NC4); the projection is our derivation.
    Chapter: measure.
    """

    def __init__(self, stats: ClassStats, head: Head) -> None:
        head.require_fits(stats)
        self.first = stats
        self.head = head
        self.basis, _ = stats.directions()
        C, r = stats.num_classes, len(self.basis)
        self.origin = stats.means.mean(0)
        self.anchors = (stats.means - self.origin) @ self.basis.T  # (C, r)
        self.counts = torch.zeros_like(stats.counts)
        self.residuals = stats.means.new_zeros(C, r)
        self.scatter = stats.means.new_zeros(r, r)
        self.decisions = Decisions(0, 0, 0)

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Look at a batch again: features (B, d), labels (B,)."""
        check_sample(features, labels, self.head.num_classes)
        if features.shape[1] != self.head.dimension:
            raise ValueError(
                f"features: expected (B, {self.head.dimension}), got {tuple(features.shape)}"
            )
        home = self.first.means.device
        features, labels = features.detach().to(home), labels.detach().to(home)
        rows = max(CHUNK_BYTES // (8 * self.head.dimension), 256)
        for h, y in zip(features.split(rows), labels.split(rows), strict=True):
            self._add(h, y)

    def _add(self, h: Tensor, y: Tensor) -> None:
        along = (h - self.first.means[y]) @ self.basis.T  # (B, r)
        self.counts += torch.bincount(y, minlength=len(self.counts))
        add_by_class(self.residuals, y, along)
        self.scatter.addmm_(along.T, along)
        nearness = (self.anchors[y] + along) @ self.anchors.T - self.anchors.square().sum(1) / 2
        chosen, nearest = self._chosen(h), nearness.argmax(1)
        self.decisions += Decisions(
            len(y), int((chosen == y).sum()), int((chosen == nearest).sum())
        )

    def _chosen(self, h: Tensor) -> Tensor:
        """The head's decisions (B,)."""
        return self.head.logits(h).argmax(1)

    @property
    def stats(self) -> ProjectedStats:
        """The statistics with the covariance along the class means; all samples must be back."""
        self.require_same_samples()
        first, n = self.first, self.first.total_count
        return ProjectedStats(
            first.counts, first.means, first.scatter, first.spread, self.basis, self.scatter / n
        )

    def require_same_samples(self) -> None:
        """Raise a ValueError unless these were the samples of the first pass, each once."""
        if not torch.equal(self.counts, self.first.counts):
            raise ValueError(
                f"second pass: expected the {self.first.total_count} samples of the first, as many "
                f"of each class, got {int(self.counts.sum())}"
            )
        size = (self.first.spread * self.first.counts).sqrt().clamp(min=self.first.rounding)
        if bool((self.residuals.abs() > SAME * size[:, None]).any()):
            raise ValueError(
                "second pass: expected the very samples of the first, got other features; random "
                "augmentation, dropout or a model in training mode makes them differ"
            )
