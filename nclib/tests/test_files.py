"""The five sets on disk: small files in their true formats go in whole, damaged ones by name."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import files
from nclib.data import DataError, ImageSet, load

from .formats import (
    COUNT,
    SETS,
    SHAPES,
    WRITE,
    contents,
    idx,
    md5,
    pack_idx,
    publish,
    python2_pickle,
    refused,
    sample,
    write_cifar10,
    write_idx,
)


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
