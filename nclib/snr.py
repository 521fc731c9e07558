"""Signal over noise: the class means in the coordinates that make the within-class spread white.

All that the least-squares head can do with a sample depends on this one matrix, because its
predictions are the same in every invertible system of coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .stats import ClassStats

__all__ = ["Snr", "snr", "snr_values"]

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Snr:
    """The signal-to-noise ratio matrix, as its singular value decomposition.

    ``omega`` are the C-1 singular values that can differ from zero, largest first (with d < C-1
    features the last ones are zero). ``directions`` are orthonormal columns in the whitened
    features; columns that belong to a value of zero beyond the rank of the features are zero.
    ``classes`` are orthonormal columns over the classes, orthogonal to the square roots of the
    class proportions: with equal classes they sum to zero.

    Source: Han, Papyan & Donoho 2022, Definition 2 (there U, Omega, V for directions, omega,
    classes).   Chapter: snr.
    """

    omega: Tensor  # (C-1,)
    directions: Tensor  # (d, C-1)
    classes: Tensor  # (C, C-1)

    @property
    def matrix(self) -> Tensor:
        """The SNR matrix with a row for each class, (C, d); the paper's is its transpose."""
        return (self.classes * self.omega) @ self.directions.T


def snr(stats: ClassStats) -> Snr:
    r"""The singular value decomposition of sqrt(C) diag(pi)^{1/2} M' Sigma_W^{-1/2}.

    With equal classes this is M' Sigma_W^{-1/2}, the transpose of the paper's SNR matrix. With
    other proportions the factor keeps what makes the values meaningful: the omega^2 / C are the
    eigenvalues of Sigma_W^{-1} Sigma_B, and M' Sigma_W^{-1/2} is ``matrix`` with its rows divided
    by sqrt(C pi_c). No invertible change of the features' coordinates moves a value.

    Features in which nothing varies at all are left out. Where class means differ along
    directions in which no class spreads, the ratio is infinite: a ValueError with their number.

    Source: Han, Papyan & Donoho 2022, Eq. (8) and Definition 2, here for any class proportions.
    Chapter: snr.

    >>> features = torch.tensor([[1.0], [3.0], [-1.0], [-3.0]])
    >>> found = snr(ClassStats.of(features, torch.tensor([0, 0, 1, 1]), 2))
    >>> round(float(found.omega), 12) == round(8**0.5, 12)  # means 2 and -2, spread 1
    True
    """
    if not isinstance(stats, ClassStats):
        raise TypeError(f"stats: expected ClassStats, got {type(stats).__name__}")
    C, d = stats.num_classes, stats.dimension
    signal = (C * stats.priors).sqrt()[:, None] * stats.centered_means  # (C, d)
    whitener = _whitener(stats.within, signal)  # (k, d)
    basis = _zero_sum_basis(stats.priors)  # (C, C-1)
    left, values, right = torch.linalg.svd(basis.T @ signal @ whitener.T)
    rank = len(values)
    omega, directions = signal.new_zeros(C - 1), signal.new_zeros(d, C - 1)
    omega[:rank] = values
    # From the whitener's own coordinates to those of the symmetric root: a rotation.
    turn = _symmetric_root(stats.within) @ whitener.T  # (d, k)
    directions[:, :rank] = turn @ right[:rank].T
    return Snr(omega, directions, basis @ left)


def snr_values(stats: ClassStats) -> Tensor:
    """The singular values of the SNR matrix alone, (C-1,), largest first: :func:`snr`'s ``omega``.

    By a pivoted Cholesky factor of Sigma_W in place of its eigenvectors: for wide features dozens
    of times less work. Raises the same ValueError where the ratio is infinite.

    Source: as :func:`snr`.   Chapter: snr.
    """
    from scipy.linalg import get_lapack_funcs, solve_triangular  # torch has no pivoted factor

    C, d = stats.num_classes, stats.dimension
    signal = (C * stats.priors).sqrt()[:, None] * stats.centered_means  # (C, d)
    size = _sizes(stats.within, signal)
    within = (stats.within / size / size[:, None]).cpu().numpy()
    (pivoted_cholesky,) = get_lapack_funcs(("pstrf",), (within,))
    factor, pivots, rank, _ = pivoted_cholesky(within, lower=1)
    order = pivots - 1  # LAPACK counts from 1
    scaled = (signal / size).cpu().numpy().T[order]  # (d, C)
    # What lies above the diagonal is not the factor, and is not touched.
    white = solve_triangular(factor[:rank, :rank], scaled[:rank], lower=True, check_finite=False)
    lost = scaled[rank:] - factor[rank:, :rank] @ white  # (d - rank, C)
    cutoff = d * EPS * np.abs(within).sum(1).max(initial=0)
    noiseless = int((np.linalg.svd(lost, compute_uv=False) ** 2 > max(cutoff, EPS**2)).sum())
    if noiseless:
        raise _infinite(noiseless, d, int(rank))
    found = np.linalg.svd(_zero_sum_basis(stats.priors).cpu().numpy().T @ white.T, compute_uv=False)
    omega = signal.new_zeros(C - 1)
    omega[: len(found)] = torch.as_tensor(found).to(omega)
    return omega


def _sizes(within: Tensor, signal: Tensor) -> Tensor:
    """A size of each feature that is never 0: its spread, else its signal, else 1."""
    size = within.diagonal().sqrt()
    size = torch.where(size > 0, size, signal.abs().amax(0))
    return torch.where(size > 0, size, 1.0)


def _infinite(noiseless: int, dimension: int, rank: int) -> ValueError:
    return ValueError(
        f"stats: expected spread within the classes wherever their means differ, got "
        f"{noiseless} of {dimension} directions without any (Sigma_W has rank {rank}); "
        f"the signal-to-noise ratio is infinite there"
    )


def _whitener(within: Tensor, signal: Tensor) -> Tensor:
    """T (k, d) with T Sigma_W T^T = I on the k directions with spread.

    Diagonalized at unit diagonal, so that features of very different sizes cost no digits.
    """
    size = _sizes(within, signal)
    values, vectors = torch.linalg.eigh(within / size / size[:, None])
    cutoff = values[-1].clamp(min=0) * len(values) * torch.finfo(values.dtype).eps
    spread = values > cutoff
    lost = torch.linalg.svdvals(signal / size @ vectors[:, ~spread]).square()
    noiseless = int((lost > cutoff.clamp(min=torch.finfo(lost.dtype).eps ** 2)).sum())
    if noiseless:
        raise _infinite(noiseless, len(values), int(spread.sum()))
    return (vectors[:, spread] / values[spread].sqrt()).T / size


def _symmetric_root(matrix: Tensor) -> Tensor:
    """The positive semi-definite square root of a positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _zero_sum_basis(priors: Tensor) -> Tensor:
    """Orthonormal columns (C, C-1), all orthogonal to the square roots of the proportions."""
    return torch.linalg.qr(priors.sqrt()[:, None], mode="complete").Q[:, 1:]
