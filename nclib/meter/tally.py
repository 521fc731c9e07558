"""The statistics of a meter: samples that count, the first look, the second look, the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..decisions import Decisions
from ..head import Head
from ..models.batches import samples_of
from ..projection import ProjectedStats, SecondPass
from ..report import seen_only
from ..running import RunningStats
from ..stats import ClassStats
from .state import number_in, stats_in, tensors_of

__all__ = ["WIDE", "Tally"]

WIDE = 4096  # features up to which the (d, d) covariance is kept unless it is refused


class Tally:
    """Class statistics of the samples so far, and of a second look at them.

    ``covariance`` None means: up to 4,096 features.
    """

    def __init__(self, covariance: bool | None, ignore_index: int | None) -> None:
        self.covariance = covariance
        self.ignore_index = ignore_index
        self.running: RunningStats | None = None
        self.second: SecondPass | None = None
        self.ignored = 0
        self.batches = 0
        self.reviewed = 0  # batches of the second look
        self._full: Head | None = None  # head of the second look, all its outputs
        self._place: Tensor | None = None  # class -> its place among the seen ones, or -1
        self._right = 0  # decided correctly, of all outputs

    def keeps(self, dimension: int) -> bool:
        """Whether the (d, d) covariance is kept."""
        return dimension <= WIDE if self.covariance is None else self.covariance

    def add(self, features: Tensor, labels: Any, layer: nn.Linear) -> None:
        """Add a batch of the first look."""
        with _numbered(f"batch {self.batches + 1}"):
            features, labels, ignored = self._kept(features, labels, layer)
            if len(labels):
                with plainly():
                    running = self.running or self._begin(features.device, layer)
                    running.add(features, labels)
                    self.running = running
        self.batches += 1
        self.ignored += ignored
        self.forget_second()

    def review(self, features: Tensor, labels: Any, layer: nn.Linear) -> None:
        """Add a batch of the second look."""
        running = self.require_samples()
        begun = self.second is not None
        try:
            with _numbered(f"second look, batch {self.reviewed + 1}"), plainly():
                features, labels, _ = self._kept(features, labels, layer)
                if not begun:
                    self._begin_second(running.stats, self.head(layer))
                if len(labels):
                    self._look_again(features.to(running.device), labels.to(running.device))
        except BaseException:
            if not begun:
                self.forget_second()
            raise
        self.reviewed += 1

    def forget_second(self) -> None:
        """As if there had been no second look."""
        self.second = self._full = self._place = None
        self.reviewed = self._right = 0

    def head(self, layer: nn.Linear) -> Head:
        """A float64 copy of the layer, beside the statistics."""
        head = Head.of(layer)
        if self.running is None:
            return head
        return Head(head.weight.to(self.running.device), head.bias.to(self.running.device))

    @property
    def first(self) -> ClassStats:
        """The statistics of the first look."""
        return self.require_samples().stats

    @property
    def stats(self) -> ClassStats | ProjectedStats:
        """The statistics, of both looks where there were two."""
        if self.second is None:
            return self.first
        try:
            seen = self.second.stats
        except ValueError as error:
            told = f"{error}. What the first look said: meter.report(passes=1)"
            raise ValueError(told) from None
        if self._place is None:
            return seen
        first = self.first
        return ProjectedStats(
            first.counts, first.means, first.scatter, first.spread, seen.basis, seen.along
        )  # fmt: skip

    @property
    def decisions(self) -> Decisions | None:
        """What the head decided in the second look; None where there was none."""
        if self.second is None:
            return None
        found = self.second.decisions
        return found if self._place is None else Decisions(
            found.total, self._right, found.agreeing
        )  # fmt: skip

    def require_samples(self) -> RunningStats:
        """The running statistics, or a ValueError where there are none yet."""
        if self.running is None:
            ignored = f", {self.ignored} were ignored" if self.ignored else ""
            raise ValueError(
                f"meter: expected samples, none were added{ignored}: call update(batch, labels) "
                f"or measure(loader) first"
            )
        return self.running

    def merge(self, other: Tally, layer: nn.Linear) -> None:
        """Add the samples of another tally."""
        if other.running is not None:
            self.take(other.first, layer)
        self.ignored += other.ignored
        self.batches += other.batches

    def take(self, stats: ClassStats, layer: nn.Linear, what: str = "merge") -> None:
        """Add the statistics of other samples of the layer."""
        C, d = stats.means.shape
        outputs, width = layer.out_features, layer.in_features or d  # 0: a lazy layer
        if (C, d) != (outputs, width):
            raise ValueError(
                f"{what}: expected statistics of {outputs} classes and {width} features, those "
                f"of the layer, got {C} and {d}: CollapseMeter(model, layer=...) names another"
            )
        kept, running = stats.scatter is not None, self.running
        here = self.covariance if running is None else running.covariance
        if here not in (None, kept):
            raise ValueError(
                f"{what}: expected both with the within-class covariance, or both without: "
                f"CollapseMeter(model, covariance=...)"
            )
        if running is None:
            running = RunningStats(C, d, covariance=kept, device=stats.means.device)
        with plainly():
            plain = ClassStats(stats.counts, stats.means, stats.scatter, stats.spread)
            running.merge(plain.to(running.device))
        self.running = running
        self.forget_second()

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers that ``load_state_dict`` takes back; of the first look alone."""
        tensors = {} if self.running is None else tensors_of(self.running.stats)
        return {"ignored": self.ignored, "batches": self.batches} | tensors

    def load_state_dict(self, state: Mapping[str, Any], layer: nn.Linear) -> None:
        """Continue from a state; what is not one leaves everything as it was."""
        fresh, stats = Tally(self.covariance, self.ignore_index), stats_in(state)
        ignored, batches = number_in(state, "ignored"), number_in(state, "batches")
        if stats is not None:
            fresh.take(stats, layer, "state")
        self.running, self.ignored, self.batches = fresh.running, ignored, batches
        self.forget_second()

    def _begin(self, device: torch.device, layer: nn.Linear) -> RunningStats:
        home = "cpu" if device.type == "mps" else device  # no float64 on Apple GPUs
        d = layer.in_features
        return RunningStats(layer.out_features, d, covariance=self.keeps(d), device=home)

    def _kept(self, features: Tensor, labels: Any, layer: nn.Linear) -> tuple[Tensor, Tensor, int]:
        """Features and labels without the ignored ones, and how many these are."""
        C, d = layer.out_features, layer.in_features
        return samples_of(features, labels, C, d, self.ignore_index)

    def _begin_second(self, stats: ClassStats, head: Head) -> None:
        few, rows, seen = seen_only(stats, head)
        second = SecondPass(few, rows)
        if len(seen) < stats.num_classes:
            self._place = torch.full_like(stats.counts, -1)
            self._place[seen] = torch.arange(len(seen), device=seen.device)
        self.second, self._full = second, head

    def _look_again(self, features: Tensor, labels: Tensor) -> None:
        assert self.second is not None and self._full is not None
        if self._place is None:
            self.second.add(features, labels)
            return
        place = self._place[labels]
        if bool((place < 0).any()):
            raise ValueError(
                f"labels: expected classes of the first look, which had none of class "
                f"{int(labels[place < 0][0])}"
            )
        self.second.add(features, place)
        self._right += int((self._full.logits(features).argmax(1) == labels).sum())


@contextmanager
def plainly() -> Iterator[None]:
    """Without gradients; tensors made in inference mode could not be added to outside of it."""
    with torch.inference_mode(False), torch.no_grad():
        yield


@contextmanager
def _numbered(batch: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{batch}: {error}") from None
