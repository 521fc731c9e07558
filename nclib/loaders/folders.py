"""Folders of image files, one folder a class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ..files import DataError
from .images import Images

__all__ = ["of_folder"]

SPLIT_FOLDERS = {"train": ("train", "training"), "test": ("test", "val", "valid", "validation")}


def of_folder(path: Path, split: str | None) -> Images:
    """The images of a folder with one folder a class, or with such folders for the splits."""
    from torchvision.datasets import ImageFolder

    folder = _split_of(path, split)
    try:
        found = ImageFolder(str(folder), loader=_open, allow_empty=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    counts = torch.bincount(torch.tensor(found.targets).long(), minlength=len(found.classes))
    empty = [name for name, count in zip(found.classes, counts.tolist(), strict=True) if not count]
    if empty:
        raise DataError(
            f"{folder}: expected images in every folder of a class, got none in "
            f"{', '.join(empty[:3])}{' and others' * (len(empty) > 3)}"
        )
    paths = [path for path, _ in found.samples]
    return Images(str(folder), found, len(found.classes), tuple(found.classes), None, paths)


def _split_of(path: Path, split: str | None) -> Path:
    """The folder that holds the classes: the path, or its part for a split."""
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: expected a folder with one folder a class, got a file")
    inner = _folders(path)
    known = {folder: part for part, names in SPLIT_FOLDERS.items() for folder in names}
    if inner and set(inner) <= set(known):
        asked = split or "train"
        # "val" and "test" may both be there: a name of a folder is taken as it stands.
        for name in (asked, *SPLIT_FOLDERS.get(asked, ())):
            if name in inner:
                return _require_classes(path / name)
        raise DataError(
            f"{path}: expected a folder for the split {asked!r}, got {', '.join(inner)}"
        )
    if split is not None and split not in inner:
        raise DataError(f"{path}: has no folder for the split {split!r}; leave --split out for all")
    return _require_classes(path / split if split is not None else path)


def _require_classes(folder: Path) -> Path:
    if not _folders(folder):
        raise DataError(
            f"{folder}: expected one folder a class, such as {folder / 'cat' / '1.png'}, got none"
        )
    return folder


def _folders(path: Path) -> list[str]:
    """The folders within; an unreadable one anywhere below would be passed over in silence."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot read this folder: {error.strerror}") from error

    for _ in os.walk(path, onerror=refuse, followlinks=True):
        pass
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())


def _open(path: str) -> Any:
    """The image in its own mode: torchvision's opener would cut 16 bits to 8 in silence."""
    from PIL import Image

    with open(path, "rb") as file:
        image = Image.open(file)
        image.load()
    return image
