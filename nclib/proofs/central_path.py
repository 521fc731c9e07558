"""The central path of Han, Papyan & Donoho: invariance, SNR values, their flow and its limits.

The proofs live beside this file: central_path_loss (Eqs. 6 and 7, the loss in SNR values),
central_path_measures (two measures of NC1), central_path_flow (gradient, tangent space,
Proposition 2) and central_path_limits (Corollaries 1 and 2, Lemma 7).
"""

from __future__ import annotations

from collections.abc import Callable

from .central_path_flow import gradient, proposition_2, tangent_and_normal
from .central_path_limits import corollary_1, corollary_2, lemma_7
from .central_path_loss import equation_6, equation_7, loss_in_snr_values
from .central_path_measures import nc1_measures
from .proof import Proof

__all__ = [
    "PROOFS",
    "corollary_1",
    "corollary_2",
    "equation_6",
    "equation_7",
    "gradient",
    "lemma_7",
    "loss_in_snr_values",
    "nc1_measures",
    "proposition_2",
    "tangent_and_normal",
]

PROOFS: tuple[Callable[[], Proof], ...] = (
    equation_6,
    equation_7,
    loss_in_snr_values,
    nc1_measures,
    gradient,
    tangent_and_normal,
    proposition_2,
    corollary_1,
    lemma_7,
    corollary_2,
)
"""The proofs about the central path, in the order of the chapters."""
