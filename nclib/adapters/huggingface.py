"""Neural collapse in the loop of Hugging Face's Trainer.

from transformers import Trainer

trainer = Trainer(model, arguments, train_dataset=train, eval_dataset=test)
collapse = TrainerCollapse(ridge=1e-3).attach(trainer)
trainer.train()
collapse.history[-1]["relative_variability"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch.utils.data import DataLoader, Dataset
from transformers import (
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    default_data_collator,
)

from ..meter import CollapseMeter
from ..models.batches import labels_of
from ..report import CollapseReport
from .scalars import scalars

__all__ = ["TrainerCollapse"]

MOMENTS = ("evaluate", "epoch")


class TrainerCollapse(TrainerCallback):
    """Measures neural collapse whenever the Trainer evaluates, or at the end of each epoch.

    ``data`` is a data set, or a loader or list of batches with labels, which is read as it is, its
    sampler and batches included. Without it all samples of the evaluation's set are taken, in two
    passes of their own. Random numbers are put back, so a training that is measured is the same
    training. Under several processes each measures all of the data.

    ``attach(trainer)`` adds the callback and brings the values to every logger, as
    ``prefix/name``; they stand in ``trainer.state.log_history`` with it or without. What another
    ``metric_key_prefix`` or set of a dictionary gave is ``prefix/set/name``. An evaluation also
    returns the values, as ``eval_prefix/name``, where ``metric_for_best_model`` finds them.
    ``history`` has them as rows with ``set``, ``epoch`` and ``step``, those of a checkpoint as
    well; ``report`` is the last report.

    The remaining arguments are those of :class:`nclib.CollapseMeter`.   Chapter: measure.
    """

    def __init__(
        self,
        data: Any = None,
        layer: str | None = None,
        *,
        every: str = "evaluate",
        covariance: bool | None = None,
        ridge: float = 0.0,
        ignore_index: int | None = -100,
        prefix: str = "collapse",
    ) -> None:
        if every not in MOMENTS:
            raise ValueError(f"every: expected one of {MOMENTS}, got {every!r}")
        if every == "epoch" and data is None:
            raise ValueError('data: expected a data set or a loader with every="epoch", got None')
        self.data = data
        self.layer = layer
        self.every = every
        self.settings: dict[str, Any] = {
            "covariance": covariance, "ridge": ridge, "ignore_index": ignore_index,
        }  # fmt: skip
        self.prefix = prefix
        self.history: list[dict[str, Any]] = []
        self.report: CollapseReport | None = None
        self.trainer: Trainer | None = None

    def attach(self, trainer: Trainer) -> TrainerCollapse:
        """Join a trainer: its events from now on, and its loggers."""
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainer: expected transformers.Trainer, got {type(trainer).__name__}")
        self.trainer = trainer
        if self not in trainer.callback_handler.callbacks:
            trainer.add_callback(self)
        return self

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Find the layer before an epoch is spent, and the rows of a checkpoint."""
        self._meter(model)
        if not self.history:
            self.history = [row for entry in state.log_history if (row := self._row_of(entry))]

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, eval_dataloader: Any = None, metrics: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Measure the samples of this evaluation, or the data given."""
        if self.every != "evaluate":
            return
        metrics = {} if metrics is None else metrics
        stage = next(
            (k.removesuffix("_runtime") for k in metrics if k.endswith("_runtime")), "eval"
        )
        loader = self._loader(eval_dataloader, args)
        values = self._measure(stage, loader, args, state, control, model)
        metrics.update({f"{stage}_{self.prefix}/{name}": value for name, value in values.items()})

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        model: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Measure the data given."""
        if self.every == "epoch":
            self._measure("eval", self._loader(None, args), args, state, control, model)

    def _meter(self, model: Any) -> CollapseMeter:
        return CollapseMeter(model, self.layer, **self.settings)

    def _loader(self, own: Any, args: TrainingArguments) -> Iterable:
        """The batches given; of a set or the Trainer's ``own`` loader all samples, in order."""
        if self.data is not None:
            if not _is_set(self.data):
                return self.data
            own = self.data
            if self.trainer is not None:
                own = self.trainer.get_eval_dataloader(own)  # leaves out what the model can't take
        # Built anew: those of the Trainer deal the samples out, and repeat some to come out even.
        samples: Any = getattr(own, "dataset", own)
        collate = getattr(own, "collate_fn", default_data_collator)
        return DataLoader(samples, batch_size=args.eval_batch_size, collate_fn=collate)

    def _measure(
        self, stage: str, loader: Iterable, args: TrainingArguments, state: TrainerState,
        control: TrainerControl, model: Any,
    ) -> dict[str, float]:  # fmt: skip
        report = self._meter(model).measure(loader, progress=not args.disable_tqdm)
        values = scalars(report)
        part = stage.removeprefix("eval").removeprefix("_")
        folder = f"{self.prefix}/{part}" if part else self.prefix
        entry = {f"{folder}/{name}": value for name, value in values.items()}
        self.report = report
        self.history.append(
            self._row_of({**entry, "epoch": state.epoch, "step": state.global_step})
        )
        self._log(entry, state, control)
        return values

    def _log(self, values: dict[str, float], state: TrainerState, control: TrainerControl) -> None:
        if self.trainer is None:
            entry: Any = {**values, "epoch": state.epoch, "step": state.global_step}
            state.log_history.append(entry)
            return
        # To log clears the wish to log, and that of the loss may still be open.
        open_wish = control.should_log
        self.trainer.log(values)
        control.should_log = open_wish

    def _row_of(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The row of an entry of the log; empty if it is not one of this callback's."""
        ours = {k.removeprefix(f"{self.prefix}/"): v for k, v in entry.items()
                if k.startswith(f"{self.prefix}/")}  # fmt: skip
        if not ours:
            return {}
        part = next(iter(ours)).rpartition("/")[0]
        row = {"set": part, "epoch": entry.get("epoch"), "step": entry["step"]}
        return row | {name.rpartition("/")[2]: value for name, value in ours.items()}


def _is_set(data: Any) -> bool:
    """Whether these are samples that are yet to be put into batches."""
    if not isinstance(data, list | tuple):
        # Data sets of the package datasets are no Dataset of torch, but can be indexed like one.
        alike = hasattr(data, "__getitem__") and hasattr(data, "__len__")
        return isinstance(data, Dataset) or alike
    first = data[0] if data else {}
    if isinstance(first, list | tuple):  # a sample has names
        return False
    try:
        labels = labels_of(first)
    except TypeError:
        return True
    return not isinstance(labels, list | tuple) and getattr(labels, "ndim", 0) == 0
