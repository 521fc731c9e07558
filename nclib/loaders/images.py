"""Labeled images under a name, and their batches, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from ..data import ImageSet
from ..files import DataError
from .preparation import Preparation

__all__ = ["Batches", "Images"]


@dataclass(frozen=True)
class Images:
    """Labeled images under a name: where they come from, how many classes, what they look like.

    ``classes`` are the names of the classes where there are any, ``native`` is how the set itself
    is meant to be prepared, None for files of any size.   Chapter: measure.
    """

    name: str
    items: Any  # an ImageSet, or a sized collection of (image, label)
    num_classes: int | None
    classes: tuple[str, ...] = ()
    native: Preparation | None = None
    paths: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.items)

    def limited(self, count: int) -> Images:
        """At most so many images, evenly spaced, so that sorted classes keep their proportions."""
        if count < 1:
            raise ValueError(f"limit: expected at least 1, got {count}")
        if count >= len(self):
            return self
        chosen = torch.linspace(0, len(self) - 1, count, dtype=torch.float64).round().long()
        if isinstance(self.items, ImageSet):
            return replace(self, items=self.items.subset(chosen))
        paths = [self.paths[i] for i in chosen.tolist()] if len(self.paths) else ()
        return replace(self, items=Subset(self.items, chosen.tolist()), paths=paths)

    def batches(self, preparation: Preparation, batch_size: int, workers: int = 0) -> Batches:
        """Prepared batches of (images, labels), as often as they are asked for."""
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        if workers < 0:
            raise ValueError(f"workers: expected 0 or more, got {workers}")
        return Batches(self, preparation, batch_size, workers)


@dataclass(frozen=True)
class Batches:
    """Batches of (images (B, channels, size, size), labels (B,)); every iteration starts anew.

    An image that cannot be read raises DataError with its path.
    """

    images: Images
    preparation: Preparation
    batch_size: int
    workers: int = 0

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        items = self.images.items
        if isinstance(items, ImageSet):
            for index in torch.arange(len(items)).split(self.batch_size):
                yield self.preparation(items.images[index]), items.labels[index]
            return
        for batch in DataLoader(
            _Prepared(self.images, self.preparation), self.batch_size,
            num_workers=self.workers, collate_fn=_collate,
        ):  # fmt: skip
            if isinstance(batch, str):  # raised here: a worker would bury it in its traceback
                raise DataError(batch)
            yield batch


@dataclass(frozen=True)
class _Prepared(Dataset):
    """(network input, label) of each image; a text in place of those that cannot be read."""

    images: Images
    preparation: Preparation

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | str:
        try:
            image, label = self.images.items[index]
            if isinstance(image, Tensor) and image.dtype != torch.uint8:
                image = (image * 255).round().to(torch.uint8)
            return self.preparation(image), int(label)
        except Exception as error:  # Pillow, and readers of all formats, raise anything
            said = str(error) or type(error).__name__
            return f"{self._where(index)}: cannot be read as a labeled image: {said}"

    def _where(self, index: int) -> str:
        return self.images.paths[index] if self.images.paths else f"{self.images.name}[{index}]"


def _collate(items: list[tuple[Tensor, int] | str]) -> tuple[Tensor, Tensor] | str:
    for item in items:
        if isinstance(item, str):
            return item
    shapes = {tuple(item[0].shape) for item in items}  # pyright: ignore[reportAttributeAccessIssue]
    if len(shapes) > 1:
        return f"images of one size are needed, got {sorted(shapes)[:3]}; say --size"
    pixels, labels = zip(*items, strict=True)
    return torch.stack(pixels), torch.tensor(labels)
