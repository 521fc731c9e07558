"""Training: the recipe and nothing else; a checkpoint goes on bit for bit or is refused."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from nclib.data import load
from nclib.machine import Machine
from nclib.models import build
from nclib.training import CheckpointError, DivergedError, Recipe, Training, fit, loss_of

from .tolerances import SINGLE
from .trainings import CUDA, LONG, RECIPE, losses, start, weights


@pytest.fixture(scope="module")
def images():
    return load("synthetic", split="train").balanced(20, seed=0)


@pytest.fixture(scope="module")
def few():
    """Two steps an epoch, for what is slow on a CPU."""
    return load("synthetic", split="train").balanced(13, seed=0)


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
    one_hot = nn.functional.one_hot(labels, 4).float()
    assert torch.equal(loss_of(logits, labels, "mse"), nn.functional.mse_loss(logits, one_hot))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_equals_uninterrupted_bit_for_bit(images, tmp_path, precision):
    """A training restored from its checkpoint ends with the same weights and buffers."""
    machine = Machine("cpu", precision)
    whole = start(machine=machine)
    for _ in range(3):
        whole.advance(images)
    first = start(machine=machine)
    first.advance(images)
    first.save(tmp_path / "a.pt")
    second = start(machine=machine)
    second.restore(tmp_path / "a.pt")
    assert second.epoch == 1 and second.loss == first.loss
    second.advance(images)
    second.advance(images)
    assert torch.equal(weights(second), weights(whole))
    forgotten = start(machine=machine)
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


BANDS = {"float32": 0.0, "bfloat16": 0.02, "float16": 0.005}  # of the loss, over three epochs


@pytest.mark.parametrize(
    "precision, loss", [("bfloat16", "mse"), ("bfloat16", "ce"), ("float16", "mse")]
)
def test_low_precision_trains_alike(few, precision, loss):
    """Losses stay within a band of float32's, and are not the same: the precision is real."""
    recipe = replace(RECIPE, loss=loss)
    exact = losses(start(recipe), few)
    low = losses(start(recipe, machine=Machine("cpu", precision)), few)
    differences = [abs(a / b - 1) for a, b in zip(low, exact, strict=True)]
    assert 0 < max(differences) < BANDS[precision]


class Watched(nn.Module):
    """A layer that notes the precision of what comes in."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, set()

    def forward(self, x):
        self.seen.add(x.dtype)
        return self.inner(x)


def test_only_the_body_computes_in_low_precision(few):
    """Neck and head get float32, weights and momentum are float32; the body's maps are not."""
    training = start(machine=Machine("cpu", "bfloat16"))
    model: Any = training.model
    last = model.body[-1] = Watched(model.body[-1])
    neck = model.neck = Watched(model.neck)
    head = model.fc = Watched(model.fc)
    training.advance(few)
    assert last.seen == {torch.bfloat16} and neck.seen == head.seen == {torch.float32}
    kept = [*model.parameters(), *(b for b in training._momentum() if b is not None)]
    assert {tensor.dtype for tensor in kept} == {torch.float32}


@pytest.mark.parametrize("whole, seen", [(False, torch.float32), (True, torch.bfloat16)])
def test_other_modules_are_float32_unless_asked(few, whole, seen):
    """A module that is not a Network has no body: all of it in float32, or on request all low."""
    watched = Watched(nn.Linear(64, 10))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), watched)
    training = Training(model, RECIPE, 0, Machine("cpu", "bfloat16"), whole=whole)
    training.advance(few)
    assert watched.seen == {seen} and math.isfinite(training.loss)


def test_channels_last_computes_the_same(few):
    """The layout changes the speed, not the losses."""
    fast, plain = start(), start()
    plain.model.to(memory_format=torch.contiguous_format)
    batch = few.batch(torch.arange(64))
    assert torch.allclose(plain.model(batch), fast.model(batch), rtol=SINGLE, atol=SINGLE)
    ours, theirs = losses(fast, few), losses(plain, few)
    assert ours == pytest.approx(theirs, rel=SINGLE / 10)


def test_a_scaled_loss_backs_off_and_is_kept(few, tmp_path):
    """Overflowing gradients halve the scale instead of spoiling a weight; it survives a save."""
    training = start(machine=Machine("cpu", "float16"))
    training._scaler.load_state_dict(training._scaler.state_dict() | {"scale": 2.0**40})
    training.advance(few)
    scale = training._scaler.get_scale()
    assert scale < 2.0**40 and bool(torch.isfinite(weights(training)).all())
    training.save(tmp_path / "a.pt")
    again = start(machine=Machine("cpu", "float16"))
    again.restore(tmp_path / "a.pt")
    assert again._scaler.get_scale() == scale


@pytest.mark.slow
@pytest.mark.skipif(
    "NCLIB_TEST_COMPILE" not in os.environ,
    reason="compiling takes a minute and a half; set NCLIB_TEST_COMPILE=1",
)
@pytest.mark.parametrize(
    "machine",
    [Machine(compile=True), pytest.param(Machine("cuda", graph=True, compile=True), marks=CUDA)],
    ids=["cpu", "cuda"],
)
def test_a_compiled_body_trains_alike(few, machine):
    """Compilation changes neither losses nor the names of the weights."""
    ours, plain = start(machine=machine), start()
    assert losses(ours, few) == pytest.approx(losses(plain, few), rel=100 * SINGLE)
    assert list(ours.model.state_dict()) == list(plain.model.state_dict())


@CUDA
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("network", ["convnet", "thinresnet", "thinvgg", "thindensenet"])
def test_the_graph_trains_as_the_eager_step(few, precision, network):
    """On CUDA, over both drops: replays and eager steps give the same losses."""
    found = {}
    for graph in (False, True):
        model = build(network, num_classes=10, channels=1, size=8, seed=0)
        training = Training(model, LONG, 0, Machine("cuda", precision, graph))
        found[graph] = losses(training, few, 6)
    assert found[True] == pytest.approx(found[False], rel=BANDS["bfloat16"])


@CUDA
@pytest.mark.parametrize("precision, graph", [("float32", True), ("bfloat16", True),
                                              ("float16", False)])  # fmt: skip
def test_cuda_trains_as_the_cpu(few, precision, graph):
    """The same order of images and the same losses, within the band of the precision."""
    ours = losses(start(LONG, machine=Machine("cuda", precision, graph)), few, 6)
    plain = losses(start(LONG), few, 6)
    assert ours == pytest.approx(plain, rel=max(BANDS[precision], 100 * SINGLE))


@CUDA
@pytest.mark.parametrize("before", [0, 2])
def test_a_graph_resumes_on_cuda_and_on_the_cpu(few, tmp_path, before):
    """A checkpoint of the graph goes on in a graph, recorded before or after, and on a CPU."""
    machine = Machine.of("cuda", "float32", graph=True)
    whole = start(LONG, machine=machine)
    losses(whole, few, 2)
    whole.save(tmp_path / "a.pt")
    rest = losses(whole, few, 4)
    again = start(LONG, machine=machine)
    losses(again, few, before)
    again.restore(tmp_path / "a.pt")
    assert losses(again, few, 4) == pytest.approx(rest, rel=100 * SINGLE)
    plain = start(LONG)
    plain.restore(tmp_path / "a.pt")
    assert losses(plain, few, 4) == pytest.approx(rest, rel=100 * SINGLE)


@CUDA
def test_momentum_is_zero_before_the_first_step():
    """On CUDA a scaled first step that is skipped would leave a buffer that nobody wrote."""
    momentum = start(machine=Machine("cuda", "float16"))._momentum()
    assert all(buffer is not None and not bool(buffer.any()) for buffer in momentum)


@CUDA
def test_dropout_differs_from_replay_to_replay():
    """A recorded step draws new numbers each time."""
    images = load("synthetic", split="train").balanced(20, seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Dropout(0.5), nn.Linear(64, 10))
    recipe = replace(RECIPE, batch_size=200, learning_rate=0.0, weight_decay=0.0)
    training = Training(model, recipe, 0, Machine("cuda", "float32", graph=True))
    assert len(set(losses(training, images))) == 3
