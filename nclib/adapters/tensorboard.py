"""A report in TensorBoard, or in any logger that takes numbers by name.

from torch.utils.tensorboard import SummaryWriter

writer = SummaryWriter(folder)
for epoch in range(epochs):
    train(model)
    log_report(writer, CollapseMeter(model).measure(loader), step=epoch)
writer.close()
"""

from __future__ import annotations

from typing import Any

from ..report import CollapseReport
from .scalars import scalars

__all__ = ["log_report"]


def log_report(
    writer: Any,
    report: CollapseReport,
    step: int,
    *,
    prefix: str = "collapse",
    figure: bool = False,
) -> None:
    """Write every number of a report as ``prefix/name`` at a step, and its picture with ``figure``.

    ``writer`` has ``add_scalar`` (TensorBoard's SummaryWriter), ``log_metrics`` (Lightning's
    loggers) or ``log`` (a run of Weights & Biases). The picture needs ``add_figure``.

    Chapter: measure.
    """
    if not isinstance(report, CollapseReport):
        raise TypeError(f"report: expected CollapseReport, got {type(report).__name__}")
    if figure and not hasattr(writer, "add_figure"):
        raise TypeError(f"figure: expected a writer with add_figure, got {type(writer).__name__}")
    values = {f"{prefix}/{name}": value for name, value in scalars(report).items()}
    if hasattr(writer, "add_scalar"):
        for name, value in values.items():
            writer.add_scalar(name, value, step)
    elif hasattr(writer, "log_metrics"):
        writer.log_metrics(values, step=step)
    elif hasattr(writer, "log"):
        writer.log(values, step=step)
    else:
        raise TypeError(
            f"writer: expected add_scalar, log_metrics or log, got {type(writer).__name__}"
        )
    if figure:
        writer.add_figure(prefix, report.figure(), step)
