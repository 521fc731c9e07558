"""What data loaders yield, as (batch, labels); and labels as the statistics want them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sized
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["as_labels", "labels_of", "require_features", "samples_of", "shown", "unpacked"]

LABELS = ("labels", "label", "targets", "target", "y")  # keys, in the order they are looked for
PATIENCE = 2.0  # seconds after which a bar is shown
ADVICE = "; say what is what, for example unpack=lambda item: (item[0], item[1])"


def shown(loader: Iterable, what: str, progress: bool) -> Iterable:
    """The loader with a bar and an estimate, once it takes longer than two seconds."""
    if not progress:
        return loader
    from tqdm import tqdm

    try:
        total = len(loader) if isinstance(loader, Sized) else None
    except TypeError:  # a loader of a stream has a length only in name
        total = None
    return tqdm(loader, desc=what, total=total, unit="batch", delay=PATIENCE, leave=False)


def unpacked(item: Any, model: nn.Module) -> tuple[Any, Any]:
    """(batch, labels) of what a loader yields: a pair, or a dict with labels.

    Of a dict the model gets what its forward has names for; where it has none, the only tensor
    that is left. Anything else is refused in words.
    """
    key = _place_of_labels(item)
    if not isinstance(item, Mapping):
        return item[0], item[1]
    rest = {name: value for name, value in item.items() if name != key}
    fit = _accepted(rest, model)
    if fit:
        return fit, item[key]
    tensors = [value for value in rest.values() if isinstance(value, Tensor) and value.ndim > 1]
    if len(tensors) != 1:
        raise TypeError(
            f"loader: expected one input beside {key!r}, or names that {type(model).__name__} "
            f"takes, got {list(rest)}{ADVICE}"
        )
    return tensors[0], item[key]


def labels_of(item: Any) -> Any:
    """The labels of what a loader yields: of a pair, or of a mapping under a usual name."""
    return item[_place_of_labels(item)]


def samples_of(
    features: Any, labels: Any, num_classes: int, dimension: int, ignore_index: int | None
) -> tuple[Tensor, Tensor, int]:
    """Features (B, d) and int64 labels (B,) without the ignored ones, and how many these are.

    What can't be is refused in words, rows counted as they were given.
    """
    if not isinstance(features, Tensor):
        raise TypeError(f"features: expected a tensor, got {type(features).__name__}")
    labels = as_labels(labels, num_classes, ignore_index).to(features.device)
    require_features(features, labels, dimension)
    if ignore_index is None:
        return features, labels, 0
    keep = labels != ignore_index
    ignored = int((~keep).sum())
    if not ignored:
        return features, labels, 0  # whoever adds them looks for NaN
    bad = torch.nonzero(keep & ~torch.isfinite(features.detach()).all(dim=1)).flatten()
    if len(bad):
        raise ValueError(
            f"features: expected finite values, got NaN or infinity in {len(bad)} of "
            f"{len(features)} rows, first in row {int(bad[0])}"
        )
    return features[keep], labels[keep], ignored


def as_labels(labels: Any, num_classes: int, ignore_index: int | None) -> Tensor:
    """Labels as int64 (B,), ignored ones included; what can't be is refused in words.

    Takes tensors of any whole-number type, arrays and lists, and (B, 1).
    """
    if not isinstance(labels, Tensor):
        try:
            labels = torch.as_tensor(labels)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(
                f"labels: expected whole numbers (B,), got {type(labels).__name__}"
            ) from None
        if not labels.numel():
            labels = labels.long()  # an empty list is one of floats
    shape = tuple(labels.shape)
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if len(shape) == 2 and shape[1] == 1 and whole:
        labels = labels[:, 0]
    elif len(shape) == 2 and shape[1] == num_classes:
        raise ValueError(
            f"labels: expected one whole number per sample (B,), got {shape}, one-hot or soft "
            f"labels. One-hot ones are labels.argmax(1); samples mixed of two classes belong to "
            f"none, measure without mixing"
        )
    elif len(shape) > 1:
        raise ValueError(
            f"labels: expected one per sample (B,), got {shape}: a label per pixel or token. Take "
            f"the features (..., d) before the layer and measure each as a sample: "
            f"meter.add(features.reshape(-1, d), labels.reshape(-1))"
        )
    elif not shape:
        raise ValueError("labels: expected (B,), got a single number")
    elif not whole:
        raise TypeError(
            f"labels: expected whole numbers, got {labels.dtype}; labels.long() if they are "
            f"numbers of classes"
        )
    labels = labels.detach().long()
    _require_range(labels, num_classes, ignore_index)
    return labels


def require_features(features: Tensor, labels: Tensor, dimension: int) -> None:
    """Raise a ValueError unless these are features (B, d), one row for each label."""
    shape = tuple(features.shape)
    if features.ndim > 2:
        order = "" if shape[-1] == dimension else ", once the features are in the last place"
        raise ValueError(
            f"features: expected (B, {dimension}), got {shape}: token by token or pixel by pixel. "
            f"To measure each as a sample: meter.add(features.reshape(-1, {dimension}), "
            f"labels.reshape(-1)){order}"
        )
    if features.ndim != 2 or shape[1] != dimension:
        raise ValueError(f"features: expected (B, {dimension}), got {shape}")
    if len(features) != len(labels):
        raise ValueError(
            f"labels: expected {len(features)}, one for each row of features, got {len(labels)}"
        )


def _require_range(labels: Tensor, num_classes: int, ignore_index: int | None) -> None:
    wrong = (labels < 0) | (labels >= num_classes)
    if ignore_index is not None:
        wrong &= labels != ignore_index
    if not bool(wrong.any()):
        return
    row = int(torch.nonzero(wrong)[0])
    ignored = "" if ignore_index is None else f" or {ignore_index} to ignore a sample"
    raise ValueError(
        f"labels: expected values in 0..{num_classes - 1}, the outputs of the layer,{ignored}; "
        f"got {int(labels[row])} in row {row}"
    )


def _place_of_labels(item: Any) -> Any:
    """1 for a pair, the key of a mapping; a TypeError for anything else."""
    if isinstance(item, Mapping):
        key = next((key for key in LABELS if key in item), None)
        if key is None:
            raise TypeError(
                f"loader: expected labels under one of {list(LABELS)}, got {list(item)}{ADVICE}"
            )
        return key
    rows = isinstance(item, tuple | list)
    if rows and len(item) == 2:
        return 1
    found = type(item).__name__ + (f" of {len(item)}" if rows else "")
    raise TypeError(f"loader: expected (batch, labels) or a dict with labels, got {found}{ADVICE}")


def _accepted(named: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """The entries that the model's forward has a name for; several if it takes any name."""
    kinds = inspect.signature(model.forward).parameters
    takes_any = any(kind.kind is inspect.Parameter.VAR_KEYWORD for kind in kinds.values())
    known = {name: value for name, value in named.items() if name in kinds}
    return known or (named if takes_any and len(named) > 1 else {})
