"""A second look at the samples: NC1 without a (d, d) matrix, and NC4.

Sigma_B has rank C-1 at most, so tr(Sigma_W Sigma_B^+) needs Sigma_W only along the class means.
The means must be known first; then C-1 numbers of each sample are enough, and the same numbers
say which class mean is the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .head import Choices, Decisions, Head, compare, require_pair
from .moments import Chunks, Shift, add_by_class, rows_at_once
from .stats import ClassStats, check_sample

__all__ = ["ProjectedStats", "SecondPass"]

INSIDE = 1e-6  # of a vector's norm: it lies in the span if less of it is outside
SAME_SHIFT = 1e-3  # of the spread: fresh samples move a class mean by more, up to 1e6 of a class
SAME_SPREAD = 1e-4  # relative
ULPS = 2  # how far a network may round the same sample differently, in another batch
UNIT = torch.finfo(torch.float32).eps / 2
HUGE = 1e30  # float32 products of such vectors may overflow


@dataclass(frozen=True, eq=False)
class ProjectedStats(ClassStats):
    """Class statistics whose within-class covariance is known along the class means only.

    ``basis`` are orthonormal rows V that span the centered means, ``along`` is V Sigma_W V^T.
    Every metric can be had from them; the three terms of the loss need all of Sigma_W.

    Source: our derivation.   Chapter: measure.
    """

    basis: Tensor  # V (r, d), r <= C-1
    along: Tensor  # V Sigma_W V^T (r, r)

    def spread_along(self, vectors: Tensor) -> Tensor:
        """v^T Sigma_W v for rows v in the span of the centered means, (k,).

        A ValueError says that the whole of Sigma_W is needed for any other.
        """
        inside = vectors @ self.basis.T  # (k, r)
        outside = vectors - inside @ self.basis
        if bool((outside.norm(dim=1) > INSIDE * vectors.norm(dim=1)).any()):
            return super().spread_along(vectors)  # says what is missing
        return ((inside @ self.along) * inside).sum(1)

    def directions(self) -> tuple[Tensor, Tensor]:
        """The basis, and the sizes (r,) of the centered means along it, as in ``ClassStats``."""
        along = self.centered_means @ self.basis.T  # (C, r)
        return self.basis, (self.priors @ along.square()).sqrt()

    def to(self, device: torch.device | str) -> ProjectedStats:
        """The same statistics on another device."""
        moved = super().to(device)
        return ProjectedStats(
            moved.counts, moved.means, moved.scatter, moved.spread,
            self.basis.to(device), self.along.to(device),
        )  # fmt: skip


class SecondPass:
    """Looks again at the samples of ``stats``: their spread along the class means, and NC4.

    O(N d C) work and O(C d) memory, whatever the batches and their order. NC4 compares the head's
    decision, bias included, with the nearest class mean. Decisions are those of ``decide``, in
    float64: where float32 leaves a doubt the sample is decided again.

    Source: Papyan, Han & Donoho 2020, Fig. 7 (NC4); the projection is our derivation.
    Chapter: measure.
    """

    def __init__(self, stats: ClassStats, head: Head) -> None:
        require_pair(stats, head)
        stats.require_every_class()
        C, d = stats.means.shape
        self.first = stats
        self.head = head
        self.basis, _ = stats.directions()
        self._choices = Choices(head, stats.means)
        self._single = SingleLogits(self._choices)
        self._anchors = (stats.means - self._choices.origin) @ self.basis.T  # (C, r)
        self._distances = torch.linalg.vector_norm(stats.means - self._choices.origin, dim=1)
        self._counts = torch.zeros_like(stats.counts)
        self._residuals = torch.zeros_like(self._anchors)  # sums of V (h - mu_c)
        self._spread = torch.zeros_like(stats.spread)  # sums of |h - mu_c|^2
        self._inside = torch.zeros_like(stats.spread)  # sums of |V (h - mu_c)|^2
        self._scatter = stats.means.new_zeros(len(self.basis), len(self.basis))
        self._decisions = Decisions(0, 0, 0)
        self._eps = 0.0  # of the features' type
        rows = rows_at_once(d, stats.means.device, least=64)
        self._chunks = Chunks(rows)
        self._doubtful = Chunks(rows)  # decided together: a few rows cost as much as many
        self._shift = Shift(stats.means, rows)

    # Tensors made in inference mode could not be added to outside of it.
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
        self._finish()
        return self._decisions

    @property
    def stats(self) -> ProjectedStats:
        """The statistics with the covariance along the class means; all samples must be back."""
        self.require_same_samples()
        first, residuals = self.first, self._residuals
        # Around their own means: that of the first pass has rounding of its own.
        scatter = self._scatter - residuals.T @ (residuals / first.counts[:, None])
        return ProjectedStats(
            first.counts, first.means, first.scatter, first.spread,
            self.basis, scatter / first.total_count,
        )  # fmt: skip

    def require_same_samples(self) -> None:
        """Raise a ValueError unless these were the samples of the first pass, each once.

        Known by the number of each class, its mean along the class means, and its spread. The
        same samples may come in any order, and with other rounding in the last digit; fresh noise
        moves a mean of n samples by 1/sqrt(n) of the spread.
        """
        self._finish()
        first, n = self.first, self.first.counts
        if not torch.equal(self._counts, n):
            raise ValueError(
                f"second pass: expected the {first.total_count} samples of the first, as many "
                f"of each class, got {int(self._counts.sum())}"
            )
        sizes = (first.means.square().sum(1) + first.spread / n).sqrt()  # root mean square of |h|
        rounding = ULPS * self._eps * sizes  # of one sample, all features together
        share = len(self.basis) / first.dimension
        moved = torch.linalg.vector_norm(self._residuals, dim=1) / n
        allowed = SAME_SHIFT**2 * self._inside / n + share * rounding.square() / n
        other = moved > allowed.sqrt() + first.rounding
        change = (self._spread.sqrt() - first.spread.sqrt()).abs()
        other |= change > SAME_SPREAD * first.spread.sqrt() + n.sqrt() * (rounding + first.rounding)
        if bool(other.any()):
            classes = torch.nonzero(other).flatten().tolist()
            raise ValueError(
                "second pass: expected the very samples of the first, got other features in "
                f"{len(classes)} classes, first in class {classes[0]}; random augmentation, "
                "dropout or a model in training mode makes them differ"
            )

    @torch.inference_mode(False)
    def _finish(self) -> None:
        for h, y in self._chunks.take():
            self._add(h, y)
        for h, pair in self._doubtful.take():
            self._decide(h, pair)

    def _add(self, h: Tensor, y: Tensor) -> None:
        x = self._shift(h, y)
        size = torch.linalg.vector_norm(x, dim=1)
        along = x @ self.basis.T  # (B, r)
        self._counts += torch.bincount(y, minlength=len(self._counts))
        add_by_class(self._residuals, y, along)
        add_by_class(self._spread, y, size.square())
        add_by_class(self._inside, y, along.square().sum(1))
        self._scatter.addmm_(along.T, along)
        reach = size + self._distances[y]  # no less than |h - origin|
        nearest = self._nearest(h, y, along, reach)
        chosen, doubt = self._single.chosen(h, reach)
        if bool(doubt.any()):
            pair = y[doubt] * len(self._counts) + nearest[doubt]  # two classes in one number
            for few, their_pair in self._doubtful.put(h[doubt], pair):
                self._decide(few, their_pair)
            chosen, nearest, y = chosen[~doubt], nearest[~doubt], y[~doubt]
        self._decisions += compare(chosen, nearest, y)

    def _decide(self, h: Tensor, pair: Tensor) -> None:
        """Count samples in float64: their label and nearest mean are known, C y + nearest."""
        C = len(self._counts)
        self._decisions += compare(self._choices.chosen(h), pair % C, pair // C)

    def _nearest(self, h: Tensor, y: Tensor, along: Tensor, reach: Tensor) -> Tensor:
        """The nearest means from r numbers a sample; where those tie, from all of them."""
        nearness = (self._anchors[y] + along) @ self._anchors.T
        nearness -= self._anchors.square().sum(1) / 2
        R = self._distances.max()
        # What the means have outside the basis is smaller than their rounding.
        outside = self.first.rounding / self.first.priors.min().sqrt()
        slack = 8 * self._choices.rounding * R * (reach + R) + 4 * outside * (reach + R)
        nearest, doubt = best_and_doubt(nearness, slack)
        if bool(doubt.any()):
            nearest[doubt] = self._choices.nearest(h[doubt])
        return nearest


class SingleLogits:
    """The head's decisions from float32 products, equal to those of ``Choices`` in float64.

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
            scores = (features.float() - self.origin) @ self.weight.T + self.base
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
