"""Samples the laws are tested on, seeded locally: no test touches the global generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nclib import ClassStats, Head, simplex_etf
from nclib.records import Run

# The first record of a run, as it stands in its file.
RUN = Run(
    id="a", cell={"dataset": "digits", "seed": 0}, recipe={"epochs": 3},
    ridge={"consistent": {"value": 0.01, "origin": "C wd / 2"}}, versions={"torch": "2"},
    commit="", device="cpu", precision="float32", started="2020-01-01T00:00:00+00:00",
    status="running",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """Features, labels and a head, before anything is computed from them."""

    features: Tensor  # (N, d)
    labels: Tensor  # (N,)
    head: Head
    num_classes: int

    @property
    def stats(self) -> ClassStats:
        return ClassStats.of(self.features, self.labels, self.num_classes)

    def with_features(self, features: Tensor) -> Sample:
        return replace(self, features=features)


def random_sample(
    seed: int, num_classes: int, dimension: int, counts: list[int] | int,
    *, spread: float = 1.0, offset: float = 0.0,
) -> Sample:  # fmt: skip
    """Random class means of size one, Gaussian spread around them, everything moved by offset."""
    g = torch.Generator().manual_seed(seed)
    counts = [counts] * num_classes if isinstance(counts, int) else counts
    labels = torch.repeat_interleave(torch.arange(num_classes), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=g)]
    means = torch.randn(num_classes, dimension, generator=g, dtype=torch.float64)
    noise = torch.randn(len(labels), dimension, generator=g, dtype=torch.float64)
    head = Head(
        torch.randn(num_classes, dimension, generator=g, dtype=torch.float64),
        torch.randn(num_classes, generator=g, dtype=torch.float64),
    )
    return Sample(means[labels] + spread * noise + offset, labels, head, num_classes)


def collapsed_sample(num_classes: int, dimension: int, per_class: int, frame: str) -> Sample:
    """Exact collapse: features on a simplex ETF (or orthogonal frame), head its multiple."""
    if frame == "simplex":
        vertices = simplex_etf(num_classes, dimension)
    else:
        vertices = torch.eye(num_classes, dimension, dtype=torch.float64)
    labels = torch.arange(num_classes).repeat(per_class)
    bias = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    return Sample(3 * vertices[labels], labels, Head(0.5 * vertices, bias), num_classes)


def orthogonal(seed: int, dimension: int) -> Tensor:
    """A random orthogonal matrix, (d, d)."""
    g = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(dimension, dimension, generator=g, dtype=torch.float64))[0]


def scatter_of(stats: ClassStats) -> Tensor:
    """The scatter (d, d) of statistics that kept it."""
    assert stats.scatter is not None
    return stats.scatter
