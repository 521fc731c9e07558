"""The five sets on disk, small: written in their true formats, published, packed, watched."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from torchvision import datasets

from nclib.data import DataError, load

IDX = {"mnist": "MNIST", "fashionmnist": "FashionMNIST"}
SHAPES = {"mnist": (1, 28, 28), "fashionmnist": (1, 28, 28), "stl10": (3, 96, 96)}
SETS = ("mnist", "fashionmnist", "cifar10", "svhn", "stl10")
COUNT = 10


def sample(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random images of the set's shape and one label of each class, in random order."""
    rng = np.random.default_rng(seed)
    shape = (COUNT, *SHAPES.get(name, (3, 32, 32)))
    return rng.integers(256, size=shape, dtype=np.uint8), rng.permutation(COUNT)


def idx(values: np.ndarray) -> bytes:
    """Magic number (two zero bytes, 8 for unsigned bytes, dimensions), sizes, bytes by rows."""
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def write_idx(name: str, root: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    folder = root / IDX[name] / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    part = "train" if split == "train" else "t10k"
    (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images[:, 0]))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))


def python2_pickle(value: Any) -> bytes:
    """Protocol 2 as Python 2 and an old NumPy wrote it, which is how CIFAR10 is published.

    Text is a byte string, and the array's dtype says align=0 where newer NumPy says False.
    """
    if isinstance(value, dict):
        items = b"".join(python2_pickle(part) for pair in value.items() for part in pair)
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2_pickle, value)) + b"e"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        return b"T" + struct.pack("<i", len(text)) + text
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff"
    shape = b"".join(map(python2_pickle, value.shape)) + b"\x86"
    return (
        empty + b"(K\x01" + shape + dtype + b"K\x00tb\x89" + python2_pickle(value.tobytes()) + b"tb"
    )


def write_cifar10(name: str, root: Path, split: str, images: Any, labels: np.ndarray) -> None:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True, exist_ok=True)
    batches = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
    parts = (np.array_split(values, len(batches)) for values in (images, labels))
    for batch, pixels, numbers in zip(batches, *parts, strict=True):
        entry = {
            "batch_label": batch,
            "data": pixels.reshape(len(pixels), -1),  # red, green, blue, each by rows
            "labels": numbers.tolist(),
            "filenames": [f"{number}.png" for number in numbers],
        }
        (folder / batch).write_bytes(b"\x80\x02" + python2_pickle(entry) + b".")
    meta = {"label_names": list("abcdefghij"), "num_vis": 3072}
    (folder / "batches.meta").write_bytes(b"\x80\x02" + python2_pickle(meta) + b".")


def write_svhn(name: str, root: Path, split: str, images: Any, labels: np.ndarray) -> None:
    """Height first and the image last; the digit 0 is labeled 10."""
    digits = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    root.mkdir(parents=True, exist_ok=True)
    arrays = {"X": images.transpose(2, 3, 1, 0), "y": digits}
    scipy.io.savemat(root / f"{split}_32x32.mat", arrays, do_compression=True)


def write_stl10(name: str, root: Path, split: str, images: Any, labels: np.ndarray) -> None:
    """Three planes an image, each by columns; labels count from 1."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{split}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
    (folder / f"{split}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())


WRITE: dict[str, Callable[..., None]] = {
    "mnist": write_idx,
    "fashionmnist": write_idx,
    "cifar10": write_cifar10,
    "svhn": write_svhn,
    "stl10": write_stl10,
}


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "0" * 32


def publish(name: str, root: Path, patch: pytest.MonkeyPatch) -> None:
    """Let torchvision's tables hold the checksums of our small files."""
    if name == "svhn":
        parts = {s: f"{s}_32x32.mat" for s in ("train", "test")}
        table = {s: ["http://nowhere.invalid", file, md5(root / file)] for s, file in parts.items()}
        patch.setattr(datasets.SVHN, "split_list", table)
    if name in ("cifar10", "stl10"):
        family = getattr(datasets, name.upper())
        folder = root / family.base_folder
        for table in ("train_list", "test_list"):
            listed = [[file, md5(folder / file)] for file, _ in getattr(family, table)]
            patch.setattr(family, table, listed)
    if name == "cifar10":
        path = root / "cifar-10-batches-py" / "batches.meta"
        patch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": md5(path)})


def pack_idx(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """MNIST as .gz files only, published; returns the folder."""
    for seed, split in enumerate(("train", "test")):
        write_idx("mnist", root, split, *sample("mnist", seed))
    folder = root / "MNIST" / "raw"
    for path in sorted(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    listed = [(file, md5(folder / file)) for file, _ in datasets.MNIST.resources]
    patch.setattr(datasets.MNIST, "resources", listed)
    return folder


def pack_tar(name: str, root: Path, patch: pytest.MonkeyPatch) -> None:
    """CIFAR10 or STL10 as a tar file beside the unpacked folder, published."""
    family = getattr(datasets, name.upper())
    for seed, split in enumerate(("train", "test")):
        WRITE[name](name, root, split, *sample(name, seed))
    if name == "stl10":
        (root / "stl10_binary" / "unlabeled_X.bin").write_bytes(b"unlabeled")
    publish(name, root, patch)
    path = root / family.filename
    with tarfile.open(path, "w:gz") as tar:
        tar.add(root / family.base_folder, family.base_folder)
    patch.setattr(family, "tgz_md5", md5(path))


def contents(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in paths}


def refused(name: str, root: Path, *culprits: Path, split: str = "train") -> str:
    """Loading must raise a DataError that names the culprits and leave every byte as it is."""
    before, message = contents(root), ""
    for download in (True, False):
        with pytest.raises(DataError) as error:
            load(name, split=split, root=root, download=download)
        message = str(error.value)
        assert all(str(path) in message for path in culprits)
        assert contents(root) == before
    return message
