"""The meter: what someone pastes into a loop of their own."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..decisions import Decisions
from ..head import Head, require_ridge
from ..models.batches import shown, unpacked
from ..models.heads import Call
from ..models.watch import Watch
from ..projection import ProjectedStats
from ..report import CollapseReport
from ..stats import ClassStats
from .remarks import ONE_SHOT, TRAINING, Remarks
from .sight import Sight
from .state import notes_in
from .tally import Tally

__all__ = ["CollapseMeter"]


class CollapseMeter:
    """Measures the last layer of any classifier: features, class means and head.

    ``model`` is any module whose output is that of a linear layer: as it is, cast, in a tuple, as
    ``.logits``, or followed by softmax, log-softmax, sigmoid or a factor. Which layer that is, the
    first forward pass tells; ``layer``, a dotted name or the module itself, says it beforehand.

    Statistics are exact under any batching, in float64, and a million samples take no more memory
    than ten: C x d numbers, and d x d with ``covariance``, which is kept up to 4,096 features
    unless it is said. They live where the features are; on the CPU for Apple GPUs. ``ridge`` is
    that of the three terms, see :func:`ridge_from_weight_decay`. Samples labeled ``ignore_index``
    are left out and counted. Errors count batches from 1.   Chapter: measure.

    >>> import torch
    >>> meter = CollapseMeter(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)))
    >>> logits = meter.update(torch.eye(4).repeat(3, 1), torch.arange(12) % 3)
    >>> meter.layer_name, meter.report().samples
    ('1', 12)
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | nn.Module | None = None,
        *,
        num_classes: int | None = None,
        covariance: bool | None = None,
        ridge: float = 0.0,
        ignore_index: int | None = -100,
    ) -> None:
        require_ridge(ridge)
        self._sight = Sight(model, layer, num_classes)
        self.model = model
        self.ridge = ridge
        self._asked = covariance, ignore_index
        self._warned = False
        self._begin()

    def reset(self) -> None:
        """Forget every sample, and look at the model anew: which layer it is, what follows it."""
        self._sight.forget()
        self._begin()

    def update(self, batch: Any, labels: Any) -> Any:
        """Run the model on a batch and add what its last layer saw; the model's output.

        In eval mode and without gradients; afterwards every module is in the mode it was in. A
        tensor is passed as ``model(batch)``, a tuple as ``model(*batch)``, a dict as
        ``model(**batch)``, on the model's device. Labels are whole numbers (B,), tensor, array or
        list. What is refused leaves everything as it was.
        """
        watch, output = self._sight.run(batch)
        self._add(watch, labels)
        return output

    @contextmanager
    def watching(self, labels: Any) -> Iterator[None]:
        """Add what the last layer sees in one forward pass of your own; no second one is needed.

        ``with meter.watching(labels): logits = model(x)``. Gradients, autocast and mode stay
        yours. In training mode it warns once, and the report says so: dropout and the statistics
        of single batches put a floor under the within-class spread. Compiled models run
        uncompiled inside.
        """
        with self._sight.watch() as watch:
            yield
        self._add(watch, labels)
        if watch.training:
            self._remarks.say(TRAINING)
        if watch.training and not self._warned:
            self._warned = True
            warnings.warn(f"watching: {TRAINING}", stacklevel=3)

    def add(self, features: Tensor, labels: Any) -> None:
        """Add features (B, d) that are at hand already, as the layer gets them."""
        self._sight.require_outputs(self.layer)
        self._tally.add(features, labels, self.layer)
        self._remarks.begin(self.layer)

    def review(self, batch: Any, labels: Any) -> Any:
        """Look at a batch once more: NC4, and NC1 where the covariance was not kept."""
        self._tally.require_samples()
        watch, output = self._sight.run(batch)
        call, how = self._sight.find(watch)
        self._sight.require_measured(call.layer)
        self.review_features(call.rows, labels)
        self._settle(call, how)
        return output

    def review_features(self, features: Tensor, labels: Any) -> None:
        """The second look, at features (B, d) that are at hand."""
        self._tally.review(features, labels, self.layer)

    def measure(
        self,
        loader: Iterable,
        *,
        passes: int = 2,
        unpack: Callable[[Any], tuple[Any, Any]] | None = None,
        progress: bool = True,
    ) -> CollapseReport:
        """Everything about the samples of a loader, from the start; earlier ones are forgotten.

        Items are (batch, labels) or dicts with labels; of others ``unpack(item)`` makes that
        pair. The second of two ``passes`` is for NC4, accuracy, and NC1 where the covariance is
        not kept; an iterator, used up after one, gets one. A bar is shown after two seconds.
        Torch's random numbers on the CPU, of which a loader takes some, are as before.
        """
        _require_passes(passes)
        self.reset()
        if passes == 2 and isinstance(loader, Iterator):
            passes = 1
            self._remarks.say(ONE_SHOT)
        pair = unpack or (lambda item: unpacked(item, self._sight.model))
        with torch.random.fork_rng(devices=[]):
            for item in shown(loader, "first look", progress):
                self.update(*pair(item))
            self._tally.require_samples()
            for item in shown(loader, "second look", progress) if passes == 2 else ():
                self.review(*pair(item))
        return self.report()

    def report(self, *, passes: int = 2) -> CollapseReport:
        """All that the samples so far say; with ``passes=1`` the second look is left aside."""
        _require_passes(passes)
        stats = self.stats if passes == 2 else self._tally.first
        decisions = self.decisions if passes == 2 else None
        return CollapseReport.of(
            stats, self.head, decisions, self.ridge, layer=self.layer_name,
            ignored=self.ignored, notes=self._remarks.about(self.layer_name, self.layer),
        )  # fmt: skip

    def merge(self, other: CollapseMeter | ClassStats) -> None:
        """Add the samples of another meter, of another shard or process, exactly.

        Second looks are forgotten: their class means were those of a part.
        """
        if isinstance(other, CollapseMeter):
            if not other._decided:  # no sample there, nor a layer of its own choice
                return
            mine = self.layer_name if self._decided else None
            name, layer = self._sight.joined(other.layer_name, mine, "merge")
            self._tally.merge(other._tally, layer)
            self._sight.guess(name, layer)
            self._remarks.merge(other._remarks)
        elif isinstance(other, ClassStats):
            self._tally.take(other, self.layer)
        else:
            raise TypeError(
                f"merge: expected CollapseMeter or ClassStats, got {type(other).__name__}"
            )

    def __add__(self, other: CollapseMeter) -> CollapseMeter:
        if not isinstance(other, CollapseMeter):
            return NotImplemented
        both = copy.copy(self)
        both._sight = copy.copy(self._sight)
        both._begin()
        both.merge(self)
        both.merge(other)
        return both

    def state_dict(self) -> dict[str, Any]:
        """The samples so far as tensors and plain numbers, for ``torch.save``; no second look."""
        said = {"notes": list(self._remarks.texts), "weights": sorted(self._remarks.weights)}
        return {"layer": self.layer_name} | said | self._tally.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state_dict()``; what does not fit is refused and changes nothing."""
        missing = {"layer", "notes", "weights", "ignored", "batches"} - set(state)
        if missing:
            raise ValueError(f"state: expected that of a CollapseMeter, {sorted(missing)} missing")
        remarks = Remarks(*notes_in(state))
        name, layer = self.layer_name, self.layer
        if state["batches"] or "counts" in state:
            # The samples so far will be forgotten: only a layer that was named must agree.
            name, layer = self._sight.joined(state["layer"], self._sight.given, "state")
        self._tally.load_state_dict(state, layer)
        if name != self.layer_name:
            self._sight.forget()
            self._sight.guess(name, layer)
        self._remarks = remarks

    @property
    def layer_name(self) -> str:
        """The dotted name of the measured layer; a first guess before the first batch."""
        return self._sight.name

    @property
    def layer(self) -> nn.Linear:
        """The measured layer itself."""
        return self._sight.layer

    @property
    def num_classes(self) -> int:
        """C, the outputs of the layer."""
        return self.layer.out_features

    @property
    def covariance(self) -> bool:
        """Whether the (d, d) within-class covariance is kept."""
        running = self._tally.running
        return self._tally.keeps(self.layer.in_features) if running is None else running.covariance

    @property
    def ignored(self) -> int:
        """Samples left out for their label."""
        return self._tally.ignored

    @property
    def head(self) -> Head:
        """A float64 copy of the layer as it is now, beside the statistics."""
        return self._tally.head(self.layer)

    @property
    def stats(self) -> ClassStats | ProjectedStats:
        """The class statistics of all samples so far."""
        return self._tally.stats

    @property
    def decisions(self) -> Decisions | None:
        """What the head decided in the second look, or None without one."""
        return self._tally.decisions

    def _add(self, watch: Watch, labels: Any) -> None:
        call, how = self._sight.find(watch)
        if self._tally.batches:
            self._sight.require_measured(call.layer)
        self._sight.require_outputs(call.layer)
        self._tally.add(call.rows, labels, call.layer)
        self._remarks.begin(call.layer)
        self._settle(call, how)

    def _settle(self, call: Call, how: str) -> None:
        self._sight.settle(call, how)
        if self._sight.remark:
            self._remarks.say(self._sight.remark)

    def _begin(self) -> None:
        self._tally = Tally(*self._asked)
        self._remarks = Remarks()

    @property
    def _decided(self) -> bool:
        """Whether the layer is more than a first guess."""
        return self._sight.settled or self._tally.batches > 0 or self._tally.running is not None


def _require_passes(passes: int) -> None:
    if passes not in (1, 2):
        raise ValueError(f"passes: expected 1 or 2, got {passes!r}")
