"""Image sets: what a batch, a subset and a balanced draw are, and the sets that come along."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import data
from nclib.data import NAMES, PER_CLASS, ImageSet, load
from nclib.tests.tolerances import SINGLE

EMBEDDED = ("digits", "synthetic")
REAL = Path(os.environ.get("NCLIB_DATA") or Path(__file__).parents[2] / "../shared/data")


def image_set(
    count: int = 12, channels: int = 2, side: int = 5, pad: int = 1, seed: int = 0
) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    return ImageSet(
        images=torch.randint(
            256, (count, channels, side, side + 1), generator=generator, dtype=torch.uint8
        ),
        labels=torch.randint(3, (count,), generator=generator),
        num_classes=3,
        mean=(0.25, 0.5, 0.125)[:channels],
        std=(0.5, 0.2, 0.3)[:channels],
        name="made",
        split="train",
        pad=pad,
    )


def labeled(labels: list[int], num_classes: int) -> ImageSet:
    """One pixel an image, whose value is the image's position."""
    pixels = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(
        pixels, torch.tensor(labels), num_classes, (0.0,), (1.0,), "made", "train", pad=0
    )


def pixel_moments(images: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of value/255, exact, from the histogram."""
    counts = torch.bincount(images.flatten(), minlength=256).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = float((counts * values).sum() / counts.sum())
    return mean, float(((counts * (values - mean) ** 2).sum() / counts.sum()).sqrt())


# Batches


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 5), st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_batch_equals_pixel_by_pixel(count: int, channels: int, side: int, pad: int) -> None:
    """Each pixel is (value/255 - mean)/std of its channel, with value 0 on the border."""
    images = image_set(count, channels, side, pad)
    batch = images.batch(torch.arange(count))
    assert batch.dtype == torch.float32
    assert batch.shape == (count, channels, side + 2 * pad, side + 1 + 2 * pad)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, batch.shape)).tolist():
        row, column = i - pad, j - pad
        inside = 0 <= row < side and 0 <= column < side + 1
        value = int(images.images[n, c, row, column]) if inside else 0
        naive = (value / 255 - images.mean[c]) / images.std[c]
        assert float(batch[n, c, i, j]) == pytest.approx(naive, rel=SINGLE, abs=SINGLE)


@given(st.permutations(range(12)), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_batch_of_the_whole_is_its_batches_joined(order: list[int], size: int) -> None:
    """Cutting an index into batches changes no bit, in any order and for any batch size."""
    images, index = image_set(), torch.tensor(order)
    joined = torch.cat([images.batch(part) for part in index.split(size)])
    assert torch.equal(images.batch(index), joined)


@pytest.mark.parametrize("name", EMBEDDED)
def test_normalized_train_set_has_mean_0_and_deviation_1(name: str) -> None:
    """Normalization centers and scales the train part, up to the four decimals written down."""
    images = load(name, split="train")
    batch = images.batch(torch.arange(len(images))).double()
    rounding = 0.5e-4 / images.std[0] + SINGLE  # + float32
    assert abs(float(batch.mean())) < rounding
    assert abs(float(batch.std(correction=0)) - 1) < rounding


@pytest.mark.parametrize("name", EMBEDDED)
def test_written_constants_are_those_of_the_train_part(name: str) -> None:
    """The constants in the table are the measured ones, to four decimals."""
    images = load(name, split="train")
    mean, std = pixel_moments(images.images)
    assert (images.mean, images.std) == ((round(mean, 4),), (round(std, 4),))


# Subsets


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_balanced_is_balanced(draw: st.DataObject) -> None:
    """Exactly per_class of each class, none twice, in the set's order, labels still theirs."""
    num_classes = draw.draw(st.integers(1, 4))
    extra = draw.draw(st.lists(st.integers(0, num_classes - 1), max_size=30))
    labels = draw.draw(st.permutations([*extra, *range(num_classes)]))
    images = labeled(labels, num_classes)
    per_class = draw.draw(st.integers(1, int(images.counts.min())))
    kept = images.balanced(per_class, seed=draw.draw(st.integers(0, 99)))
    positions = kept.images.flatten().long()
    assert kept.counts.tolist() == [per_class] * num_classes
    assert (positions.diff() > 0).all()
    assert torch.equal(kept.labels, images.labels[positions])


@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_larger_draw_contains_the_smaller(seed: int, smaller: int, more: int) -> None:
    """With one seed, raising per_class only adds images."""
    images = labeled([0, 1] * 40, 2)
    few = set(images.balanced(smaller, seed).images.flatten().tolist())
    many = set(images.balanced(smaller + more, seed).images.flatten().tolist())
    assert few <= many


def test_balanced_depends_on_its_seed_alone() -> None:
    """Same seed, same draw, whatever the global generator; other seeds, other draws."""
    images = labeled([0, 1] * 40, 2)
    state = torch.random.get_rng_state()
    first = images.balanced(10, seed=1).images
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(images.balanced(10, seed=1).images, first)
    assert not torch.equal(images.balanced(10, seed=2).images, first)


def test_every_image_can_be_drawn() -> None:
    """Over seeds the draw reaches all images about equally often."""
    images = labeled([0] * 10 + [1] * 30, 2)
    drawn = torch.cat([images.balanced(5, seed).images.flatten() for seed in range(400)])
    times = torch.bincount(drawn.long(), minlength=40)
    # 200 of 10 and 66.7 of 30 expected, six deviations to each side.
    assert 140 < times[:10].min() and times[:10].max() < 260
    assert 20 < times[10:].min() and times[10:].max() < 114


def test_balanced_names_the_class_that_is_too_small() -> None:
    """A class with too few images is named, with how many it has."""
    images = labeled([0, 0, 0, 1, 1, 2, 2, 2], 3)
    with pytest.raises(ValueError, match=r"per_class: expected at most 2, .* class 1, got 3"):
        images.balanced(3, seed=0)
    with pytest.raises(ValueError, match=r"per_class: expected at least 1, got 0"):
        images.balanced(0, seed=0)


def test_subset_takes_rows_in_order() -> None:
    """A subset holds the rows of its index, repeats included, and all constants."""
    images = image_set()
    part = images.subset(torch.tensor([7, 2, 2]))
    assert len(part) == 3
    assert torch.equal(part.images, images.images[[7, 2, 2]])
    assert torch.equal(part.labels, images.labels[[7, 2, 2]])
    kept = ("num_classes", "mean", "std", "name", "split", "pad")
    assert all(getattr(part, field) == getattr(images, field) for field in kept)


def test_counts_keep_empty_classes() -> None:
    """Counts have one entry a class, 0 where a subset has none."""
    assert labeled([0, 2, 2], 4).counts.tolist() == [1, 0, 2, 0]


def test_to_moves_images_and_labels() -> None:
    """Both tensors move together; on the device they are on already, they are not copied."""
    images = image_set()
    moved = images.to("cpu")
    assert moved.images is images.images and moved.labels is images.labels


# The front door


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("images", torch.zeros(2, 1, 3, 3), TypeError, "images: expected uint8, got torch.float32"),
        ("images", torch.zeros(2, 3, 3).byte(), ValueError, r"images: .* got \(2, 3, 3\)"),
        ("images", torch.zeros(0, 1, 3, 3).byte(), ValueError, r"images: .* got \(0, 1, 3, 3\)"),
        ("labels", torch.zeros(2).byte(), TypeError, "labels: expected int64, got torch.uint8"),
        ("labels", torch.zeros(3).long(), ValueError, r"labels: expected \(2,\) .* got \(3,\)"),
        ("labels", torch.tensor([0, 3]), ValueError, "labels: expected 0 to 2 .* got 0 to 3"),
        ("labels", torch.tensor([0, -1]), ValueError, "labels: expected 0 to 2 .* got -1 to 0"),
        ("mean", (0.1, 0.2), ValueError, r"mean: expected 1 values, .* got \(0.1, 0.2\)"),
        ("std", (), ValueError, r"std: expected 1 values, .* got \(\)"),
        ("std", (0.0,), ValueError, r"std: expected positive values, got \(0.0,\)"),
        ("pad", -1, ValueError, "pad: expected 0 or more pixels, got -1"),
    ],
)
def test_image_set_says_what_is_wrong(
    field: str, value: object, error: type[Exception], message: str
) -> None:
    """A wrong field is named, with what was expected and what came."""
    fields = {
        "images": torch.zeros(2, 1, 3, 3).byte(),
        "labels": torch.tensor([0, 2]),
        "num_classes": 3,
        "mean": (0.0,),
        "std": (1.0,),
        "name": "made",
        "split": "train",
        "pad": 0,
    }
    ImageSet(**fields)
    with pytest.raises(error, match=message):
        ImageSet(**{**fields, field: value})


def test_the_scale_is_made_once() -> None:
    """The constants lie beside the images in float32; a set derived from it has its own."""
    images = load("digits", split="train")
    mean, std = images._scale
    assert images._scale[0] is mean and mean.shape == std.shape == (1, 1, 1)
    assert torch.equal(mean.flatten(), torch.tensor(images.mean))
    assert torch.equal(std.flatten(), torch.tensor(images.std))
    other = replace(images, mean=(0.5,))
    assert float(other._scale[0]) == 0.5


@pytest.mark.parametrize("method", ["batch", "subset"])
def test_index_must_be_positions(method: str) -> None:
    """A byte or Boolean tensor, which would select by mask, is refused."""
    take = getattr(image_set(), method)
    for mask in (torch.ones(12).bool(), torch.ones(12).byte()):
        with pytest.raises(TypeError, match="index: expected int64, got"):
            take(mask)
    with pytest.raises(ValueError, match=r"index: expected \(B,\), got \(1, 2\)"):
        take(torch.zeros(1, 2).long())


def test_load_lists_what_it_knows() -> None:
    """An unknown name or part, or a missing root, is answered with what would do."""
    with pytest.raises(ValueError, match=rf"name: expected one of {', '.join(NAMES)}, got 'minst'"):
        load("minst", split="train")
    with pytest.raises(ValueError, match="split: expected 'train' or 'test', got 'val'"):
        load("digits", split="val")
    with pytest.raises(ValueError, match=r'root: .* load\("mnist", split="train", root="data"'):
        load("mnist", split="train")


# The sets that come along


def test_digits_are_the_whole_of_scikit_learns() -> None:
    """Train and test part share no image and together give back all 1,797, levels exact."""
    from sklearn.datasets import load_digits

    parts = [load("digits", split=split) for split in data.SPLITS]
    rows = torch.cat([torch.cat([p.images.flatten(1) // 15, p.labels[:, None]], 1) for p in parts])
    bunch: Any = load_digits()
    whole = torch.cat([torch.tensor(bunch["data"]), torch.tensor(bunch["target"])[:, None]], 1)
    assert sorted(rows.tolist()) == sorted(whole.long().tolist())
    assert all((p.images % 15 == 0).all() for p in parts)


def test_digits_train_part_is_balanced() -> None:
    """140 images of each digit train; every digit is left with at least 30 to test."""
    assert load("digits", split="train").counts.tolist() == [140] * 10
    assert int(load("digits", split="test").counts.min()) >= 30


@pytest.mark.parametrize(
    ("name", "split", "digest"),
    [
        ("digits", "train", "210238737eaa02ce"),
        ("digits", "test", "2e59cbd177e2e367"),
        ("synthetic", "train", "dd247c4112026c40"),
        ("synthetic", "test", "79a6a7761439ce96"),
    ],
)
def test_embedded_sets_never_change(name: str, split: str, digest: str) -> None:
    """Every byte is fixed: stored runs refer to these very images."""
    images = load(name, split=split)
    joined = images.images.numpy().tobytes() + images.labels.numpy().astype("<i8").tobytes()
    assert hashlib.sha256(joined).hexdigest()[:16] == digest


def test_synthetic_parts_are_drawn_apart() -> None:
    """Train and test part share the prototypes, which class means show, but no noise."""
    train, test = (load("synthetic", split=split) for split in data.SPLITS)
    assert train.counts.unique().tolist() == [100] and test.counts.unique().tolist() == [50]
    shared = torch.cdist(train.images.flatten(1).double(), test.images.flatten(1).double())
    assert float(shared.min()) > 100
    means = torch.stack([train.images[train.labels == c].double().mean(0) for c in range(10)])
    nearest = torch.cdist(test.images.flatten(1).double(), means.flatten(1)).argmin(1)
    assert torch.equal(nearest, test.labels)


def test_tables_cover_all_names() -> None:
    """Every name has its constants and its size in the papers."""
    assert set(PER_CLASS) == set(NAMES) == set(data._SCALE)
    assert (PER_CLASS["mnist"], PER_CLASS["svhn"]) == (5000, 4600)


# The real files, where they are


needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the real MNIST files in NCLIB_DATA or ../shared/data"
)


@needs_real_files
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("fashionmnist", [6000] * 10),
    ],
)
def test_real_train_set(name: str, counts: list[int]) -> None:
    """The published files have the published class counts, mean and standard deviation."""
    images = load(name, split="train", root=REAL)
    mean, std = pixel_moments(images.images)
    assert images.counts.tolist() == counts
    assert (images.mean, images.std) == ((round(mean, 4),), (round(std, 4),))
    assert images.batch(torch.tensor([0, 59_999])).shape == (2, 1, 32, 32)
    if per_class := PER_CLASS[name]:
        assert images.balanced(per_class, seed=0).counts.tolist() == [per_class] * 10


@needs_real_files
@pytest.mark.parametrize("name", ["mnist", "fashionmnist"])
def test_real_test_set(name: str) -> None:
    """The published test part holds 10,000 images of all ten classes."""
    images = load(name, split="test", root=REAL)
    assert len(images) == 10_000
    assert int(images.counts.min()) > 800
