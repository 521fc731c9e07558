"""What was found wrong: in the four papers, in the code published with them, and in this book.

The one place of it. The findings page tells each story, under the anchor ``finding-`` and the id;
the errata page lists what follows from it. A finding without an erratum says why it has none.
"""

from __future__ import annotations

from .erratum import CHAPTERS, KINDS, SOURCES, Correction, Corrections, Errata, Erratum, Finding
from .listed import CORRECTIONS, FINDINGS, errata_of

__all__ = ["CHAPTERS", "CORRECTIONS", "FINDINGS", "KINDS", "SOURCES", "Correction", "Corrections",
           "Errata", "Erratum", "Finding", "errata_of"]  # fmt: skip
