"""Images by name: prepared as asked, every fault named with its path, nothing random."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.transforms.functional import to_pil_image

from nclib.data import DataError, load
from nclib.loaders import Preparation, find


def picture(seed: int = 0, size: tuple[int, int] = (9, 6)) -> Image.Image:
    generator = torch.Generator().manual_seed(seed)
    return to_pil_image(torch.randint(256, (3, *size), generator=generator).byte())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two pictures each."""
    for i in range(4):
        place = tmp_path / "pictures" / ("cat" if i < 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        picture(i).save(place / f"{i}.png")
    return tmp_path / "pictures"


SMALL = Preparation(size=4, resize=6, mean=(0.5,), std=(0.25,))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pictures_are_prepared_as_torchvision_does(interpolation):
    """Shorter side, center crop, range: bit for bit torchvision's own steps."""
    prepare = Preparation(4, 6, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), interpolation=interpolation)
    theirs: Any = transforms.Compose([
        transforms.Resize(6, transforms.InterpolationMode(interpolation)),
        transforms.CenterCrop(4), transforms.ToTensor(),
        transforms.Normalize(prepare.mean, prepare.std),
    ])  # fmt: skip
    assert torch.allclose(prepare(picture()), theirs(picture()), rtol=1e-6, atol=1e-6)


def test_channels_are_those_the_network_takes():
    """Gray becomes three equal channels, color becomes gray; a palette or transparency goes."""
    for mode in ("L", "P", "RGBA", "LA", "1", "CMYK"):
        assert SMALL(picture().convert("RGB").convert(mode)).shape == (3, 4, 4)
    gray = torch.arange(36, dtype=torch.uint8).reshape(1, 1, 6, 6)
    color = SMALL(gray)
    assert color.shape == (1, 3, 4, 4) and torch.equal(color[:, 0], color[:, 2])
    one = Preparation(0, 0, (0.0,), (1.0,), channels=1)
    assert torch.equal(one(gray), gray / 255) and one(picture()).shape == (1, 9, 6)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"size": -1}, "size: expected pixels"), ({"channels": 2}, "channels: expected 1 or 3"),
        ({"mean": (0.5, 0.5)}, "mean: expected 3 values"), ({"std": (0.0,)}, "std: expected posit"),
    ],
)  # fmt: skip
def test_a_preparation_that_cannot_be_is_refused(wrong, words):
    """Sizes, channels and scales say what is expected."""
    with pytest.raises(ValueError, match=words):
        Preparation(**wrong)


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_the_papers_sets_come_as_they_are(name):
    """Prepared their own way they are what the package trains on, in order, at every batch size."""
    images, own = find(name, split="test"), load(name, split="test")
    assert images.native is not None
    for size in (7, 1000):
        batches = list(images.batches(images.native, size))
        assert torch.equal(torch.cat([x for x, _ in batches]), own.batch(torch.arange(len(own))))
        assert torch.equal(torch.cat([y for _, y in batches]), own.labels)
        assert len(batches) == len(images.batches(images.native, size))


def test_a_folder_gives_its_classes_in_the_order_of_their_names(folder):
    """Labels as torchvision counts them; twice the same, whoever reads."""
    for where in (str(folder), f"imagefolder:{folder}"):
        images = find(where)
        assert (len(images), images.num_classes, images.classes) == (4, 2, ("cat", "dog"))
    for workers in (0, 1):
        ((pixels, labels),) = images.batches(SMALL, 9, workers)
        assert torch.equal(pixels, torch.stack([SMALL(picture(i)) for i in range(4)]))
        assert labels.tolist() == [0, 0, 1, 1]


def test_a_limit_takes_from_every_class(folder):
    """Evenly spaced, not the first ones, which would all be of one class."""
    assert [y for _, y in find(str(folder)).limited(2).batches(SMALL, 1)] == [0, 1]
    digits = find("digits").limited(100)
    assert len(digits) == 100 and digits.items.counts.min() > 0
    assert len(find("digits").limited(10**6)) == 1400
    with pytest.raises(ValueError, match="limit: expected at least 1"):
        digits.limited(0)


def test_a_folder_with_splits_gives_the_one_that_is_asked_for(folder, tmp_path):
    """train without a word; test, or val where there is no test; others are named."""
    whole = tmp_path / "whole"
    for part in ("train", "val"):
        (whole / part).mkdir(parents=True)
        for place in folder.iterdir():
            (whole / part / place.name).symlink_to(place)
    (whole / "val" / "eel").mkdir()
    picture().save(whole / "val" / "eel" / "1.png")
    assert find(str(whole)).num_classes == 2
    assert (
        find(str(whole), split="test").num_classes == 3 == find(str(whole), split="val").num_classes
    )
    with pytest.raises(DataError, match="for the split 'held', got train, val"):
        find(str(whole), split="held")
    with pytest.raises(DataError, match="has no folder for the split 'test'"):
        find(str(folder), split="test")


@pytest.mark.parametrize("more", ["unlabeled", ".ipynb_checkpoints", "meta", "__MACOSX"])
def test_what_lies_beside_the_splits_is_no_class(folder, more):
    """Splits stay splits with another folder beside them; among classes train is a class."""
    whole = folder.with_name("whole")
    for part in ("train", "val"):
        whole.mkdir(exist_ok=True)
        (whole / part).symlink_to(folder)
    (whole / more / "images").mkdir(parents=True)
    picture().save(whole / more / "images" / "1.png")
    for split in (None, "train", "test"):
        assert find(str(whole), split=split).classes == ("cat", "dog")
    (folder / "train").mkdir()
    picture().save(folder / "train" / "1.png")
    assert find(str(folder)).classes == ("cat", "dog", "train")


def test_hidden_files_are_no_images_and_hidden_folders_no_classes(folder):
    """An editor's copies and a system's notes, among the classes and among their images."""
    for place in (folder / ".ipynb_checkpoints", folder / "cat" / ".ipynb_checkpoints"):
        place.mkdir()
        picture().save(place / "1.png")
    (folder / "dog" / "._3.png").write_bytes(b"Mac OS X")
    images = find(str(folder))
    assert (len(images), images.classes) == (4, ("cat", "dog"))


def test_a_class_that_holds_classes_is_refused(folder):
    """Splits by another name would be taken for classes; one folder more is a form of its own."""
    outer = folder.with_name("outer")
    outer.mkdir()
    (outer / "Train").symlink_to(folder)
    with pytest.raises(DataError, match=r"one folder a class, Train holds no .* \(cat, dog\)"):
        find(str(outer))
    (outer / "Train").unlink()
    for name in ("cat", "dog"):
        (outer / name).mkdir()
        (outer / name / "images").symlink_to(folder / name)
    assert find(str(outer)).classes == ("cat", "dog") and len(find(str(outer))) == 4


def test_a_folder_without_a_form_is_refused_in_words(folder, tmp_path, monkeypatch):
    """An empty class, no class, a file, nothing, a folder that may not be read."""
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=f"{folder}: expected images .* got none in empty"):
        find(str(folder))
    with pytest.raises(DataError, match=f"{folder / 'cat'}: expected one folder a class"):
        find(str(folder / "cat"))
    with pytest.raises(DataError, match="0.png: expected a folder .* got a file"):
        find(str(folder / "cat" / "0.png"))
    with pytest.raises(DataError, match="nowhere: cannot read this folder: No such file"):
        find(f"imagefolder:{tmp_path / 'nowhere'}")
    with pytest.raises(FileNotFoundError, match="got 'digitz'; did you mean digits"):
        find("digitz")
    scan = os.scandir

    def locked(place):
        if str(place).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    (folder / "empty").rmdir()
    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(DataError, match="dog: cannot read this folder: Permission denied"):
        find(str(folder))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_damaged_picture_is_named_with_its_path(tmp_path_factory, data):
    """Flip, cut or empty a picture: its path in a DataError; a PNG passes only as the same one."""
    kind = data.draw(st.sampled_from(("png", "jpg")))
    path = tmp_path_factory.mktemp("pictures") / "cat" / f"1.{kind}"
    path.parent.mkdir()
    picture().save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    whole = st.just(len(content))
    path.write_bytes(content[: data.draw(whole | st.integers(0, len(content)))])
    try:
        ((pixels, _),) = find(str(path.parents[1])).batches(SMALL, 1)
        assert kind == "jpg" or torch.equal(pixels[0], SMALL(picture()))
    except DataError as error:
        assert f"{path}: cannot be read as a labeled image" in str(error)


@pytest.mark.parametrize("cut", [0, 12, 18])
def test_a_changed_pixel_of_a_png_is_noticed(tmp_path, cut):
    """A picture with a flipped bit is no picture, even where nothing is compressed.

    Where the end is cut off, too, no checksum of the pixels is left, and they would pass.
    """
    path = tmp_path / "cat" / "1.png"
    path.parent.mkdir()
    picture().save(path, compress_level=0)
    content = path.read_bytes()
    at = content.index(b"IDAT") + 30
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 : -cut or None])
    with pytest.raises(DataError, match=f"{path}: cannot be read as a labeled image"):
        list(find(str(tmp_path)).batches(SMALL, 1))


def test_a_picture_of_more_than_8_bits_is_refused_and_workers_say_so_too(folder):
    """Pillow would cut 16 bits to 8 in silence; and no worker's traceback hides the path."""
    path = folder / "dog" / "3.png"
    Image.new("I;16", (8, 8), 40000).save(path)
    for workers in (0, 1):
        with pytest.raises(DataError) as error:
            list(find(str(folder)).batches(SMALL, 4, workers))
        assert str(error.value).startswith(f"{path}: cannot") and "8 bits" in str(error.value)
        assert "Traceback" not in str(error.value)
    path.unlink()
    picture(0, (5, 5)).save(path)
    with pytest.raises(DataError, match=r"images of one size are needed.*--size"):
        list(find(str(folder)).batches(Preparation(0, 0), 4))


def test_torchvisions_sets_are_found_by_name(tmp_path):
    """A set that needs no files; and what is said where files, a root or a name are missing."""
    images = find("torchvision:FakeData")
    assert (len(images), images.num_classes) == (1000, 10)
    pixels, labels = next(iter(images.limited(3).batches(SMALL, 3)))
    assert pixels.shape == (3, 3, 4, 4) and labels.shape == (3,)
    for where, words in (
        (
            "torchvision:CIFAR99",
            "expected a data set of torchvision, got 'CIFAR99'; did you mean CIF",
        ),
        (
            "torchvision:CIFAR100",
            "root: expected the folder of CIFAR100's files, got none; say --ro",
        ),
    ):
        with pytest.raises(ValueError, match=words):
            find(where)
    with pytest.raises(
        DataError, match="torchvision:CIFAR100: Dataset not found.*--download fetch"
    ):
        find("torchvision:CIFAR100", root=tmp_path)
    with pytest.raises(ValueError, match="split: expected 'train' or 'test' of MNIST, got 'val'"):
        find("torchvision:MNIST", root=tmp_path, split="val")
