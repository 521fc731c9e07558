"""How every number of the authors' notebook follows from ours, quantity by quantity.

All that differs has one reason (our derivation): the notebook weighs every class by 1/C in mu_G,
Sigma_B and the targets, but every sample by 1/N in Sigma_W and in the loss. Its terms are those
of a set with equal classes and the same Sigma_W; with equal classes the two agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nclib import (
    ClassStats,
    Head,
    LossTerms,
    decide,
    decompose,
    least_squares,
    measure,
    regularized_mse,
    ridge_from_weight_decay,
)
from nclib.metrics import relative_variability
from nclib.simplex import angle_to_simplex, norm_spread

from .notebook_formulas import WEIGHT_DECAY, Notebook
from .samples import scatter_of


@dataclass(frozen=True, eq=False)
class Ours:
    """The same samples in our nouns, with what the laws need of the class proportions."""

    features: Tensor  # (N, d)
    labels: Tensor  # (N,)
    head: Head
    stats: ClassStats
    weight_decay: float = WEIGHT_DECAY

    @property
    def num_classes(self) -> int:
        return self.stats.num_classes

    @property
    def ridge(self) -> float:
        """Our "notebook" reading of the weight decay."""
        return ridge_from_weight_decay(self.weight_decay, self.num_classes, "sum")

    @property
    def consistent(self) -> float:
        """The ridge of the loss that is trained."""
        return ridge_from_weight_decay(self.weight_decay, self.num_classes, "mean")

    @property
    def excess(self) -> Tensor:
        """pi_c - 1/C, (C,): 0 for equal classes."""
        return self.stats.priors - 1 / self.num_classes

    @property
    def shift(self) -> Tensor:
        """delta = mu_G - (1/C) sum_c mu_c = sum_c (pi_c - 1/C) mu_c, (d,)."""
        return self.excess @ self.stats.means

    @property
    def equalized(self) -> ClassStats:
        """Equal classes with the same means and the same Sigma_W."""
        C, N = self.num_classes, self.stats.total_count
        scale = C / N
        return ClassStats(
            torch.ones_like(self.stats.counts), self.stats.means,
            scale * scatter_of(self.stats), scale * self.stats.spread,
        )  # fmt: skip

    @property
    def measured(self) -> dict[str, float]:
        return measure(self.stats, self.head)

    @property
    def terms(self) -> LossTerms:
        return decompose(self.stats, self.head, self.ridge)

    def dual_spread(self) -> Tensor:
        """q_c = a_c^T Sigma_W a_c, (C,), with a_c the columns of the pseudo-inverse of M'.

        Sigma_B = A^T K A with A = P M and K = diag(pi) - pi pi^T, whose pseudo-inverse is
        P diag(1/pi) P: so tr(Sigma_W Sigma_B^+) = sum_c q_c / pi_c, for affinely independent
        means, and C sum_c q_c where every class weighs 1/C. Our derivation.
        """
        A = self.stats.centered_means + self.shift
        dual = torch.linalg.pinv(A, rtol=1e-9)  # (d, C)
        return ((self.stats.within @ dual) * dual).sum(0)

    def duality_gap_unweighted(self) -> float:
        """NC3 with the unweighted mean, from the weighted: M'_theirs = M' + 1 delta^T."""
        M, W, delta, C = self.stats.centered_means, self.head.weight, self.shift, self.num_classes
        inner = (W * M).sum() + W.sum(0) @ delta
        # |M'|^2 = |M'_theirs|^2 + C |delta|^2: the rows of M'_theirs sum to zero.
        size = (M.square().sum() - C * delta @ delta).sqrt()
        return float(2 - 2 * inner / (W.norm() * size))

    def missed(self) -> float:
        """1/2 sum_c (pi_c - 1/C) |W mu_c + b - e_c|^2: loss less the sum of the notebook's terms.

        Their terms sum to the loss of the equalized set. That differs from the loss in the weight
        of each class's error at its mean, and in nothing else. Our derivation.
        """
        at_means = self.head.logits(self.stats.means) - torch.eye(self.num_classes).double()
        return float(self.excess @ at_means.square().sum(1)) / 2


ALWAYS, BALANCED, NEVER = "always", "for equal classes", "never"


@dataclass(frozen=True)
class Relation:
    """One quantity: theirs, ours, when they are equal, and theirs computed from ours."""

    quantity: str
    formula: str  # theirs
    name: str  # ours
    equal: str
    law: str
    theirs: Callable[[Notebook], Any]
    ours: Callable[[Ours], Any]
    predicted: Callable[[Ours], Any]


def _same(
    quantity: str, formula: str, name: str, theirs: Callable[[Notebook], Any],
    ours: Callable[[Ours], Any],
) -> Relation:  # fmt: skip
    return Relation(quantity, formula, name, ALWAYS, "equal", theirs, ours, ours)


def _between(o: Ours) -> Tensor:
    m, delta = o.stats.centered_means + o.shift, o.shift
    return o.stats.between + torch.outer(delta, delta) - m.T @ (o.excess[:, None] * m)


RELATIONS = (
    _same("class means", r"$\mu_c$", "stats.means", lambda n: n.means, lambda o: o.stats.means),
    _same("within-class covariance", r"$\Sigma_W$, divisor $N$", "stats.within",
          lambda n: n.within, lambda o: o.stats.within),
    Relation("global mean", r"$\frac1C\sum_c\mu_c$", "stats.global_mean", BALANCED,
             r"ours $-\,\delta$, $\delta=\sum_c(\pi_c-\frac1C)\mu_c$",
             lambda n: n.global_mean, lambda o: o.stats.global_mean,
             lambda o: o.stats.global_mean - o.shift),
    Relation("between-class covariance", r"$\frac1C\sum_c\mu'_c\mu_c'^\top$", "stats.between",
             BALANCED,
             r"ours $+\,\delta\delta^\top-\sum_c(\pi_c-\frac1C)\,\mu'_c\mu_c'^\top$",
             lambda n: n.between, lambda o: o.stats.between, _between),
    Relation("NC1", r"$\mathrm{tr}\,\Sigma_W\Sigma_B^+$", "relative_variability", NEVER,
             r"$C\times$ ours $\times\ C\sum_c q_c\,/\sum_c q_c/\pi_c$",
             lambda n: n.nc1, lambda o: relative_variability(o.stats),
             lambda o: o.num_classes**2 * relative_variability(o.stats) * o.dual_spread().sum()
             / (o.dual_spread() / o.stats.priors).sum()),
    Relation("NC1, not divided by C", r"$\mathrm{tr}\,\Sigma_W\Sigma_B^+$",
             "relative_variability_sum", BALANCED,
             r"theirs $=C\sum_c q_c$, ours $=\sum_c q_c/\pi_c$",
             lambda n: n.nc1, lambda o: o.measured["relative_variability_sum"],
             lambda o: o.num_classes * o.dual_spread().sum()),
    Relation("NC2, norms of means", r"$\mathrm{Std}_c\|\mu'_c\|/\mathrm{Ave}_c\|\mu'_c\|$",
             "norm_spread_means", BALANCED, r"ours, of $\mu'_c+\delta$; both divide by $C-1$",
             lambda n: n.equinorm(n.centered_means), lambda o: o.measured["norm_spread_means"],
             lambda o: norm_spread(o.stats.centered_means + o.shift)),
    _same("NC2, norms of classifier rows", r"$\mathrm{Std}_c\|w_c\|/\mathrm{Ave}_c\|w_c\|$",
          "norm_spread_classifier",
          lambda n: n.equinorm(n.weight), lambda o: o.measured["norm_spread_classifier"]),
    Relation("NC2, angles of means", r"$\mathrm{Ave}_{c\ne c'}|\cos+\frac1{C-1}|$",
             "angle_to_simplex_means", BALANCED, r"ours, of $\mu'_c+\delta$",
             lambda n: n.equiangular(n.centered_means),
             lambda o: o.measured["angle_to_simplex_means"],
             lambda o: angle_to_simplex(o.stats.centered_means + o.shift)),
    _same("NC2, angles of classifier rows", r"$\mathrm{Ave}_{c\ne c'}|\cos+\frac1{C-1}|$",
          "angle_to_simplex_classifier",
          lambda n: n.equiangular(n.weight), lambda o: o.measured["angle_to_simplex_classifier"]),
    Relation("NC3", r"$\|W/\|W\|_F-M'/\|M'\|_F\|_F^2$, squared", "duality_gap", BALANCED,
             r"$2-2\,\frac{\langle W,M'\rangle+\delta^\top\sum_c w_c}"
             r"{\|W\|_F\,(\|M'\|_F^2-C\|\delta\|^2)^{1/2}}$",
             lambda n: n.nc3, lambda o: o.measured["duality_gap"],
             lambda o: o.duality_gap_unweighted()),
    _same("NC4", "on the training samples", "decide(train, means of train).nearest_mean_mismatch",
          lambda n: n.mismatch,
          lambda o: decide(o.features, o.labels, o.head, o.stats.means).nearest_mean_mismatch),
    _same("accuracy", "on the training samples", "decide(...).accuracy", lambda n: n.accuracy,
          lambda o: decide(o.features, o.labels, o.head, o.stats.means).accuracy),
    Relation("reported loss", r"$\mathrm{Ave}\,\|f-y\|^2$", "regularized_mse, ridge 0", NEVER,
             r"$2\times$ ours", lambda n: n.loss, lambda o: regularized_mse(o.stats, o.head, 0.0),
             lambda o: 2 * regularized_mse(o.stats, o.head, 0.0)),
    Relation("ridge", r"$wd/2$", 'ridge_from_weight_decay(wd, C, "mean")', NEVER,
             "ours $/\\,C$; equal to our reading \"notebook\"", lambda n: n.ridge,
             lambda o: o.consistent, lambda o: o.consistent / o.num_classes),
    _same("plotted total", r"$\frac12(\mathrm{Ave}\,\|f-y\|^2+\frac{wd}2(\|W\|^2+\|b\|^2))$",
          "regularized_mse, ridge $wd/2$", lambda n: n.plotted,
          lambda o: regularized_mse(o.stats, o.head, o.ridge)),
    Relation("loss with decay, last layer",
             r"$\mathrm{Ave}\,\|f-y\|^2+\frac{wd}2(\|W\|^2+\|b\|^2)$",
             "regularized_mse, ridge $wd/2$", NEVER, r"$2\times$ ours; not what is trained",
             lambda n: n.loss_with_decay, lambda o: regularized_mse(o.stats, o.head, o.ridge),
             lambda o: 2 * regularized_mse(o.stats, o.head, o.ridge)),
    Relation("trained objective, last layer",
             r"$\frac1C\mathrm{Ave}\,\|f-y\|^2+\frac{wd}2(\|W\|^2+\|b\|^2)$",
             "regularized_mse, ridge $C\\,wd/2$", NEVER, r"$\frac2C\times$ ours",
             lambda n: n.trained, lambda o: regularized_mse(o.stats, o.head, o.consistent),
             lambda o: 2 / o.num_classes * regularized_mse(o.stats, o.head, o.consistent)),
    Relation("least-squares weight", r"$W_{LS}$", "least_squares", BALANCED,
             "ours, of the equalized set", lambda n: n.best[0],
             lambda o: least_squares(o.stats, o.ridge).weight,
             lambda o: least_squares(o.equalized, o.ridge).weight),
    Relation("least-squares bias", r"$b_{LS}$", "least_squares", BALANCED,
             "ours, of the equalized set", lambda n: n.best[1],
             lambda o: least_squares(o.stats, o.ridge).bias,
             lambda o: least_squares(o.equalized, o.ridge).bias),
    *(Relation(symbol, formula, f"decompose(...).{part}", BALANCED, "ours, of the equalized set",
               lambda n, part=part: getattr(n.terms, part),
               lambda o, part=part: getattr(o.terms, part),
               lambda o, part=part: getattr(decompose(o.equalized, o.head, o.ridge), part))
      for part, symbol, formula in (
          ("nc1", r"$L_{NC1}$", r"$\frac12(\mathrm{tr}\,W_{LS}(\Sigma_W+\lambda I)W_{LS}^\top"
           r"+\lambda\|b_{LS}\|^2)$"),
          ("nc23", r"$L_{NC2/3}$", r"$\frac1{2C}\|W_{LS}M+b_{LS}1^\top-I\|_F^2$"),
          ("perp", r"$L^\perp$", r"$\frac12\mathrm{tr}\,DAD^\top$"))),
    Relation("sum of the three terms", r"$L_{NC1}+L_{NC2/3}+L^\perp$", "decompose(...).total",
             BALANCED, r"ours $-\frac12\sum_c(\pi_c-\frac1C)\|W\mu_c+b-e_c\|^2$; ours is the loss",
             lambda n: n.terms.total, lambda o: o.terms.total,
             lambda o: regularized_mse(o.stats, o.head, o.ridge) - o.missed()),
)  # fmt: skip
"""Their quantities, each with the exact law by which it follows from ours."""


def distance(a: Any, b: Any) -> float:
    """Relative difference of two numbers or tensors, in the size of the second."""
    a, b = (torch.as_tensor(v, dtype=torch.float64) for v in (a, b))
    return float((a - b).norm() / b.norm()) if bool((a != b).any()) else 0.0


def peer_table(measured: dict[str, tuple[float, float, float]]) -> str:
    """RELATIONS as markdown, with the relative differences measured for each quantity.

    Theirs to ours for equal classes, theirs to ours for unequal ones, theirs to its law.
    """
    head = ("quantity", "their formula", "ours", "equal", "theirs from ours",
            "difference, equal classes", "unequal classes", "law")  # fmt: skip
    rows = [head, ("---",) * len(head)]
    for r in RELATIONS:
        values = (f"{value:.0e}" for value in measured[r.quantity])
        rows.append((r.quantity, r.formula, r.name, r.equal, r.law, *values))
    # A bar inside a formula would end the cell.
    return "".join(
        "| "
        + " | ".join(cell.replace(r"\|", r"\Vert ").replace("|", r"\vert ") for cell in row)
        + " |\n"
        for row in rows
    )
