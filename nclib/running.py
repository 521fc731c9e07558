"""Class statistics of a stream: batch after batch, one pass, memory that does not grow."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .moments import Chunks, Moments, rows_at_once
from .stats import ClassStats, check_sample

__all__ = ["RunningStats"]

STEPS = 4  # of the size that fits the cache, added at once: each sum has a price of its own


class RunningStats:
    """``ClassStats`` of samples that come a batch at a time: one pass, constant memory.

    Equal to ``ClassStats.of`` on all of them at once, up to rounding in float64, and to the last
    bit the same for every way of batching (of one floating-point type). Without ``covariance``
    the (d, d) scatter is not kept and memory is C x d; NC1 with the pseudo-inverse then needs a
    second look at the samples, see ``SecondPass``.

    A batch that is refused leaves the statistics as they were.

    Source: Chan, Golub & LeVeque 1983 (the merge).   Chapter: measure.

    >>> running = RunningStats(2, 1)
    >>> running.add(torch.tensor([[0.0], [5.0]]), torch.tensor([0, 1]))
    >>> running.add(torch.tensor([[2.0]]), torch.tensor([0]))
    >>> running.stats.means.tolist(), running.stats.scatter.tolist()
    ([[1.0], [5.0]], [[2.0]])
    """

    # Tensors made in inference mode could not be added to outside of it.
    @torch.inference_mode(False)
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
        if self.device.type == "mps":
            raise ValueError(
                'device: expected one with float64, got mps: leave it at "cpu", '
                "features from an Apple GPU are copied there"
            )
        self._before: ClassStats | None = None
        self._moments = self._begin()
        rows = STEPS * rows_at_once(dimension, self.device)
        self._chunks = Chunks(max(rows, self._moments.rows))
        self._steps = 0

    @torch.inference_mode(False)
    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add a batch: features (B, d) of any floating-point type, labels (B,) in 0..C-1.

        Wrong shapes and types, labels out of range and non-finite features are named in a
        ValueError or TypeError.
        """
        check_sample(features, labels, self.num_classes)
        if features.shape[1] != self.dimension:
            raise ValueError(
                f"features: expected (B, {self.dimension}), got {tuple(features.shape)}"
            )
        features, labels = features.detach().to(self.device), labels.detach().to(self.device)
        for h, y in self._chunks.put(features, labels):
            self._moments.add(h, y)
            self._steps += 1
            # At powers of two: the check costs as much as a step where C is large.
            if self._steps & (self._steps - 1) == 0 and self._moments.is_far:
                # Early, an origin far out has cost few digits; the means are the origin from here.
                self._before = self._with(self._moments)
                self._moments, self._steps = self._begin(), 0

    @torch.inference_mode(False)
    def merge(self, stats: ClassStats) -> None:
        """Add the statistics of other samples, such as another process's."""
        if not isinstance(stats, ClassStats):
            raise TypeError(f"stats: expected ClassStats, got {type(stats).__name__}")
        shape = (self.num_classes, self.dimension)
        if stats.means.shape != shape:
            raise ValueError(
                f"stats: expected those of (C, d) = {shape}, got {tuple(stats.means.shape)}"
            )
        if self.covariance and stats.scatter is None:
            raise ValueError(
                "stats: expected the within-class scatter with them, which was not kept: take "
                "both statistics with covariance=True, or both without"
            )
        if not self.covariance:
            stats = replace(stats, scatter=None)
        stats = stats.to(self.device)
        self._before = stats if self._before is None else self._before + stats

    @property
    def stats(self) -> ClassStats:
        """The statistics of all samples so far."""
        with torch.inference_mode(False):
            features, labels = self._chunks.waiting
            return self._with(
                self._moments.plus(features, labels) if len(labels) else self._moments
            )

    def _with(self, moments: Moments) -> ClassStats:
        """The statistics so far, of these moments and what was before them."""
        now = ClassStats.of_moments(moments)
        return now if self._before is None else self._before + now

    def _begin(self) -> Moments:
        seen = None if self._before is None else self._before.counts > 0
        if seen is not None and bool(seen.all()):
            return Moments(self._before.means, known=True, covariance=self.covariance)  # pyright: ignore
        return Moments.around_first_samples(
            self.num_classes, self.dimension, covariance=self.covariance, device=self.device
        )
