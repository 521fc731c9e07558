"""The claims of Jacot et al. 2025."""

from __future__ import annotations

from .claim import Claim

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = ()
