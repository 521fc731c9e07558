"""Neural collapse under the MSE loss, measured and derived.

simplex         the shape that classes collapse to
stats           ClassStats: how many, where, how spread
head            Head, least squares, decisions
running, projection
                class statistics of a stream; a second look without a (d, d) matrix
decomposition   the loss as L_NC1 + L_NC2/3 + L_perp
metrics         every NC1-NC4 measurement, METRICS
data, models    image sets as tensors; networks, split into trunk and head
training, machine
                the paper's recipe, and what its steps run on
recipes, cells, observations, experiments, records
                the grid, runs that resume, the rows they leave
sweeps, processes, selection, bench
                many cells, the rate they choose, and what a cell costs here
robustness      DeepFool
prediction, suite, kernels
                which law the spectrum of a trained network follows
reported        the papers' numbers
meter, report, adapters
                any classifier: hooked, measured, told; inside other people's loops
loaders, weights, catalog
                data, checkpoints and models by their names
slurm, costs    the grid on a cluster, and what it costs
theory          the four papers' mathematics in numbers, and ours
proofs          the same mathematics in SymPy
evidence, ledger
                every numbered claim, and what it is checked by
findings        what was found wrong, and the errata made of it
figures, explorers
                rows and theory as pictures, still and to play with
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .decisions import Decisions, decide
from .decomposition import LossTerms, decompose, regularized_mse
from .head import Head, least_squares, ridge_from_weight_decay
from .metrics import METRICS, Metric, measure
from .notation import NOTATION
from .projection import ProjectedStats, SecondPass
from .records import RecordError, Row, Run
from .running import RunningStats
from .simplex import centering, simplex_etf
from .stats import ClassStats

if TYPE_CHECKING:
    from . import (
        adapters,
        bench,
        catalog,
        cells,
        costs,
        data,
        evidence,
        experiments,
        explorers,
        figures,
        findings,
        kernels,
        ledger,
        loaders,
        machine,
        miniatures,
        models,
        observations,
        prediction,
        proofs,
        recipes,
        reported,
        robustness,
        selection,
        slurm,
        suite,
        sweeps,
        theory,
        training,
        weights,
        wide_networks,
    )
    from .cells import CELLS, GRIDS, Cell
    from .data import ImageSet
    from .experiments import published, run
    from .machine import Machine
    from .meter import CollapseMeter
    from .models import split
    from .observations import observe
    from .report import CollapseReport
    from .robustness import Perturbations, deepfool, robustness_of
    from .selection import choose
    from .sweeps import sweep
    from .training import Recipe, fit

__version__ = "0.5.0"

# Higher floors bring torchvision, SymPy or matplotlib with them: loaded on first use.
_LATER = {
    "CELLS": "cells",
    "Cell": "cells",
    "GRIDS": "cells",
    "CollapseMeter": "meter",
    "CollapseReport": "report",
    "ImageSet": "data",
    "published": "experiments",
    "run": "experiments",
    "Machine": "machine",
    "split": "models",
    "observe": "observations",
    "Perturbations": "robustness",
    "deepfool": "robustness",
    "robustness_of": "robustness",
    "choose": "selection",
    "sweep": "sweeps",
    "Recipe": "training",
    "fit": "training",
}
_MODULES = (
    "adapters",
    "bench",
    "catalog",
    "cells",
    "costs",
    "data",
    "evidence",
    "experiments",
    "explorers",
    "figures",
    "findings",
    "kernels",
    "ledger",
    "loaders",
    "machine",
    "miniatures",
    "models",
    "observations",
    "prediction",
    "proofs",
    "recipes",
    "reported",
    "robustness",
    "selection",
    "slurm",
    "suite",
    "sweeps",
    "theory",
    "training",
    "weights",
    "wide_networks",
)

__all__ = [
    "CELLS",
    "GRIDS",
    "METRICS",
    "NOTATION",
    "Cell",
    "ClassStats",
    "CollapseMeter",
    "CollapseReport",
    "Decisions",
    "Head",
    "ImageSet",
    "LossTerms",
    "Machine",
    "Metric",
    "Perturbations",
    "ProjectedStats",
    "Recipe",
    "RecordError",
    "Row",
    "Run",
    "RunningStats",
    "SecondPass",
    "adapters",
    "bench",
    "catalog",
    "cells",
    "centering",
    "choose",
    "costs",
    "data",
    "decide",
    "decompose",
    "deepfool",
    "evidence",
    "experiments",
    "explorers",
    "figures",
    "findings",
    "fit",
    "kernels",
    "least_squares",
    "ledger",
    "loaders",
    "machine",
    "measure",
    "miniatures",
    "models",
    "observations",
    "observe",
    "prediction",
    "proofs",
    "published",
    "recipes",
    "regularized_mse",
    "reported",
    "ridge_from_weight_decay",
    "robustness",
    "robustness_of",
    "run",
    "selection",
    "simplex_etf",
    "slurm",
    "split",
    "suite",
    "sweep",
    "sweeps",
    "theory",
    "training",
    "weights",
    "wide_networks",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _LATER:
        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
