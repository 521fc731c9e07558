"""How an image becomes network input: size, channels, range; never a random change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Preparation"]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
DEEP_MODES = ("I", "F")  # of Pillow: more than 8 bits a channel, which it would cut off


@dataclass(frozen=True)
class Preparation:
    """How an image becomes network input: shorter side, center crop, channels, mean and spread.

    ``resize`` is the shorter side before the crop, in pixels (0: as it is), ``size`` the side of
    the crop (0: no crop); with ``squash`` both sides become ``resize``. Values are divided by 255,
    then ``mean`` is subtracted and ``std`` divided by. Gray images become color where ``channels``
    is 3, and color gray where it is 1.   Chapter: measure.

    >>> prepare = Preparation(size=4, resize=6, mean=(0.5,), std=(0.5,), channels=1)
    >>> prepare(torch.zeros(1, 9, 6, dtype=torch.uint8)).unique(), prepare.words
    (tensor([-1.]), 'as asked')
    """

    size: int = 224
    resize: int = 256
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    channels: int = 3
    interpolation: str = "bilinear"
    squash: bool = False
    words: str = field(default="as asked", compare=False)

    def __post_init__(self) -> None:
        for name in ("size", "resize"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected pixels, got {getattr(self, name)}")
        if self.channels not in (1, 3):
            raise ValueError(f"channels: expected 1 or 3 of an image, got {self.channels}")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.channels):
                raise ValueError(
                    f"{name}: expected {self.channels} values, one a channel, "
                    f"got {getattr(self, name)}"
                )
        if min(self.std) <= 0:
            raise ValueError(f"std: expected positive values, got {self.std}")

    def __str__(self) -> str:
        scaled = f"shorter side {self.resize}, " if self.resize else ""
        scaled = f"both sides {self.resize}, " if self.squash else scaled
        cropped = f"center {self.size} x {self.size}, " if self.size else ""
        mean, std = (", ".join(f"{v:.4g}" for v in values) for values in (self.mean, self.std))
        return f"{scaled}{cropped}mean {mean}, std {std} ({self.words})"

    def __call__(self, image: Any) -> Tensor:
        """A Pillow image, or bytes (..., c, h, w), as network input (..., channels, size, size)."""
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as transforms

        image = self._in_color(image)
        if self.resize:
            side = [self.resize] * (2 if self.squash else 1)
            way = InterpolationMode(self.interpolation)
            image = transforms.resize(image, side, way, antialias=True)
        if self.size:
            image = transforms.center_crop(image, [self.size])
        pixels = image if isinstance(image, Tensor) else transforms.pil_to_tensor(image)
        mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (pixels.float() / 255 - mean) / std

    def _in_color(self, image: Any) -> Any:
        if not isinstance(image, Tensor):
            if image.mode.startswith(DEEP_MODES):
                raise ValueError(f"expected 8 bits a channel, got Pillow's mode {image.mode}")
            return image.convert("RGB" if self.channels == 3 else "L")
        if image.shape[-3] == self.channels:
            return image
        from torchvision.transforms import functional as transforms

        if self.channels == 1:
            return transforms.rgb_to_grayscale(image)
        return image.expand(*image.shape[:-3], 3, *image.shape[-2:])
