"""How fast a cell trains and is measured here, next to the notebook's way, in the same run.

comparison  bench: everything that is timed
report      BenchReport, Way
clock       as much work as fits into some seconds
ours        our loop, our measurement, the machine's own rate
notebook    the notebook's loop and analysis, written anew
"""

from .comparison import bench
from .report import BenchReport, Way

__all__ = ["BenchReport", "Way", "bench"]
