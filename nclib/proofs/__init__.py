"""The theory in SymPy: a proof is a value whose every step is checked.

    proof           Proof, Step, Given
    decomposition   Proposition 1, Theorems 1 and 2, Appendix C.1 of Han, Papyan & Donoho 2022
    central_path    their central path: invariance, SNR, the flow and its limits
    two_speeds      our family between the projected and the plain flow
    unconstrained   Mixon, Parshall & Pi 2022
    landscape       Zhou et al. 2022
    rescaled        their rescaled loss: its local landscape and its minimizers
    deep_head       Jacot et al. 2025

A proof displays in a notebook with its equations; ``proof.holds`` says whether all steps do.
"""

from . import (
    central_path,
    decomposition,
    deep_head,
    landscape,
    rescaled,
    two_speeds,
    unconstrained,
)
from .proof import Given, Proof, Step

__all__ = [
    "PROOFS",
    "Given",
    "Proof",
    "Step",
    "central_path",
    "decomposition",
    "deep_head",
    "landscape",
    "rescaled",
    "two_speeds",
    "unconstrained",
]

PROOFS = (
    *decomposition.PROOFS,
    *central_path.PROOFS,
    *two_speeds.PROOFS,
    *unconstrained.PROOFS,
    *landscape.PROOFS,
    *rescaled.PROOFS,
    *deep_head.PROOFS,
)
"""Every proof, as functions without arguments."""
