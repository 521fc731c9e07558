"""Labeled images by name, as batches: folders of files, the papers' sets, torchvision's.

Images come in the order of the set, without any random change. Each is brought to the size, range
and channels that the network was made for by a ``Preparation``. A file that is no whole image is
named with its path.

Chapter: measure.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from ..data import NAMES
from .folders import of_folder
from .images import Batches, Images
from .preparation import Preparation
from .sets import of_image_set, of_papers, of_torchvision

__all__ = ["Batches", "Images", "Preparation", "find", "of_image_set"]


def find(
    where: str,
    *,
    split: str | None = None,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Images:
    """The images of a name: ``imagefolder:PATH`` or a folder, one of the papers' sets such as
    digits, or ``torchvision:CIFAR100``.

    ``split`` is "train" where none is given; of a folder without folders for splits, all is taken.
    ``root`` is where torchvision keeps its files, and ``download`` fetches missing ones.
    What is not there, or not of this form, raises FileNotFoundError, ValueError or DataError.

    Chapter: measure.

    >>> images = find("digits", split="test")
    >>> len(images), images.num_classes, str(images.native)
    (397, 10, "center 8 x 8, mean 0.287, std 0.3537 (digits' own)")
    """
    origin, colon, inner = where.partition(":")
    if where in NAMES:
        return of_papers(where, split or "train", root, download)
    if colon and origin == "torchvision":
        return of_torchvision(inner, split or "train", root, download)
    if colon and origin == "imagefolder":
        return of_folder(Path(inner).expanduser(), split)
    if Path(where).expanduser().exists():
        return of_folder(Path(where).expanduser(), split)
    close = get_close_matches(where, NAMES, n=3, cutoff=0.6)
    nearest = f"; did you mean {' or '.join(close)}?" if close else ""
    raise FileNotFoundError(
        f"data: expected a folder, imagefolder:PATH, torchvision:NAME or one of "
        f"{', '.join(NAMES)}, got {where!r}{nearest}"
    )
