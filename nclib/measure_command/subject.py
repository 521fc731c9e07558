"""What is measured: a network with its weights, and images prepared for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import catalog, loaders, weights
from ..cells import Cell, ridges_of
from ..loaders import Images, Preparation
from ..meter import CollapseMeter
from ..models.heads import first_guess, named
from ..observations import splits_of
from ..weights import Weights

__all__ = ["Subject", "Wish"]

OUR_SIZE = 32  # of the papers' networks on files of any size
TRANSFORMS = ("auto", "model", "data")


@dataclass(frozen=True)
class Wish:
    """What the options of the command say, before anything is opened."""

    model: str | None = None
    checkpoint: Path | None = None
    data: str | None = None
    split: str | None = None
    root: Path | None = None
    download: bool = False
    key: str | None = None
    layer: str | None = None
    num_classes: int | None = None
    limit: int | None = None
    transform: str = "auto"
    size: int | None = None
    resize: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    options: tuple[tuple[str, Any], ...] = ()  # of the network's constructor

    def cell(self) -> Cell | None:
        """The cell of ours that the checkpoint is named as, where it has to say something."""
        if self.model is not None and self.data is not None:
            return None
        try:
            return Cell.parse(self.checkpoint.stem if self.checkpoint else "")
        except ValueError:
            pass
        if self.model is None:
            raise ValueError("model: expected --model, such as torchvision:resnet18, got none")
        raise ValueError("data: expected --data, such as a folder or digits, got none")

    def images(self, cell: Cell | None) -> Images:
        """The images that are asked for; of a cell, those that it trains on or is tested on."""
        if self.data is not None or cell is None:
            found = loaders.find(
                str(self.data), split=self.split, root=self.root, download=self.download
            )
        else:
            splits = splits_of(cell, root=self.root, download=self.download)
            split = self.split or "train"
            if split not in splits:
                raise ValueError(f"split: expected one of {', '.join(splits)}, got {split!r}")
            found = loaders.of_image_set(splits[split], split)
        return found if self.limit is None else found.limited(self.limit)


@dataclass(frozen=True)
class Subject:
    """A network in eval mode, the images it is measured on, and what was found out about both."""

    name: str
    model: nn.Module
    weights: Weights | None
    images: Images
    preparation: Preparation
    ridge: float = 0.0  # where none is asked for: a cell of ours knows its own
    own_weights: bool = False  # the constructor may load some: a factory, or told by an option
    counted: str = ""  # what decided how many outputs were built

    @classmethod
    def of(cls, wish: Wish) -> Subject:
        """Everything opened and fitted together, or an error that says what does not fit."""
        cell = wish.cell()
        ours = f"nclib:{cell.network}" if cell else ""
        source = catalog.find(wish.model or ours)
        stored = None if wish.checkpoint is None else weights.read(wish.checkpoint, wish.key)
        images = wish.images(cell)
        count, counted = wish.num_classes, "option"
        if count is None:
            count, counted = _classes(source, stored, images, wish)
        base = _base(source, images, wish.transform)
        channels = base.channels if source.origin == "nclib" else 3
        size = wish.size or base.size
        model = source.build(count, channels=channels, size=size, **dict(wish.options))
        if base.words == "":  # only the built network knows
            base = source.preparation(model) or base
        if stored is not None:
            stored.load_into(model, str(source))
        known = ridges_of(cell).get("consistent") if cell else None
        ridge = known["value"] if known else 0.0
        own = source.origin == "code" or bool(wish.options)
        prepared = _asked(base, model, wish)
        return cls(str(source), model, stored, images, prepared, ridge, own, counted)

    @property
    def origin_of_weights(self) -> str:
        """Where the numbers in the network come from, as far as it can be told."""
        if self.weights is not None:
            part = f" ({self.weights.key})" if self.weights.key else ""
            return f"weights of {self.weights.path}{part}"
        if self.own_weights:
            return f"weights as {self.name} builds it: no --checkpoint was given"
        return "random weights: no --checkpoint was given"

    def words(self) -> list[str]:
        """What is measured, a line each."""
        also = ""
        if self.weights is not None and self.weights.others:
            also = f"; it holds {', '.join(self.weights.others)} too, see --key"
        classes = self.images.num_classes
        counts = [_counted(len(self.images), "image")]
        counts += [_counted(classes, "class")] if classes else []
        return [
            f"model: {self.name}, {self.origin_of_weights}{also}",
            f"data: {self.images.name}, {', '.join(counts)}",
            f"images: {self.preparation}",
        ]

    def facts(self) -> dict[str, Any]:
        """The same for a record: names, paths, and how the images were prepared."""
        stored = self.weights
        return {
            "model": self.name,
            "weights": self.origin_of_weights,
            "checkpoint": None if stored is None else str(stored.path),
            "key": None if stored is None else stored.key,
            "data": self.images.name,
            "images": str(self.preparation),
        }

    def require_classes(self, meter: CollapseMeter) -> None:
        """The measures compare class c with row c of the layer: both must count the same."""
        classes = self.images.num_classes
        if classes is not None and classes != meter.num_classes:
            advice = {
                "checkpoint": f"the checkpoint's head has {meter.num_classes} outputs: measure it "
                "on images of those classes",
                "option": "see --num-classes and --layer",
            }.get(self.counted, "see --layer")
            raise ValueError(
                f"data: expected {meter.num_classes} classes, one for each output of {self.name}, "
                f"got the {classes} of {self.images.name}; {advice}"
            )


def _classes(
    source: catalog.Source, stored: Weights | None, images: Images, wish: Wish
) -> tuple[int | None, str]:
    """How many outputs to build, and who says so: the checkpoint's head, else the data."""
    if not source.takes_classes:
        return None, "model"
    if stored is None:
        if images.num_classes is None:
            raise ValueError("num_classes: this data does not say how many; give --num-classes")
        return images.num_classes, "data"
    outline = _outline(source, images.num_classes, dict(wish.options))
    head, _ = first_guess(outline) if wish.layer is None else named(outline, wish.layer)
    found = stored.named_as(outline.state_dict()).get(f"{head}.weight")
    return (images.num_classes, "data") if found is None else (found.shape[0], "checkpoint")


def _outline(source: catalog.Source, count: int | None, options: dict[str, Any]) -> nn.Module:
    """The network for its names alone: without numbers, where it can be built so."""
    try:
        with torch.device("meta"):
            return source.build(count, **options)
    except ValueError:  # some constructors look at their own numbers
        return source.build(count, **options)


def _base(source: catalog.Source, images: Images, transform: str) -> Preparation:
    """How the images are prepared before single options change it."""
    if transform == "data" or (transform == "auto" and images.native is not None):
        if images.native is None:
            raise ValueError(f"transform: {images.name} has no preparation of its own; say --size")
        return images.native
    named = None if transform in TRANSFORMS else transform
    if source.origin == "timm" and named is None:
        return Preparation(words="")
    known = None if source.origin == "timm" else source.preparation(nn.Identity(), named)
    if known is not None:
        return known
    if transform == "model":
        raise ValueError(f"transform: {source} has no published weights to follow; say --size")
    size = OUR_SIZE if source.origin == "nclib" else Preparation().size
    words = "our choice, as nothing was said: see --size, --resize, --mean and --std"
    return Preparation(size, size, words=words)


def _asked(base: Preparation, model: nn.Module, wish: Wish) -> Preparation:
    """The preparation with what the options change, for the channels that the network takes."""
    channels = catalog.channels_of(model)
    changed: dict[str, Any] = {} if channels is None else {"channels": channels}
    if wish.size is not None:
        changed |= {"size": wish.size, "resize": wish.size}
    for name in ("resize", "mean", "std"):
        if getattr(wish, name) is not None:
            changed[name] = getattr(wish, name)
    told = _told(wish, base)
    return replace(base, **changed, words=told) if changed else base


def _told(wish: Wish, base: Preparation) -> str:
    asked = [n for n in ("size", "resize", "mean", "std") if getattr(wish, n) is not None]
    if not asked:
        return base.words
    return f"{', '.join(asked)} as asked, else {base.words}"


def _counted(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count:,} {noun if count == 1 else plural}"
