"""Sums of a sample around a point of each class: the arithmetic under the class statistics.

Around a point near the data nothing cancels: raw moments would invent a within-class spread of
their own exactly where features collapse.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CHUNK_BYTES", "Moments", "add_by_class"]

CHUNK_BYTES = 2 << 20
"""Size of the float64 copy that is centered at once: one that stays in the cache is 2x faster."""
FAR = 1e3  # squared distance of the origin from the mean, in units of the spread: digits are lost


class Moments:
    """First and second moments of samples around an ``origin`` (C, d), class by class, in float64.

    Each class is shifted by its own origin: a point given, or else the first of its samples.
    Without ``covariance`` the (d, d) moment is not kept.
    """

    def __init__(self, origin: Tensor, *, known: bool, covariance: bool) -> None:
        C, d = origin.shape
        self.origin = origin
        self.known = known  # whether every class has its origin
        self.counts = torch.zeros(C, dtype=torch.int64, device=origin.device)
        self.sums = torch.zeros_like(origin)
        self.squares = origin.new_zeros(C)
        self.moment = origin.new_zeros(d, d) if covariance else None  # upper block rows only

    @classmethod
    def around_first_samples(
        cls, num_classes: int, dimension: int, *, covariance: bool, device: torch.device | str
    ) -> Moments:
        """Moments around samples that are still to come."""
        origin = torch.zeros(num_classes, dimension, dtype=torch.float64, device=device)
        return cls(origin, known=False, covariance=covariance)

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add samples: features (N, d), labels (N,) in 0..C-1.

        The moment is summed by block rows from the diagonal on, and mirrored at the end. A
        symmetric BLAS product would save more, but brings threads of its own that fight torch's.
        """
        d = self.origin.shape[1]
        if not self.known:
            self._find_origins(features, labels)
        self.counts += torch.bincount(labels, minlength=len(self.counts))
        covariance = self.moment is not None
        rows = max(CHUNK_BYTES // (8 * d), d if covariance else 1)
        if features.device.type != "cpu":  # what suits a cache would be thousands of launches
            rows = max(rows, 64 * CHUNK_BYTES // (8 * d))
        for h, y in zip(features.split(rows), labels.split(rows), strict=True):
            x = h - self.origin[y]  # float64: the origin is, and it wins
            add_by_class(self.sums, y, x)
            add_by_class(self.squares, y, torch.linalg.vecdot(x, x))
            if self.moment is not None:
                _add_upper(self.moment, x)

    @property
    def lost(self) -> Tensor:
        """n_c |mu_c - origin|^2, (C,): what the shift from the origin takes off the spread."""
        return self.sums.square().sum(1) / self.counts.clamp(min=1)

    @property
    def is_far(self) -> bool:
        """Whether an origin lies so far out that it costs digits across its direction."""
        return bool((self.lost > FAR * (self.squares - self.lost).clamp(min=0)).any())

    def centered(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Means (C, d), spread (C,) and scatter (d, d) around the means."""
        delta = self.sums / self.counts.clamp(min=1)[:, None]
        means = torch.where((self.counts > 0)[:, None], self.origin + delta, 0.0)
        # Rounding can leave -0 or a hair less where a class is a single point.
        spread = (self.squares - self.lost).clamp(min=0)
        if self.moment is None:
            return means, spread, None
        moment = self.moment.triu() + self.moment.triu(1).T
        return means, spread, moment.sub_(delta.T @ (self.counts[:, None] * delta))

    def _find_origins(self, features: Tensor, labels: Tensor) -> None:
        """The first sample of each class that had none yet becomes its origin."""
        position = torch.arange(len(labels), device=labels.device)
        first = torch.full_like(self.counts, len(labels)).scatter_reduce(
            0, labels, position, reduce="amin"
        )
        new = (self.counts == 0) & (first < len(labels))
        self.origin[new] = features[first[new]].to(self.origin)
        self.known = bool(((self.counts > 0) | new).all())


def add_by_class(total: Tensor, labels: Tensor, values: Tensor) -> None:
    """total[labels] += values, in an order that does not change from run to run."""
    if total.device.type == "cpu":
        total.index_add_(0, labels, values)
    else:  # index_add_ is not deterministic on a GPU; a product is
        total += torch.nn.functional.one_hot(labels, len(total)).to(values).T @ values


def _add_upper(moment: Tensor, x: Tensor) -> None:
    d = len(moment)
    block = max(d // 8, 64)
    for i in range(0, d, block):
        moment[i : i + block, i:].addmm_(x[:, i : i + block].T, x[:, i:])
