"""Neural collapse of any classifier: a hook on its last linear layer, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .head import Decisions, Head
from .projection import ProjectedStats, SecondPass
from .report import CollapseReport
from .running import RunningStats
from .stats import ClassStats

__all__ = ["CollapseMeter"]


class CollapseMeter:
    """Measures the last layer of a classifier.

    Chapter: measure.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str | None = None,
        *,
        num_classes: int | None = None,
        covariance: bool = True,
        ridge: float = 0.0,
        ignore_index: int | None = -100,
    ) -> None:
        self.model = model
        self.name, self.layer = _head_of(model, layer)
        self.num_classes = num_classes or self.layer.out_features
        self.covariance = covariance
        self.ridge = ridge
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget every sample."""
        self.running = RunningStats(
            self.num_classes, self.layer.in_features, covariance=self.covariance
        )
        self.second: SecondPass | None = None
        self.ignored = 0

    def update(self, batch: Any, labels: Tensor) -> Any:
        """Run the model on a batch in eval mode and add what its last layer saw; its output."""
        output, features = self._look(batch)
        self.add(features, labels)
        return output

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Add features (B, d) that are at hand already."""
        features, labels, ignored = self._kept(features, labels)
        if len(labels):
            self.running.add(features, labels)
        self.ignored += ignored
        self.second = None

    def review(self, batch: Any, labels: Tensor) -> Any:
        """Look at a batch once more: NC4, and NC1 where the covariance was not kept."""
        output, features = self._look(batch)
        self.review_features(features, labels)
        return output

    def review_features(self, features: Tensor, labels: Tensor) -> None:
        """The second look, at features (B, d) that are at hand."""
        if self.second is None:
            self.second = SecondPass(self.running.stats, self.head)
        features, labels, _ = self._kept(features, labels)
        if len(labels):
            self.second.add(features, labels)

    def measure(self, loader: Iterable, *, passes: int = 2) -> CollapseReport:
        """Everything about the samples of a loader of (batch, labels); from the start."""
        self.reset()
        for batch, labels in loader:
            self.update(batch, labels)
        if passes == 2 and iter(loader) is not loader:
            for batch, labels in loader:
                self.review(batch, labels)
        return self.report()

    def report(self) -> CollapseReport:
        """All that the samples so far say."""
        return CollapseReport.of(self.stats, self.head, self.decisions, self.ridge)

    @property
    def head(self) -> Head:
        """A float64 copy of the layer as it is now."""
        return Head.of(self.layer)

    @property
    def stats(self) -> ClassStats | ProjectedStats:
        """The class statistics of all samples so far."""
        return self.running.stats if self.second is None else self.second.stats

    @property
    def decisions(self) -> Decisions | None:
        """What the head decided on the samples of the second look, or None without one."""
        return None if self.second is None else self.second.decisions

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    def _look(self, batch: Any) -> tuple[Any, Tensor]:
        caught: list[Tensor] = []
        handle = self.layer.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        try:
            with self._evaluating():
                output = self.model(batch)
        finally:
            handle.remove()
        return output, caught[0].detach()

    def _kept(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, int]:
        if self.ignore_index is None:
            return features, labels, 0
        keep = labels != self.ignore_index
        return features[keep], labels[keep], int((~keep).sum())


def _head_of(model: nn.Module, layer: str | None) -> tuple[str, nn.Linear]:
    linear = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear)]
    if layer is not None:
        linear = [(n, m) for n, m in linear if n == layer]
    if not linear:
        raise ValueError("model: expected a linear layer")
    return linear[-1]
