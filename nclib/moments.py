"""Sums of a sample around a point of each class: the arithmetic under the class statistics.

Around a point near the data nothing cancels: raw moments would invent a within-class spread of
their own exactly where features collapse.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import torch
from torch import Tensor

__all__ = ["Chunks", "Moments", "Shift", "add_by_class", "is_finite", "rows_at_once"]

CHUNK_BYTES = 2 << 20
"""Size of the float64 copy that is centered at once: one that stays in the cache is 2x faster."""
FAR = 1e3  # squared distance of the origin from the mean, in units of the spread: digits are lost


def rows_at_once(dimension: int, device: torch.device, least: int = 1) -> int:
    """How many samples of this many features to work on at once."""
    rows = CHUNK_BYTES // (8 * dimension)
    # What suits a CPU's cache would be thousands of launches on a GPU.
    return max(rows if device.type == "cpu" else 64 * rows, least)


class Chunks:
    """Batches of any size regrouped to chunks of ``rows`` samples, in the order they come.

    The sums of a stream are then the same numbers, to the last bit, however it is batched.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._features = self._labels = torch.empty(0)
        self._waiting = 0

    def put(self, features: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The chunks that these samples complete; what is left over waits."""
        if self._waiting and features.dtype != self._features.dtype:
            yield from self.take()
        while len(labels):
            if not self._waiting and len(labels) >= self.rows:
                yield features[: self.rows], labels[: self.rows]
                features, labels = features[self.rows :], labels[self.rows :]
                continue
            room = self.rows - self._waiting
            self._keep(features[:room], labels[:room])
            features, labels = features[room:], labels[room:]
            if self._waiting == self.rows:
                yield from self.take()

    def take(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What waits, if anything; it waits no longer."""
        if self._waiting:
            found, self._waiting = self.waiting, 0
            yield found

    @property
    def waiting(self) -> tuple[Tensor, Tensor]:
        """The samples that wait for more."""
        return self._features[: self._waiting], self._labels[: self._waiting]

    def _keep(self, features: Tensor, labels: Tensor) -> None:
        if not self._waiting and self._features.dtype != features.dtype or not len(self._labels):
            self._features = features.new_empty(self.rows, features.shape[1])
            self._labels = labels.new_empty(self.rows)
        end = self._waiting + len(labels)
        self._features[self._waiting : end] = features
        self._labels[self._waiting : end] = labels
        self._waiting = end


class Shift:
    """Samples minus the point of their class, in float64: points (C, d).

    The result lies in memory that is used again; fresh memory of this size costs more than the
    subtraction. From float32 samples and a point near them the difference is exact.
    """

    def __init__(self, points: Tensor, rows: int) -> None:
        self.points = points
        self._rows = rows
        self._x = self._point = points.new_empty(0, points.shape[1])

    def __call__(self, features: Tensor, labels: Tensor) -> Tensor:
        """features (B, d) - points[labels], (B, d), until the next call."""
        n = len(labels)
        if len(self._x) < n:
            rows = max(n, min(self._rows, 2 * n))
            self._x, self._point = self.points.new_empty(2, rows, self.points.shape[1])
        x, point = self._x[:n], self._point[:n]
        torch.index_select(self.points, 0, labels, out=point)
        # Converted first: a subtraction of mixed types is slower than both steps.
        return x.copy_(features).sub_(point)


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
        self.rows = rows_at_once(d, origin.device, least=min(d, 512) if covariance else 1)
        self._shift = Shift(origin, self.rows)

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
        if not self.known:
            self._find_origins(features, labels)
        self.counts += torch.bincount(labels, minlength=len(self.counts))
        for h, y in zip(features.split(self.rows), labels.split(self.rows), strict=True):
            x = self._shift(h, y)
            add_by_class(self.sums, y, x)
            add_by_class(self.squares, y, torch.linalg.vector_norm(x, dim=1).square_())
            if self.moment is not None:
                _add_upper(self.moment, x)

    def plus(self, features: Tensor, labels: Tensor) -> Moments:
        """These moments with more samples; they themselves stay as they are."""
        total = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and not (name == "origin" and self.known):
                setattr(total, name, value.clone())
        total._shift = Shift(total.origin, self.rows)
        total.add(features, labels)
        return total

    @property
    def lost(self) -> Tensor:
        """n_c |mu_c - origin|^2, (C,): what the shift from the origin takes off the spread."""
        return torch.linalg.vector_norm(self.sums, dim=1).square_() / self.counts.clamp(min=1)

    @property
    def is_far(self) -> bool:
        """Whether an origin lies so far out that it costs digits across its direction."""
        lost = self.lost
        return bool((lost > FAR * (self.squares - lost).clamp(min=0)).any())

    def centered(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Means (C, d), spread (C,) and scatter (d, d) around the means."""
        delta = self.sums / self.counts.clamp(min=1)[:, None]
        means = torch.where((self.counts > 0)[:, None], self.origin + delta, 0.0)
        # Rounding can leave -0 or a hair less where a class is a single point.
        spread = (self.squares - self.lost).clamp(min=0)
        if self.moment is None:
            return means, spread, None
        moment = self.moment.triu()  # in place from here: these are the largest matrices there are
        moment += self.moment.triu(1).T
        return means, spread, moment.addmm_(delta.T, self.counts[:, None] * delta, alpha=-1)

    def _find_origins(self, features: Tensor, labels: Tensor) -> None:
        """The first sample of each class that had none yet becomes its origin."""
        position = torch.arange(len(labels), device=labels.device)
        first = torch.full_like(self.counts, len(labels)).scatter_reduce(
            0, labels, position, reduce="amin"
        )
        new = (self.counts == 0) & (first < len(labels))
        self.origin[new] = features[first[new]].to(self.origin)
        self.known = bool(((self.counts > 0) | new).all())


def is_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    # A sum is NaN or infinite if a term is; only then is it worth looking at each, in the memory
    # that takes. 16 bits overflow too soon.
    wide = torch.float32 if values.dtype == torch.float16 else None
    total = values.detach().sum(dtype=wide)
    return bool(torch.isfinite(total)) or bool(torch.isfinite(values).all())


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
