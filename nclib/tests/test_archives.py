"""Packed sets: unpacked on demand, without a network; nothing damaged is unpacked over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nclib import files
from nclib.data import DataError, load

from .formats import contents, idx, pack_idx, pack_tar, sample


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
