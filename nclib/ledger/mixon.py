"""The claims of Mixon, Parshall & Pi 2022."""

from __future__ import annotations

from .claim import Claim

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = ()
