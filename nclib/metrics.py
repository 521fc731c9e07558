"""Every measurement of neural collapse, one function each, and the table that lists them.

"NC1" means four different numbers in the literature, "NC2" six. Here each number has a name of
its own, and METRICS says what it is, where it comes from, its value at exact collapse and which
changes of the sample leave it alone. The tests, the records, the figures' axis labels and the
notation page are all made from that table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .head import Head, require_pair
from .notation import markdown_table, math
from .simplex import (
    angle_to_simplex,
    cosine_spread,
    gram_distance,
    norm_spread,
    row_blocks,
    simplex_gap,
)
from .stats import ClassStats

__all__ = [
    "METRICS",
    "Metric",
    "alignment",
    "bias_residual",
    "condition_number",
    "distance_to_variance",
    "duality_gap",
    "measure",
    "product_distance",
    "relative_variability",
    "variance_ratio",
]

CLOSE = 1e-2  # |a - b|^2 over |a|^2 + |b|^2: below, it is taken from a - b


def relative_variability(stats: ClassStats) -> float:
    """Within-class spread in units of between-class spread: tr(Sigma_W Sigma_B^+) / C.

    Infinite when all class means coincide.

    Source: Papyan, Han & Donoho 2020, Fig. 6 (NC1).   Chapter: collapse.
    """
    found = stats.variability
    return float(found.sum() / stats.num_classes) if len(found) else float("inf")


def variance_ratio(stats: ClassStats) -> float:
    """Total within-class variance over total between-class variance, tr Sigma_W / tr Sigma_B.

    Infinite when all class means coincide.

    Source: Jacot et al. 2025, NC1.   Chapter: collapse.
    """
    between = float((stats.priors * stats.centered_means.square().sum(1)).sum())
    if between <= stats.rounding**2:
        return float("inf")
    return float(stats.spread.sum() / stats.total_count) / between


def distance_to_variance(stats: ClassStats) -> float:
    """Class-distance normalized variance: (v_c + v_c') / (2 |mu_c - mu_c'|^2), mean over pairs.

    v_c is the mean squared distance of class c's samples to their mean. Infinite when two class
    means coincide.

    Source: Galanti, Gyorgy & Hutter 2022 (CDNV).   Chapter: collapse.
    """
    stats.require_every_class()
    variance, centered = stats.spread / stats.counts, stats.means - stats.means.mean(0)
    squares, total, least = centered.square().sum(1), 0.0, stats.rounding**2
    position = torch.arange(stats.num_classes, device=squares.device)
    for start, rows in row_blocks(centered):  # all pairs at once would be C^2 d numbers
        reach = squares[start : start + len(rows), None] + squares
        later = position > position[start : start + len(rows), None]
        distance = torch.where(later, reach - 2 * rows @ centered.T, float("inf"))
        # Where two means are close, for their size, that difference has lost its digits.
        close = (distance <= CLOSE * reach + 4 * least).any(1)
        for row in torch.nonzero(close).flatten().tolist():
            near = (stats.means[start + row + 1 :] - stats.means[start + row]).square().sum(1)
            if bool((near <= least).any()):
                return float("inf")
            distance[row, start + row + 1 :] = near
        both = variance[start : start + len(rows), None] + variance
        total += float((both / (2 * distance)).sum())
    return total / (stats.num_classes * (stats.num_classes - 1) / 2)


def condition_number(stats: ClassStats) -> float:
    """Largest over smallest singular value of the class means, not centered: 1 when orthogonal.

    The limit of a bias-free network is an orthogonal frame, not a simplex; on a simplex around
    the origin this number is infinite.

    Source: Jacot et al. 2025, NC2.   Chapter: collapse.
    """
    stats.require_every_class()
    s = torch.linalg.svdvals(stats.means)
    if stats.num_classes > stats.dimension or s[-1] <= s[0] * torch.finfo(s.dtype).eps:
        return float("inf")
    return float(s[0] / s[-1])


def duality_gap(stats: ClassStats, head: Head) -> float:
    """|W/|W|_F - M'/|M'|_F|_F^2 between classifier and centered means; 0 when self-dual, at most 4.

    Source: Papyan, Han & Donoho 2020, Fig. 5 (NC3).   Chapter: collapse.
    """
    W, M = head.weight, stats.centered_means
    return float((W / W.norm() - M / M.norm()).square().sum())


def product_distance(stats: ClassStats, head: Head) -> float:
    """|W M'^T / |W M'^T|_F - P/sqrt(C-1)|_F: how far the centered mean logits are from a simplex.

    Source: Zhou et al. 2022, Appendix A (NC3).   Chapter: collapse.
    """
    return simplex_gap(head.weight, stats.centered_means)


def alignment(stats: ClassStats, head: Head) -> float:
    """Mean over classes of the cosine between class mean and classifier row, not centered.

    Jacot et al. average over samples; over class means it is the same once NC1 holds.

    Source: after Jacot et al. 2025, NC3.   Chapter: collapse.
    """
    stats.require_every_class()
    M, W = stats.means, head.weight
    return float(((M * W).sum(1) / (M.norm(dim=1) * W.norm(dim=1))).mean())


def bias_residual(stats: ClassStats, head: Head) -> float:
    """|W mu_G + b|: logits of the global mean.

    Under MSE the best bias makes it |pi| as the ridge goes to 0, so 1/sqrt(C) for equal classes,
    whether features collapse or not; it does not tend to zero.

    Source: Zhou et al. 2022, official code (NC4).   Chapter: collapse.
    """
    return float((head.weight @ stats.global_mean + head.bias).norm())


@dataclass(frozen=True)
class Metric:
    """One row of METRICS: a number with its name, meaning, source, limit and invariances.

    ``invariant_to`` names changes of a sample that leave the number alone: "order" of samples,
    "relabel" the classes, "replicate" every sample, "rotate" the feature space (head with it),
    "scale" features and head separately, "shift" features (head untouched). ``needs_scatter``: the
    number can't be had from means and spread alone, it takes the within-class covariance, or its
    part along the class means.   Chapter: collapse.
    """

    name: str
    property: str  # "NC1" .. "NC4"
    symbol: str  # LaTeX
    meaning: str
    source: str
    at_collapse: float | None  # None: depends on the loss
    frame: str  # the limit it is 'at_collapse' for: "simplex" or "orthogonal"
    needs: tuple[str, ...]
    invariant_to: tuple[str, ...]
    fn: Callable[[ClassStats, Head], float]
    needs_scatter: bool = False

    def __call__(self, stats: ClassStats, head: Head) -> float:
        return self.fn(stats, head)


class Metrics(dict[str, Metric]):
    """The table of measurements by name; in a notebook it shows as one.   Chapter: collapse."""

    def _repr_markdown_(self) -> str:
        rows = [
            (m.property, f"`{m.name}`", m.meaning, _limit(m), math(m.symbol), m.source)
            for m in self.values()
        ]
        header = ("", "name", "meaning", "at collapse", "formula", "source")
        return markdown_table(header, rows)


def _limit(metric: Metric) -> str:
    if metric.at_collapse is None:
        return "depends on the loss"
    frame = "" if metric.frame == "simplex" else f" ({metric.frame} frame)"
    return f"{metric.at_collapse:g}{frame}"


def measure(stats: ClassStats, head: Head) -> dict[str, float]:
    """Every measurement of METRICS, by name.

    Source: see each row.   Chapter: collapse.
    """
    require_pair(stats, head)
    if stats.num_classes < 2:
        raise ValueError(f"stats: expected at least 2 classes, got {stats.num_classes}")
    stats.require_every_class()
    return {name: metric(stats, head) for name, metric in METRICS.items()}


_PAPYAN = "Papyan, Han & Donoho 2020"
_ALWAYS = ("order", "relabel", "replicate", "rotate")
_CENTERED = (*_ALWAYS, "scale", "shift")


def _vector_rows(
    name: str, symbol: str, meaning: str, source: str, fn: Callable[[Tensor], float]
) -> tuple[Metric, Metric]:
    """The same measurement of the centered class means and of the classifier's rows."""

    def row(subject: str, v: str, V: str, needs: str, vectors: Callable) -> Metric:
        return Metric(
            f"{name}_{subject}", "NC2", symbol.replace("@", v).replace("#", V),
            f"{meaning}, {subject}", source, 0.0, "simplex", (needs,), _CENTERED,
            lambda stats, head: fn(vectors(stats, head)),
        )  # fmt: skip

    return (
        row("means", r"\mu'", "M'", "stats", lambda stats, head: stats.centered_means),
        row("classifier", "w", "W", "head", lambda stats, head: head.weight),
    )


_TABLE = (
    Metric("relative_variability", "NC1", r"\mathrm{tr}(\Sigma_W\Sigma_B^{+})/C",
           "within-class spread in units of between-class spread", f"{_PAPYAN}, Fig. 6",
           0.0, "simplex", ("stats",), _CENTERED, lambda stats, head: relative_variability(stats),
           needs_scatter=True),
    Metric("relative_variability_sum", "NC1", r"\mathrm{tr}(\Sigma_W\Sigma_B^{+})",
           "the same without the factor 1/C", "Han, Papyan & Donoho 2022, notebook",
           0.0, "simplex", ("stats",), _CENTERED,
           lambda stats, head: stats.num_classes * relative_variability(stats),
           needs_scatter=True),
    Metric("variance_ratio", "NC1", r"\mathrm{tr}\,\Sigma_W/\mathrm{tr}\,\Sigma_B",
           "within-class over between-class variance", "Jacot et al. 2025, NC1",
           0.0, "simplex", ("stats",), _CENTERED, lambda stats, head: variance_ratio(stats)),
    Metric("distance_to_variance", "NC1",
           r"\underset{c\neq c'}{\mathrm{Ave}}\,(v_c+v_{c'})/(2\|\mu_c-\mu_{c'}\|^2)",
           "class-distance normalized variance (CDNV)", "Galanti, Gyorgy & Hutter 2022",
           0.0, "simplex", ("stats",), _CENTERED, lambda stats, head: distance_to_variance(stats)),
    *_vector_rows("norm_spread", r"\mathrm{Std}_c\|@_c\|/\mathrm{Ave}_c\|@_c\|",
                  "spread of norms (equinorm)", f"{_PAPYAN}, Fig. 2", norm_spread),
    *_vector_rows("cosine_spread", r"\mathrm{Std}_{c\neq c'}\cos(@_c,@_{c'})",
                  "spread of cosines (equiangular)", f"{_PAPYAN}, Fig. 3", cosine_spread),
    *_vector_rows("angle_to_simplex", r"\mathrm{Ave}_{c\neq c'}|\cos(@_c,@_{c'})+\tfrac{1}{C-1}|",
                  "distance of cosines from -1/(C-1)", f"{_PAPYAN}, Fig. 4", angle_to_simplex),
    *_vector_rows("gram_distance", r"\|##^\top/\|##^\top\|_F-P/\sqrt{C-1}\|_F",
                  "distance of the Gram matrix from a simplex",
                  "Zhou et al. 2022, App. A", gram_distance),
    Metric("gram_distance_centered_classifier", "NC2",
           r"\|\bar W\bar W^\top/\|\bar W\bar W^\top\|_F-P/\sqrt{C-1}\|_F",
           "the same, classifier rows centered first", "Zhou et al. 2022, official code",
           0.0, "simplex", ("head",), _CENTERED,
           lambda stats, head: gram_distance(head.weight - head.weight.mean(0))),
    Metric("condition_number", "NC2", r"\kappa(M)",
           "condition number of the uncentered class means",
           "Jacot et al. 2025, NC2", 1.0, "orthogonal", ("stats",), (*_ALWAYS, "scale"),
           lambda stats, head: condition_number(stats)),
    Metric("duality_gap", "NC3", r"\|W/\|W\|_F-M'/\|M'\|_F\|_F^2",
           "distance between classifier and class means", f"{_PAPYAN}, Fig. 5",
           0.0, "simplex", ("stats", "head"), _CENTERED, duality_gap),
    Metric("product_distance", "NC3",
           r"\|WM'^\top/\|WM'^\top\|_F-P/\sqrt{C-1}\|_F",
           "distance of the centered mean logits from a simplex", "Zhou et al. 2022, App. A",
           0.0, "simplex", ("stats", "head"), _CENTERED, product_distance),
    Metric("alignment", "NC3", r"\mathrm{Ave}_c\cos(\mu_c,w_c)",
           "cosine between class mean and classifier row", "after Jacot et al. 2025, NC3",
           1.0, "orthogonal", ("stats", "head"), (*_ALWAYS, "scale"), alignment),
    Metric("bias_residual", "NC4", r"\|W\mu_G+b\|", "logits of the global mean",
           "Zhou et al. 2022, official code", None, "simplex", ("stats", "head"), _ALWAYS,
           bias_residual),
)  # fmt: skip

METRICS = Metrics((metric.name, metric) for metric in _TABLE)
"""The table of every measurement, by name.   Chapter: collapse."""
