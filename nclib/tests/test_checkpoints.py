"""Checkpoints hold numbers only, and every refusal is in words."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest
import torch

from nclib.data import load
from nclib.models import build
from nclib.training import CheckpointError, Training

from .trainings import RECIPE, losses, recorded, start, weights


@pytest.fixture(scope="module")
def few():
    """Two steps an epoch, for what is slow on a CPU."""
    return load("synthetic", split="train").balanced(13, seed=0)


def test_nothing_of_the_machine_is_in_a_checkpoint(few, tmp_path):
    """A checkpoint of one machine goes on on another, with that machine's own options."""
    ours = recorded(precision="bfloat16")
    ours.advance(few)
    ours.save(tmp_path / "a.pt")
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert {"recipe", "seed", "network", "epoch", "loss", "zero_error_epoch", "model",
            "momentum", "scaler"} == set(content)  # fmt: skip
    plain = start()
    options = dict(plain.optimizer.param_groups[0])
    plain.restore(tmp_path / "a.pt")
    assert torch.equal(weights(plain), weights(ours))
    assert plain.optimizer.param_groups[0] == options
    for mine, theirs in zip(plain._momentum(), ours._momentum(), strict=True):
        assert mine is not None and theirs is not None and torch.equal(mine, theirs)
    plain.advance(few)
    assert math.isfinite(plain.loss)


def test_a_checkpoint_without_a_step_takes_the_momentum_away(few, tmp_path):
    """Restoring epoch 0 into a training under way starts it anew."""
    fresh = start()
    fresh.save(tmp_path / "a.pt")
    used = start()
    losses(used, few, 2)
    used.restore(tmp_path / "a.pt")
    assert losses(used, few) == losses(fresh, few)
    assert torch.equal(weights(used), weights(fresh))


def test_a_checkpoint_of_another_shape_changes_nothing(tmp_path):
    """Same class, other layers: refused by name before a single weight is copied."""
    other = build("convnet", num_classes=10, channels=3, size=8, seed=1)
    Training(other, RECIPE, 0).save(tmp_path / "a.pt")
    training = start()
    before = weights(training)
    with pytest.raises(CheckpointError, match="a.pt: expected the weights of this network"):
        training.restore(tmp_path / "a.pt")
    assert torch.equal(weights(training), before)
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    del content["momentum"]
    torch.save(content, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match=r"b.pt: expected \['momentum'\] too"):
        training.restore(tmp_path / "b.pt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_reported_and_the_old_checkpoint_left(few, tmp_path):
    """The message names the file and the reason; no half-written file stays behind."""
    training, path = start(), tmp_path / "a.pt"
    training.save(path)
    content = path.read_bytes()
    training.advance(few)
    (tmp_path / "a.pt.part").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match="a.pt: cannot write: No space left on device"):
        training.save(path)
    assert path.read_bytes() == content and os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_every_refusal_of_the_system_is_in_words(tmp_path, monkeypatch, code):
    """Whatever fails on the way, the folder ends as it began."""
    training, path = start(), tmp_path / "a.pt"

    def refuse(*args):
        raise OSError(code, os.strerror(code))

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            with pytest.raises(CheckpointError, match=f"a.pt: cannot write: {os.strerror(code)}"):
                training.save(path)
        assert os.listdir(tmp_path) == []
    with pytest.raises(CheckpointError, match="a.pt: cannot write: No such file or directory"):
        training.save(tmp_path / "nowhere" / "a.pt")


def test_torchs_own_complaint_is_seen_through(tmp_path, monkeypatch):
    """torch's writer fails a second time on closing; what is reported is the first reason."""

    def save(*args):
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")

    training = start()
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError, match="a.pt: cannot write: No space left on device"):
        training.save(tmp_path / "a.pt")
    monkeypatch.setattr(torch, "save", lambda *args: (_ for _ in ()).throw(RuntimeError("odd")))
    with pytest.raises(CheckpointError, match="a.pt: cannot write: odd"):
        training.save(tmp_path / "a.pt")
    assert os.listdir(tmp_path) == []


def test_an_interrupt_while_saving_is_an_interrupt(tmp_path, monkeypatch):
    """Ctrl-C is passed on, and cleans up too."""
    training = start()

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.save(tmp_path / "a.pt")
    assert os.listdir(tmp_path) == []
