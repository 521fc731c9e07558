"""Image sets by name: those of the papers, and torchvision's."""

from __future__ import annotations

import inspect
from collections.abc import Sized
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..data import SPLITS, ImageSet, load
from ..files import DataError
from .images import Images
from .preparation import Preparation

__all__ = ["of_image_set", "of_papers", "of_torchvision"]


def of_papers(name: str, split: str, root: Any, download: bool) -> Images:
    """A set of nclib.data, prepared as the papers do unless another way is asked for."""
    return of_image_set(load(name, split=split, root=root, download=download), split)


def of_image_set(images: ImageSet, split: str) -> Images:
    """An image set that is in memory already; its own constants prepare it.   Chapter: measure."""
    own = f"{images.name}'" if images.name.endswith("s") else f"{images.name}'s"
    native = Preparation(
        images.size, 0, images.mean, images.std, images.images.shape[1], words=f"{own} own"
    )
    return Images(f"{images.name}, {split}", images, images.num_classes, native=native)


def of_torchvision(name: str, split: str, root: Any, download: bool) -> Images:
    """A data set of torchvision by its class's name; it must give one label an image."""
    from torchvision import datasets

    families = {n: v for n, v in vars(datasets).items() if inspect.isclass(v) and n[0].isupper()}
    if name not in families:
        close = get_close_matches(name, families, n=3, cutoff=0.5)
        nearest = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"data: expected a data set of torchvision, got {name!r}{nearest}")
    if split not in SPLITS and "train" in inspect.signature(families[name]).parameters:
        raise ValueError(f"split: expected 'train' or 'test' of {name}, got {split!r}")
    offered = {
        "root": None if root is None else str(Path(root).expanduser()),
        "train": split == "train", "split": split, "image_set": split, "download": download,
    }  # fmt: skip
    taken = inspect.signature(families[name]).parameters
    if "root" in taken and root is None and taken["root"].default is inspect.Parameter.empty:
        raise ValueError(f"root: expected the folder of {name}'s files, got none; say --root")
    chosen = {key: value for key, value in offered.items() if key in taken}
    try:
        found = families[name](**chosen)
    except Exception as error:  # each set has its own ways; all say what is missing
        fetch = "" if download else "; --download fetches what can be fetched"
        raise DataError(f"torchvision:{name}: {error}{fetch}") from error
    if not isinstance(found, Sized) or not len(found):
        raise DataError(f"torchvision:{name}: expected images, got none")
    classes = getattr(found, "classes", ())
    paths = [sample[0] for sample in getattr(found, "samples", ())]
    count = len(classes) or getattr(found, "num_classes", None)
    said = f"torchvision:{name}" + (f", {split}" if {"train", "split"} & set(taken) else "")
    return Images(said, found, count, tuple(map(str, classes)), None, paths)
