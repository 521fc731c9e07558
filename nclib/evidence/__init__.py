"""What a claim of the ledger is checked by: functions that measure an error against its bar."""

from . import (
    han,
    han_flow,
    han_runs,
    jacot,
    miniatures,
    mixon,
    mixon_start,
    ours,
    renormalizations,
    rescaled,
    two_speeds,
    zhou,
    zhou_measures,
)
from .check import Check

__all__ = [
    "Check",
    "han",
    "han_flow",
    "han_runs",
    "jacot",
    "miniatures",
    "mixon",
    "mixon_start",
    "ours",
    "renormalizations",
    "rescaled",
    "two_speeds",
    "zhou",
    "zhou_measures",
]
