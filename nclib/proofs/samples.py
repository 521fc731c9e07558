"""A few labeled samples with symbols or fractions for entries, to check proofs entry by entry.

Everything here is a sum over samples or classes, written out; nothing is shared with the matrix
algebra of the proofs, so that a wrong translation into matrices would show.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

__all__ = ["FRACTIONS", "FRACTIONS_HEAD", "FREE", "FREE_HEAD", "Samples"]

Scalar = Any  # a SymPy expression or a number
Head = tuple[Any, Any]  # W (C, d), b (C, 1), explicit matrices


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples with weights that sum to one; equal weights are the plain average."""

    says: str  # in words, for the sentence of a step
    features: tuple[Any, ...]  # columns (d, 1)
    labels: tuple[int, ...]
    weights: tuple[Scalar, ...]
    num_classes: int

    @property
    def priors(self) -> list[Scalar]:
        """pi_c, the weight of each class."""
        members = [self._members(c) for c in range(self.num_classes)]
        return [sum(weight for _, weight in samples) for samples in members]

    @cached_property
    def means(self) -> list[Any]:
        """mu_c as columns (d, 1)."""
        sums = [_total(w * h for h, w in self._members(c)) for c in range(self.num_classes)]
        return [total / prior for total, prior in zip(sums, self.priors, strict=True)]

    @property
    def global_mean(self) -> Any:
        """mu_G, (d, 1)."""
        return _total(w * h for h, w in zip(self.features, self.weights, strict=True))

    @cached_property
    def within(self) -> Any:
        """Sigma_W, (d, d)."""
        residuals = (h - self.means[c] for h, c in zip(self.features, self.labels, strict=True))
        return _total(w * r * r.T for r, w in zip(residuals, self.weights, strict=True))

    @property
    def total(self) -> Any:
        """Sigma_T, (d, d)."""
        residuals = (h - self.global_mean for h in self.features)
        return _total(w * r * r.T for r, w in zip(residuals, self.weights, strict=True))

    @property
    def second_moment(self) -> Any:
        """E[h~ h~^T], (d+1, d+1)."""
        extended = (_extended(h) for h in self.features)
        return _total(w * h * h.T for h, w in zip(extended, self.weights, strict=True))

    def target(self, c: int) -> Any:
        """e_c, (C, 1)."""
        return sp.eye(self.num_classes)[:, c]

    def loss(self, head: Head, ridge: Scalar) -> Scalar:
        """1/2 Ave |W h + b - y|^2 + (ridge/2)(|W|^2 + |b|^2), sample by sample."""
        W, b = head
        triples = zip(self.features, self.labels, self.weights, strict=True)
        data = sum(w * _square(W * h + b - self.target(c)) for h, c, w in triples)
        return (data + ridge * (_square(W) + _square(b))) / 2

    def least_squares(self, ridge: Scalar) -> Head:
        """E[y h~^T] (E[h~ h~^T] + ridge I)^{-1}, cut into W and b."""
        triples = zip(self.features, self.labels, self.weights, strict=True)
        right = _total(w * self.target(c) * _extended(h).T for h, c, w in triples)
        moment = self.second_moment
        moment = moment + ridge * sp.eye(moment.rows)
        joint = (right * moment.adjugate() / moment.det()).applyfunc(sp.cancel)
        return joint[:, :-1], joint[:, -1]

    def nc1(self, head: Head, ridge: Scalar) -> Scalar:
        """1/2 tr(W Sigma_W W^T) + (ridge/2)(|W|^2 + |b|^2)."""
        W, b = head
        return ((W * self.within * W.T).trace() + ridge * (_square(W) + _square(b))) / 2

    def nc23(self, head: Head) -> Scalar:
        """1/2 sum_c pi_c |W mu_c + b - e_c|^2."""
        W, b = head
        errors = (W * mean + b - self.target(c) for c, mean in enumerate(self.means))
        return sum(p * _square(e) for p, e in zip(self.priors, errors, strict=True)) / 2

    def perp(self, head: Head, ridge: Scalar) -> Scalar:
        """1/2 tr(D (E[h~ h~^T] + ridge I) D^T), D = [W, b] - [W_LS, b_LS]."""
        best = self.least_squares(ridge)
        D = (head[0] - best[0]).row_join(head[1] - best[1])
        moment = self.second_moment
        return (D * (moment + ridge * sp.eye(moment.rows)) * D.T).trace() / 2

    def _members(self, c: int) -> list[tuple[Any, Scalar]]:
        triples = zip(self.features, self.labels, self.weights, strict=True)
        return [(h, weight) for h, label, weight in triples if label == c]


def _total(terms: Any) -> Any:
    first, *rest = terms
    return sum(rest, first)


def _extended(h: Any) -> Any:
    """[h; 1]."""
    return h.col_join(sp.ones(1, 1))


def _square(matrix: Any) -> Scalar:
    """Squared Frobenius norm."""
    return sum(entry**2 for entry in matrix)


def _free() -> Samples:
    h = tuple(sp.Matrix([[entry]]) for entry in sp.symbols("h1:5", real=True))
    p = sp.Symbol("p", positive=True)
    says = "four samples of one feature in two classes with free features and proportions"
    return Samples(says, h, (0, 0, 1, 1), (p / 2, p / 2, (1 - p) / 2, (1 - p) / 2), 2)


def _fractions() -> Samples:
    rows = ((3, -1), (0, 2), (2, 5), (-4, 1), (-2, 0), (-3, -3), (1, -2))
    h = tuple(sp.Matrix(row) for row in rows)
    says = "seven samples with integer entries, two features, classes of 1, 2 and 4"
    return Samples(says, h, (0, 1, 1, 2, 2, 2, 2), (sp.Rational(1, 7),) * 7, 3)


FREE = _free()
FREE_HEAD: Head = (
    sp.ImmutableMatrix(2, 1, sp.symbols("w1:3")),
    sp.ImmutableMatrix(2, 1, sp.symbols("b1:3")),
)
FRACTIONS = _fractions()
FRACTIONS_HEAD: Head = (
    sp.ImmutableMatrix(3, 2, sp.symbols("w1:7")),
    sp.ImmutableMatrix(3, 1, sp.symbols("b1:4")),
)
