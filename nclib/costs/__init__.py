"""What a cell costs on a GPU: a model, counted on the shapes of its network, not measured.

Every kernel of a training step and of a measurement has its floating-point operations and the
bytes it reads and writes. A GPU's data sheet turns both into a least time, its *roof*; a kernel
takes the longer of the two. Real code reaches a share of the roof. That share is the one number
of the model that is not counted, so it is always stated, and a cost is a range.

counting        count, Work: the kernels of any network's step
accelerators    GPUs by their data sheets, and their roofs
cell            cost: hours and gigabytes of a cell
"""

from .accelerators import ACCELERATORS, Accelerator
from .cell import SHARES, Cost, cost, images_of, work_of
from .counting import Kernel, Work, count

__all__ = [
    "ACCELERATORS",
    "SHARES",
    "Accelerator",
    "Cost",
    "Kernel",
    "Work",
    "cost",
    "count",
    "images_of",
    "work_of",
]
