"""The claims of what we derived ourselves."""

from __future__ import annotations

from .claim import Claim

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = ()
