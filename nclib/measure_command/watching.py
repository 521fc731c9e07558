"""Images through the network: tried with two images first, then measured, refusals in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from ..loaders import Batches
from ..meter import CollapseMeter
from ..report import CollapseReport
from .subject import Subject
from .wording import in_shell_words

__all__ = ["measured"]

TRIED = 2  # images: a size that was not meant shows before a whole batch fills the memory


def measured(
    subject: Subject,
    meter: CollapseMeter,
    batches: Batches,
    *,
    passes: int,
    ridge: Callable[[int], float],
) -> CollapseReport:
    """Everything about the batches; what the network cannot take is a ValueError.

    ``ridge`` gives that of the loss for a number of classes: only a forward pass tells which layer
    is the head, and how many outputs it has.
    """
    images, labels = next(iter(replace(batches, batch_size=TRIED, workers=0)))
    shape = " x ".join(map(str, images.shape[1:]))
    with _in_words(subject.name, shape):
        meter.update(images, torch.zeros_like(labels))
        meter.ridge = ridge(meter.num_classes)
        subject.require_classes(meter)
        return meter.measure(batches, passes=passes)


@contextmanager
def _in_words(name: str, shape: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(in_shell_words(str(error))) from error
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"batch_size: the device has no room for batches of {shape} images; say less"
        ) from error
    except (RuntimeError, AssertionError) as error:  # of anyone's forward
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"model: {name} cannot take images of {shape}: {said.rstrip('.')}; "
            "see --size and --transform"
        ) from error
