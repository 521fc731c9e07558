"""Image sets as tensors: bytes kept whole in memory, normalized a batch at a time.

Every set has ten classes: with more, the squared loss needs rescaling before it trains well.
`digits` and `synthetic` need no files; the other five are the ones of Han, Papyan & Donoho 2022,
read from torchvision's folder layout.

Source: Han, Papyan & Donoho 2022, Appendix A.1.   Chapter: how-to-run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad as add_border

from .files import ON_DISK, DataError, read

__all__ = ["NAMES", "NUM_CLASSES", "PER_CLASS", "SPLITS", "DataError", "ImageSet", "load"]

NAMES = ("digits", "synthetic", *ON_DISK)
"""Every image set that can be loaded, by name."""

SPLITS = ("train", "test")
"""The parts of an image set."""

PER_CLASS: dict[str, int | None] = {name: None for name in NAMES} | {"mnist": 5000, "svhn": 4600}
"""Training images per class in the papers; None: the set is balanced and used whole."""

NUM_CLASSES = 10
"""Every image set has ten classes."""

# Mean and standard deviation of value/255 per channel, over the train part. MNIST: the authors'
# notebook. CIFAR10: the same group's code of 2019, printed there times 255. FashionMNIST, SVHN
# and STL10: the papers print none; these are the usual published ones, our choice. digits and
# synthetic: computed here, tested.
_SCALE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "digits": ((0.2870,), (0.3537,)),
    "synthetic": ((0.4878,), (0.2028,)),
    "mnist": ((0.1307,), (0.3081,)),
    "fashionmnist": ((0.2860,), (0.3530,)),
    "cifar10": ((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)),
    "svhn": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
    "stl10": ((0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)),
}
_PAD = {"mnist": 2, "fashionmnist": 2}  # 28 to 32 pixels, the size of CIFAR10 and SVHN

_DIGITS_PER_CLASS = 140  # of 174 to 183; the rest is the test part


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labeled images of one split, and the constants that turn them into network input.

    Wrong types, shapes or label ranges raise TypeError or ValueError and name the field.

    Chapter: how-to-run.
    """

    images: Tensor  # (N, channels, height, width) uint8
    labels: Tensor  # (N,) int64, from 0 to num_classes - 1
    num_classes: int
    mean: tuple[float, ...]  # (channels,) of value/255
    std: tuple[float, ...]  # (channels,) of value/255
    name: str
    split: str
    pad: int  # pixels of value 0 added to each side by `batch`

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_labels(self.labels, len(self.images), self.num_classes)
        _check_scale(self)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the images in pixels, with the border that `batch` adds."""
        return self.images.shape[2] + 2 * self.pad

    @property
    def counts(self) -> Tensor:
        """Images of each class, (C,) int64."""
        return torch.bincount(self.labels, minlength=self.num_classes)

    def batch(self, index: Tensor) -> Tensor:  # (B,) int64 -> (B, channels, H + 2 pad, W + 2 pad)
        """The images at `index` as network input, float32: (value/255 - mean) / std.

        The border is black before normalization, as in the authors' notebook, so it comes out
        as -mean/std, not as 0.

        >>> images = load("synthetic", split="train")
        >>> images.batch(torch.tensor([3, 1, 4])).shape
        torch.Size([3, 1, 8, 8])
        """
        _check_index(index)
        padded = add_border(self.images[index], [self.pad] * 4)
        mean, std = self._scale
        return (padded.float() / 255 - mean) / std

    @cached_property
    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, (channels, 1, 1), beside the images.

        Made once: a recorded step may not copy from the host.
        """
        mean, std = (
            torch.tensor(scale, dtype=torch.float32, device=self.images.device).reshape(-1, 1, 1)
            for scale in (self.mean, self.std)
        )
        return mean, std

    def subset(self, index: Tensor) -> ImageSet:  # (M,) int64
        """The images at `index`, in that order."""
        _check_index(index)
        return replace(self, images=self.images[index], labels=self.labels[index])

    def balanced(self, per_class: int, seed: int) -> ImageSet:
        """A random subset with exactly `per_class` images of each class, in the set's own order.

        Drawn without replacement from a generator of its own. With the same seed a larger
        `per_class` only adds images. Which images the papers kept is not known.

        >>> load("digits", split="train").balanced(50, seed=0).counts.unique().tolist()
        [50]
        """
        if per_class < 1:
            raise ValueError(f"per_class: expected at least 1, got {per_class}")
        labels = self.labels.cpu()
        for c, count in enumerate(self.counts.tolist()):
            if count < per_class:
                raise ValueError(
                    f"per_class: expected at most {count}, as many as {self.name} {self.split} "
                    f"has of class {c}, got {per_class}"
                )
        return self.subset(_draw(labels, per_class, self.num_classes, seed).to(self.labels.device))

    def parted(self, per_class: int, held: int, seed: int) -> tuple[ImageSet, ImageSet]:
        """``balanced(per_class)``, and `held` other images of each class."""
        self.balanced(per_class + held, seed)  # raises where there are not enough
        kept, drawn = (
            _draw(self.labels.cpu(), count, self.num_classes, seed)
            for count in (per_class, per_class + held)
        )
        aside = drawn[~torch.isin(drawn, kept)].to(self.labels.device)
        return self.balanced(per_class, seed), self.subset(aside)

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set on another device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


def load(
    name: str, *, split: str, root: str | PathLike[str] | None = None, download: bool = False
) -> ImageSet:
    """The train or test part of an image set, whole; `balanced` cuts it to the papers' sizes.

    `root` is the folder of torchvision's data sets; digits and synthetic need none. With
    `download` missing files are fetched; without, they raise FileNotFoundError. A damaged file
    raises `DataError`, which names it, and is never replaced.

    Source: Han, Papyan & Donoho 2022, Appendix A.1.   Chapter: how-to-run.

    >>> len(load("digits", split="train")), len(load("digits", split="test"))
    (1400, 397)
    """
    if name not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    if split not in SPLITS:
        raise ValueError(f"split: expected 'train' or 'test', got {split!r}")
    if name in ON_DISK:
        images, labels = read(name, split, _folder(name, split, root), download)
    else:
        images, labels = _digits(split) if name == "digits" else _synthetic(split)
    mean, std = _SCALE[name]
    return ImageSet(images, labels, NUM_CLASSES, mean, std, name, split, _PAD.get(name, 0))


def _folder(name: str, split: str, root: str | PathLike[str] | None) -> Path:
    if root is None:
        raise ValueError(
            f"root: expected the folder that holds or shall hold {name}, got None; for example "
            f'load("{name}", split="{split}", root="data", download=True), or on the command line '
            "--root data --download"
        )
    return Path(root).expanduser()


def _digits(split: str) -> tuple[Tensor, Tensor]:
    """scikit-learn's 1,797 handwritten digits, 8x8, cut once for all into 1,400 and 397."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    # Gray levels 0 to 16 become bytes by 15, the largest whole factor that stays within 255;
    # normalization takes the factor out again.
    images = torch.as_tensor(bunch["images"] * 15).to(torch.uint8)[:, None]
    labels = torch.as_tensor(bunch["target"]).long()
    train = torch.zeros(len(labels), dtype=torch.bool)
    train[_draw(labels, _DIGITS_PER_CLASS, NUM_CLASSES, seed=0)] = True
    keep = train if split == "train" else ~train
    return images[keep], labels[keep]


def _synthetic(split: str) -> tuple[Tensor, Tensor]:
    """Ten random 8x8 prototypes under noise of equal strength; whole numbers, so no rounding."""
    shared = torch.Generator().manual_seed(0)
    own, per_class = (1, 100) if split == "train" else (2, 50)
    prototypes = torch.randint(256, (NUM_CLASSES, 1, 8, 8), generator=shared)
    labels = torch.arange(NUM_CLASSES).repeat(per_class)
    noise = torch.randint(256, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(own))
    return ((prototypes[labels] + noise) // 2).to(torch.uint8), labels


def _draw(labels: Tensor, per_class: int, num_classes: int, seed: int) -> Tensor:
    """Sorted positions of `per_class` images of each class."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for c in range(num_classes):
        members = (labels == c).nonzero().flatten()
        drawn.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(drawn).sort().values


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.uint8:
        raise TypeError(f"images: expected uint8, got {images.dtype}")
    if images.ndim != 4 or 0 in images.shape:
        shape = tuple(images.shape)
        raise ValueError(f"images: expected (N, channels, height, width), none 0, got {shape}")


def _check_labels(labels: Tensor, count: int, num_classes: int) -> None:
    if labels.dtype != torch.int64:
        raise TypeError(f"labels: expected int64, got {labels.dtype}")
    if labels.shape != (count,):
        raise ValueError(f"labels: expected ({count},) to match images, got {tuple(labels.shape)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"labels: expected 0 to {num_classes - 1} for num_classes = {num_classes}, "
            f"got {low} to {high}"
        )


def _check_scale(images: ImageSet) -> None:
    channels = images.images.shape[1]
    for word, scale in (("mean", images.mean), ("std", images.std)):
        if len(scale) != channels:
            raise ValueError(f"{word}: expected {channels} values, one a channel, got {scale}")
    if min(images.std) <= 0:
        raise ValueError(f"std: expected positive values, got {images.std}")
    if images.pad < 0:
        raise ValueError(f"pad: expected 0 or more pixels, got {images.pad}")


def _check_index(index: Tensor) -> None:
    # A byte or Boolean tensor would select by mask, silently.
    if index.dtype != torch.int64:
        raise TypeError(f"index: expected int64, got {index.dtype}")
    if index.ndim != 1:
        raise ValueError(f"index: expected (B,), got {tuple(index.shape)}")
