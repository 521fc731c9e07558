"""The five sets on disk: small files in their true formats go in whole, damaged ones by name."""

from __future__ import annotations

import gzip
import hashlib
import struct
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import datasets

from nclib import files
from nclib.data import DataError, ImageSet, load

IDX = {"mnist": "MNIST", "fashionmnist": "FashionMNIST"}
SHAPES = {"mnist": (1, 28, 28), "fashionmnist": (1, 28, 28), "stl10": (3, 96, 96)}
SETS = ("mnist", "fashionmnist", "cifar10", "svhn", "stl10")
COUNT = 10


# Writing the true formats


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


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("offline")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture(params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def root(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both splits of a small set, written and published."""
    for seed, split in enumerate(("train", "test")):
        WRITE[name](name, tmp_path, split, *sample(name, seed))
    publish(name, tmp_path, monkeypatch)
    return tmp_path


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


# Whole files


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("download", [False, True])
def test_written_values_come_back(name: str, split: str, download: bool, root: Path) -> None:
    """What the true format holds is what load returns, bit for bit, and nothing is touched."""
    before = contents(root)
    images, labels = sample(name, seed=("train", "test").index(split))
    loaded = load(name, split=split, root=root, download=download)
    assert loaded.images.dtype == torch.uint8 and loaded.labels.dtype == torch.int64
    assert loaded.images.is_contiguous()
    assert np.array_equal(loaded.images.numpy(), images)
    assert np.array_equal(loaded.labels.numpy(), labels)
    assert (loaded.name, loaded.split, loaded.num_classes) == (name, split, 10)
    assert contents(root) == before


def test_batches_have_the_papers_size(name: str, root: Path) -> None:
    """32 x 32 pixels after padding, STL10 96 x 96."""
    side = 96 if name == "stl10" else 32
    batch = load(name, split="train", root=root).batch(torch.tensor([0, 1]))
    assert batch.shape == (2, SHAPES.get(name, (3,))[0], side, side)


def test_one_split_needs_no_file_of_the_other(name: str, root: Path) -> None:
    """The test part loads without the train part, damaged or absent."""
    keep = ("test", "t10k", "batches.meta")
    for i, path in enumerate(sorted(p for p in root.rglob("*") if p.is_file())):
        if not path.name.startswith(keep):
            path.unlink() if i % 2 else path.write_bytes(b"damaged")
    assert len(load(name, split="test", root=root)) == COUNT


def test_old_processed_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision prefers processed/*.pt of its own past to the raw files; we do not."""
    pack_idx(tmp_path, monkeypatch)
    folder = tmp_path / "MNIST" / "processed"
    folder.mkdir()
    for part in ("training.pt", "test.pt"):
        torch.save((torch.zeros(1, 28, 28).byte(), torch.zeros(1).long()), folder / part)
    for download in (True, False):  # first unpacked, then read
        loaded = load("mnist", split="train", root=tmp_path, download=download)
        assert np.array_equal(loaded.labels.numpy(), sample("mnist")[1])


# Absent files


def test_missing_files_are_named_with_the_call_that_fetches_them(name: str, root: Path) -> None:
    """Without download: FileNotFoundError, the missing file and the exact call."""
    first = next(iter(files._files(name, "train", root)))
    first.unlink()
    call = f'load("{name}", split="train", root="{root}", download=True)'
    with pytest.raises(FileNotFoundError) as error:
        load(name, split="train", root=root)
    assert str(first) in str(error.value) and call in str(error.value)


def test_failed_download_says_so(name: str, tmp_path: Path) -> None:
    """Without a network the error says what was fetched, and whereto."""
    with pytest.raises(OSError, match=f"{name}: the download into .* failed") as error:
        load(name, split="train", root=tmp_path, download=True)
    assert str(tmp_path) in str(error.value)


# Damaged files


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda old: b"",
    "first byte lost": lambda old: old[1:],
    "last byte lost": lambda old: old[:-1],
    "half lost": lambda old: old[: len(old) // 2],
    "one byte more": lambda old: old + b"\0",
    "first bit flipped": lambda old: bytes([old[0] ^ 1]) + old[1:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_any_damaged_file_is_named(name: str, root: Path, damage: Callable[[bytes], bytes]) -> None:
    """Whichever file is cut, extended or altered: its name, what was expected, what came."""
    for path in files._files(name, "train", root):
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        message = refused(name, root, path)
        assert "expected" in message and "got" in message
        path.write_bytes(whole)
    assert len(load(name, split="train", root=root)) == COUNT


@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 6, 7, 8, 9, 12, 15, 16, 17, -28, -2, -1])
def test_idx_cut_anywhere_is_named(kind: str, length: int, tmp_path: Path) -> None:
    """Cut inside the magic number, the sizes, at the first item or the last: always refused."""
    write_idx("mnist", tmp_path, "train", *sample("mnist"))
    path = tmp_path / "MNIST" / "raw" / f"train-{kind}-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    if path.read_bytes() != whole:  # 18 bytes of labels: some lengths cut nothing
        assert f"got {len(path.read_bytes())} bytes" in refused("mnist", tmp_path, path)


@pytest.mark.parametrize(
    ("kind", "at", "value", "message"),
    [
        ("images-idx3", 2, b"\x0d", "magic number 2051, got 3331"),
        ("images-idx3", 3, b"\x01", "magic number 2051, got 2049"),
        ("labels-idx1", 3, b"\x03", "magic number 2049, got 2051"),
        ("images-idx3", 4, struct.pack(">I", 9), "7072 bytes for the 9 items .*, got 7856 bytes"),
        ("images-idx3", 4, struct.pack(">I", 0), r"items of shape \(28, 28\), got 0 of"),
        ("images-idx3", 8, struct.pack(">II", 14, 56), r"\(28, 28\), got 10 of \(14, 56\)"),
        ("labels-idx1", 4, struct.pack(">I", 11), "19 bytes for the 11 items .*, got 18 bytes"),
        ("labels-idx1", 17, b"\x0a", "labels from 0 to 9, got 10"),
    ],
)
def test_idx_header_or_label_off_is_named(
    kind: str, at: int, value: bytes, message: str, tmp_path: Path
) -> None:
    """Wrong magic number, count, shape or label: the message gives both sides."""
    write_idx("mnist", tmp_path, "train", *sample("mnist"))
    path = tmp_path / "MNIST" / "raw" / f"train-{kind}-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + value + whole[at + len(value) :])
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused("mnist", tmp_path, path))


def test_idx_pixel_off_at_the_published_size_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full-size file that differs in one bit anywhere is not the published one."""
    write_idx("mnist", tmp_path, "train", *sample("mnist"))
    path = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    published = {"MNIST/raw/" + path.name: md5(path)}
    monkeypatch.setattr(files, "_IDX_MD5", files._IDX_MD5 | published)
    monkeypatch.setattr(files, "_BYTES", files._BYTES | {path.name: path.stat().st_size})
    assert len(load("mnist", split="train", root=tmp_path)) == COUNT
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    assert "with md5" in refused("mnist", tmp_path, path)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_idx_fuzz(draw: st.DataObject) -> None:
    """Flip, cut or extend at will: a valid set or a DataError with the file's name, never else."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_idx("mnist", root, "train", *sample("mnist"))
        kind = draw.draw(st.sampled_from(["images-idx3", "labels-idx1"]))
        path = root / "MNIST" / "raw" / f"train-{kind}-ubyte"
        damaged = bytearray(path.read_bytes())
        # Mostly in the header, where a flip changes the meaning of all that follows.
        places = st.one_of(st.integers(0, 17), st.integers(0, len(damaged) - 1))
        for at in draw.draw(st.lists(places, max_size=3)):
            damaged[at] ^= draw.draw(st.integers(1, 255))
        size = draw.draw(st.one_of(st.just(len(damaged)), st.integers(0, len(damaged))))
        damaged = damaged[:size] + draw.draw(st.binary(max_size=3))
        path.write_bytes(damaged)
        try:
            loaded = load("mnist", split="train", root=root)
        except DataError as error:
            assert str(path) in str(error)
        else:
            assert isinstance(loaded, ImageSet) and len(loaded) == COUNT
            assert path.read_bytes()[: len(damaged)] == idx(
                loaded.images[:, 0].numpy() if "images" in kind else loaded.labels.numpy()
            )
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("lost", ["images", "labels"])
def test_counts_that_differ_name_the_files(
    name: str, lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files whole by themselves but with unlike counts of images and labels are refused."""
    images, labels = sample(name)
    parts = (images[:-1], labels) if lost == "images" else (images, labels[:-1])
    WRITE[name](name, tmp_path, "train", *parts)
    publish(name, tmp_path, monkeypatch)
    message = refused(name, tmp_path, *files._files(name, "train", tmp_path))
    assert "expected one label for each of" in message


@pytest.mark.parametrize(
    ("name", "label"),
    [("cifar10", -1), ("cifar10", 10), ("svhn", 11), ("stl10", -1), ("stl10", 10)],
)
def test_labels_out_of_range_name_the_files(
    name: str, label: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No label outside 0 to 9 gets through, even from a file with the right checksum."""
    images, labels = sample(name)
    labels[3] = label
    WRITE[name](name, tmp_path, "train", images, labels)
    publish(name, tmp_path, monkeypatch)
    message = refused(name, tmp_path, *files._files(name, "train", tmp_path))
    assert "expected labels of 10 classes, 0 to 9, got" in message


@pytest.mark.parametrize("entry", [{"data": 3}, {"labels": [1]}, []], ids=str)
def test_odd_cifar10_batch_names_the_files(
    entry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reader makes of a batch without images or labels, the error is ours."""
    write_cifar10("cifar10", tmp_path, "train", *sample("cifar10"))
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(b"\x80\x02" + python2_pickle(entry) + b".")
    publish("cifar10", tmp_path, monkeypatch)
    refused("cifar10", tmp_path, path)


@pytest.mark.parametrize("batch", ["data_batch_2", "batches.meta"])
def test_pickles_with_a_wrong_checksum_are_not_opened(
    batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle can run code as it is read: none runs unless the checksum is the published one."""
    write_cifar10("cifar10", tmp_path, "train", *sample("cifar10"))
    publish("cifar10", tmp_path, monkeypatch)
    path, trace = tmp_path / "cifar-10-batches-py" / batch, tmp_path / "trace"
    call = b"cos\nmkdir\n" + python2_pickle(str(trace)) + b"\x85R."
    path.write_bytes(b"\x80\x02" + call)
    refused("cifar10", tmp_path, path)
    assert not trace.exists()
    publish("cifar10", tmp_path, monkeypatch)
    with pytest.raises(DataError):
        load("cifar10", split="train", root=tmp_path)
    assert trace.exists()  # so the payload was live


# Packed files


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


def test_packed_idx_is_unpacked_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With only .gz there, the error points at it; download=True unpacks, without a network."""
    folder = pack_idx(tmp_path, monkeypatch)
    with pytest.raises(FileNotFoundError, match=r"train-labels-idx1-ubyte.gz is there: .* unpacks"):
        load("mnist", split="train", root=tmp_path)
    loaded = load("mnist", split="train", root=tmp_path, download=True)
    assert np.array_equal(loaded.images.numpy(), sample("mnist")[0])
    assert not (folder / "t10k-images-idx3-ubyte").exists()


def test_unpacking_leaves_other_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is missing is unpacked: images of one's own beside it stay."""
    folder = pack_idx(tmp_path, monkeypatch)
    mine = sample("mnist", seed=9)[0]
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(idx(mine[:, 0]))
    loaded = load("mnist", split="train", root=tmp_path, download=True)
    assert np.array_equal(loaded.images.numpy(), mine)
    assert path.read_bytes() == idx(mine[:, 0])


def test_damaged_packed_idx_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged .gz is neither unpacked nor downloaded over."""
    path = pack_idx(tmp_path, monkeypatch) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    before = contents(tmp_path)
    with pytest.raises(DataError) as error:
        load("mnist", split="train", root=tmp_path, download=True)
    assert str(path) in str(error.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["cifar10", "stl10"])
def test_tar_brings_a_missing_file_back(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole tar file restores what is missing, without a network."""
    pack_tar(name, tmp_path, monkeypatch)
    next(iter(files._files(name, "train", tmp_path))).unlink()
    loaded = load(name, split="train", root=tmp_path, download=True)
    assert np.array_equal(loaded.images.numpy(), sample(name)[0])


@pytest.mark.parametrize(
    ("name", "culprit"),
    [
        ("cifar10", "cifar-10-python.tar.gz"),
        ("cifar10", "cifar-10-batches-py/test_batch"),
        ("stl10", "stl10_binary.tar.gz"),
        ("stl10", "stl10_binary/test_y.bin"),
        ("stl10", "stl10_binary/unlabeled_X.bin"),
    ],
)
def test_nothing_damaged_is_unpacked_over(
    name: str, culprit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged tar file, or a damaged file that unpacking would replace, stops the download."""
    pack_tar(name, tmp_path, monkeypatch)
    next(iter(files._files(name, "train", tmp_path))).unlink()
    path = tmp_path / culprit
    path.write_bytes(path.read_bytes()[:-1])
    before = contents(tmp_path)
    with pytest.raises(DataError) as error:
        load(name, split="train", root=tmp_path, download=True)
    assert str(path) in str(error.value)
    assert contents(tmp_path) == before
