"""What a last layer looks like: every measurement, the three terms, the spectrum.

A report is plain numbers with reasons where there are none; it shows itself as a table on a
terminal, and with a picture in a notebook.
"""

from .collapse import CollapseReport
from .entries import Entry
from .sample import listed, seen_only
from .spectrum import Spectrum

__all__ = ["CollapseReport", "Entry", "Spectrum", "listed", "seen_only"]
