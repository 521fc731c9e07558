"""The linear head (W, b): the one in the network, and the one least squares would choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .moments import is_finite
from .simplex import row_blocks
from .stats import AT_ONCE, ClassStats

__all__ = [
    "Head",
    "least_squares",
    "ridge_from_weight_decay",
]


@dataclass(frozen=True, eq=False)
class Head:
    """A linear classifier h -> W h + b, in float64.

    Source: Han, Papyan & Donoho 2022, Section 1.   Chapter: notation.
    """

    weight: Tensor  # (C, d)
    bias: Tensor  # (C,)

    def __post_init__(self) -> None:
        for name in ("weight", "bias"):
            object.__setattr__(self, name, _finite_double(name, getattr(self, name)))
        if self.weight.ndim != 2:
            raise ValueError(f"weight: expected (C, d), got {tuple(self.weight.shape)}")
        if self.bias.shape != self.weight.shape[:1]:
            raise ValueError(
                f"bias: expected ({len(self.weight)},) to match weight, "
                f"got {tuple(self.bias.shape)}"
            )

    @classmethod
    def of(cls, layer: nn.Linear) -> Head:
        """A copy of a linear layer; a layer without bias has b = 0."""
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"layer: expected torch.nn.Linear, got {type(layer).__name__}")
        weight = layer.weight.detach().clone()
        bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach().clone()
        return cls(weight, bias)

    @property
    def num_classes(self) -> int:
        """C, the number of outputs."""
        return self.weight.shape[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.weight.shape[1]

    def logits(self, features: Tensor) -> Tensor:
        """W h + b for each row of features (N, d): (N, C), float64."""
        if features.ndim != 2 or features.shape[1] != self.dimension:
            raise ValueError(
                f"features: expected (N, {self.dimension}) to match head.weight, "
                f"got {tuple(features.shape)}"
            )
        return features.to(self.weight) @ self.weight.T + self.bias

    def require_fits(self, stats: ClassStats) -> None:
        """Raise a ValueError unless the head maps stats' features to stats' classes."""
        if self.weight.shape != stats.means.shape:
            raise ValueError(
                f"head.weight: expected {tuple(stats.means.shape)} to match stats.means, "
                f"got {tuple(self.weight.shape)}"
            )


def _finite_double(name: str, value: Tensor) -> Tensor:
    """A detached float64 copy of the value, or an error that names it."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(value).__name__}")
    if not is_finite(value):
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")
    value = value.detach()
    return (value.cpu() if value.device.type == "mps" else value).double()


def ridge_from_weight_decay(weight_decay: float, num_classes: int, reduction: str) -> float:
    """The ridge that an optimizer's weight decay amounts to in 1/2 Ave |Wh+b-y|^2 + ridge/2 |.|^2.

    SGD adds (wd/2)|theta|^2 to the loss it is given. ``reduction`` says which loss that was:
    "sum", Ave |.|^2 with the C outputs summed, gives wd/2; "mean", torch's default, which also
    averages over the C outputs, gives C wd/2. A head that is optimal for what was trained has
    L_perp = 0 under this ridge and under no other.

    Source: derived in chapter decomposition-measured; the authors' notebook uses wd/2 with a
    mean-reduced loss.

    >>> ridge_from_weight_decay(5e-4, 10, "mean"), ridge_from_weight_decay(5e-4, 10, "sum")
    (0.0025, 0.00025)
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction: expected "mean" or "sum", got {reduction!r}')
    if not (weight_decay >= 0 and math.isfinite(weight_decay)):
        raise ValueError(f"weight_decay: expected a finite number >= 0, got {weight_decay}")
    return weight_decay * num_classes / 2 if reduction == "mean" else weight_decay / 2


def least_squares(stats: ClassStats, ridge: float) -> Head:
    """The head that minimizes 1/2 Ave |Wh + b - y|^2 + (ridge/2)(|W|^2 + |b|^2).

    With the bias eliminated and the class means as rows of M (C, d),
        W [Sigma_T + ridge/(1+ridge) mu_G mu_G^T + ridge I] = diag(pi) M - pi mu_G^T / (1+ridge),
        b = (pi - W mu_G) / (1+ridge).
    For ridge = 0 and singular Sigma_T, the minimizer with the smallest W. ``ridge`` >= 0 is a
    convention and always passed; see :func:`ridge_from_weight_decay`.

    Source: Han, Papyan & Donoho 2022, Proposition 1 (Webb & Lowe 1990), here for any class
    proportions.   Chapter: least-squares.
    """
    if not isinstance(stats, ClassStats):
        raise TypeError(f"stats: expected ClassStats, got {type(stats).__name__}")
    require_ridge(ridge)
    pi, mean, shrink = stats.priors, stats.global_mean, ridge / (1 + ridge)
    right = pi[:, None] * stats.centered_means  # (C, d)
    divide = _division(stats, ridge)
    if ridge == 0:
        weight = divide(right)
        return Head(weight, pi - weight @ mean)
    # The rank-one part of the mean by hand (Sherman & Morrison): in the matrix it would square
    # the distance of the features from zero into its condition number.
    u = divide(mean[None])[0]
    scale = shrink / (1 + shrink * float(mean @ u))
    weight = torch.empty_like(right)
    for start, rows in row_blocks(right, AT_ONCE):
        here = slice(start, start + len(rows))
        w = divide(rows).addr_(pi[here] - rows @ u, u, alpha=scale)
        for _ in range(2):  # refined: a small ridge on a singular covariance costs half the digits
            error = torch.sub(rows, w, alpha=ridge).sub_(stats.times_within(w))
            error.addmm_((w @ right.T).div_(pi), right, alpha=-1)  # w Sigma_B
            step = divide(error.addr_(pi[here] - w @ mean, mean, alpha=shrink))
            w.add_(step).addr_(step @ mean, u, alpha=-scale)
        weight[here] = w
    return Head(weight, (pi - weight @ mean) / (1 + ridge))


def require_ridge(ridge: float) -> None:
    """Raise a ValueError unless ridge is a finite number >= 0."""
    if not (isinstance(ridge, int | float) and ridge >= 0 and math.isfinite(ridge)):
        raise ValueError(f"ridge: expected a finite number >= 0, got {ridge}")


def require_pair(stats: ClassStats, head: Head) -> None:
    """Raise a TypeError or ValueError unless these are class statistics and a head for them."""
    if not isinstance(stats, ClassStats):
        raise TypeError(f"stats: expected ClassStats, got {type(stats).__name__}")
    if not isinstance(head, Head):
        raise TypeError(f"head: expected Head, such as Head.of(layer), got {type(head).__name__}")
    head.require_fits(stats)


def _division(stats: ClassStats, ridge: float) -> Callable[[Tensor], Tensor]:
    """rows -> rows (Sigma_T + ridge I)^-1, factored once.

    Where that is singular, the shortest rows, by the pseudo-inverse.
    """
    divide = _division_by_triangles(stats, ridge)
    if divide is not None:
        return divide
    values, vectors = torch.linalg.eigh(_ridged(stats, ridge))
    cutoff = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
    inverse = torch.where(values > cutoff, 1 / values, 0.0)
    return lambda rows: ((rows @ vectors) * inverse) @ vectors.T


def _division_by_triangles(stats: ClassStats, ridge: float) -> Callable[[Tensor], Tensor] | None:
    """The same by Cholesky; None where it is singular or nearly so."""
    # Of thousands of features these are the largest matrices there are: one at a time.
    matrix = _ridged(stats, ridge)
    size = matrix.diagonal().sqrt()
    size = torch.where(size > 0, size, 1.0)
    # To unit diagonal first: features of very different sizes are not a singular matrix.
    factor, failed = torch.linalg.cholesky_ex(matrix.div_(size).div_(size[:, None]))
    pivots = factor.diagonal()
    # Near-singular: Cholesky would still answer, with noise along the directions without spread.
    if bool(failed) or not (ridge > 0 or bool(pivots.min() > 1e-6 * pivots.max())):
        return None
    return lambda rows: _solved(factor, (rows / size).T).T.div_(size)


def _ridged(stats: ClassStats, ridge: float) -> Tensor:
    """Sigma_T + ridge I, (d, d)."""
    matrix = stats.total
    matrix.diagonal().add_(ridge)
    return matrix


def _solved(factor: Tensor, columns: Tensor) -> Tensor:
    """(L L^T)^-1 columns, in their place; torch's own solution copies L each time."""
    for triangle, upper in ((factor, False), (factor.T, True)):
        torch.linalg.solve_triangular(triangle, columns, upper=upper, out=columns)
    return columns
