"""Networks: same seed, same weights; split() finds the features and the head of any model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nclib.head import Head
from nclib.models import build, split

from .tolerances import SINGLE


@pytest.mark.parametrize("network", ["convnet", "plainnet", "thinvgg", "thinresnet", "resnet18"])
@pytest.mark.parametrize("channels, side", [(1, 8), (1, 32), (3, 32)])
def test_features_times_head_are_the_logits(network, channels, side):
    """W h + b, from the split, is what the network computes."""
    model = build(network, num_classes=10, channels=channels, size=side, seed=0).eval()
    trunk, head = split(model)
    images = torch.randn(5, channels, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features, logits = trunk(images)
        assert torch.equal(logits, model(images))
    assert features.shape == (5, head.dimension) and head.num_classes == 10
    assert torch.allclose(head.logits(features).float(), logits, rtol=SINGLE, atol=SINGLE)


def test_convnet_is_as_documented():
    """64 non-negative features, 56,554 parameters for one channel."""
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    assert split(model)[1].dimension == 64
    assert sum(p.numel() for p in model.parameters()) == 56_554
    with torch.no_grad():
        assert float(split(model)[0](torch.randn(3, 1, 8, 8))[0].min()) >= 0


def test_the_seed_alone_decides_the_weights():
    """Same seed, same weights, whatever was drawn before; the global generator is left alone."""
    torch.manual_seed(1)
    first = build("convnet", num_classes=10, channels=1, size=8, seed=7).state_dict()
    state = torch.get_rng_state()
    second = build("convnet", num_classes=10, channels=1, size=8, seed=7).state_dict()
    other = build("convnet", num_classes=10, channels=1, size=8, seed=8).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_split_takes_the_head_as_it_is_now():
    """The head is a copy of the last layer, and the hook leaves nothing behind."""
    last = nn.Linear(3, 2)
    trunk, head = split(nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), last))
    assert torch.equal(head.weight, Head.of(last).weight)
    trunk(torch.zeros(1, 4))
    assert not last._forward_hooks


def test_a_bare_linear_layer_is_its_own_head():
    """Then the features are the inputs."""
    trunk, head = split(nn.Linear(4, 2))
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(trunk(x)[0], x) and head.dimension == 4


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(self.fc(x))


@pytest.mark.parametrize(
    "model, shape, message",
    [
        (nn.Conv2d(1, 1, 1), (1, 1, 2, 2), "expected a linear layer at the end, Conv2d has none"),
        (nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)), (1, 4), "'0', with nothing after it"),
        (Twice(), (1, 4), "one call of its last linear layer, 'fc', .* got 2 calls"),
        (nn.Sequential(nn.Linear(4, 2)), (3, 5, 4), r"\(B, 4\) before '0', got \(3, 5, 4\)"),
    ],
)  # fmt: skip
def test_models_without_a_linear_head_are_refused(model, shape, message):
    """The error names the layer and what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        split(model)[0](torch.zeros(shape))


def test_unknown_network_is_refused_with_the_known_ones():
    """A misspelled name lists what there is."""
    with pytest.raises(ValueError, match=r"network: expected one of \['convnet'.*\], got 'convnt'"):
        build("convnt", num_classes=10, channels=1, size=8, seed=0)


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(input=x)


def test_a_head_called_by_name_is_found():
    """fc(input=h) is as good as fc(h)."""
    x = torch.ones(3, 4)
    assert torch.equal(split(ByName())[0](x)[0], x)
