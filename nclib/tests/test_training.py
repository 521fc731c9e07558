"""Training: the recipe and nothing else; a checkpoint goes on bit for bit or is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from nclib.data import load
from nclib.models import build
from nclib.training import CheckpointError, DivergedError, Recipe, Training, fit, loss_of

from .tolerances import SINGLE

RECIPE = Recipe("mse", epochs=3, batch_size=64, learning_rate=0.1, weight_decay=1e-3)


@pytest.fixture(scope="module")
def images():
    return load("synthetic", split="train").balanced(20, seed=0)


def start(recipe=RECIPE, seed=0) -> Training:
    return Training(build("convnet", num_classes=10, channels=1, size=8, seed=0), recipe, seed)


def weights(training: Training) -> torch.Tensor:
    return torch.cat([v.flatten().double() for v in training.model.state_dict().values()])


def test_learning_rate_drops_where_the_paper_says():
    """Of 350 epochs, 117 and 234 are the first at a tenth and a hundredth."""
    recipe = replace(RECIPE, epochs=350)
    rates = [round(recipe.rate(e) / recipe.learning_rate, 12) for e in (1, 116, 117, 233, 234, 350)]
    assert rates == [1, 1, 0.1, 0.1, 0.01, 0.01]


def naive_epochs(images, recipe, seed, epochs):
    """SGD with momentum and coupled decay by hand, one image batch after the other."""
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    for epoch in range(1, epochs + 1):
        order = torch.randperm(
            len(images), generator=torch.Generator().manual_seed(1_000_003 * seed + epoch - 1)
        )
        for step in range(len(images) // recipe.batch_size):
            index = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            logits = model(images.batch(index))
            loss = (logits - torch.eye(10)[images.labels[index]]).square().mean()
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for p, v, g in zip(model.parameters(), velocity, gradients, strict=True):
                    v.mul_(recipe.momentum).add_(g + recipe.weight_decay * p)
                    p.sub_(recipe.rate(epoch) * v)
    return model


def test_agrees_with_sgd_by_hand(images):
    """Two epochs equal the update rule written out: the order, the rate, the decay, the loss."""
    training = start()
    training.advance(images)
    training.advance(images)
    by_hand = naive_epochs(images, RECIPE, 0, 2)
    for mine, theirs in zip(training.model.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=10 * SINGLE, atol=10 * SINGLE)


def test_losses_are_torchs():
    """The trained losses are mean-reduced MSE to one-hot targets, and cross-entropy."""
    g = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 4, generator=g), torch.randint(4, (6,), generator=g)
    mse = (logits - torch.eye(4)[labels]).square().sum() / (6 * 4)
    assert torch.allclose(loss_of(logits, labels, "mse"), mse)
    ce = -logits.log_softmax(1)[range(6), labels].mean()
    assert torch.allclose(loss_of(logits, labels, "ce"), ce)


def test_resumed_equals_uninterrupted_bit_for_bit(images, tmp_path):
    """A training restored from its checkpoint ends with the same weights and buffers."""
    whole = start()
    for _ in range(3):
        whole.advance(images)
    first = start()
    first.advance(images)
    first.save(tmp_path / "a.pt")
    second = start()
    second.restore(tmp_path / "a.pt")
    assert second.epoch == 1 and second.loss == first.loss
    second.advance(images)
    second.advance(images)
    assert torch.equal(weights(second), weights(whole))
    forgotten = start()
    forgotten.restore(tmp_path / "a.pt")
    forgotten.optimizer.state.clear()  # the momentum matters: without it the end is another
    forgotten.advance(images)
    forgotten.advance(images)
    assert not torch.equal(weights(forgotten), weights(whole))


def test_fit_yields_every_epoch_and_learns(images):
    """fit() trains in place, one epoch at a time, and the loss falls."""
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    losses = [(t.epoch, t.loss) for t in fit(model, images, RECIPE, seed=0)]
    assert [epoch for epoch, _ in losses] == [1, 2, 3]
    assert losses[-1][1] < losses[0][1]


def test_the_seed_decides_the_order(images):
    """Another seed gives another order of the same images."""
    a, b = start(seed=0), start(seed=1)
    assert not torch.equal(a._order(200), b._order(200))
    assert torch.equal(a._order(200).sort().values, torch.arange(200))


def test_divergence_is_an_error_of_its_own(images):
    """A rate far too high ends in DivergedError, not in a row of NaN."""
    training = start(replace(RECIPE, learning_rate=1e12))
    with pytest.raises(DivergedError, match="training loss is (nan|inf)"):
        for _ in range(3):
            training.advance(images)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named_and_left(images, tmp_path, keep):
    """Cut anywhere, a checkpoint is refused by name and stays as it is."""
    path, training = tmp_path / "a.pt", start()
    training.save(path)
    content = path.read_bytes()
    cut = content[: int(keep * len(content)) if keep < 1 else keep]
    path.write_bytes(cut)
    with pytest.raises(CheckpointError, match="a.pt: not a checkpoint that can be read"):
        training.restore(path)
    assert path.read_bytes() == cut


class Evil:
    def __reduce__(self):
        return (print, ("code from a checkpoint ran",))


def test_a_checkpoint_runs_no_code(tmp_path, capsys):
    """A pickle that would call a function is refused, and the function is not called."""
    torch.save({"recipe": Evil()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError):
        start().restore(tmp_path / "a.pt")
    assert "ran" not in capsys.readouterr().out


def test_another_recipes_checkpoint_is_refused(tmp_path):
    """Recipe, seed and network must be the checkpoint's own."""
    start().save(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="'weight_decay': 0.5.*got.*'weight_decay': 0.001"):
        start(replace(RECIPE, weight_decay=0.5)).restore(tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="'seed': 1"):
        start(seed=1).restore(tmp_path / "a.pt")
    torch.save([1, 2], tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match="got None"):
        start().restore(tmp_path / "b.pt")


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("loss", "l1", r"loss: expected one of \('mse', 'ce'\), got 'l1'"),
        ("epochs", 0, "epochs: expected at least 1, got 0"),
        ("batch_size", -1, "batch_size: expected at least 1, got -1"),
        ("learning_rate", math.nan, "learning_rate: expected a finite number >= 0, got nan"),
        ("weight_decay", -1.0, "weight_decay: expected a finite number >= 0, got -1.0"),
    ],
)
def test_recipes_are_checked(field, value, message):
    """A field out of range is named with what it should be; an unknown field is a TypeError."""
    with pytest.raises(ValueError, match=message):
        replace(RECIPE, **{field: value})
    with pytest.raises(TypeError):
        Recipe("mse", 1, 1, 0.1, 0.0, learning_rte=1)  # pyright: ignore[reportCallIssue]


def test_a_batch_larger_than_the_set_is_refused(images):
    """An epoch without a single step would train nothing, silently."""
    with pytest.raises(ValueError, match=r"batch_size: expected at most 200 \(images\), got 512"):
        start(replace(RECIPE, batch_size=512)).advance(images)


def test_weights_are_kept_channels_last():
    """The layout that convolutions like; restoring keeps it."""
    layer = next(
        m for m in start().model.modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1
    )
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
