"""Neural collapse in the loop of Lightning's Trainer.

from lightning.pytorch import Trainer

collapse = LightningCollapse(ridge=1e-3)
trainer = Trainer(max_epochs=20, callbacks=[collapse])
trainer.fit(module, train_loader, validation_loader)
collapse.history[-1]["relative_variability"]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from torch import nn

from ..meter import CollapseMeter
from ..models.batches import labels_of
from ..report import CollapseReport
from .passing import Passing
from .scalars import scalars

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    # Two names of one program, whose classes don't know each other: the one in use counts.
    in_use = "pytorch_lightning" in sys.modules and "lightning" not in sys.modules
    try:
        Callback = import_module("pytorch_lightning" if in_use else "lightning.pytorch").Callback
    except ModuleNotFoundError as missing:
        if missing.name != "lightning":
            raise
        Callback = import_module("pytorch_lightning").Callback

__all__ = ["LightningCollapse"]

STAGES = ("validation", "test", "predict")


class LightningCollapse(Callback):
    """Measures neural collapse while Lightning validates, or a loader of its own.

    By default the batches of validation and test are measured as they pass: hooks note what the
    layer that makes the module's output is given, so there is no second forward pass. With
    ``loader`` its batches are run through the module, twice, at the end of every training epoch:
    that gives NC4 as well. ``every_n_epochs`` measures less often.

    Values are logged as ``prefix/name``, those of the test stage as ``prefix/test/name`` and those
    of several loaders as ``prefix/name/dataloader_idx_0`` and so on; a checkpoint can monitor them.
    ``history`` keeps them as rows with ``stage``, ``epoch``, ``step``, ``samples`` and
    ``classes``, in checkpoints too; ``report`` is the last report. Nothing is kept of the sanity
    check. Classes without a sample are left out, with a warning.

    Under several processes, what passes by is joined by the exact merge. Lightning's sampler
    repeats a few samples to give each process as many, and they count as often as they pass. A
    ``loader`` is read as a whole by every process.

    ``layer`` names another layer; where a step does not call the module as a whole, the linear one
    that runs last is taken. ``unpack`` takes a batch apart into inputs and labels where it is
    neither a pair nor a mapping with labels. ``stages`` may hold "predict", for batches that have
    labels. The other arguments are those of :class:`nclib.CollapseMeter`.   Chapter: measure.
    """

    def __init__(
        self,
        layer: str | None = None,
        *,
        loader: Iterable | None = None,
        every_n_epochs: int = 1,
        covariance: bool | None = None,
        ridge: float = 0.0,
        ignore_index: int | None = -100,
        unpack: Callable[[Any], tuple[Any, Any]] | None = None,
        stages: tuple[str, ...] = ("validation", "test"),
        prefix: str = "collapse",
    ) -> None:
        if not isinstance(every_n_epochs, int) or every_n_epochs < 1:
            raise ValueError(
                f"every_n_epochs: expected a whole number >= 1, got {every_n_epochs!r}"
            )
        if isinstance(stages, str) or not set(stages) <= set(STAGES):
            raise ValueError(f"stages: expected a tuple of {STAGES}, got {stages!r}")
        self.layer = layer
        self.loader = loader
        self.every_n_epochs = every_n_epochs
        self.settings: dict[str, Any] = {
            "covariance": covariance, "ridge": ridge, "ignore_index": ignore_index,
        }  # fmt: skip
        self.unpack = unpack
        self.stages = () if loader is not None else tuple(stages)
        self.prefix = prefix
        self.history: list[dict[str, Any]] = []
        self.report: CollapseReport | None = None
        self._passing: Passing | None = None

    @property
    def state_key(self) -> str:
        """The name of this callback's state in a checkpoint; two of them need two prefixes."""
        return self._generate_state_key(prefix=self.prefix, layer=self.layer)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, for a checkpoint."""
        return {"history": list(self.history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows of a checkpoint."""
        self.history = list(state_dict["history"])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for the layer before an epoch is spent."""
        self._meter(pl_module, self.layer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the loader, if there is one."""
        if self.loader is None or not self._is_due(trainer):
            return
        meter = self._meter(pl_module, self.layer)
        with trainer.precision_plugin.forward_context():
            report = meter.measure(self.loader, unpack=self.unpack, progress=False)
        self._record(trainer, pl_module, "train", {0: report})

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to listen; in the sanity check as well, so that odd batches are found there."""
        self._begin(trainer, pl_module, "validation", trainer.num_val_batches)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to listen."""
        self._begin(trainer, pl_module, "test", trainer.num_test_batches)

    def on_predict_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to listen."""
        self._begin(trainer, pl_module, "predict", trainer.num_predict_batches)

    def on_validation_batch_start(self, *args: Any, **kwargs: Any) -> None:
        """Watch the layers during this batch."""
        if self._passing is not None:
            self._passing.open()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Add what the layer was given for this batch."""
        if self._passing is not None:
            labels = labels_of(batch) if self.unpack is None else self.unpack(batch)[1]
            self._passing.add(labels, dataloader_idx)

    on_test_batch_start = on_predict_batch_start = on_validation_batch_start
    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure what has passed by."""
        self._end(trainer, pl_module, "validation")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure what has passed by."""
        self._end(trainer, pl_module, "test")

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure what has passed by."""
        self._end(trainer, pl_module, "predict")

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        """Leave no hook behind."""
        self._stop()

    def on_exception(self, *args: Any, **kwargs: Any) -> None:
        """Leave no hook behind."""
        self._stop()

    def _is_due(self, trainer: Trainer) -> bool:
        return (trainer.current_epoch + 1) % self.every_n_epochs == 0

    def _meter(self, module: nn.Module, layer: str | None) -> CollapseMeter:
        return CollapseMeter(module, layer, **self.settings)

    def _begin(self, trainer: Trainer, module: LightningModule, stage: str, loaders: list) -> None:
        self._stop()
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        if stage in self.stages and (not fitting or self._is_due(trainer)):
            self._passing = Passing(module, self.layer, self._meter, len(loaders))

    def _stop(self) -> None:
        if self._passing is not None:
            self._passing.close()
        self._passing = None  # it holds the module, which is no part of the callback

    def _end(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        passing = self._passing
        self._stop()
        if passing is None or trainer.sanity_checking:
            return
        gather = None if trainer.world_size == 1 else module.all_gather
        found = dict(enumerate(passing.reports(gather)))  # pyright: ignore[reportArgumentType]
        self._record(trainer, module, stage, found)

    def _record(
        self, trainer: Trainer, module: LightningModule, stage: str,
        reports: Mapping[int, CollapseReport | str],
    ) -> None:  # fmt: skip
        """Keep the rows and log the values; a sentence instead of a report is a warning."""
        folder = self.prefix if stage in ("train", "validation") else f"{self.prefix}/{stage}"
        logged = {}
        for index, report in reports.items():
            if isinstance(report, str):
                warnings.warn(f"LightningCollapse, {stage}: {report}", stacklevel=2)
                continue
            values = scalars(report)
            row: dict[str, Any] = {"stage": stage, "epoch": trainer.current_epoch}
            row |= {"step": trainer.global_step, "samples": report.samples}
            row |= {"classes": report.classes}
            if len(reports) > 1:
                row["dataloader_idx"] = index
            if report.empty_classes:
                warnings.warn(f"LightningCollapse, {stage}: {report.notes[0]}", stacklevel=2)
            self.history.append(row | values)
            self.report = report
            end = f"/dataloader_idx_{index}" if len(reports) > 1 else ""
            logged |= {f"{folder}/{name}{end}": value for name, value in values.items()}
        if stage == "predict":  # where Lightning has no log of its own
            for logger in trainer.loggers:
                logger.log_metrics(logged, step=trainer.global_step)
        else:  # the same numbers on every process: their mean is they
            module.log_dict(logged, sync_dist=True, add_dataloader_idx=False)
