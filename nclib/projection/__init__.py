"""A second look at the samples: NC1 without a (d, d) matrix, and NC4.

Sigma_B has rank C-1 at most, so tr(Sigma_W Sigma_B^+) needs Sigma_W only along the class means.
The means must be known first; then C-1 numbers of each sample are enough, and the same numbers
say which class mean is the nearest.
"""

from __future__ import annotations

from .projected import ProjectedStats
from .second_pass import SecondPass

__all__ = ["ProjectedStats", "SecondPass"]
