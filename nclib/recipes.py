"""The recipe of every data set, network and loss: the papers' where they give one, else ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .data import NAMES
from .models import NETWORKS
from .training import LOSSES, Recipe

__all__ = ["DEPTHS", "LR_GRID", "RATES", "RECIPES", "Rate", "rate_of", "recipe_for"]

# 25 learning rates between 1e-4 and 0.25 (Papyan, Han & Donoho 2020).
LR_GRID = tuple(1e-4 * 2500 ** (k / 24) for k in range(25))

_PAPER = Recipe("mse", epochs=350, batch_size=128, learning_rate=LR_GRID[16], weight_decay=5e-4)
# The embedded digits are 1,400 images: small batches and four times the paper's weight decay
# bring them to collapse within seconds.
_DIGITS = Recipe("mse", epochs=100, batch_size=32, learning_rate=LR_GRID[23], weight_decay=2e-3)
# Cross-entropy asks for more: with the squared error's decay its NC1 fell only four- to sixfold
# in 25 epochs. Smaller drops of the rate leave the larger decay time to act.
_CROSS_ENTROPY = {"loss": "ce", "learning_rate": LR_GRID[17], "weight_decay": 2e-2, "drop": 0.3}
# Epochs and index of the rate, on the digits and on 2,000 images of a set on disk.
_THIN = {"thinvgg": (40, 23), "thinresnet": (30, 21), "thindensenet": (30, 23)}
_ON_DISK = {
    "thinvgg": (60, 23), "thinresnet": (60, 22), "thindensenet": (100, 23),
    "convnet": (60, 22), "plainnet": (60, 22),
}  # fmt: skip


def _both(recipe: Recipe, cross_entropy: Mapping[str, Any]) -> dict[str, Recipe]:
    return {"mse": recipe, "ce": replace(recipe, **cross_entropy)}


RECIPES: dict[tuple[str, str], dict[str, Recipe]] = {
    ("digits", "convnet"): _both(_DIGITS, {"loss": "ce"}),
    ("digits", "plainnet"): _both(replace(_DIGITS, learning_rate=LR_GRID[20]), {"loss": "ce"}),
    ("synthetic", "convnet"): _both(replace(_DIGITS, epochs=6), {"loss": "ce"}),
    **{
        ("digits", network): _both(
            replace(_DIGITS, epochs=epochs, learning_rate=LR_GRID[rate]), _CROSS_ENTROPY
        )
        for network, (epochs, rate) in _THIN.items()
    },
    **{
        ("mnist", network): _both(
            replace(_DIGITS, epochs=epochs, batch_size=128, learning_rate=LR_GRID[rate]),
            _CROSS_ENTROPY,
        )
        for network, (epochs, rate) in _ON_DISK.items()
    },
}
"""Recipes that are not the papers' but ours, by (data set, network), then loss: those of small
data sets and of thin networks, those of mnist standing for every set on disk."""

DEPTHS: dict[tuple[str, str], tuple[str, str, str]] = {
    ("mnist", "mse"): ("vgg11", "resnet18", "densenet40"),
    ("fashionmnist", "mse"): ("vgg11", "resnet18", "densenet250"),
    ("svhn", "mse"): ("vgg13", "resnet34", "densenet40"),
    ("cifar10", "mse"): ("vgg11", "resnet50", "densenet100"),
    ("stl10", "mse"): ("vgg11", "resnet18", "densenet201"),
    ("mnist", "ce"): ("vgg11", "resnet18", "densenet40"),
    ("fashionmnist", "ce"): ("vgg11", "resnet18", "densenet250"),
    ("svhn", "ce"): ("vgg11", "resnet18", "densenet40"),
    ("cifar10", "ce"): ("vgg13", "resnet18", "densenet40"),
    ("stl10", "ce"): ("vgg13", "resnet50", "densenet250"),
}
"""The papers' VGG, ResNet and DenseNet of each data set, by (data set, loss).

Source: Papyan, Han & Donoho 2020 for cross-entropy, Han, Papyan & Donoho 2022, Appendix A.2, for
the squared error.   Chapter: protocol.
"""


@dataclass(frozen=True)
class Rate:
    """A learning rate as an index of LR_GRID, and how it is known.

    ``evidence`` is "stated" by the authors, "inferred" from others' code, or "our choice".
    """

    index: int
    evidence: str
    source: str

    @property
    def value(self) -> float:
        """The learning rate."""
        return LR_GRID[self.index]


_NOTEBOOK = ("stated", "the authors' notebook")
_SELECTED = ("inferred", "the rates selected for the paper, as listed in the code of Rangamani "
             "et al. (2023)")  # fmt: skip
RATES: dict[tuple[str, str, str], Rate] = {
    ("mnist", "resnet18", "mse"): Rate(16, *_NOTEBOOK),
    ("mnist", "resnet18", "ce"): Rate(20, *_NOTEBOOK),
    ("cifar10", "resnet18", "ce"): Rate(22, "inferred", "an independent reproduction of the "
                                        "cross-entropy paper, which gives no origin"),
} | {
    (dataset, network, "mse"): Rate(index, *_SELECTED)
    for dataset, indices in {
        "mnist": (17, None, 17),
        "fashionmnist": (16, 21, 14),
        "svhn": (16, 14, 15),
        "cifar10": (17, 14, 19),
        "stl10": (16, 20, 9),
    }.items()
    for network, index in zip(DEPTHS[dataset, "mse"], indices, strict=True)
    if index is not None
}  # fmt: skip
"""Learning rates that are known, by (data set, network, loss)."""


def rate_of(dataset: str, network: str, loss: str) -> Rate:
    """The learning rate of a full-size cell: the known one, else the family's on that data set.

    Where nothing is known the rate of the authors' notebook for that loss is our choice.

    Source: Han, Papyan & Donoho 2022, Appendix A.3, and see ``Rate.source``.   Chapter: protocol.

    >>> rate_of("mnist", "resnet18", "mse").index, rate_of("mnist", "resnet34", "mse").evidence
    (16, 'our choice')
    """
    known = RATES.get((dataset, network, loss))
    if known is not None:
        return known
    family = NETWORKS[network].family
    for (d, n, l), rate in RATES.items():
        if (d, l) == (dataset, loss) and NETWORKS[n].family == family:
            return Rate(rate.index, "our choice", f"that of {n} on this data set")
    notebook = RATES["mnist", "resnet18", loss]
    return Rate(notebook.index, "our choice", "that of resnet18 on mnist with this loss")


def recipe_for(dataset: str, network: str, loss: str) -> Recipe:
    """The recipe of a data set, network and loss.

    Chapter: protocol.
    """
    for name, value, known in (
        ("dataset", dataset, NAMES), ("network", network, NETWORKS), ("loss", loss, LOSSES),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name}: expected one of {sorted(known)}, got {value!r}")
    if dataset in ("digits", "synthetic"):
        small = RECIPES.get((dataset, network), RECIPES[dataset, "convnet"])
        return small[loss]
    ours = RECIPES.get(("mnist", network))
    if ours is not None:
        return ours[loss]
    return replace(_PAPER, loss=loss, learning_rate=rate_of(dataset, network, loss).value)
