r"""Every global minimizer of the regularized squared loss when features move freely.

K classes of n samples, features H (K, n, d), head W (K, d), b (K,). With N = Kn and z = W h + b,
    f = 1/(2N) sum over samples of [ alpha (z_k - M)^2 + sum over j != k of z_j^2 ]
        + lambda_W/2 |W|^2 + lambda_H/2 |H|^2 + lambda_b/2 |b|^2.
alpha = M = 1 is the plain squared loss. ``lambda_b = math.inf`` means that there is no bias; zero
means that it is free. One number rules the answer: c = K sqrt(n lambda_W lambda_H).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..head import Head
from ..simplex import centering

__all__ = ["Certificate", "Minimizer", "Problem", "certificate", "cluster_projector", "minimizer"]


@dataclass(frozen=True)
class Problem:
    """The objective f and its numbers; nothing has a default.

    Source: Zhou et al. 2022, Eqs. (3) and (4).   Chapter: landscape.
    """

    K: int
    n: int
    lambda_W: float
    lambda_H: float
    lambda_b: float
    alpha: float
    M: float

    def __post_init__(self) -> None:
        for name, least in (("K", 2), ("n", 1)):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= least):
                raise ValueError(f"{name}: expected int >= {least}, got {getattr(self, name)!r}")
        for name in ("lambda_W", "lambda_H", "alpha", "M"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a finite number > 0, got {getattr(self, name)}")
        if not self.lambda_b >= 0:
            raise ValueError(f"lambda_b: expected >= 0 (inf: no bias), got {self.lambda_b}")

    @property
    def price(self) -> float:
        """sqrt(lambda_W lambda_H): what a unit of the nuclear norm of the scores costs."""
        return math.sqrt(self.lambda_W * self.lambda_H)

    @property
    def c(self) -> float:
        """K sqrt(n lambda_W lambda_H), the strength of both decays in one number."""
        return self.K * math.sqrt(self.n) * self.price

    def slope(self, logits: Tensor) -> Tensor:
        """Gradient of the data term in the logits (K, n, K), of the same shape."""
        self._require_logits(logits)
        own = _own(logits)
        return (logits + own * ((self.alpha - 1) * logits - self.alpha * self.M)) / (
            self.K * self.n
        )

    def data_term(self, logits: Tensor) -> Tensor:
        """The data term of f at logits (K, n, K), a scalar tensor."""
        self._require_logits(logits)
        own = _own(logits)
        errors = (1 - own) * logits.square() + own * self.alpha * (logits - self.M).square()
        return errors.sum() / (2 * self.K * self.n)

    def loss(self, W: Tensor, H: Tensor, b: Tensor) -> Tensor:
        """f at W (K, d), H (K, n, d), b (K,): a scalar tensor that can be differentiated."""
        self._require_shapes(W, H, b)
        penalty = self.lambda_W * W.square().sum() + self.lambda_H * H.square().sum()
        if self.lambda_b < math.inf:
            penalty = penalty + self.lambda_b * b.square().sum()
        return self.data_term(H @ W.T + b) + penalty / 2

    def lower_bound(self, logits: Tensor) -> float:
        """A number that f(W, H, b) never goes below, for any W, H, b of any dimension.

        The dual objective at the slope of the data term at logits (K, n, K), made admissible:
        centered where the bias is free, operator norm cut to sqrt(lambda_W lambda_H). Our
        derivation, from Fenchel duality.   Chapter: landscape.
        """
        dual = self.slope(logits)
        if self.lambda_b == 0:
            dual = dual - dual.mean((0, 1))
        norm = float(torch.linalg.matrix_norm(dual.flatten(0, 1), 2))
        dual = dual * min(1.0, self.price / norm) if norm > 0 else dual
        own = _own(dual)
        curved = dual.square() / (1 + (self.alpha - 1) * own)
        bound = -self.M * (own * dual).sum() - self.K * self.n / 2 * curved.sum()
        if 0 < self.lambda_b < math.inf:
            bound = bound - dual.sum((0, 1)).square().sum() / (2 * self.lambda_b)
        return float(bound)

    def _require_logits(self, logits: Tensor) -> None:
        expected = (self.K, self.n, self.K)
        if logits.shape != expected:
            raise ValueError(f"logits: expected {expected}, got {tuple(logits.shape)}")

    def _require_shapes(self, W: Tensor, H: Tensor, b: Tensor) -> None:
        d = W.shape[-1] if W.ndim else 0
        expected = {"W": (self.K, d), "H": (self.K, self.n, d), "b": (self.K,)}
        for (name, shape), got in zip(expected.items(), (W, H, b), strict=True):
            if got.shape != shape:
                raise ValueError(f"{name}: expected {shape}, got {tuple(got.shape)}")
        if self.lambda_b == math.inf and bool((b != 0).any()):
            raise ValueError("b: expected zeros, since lambda_b = inf means that there is no bias")


def _own(logits: Tensor) -> Tensor:
    """Ones at the scores of the own class, (K, 1, K)."""
    return torch.eye(logits.shape[-1], dtype=logits.dtype)[:, None, :]


@dataclass(frozen=True, eq=False)
class Minimizer:
    """A global minimizer: W H^T = x Q + (y/K) 11^T for every sample of a class, b = beta 1.

    Q is ``projector``, I - 11^T/K unless the dimension d is too small for it. ``regime`` is
        "zero"       x = y = 0: the decays have won;
        "simplex"    y = 0: the class means are a simplex ETF;
        "between"    0 < y < x: a simplex ETF with a common part;
        "frame"      x = y without bias: orthonormal class means, up to scale;
        "projector"  d is too small for the above: Q is one of many projectors of rank d, all
                     with the same value. ``dataclasses.replace(m, projector=...)`` gives another.

    Source: Zhou et al. 2022, Theorem 3.1; the lengths are our derivation.   Chapter: landscape.
    """

    problem: Problem
    d: int
    x: float
    y: float
    beta: float
    value: float
    regime: str
    projector: Tensor  # (K, K)

    @property
    def mixture(self) -> Tensor:
        """x Q + (y/K) 11^T, the scores of the classes without the bias, (K, K)."""
        return self.x * self.projector + self.y / self.problem.K

    @property
    def gram_W(self) -> Tensor:
        """W W^T = sqrt(n lambda_H / lambda_W) (x Q + (y/K) 11^T), (K, K)."""
        return self.mixture * self._stretch

    @property
    def gram_H(self) -> Tensor:
        """Inner products of the class means: sqrt(lambda_W / (n lambda_H)) (x Q + ...), (K, K)."""
        return self.mixture / self._stretch

    def head(self) -> Head:
        """W (K, d) and b (K,); every rotation of the features gives another, equally good."""
        bias = torch.full((self.problem.K,), self.beta, dtype=torch.float64)
        return Head(self._root() * self._stretch**0.5, bias)

    def features(self) -> Tensor:
        """H (K, n, d), the same for all samples of a class."""
        return (self._root() / self._stretch**0.5)[:, None, :].repeat(1, self.problem.n, 1)

    @property
    def logits(self) -> Tensor:
        """The scores W h + b of every sample, (K, n, K)."""
        return (self.mixture + self.beta)[:, None, :].expand(-1, self.problem.n, -1)

    @property
    def _stretch(self) -> float:
        return math.sqrt(self.problem.n * self.problem.lambda_H / self.problem.lambda_W)

    def _root(self) -> Tensor:
        """R (K, d) with R R^T = x Q + (y/K) 11^T."""
        values, vectors = torch.linalg.eigh(self.mixture)
        root = (vectors * values.clamp(min=0).sqrt()).flip(1)[:, : self.d]  # largest first
        return torch.nn.functional.pad(root, (0, self.d - root.shape[1]))


def minimizer(
    K: int,
    n: int,
    lambda_W: float,
    lambda_H: float,
    lambda_b: float,
    alpha: float,
    M: float,
    d: int | None = None,
) -> Minimizer:
    """The global minimizer of f in closed form, for every decay and every rescaling.

    With c = K sqrt(n lambda_W lambda_H):
        between  if M > c/alpha + c/lambda_b:  x = M - c/alpha,  y = x - c/lambda_b,
                 beta = c/(K lambda_b);
        simplex  else:  y = 0,  beta = (c + x)/(K (1 + lambda_b)),
                 x = [alpha M K (1 + lambda_b) - c (K (1 + lambda_b) + alpha - 1)]
                     / [alpha K (1 + lambda_b) - (alpha - 1) lambda_b];
        zero     if that x is not positive;
        frame    without bias:  x = y = M - c/alpha, or zero.
    ``d`` is the feature dimension, None for K, which is as good as any larger. Below K a minimizer
    of rank K is out of reach. For alpha = 1 it is replaced by the best of rank d; for other alpha
    no closed form is known, which is a ValueError.

    Source: Zhou et al. 2022, Theorem 3.1, alpha = M = 1; lengths and rescalings: our derivation.
    Chapters: landscape, rescaled.

    >>> from math import inf
    >>> minimizer(4, 25, 0.01, 0.01, 0.0, 1.0, 1.0).x  # c = 0.2
    0.8
    >>> [minimizer(4, 25, 0.01, 0.01, decay, 1.0, 1.0).regime for decay in (0.2, 0.3, inf)]
    ['simplex', 'between', 'frame']
    """
    problem = Problem(K, n, lambda_W, lambda_H, lambda_b, alpha, M)
    d = K if d is None else d
    if not (isinstance(d, int) and d >= 1):
        raise ValueError(f"d: expected int >= 1, got {d!r}")
    x, y, beta = _lengths(problem)
    rank = 0 if x <= 0 else K if y > 0 else K - 1
    if rank <= d:
        regime = "zero" if x <= 0 else "simplex" if y <= 0 else "between"
        regime = "frame" if y > 0 and lambda_b == math.inf else regime
        return _build(problem, d, x, y, beta, regime, centering(K))
    if alpha != 1:
        raise ValueError(
            f"d: expected >= {rank}, the rank of the minimizer, since alpha = {alpha} is not 1: "
            f"then no closed form is known, got {d}"
        )
    regime = "simplex" if d == K - 1 and lambda_b < math.inf else "projector"
    groups = torch.arange(K).clamp(max=d)
    return _build(problem, d, x, 0.0, M / (K * (1 + lambda_b)), regime, cluster_projector(groups))


def _lengths(problem: Problem) -> tuple[float, float, float]:
    """x, y, beta where the dimension is no hindrance."""
    K, c, alpha, M = problem.K, problem.c, problem.alpha, problem.M
    if problem.lambda_b == math.inf:
        x = max(M - c / alpha, 0.0)
        return x, x, 0.0
    decay = problem.lambda_b
    x = M - c / alpha
    if decay > 0 and x > c / decay:
        return x, x - c / decay, c / (K * decay)
    scale = alpha * K * (1 + decay) - (alpha - 1) * decay
    x = (alpha * M * K * (1 + decay) - c * (K * (1 + decay) + alpha - 1)) / scale
    if x <= 0:
        return 0.0, 0.0, alpha * M / (alpha + K - 1 + K * decay)
    return x, 0.0, (c + x) / (K * (1 + decay))


def _build(
    problem: Problem, d: int, x: float, y: float, beta: float, regime: str, projector: Tensor
) -> Minimizer:
    """The minimizer with its value; both ridge terms together cost price * nuclear norm."""
    found = Minimizer(problem, d, x, y, beta, math.nan, regime, projector)
    value = float(problem.data_term(found.logits) + problem.c / problem.K * found.mixture.trace())
    if problem.lambda_b < math.inf:
        value += problem.lambda_b * problem.K * beta**2 / 2
    return replace(found, value=value)


def cluster_projector(groups: Tensor) -> Tensor:
    """The projector on the classes' differences that groups (K,), ints from 0 on, can tell.

    E D^{-1} E^T - 11^T/K with the memberships E and D = E^T E, of rank (number of groups) - 1.
    Our derivation.   Chapter: landscape.

    >>> cluster_projector(torch.tensor([0, 1, 1])).round(decimals=3).tolist()[0]
    [0.667, -0.333, -0.333]
    """
    if groups.ndim != 1 or groups.dtype != torch.int64 or len(groups.unique()) != groups.max() + 1:
        raise ValueError(
            f"groups: expected (K,), int64, with every number from 0 to its largest, got {groups}"
        )
    member = torch.eye(int(groups.max()) + 1, dtype=torch.float64)[groups]  # (K, groups)
    return (member / member.sum(0)) @ member.T - 1 / len(groups)


@dataclass(frozen=True)
class Certificate:
    """Whether a point is a global minimizer, whatever the dimension.

    ``ratio``: operator norm of the data term's slope over sqrt(lambda_W lambda_H); above 1, one
    more dimension would lower f. ``gap``: value less ``Problem.lower_bound``; if that is zero, no
    W, H, b of any dimension does better.   Chapter: landscape.
    """

    ratio: float
    gap: float


def certificate(found: Minimizer) -> Certificate:
    """The certificate of a claimed minimizer; its gap is zero unless d was too small.

    Our derivation.   Chapter: landscape.

    >>> certificate(minimizer(4, 25, 0.01, 0.01, 0.3, 5.0, 2.0)).gap < 1e-14
    True
    """
    problem = found.problem
    slope = problem.slope(found.logits).flatten(0, 1)
    ratio = float(torch.linalg.matrix_norm(slope, 2)) / problem.price
    return Certificate(ratio, found.value - problem.lower_bound(found.logits))
