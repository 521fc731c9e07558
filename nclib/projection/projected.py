"""Class statistics with the within-class covariance along the class means only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..simplex import row_blocks
from ..stats import AT_ONCE, ClassStats

__all__ = ["ProjectedStats"]

INSIDE = 1e-6  # of a vector's norm: it lies in the span if less of it is outside


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

        Any other needs the whole of Sigma_W; a ValueError says so where it was not kept.
        """
        if vectors is self.basis:
            return self.along.diagonal()
        found = []
        for _, rows in row_blocks(vectors, AT_ONCE):
            inside = rows @ self.basis.T  # (k, r)
            outside = torch.addmm(rows, inside, self.basis, alpha=-1)
            if bool((outside.norm(dim=1) > INSIDE * rows.norm(dim=1)).any()):
                return super().spread_along(vectors)
            found.append((inside @ self.along).mul_(inside).sum(1))
        return torch.cat(found)

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
