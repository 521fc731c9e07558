"""Classifiers that end with several linear layers: balanced, and what follows from it.

Linear layers W_1, ..., W_L turn inputs H, rows h_i, into predictions H W_1^T ... W_L^T. They are
balanced where W_{l+1}^T W_{l+1} = W_l W_l^T. Features are what enters the last layer. NC1, NC2
and NC3 are those of ``orthogonal_frame``: class means are not centered.

Tensors take any number of leading dimensions, so that thousands of networks go in one call. All
bounds are our own, self-contained versions; the paper's constants were not at hand.

Source: Jacot et al. 2025, Theorems 3.1 and 5.2.   Chapter: wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import one_hot

__all__ = [
    "DeepHead",
    "balanced_head",
    "balancedness",
    "condition_bound",
    "conditioning_bound",
    "imbalances",
    "kantorovich",
    "minimum_norm_bound",
    "nc1_bound",
    "nc2_bound",
    "nc3_bound",
    "spread_bound",
]


def imbalances(weights: Sequence[Tensor]) -> list[Tensor]:
    """D_l = W_{l+1}^T W_{l+1} - W_l W_l^T for each pair of neighbors, first layer first.

    Source: Jacot et al. 2025, Theorem 3.1 (ii).   Chapter: wide.
    """
    _require_chain(weights)
    pairs = zip(weights, weights[1:], strict=False)
    return [upper.mT @ upper - lower @ lower.mT for lower, upper in pairs]


def balancedness(weights: Sequence[Tensor]) -> Tensor:
    """||D_l|| over the smaller of ||W_{l+1}||^2 and ||W_l||^2, operator norms, (..., pairs).

    0 where balanced. The paper's own normalization was not at hand; this one is ours. Its
    ``.amax(-1)`` is the worst pair.

    Source: Jacot et al. 2025, Theorem 3.1.   Chapter: wide.

    >>> balancedness([torch.eye(3), 2 * torch.eye(3)]).tolist()
    [3.0]
    """
    if len(weights) < 2:
        raise ValueError(f"weights: expected at least 2 linear layers, got {len(weights)}")
    sizes = [_norm(weight).square() for weight in weights]
    pairs = zip(imbalances(weights), sizes, sizes[1:], strict=False)
    return torch.stack([_norm(D) / torch.minimum(a, b) for D, a, b in pairs], -1)


@dataclass(frozen=True, eq=False)
class DeepHead:
    """Linear layers on inputs, and what the bounds are stated in; float64 inside.

    ``weights`` are applied first to last, at least two, the last with one row per class; widths
    are at least C. Every class has a sample.   Chapter: wide.
    """

    inputs: Tensor  # (..., N, n_0), what enters the first linear layer
    weights: Sequence[Tensor]  # (..., n_l, n_{l-1}) each
    labels: Tensor  # (N,)

    def __post_init__(self) -> None:
        _require_chain(self.weights)
        if len(self.weights) < 2:
            raise ValueError(f"weights: expected at least 2 linear layers, got {len(self.weights)}")
        if self.inputs.shape[-1] != self.weights[0].shape[-1]:
            raise ValueError(
                f"inputs: expected (..., N, {self.weights[0].shape[-1]}) to match weights[0], "
                f"got {tuple(self.inputs.shape)}"
            )
        narrow = min(weight.shape[-1] for weight in self.weights)
        if narrow < self.num_classes:
            raise ValueError(f"weights: expected widths >= C = {self.num_classes}, got {narrow}")
        found = torch.bincount(self.labels, minlength=self.num_classes)
        wrong = len(self.labels) != self.inputs.shape[-2] or len(found) > self.num_classes
        if wrong or bool((found == 0).any()):
            raise ValueError(
                f"labels: expected {self.inputs.shape[-2]} of them, of all {self.num_classes} "
                f"classes, got counts {found.tolist()}"
            )
        object.__setattr__(self, "inputs", self.inputs.double())
        object.__setattr__(self, "weights", tuple(weight.double() for weight in self.weights))

    @property
    def num_classes(self) -> int:
        return self.weights[-1].shape[-2]

    @cached_property
    def targets(self) -> Tensor:
        """One-hot labels Y, (N, C)."""
        return one_hot(self.labels, self.num_classes).double()

    @cached_property
    def least_count(self) -> float:
        """Samples of the smallest class: the square of the smallest singular value of Y."""
        return float(self.targets.sum(0).min())

    @cached_property
    def below(self) -> Tensor:
        """What enters the last layer but one, (..., N, n_{L-2})."""
        rows = self.inputs
        for weight in self.weights[:-2]:
            rows = rows @ weight.mT
        return rows

    @cached_property
    def features(self) -> Tensor:
        """What enters the last layer, (..., N, n_{L-1})."""
        return self.below @ self.weights[-2].mT

    @cached_property
    def product(self) -> Tensor:
        """All linear layers as one, W_L ... W_1, (..., C, n_0)."""
        product = self.weights[-1]
        for weight in reversed(self.weights[:-1]):
            product = product @ weight
        return product

    @cached_property
    def error(self) -> Tensor:
        """eps_1: the distance of predictions and targets, Frobenius norm, (...)."""
        return _square(self.features @ self.weights[-1].mT - self.targets).sqrt()

    @cached_property
    def values(self) -> Tensor:
        """Singular values of the last weight, largest first, (..., C)."""
        return torch.linalg.svdvals(self.weights[-1])


def spread_bound(head: DeepHead) -> tuple[Tensor, Tensor]:
    """What can keep the features Z from Y (W_L^+)^T: (inside, outside) the span of W_L's rows.

    inside = ||Z|| eps_1 / (s - eps_1), s^2 the samples of the smallest class; outside = sqrt(eps_2)
    times the smaller of ||X||_F and ||X|| sqrt(r), with X what enters the last layer but one,
    eps_2 = ||D|| of the last pair and r = min(n_{L-1} - C, n_{L-2}). The two are orthogonal:
    ||Z - Y (W_L^+)^T||_F^2 <= inside^2 + outside^2. Infinite where eps_1 >= s.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 3.1 and Eqs. (21)-(22).
    Chapter: wide.
    """
    gap = math.sqrt(head.least_count) - head.error
    inside = _norm(head.features) * head.error / gap
    inside = torch.where(gap > 0, inside, torch.inf)
    eps_2 = _norm(imbalances(head.weights[-2:])[0])
    free = min(head.features.shape[-1] - head.num_classes, head.below.shape[-1])
    size = torch.minimum(_square(head.below).sqrt(), _norm(head.below) * math.sqrt(free))
    return inside, size * eps_2.sqrt()


def nc1_bound(head: DeepHead) -> Tensor:
    """An upper bound on NC1 of the features, from low error and balancedness, (...).

    ||W_L||^2 (inside^2 + outside^2) / (sqrt(N (1 - sum pi_c^2)) - eps_1)^2, with ``spread_bound``;
    for any class proportions pi. Infinite where the error is too large to say anything.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 3.1, Eq. (2).   Chapter: wide.
    """
    counts = head.targets.sum(0)
    between = torch.sqrt(counts.sum() - counts.square().sum() / counts.sum()) - head.error
    inside, outside = spread_bound(head)
    bound = head.values[..., 0].square() * (inside.square() + outside.square()) / between.square()
    return torch.where(between > 0, bound, torch.inf)


def condition_bound(head: DeepHead) -> Tensor:
    """An upper bound on the condition number of W_L from that of the product of all layers, (...).

    ((s_1^2 + e)/(s_C^2 - e))^(1/2L), s the singular values of the product, e = L(L-1)/2 r^(2L-2)
    eps_2, r the largest operator norm and eps_2 the largest ||D|| of the layers. Balanced layers
    have e = 0 and reach it: kappa(W_L) = kappa(product)^(1/L). Infinite where e >= s_C^2.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 3.1, Eq. (3).   Chapter: wide.
    """
    length = len(head.weights)
    squares = torch.linalg.svdvals(head.product).square()
    radius = torch.stack([_norm(weight) for weight in head.weights]).amax(0)
    eps_2 = torch.stack([_norm(D) for D in imbalances(head.weights)]).amax(0)
    e = length * (length - 1) / 2 * radius ** (2 * length - 2) * eps_2
    ratio = (squares[..., 0] + e) / (squares[..., -1] - e)
    return torch.where(ratio > 0, ratio ** (0.5 / length), torch.inf)


def nc2_bound(head: DeepHead) -> Tensor:
    """An upper bound on NC2 of the features, (...): kappa (1 + s_C t) / (1 - s_1 t).

    kappa = s_1/s_C and s are those of W_L; t^2 = (inside^2 + outside^2) over the samples of the
    smallest class. At collapse t = 0 and NC2 = kappa(W_L). Infinite where s_1 t >= 1.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 3.1, Eq. (4).   Chapter: wide.
    """
    inside, outside = spread_bound(head)
    t = torch.hypot(inside, outside) / math.sqrt(head.least_count)
    largest, least = head.values[..., 0], head.values[..., -1]
    bound = largest / least * (1 + least * t) / (1 - largest * t)
    return torch.where(largest * t < 1, bound, torch.inf)


def nc3_bound(head: DeepHead) -> Tensor:
    """A LOWER bound on NC3 of features and W_L, (...): 2 kappa/(1 + kappa^2) - 2 s_1 t.

    As in ``nc2_bound``, but with t^2 = (inside^2 + outside^2) / N.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 3.1, Eq. (5).   Chapter: wide.
    """
    inside, outside = spread_bound(head)
    t = torch.hypot(inside, outside) / math.sqrt(len(head.labels))
    largest, least = head.values[..., 0], head.values[..., -1]
    return kantorovich(largest / least) - 2 * largest * t


def kantorovich(kappa: Tensor) -> Tensor:
    """2 kappa/(1 + kappa^2): the least cosine of a row of W and the same column of W^+.

    Source: Kantorovich's inequality.   Chapter: wide.

    >>> kantorovich(torch.tensor([1.0, 3.0])).tolist()
    [1.0, 0.6000000238418579]
    """
    return 2 * kappa / (1 + kappa.square())


def conditioning_bound(head: DeepHead) -> Tensor:
    """An upper bound on the condition number of the product of all layers, (...).

    (||H|| / (s - eps_1))^C times (||W_l||_F^2 / C)^(C/2) for each layer, with H the inputs and
    s^2 the samples of the smallest class. Infinite where eps_1 >= s.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 5.2.   Chapter: wide.
    """
    C, gap = head.num_classes, math.sqrt(head.least_count) - head.error
    norms = torch.stack([_square(weight) for weight in head.weights])
    logarithm = C * torch.log(_norm(head.inputs) / gap) + C / 2 * torch.log(norms / C).sum(0)
    return torch.where(gap > 0, torch.exp(logarithm), torch.inf)


def minimum_norm_bound(
    size: Tensor, least_count: Tensor, cost: Tensor, *, num_classes: int, nonlinear: int
) -> Tensor:
    """The same where the whole network has the least norm among all that fit Y exactly, (...).

    (||X||_F/s)^C exp((c - L1 C + L1 C log C)/2): ``size`` is ||X||_F of the network's inputs,
    ``cost`` the squared norm c with which its L1 = ``nonlinear`` layers alone can fit Y. The
    activation must be 1-Lipschitz with sigma(0) = 0. No word of the number of linear layers:
    balanced layers have the L2-th root of it as kappa(W_L), and that tends to 1.

    Our derivation.   Source: see Jacot et al. 2025, Theorem 5.2.   Chapter: wide.
    """
    C, exponent = num_classes, nonlinear * num_classes * (math.log(num_classes) - 1)
    return torch.exp(C * torch.log(size / least_count.sqrt()) + (cost + exponent) / 2)


def balanced_head(frames: Sequence[Tensor], values: Tensor, labels: Tensor) -> DeepHead:
    """A head that is balanced and fits its labels exactly, with the singular values given.

    W_l = U_l diag(values) U_{l-1}^T for frames U_0, ..., U_L with orthonormal columns, each
    (..., n_l, C), the last one square; its inputs are Y (product^+)^T.

    Chapter: wide.
    """
    pairs = zip(frames, frames[1:], strict=False)
    weights = [(upper * values[..., None, :]) @ lower.mT for lower, upper in pairs]
    inverse = frames[-1] * values[..., None, :] ** (1 - len(frames))  # of the product, (..., C, C)
    targets = one_hot(labels, values.shape[-1]).double()
    return DeepHead(targets @ (inverse @ frames[0].mT), weights, labels)


def _norm(matrix: Tensor) -> Tensor:
    """Operator norm, (...)."""
    return torch.linalg.matrix_norm(matrix, ord=2)


def _square(matrix: Tensor) -> Tensor:
    """Squared Frobenius norm, (...)."""
    return matrix.square().sum((-2, -1))


def _require_chain(weights: Sequence[Tensor]) -> None:
    """Each layer takes what the one before gives."""
    for k, (lower, upper) in enumerate(zip(weights, weights[1:], strict=False)):
        if upper.shape[-1] != lower.shape[-2]:
            raise ValueError(
                f"weights: expected weights[{k + 1}] to take the {lower.shape[-2]} outputs of "
                f"weights[{k}], got {tuple(upper.shape)}"
            )
