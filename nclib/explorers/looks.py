"""The looks at a run that a portrait keeps: few epochs, few features, in whole thousandths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..decisions import Decisions
from ..head import Head
from ..metrics import measure
from ..portrait import Portrait, closest_frame
from ..stats import ClassStats

__all__ = ["Looks", "Seen"]

POINTS = 60  # features of a class
MOST = 12  # looks
BEYOND = 3.0  # a feature further out is kept at this distance
FINE = 1000  # places are kept in thousandths


class Seen(Protocol):
    """What the explorer needs to know of one look at a run: an ``Observation`` has it."""

    @property
    def epoch(self) -> int: ...
    @property
    def split(self) -> str: ...
    @property
    def features(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def stats(self) -> ClassStats: ...
    @property
    def head(self) -> Head: ...
    @property
    def decisions(self) -> Decisions: ...


@dataclass(frozen=True, eq=False)
class Looks:
    """A run as the explorer keeps it: few looks, few features, in thousandths of a unit."""

    classes: tuple[int, ...]
    counts: tuple[int, ...]  # features of each class
    epochs: tuple[int, ...]
    errors: tuple[float, ...]  # of the classifier, in percent
    nc1: tuple[float, ...]
    simplex: Tensor  # (3, 3) int
    places: Tensor  # (looks, n + 6, 3) int: features class by class, means, classifier

    @classmethod
    def of(cls, seen: Iterable[Seen], classes: Sequence[int], split: str) -> Looks:
        """Looks evenly spaced in the logarithm of the epoch, all in the frame of the last one."""
        looks = _chosen([one for one in seen if one.split == split], split)
        last = looks[-1]
        frame = closest_frame(last.stats, classes)
        chosen = [torch.nonzero(last.labels.cpu() == c).flatten()[:POINTS] for c in classes]
        index = torch.cat(chosen)
        portraits = [
            Portrait.of(
                one.stats, one.head, one.features.cpu()[index], one.labels.cpu()[index],
                classes=classes, frame=frame,
            )
            for one in looks
        ]  # fmt: skip
        # The same images at every look, so that a dot is one image that moves.
        if any(not torch.equal(one.labels, portraits[0].labels) for one in portraits):
            raise ValueError("seen: expected the same labels at every epoch, in the same order")
        return cls(
            classes=portraits[0].classes,
            counts=tuple(len(part) for part in chosen),
            epochs=tuple(one.epoch for one in looks),
            errors=tuple(float(f"{100 - 100 * one.decisions.accuracy:.3g}") for one in looks),
            nc1=tuple(_nc1(one) for one in looks),
            simplex=_thousandths(portraits[0].simplex),
            places=torch.stack([_places(one) for one in portraits]),
        )

    def data(self) -> dict[str, object]:
        """What the script needs to draw the same picture."""
        kept = {name: list(getattr(self, name)) for name in ("counts", "epochs", "errors", "nc1")}
        places = self.places.flatten(1).tolist()
        return {**kept, "simplex": self.simplex.flatten().tolist(), "places": places}


def _chosen(looks: list[Seen], split: str) -> list[Seen]:
    """The first look, the last, and those nearest to even steps of log epoch in between."""
    epochs = [one.epoch for one in looks]
    if len(looks) < 2 or epochs[0] < 1 or sorted(set(epochs)) != epochs:
        raise ValueError(
            f"seen: expected two looks or more at the {split} images of one run, in the order of "
            f"their epochs from 1 on, got epochs {epochs}"
        )
    logs = torch.tensor(epochs, dtype=torch.float64).log()
    even = torch.linspace(float(logs[0]), float(logs[-1]), MOST, dtype=torch.float64)
    nearest = (logs[None] - even[:, None]).abs().argmin(dim=1)
    return [looks[k] for k in sorted(set(nearest.tolist()))]


def _nc1(one: Seen) -> float:
    return float(f"{measure(one.stats, one.head)['relative_variability']:.3g}")


def _thousandths(places: Tensor) -> Tensor:
    return (places * FINE).round().to(torch.int64)


def _places(one: Portrait) -> Tensor:
    norms = one.features.norm(dim=1, keepdim=True)
    features = one.features * (BEYOND / norms.clamp(min=BEYOND))
    return _thousandths(torch.cat([features, one.means, one.classifier]))
