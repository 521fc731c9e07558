"""Class statistics of a stream: batch after batch, one pass, memory that does not grow."""

from __future__ import annotations

import torch
from torch import Tensor

from .moments import Moments
from .stats import ClassStats, check_sample

__all__ = ["RunningStats"]


class RunningStats:
    """``ClassStats`` of samples that come a batch at a time.

    Equal to ``ClassStats.of`` on all of them at once for every way of batching, up to rounding in
    float64. Without ``covariance`` the (d, d) scatter is not kept and memory is C x d; NC1 with
    the pseudo-inverse then needs a second look at the samples, see ``SecondPass``.

    A batch that is refused leaves the statistics as they were.   Chapter: measure.

    >>> running = RunningStats(2, 1)
    >>> running.add(torch.tensor([[0.0], [5.0]]), torch.tensor([0, 1]))
    >>> running.add(torch.tensor([[2.0]]), torch.tensor([0]))
    >>> running.stats.means.tolist(), running.stats.scatter.tolist()
    ([[1.0], [5.0]], [[2.0]])
    """

    def __init__(
        self,
        num_classes: int,
        dimension: int,
        *,
        covariance: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        for name, value in (("num_classes", num_classes), ("dimension", dimension)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected a whole number >= 1, got {value!r}")
        self.num_classes = num_classes
        self.dimension = dimension
        self.covariance = covariance
        self.device = torch.device(device)
        self._before: ClassStats | None = None
        self._moments = self._begin()

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add a batch: features (B, d) of any floating-point type, labels (B,) in 0..C-1."""
        check_sample(features, labels, self.num_classes)
        if features.shape[1] != self.dimension:
            raise ValueError(
                f"features: expected (B, {self.dimension}), got {tuple(features.shape)}"
            )
        self._moments.add(features.detach().to(self.device), labels.detach().to(self.device))
        if self._moments.is_far:
            # Early, an origin far out has cost few digits; from here on the means are the origin.
            self._before = self.stats
            self._moments = self._begin()

    def merge(self, stats: ClassStats) -> None:
        """Add the statistics of other samples, such as another process's."""
        self._before = stats if self._before is None else self._before + stats

    @property
    def stats(self) -> ClassStats:
        """The statistics of all samples so far."""
        now = ClassStats.of_moments(self._moments)
        return now if self._before is None else self._before + now

    def _begin(self) -> Moments:
        seen = None if self._before is None else self._before.counts > 0
        if seen is not None and bool(seen.all()):
            return Moments(self._before.means, known=True, covariance=self.covariance)  # pyright: ignore
        return Moments.around_first_samples(
            self.num_classes, self.dimension, covariance=self.covariance, device=self.device
        )
