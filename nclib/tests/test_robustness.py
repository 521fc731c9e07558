"""DeepFool: exact on linear models, equal to a naive twin, and it leaves the network alone."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nclib import robustness
from nclib.models import build
from nclib.robustness import deepfool, robustness_of

from .networks import NETWORKS, convnet, gaussian, linear, smooth
from .tolerances import EXACT, ITERATED, SINGLE, TIGHT


@pytest.fixture(params=NETWORKS)
def network(request) -> tuple[nn.Module, Tensor]:
    make, shape = NETWORKS[request.param]
    return make(), gaussian(99, 9, *shape)


def naive(model: nn.Module, x: Tensor, max_steps: int, overshoot: float) -> tuple[Tensor, int]:
    """One image (1, ...), class by class, as Algorithm 2 is written."""
    r, k0 = torch.zeros_like(x), int(model(x).argmax())
    for step in range(max_steps):
        point = (x + r).requires_grad_()
        logits = model(point.clone())[0]
        if int(logits.argmax()) != k0:
            return r, step
        slopes = [torch.autograd.grad(f, point, retain_graph=True)[0] for f in logits]
        ways = []
        for k in range(len(logits)):
            if k != k0:
                w, f = slopes[k] - slopes[k0], (logits[k0] - logits[k]).item()
                ways.append((f / float(w.norm()), f / float(w.norm()) ** 2 * w))
        r = r + (1 + overshoot) * min(ways, key=lambda way: way[0])[1]
    return r, max_steps


def test_naive_twin(network):
    """All images at once equal one image and one class at a time."""
    model, x = network
    result = deepfool(model, x)
    assert bool(result.found.all())
    for i in range(len(x)):
        r, steps = naive(model, x[i : i + 1], 50, 0.02)
        torch.testing.assert_close(result.perturbations[i : i + 1], r, rtol=0, atol=TIGHT)
        assert int(result.steps[i]) == steps
        assert float(result.relative[i]) == pytest.approx(float(r.norm() / x[i].norm()), rel=TIGHT)
    if x.ndim == 2:
        assert int(result.steps.max()) > 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), num_classes=st.integers(2, 7), count=st.integers(1, 6),
    shape=st.sampled_from([(1,), (5,), (2, 3), (1, 2, 2)]),
    overshoot=st.sampled_from([0.0, 0.02, 0.5]),
)  # fmt: skip
def test_linear_model_exactly(seed, num_classes, count, shape, overshoot):
    """On a linear model r is 1 + overshoot times the way to the nearest boundary, in one step."""
    x = gaussian(seed + 2, count, *shape)
    model = linear(seed, num_classes, x[0].numel())
    W, logits = model[1].weight.detach(), model(x).detach()  # pyright: ignore[reportIndexIssue]
    for result, h, f in zip(deepfool_rows(model, x, overshoot), x.flatten(1), logits, strict=True):
        k0 = int(f.argmax())
        ways = [
            (f[k0] - f[k]) / (W[k] - W[k0]).norm() ** 2 * (W[k] - W[k0])
            for k in range(num_classes)
            if k != k0
        ]
        lengths = torch.stack(ways).norm(dim=1).sort().values
        # Closer than this to a boundary, or to two, the rounding of the logits decides.
        assume(lengths[0] > 1e-4 and (len(lengths) == 1 or lengths[1] > 1.0001 * lengths[0]))
        expected = (1 + overshoot) * min(ways, key=lambda way: float(way.norm()))
        r, steps, relative = result
        assert torch.allclose(r, expected, rtol=0, atol=TIGHT * float(expected.norm()))
        assert relative == pytest.approx(float(expected.norm() / h.norm()), rel=TIGHT)
        assert steps == 1 or overshoot == 0


def deepfool_rows(model: nn.Module, x: Tensor, overshoot: float) -> list[tuple[Tensor, int, float]]:
    result = deepfool(model, x, overshoot=overshoot)
    rows = result.perturbations.flatten(1)
    return list(zip(rows, result.steps.tolist(), result.relative.tolist(), strict=True))


class Disk(nn.Module):
    """Class 0 inside the unit circle, class 1 outside."""

    def forward(self, x: Tensor) -> Tensor:
        inside = 1 - x.square().sum(1)
        return torch.stack([inside, -inside], dim=1)


def test_curved_boundary():
    """Outside a disk r points to it, as long as the distance to the overshoot's fraction."""
    angle, radius = torch.arange(20).double(), torch.linspace(1.01, 4, 20).double()
    x = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    result = deepfool(Disk(), x)
    assert bool(result.found.all()) and int(result.steps.max()) > 2
    length = result.perturbations.norm(dim=1)
    along = -(result.perturbations * x).sum(1) / radius
    torch.testing.assert_close(along, length, rtol=EXACT, atol=0)
    assert bool((length >= radius - 1).all() and (length <= 1.02 * (radius - 1)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_decision_changes(network, dtype):
    """Where r was found, x + r is decided otherwise than x; in float32 too."""
    model, x = network[0].to(dtype), network[1].to(dtype)
    result = deepfool(model, x)
    with torch.no_grad():
        assert bool((model(x + result.perturbations).argmax(1) != model(x).argmax(1)).all())
    assert result.perturbations.dtype == dtype and bool(result.found.all())


class Scaled(nn.Module):
    def __init__(self, model: nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.model(x) + 3 * self.factor


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e6])
def test_scale_and_shift_of_the_logits_do_not_matter(network, factor):
    """r stays when all logits are multiplied by a number and moved by another."""
    model, x = network
    expected = deepfool(model, x).perturbations
    got = deepfool(Scaled(model, factor), x).perturbations
    torch.testing.assert_close(got, expected, rtol=0, atol=ITERATED * float(expected.norm()))


def test_order_and_splits_do_not_matter(network, monkeypatch):
    """Each image has its own r, whatever stands beside it and however the batch is cut."""
    model, x = network
    whole = deepfool(model, x)
    shuffled = torch.tensor([4, 0, 8, 1, 7, 2, 6, 3, 5])
    moved = deepfool(model, x[shuffled])
    torch.testing.assert_close(
        moved.perturbations, whole.perturbations[shuffled], rtol=0, atol=TIGHT
    )
    seen = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(robustness, "BLOCK", 2 * x[0].numel() + 1)
    parts = deepfool(model, x)
    assert max(seen) == 2
    torch.testing.assert_close(parts.perturbations, whole.perturbations, rtol=0, atol=TIGHT)
    assert torch.equal(parts.steps, whole.steps)


def test_images_that_have_crossed_are_left_alone():
    """The batch that goes through the network shrinks to the images that are not done."""
    model, x = smooth(), gaussian(99, 40, 6)
    seen = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    steps = deepfool(model, x).steps
    expected = [40]
    for step in range(1, int(steps.max()) + 1):
        before, after = int((steps >= step).sum()), int((steps > step).sum())
        # A look at all that moved; where some are done, one at the rest before they move again.
        expected += [before, after] if 0 < after < before else [before]
    assert seen == expected and seen[-1] < 40


def test_twice_the_same(network):
    """Two calls agree bit for bit."""
    model, x = network
    assert torch.equal(deepfool(model, x).perturbations, deepfool(model, x).perturbations)


def test_average():
    """robustness_of is the mean over images of |r| / |x|."""
    model, x = smooth(), gaussian(5, 12, 6)
    r = deepfool(model, x).perturbations
    assert robustness_of(model, x) == pytest.approx(
        float((r.norm(dim=1) / x.norm(dim=1)).mean()), rel=EXACT
    )


class Constant(nn.Module):
    """The same logits for every image; with ``joined``, still a function of it."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        self.joined = joined

    def forward(self, x: Tensor) -> Tensor:
        logits = torch.tensor([0.2, 0.5, 0.1]).expand(len(x), 3)
        return logits + 0 * x.sum(1, keepdim=True) if self.joined else logits


def test_constant_output_has_no_boundary():
    """Where no input changes the logits nothing is found, and the average is no number."""
    result = deepfool(Constant(joined=True), gaussian(1, 3, 4))
    assert not bool(result.found.any()) and result.steps.tolist() == [0, 0, 0]
    assert bool(result.perturbations.isnan().all() and result.relative.isnan().all())
    assert result.average != result.average
    with pytest.raises(ValueError, match="model: expected logits that depend on the input"):
        deepfool(Constant(joined=False), gaussian(1, 3, 4))


def test_images_without_a_boundary_are_left_out():
    """A dead image neither moves the others nor counts in the average."""
    relu = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    for layer, weight, bias in ((relu[0], [[1.0]], [0.0]), (relu[2], [[1.0], [0.0]], [0.0, 1.0])):
        layer.weight.data = torch.tensor(weight, dtype=torch.float64)  # pyright: ignore
        layer.bias.data = torch.tensor(bias, dtype=torch.float64)  # pyright: ignore
    # Decided at the input 1; below 0 the logits are flat.
    result = deepfool(relu, torch.tensor([[3.0], [-1.0], [1.5]]).double())
    assert result.found.tolist() == [True, False, True]
    assert bool(result.perturbations[1].isnan().all())
    expected = 1.02 * torch.tensor([-2.0, -0.5], dtype=torch.float64)
    torch.testing.assert_close(result.perturbations[[0, 2], 0], expected, rtol=TIGHT, atol=0)
    assert result.average == pytest.approx(1.02 * (2 / 3 + 1 / 3) / 2, rel=TIGHT)


def test_steps_that_do_not_suffice():
    """An image that needs more than max_steps has no r, and the others keep theirs."""
    model, x = smooth(), gaussian(99, 40, 6)
    whole, two = deepfool(model, x), deepfool(model, x, max_steps=2)
    assert torch.equal(two.found, whole.steps <= 2) and bool(two.found.any())
    assert not bool(two.found.all()) and int(two.steps.max()) == 2
    assert torch.equal(two.perturbations[two.found], whole.perturbations[two.found])
    assert bool(two.perturbations[~two.found].isnan().all())


def test_zero_image_has_a_distance_but_no_ratio():
    """An image of norm 0 is found and left out of the average."""
    model, x = linear(3, 3, 4), gaussian(4, 3, 4)
    rest = deepfool(model, x[1:]).average
    x[0] = 0
    result = deepfool(model, x)
    assert bool(result.found.all()) and bool(result.relative[0].isnan())
    assert result.average == pytest.approx(rest, rel=EXACT)
    assert robustness_of(model, torch.zeros(2, 4).double()) != 0  # NaN


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("overshoot", [0.0, 0.02])
def test_an_image_on_a_boundary_leaves_it(dtype, overshoot):
    """At a tie the margin is 0; a step of rounding size is made, and r is as small."""
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.eye(2)
    # The second image is far out, where a step as small as the logits' rounding would be lost.
    x = torch.tensor([[0.3, 0.3], [1e3, 1e3]], dtype=dtype)
    model.bias = nn.Parameter(torch.full((2,), -1e3))
    result = deepfool(model.to(dtype), x, overshoot=overshoot)
    assert bool(result.found.all()) and float(result.relative.min()) > 0
    assert float(result.relative[1]) < 10 * torch.finfo(dtype).eps


class Overflowing(nn.Module):
    """Infinite logits below -1: another class by the order of NaN and infinity only."""

    def forward(self, x: Tensor) -> Tensor:
        pole = torch.where(x[:, 0] < -1, torch.inf, -1e-3 * x[:, 0])
        return torch.stack([torch.ones_like(pole) + 1e-3 * x[:, 1], pole], dim=1)


def test_infinite_logits_decide_nothing():
    """A step into logits that are not finite is no decision found."""
    result = deepfool(Overflowing(), torch.tensor([[-0.5, -200.0], [-2.0, 0.0]]).double())
    assert result.found.tolist() == [False, False]
    masked = nn.Linear(4, 3)
    masked.bias.data[2] = -torch.inf  # a class that is ruled out leaves the others undecided too
    assert not bool(deepfool(masked, gaussian(1, 3, 4).float()).found.any())


def state_of(model: nn.Module) -> list:
    modes = [module.training for module in model.modules()]
    asked = [(p.requires_grad, p.grad) for p in model.parameters()]
    return [modes, asked, copy.deepcopy(model.state_dict())]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("around", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_network_is_left_as_it_was(training, around):
    """Modes, parameters, their gradients and flags, statistics and inputs stay; r is the same."""
    model, x = convnet(), gaussian(7, 4, 1, 6, 6)
    expected = deepfool(model, x).perturbations
    model.train(training)
    model[1].eval()  # pyright: ignore[reportIndexIssue]  # a mode of its own
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    kept = parameters[1].grad = torch.ones_like(parameters[1])
    before, inputs = state_of(model), x.clone()
    with around():
        result = deepfool(model, x if around is not torch.inference_mode else x.clone())
    after = state_of(model)
    assert after[:2] == before[:2] and parameters[1].grad is kept and bool((kept == 1).all())
    assert all(torch.equal(after[2][name], value) for name, value in before[2].items())
    assert torch.equal(x, inputs) and x.grad is None and not x.requires_grad
    assert not result.perturbations.requires_grad
    assert torch.equal(result.perturbations, expected)  # batch norm with its stored statistics


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_settings_come_back(deterministic, channels, monkeypatch):
    """Modes and the choice of algorithms are ours only within, also when the model fails."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", deterministic)
    model, seen = convnet().train(), []
    model.register_forward_pre_hook(
        lambda *_: seen.append((model.training, torch.backends.cudnn.deterministic))
    )
    try:
        deepfool(model, gaussian(7, 4, channels, 6, 6))
    except RuntimeError:
        assert channels == 3
    assert set(seen) == {(False, True)}
    assert all(module.training for module in model.modules())
    assert torch.backends.cudnn.deterministic == deterministic


def test_modules_that_work_in_place():
    """A first module that overwrites its input changes neither r nor the inputs."""
    x = gaussian(8, 6, 6).abs() + 0.1
    plain, inplace = (
        nn.Sequential(nn.LeakyReLU(0.5, inplace=flag), *smooth()[1:])  # pyright: ignore
        for flag in (False, True)
    )
    x[:, ::2] *= -1
    before = x.clone()
    expected, got = deepfool(plain, x), deepfool(inplace, x)
    assert torch.equal(x, before)
    assert torch.equal(got.perturbations, expected.perturbations) and bool(got.found.all())


def test_our_networks():
    """A network of ours in float32: found on each image, by the same steps as one by one."""
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    x = gaussian(10, 5, 1, 8, 8).float()
    result = deepfool(model, x)
    assert bool(result.found.all()) and model.training
    for i in range(len(x)):
        r, steps = naive(model.eval(), x[i : i + 1], 50, 0.02)
        assert steps == int(result.steps[i])
        assert torch.allclose(result.perturbations[i], r[0], atol=SINGLE * float(r.norm()), rtol=0)


def test_single_precision_gives_the_double_result():
    """float32 costs digits, not steps: the same r to its precision."""
    model, x = smooth(), gaussian(6, 8, 6)
    expected = deepfool(model, x).relative
    torch.testing.assert_close(
        deepfool(model.float(), x.float()).relative, expected, rtol=SINGLE, atol=0
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; there is none here")
def test_cuda_gives_the_same():
    """On a GPU r is that of the CPU, and the same every time."""
    model, x = convnet().float(), gaussian(99, 9, 1, 6, 6).float()
    expected = deepfool(model, x).relative
    model, x = model.cuda(), x.cuda()
    first, second = deepfool(model, x), deepfool(model, x)
    torch.testing.assert_close(first.relative, expected, rtol=100 * SINGLE, atol=0)
    assert first.perturbations.is_cuda and torch.equal(first.perturbations, second.perturbations)


@pytest.mark.parametrize(
    "inputs, options, error, message",
    [
        (torch.ones(2, 4, dtype=torch.uint8), {}, TypeError, "inputs: expected a floating-point"),
        ([1.0], {}, TypeError, "inputs: expected a floating-point tensor, got list"),
        (torch.ones(4), {}, ValueError, r"inputs: expected \(B, ...\) with B >= 1, got \(4,\)"),
        (torch.ones(0, 4), {}, ValueError, r"got \(0, 4\)"),
        (torch.full((1, 4), torch.nan), {}, ValueError, "inputs: expected finite values"),
        (torch.ones(1, 4), {"max_steps": 0}, ValueError, "max_steps: expected at least 1, got 0"),
        (torch.ones(1, 4), {"overshoot": -1}, ValueError, "overshoot: expected a finite number"),
        (torch.ones(1, 3, 4), {}, ValueError, r"model: expected logits \(1, C\) with C >= 2, got"),
    ],
)
def test_bad_input_is_refused_in_words(inputs, options, error, message):
    """The culprit is named, with what was expected and what came."""
    with pytest.raises(error, match=message):
        deepfool(nn.Linear(4, 2), inputs, **options)
