"""The meter inside other people's loops: torchmetrics, Lightning, Hugging Face, TensorBoard.

metric          CollapseMetric, a torchmetrics.Metric
lightning       LightningCollapse, a callback of Lightning's Trainer
huggingface     TrainerCollapse, a callback of transformers' Trainer
tensorboard     log_report, a report in a SummaryWriter or a logger
passing         batches measured while someone else runs the model
packing         class statistics as one row of numbers, which processes exchange
scalars         a report as numbers by name

Each is loaded, with the package it belongs to, when its name is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .huggingface import TrainerCollapse
    from .lightning import LightningCollapse
    from .metric import CollapseMetric
    from .tensorboard import log_report

__all__ = ["CollapseMetric", "LightningCollapse", "TrainerCollapse", "log_report"]

_HOMES = {
    "CollapseMetric": ("metric", "torchmetrics"),
    "LightningCollapse": ("lightning", "lightning"),
    "TrainerCollapse": ("huggingface", "transformers"),
    "log_report": ("tensorboard", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, package = _HOMES[name]
    try:
        value = getattr(import_module(f".{home}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in (package, f"pytorch_{package}"):
            raise
        raise ImportError(
            f"{name}: expected the package {package}, which is not installed: "
            f"pip install 'neural-collapse-mse[metrics]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
