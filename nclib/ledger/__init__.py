"""Every numbered claim of the four papers, and what we add, each with its evidence."""

from . import han, jacot, mixon, ours, rescaled, zhou
from .claim import KINDS, Claim, Verdict, check
from .report import PAPERS, Report, claims_of

__all__ = ["CLAIMS", "KINDS", "PAPERS", "Claim", "Report", "Verdict", "check", "claims_of"]

CLAIMS: tuple[Claim, ...] = (
    *han.CLAIMS,
    *mixon.CLAIMS,
    *zhou.CLAIMS,
    *rescaled.CLAIMS,
    *jacot.CLAIMS,
    *ours.CLAIMS,
)
"""Every claim of the ledger, paper by paper.   Chapter: ledger."""
