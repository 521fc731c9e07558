"""A grid on a Slurm cluster: one cell a job, which goes on after a time-out or a lost node.

``Resources`` is what each job asks for, ``sweep_on_slurm`` submits what is missing and watches.
Every job is the command ``nclib run`` on one cell, so that its record, its checkpoint and what is
never done twice are the same as on one machine.
"""

from .queue import Queue, SlurmError, Ticket
from .resources import Resources
from .sweep import require_slurm, sweep_on_slurm

__all__ = ["Queue", "Resources", "SlurmError", "Ticket", "require_slurm", "sweep_on_slurm"]
