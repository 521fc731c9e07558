"""Neural collapse as a metric of torchmetrics, on one process or many.

metric = CollapseMetric(head=model.fc, ridge=1e-3)
for images, labels in loader:
    metric.update(model.trunk(images), labels)
metric.compute()["relative_variability"]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities.prints import rank_zero_warn

from ..decomposition import LossTerms, decompose
from ..head import Head, require_ridge
from ..metrics import METRICS
from ..models.batches import samples_of
from ..report import seen_only
from ..stats import ClassStats, check_sample
from .packing import Packing, unseen
from .scalars import named_terms

__all__ = ["CollapseMetric"]


class CollapseMetric(Metric):
    """Every measurement of ``METRICS`` and the three terms of the loss, as a metric.

    ``update(features, labels)`` takes a batch, (B, d) and (B,); ``compute()`` is a dict of float64
    scalars. Processes are joined by the exact merge of their class statistics, so the value is
    that of all samples together however they were dealt out.

    ``head`` is the layer, looked at whenever a value is asked for, or a fixed ``Head``; it says
    how many classes and features there are. Without it pass both numbers: the state must have its
    size before the first sample, for a process may get none. What needs the head is then left
    out, as are ``relative_variability`` and its sum without ``covariance`` and the terms
    ``loss_nc1``, ``loss_nc23`` and ``loss_perp`` without ``ridge``.

    The state is float64 whatever happens to the model: C (d + 2) numbers, and d^2 more with
    ``covariance``. Classes without a sample are left out, with a warning from ``compute``, as a
    report does; with fewer than two classes every value is NaN.

    Copies of the metric look at the same layer, unless the layer was copied with them. Further
    keywords are those of ``torchmetrics.Metric``.   Chapter: measure.

    >>> metric = CollapseMetric(2, 1)
    >>> metric.update(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([0, 0, 1]))
    >>> round(float(metric.compute()["variance_ratio"]), 4)
    0.1875
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    def __init__(
        self,
        num_classes: int | None = None,
        num_features: int | None = None,
        *,
        head: nn.Linear | Head | None = None,
        ridge: float | None = None,
        covariance: bool = True,
        ignore_index: int | None = -100,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        C, d = _sizes(num_classes, num_features, head)
        _require_terms(ridge, head, covariance)
        self._looked_at = None if head is None else _Reference(head)
        self.packing = Packing(C, d, covariance)
        self.ridge = ridge
        self.ignore_index = ignore_index
        self._one_batch = False
        self.add_state("packed", self.packing.empty(), dist_reduce_fx=self.packing.merged)

    # A property, not a tensor that every update would rewrite: merging (d, d) matrices batch by
    # batch costs more than the batch.
    @property
    def packed(self) -> Tensor:
        """The state in one row, as torchmetrics copies, gathers and restores it."""
        return self.packing.pack(self._running.stats)

    @packed.setter
    def packed(self, row: Tensor) -> None:
        stats = self.packing.unpack(row)
        running = self.packing.running(row.device)
        if stats.total_count:
            running.merge(stats)
            self._update_count = max(self._update_count, 1)  # loaded or merged into an unused one
        self._running = running
        self._computed = None

    def update(self, features: Tensor, labels: Any) -> None:
        """Add a batch: features (B, d), labels (B,), where ``ignore_index`` is left out.

        Labels are whole numbers of any type, in a tensor, an array or a list.
        """
        features, labels = self._kept(features, labels)
        if len(labels):
            self._running.add(features, labels)

    def compute(self) -> dict[str, Tensor]:
        """Every value of the samples so far, those of all processes together."""
        stats = self._running.stats
        missing = unseen(stats)
        if missing and not self._one_batch:
            rank_zero_warn(f"CollapseMetric: {missing}; they are left out", UserWarning)
        return {
            name: torch.tensor(value, dtype=torch.float64, device=stats.means.device)
            for name, value in self._measured(stats, self.head).items()
        }

    def forward(self, features: Tensor, labels: Any) -> dict[str, Tensor]:
        """The values of this batch alone; its samples count for ``compute`` as well.

        In a loop call ``update``: this computes every measurement of each batch.
        """
        kept, their_labels = self._kept(features, labels)
        if len(their_labels):  # a refusal in mid-forward would lose the samples before
            check_sample(kept, their_labels, self.packing.num_classes)
        self._one_batch = True
        try:
            return super().forward(features, labels)
        finally:
            self._one_batch = False

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the samples of another such metric, or of a state of one."""
        if isinstance(incoming_state, CollapseMetric):
            incoming_state = {"packed": incoming_state.packed}
        if isinstance(incoming_state, dict) and "packed" in incoming_state:
            self.packing.require_row(incoming_state["packed"])  # before anything is stacked
        super().merge_state(incoming_state)

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """One value or a list of them, such as those of each epoch, by torchmetrics' plot."""
        return self._plot(val, ax)

    @property
    def head(self) -> Head | None:
        """A float64 copy of the layer as it is now, where the statistics are."""
        if self._looked_at is None:
            return None
        seen = self._looked_at.to
        head = seen if isinstance(seen, Head) else Head.of(seen)
        device = self._running.device
        return Head(head.weight.to(device), head.bias.to(device))

    @property
    def stats(self) -> ClassStats:
        """The class statistics of this process's samples so far."""
        return self._running.stats

    def set_dtype(self, dst_type: str | torch.dtype) -> CollapseMetric:
        """Nothing: the state stays in float64."""
        return self

    def __hash__(self) -> int:
        # The base class hashes the state, which is another tensor each time it is asked for.
        return hash((type(self), id(self)))

    def _apply(self, fn: Callable, exclude_state: Any = "") -> nn.Module:
        """Follow the model to its device, never to its precision."""

        def moved(tensor: Tensor) -> Tensor:
            device = fn(torch.zeros(1, device=tensor.device)).device
            return tensor if device.type == "mps" else tensor.to(device)  # no float64 there

        return super()._apply(moved, exclude_state)

    def _kept(self, features: Any, labels: Any) -> tuple[Tensor, Tensor]:
        C, d = self.packing.num_classes, self.packing.dimension
        return samples_of(features, labels, C, d, self.ignore_index)[:2]

    def _measured(self, stats: ClassStats, head: Head | None) -> dict[str, float]:
        """The values of the classes that were seen; NaN where those are fewer than two."""
        enough = int((stats.counts > 0).sum()) >= 2
        rows: Any = None
        if enough:
            # Without a head any will do: what needs one is not asked for.
            stats, rows, _ = seen_only(stats, head or Head(stats.means, stats.spread))
        values = {}
        for name, metric in METRICS.items():
            no_head = head is None and "head" in metric.needs
            if not no_head and not (metric.needs_scatter and stats.scatter is None):
                values[name] = metric(stats, rows) if enough else math.nan
        if self.ridge is not None:
            nothing = LossTerms(math.nan, math.nan, math.nan)
            values |= named_terms(decompose(stats, rows, self.ridge) if enough else nothing)
        return values


class _Reference:
    """Something the metric looks at but does not own: no submodule of it, not copied with it."""

    def __init__(self, to: nn.Linear | Head) -> None:
        self.to = to

    def __deepcopy__(self, memo: dict) -> _Reference:
        return _Reference(memo.get(id(self.to), self.to))


def _sizes(
    num_classes: int | None, num_features: int | None, head: nn.Linear | Head | None
) -> tuple[int, int]:
    """C and d, as given or as the head says."""
    if head is not None:
        if not isinstance(head, nn.Linear | Head):
            raise TypeError(
                f"head: expected torch.nn.Linear or nclib.Head, got {type(head).__name__}"
            )
        C, d = head.weight.shape
        asked = (
            C if num_classes is None else num_classes,
            d if num_features is None else num_features,
        )
        if asked != (C, d):
            raise ValueError(
                f"head: expected {asked[0]} classes and {asked[1]} features, got {C} and {d}"
            )
        num_classes, num_features = C, d
    for name, value, least in (("num_classes", num_classes, 2), ("num_features", num_features, 1)):
        if not isinstance(value, int) or value < least:
            hint = "" if value is not None else "; pass it, or the head=, which knows it"
            raise ValueError(f"{name}: expected a whole number >= {least}, got {value!r}{hint}")
    return num_classes, num_features  # pyright: ignore


def _require_terms(ridge: float | None, head: Any, covariance: bool) -> None:
    """Raise a ValueError where the three terms are asked for and can't be had."""
    if ridge is None:
        return
    require_ridge(ridge)
    if head is None:
        raise ValueError("ridge: expected a head= as well, the three terms are those of a head")
    if not covariance:
        raise ValueError("ridge: expected covariance=True, the three terms need all of Sigma_W")
