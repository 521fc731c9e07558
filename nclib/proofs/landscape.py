"""Zhou et al. 2022: every proof about the minimizers and saddles of free features."""

from __future__ import annotations

from collections.abc import Callable

from .landscape_decays import nuclear_norm, optimality
from .landscape_dimensions import clusters, conventions, small_rank
from .landscape_minimizers import lemma_b3, lemma_b4, theorem_3_1
from .landscape_saddles import escape, most_negative, square_weight, theorem_3_2
from .proof import Proof

__all__ = [
    "PROOFS",
    "clusters",
    "conventions",
    "escape",
    "lemma_b3",
    "lemma_b4",
    "most_negative",
    "nuclear_norm",
    "optimality",
    "small_rank",
    "square_weight",
    "theorem_3_1",
    "theorem_3_2",
]

PROOFS: tuple[Callable[[], Proof], ...] = (
    nuclear_norm,
    optimality,
    theorem_3_1,
    lemma_b3,
    lemma_b4,
    theorem_3_2,
    escape,
    square_weight,
    most_negative,
    small_rank,
    clusters,
    conventions,
)
"""In the order of the chapter."""
