"""The simplex equiangular tight frame: the shape that classes collapse to.

Rows are vertices. With P = I - 11^T/C the centering projector, the Gram matrix of C unit
vertices of a simplex ETF is C/(C-1) P: ones on the diagonal, -1/(C-1) everywhere else.

Source: Papyan, Han & Donoho 2020, Definition 1.   Chapter: collapse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = [
    "angle_to_simplex",
    "centering",
    "cosine_spread",
    "gram_distance",
    "norm_spread",
    "row_blocks",
    "simplex_etf",
    "simplex_gap",
]

BLOCK_ROWS = 1024  # of a (C, C) product at once: thousands of classes do not fill the memory


def centering(num_classes: int) -> Tensor:
    """The projector P = I - 11^T/C that subtracts the mean over classes, (C, C), float64.

    Source: Han, Papyan & Donoho 2022, Appendix C.1 (there called Phi).   Chapter: collapse.

    >>> centering(2).tolist()
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    _require_classes(num_classes)
    eye = torch.eye(num_classes, dtype=torch.float64)
    return eye - 1.0 / num_classes


def simplex_etf(num_classes: int, dimension: int | None = None) -> Tensor:
    """C unit vectors, as rows, that all meet at the widest common angle, cosine -1/(C-1).

    Rows of sqrt(C/(C-1)) P, rotated into the first C-1 coordinates and padded with zeros:
    shape (C, dimension), with dimension = C where none is given. The vertices sum to zero, so
    they span C-1 dimensions and fit wherever dimension >= C-1.

    Source: Papyan, Han & Donoho 2020, Definition 1.   Chapter: collapse.

    >>> vertices = simplex_etf(3, 2)
    >>> torch.round(vertices @ vertices.T, decimals=3).abs().tolist()
    [[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]]
    """
    _require_classes(num_classes)
    dimension = num_classes if dimension is None else dimension
    if dimension < num_classes - 1:
        raise ValueError(
            f"dimension: expected at least C-1 = {num_classes - 1} for a simplex ETF of "
            f"C = {num_classes} classes, got {dimension}"
        )
    vertices = torch.zeros(num_classes, max(dimension, num_classes), dtype=torch.float64)
    vertices[:, : num_classes - 1] = _helmert(num_classes)
    return vertices[:, :dimension] * math.sqrt(num_classes / (num_classes - 1))


def gram_distance(vectors: Tensor) -> float:
    """How far the Gram matrix of the rows is, up to scale, from that of a simplex ETF.

    || V V^T / ||V V^T||_F  -  P / sqrt(C-1) ||_F, between 0 (simplex ETF of any size and pose)
    and sqrt(2); NaN for rows that are all zero.

    Source: Zhou et al. 2022, Appendix A (NC2).   Chapter: collapse.

    >>> round(gram_distance(simplex_etf(4)), 12)
    0.0
    """
    if vectors.ndim != 2:
        raise ValueError(f"vectors: expected (C, d), got {tuple(vectors.shape)}")
    return simplex_gap(vectors.double(), vectors.double())


def simplex_gap(first: Tensor, second: Tensor) -> float:
    """|A B^T / |A B^T|_F - P / sqrt(C-1)|_F: how far the products of two sets of rows are, up to
    scale, from the Gram matrix of a simplex ETF.

    Rows (C, d) each, in float64; at most 1024 x C products are held at once.

    Source: Zhou et al. 2022, Appendix A (NC2, NC3).   Chapter: collapse.
    """
    C = len(first)
    _require_classes(C)

    def blocks() -> Iterator[tuple[int, Tensor]]:
        return ((start, rows @ second.T) for start, rows in row_blocks(first))

    held = list(blocks()) if C <= BLOCK_ROWS else None
    size = _norm(product for _, product in held or blocks())
    return float(
        _norm(
            product / size - _centering_rows(start, product) / math.sqrt(C - 1)
            for start, product in held or blocks()
        )
    )


def row_blocks(vectors: Tensor, at_once: int = BLOCK_ROWS) -> Iterator[tuple[int, Tensor]]:
    """The rows, some at a time, each block with the index of its first."""
    for block, rows in enumerate(vectors.split(at_once)):
        yield block * at_once, rows


def _norm(parts: Iterator[Tensor]) -> Tensor:
    """The Frobenius norm of a matrix that comes in parts."""
    return torch.stack([torch.linalg.norm(part) for part in parts]).norm()


def _centering_rows(start: int, like: Tensor) -> Tensor:
    """As many rows of P as ``like`` (B, C) has, from ``start`` on."""
    rows = torch.full_like(like, -1.0 / like.shape[1])
    rows.diagonal(start).add_(1.0)
    return rows


def norm_spread(vectors: Tensor) -> float:
    """Coefficient of variation of the rows' norms; 0 when equinorm.

    Std with divisor C-1, as in the authors' notebook.

    Source: Papyan, Han & Donoho 2020, Fig. 2 (NC2, equinorm).   Chapter: collapse.
    """
    norms = vectors.norm(dim=1)
    return float(norms.std() / norms.mean())


def cosine_spread(vectors: Tensor) -> float:
    """Standard deviation, over pairs of rows, of their cosine; 0 when equiangular.

    Over all pairs, divisor the number of pairs (so that C = 2, with its single pair, reads 0).

    Source: Papyan, Han & Donoho 2020, Fig. 3 (NC2, equiangularity).   Chapter: collapse.
    """
    pairs = len(vectors) * (len(vectors) - 1) / 2
    mean = sum(part.sum() for part in _cosines(vectors)) / pairs
    return math.sqrt(float(sum((part - mean).square().sum() for part in _cosines(vectors))) / pairs)


def angle_to_simplex(vectors: Tensor) -> float:
    """Mean, over pairs of rows, of |cosine + 1/(C-1)|; 0 at the widest common angle.

    Source: Papyan, Han & Donoho 2020, Fig. 4 (NC2, maximal equiangularity).   Chapter: collapse.
    """
    C = len(vectors)
    total = sum((part + 1 / (C - 1)).abs().sum() for part in _cosines(vectors))
    return float(total) / (C * (C - 1) / 2)


def _cosines(vectors: Tensor) -> Iterator[Tensor]:
    """Cosines of all C(C-1)/2 pairs of rows, in parts."""
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    position = torch.arange(len(vectors), device=vectors.device)
    for start, rows in row_blocks(unit):
        later = position > position[start : start + len(rows), None]
        yield (rows @ unit.T)[later]


def _helmert(num_classes: int) -> Tensor:
    """Orthonormal basis, as columns (C, C-1), of the vectors that sum to zero."""
    basis = torch.zeros(num_classes, num_classes - 1, dtype=torch.float64)
    for j in range(1, num_classes):
        basis[:j, j - 1] = 1.0
        basis[j, j - 1] = -j
        basis[:, j - 1] /= math.sqrt(j * (j + 1))
    return basis


def _require_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"num_classes: expected at least 2, got {num_classes}")
