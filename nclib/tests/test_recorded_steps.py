"""A step recorded once and replayed trains as the plain one: shown on a CPU by a tape."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nclib.data import load
from nclib.machine import Machine

from .tolerances import SINGLE
from .trainings import LONG, losses, recorded, start, weights


@pytest.fixture(scope="module")
def few():
    """Two steps an epoch, for what is slow on a CPU."""
    return load("synthetic", split="train").balanced(13, seed=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", ["mse", "ce"])
def test_a_recorded_step_trains_as_the_plain_one(few, precision, loss):
    """Over both drops of the rate, replays of one recording give the plain training's losses."""
    recipe = replace(LONG, loss=loss)
    ours = recorded(recipe, precision)
    plain = start(recipe, machine=Machine("cpu", precision))
    assert losses(ours, few, 6) == pytest.approx(losses(plain, few, 6), rel=SINGLE)
    assert ours._recorder().captures == 1  # pyright: ignore[reportAttributeAccessIssue]
    assert torch.allclose(weights(ours), weights(plain), rtol=100 * SINGLE, atol=10 * SINGLE)


def test_a_rate_that_is_a_number_would_be_recorded(few):
    """Why the rate lies on the device: a number in a recording never drops."""
    ours = losses(recorded(LONG, rate_on_device=False), few, 6)
    plain = losses(start(LONG), few, 6)
    assert ours[:2] == pytest.approx(plain[:2], rel=SINGLE)
    assert ours[3:] != pytest.approx(plain[3:], rel=SINGLE)


@pytest.mark.parametrize("before", [0, 2])
def test_a_recorded_training_resumes(few, tmp_path, before):
    """A checkpoint loaded before or after the recording goes on as if nothing had been."""
    whole = recorded(LONG)
    losses(whole, few, 2)
    whole.save(tmp_path / "a.pt")
    rest = losses(whole, few, 4)
    again = recorded(LONG)
    losses(again, few, before)
    for tensor in again._state() if before else ():  # what is not restored would show
        tensor.detach().fill_(1)
    again.restore(tmp_path / "a.pt")
    assert losses(again, few, 4) == rest
    assert torch.equal(weights(again), weights(whole))


def test_other_images_are_recorded_anew(few):
    """A recording knows its images by address; others need another."""
    ours, other = recorded(), few.subset(torch.arange(100))
    plain = start()
    for training in (ours, plain):
        training.advance(few)
        training.advance(other)
    assert ours.loss == pytest.approx(plain.loss, rel=SINGLE)
    assert ours._recorder().captures == 2  # pyright: ignore[reportAttributeAccessIssue]
