"""The theory in SymPy: a proof is a value whose every step is checked.

    proof           Proof, Step, Given
    decomposition   Proposition 1, Theorems 1 and 2, Appendix C.1 of Han, Papyan & Donoho 2022

A proof displays in a notebook with its equations; ``proof.holds`` says whether all steps do.
"""

from . import decomposition
from .proof import Given, Proof, Step

__all__ = ["Given", "Proof", "Step", "decomposition"]
