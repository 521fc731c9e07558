"""The geometry behind the portrait of collapse: three classes seen in three dimensions.

Three of the C centered class means span three dimensions (a plane where C = 3). An isometry of
that space lays them as closely as possible on three vertices of the simplex ETF; features and
classifier are seen in the same frame. Nothing is drawn here.

Source: Papyan, Han & Donoho 2020, Fig. 1. The choice of frame is ours.   Chapter: collapse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .head import Head
from .simplex import simplex_etf
from .stats import ClassStats

__all__ = ["Portrait", "closest_frame", "tripod"]


def tripod(num_classes: int) -> Tensor:
    """Three of the C vertices of a simplex ETF, as rows (3, 3), standing around the third axis.

    Unit vectors with inner products -1/(C-1): a flat triangle for C = 3, three corners of a
    regular tetrahedron for C = 4, nearly a right-angled corner for large C.

    Source: Papyan, Han & Donoho 2020, Definition 1.   Chapter: collapse.

    >>> corner = tripod(10)
    >>> torch.round(corner @ corner.T * 9).int().tolist()
    [[9, -1, -1], [-1, 9, -1], [-1, -1, 9]]
    """
    C = num_classes
    if C < 3:
        raise ValueError(f"num_classes: expected at least 3 for a portrait, got {C}")
    triangle = math.sqrt(2 * C / (3 * (C - 1))) * simplex_etf(3, 2)
    height = math.sqrt((C - 3) / (3 * (C - 1)))
    return torch.cat([triangle, torch.full((3, 1), height, dtype=torch.float64)], dim=1)


def closest_frame(stats: ClassStats, classes: Sequence[int]) -> Tensor:
    """The three directions of feature space, as columns (d, 3), that best show the simplex.

    Among all Q with Q^T Q = I the one that maximizes sum_c <Q^T (mu_c - mu_G), v_c> over the
    three classes, v_c the vertices of :func:`tripod`: the polar factor of M'^T V (orthogonal
    Procrustes; Q may reflect). With C = 3 the means leave the third direction open; it is then
    that of mu_G out of their plane. For d < 3 the columns cannot be orthonormal; the rows are.

    Source: our choice.   Chapter: collapse.
    """
    target = tripod(stats.num_classes)
    means = stats.centered_means.cpu()[_three(classes, stats.num_classes)]  # (3, d)
    pull = means.T @ target  # (d, 3)
    if stats.num_classes == 3:
        # Rank 2: what the decomposition adds on its own would turn with every rounding.
        mean = stats.global_mean.cpu()
        pull[:, 2] += mean - torch.linalg.pinv(means) @ (means @ mean)
    U, _, Vh = torch.linalg.svd(pull, full_matrices=False)
    return U @ Vh


@dataclass(frozen=True, eq=False)
class Portrait:
    """Where features, class means, classifier and simplex of three classes lie in space.

    Features and means are centered at mu_G and measured in units of the mean norm of the C
    centered class means; classifier rows in units of theirs, not centered, as in NC3. With
    equal classes, at exact collapse, all four coincide. The bias is not part of the picture.

    Source: Papyan, Han & Donoho 2020, Fig. 1.   Chapter: collapse.
    """

    classes: tuple[int, ...]  # the three classes
    features: Tensor  # (n, 3)  those of the three classes only
    labels: Tensor  # (n,)    0, 1 or 2: position in ``classes``
    means: Tensor  # (3, 3)  a row a class
    classifier: Tensor  # (3, 3)
    simplex: Tensor  # (3, 3)
    frame: Tensor  # (d, 3)

    @classmethod
    def of(
        cls,
        stats: ClassStats,
        head: Head,
        features: Tensor,
        labels: Tensor,
        *,
        classes: Sequence[int],
        frame: Tensor | None = None,
    ) -> Portrait:
        """Coordinates of features (N, d) with labels (N,), and of what stats and head say.

        ``frame`` (d, 3) fixes the view over several epochs; None takes :func:`closest_frame`.
        """
        _check(stats, head, features, labels, frame)
        three = _three(classes, stats.num_classes)
        Q = closest_frame(stats, three) if frame is None else frame.detach().cpu().double()
        centered, weight = stats.centered_means.cpu(), head.weight.cpu()
        size = _size(centered, "stats: expected class means that differ")
        length = _size(weight, "head.weight: expected rows that are not all zero")
        position = torch.full((stats.num_classes,), -1)
        position[three] = torch.arange(3)
        place = position[labels.detach().cpu()]
        chosen = features.detach().cpu()[place >= 0].double() - stats.global_mean.cpu()
        return cls(
            classes=tuple(three),
            features=chosen @ Q / size,
            labels=place[place >= 0],
            means=centered[three] @ Q / size,
            classifier=weight[three] @ Q / length,
            simplex=tripod(stats.num_classes),
            frame=Q,
        )


def _size(vectors: Tensor, expectation: str) -> Tensor:
    """Mean norm of the rows, the unit of length."""
    size = vectors.norm(dim=1).mean()
    if size == 0:
        raise ValueError(f"{expectation}, got {len(vectors)} times the same")
    return size


def _three(classes: Sequence[int], num_classes: int) -> list[int]:
    three = [int(c) for c in classes]
    if len(three) != 3 or len(set(three)) != 3 or min(three) < 0 or max(three) >= num_classes:
        raise ValueError(
            f"classes: expected three different ones from 0 to {num_classes - 1}, got {three}"
        )
    return three


def _check(
    stats: ClassStats, head: Head, features: Tensor, labels: Tensor, frame: Tensor | None
) -> None:
    head.require_fits(stats)
    d, C = stats.dimension, stats.num_classes
    if features.ndim != 2 or features.shape[1] != d:
        raise ValueError(
            f"features: expected (N, {d}) to match stats.means, got {tuple(features.shape)}"
        )
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"labels: expected ({len(features)},) to match features, got {tuple(labels.shape)}"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < C:
        raise ValueError(
            f"labels: expected 0 to {C - 1} to match stats, "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    if frame is not None and frame.shape != (d, 3):
        raise ValueError(f"frame: expected ({d}, 3) to match stats, got {tuple(frame.shape)}")
