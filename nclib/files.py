"""The published files of the image sets: found, checked at the door, read through torchvision.

torchvision fetches and reads. What it leaves open is closed here, before it sees a file: it
raises bare reshape or assertion errors on damaged IDX files, reports a damaged file as "not
found", and with `download=True` writes over it. Here a damaged file is named, with what was
expected and what came, and stays on the disk byte for byte as it is. The CIFAR10 batches are
pickles, which can run code: none is opened unless its checksum is the published one.

Chapter: how-to-run.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["ON_DISK", "DataError", "read"]

ON_DISK = {
    "mnist": "MNIST",
    "fashionmnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "svhn": "SVHN",
    "stl10": "STL10",
}  # our name -> torchvision's

# torchvision knows checksums of the packed IDX files only; these are of the unpacked ones.
_IDX_MD5 = {
    "MNIST/raw/train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "MNIST/raw/train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "MNIST/raw/t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "MNIST/raw/t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    "FashionMNIST/raw/train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "FashionMNIST/raw/train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "FashionMNIST/raw/t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "FashionMNIST/raw/t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
_BYTES = {
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
    "data_batch_1": 31_035_704,
    "data_batch_2": 31_035_320,
    "data_batch_3": 31_035_999,
    "data_batch_4": 31_035_696,
    "data_batch_5": 31_035_623,
    "test_batch": 31_035_526,
    "batches.meta": 158,
    "train_32x32.mat": 182_040_794,
    "test_32x32.mat": 64_275_384,
    "train_X.bin": 138_240_000,
    "train_y.bin": 5_000,
    "test_X.bin": 221_184_000,
    "test_y.bin": 8_000,
}  # sizes of the published files, by file name
_UNLABELED = "unlabeled_X.bin"  # 2.7 GB of STL10 that no experiment here uses


class DataError(ValueError):
    """A damaged file: its name, what was expected, what came.   Chapter: how-to-run."""


def read(name: str, split: str, root: Path, download: bool) -> tuple[Tensor, Tensor]:
    """Images (N, channels, height, width) uint8 and labels (N,) int64 of a set under `root`.

    Missing files raise FileNotFoundError, or are fetched where `download` is true; damaged ones
    raise `DataError`, whatever `download` says.   Chapter: how-to-run.
    """
    files = _files(name, split, root)
    missing = [path for path in files if not path.is_file()]
    if missing and not download:
        raise FileNotFoundError(_advice(name, split, root, missing))
    if missing:
        _fetch(name, split, root, missing)
    _check(files)
    try:
        images, labels = _tensors(name, split, root, list(files))
    except Exception as error:  # whatever torchvision, NumPy or SciPy make of an odd file
        raise DataError(f"{_listed(files)}: torchvision cannot read this: {error}") from error
    _check_labels(_listed(files), len(images), labels)
    return images, labels


def _files(name: str, split: str, root: Path) -> dict[Path, str]:
    """The files that hold the labeled images of one split, with their published checksums."""
    published = _published(name, split, root)
    return {path: md5 for path, md5 in published.items() if path.name != _UNLABELED}


def _published(name: str, split: str, root: Path) -> dict[Path, str]:
    family = _family(name)
    if _is_idx(name):
        part = f"{family.__name__}/raw/{'train' if split == 'train' else 't10k'}"
        return {root / file: md5 for file, md5 in _IDX_MD5.items() if file.startswith(part)}
    if name == "svhn":
        _, file, md5 = family.split_list[split]
        return {root / file: md5}
    listed = family.train_list if split == "train" else family.test_list
    if name == "cifar10":
        listed = [*listed, (family.meta["filename"], family.meta["md5"])]
    return {root / family.base_folder / file: md5 for file, md5 in listed}


def _archives(name: str, root: Path, missing: list[Path]) -> dict[Path, str]:
    """The packed files that torchvision unpacks to make the missing ones."""
    family = _family(name)
    if _is_idx(name):
        packed = {path.name + ".gz" for path in missing}
        folder = root / family.__name__ / "raw"
        return {folder / file: md5 for file, md5 in family.resources if file in packed}
    return {} if name == "svhn" else {root / family.filename: family.tgz_md5}


def _fetch(name: str, split: str, root: Path, missing: list[Path]) -> None:
    """Let torchvision download and unpack, once nothing damaged is left that it would replace."""
    archives = _archives(name, root, missing)
    # A tar archive brings everything back, so everything must be whole before it is unpacked.
    present = archives | _published(name, "train", root) | _published(name, "test", root)
    _check({path: md5 for path, md5 in present.items() if path.is_file()})
    family = _family(name)
    if _is_idx(name):  # unpack the missing files only: torchvision would rewrite all four
        packed = [(path.name, md5) for path, md5 in archives.items()]
        family = _with(family, resources=packed, _check_legacy_exist=lambda self: False)
    try:
        _open(family, name, split, root, download=True)
    except Exception as error:
        raise OSError(f"{name}: the download into {root} failed: {error}") from error


def _check(files: dict[Path, str]) -> None:
    for path, md5 in files.items():
        check = _check_idx if path.name.endswith("-ubyte") else _check_md5
        check(path, md5)


def _check_md5(path: Path, md5: str) -> None:
    from torchvision.datasets.utils import calculate_md5

    came = calculate_md5(path)
    if came != md5:
        size = f"of {_BYTES[path.name]} bytes " if path.name in _BYTES else ""
        got = f"{path.stat().st_size} bytes with md5 {came}"
        raise _damaged(path, f"the published file {size}with md5 {md5}", got)


def _check_idx(path: Path, md5: str) -> None:
    """Header against size; the checksum only at the published size, so that parts may be used."""
    sides = (28, 28) if "images" in path.name else ()
    head, size = 8 + 4 * len(sides), path.stat().st_size
    if size < head:
        raise _damaged(path, f"an IDX header of {head} bytes", f"{size} bytes")
    with path.open("rb") as file:
        magic, count, *shape = struct.unpack(f">{head // 4}I", file.read(head))
    wanted = 0x801 + len(sides)  # 0x08: unsigned bytes; the last digit: number of dimensions
    if magic != wanted:
        raise _damaged(path, f"an IDX file with magic number {wanted}", f"{magic}")
    if tuple(shape) != sides or count < 1:
        raise _damaged(path, f"one or more items of shape {sides}", f"{count} of {tuple(shape)}")
    need = head + count * (28 * 28 if sides else 1)
    if size != need:
        raise _damaged(path, f"{need} bytes for the {count} items of its header", f"{size} bytes")
    if not sides and (top := max(path.read_bytes()[head:])) > 9:
        raise _damaged(path, "labels from 0 to 9", f"{top}")
    if size == _BYTES[path.name]:
        _check_md5(path, md5)


def _check_labels(where: str, count: int, labels: Tensor) -> None:
    if labels.shape != (count,):
        shape = tuple(labels.shape)
        raise DataError(f"{where}: expected one label for each of {count} images, got {shape}")
    if not count:
        raise DataError(f"{where}: expected one or more images, got none")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > 9:
        raise DataError(f"{where}: expected labels of 10 classes, 0 to 9, got {low} to {high}")


def _tensors(name: str, split: str, root: Path, files: list[Path]) -> tuple[Tensor, Tensor]:
    if _is_idx(name):
        from torchvision.datasets import mnist

        # Not through the class MNIST, which prefers an old processed/*.pt file to the raw ones.
        images, labels = map(str, files)
        return mnist.read_image_file(images)[:, None], mnist.read_label_file(labels)
    data = _open(_cut(name, split), name, split, root, download=False)
    images = torch.as_tensor(data.data)
    if name == "cifar10":
        return images.permute(0, 3, 1, 2).contiguous(), torch.as_tensor(data.targets)
    return images.contiguous(), torch.as_tensor(data.labels).long()


def _open(family: Any, name: str, split: str, root: Path, *, download: bool) -> Any:
    """A torchvision data set; some say `train`, some say `split`."""
    part = {"split": split} if name in ("svhn", "stl10") else {"train": split == "train"}
    with warnings.catch_warnings():
        # NumPy 2.4.0 to 2.4.4 on the CIFAR10 pickles, which say align=0 for False.
        warnings.filterwarnings("ignore", message=".*align should be passed")
        return family(str(root), download=download, **part)


def _cut(name: str, split: str) -> Any:
    """The torchvision class, cut down to the files of one split.

    As it stands it demands and checks all files, also the unlabeled images of STL10.
    """
    family = _family(name)
    if name not in ("cifar10", "stl10"):
        return family
    keep = "train_list" if split == "train" else "test_list"
    labeled = [entry for entry in getattr(family, keep) if entry[0] != _UNLABELED]
    return _with(family, **{"train_list": [], "test_list": [], keep: labeled})


def _with(family: Any, **attributes: Any) -> Any:
    """A subclass of the same name: torchvision makes folder names of class names."""
    return type(family.__name__, (family,), attributes)


def _family(name: str) -> Any:
    from torchvision import datasets

    return getattr(datasets, ON_DISK[name])


def _is_idx(name: str) -> bool:
    return name in ("mnist", "fashionmnist")


def _damaged(path: Path, expected: str, came: str) -> DataError:
    return DataError(
        f"{path}: expected {expected}, got {came}. The file is left as it is; move it away and "
        "load with download=True for a fresh one."
    )


def _advice(name: str, split: str, root: Path, missing: list[Path]) -> str:
    call = f'load("{name}", split="{split}", root="{root}", download=True)'
    packed = [path for path in _archives(name, root, missing) if path.is_file()]
    found = f"{_listed(packed)} is there: {call} unpacks it" if packed else f"{call} fetches it"
    return f"{_listed(missing)}: not found. {found}."


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
