"""Folders of image files, one folder a class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..files import DataError
from .images import Images

__all__ = ["of_folder"]

SPLIT_FOLDERS = {"train": ("train", "training"), "test": ("test", "val", "valid", "validation")}
STRAY = "__MACOSX"  # what some archives leave beside their content


def of_folder(path: Path, split: str | None) -> Images:
    """The images of a folder with one folder a class, or with such folders for the splits."""
    from torchvision.datasets import ImageFolder
    from torchvision.datasets.folder import IMG_EXTENSIONS

    folder = _split_of(path, split)
    _require_readable(folder)

    def shown(place: str) -> bool:
        """Hidden files, and those in hidden folders, are an editor's or a system's."""
        within = Path(place).relative_to(folder).parts
        return not any(map(_is_hidden, within)) and place.lower().endswith(IMG_EXTENSIONS)

    class Shown(ImageFolder):
        def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
            names = _folders(Path(directory))
            return names, {name: label for label, name in enumerate(names)}

    try:
        found = Shown(str(folder), loader=_open, is_valid_file=shown, allow_empty=True)
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
    _require_no_classes_within(folder, found.classes, paths)
    items = _Pictures(found.samples)
    return Images(str(folder), items, len(found.classes), tuple(found.classes), None, paths)


@dataclass(frozen=True)
class _Pictures:
    """(image, label) of each file; unlike a class within a function it reaches every process."""

    samples: list[tuple[str, int]]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return _open(path), label


def _split_of(path: Path, split: str | None) -> Path:
    """The folder that holds the classes: the path, or its part for a split."""
    if path.exists() and not path.is_dir():
        raise DataError(f"{path}: expected a folder with one folder a class, got a file")
    inner = _folders(path)
    known = {folder for names in SPLIT_FOLDERS.values() for folder in names}
    # Beside the splits there may be more, such as unlabeled images; and "train" may be a class.
    if inner and (set(inner) <= known or any(_folders(path / n) for n in known & set(inner))):
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


def _require_no_classes_within(folder: Path, classes: list[str], paths: list[str]) -> None:
    """A "class" without images of its own, but with several folders of them, holds classes.

    One folder more is a form of its own: Tiny ImageNet has n01443537/images/1.JPEG.
    """
    within: dict[str, set[str]] = {name: set() for name in classes}
    for path in paths:
        name, *inner = Path(path).relative_to(folder).parts
        within[name].add(inner[0] if len(inner) > 1 else "")
    for name, folders in within.items():
        if "" not in folders and len(folders) > 1:
            raise DataError(
                f"{folder}: expected one folder a class, {name} holds no images but folders of "
                f"them ({', '.join(sorted(folders)[:3])}): name the folder that holds the classes"
            )


def _folders(path: Path) -> list[str]:
    """The folders within, without hidden ones."""
    try:
        names = [entry.name for entry in os.scandir(path) if entry.is_dir()]
    except OSError as error:
        raise _unreadable(error) from error
    return sorted(name for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == STRAY


def _require_readable(folder: Path) -> None:
    """An unreadable folder anywhere below would be passed over in silence."""

    def refuse(error: OSError) -> None:
        raise _unreadable(error) from error

    for _ in os.walk(folder, onerror=refuse, followlinks=True):
        pass


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: cannot read this folder: {error.strerror}")


def _open(path: str) -> Any:
    """The image in its own mode: torchvision's opener would cut 16 bits to 8 in silence."""
    from PIL import Image

    with open(path, "rb") as file:
        image = Image.open(file)
        if image.format == "PNG":  # its checksums, which reading the pixels does not look at
            image.verify()
            file.seek(0)
            image = Image.open(file)
        image.load()
    return image
