"""A run that collapses on paper: looks at features that move from random places to a simplex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from torch import Tensor

from nclib import ClassStats, Decisions, Head, decide, explorers, simplex_etf
from nclib.explorers import portraits
from nclib.explorers.looks import Looks
from nclib.explorers.page import Explorer, Picture

from .samples import random_sample

EPOCHS = (1, 2, 3, 4, 6, 9, 13, 14, 20, 35, 60, 100)


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a run, as ``observe`` yields it, as far as a portrait needs it."""

    epoch: int
    features: Tensor
    labels: Tensor
    head: Head
    split: str = "train"

    @property
    def stats(self) -> ClassStats:
        return ClassStats.of(self.features, self.labels, self.head.num_classes)

    @property
    def decisions(self) -> Decisions:
        return decide(self.features, self.labels, self.head, self.stats.means)


def collapsing(
    epochs: tuple[int, ...] = EPOCHS, num_classes: int = 4, per_class: int = 60
) -> list[Look]:
    """Features, means and classifier on their way, evenly in the index of the look."""
    start = random_sample(0, num_classes, 6, per_class, spread=0.3)
    vertices = simplex_etf(num_classes, 6)
    looks = []
    for k, epoch in enumerate(epochs):
        share = k / max(len(epochs) - 1, 1)
        features = start.features + share * (vertices[start.labels] - start.features)
        weight = start.head.weight + share * (vertices - start.head.weight)
        looks.append(Look(epoch, features, start.labels, Head(weight, start.head.bias)))
    return looks


LOOKS = Looks.of(collapsing(), (0, 1, 2), "train")


def portrait() -> Explorer:
    """The portrait of this run."""
    return explorers.portrait(collapsing())


def picture(setting: Mapping[str, float | bool | str]) -> Picture:
    """What the portrait of this run shows."""
    return portraits.picture(setting, LOOKS)


PORTRAIT = SimpleNamespace(FRAMES=("first", "chosen"), picture=picture)  # like a module
