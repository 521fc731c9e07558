"""The notebook's way, in our own words, as the measure of ours.

Images are decoded, padded and normalized one by one in a DataLoader; steps are eager, in torch's
default layout and precision, and each reads its loss; the analysis takes the images twice, for
the class means and for one outer product per image.

Source: Han, Papyan & Donoho 2022, notebook.   Chapter: protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..cells import Cell, recipe_of
from ..data import ImageSet
from ..machine import Machine
from ..models import split
from .clock import Clock, Timing
from .ours import bounds, network

__all__ = ["OneByOne", "analysis", "steps", "two_passes"]

Batch = tuple[Tensor, Tensor, Tensor]  # features (B, d), logits (B, C), labels (B,)


class OneByOne(Dataset):
    """Images as a loader takes them, each by itself."""

    def __init__(self, images: ImageSet) -> None:
        from torchvision import transforms

        self.images = images
        self.decode = transforms.ToPILImage()
        self.transform = transforms.Compose(
            [
                transforms.Pad(images.pad),
                transforms.ToTensor(),
                transforms.Normalize(images.mean, images.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = self.transform(self.decode(self.images.images[i]))
        return image, int(self.images.labels[i])


def steps(cell: Cell, images: ImageSet, machine: Machine, seconds: float) -> Timing:
    """Steps of the notebook's training loop."""
    recipe = recipe_of(cell)
    model = network(cell, images).to(machine.device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )

    def train(count: int) -> None:
        part = OneByOne(images.subset(torch.arange(count * recipe.batch_size)))
        for batch, labels in DataLoader(part, recipe.batch_size, shuffle=True):
            batch, labels = batch.to(machine.device), labels.to(machine.device)
            optimizer.zero_grad()
            logits = model(batch)
            if recipe.loss == "ce":
                loss = nn.functional.cross_entropy(logits, labels)
            else:
                targets = nn.functional.one_hot(labels, num_classes=logits.shape[1]).float()
                loss = nn.functional.mse_loss(logits, targets)
            loss.backward()
            optimizer.step()
            loss.item()

    return Clock(machine, seconds).fit(train, 1, len(images) // recipe.batch_size)


def analysis(cell: Cell, images: ImageSet, machine: Machine, seconds: float) -> Timing:
    """Images of the training set, analyzed in two passes."""
    trunk, _ = split(network(cell, images).to(machine.device).eval())
    batch_size = recipe_of(cell).batch_size

    def analyze(count: int) -> None:
        part = OneByOne(images.balanced(count // images.num_classes, seed=0))

        def batches() -> Iterator[Batch]:
            for batch, labels in DataLoader(part, batch_size):
                yield *trunk(batch.to(machine.device)), labels.to(machine.device)

        two_passes(batches, images.num_classes)

    with torch.no_grad():
        return Clock(machine, seconds).fit(analyze, *bounds(images))


def two_passes(
    batches: Callable[[], Iterator[Batch]], num_classes: int
) -> tuple[Tensor, Tensor, float]:
    """Class means (C, d), Sigma_W (d, d) and NC4's mismatch, sample by sample in float32.

    ``batches()`` goes over all samples anew each time.

    Source: Han, Papyan & Donoho 2022, notebook.
    """
    sums: list[Any] = [0.0] * num_classes
    counts, loss = [0] * num_classes, 0.0
    for features, logits, labels in batches():
        loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        for c in range(num_classes):
            members = (labels == c).nonzero().flatten()
            sums[c] = sums[c] + features[members].sum(0)
            counts[c] += len(members)
    means = torch.stack([total / count for total, count in zip(sums, counts, strict=True)])
    within, agreeing = torch.zeros_like(means.T @ means), 0
    for features, logits, labels in batches():
        for c in range(num_classes):
            members = (labels == c).nonzero().flatten()
            if len(members) == 0:
                continue
            centered = features[members] - means[c]
            within += torch.matmul(centered[:, :, None], centered[:, None, :]).sum(0)
            nearest = torch.stack([(h - means).norm(dim=1) for h in features[members]]).argmin(1)
            agreeing += (logits[members].argmax(1) == nearest).sum().item()
    return means, within / sum(counts), 1 - agreeing / sum(counts)
