"""How many, where, how spread: the one noun of neural collapse.

Counts, class means and the pooled within-class scatter are all that the MSE loss of a linear
head, its three terms and every NC1-NC3 measurement need. They add up exactly over batches,
shards and machines, so a data set of any size is one pass and one small object.

Rows of ``features`` are samples; the papers write them as columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .moments import Moments, is_finite
from .simplex import row_blocks

__all__ = ["ClassStats"]

EPS = torch.finfo(torch.float64).eps
AT_ONCE = 256  # rows of (C, d) in a product: a thousand of them, copied, are no small memory


@dataclass(frozen=True, eq=False)
class ClassStats:
    """What neural collapse is about: how many, where, how spread.

    All in float64, whatever came in. ``a + b`` is the exact merge of two disjoint samples
    (Chan, Golub & LeVeque 1983): associative, commutative, and free of the cancellation that
    makes raw moments report a within-class spread of their own exactly where features collapse.

    Source: Han, Papyan & Donoho 2022, Section 1.1.   Chapter: notation.

    >>> stats = ClassStats.of(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([0, 0, 1]), 2)
    >>> stats.means.tolist(), stats.scatter.tolist()
    ([[1.0], [5.0]], [[2.0]])
    """

    counts: Tensor  # (C,)    int64, samples per class
    means: Tensor  # (C, d)  class means; zero where a class has no sample yet
    scatter: Tensor | None  # (d, d)  sum of (h - mu_c)(h - mu_c)^T; None where it was not kept
    spread: Tensor  # (C,)    sum over samples of |h - mu_c|^2, class by class

    @classmethod
    def of(
        cls, features: Tensor, labels: Tensor, num_classes: int, *, covariance: bool = True
    ) -> ClassStats:
        """Statistics of features (N, d) with labels (N,), int64 in 0..C-1.

        One pass in float64, each class shifted by its own first sample; classes may be absent.
        Without ``covariance`` the scatter is not kept, and memory stays C x d.
        Non-finite features, wrong shapes and labels out of range are named in a ValueError.
        """
        check_sample(features, labels, num_classes)
        features, labels = features.detach(), labels.detach()
        if features.device.type == "mps":  # no float64 on Apple GPUs
            features, labels = features.cpu(), labels.cpu()
        moments = Moments.around_first_samples(
            num_classes, features.shape[1], covariance=covariance, device=features.device
        )
        moments.add(features, labels)
        if moments.is_far:  # once more, from the means
            moments = Moments(moments.centered()[0], known=True, covariance=covariance)
            moments.add(features, labels)
        return cls.of_moments(moments)

    @classmethod
    def of_moments(cls, moments: Moments) -> ClassStats:
        """The statistics that sums around any origin amount to."""
        means, spread, scatter = moments.centered()
        return cls(moments.counts.clone(), means, scatter, spread)

    def __radd__(self, other: object) -> ClassStats:
        """Let sum() start from 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __add__(self, other: ClassStats) -> ClassStats:
        if not isinstance(other, ClassStats):
            return NotImplemented
        if self.means.shape != other.means.shape:
            raise ValueError(
                f"stats: expected two samples of the same (C, d), "
                f"got {tuple(self.means.shape)} and {tuple(other.means.shape)}"
            )
        counts = self.counts + other.counts
        n = counts.clamp(min=1).double()
        shift = other.means - self.means  # (C, d)
        # An absent class has a zero mean; both weights below vanish for it.
        weight = self.counts * other.counts / n  # (C,)
        means = torch.where(
            (self.counts == 0)[:, None],
            other.means,
            self.means + shift * (other.counts / n)[:, None],
        )
        scatter = None
        if self.scatter is not None and other.scatter is not None:
            scatter = self.scatter + other.scatter
            scatter.addmm_(shift.T, weight[:, None] * shift)
        spread = self.spread + other.spread + weight * shift.square().sum(1)
        return ClassStats(counts, means, scatter, spread)

    def to(self, device: torch.device | str) -> ClassStats:
        """The same statistics on another device."""
        scatter = None if self.scatter is None else self.scatter.to(device)
        return ClassStats(
            self.counts.to(device), self.means.to(device), scatter, self.spread.to(device)
        )

    @property
    def num_classes(self) -> int:
        """C, the number of classes."""
        return self.means.shape[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.means.shape[1]

    @property
    def total_count(self) -> int:
        """N, the number of samples."""
        return int(self.counts.sum())

    @property
    def priors(self) -> Tensor:
        """pi = n_c / N, (C,). Every class must have been seen."""
        self.require_every_class()
        return self.counts.double() / self.total_count

    @property
    def global_mean(self) -> Tensor:
        """mu_G, the mean over all samples, (d,)."""
        return self.priors @ self.means

    @property
    def centered_means(self) -> Tensor:
        """M' = mu_c - mu_G, (C, d)."""
        return self.means - self.global_mean

    @property
    def within(self) -> Tensor:
        """Sigma_W = scatter / N, (d, d)."""
        return self._required_scatter() / self.total_count

    def times_within(self, rows: Tensor) -> Tensor:
        """rows Sigma_W for rows (k, d), in the memory of the answer (k, d) alone."""
        return (rows @ self._required_scatter()).div_(self.total_count)

    def spread_along(self, vectors: Tensor) -> Tensor:
        """v^T Sigma_W v for each row v of vectors (k, d): (k,)."""
        blocks = row_blocks(vectors, AT_ONCE)
        return torch.cat([self.times_within(rows).mul_(rows).sum(1) for _, rows in blocks])

    @cached_property
    def variability(self) -> Tensor:
        """v^T Sigma_W v over v^T Sigma_B v along each of the ``directions``, (r,).

        NC1 is their sum; computed once, however many measurements ask for it.
        """
        rows, sizes = self.directions()
        return self.spread_along(rows) / sizes.square()

    def directions(self) -> tuple[Tensor, Tensor]:
        """Orthonormal rows (r, d) that span the centered means, r <= C-1, and their sizes (r,).

        The squared sizes are the eigenvalues of Sigma_B that are not rounding, largest first. The
        rank is at most C-1, and that is enforced: a C-th direction that rounding adds would be
        divided by, and drown the rest.
        """
        C = self.num_classes
        scaled = self.priors.sqrt()[:, None] * self.centered_means  # (C, d), A^T A = Sigma_B
        # From the singular values of A, not of A^T A: half the digits would be lost there.
        _, sizes, rows = torch.linalg.svd(scaled, full_matrices=False)
        cutoff = max(float(sizes.max()) * max(scaled.shape) * EPS, self.rounding)
        keep = (sizes > cutoff) & (torch.arange(len(sizes), device=sizes.device) < C - 1)
        return rows[keep], sizes[keep]

    @property
    def rounding(self) -> float:
        """Distances between class means up to this size are made of rounding."""
        return float(self.means.norm()) * max(self.means.shape) * EPS

    @property
    def between(self) -> Tensor:
        """Sigma_B = sum_c pi_c (mu_c - mu_G)(mu_c - mu_G)^T, (d, d)."""
        centered = self.centered_means
        return centered.T @ (self.priors[:, None] * centered)

    @property
    def total(self) -> Tensor:
        """Sigma_T = Sigma_W + Sigma_B, (d, d), exactly, for any class proportions."""
        centered = self.centered_means
        return self.within.addmm_(centered.T, self.priors[:, None] * centered)

    def _required_scatter(self) -> Tensor:
        self.require_every_class()
        if self.scatter is None:
            raise ValueError(
                "stats: expected the within-class scatter (d, d), which was not kept: "
                "take the statistics with covariance=True"
            )
        return self.scatter

    def require_every_class(self) -> None:
        """Raise a ValueError that names the classes without a sample."""
        empty = torch.nonzero(self.counts == 0).flatten().tolist()
        if empty:
            raise ValueError(
                f"stats: expected samples of all {self.num_classes} classes, none of {empty}"
            )


def check_sample(features: Tensor, labels: Tensor, num_classes: int) -> None:
    """Raise an error in words unless these are features and labels of so many classes."""
    if not isinstance(features, Tensor) or not isinstance(labels, Tensor):
        raise TypeError(
            f"features, labels: expected two tensors, "
            f"got {type(features).__name__} and {type(labels).__name__}"
        )
    if features.ndim != 2 or features.shape[0] == 0 or features.shape[1] == 0:
        raise ValueError(f"features: expected (N, d) with N, d >= 1, got {tuple(features.shape)}")
    if not features.is_floating_point():
        raise TypeError(f"features: expected a floating-point tensor, got {features.dtype}")
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"labels: expected ({features.shape[0]},) to match features, got {tuple(labels.shape)}"
        )
    if labels.dtype != torch.int64:
        raise TypeError(f"labels: expected int64, got {labels.dtype}")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes: expected a whole number >= 1, got {num_classes}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(f"labels: expected values in 0..{num_classes - 1}, got {low}..{high}")
    if not is_finite(features):
        bad = torch.nonzero(~torch.isfinite(features).all(dim=1)).flatten()
        raise ValueError(
            f"features: expected finite values, got NaN or infinity in {len(bad)} of "
            f"{len(features)} rows, first in row {int(bad[0])}"
        )
