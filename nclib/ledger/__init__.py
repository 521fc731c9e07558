"""Every numbered claim of the four papers, and what we add, each with its evidence."""

from . import han, jacot, mixon, ours, zhou
from .claim import KINDS, Claim, Verdict, check

__all__ = ["CLAIMS", "KINDS", "Claim", "Verdict", "check"]

CLAIMS: tuple[Claim, ...] = (
    *han.CLAIMS,
    *mixon.CLAIMS,
    *zhou.CLAIMS,
    *jacot.CLAIMS,
    *ours.CLAIMS,
)
