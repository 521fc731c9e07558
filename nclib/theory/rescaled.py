r"""The rescaled squared loss around a collapsed classifier: what alpha and M do to one feature.

alpha weighs the squared error of the true class, M is its target:
    1/2 [ alpha (z_k - M)^2 + sum over j != k of z_j^2 ],   z = W h + b.
The classifier is rho times a simplex ETF with unit rows u_j, the bias is beta for every class. A
feature h of class k is given by its radius s = |h| and its angle theta to u_k. Everything here is
for h in the span of the classifier; a part of h outside of it is not seen by the loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["LocalLandscape", "cross_entropy", "cross_entropy_gradient", "plane_logits"]


@dataclass(frozen=True)
class LocalLandscape:
    """The loss of one feature of class k before the collapsed classifier, in polar coordinates.

    ``num_classes`` is K >= 2, or math.inf for the limit of many classes, which exists for
    beta = 0 only. With z = rho s cos(theta) + beta, the true logit,
        L(s, theta) = 1/2 [ alpha (z - M)^2 - z^2 + rho^2 s^2 K/(K-1) + K beta^2 ]:
    the direction of h around u_k does not matter. ``alpha = M = 1`` is the plain squared loss.

    Source: Zhou et al. 2022, Eqs. (4) and (31), Fig. 2, there for rho = 1 and beta = 0; for any
    rho and beta our derivation.   Chapter: rescaled.

    >>> LocalLandscape(10, alpha=5.0, M=1.0).condition_number
    4.6
    """

    num_classes: float
    alpha: float
    M: float
    rho: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        _require_classes(self.num_classes)
        for name in ("alpha", "M", "rho"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: expected a finite number > 0, got {value}")
        if not math.isfinite(self.beta):
            raise ValueError(f"beta: expected a finite number, got {self.beta}")
        if math.isinf(self.num_classes) and self.beta != 0:
            raise ValueError(f"beta: expected 0 for infinitely many classes, got {self.beta}")

    def true_logit(self, s: Tensor, theta: Tensor) -> Tensor:
        """z = rho s cos(theta) + beta."""
        return self.rho * s * torch.cos(theta) + self.beta

    def loss(self, s: Tensor, theta: Tensor) -> Tensor:
        """L(s, theta) for tensors of a common shape.

        Source: Zhou et al. 2022, Eq. (31).   Chapter: rescaled.
        """
        z = self.true_logit(s, theta)
        squares = self.transverse_curvature * s**2  # of all logits without their common bias
        if self.beta:
            squares = squares + self.num_classes * self.beta**2
        return (self.alpha * (z - self.M) ** 2 - z**2 + squares) / 2

    def pull(self, z: Tensor | float) -> Tensor | float:
        """p(z) = alpha (M - z) + z: how hard a feature with true logit z is pulled along u_k.

        The gradient in h is (transverse curvature) h - rho p(z) u_k.
        Source: our derivation.   Chapter: rescaled.
        """
        return self.alpha * (self.M - z) + z

    def gradient(self, s: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """(dL/ds, dL/dtheta).

        dL/ds = rho^2 s K/(K-1) - rho p(z) cos(theta),   dL/dtheta = rho s p(z) sin(theta).
        Source: our derivation; Zhou et al. 2022, Fig. 8, plot it.   Chapter: rescaled.
        """
        p = self.rho * self.pull(self.true_logit(s, theta))
        return self.transverse_curvature * s - p * torch.cos(theta), s * p * torch.sin(theta)

    @property
    def transverse_curvature(self) -> float:
        """rho^2 K/(K-1), the eigenvalue of the Hessian in h across u_k (K-2 times)."""
        return self.rho**2 * _frame_bound(self.num_classes)

    @property
    def radial_curvature(self) -> float:
        """rho^2 (K/(K-1) + alpha - 1), the eigenvalue of the Hessian in h along u_k."""
        return self.transverse_curvature + self.rho**2 * (self.alpha - 1)

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue in the span; 1 + (alpha-1)(K-1)/K for alpha >= 1.

        M, rho and beta do not occur in it. For K = 2 there is only one direction, and it is 1.
        Source: our derivation.   Chapter: rescaled.
        """
        if self.num_classes == 2:
            return 1.0
        ratio = 1 + (self.alpha - 1) / _frame_bound(self.num_classes)
        return max(ratio, 1 / ratio)

    @property
    def minimum(self) -> float:
        """The signed length s* of the best feature along u_k; the only minimizer in the span.

        s* = p(beta) / (rho (K/(K-1) + alpha - 1)); negative where the bias overshoots so far that
        the best feature points away from u_k.
        Source: our derivation.   Chapter: rescaled.
        """
        return self.rho * float(self.pull(self.beta)) / self.radial_curvature

    def angular_curvature(self, s: Tensor | float) -> Tensor | float:
        """Second derivative in theta at theta = 0: rho s [alpha (M - D) + D], D = rho s + beta.

        Source: our derivation.   Chapter: rescaled.
        """
        return self.rho * s * self.pull(self.rho * s + self.beta)

    def flow(self, s: float, theta: float, times: Tensor) -> tuple[Tensor, Tensor]:
        """(along, across) of the feature after gradient descent in h for ``times`` (T,).

        The gradient is linear in h, so both parts relax exponentially: along u_k to s* at the
        rate of the radial curvature, across it to 0 at that of the transverse one.
        Source: our derivation.   Chapter: rescaled.
        """
        gap = s * math.cos(theta) - self.minimum
        along = self.minimum + gap * torch.exp(-self.radial_curvature * times)
        return along, s * math.sin(theta) * torch.exp(-self.transverse_curvature * times)


def plane_logits(s: Tensor, theta: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of a feature in the plane of u_k and u_k': of k, of k', and of each other class.

    rho = 1 and no bias; theta turns from u_k towards u_k'. The last one is for K - 2 classes.

    Source: Zhou et al. 2022, Proposition C.1.   Chapter: rescaled.
    """
    if num_classes < 3 or num_classes != int(num_classes):
        raise ValueError(f"num_classes: expected a whole number >= 3, got {num_classes}")
    K, cos, sin = num_classes, torch.cos(theta), torch.sin(theta)
    own = s * cos
    other = s * (math.sqrt(K * (K - 2)) * sin - cos) / (K - 1)
    rest = -s * (math.sqrt(K / (K - 2)) * sin + cos) / (K - 1)
    return own, other, rest


def cross_entropy(s: Tensor, theta: Tensor, num_classes: int) -> Tensor:
    """Cross-entropy of the logits of ``plane_logits``.

    Not the same in every direction around u_k: this is one plane, where the squared loss has only
    one value anyway.

    Source: Zhou et al. 2022, Eq. (32).   Chapter: rescaled.
    """
    logits, log_counts = _stacked(s, theta, num_classes)
    return torch.logsumexp(logits + log_counts, -1) - logits[..., 0]


def cross_entropy_gradient(s: Tensor, theta: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """(dL/ds, dL/dtheta) of ``cross_entropy``; (-cos(theta), s sin(theta)) for K to infinity.

    Source: our derivation; Zhou et al. 2022, Eq. (35), is not this limit.   Chapter: rescaled.
    """
    logits, log_counts = _stacked(s, theta, num_classes)
    turned, _ = _stacked(s, theta + math.pi / 2, num_classes)  # d/dtheta of cos, sin
    weight = torch.softmax(logits + log_counts, -1)
    in_s = (weight * logits).sum(-1) - logits[..., 0]
    in_theta = (weight * turned).sum(-1) - turned[..., 0]
    return in_s / s, in_theta


def _stacked(s: Tensor, theta: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """The three logits in a last dimension, and the logarithm of how many classes have each."""
    s, theta = torch.broadcast_tensors(s, theta)
    logits = torch.stack(plane_logits(s, theta, num_classes), -1)
    counts = torch.tensor([1.0, 1.0, num_classes - 2.0], dtype=logits.dtype)
    return logits, counts.log()


def _frame_bound(num_classes: float) -> float:
    """K/(K-1): the sum of squared inner products of a unit vector in the span with all rows."""
    return 1.0 if math.isinf(num_classes) else num_classes / (num_classes - 1)


def _require_classes(num_classes: float) -> None:
    whole = math.isinf(num_classes) or num_classes == math.floor(num_classes)
    if not (num_classes >= 2 and whole):
        raise ValueError(
            f"num_classes: expected a whole number >= 2, or math.inf, got {num_classes}"
        )
