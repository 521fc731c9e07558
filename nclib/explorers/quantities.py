"""The quantities that can be chosen in the results browser: what each is, and where it lies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..metrics import METRICS, Metric
from ..records import Row

__all__ = ["PAPERS", "QUANTITIES", "Quantity"]

PAPERS = {"mse": "Han, Papyan & Donoho 2022", "ce": "Papyan, Han & Donoho 2020"}
"""The paper that trains with each loss."""


@dataclass(frozen=True)
class Quantity:
    """One choice: its group and label, its formula as plain text, what it is, how to read it.

    ``of`` takes it from a row, NaN where it was not measured. ``shape`` says how it is drawn:
    "log" (positive numbers), "linear", or "percent" (a share, on a linear axis). ``limit`` is a
    value to draw a line at. ``figures`` are those of PAPERS, on the images of a split ``seen``.
    Chapter: reproduction.
    """

    group: str
    label: str
    formula: str
    says: str
    of: Callable[[Row], float]
    shape: str = "log"
    limit: float | None = None
    figures: tuple[str, str] = ("", "")
    seen: str = "train"

    def data(self) -> dict[str, object]:
        """What a script needs to know of it."""
        return {
            "label": self.label, "formula": self.formula, "says": self.says,
            "shape": self.shape, "limit": self.limit,
            "figures": dict(zip(PAPERS, self.figures, strict=True)), "seen": self.seen,
        }  # fmt: skip


GROUPS = {
    "NC1": "NC1: variability within classes",
    "NC2": "NC2: equal norms, equal angles",
    "NC3": "NC3: self-duality",
    "NC4": "NC4: nearest class mean",
}
TERMS = "The squared loss, taken apart"
SHARES = "Shares of the squared loss"
DECISIONS = "Decisions"
SIGNAL = "Signal over noise"

# Label and formula of each measurement; "@" becomes the vectors, "#" the matrix of them. Plain text
# has small capitals and the letters i and j for indices, no c: so classes are i and j here.
_WRITTEN = {
    "relative_variability": ("spread within classes over between", "tr(Σᴡ Σʙ⁺) / C"),
    "relative_variability_sum": ("the same, not divided by C", "tr(Σᴡ Σʙ⁺)"),
    "variance_ratio": ("ratio of the variances", "tr Σᴡ / tr Σʙ"),
    "distance_to_variance": (
        "variance over distance (CDNV)", "Ave (vᵢ + vⱼ) / (2 ‖μᵢ − μⱼ‖²)"),
    "norm_spread": ("spread of the norms", "Std ‖@ᵢ‖ / Ave ‖@ᵢ‖"),
    "cosine_spread": ("spread of the cosines", "Std cos(@ᵢ, @ⱼ)"),
    "angle_to_simplex": ("cosines: distance to −1/(C−1)", "Ave |cos(@ᵢ, @ⱼ) + 1/(C−1)|"),
    "gram_distance": ("Gram matrix: distance to a simplex", "‖##ᵀ/‖##ᵀ‖ − P/√(C−1)‖"),
    "gram_distance_centered_classifier": (
        "Gram matrix of centered rows, classifier", "‖W̄W̄ᵀ/‖W̄W̄ᵀ‖ − P/√(C−1)‖"),
    "condition_number": ("condition of the uncentered means", "κ(M)"),
    "duality_gap": ("classifier against class means", "‖W/‖W‖ − M′/‖M′‖‖²"),
    "product_distance": ("mean logits: distance to a simplex", "‖WM′ᵀ/‖WM′ᵀ‖ − P/√(C−1)‖"),
    "alignment": ("cosine of class mean and row", "Ave cos(μ′ᵢ, wᵢ)"),
    "bias_residual": ("logits of the global mean", "‖W μɢ + b‖"),
}  # fmt: skip
_VECTORS = {"means": ("μ′", "M′", "class means"), "classifier": ("w", "W", "classifier")}
_FIGURES = {
    "relative_variability": ("Fig. 7", "Fig. 6"),
    "norm_spread": ("Fig. 3", "Fig. 2"),
    "cosine_spread": ("Fig. 4", "Fig. 3"),
    "angle_to_simplex": ("Fig. 5", "Fig. 4"),
    "duality_gap": ("Fig. 6", "Fig. 5"),
}


def _measurement(metric: Metric) -> Quantity:
    """A row of METRICS; class means and classifier share their formulas."""
    stem, _, subject = metric.name.rpartition("_")
    label, formula = _WRITTEN.get(metric.name) or _WRITTEN[stem]
    if metric.name not in _WRITTEN:
        vector, matrix, whose = _VECTORS[subject]
        label += f", {whose}"
        formula = formula.replace("@", vector).replace("#", matrix)
    figures = _FIGURES.get(metric.name) or _FIGURES.get(stem, ("", ""))
    return Quantity(
        GROUPS[metric.property], label, formula,
        f"{metric.property}. {metric.meaning[0].upper()}{metric.meaning[1:]}. {_toward(metric)}",
        lambda row: row.metrics.get(metric.name, math.nan),
        "linear" if metric.name == "alignment" else "log",
        metric.at_collapse or None, figures,
    )  # fmt: skip


def _toward(metric: Metric) -> str:
    if metric.at_collapse is None:
        return "Collapse does not fix it: where it ends depends on the loss."
    if metric.frame == "orthogonal":
        return "One at collapse to an orthogonal frame, the limit without a bias."
    return "Zero at collapse: further down is closer."


_RIDGES = {
    "consistent": ("C·wd/2", "that of the loss that is trained"),
    "notebook": ("wd/2", "the value in the authors' notebook"),
}
_PARTS = {
    "nc1": ("L(NC1)", "What the spread within classes costs the best classifier", "It falls with "
            "the spread; in the end it should be the largest of the three."),
    "nc23": ("L(NC2/3)", "What the best classifier still gets wrong at the class means", "It falls "
             "as the class means move apart; it should fall fastest."),
    "perp": ("L(⊥)", "What the classifier loses by not being the best one", "It should become "
             "negligible beside L(NC1)."),
}  # fmt: skip


def _term(ridge: str, part: str) -> Quantity:
    (value, whose), (symbol, says, toward) = _RIDGES[ridge], _PARTS[part]
    return Quantity(
        TERMS, f"{symbol}, {ridge} ridge", symbol,
        f"{says}. Ridge {value}, {whose}. {toward}",
        lambda row: row.terms.get(ridge, {}).get(part, math.nan), figures=("Fig. 2", ""),
    )  # fmt: skip


def _share(ridge: str, part: str) -> Quantity:
    term, (symbol, _, _) = _term(ridge, part), _PARTS[part]

    def of(row: Row) -> float:
        terms = row.terms.get(ridge, {})
        return terms[part] / sum(terms.values()) if terms else math.nan

    return Quantity(
        SHARES, f"share of {symbol}, {ridge} ridge", f"{symbol} / (L(NC1) + L(NC2/3) + L(⊥))",
        term.says, of, "percent", 0.0,
    )  # fmt: skip


def _omega(label: str, formula: str, says: str, of: Callable[[list[float]], float]) -> Quantity:
    return Quantity(
        SIGNAL, label, formula, says, lambda row: of(row.omega) if row.omega else math.nan
    )


_ERROR = "It counts wrong decisions and says nothing about geometry."
_REST: dict[str, Quantity] = {
    "mismatch": Quantity(
        GROUPS["NC4"], "classifier against nearest mean", "share of images decided differently",
        "NC4. Images that classifier and nearest class mean put into different classes. "
        "Zero at collapse.",
        lambda row: row.mismatch, "percent", 0.0, ("Fig. 8", "Fig. 7"), "test"),
    "loss": Quantity(
        TERMS, "the loss itself, without weight decay", "Ave loss",
        "Each run has its own loss, squared error or cross-entropy: the two curves have "
        "different units.",
        lambda row: row.loss),
    **{f"{part}_{ridge}": _term(ridge, part) for ridge in _RIDGES for part in _PARTS},
    **{f"{part}_share_{ridge}": _share(ridge, part) for ridge in _RIDGES for part in _PARTS},
    "accuracy": Quantity(
        DECISIONS, "accuracy", "share of images decided right",
        f"The papers' tables print it. {_ERROR}",
        lambda row: row.accuracy, "percent", 1.0),
    "error": Quantity(
        DECISIONS, "error", "share of images decided wrong",
        f"One minus the accuracy. {_ERROR}",
        lambda row: 1 - row.accuracy, "percent", 0.0),
    "robustness": Quantity(
        DECISIONS, "robustness", "Ave ‖r‖ / ‖x‖",
        "The smallest change of an image that changes the decision, relative to the image, on "
        "100 test images. Larger is sturdier. Ours is measured at zero error and at the end.",
        lambda row: row.robustness, figures=("Fig. 9", "Fig. 8"), seen="test"),
    "omega_largest": _omega(
        "largest SNR value", "max ω", "Distance of class means in units of the spread within "
        "classes, where it is largest. It grows without bound at collapse.", lambda w: w[0]),
    "omega_smallest": _omega(
        "smallest SNR value", "min ω", "Distance of class means in units of the spread within "
        "classes, where it is smallest. It grows without bound at collapse.", lambda w: w[-1]),
    "omega_ratio": _omega(
        "largest over smallest SNR value", "max ω / min ω", "One where all directions collapse "
        "alike.", lambda w: w[0] / w[-1] if w[-1] else math.inf),
}  # fmt: skip

QUANTITIES: dict[str, Quantity] = {
    **{name: _measurement(metric) for name, metric in METRICS.items()},
    **_REST,
}
"""Everything that a row of a record holds, by name; METRICS first.   Chapter: reproduction."""
