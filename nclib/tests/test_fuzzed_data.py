"""Files of the image sets damaged at will: an error that names the file, and nothing changed."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import checkpoints, files
from nclib.checkpoints import CheckpointError
from nclib.data import DataError, load

from .formats import IDX, SETS, WRITE, md5, pack_idx, publish, sample, write_idx

FEW = 1 << 20  # bytes: a damaged header may not make the reader ask for memory


@pytest.fixture(scope="module", params=SETS)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, dict[Path, bytes]]]:
    """A set's small files, published, and their contents: written once for all examples."""
    name, root = request.param, tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        WRITE[name](name, root, "train", *sample(name))
        publish(name, root, patch)
        if name in IDX:
            publish_idx(root / IDX[name] / "raw", patch)
        yield name, root, {path: path.read_bytes() for path in files._files(name, "train", root)}


def publish_idx(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let our tables hold the sizes and checksums of our small files."""
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    sums = {f"{folder.parent.name}/raw/{path.name}": md5(path) for path in folder.iterdir()}
    patch.setattr(files, "_BYTES", files._BYTES | sizes)
    patch.setattr(files, "_IDX_MD5", files._IDX_MD5 | sums)


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A function that changes bytes, mostly in the first ones, cuts or extends."""
    flips = draw(
        st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(1, 255)), max_size=3)
    )
    cut = draw(st.none() | st.floats(0, 1))
    more = draw(st.binary(max_size=3))

    def damage(content: bytes) -> bytes:
        changed = bytearray(content)
        for place, early, change in flips:
            changed[round(place * (min(18, len(content)) - 1 if early else len(content) - 1))] ^= (
                change
            )
        kept = len(changed) if cut is None else round(cut * len(changed))
        return bytes(changed[:kept]) + more

    return damage


@given(damage=damages(), which=st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_a_damaged_file_is_named_and_left(published, damage, which):
    """Any file of any set, damaged anyhow: refused by name, or it is the same; never replaced."""
    name, root, contents = published
    path = list(contents)[which % len(contents)]
    changed = damage(contents[path])
    path.write_bytes(changed)
    try:
        for download in (True, False):
            try:
                images = load(name, split="train", root=root, download=download)
            except DataError as error:
                assert str(path) in str(error)
            else:
                assert changed == contents[path]
                assert len(images) == 10 and images.labels.max() <= 9
        assert {p: p.read_bytes() for p in contents} == contents | {path: changed}
    finally:
        path.write_bytes(contents[path])


@pytest.mark.parametrize(
    "kind, damage, words",
    [
        ("images-idx3", lambda c: c[:15], "an IDX header of 16 bytes, got 15 bytes"),
        ("labels-idx1", lambda c: c[:7], "an IDX header of 8 bytes, got 7 bytes"),
        ("images-idx3", lambda c: c[:15] + b"\x1d" + c[16:], r"items of shape \(28, 28\)"),
        ("images-idx3", lambda c: c + b"\0", "7856 bytes for the 10 items of its header, got 7857"),
        ("labels-idx1", lambda c: c + b"\0", "18 bytes for the 10 items of its header, got 19"),
        ("labels-idx1", lambda c: c[:-1], "18 bytes for the 10 items of its header, got 17"),
    ],
)
def test_a_part_of_an_idx_set_is_checked_without_a_checksum(kind, damage, words, tmp_path):
    """No checksum is published of parts: header, shape and size have words of their own."""
    write_idx("mnist", tmp_path, "train", *sample("mnist"))
    path = tmp_path / "MNIST" / "raw" / f"train-{kind}-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path}: expected .*{words}"):
        load("mnist", split="train", root=tmp_path)


@pytest.mark.parametrize("count", [11, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_header_that_promises_too_much_takes_no_memory(kind, count, tmp_path):
    """Two thousand million images in a header of ten: refused before anything is allocated."""
    write_idx("mnist", tmp_path, "train", *sample("mnist"))
    path = tmp_path / "MNIST" / "raw" / f"train-{kind}-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:4] + struct.pack(">I", count) + content[8:])
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=f"{path}: expected .* for the {count} items"):
            load("mnist", split="train", root=tmp_path)
        assert tracemalloc.get_traced_memory()[1] < FEW
    finally:
        tracemalloc.stop()


@given(damage=damages())
@settings(max_examples=15, deadline=None)
def test_a_damaged_archive_is_not_unpacked(tmp_path_factory, damage):
    """A .gz whose bytes are not the published ones is neither opened nor downloaded over."""
    root = tmp_path_factory.mktemp("gz")
    with pytest.MonkeyPatch.context() as patch:
        path = pack_idx(root, patch) / "train-labels-idx1-ubyte.gz"
        content = path.read_bytes()
        path.write_bytes(damage(content))
        changed = path.read_bytes()
        if changed == content:
            return
        with pytest.raises(DataError) as error:
            load("mnist", split="train", root=root, download=True)
        assert str(path) in str(error.value)
        assert path.read_bytes() == changed


def test_a_set_of_no_images_is_refused(tmp_path, monkeypatch):
    """No image at all, with the right checksum; a folder in the place of a file."""
    name = "stl10"
    images, labels = sample(name)
    WRITE[name](name, tmp_path, "train", images[:0], labels[:0])
    publish(name, tmp_path, monkeypatch)
    with pytest.raises(DataError, match=str(tmp_path)):
        load(name, split="train", root=tmp_path)
    path = tmp_path / "stl10_binary" / "train_y.bin"
    path.unlink()
    path.mkdir()
    with pytest.raises((DataError, OSError), match=str(path)):
        load(name, split="train", root=tmp_path)


def test_a_single_bit_of_a_checkpoint_counts(tmp_path):
    """torch.load reads a changed weight, or epoch, without a word; the checksums tell."""
    path, weight = tmp_path / "a.pt", torch.arange(6.0)
    checkpoints.write(path, {"seed": 0, "model": weight, "epoch": 77})
    content = path.read_bytes()
    for place in (content.index(weight.numpy().tobytes()), content.index(b"epoch") + 8):
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        torch.load(path, weights_only=True)
        with pytest.raises(CheckpointError, match=f"{path}: damaged: .* does not fit its checksum"):
            checkpoints.read(path, {"seed": 0}, ("model", "epoch"))


@given(damage=damages())
@settings(max_examples=40, deadline=None)
def test_a_damaged_checkpoint_is_named_and_left(tmp_path_factory, damage):
    """A training goes on from whole checkpoints alone."""
    path = tmp_path_factory.mktemp("checkpoint") / "a.pt"
    state = {"seed": 0, "model": {"weight": torch.arange(6.0)}, "epoch": 3}
    checkpoints.write(path, state)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    changed = path.read_bytes()
    try:
        found = checkpoints.read(path, {"seed": 0}, ("model", "epoch"))
    except CheckpointError as error:
        assert str(path) in str(error)
    else:
        assert found["epoch"] == 3 and torch.equal(found["model"]["weight"], torch.arange(6.0))
    assert path.read_bytes() == changed
