"""Looks at a training: on which images, in which epochs, and what a row says of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nclib import Cell, ClassStats, models
from nclib.cells import recipe_of
from nclib.data import load
from nclib.observations import features_of, observe, splits_of, summarize
from nclib.snr import snr
from nclib.training import Training

from .tolerances import EXACT, SINGLE, TIGHT

CELL = Cell("synthetic", "convnet", "mse", epochs=3, images=200)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")


def test_features_do_not_depend_on_their_batch():
    """Eval mode: a part gives the part's features, and the model is left unharmed."""
    images = splits_of(CELL)["train"]
    model = models.build("convnet", num_classes=10, channels=1, size=8, seed=0)
    training = Training(model, recipe_of(CELL), seed=0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    whole, *_ = features_of(training, images)
    part, *_ = features_of(training, images.subset(torch.arange(7)))
    assert torch.allclose(part, whole[:7], rtol=SINGLE, atol=SINGLE)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_held_images_are_apart_from_those_trained_on():
    """No image is in both; classes are balanced; a smaller limit takes a part of a larger one."""
    splits = splits_of(Cell("digits", "convnet", "mse", images=500, held=20))
    assert splits["train"].counts.tolist() == [50] * 10
    assert splits["held"].counts.tolist() == [20] * 10
    parts = {name: as_set(splits[name].images) for name in ("train", "held")}
    assert not parts["train"] & parts["held"]
    assert parts["train"] <= as_set(load("digits", split="train").images)
    fewer = splits_of(Cell("digits", "convnet", "mse", images=100))
    assert as_set(fewer["train"].images) <= parts["train"]
    assert len(fewer["test"]) == 100 and as_set(fewer["test"].images) <= as_set(
        load("digits", split="test").images
    )


def as_set(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_without_a_limit_held_images_come_out_of_the_training_set():
    """A set that is used whole gives up the held images, and nothing is lost."""
    splits = splits_of(Cell("digits", "convnet", "mse", held=15))
    assert splits["train"].counts.tolist() == [125] * 10
    assert splits["held"].counts.tolist() == [15] * 10
    plain = splits_of(Cell("digits", "convnet", "mse"))
    assert list(plain) == ["train", "test"] and len(plain["train"]) == 1400
    with pytest.raises(ValueError, match="per_class: expected at most 140"):
        splits_of(Cell("digits", "convnet", "mse", images=1400, held=1))


def test_held_images_are_measured_and_not_trained_on():
    """The same training images give the same weights, whether others are held or not."""
    cell = Cell("synthetic", "convnet", "mse", epochs=1, images=900)
    plain = list(observe(cell))
    held = list(observe(replace(cell, held=10)))
    assert [o.split for o in held] == ["train", "test", "held"]
    assert torch.equal(plain[0].features, held[0].features) and len(held[2].labels) == 100


def test_a_row_has_the_snr_values_of_its_statistics():
    """omega is the SNR spectrum, largest first; its Gauss-Markov bound holds on NC1."""
    seen = list(observe(CELL))[-2]
    row = summarize(seen, CELL)
    assert row.omega == pytest.approx(snr(seen.stats).omega.tolist(), rel=TIGHT)
    assert row.omega == sorted(row.omega, reverse=True)
    bound = sum(1 / value**2 for value in row.omega)
    assert row.metrics["relative_variability"] >= bound * (1 - EXACT)


def test_a_spread_that_is_singular_on_the_means_gives_no_snr_values():
    """Three images a class cannot spread in all of 64 directions: the row says none."""
    seen = list(observe(CELL))[0]
    few = torch.cat([(seen.labels == c).nonzero().flatten()[:3] for c in range(10)])
    stats = ClassStats.of(seen.features[few], seen.labels[few], 10)
    with pytest.raises(ValueError, match="infinite"):
        snr(stats)
    assert summarize(replace(seen, stats=stats), CELL).omega == []


@pytest.mark.parametrize("minutes, epochs", [(0.0, 1), (1e9, 3)])
def test_time_that_is_up_stops_at_the_end_of_an_epoch(tmp_path, minutes, epochs):
    """No time: one epoch and its rows, saved; enough time: all of them."""
    path = tmp_path / "a.pt"
    seen = list(observe(CELL, checkpoint=path, max_minutes=minutes))
    assert [o.epoch for o in seen if o.split == "train"] == list(range(1, epochs + 1))
    assert torch.load(path, weights_only=True)["epoch"] == epochs


def test_a_training_is_saved_between_two_looks(tmp_path, monkeypatch):
    """Epochs that are not measured are saved too, once enough time has passed."""
    monkeypatch.setattr("nclib.observations.SAVE_MINUTES", 0.0)
    saved = []
    monkeypatch.setattr(Training, "save", lambda self, path: saved.append(self.epoch))
    cell = replace(CELL, every=3)
    assert [o.epoch for o in observe(cell, checkpoint=tmp_path / "a.pt")] == [3, 3]
    assert saved == [1, 2, 3]


@pytest.mark.parametrize(
    "wanted, accuracies, expected",
    [
        ("never", [0.5, 1, 1, 1], []),
        ("ends", [0.5, 1, 1, 1], [2, 4]),
        ("ends", [0.5, 0.6, 0.7, 0.8], [4]),
        ("ends", [1, 0.9, 1, 1], [1, 4]),
        ("ends", [0.998, 0.999, 1, 1], [2, 4]),
        ("always", [0.5, 1, 1, 1], [1, 2, 3, 4]),
    ],
)
def test_robustness_is_measured_where_it_is_asked_for(monkeypatch, wanted, accuracies, expected):
    """Both ends of the terminal phase: the first look without training error, and the last."""
    from nclib import observations

    look = observations._Look(Training.__new__(Training), {}, wanted, last=4)
    look.training.zero_error_epoch = None
    found = []
    for epoch, accuracy in enumerate(accuracies, start=1):
        look.training.epoch = epoch
        found += [epoch] * look._wants_robustness(accuracy)
    assert found == expected


def test_robustness_is_a_number_on_test_images_alone(tmp_path):
    """Rows of the training images have none; a word that is none of the three is refused."""
    rows = [summarize(o, CELL) for o in observe(replace(CELL, epochs=1), robustness="always")]
    assert math.isnan(rows[0].robustness) and rows[1].robustness > 0
    with pytest.raises(ValueError, match="robustness: expected one of .*got 'allways'"):
        next(observe(CELL, robustness="allways"))


def test_robustness_after_a_resume_is_measured_at_the_same_epochs(tmp_path):
    """The first look without training error is remembered by the checkpoint."""
    training = Training(
        models.build("convnet", num_classes=10, channels=1, size=8, seed=0), recipe_of(CELL), 0
    )
    training.zero_error_epoch = 7
    training.save(tmp_path / "a.pt")
    other = Training(training.model, recipe_of(CELL), 0)
    other.restore(tmp_path / "a.pt")
    assert other.zero_error_epoch == 7
