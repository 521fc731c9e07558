"""The bench: both ways compute the same thing, and the arithmetic of its report."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import torch
from torch.utils.data import DataLoader

from nclib import Head, decide
from nclib.bench import bench, notebook, ours
from nclib.bench.clock import Clock, Timing
from nclib.bench.comparison import _variants
from nclib.cells import Cell, recipe_of
from nclib.data import load
from nclib.machine import CPU, Machine
from nclib.stats import ClassStats

from .tolerances import EXACT, SINGLE

CELL = Cell("synthetic", "convnet", "mse")


@pytest.fixture(scope="module")
def images():
    return load("synthetic", split="train")


@pytest.fixture(scope="module")
def report():
    return bench(CELL, seconds=0.02)


def test_the_report_adds_up(report):
    """Minutes are all steps and all measurements; ratio and share follow from the parts."""
    recipe = recipe_of(CELL)
    all_steps = recipe.epochs * (1000 // recipe.batch_size)
    for way in (report.ours, report.notebook):
        assert way.images_per_second == pytest.approx(recipe.batch_size / way.step, rel=EXACT)
        minutes = (all_steps * way.step + report.measurements * way.measurement) / 60
        assert way.minutes == pytest.approx(minutes, rel=EXACT)
        assert 1 <= way.steps <= 1000 // recipe.batch_size and 200 <= way.measured <= 1000
    assert report.ratio == report.notebook.minutes / report.ours.minutes
    rate = report.ours.images_per_second * report.flops_per_image
    assert report.share == pytest.approx(rate / report.matrix_rate, rel=EXACT)
    assert report.variants == {"eager": report.ours.step}


def test_every_number_says_where_it_comes_from(report):
    """Device, precision, threads and versions are in the record and under the table."""
    record = json.loads(report.to_json())
    assert record["device"] == CPU.name and record["precision"] == "float32"
    assert record["threads"] == torch.get_num_threads() and record["ratio"] == report.ratio
    assert record["versions"]["torch"] == torch.__version__
    for word in (CPU.name, "ours float32", f"torch {torch.__version__}", report.started):
        assert word in report.circumstances
    table = report.to_table()
    assert table.caption == report.circumstances and table.title == CELL.name
    assert table.row_count == len(report.rows()) == 8


def test_loaded_one_by_one_the_images_are_the_same(images):
    """The notebook's loader and our batch give the same input, with and without a border."""
    for pad in (0, 2):
        padded = type(images)(images.images, images.labels, 10, (0.4,), (0.2,), "x", "train", pad)
        batch, labels = next(iter(DataLoader(notebook.OneByOne(padded), 50)))
        expected = padded.batch(torch.arange(50))
        assert torch.allclose(batch, expected, rtol=SINGLE, atol=SINGLE)
        assert torch.equal(labels, images.labels[:50])


def test_two_passes_give_our_statistics():
    """The twin's means, Sigma_W and NC4 are those of one pass in float64."""
    g = torch.Generator().manual_seed(0)
    features, labels = torch.randn(300, 5, generator=g), torch.arange(300) % 4
    head = Head(torch.randn(4, 5, generator=g), torch.randn(4, generator=g))
    logits = head.logits(features).float()

    def batches():
        return zip(*(t.split(64) for t in (features, logits, labels)), strict=True)

    means, within, mismatch = notebook.two_passes(batches, 4)  # pyright: ignore[reportArgumentType]
    stats = ClassStats.of(features, labels, 4)
    assert torch.allclose(means.double(), stats.means, rtol=SINGLE, atol=SINGLE)
    assert torch.allclose(within.double(), stats.within, rtol=SINGLE, atol=SINGLE)
    decisions = decide(features, labels, head, stats.means)
    assert mismatch == pytest.approx(decisions.nearest_mean_mismatch)


def test_operations_are_counted_by_hand(images):
    """Convolutions and head, forward and twice backward, but no gradient of the images."""
    first, rest = 2 * 9 * 32 * 64, 2 * 9 * (32 * 64 * 64 + 64 * 64 * 16) + 2 * 64 * 10
    assert ours.flops_per_image(CELL, images, CPU) == 2 * first + 3 * rest


@dataclass(frozen=True)
class Ideal(Clock):
    """A clock for work that takes a tenth of a second for each unit."""

    def once(self, work):
        return 0.1 * work()


@pytest.mark.parametrize(
    "seconds, rehearse, calls",
    [
        (0.01, True, [2, 2]),
        (1.0, False, [2, 2, 10]),
        (1.0, True, [2, 2, 10, 10]),
        (1e9, False, [2, 2, 40]),
    ],
)
def test_as_much_work_as_fits(seconds, rehearse, calls):
    """At least the least, at most the most, after a warm-up that does not count."""
    done = []

    def work(amount: int) -> int:
        done.append(amount)
        return amount

    timing = Ideal(CPU, seconds).fit(work, 2, 40, rehearse)
    assert done == calls and timing == Timing(calls[-1], 0.1 * calls[-1])
    assert timing.each == pytest.approx(0.1)


def test_variants_are_what_the_device_has():
    """A CPU is eager, a GPU also replays; compiled only where that was asked for."""
    assert list(_variants(CPU)) == ["eager"]
    assert list(_variants(Machine("cuda", "float16"))) == ["eager"]
    assert list(_variants(Machine("cuda", "bfloat16", graph=True))) == ["eager", "graph"]
    asked = Machine("cuda", "bfloat16", graph=True, compile=True)
    assert list(_variants(asked)) == ["eager", "graph", "compiled + graph"]
    assert _variants(asked)["compiled + graph"] == asked


def test_nothing_to_time_is_refused():
    """No seconds, or less than one batch of images."""
    with pytest.raises(ValueError, match="seconds: expected more than 0, got 0"):
        bench(CELL, seconds=0)
    with pytest.raises(ValueError, match="at least 32 training images, one batch, got 10"):
        bench(Cell("synthetic", "convnet", "mse", images=10))
