"""How many, where, how spread: the one noun of neural collapse.

Counts, class means and the pooled within-class scatter are all that the MSE loss of a linear
head, its three terms and every NC1-NC3 measurement need. They add up exactly over batches,
shards and machines, so a data set of any size is one pass and one small object.

Rows of ``features`` are samples; the papers write them as columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ClassStats"]

CHUNK_BYTES = 2 << 20  # float64 copy centered at once: one that stays in the cache is 2x faster


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
    scatter: Tensor  # (d, d)  sum over samples of (h - mu_c)(h - mu_c)^T
    spread: Tensor  # (C,)    sum over samples of |h - mu_c|^2, class by class

    @classmethod
    def of(cls, features: Tensor, labels: Tensor, num_classes: int) -> ClassStats:
        """Statistics of features (N, d) with labels (N,), int64 in 0..C-1.

        One pass in float64, each class shifted by its own first sample; classes may be absent.
        Non-finite features, wrong shapes and labels out of range are named in a ValueError.
        """
        check_sample(features, labels, num_classes)
        features, labels = features.detach(), labels.detach()
        if features.device.type == "mps":  # no float64 on Apple GPUs
            features, labels = features.cpu(), labels.cpu()
        counts = torch.bincount(labels, minlength=num_classes)
        origin = _first_samples(features, labels, counts)
        means, spread, scatter, lost = _around(features, labels, counts, origin)
        if bool((lost > 1e3 * spread).any()):
            # A first sample far out costs digits across its direction: once more, from the means.
            means, spread, scatter, _ = _around(features, labels, counts, means)
        return cls(counts, means, scatter, spread)

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
        scatter = self.scatter + other.scatter + shift.T @ (weight[:, None] * shift)
        spread = self.spread + other.spread + weight * shift.square().sum(1)
        return ClassStats(counts, means, scatter, spread)

    def to(self, device: torch.device | str) -> ClassStats:
        """The same statistics on another device."""
        return ClassStats(
            *(t.to(device) for t in (self.counts, self.means, self.scatter, self.spread))
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
        self.require_every_class()
        return self.scatter / self.total_count

    @property
    def between(self) -> Tensor:
        """Sigma_B = sum_c pi_c (mu_c - mu_G)(mu_c - mu_G)^T, (d, d)."""
        centered = self.centered_means
        return centered.T @ (self.priors[:, None] * centered)

    @property
    def total(self) -> Tensor:
        """Sigma_T = Sigma_W + Sigma_B, (d, d), exactly, for any class proportions."""
        return self.within + self.between

    def require_every_class(self) -> None:
        """Raise a ValueError that names the classes without a sample."""
        empty = torch.nonzero(self.counts == 0).flatten().tolist()
        if empty:
            raise ValueError(
                f"stats: expected samples of all {self.num_classes} classes, none of {empty}"
            )


def _first_samples(features: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """The first sample of each class, (C, d) float64; zero where a class has none."""
    position = torch.arange(len(labels), device=labels.device)
    first = torch.zeros_like(counts).scatter_reduce(
        0, labels, position, reduce="amin", include_self=False
    )
    return torch.where((counts > 0)[:, None], features[first].double(), 0.0)


def _around(
    features: Tensor, labels: Tensor, counts: Tensor, origin: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means (C, d), spread (C,), scatter (d, d) by one pass around origin (C, d), and what the
    shift from there to the means took off the spread (C,)."""
    sums, squares, moment = _moments(features, labels, origin)
    delta = sums / counts.clamp(min=1)[:, None]
    weighted = counts[:, None] * delta
    lost = (weighted * delta).sum(1)
    # Rounding can leave -0 or a hair less where a class is a single point.
    return origin + delta, (squares - lost).clamp(min=0), moment - delta.T @ weighted, lost


def _moments(features: Tensor, labels: Tensor, origin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums (C, d), squared lengths (C,) and scatter (d, d) of h - origin, class by class.

    The scatter is summed by block rows from the diagonal on, and mirrored at the end. A symmetric
    BLAS product would save more, but brings threads of its own that fight torch's for the cores.
    """
    C, d = origin.shape
    sums, spread, scatter = origin.new_zeros(C, d), origin.new_zeros(C), origin.new_zeros(d, d)
    rows, block = max(CHUNK_BYTES // (8 * d), d), max(d // 8, 64)
    for h, y in zip(features.split(rows), labels.split(rows), strict=True):
        x = h - origin[y]  # float64: the shift is, and it wins
        _add_by_class(sums, y, x)
        _add_by_class(spread, y, torch.linalg.vecdot(x, x))
        for i in range(0, d, block):
            scatter[i : i + block, i:].addmm_(x[:, i : i + block].T, x[:, i:])
    return sums, spread, scatter.triu() + scatter.triu(1).T


def _add_by_class(total: Tensor, labels: Tensor, values: Tensor) -> None:
    """total[labels] += values, in an order that does not change from run to run."""
    if total.device.type == "cpu":
        total.index_add_(0, labels, values)
    else:  # index_add_ is not deterministic on a GPU; a product is
        total += torch.nn.functional.one_hot(labels, len(total)).to(values).T @ values


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
    # A sum is NaN or infinite if a term is; only then is it worth looking at each.
    if not bool(torch.isfinite(features.sum())) and not bool(torch.isfinite(features).all()):
        bad = torch.nonzero(~torch.isfinite(features).all(dim=1)).flatten()
        raise ValueError(
            f"features: expected finite values, got NaN or infinity in {len(bad)} of "
            f"{len(features)} rows, first in row {int(bad[0])}"
        )
