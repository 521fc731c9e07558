"""The networks: as large and as wide as published, cut where they say, alike with less memory."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from nclib.models import FAMILIES, NETWORKS, Network, build, split
from nclib.models.densenet import DenseLayer, DenseNet

from .tolerances import EXACT, SINGLE

# Published counts for 32x32 color images and ten classes. The ResNets: those with the same stem
# in common CIFAR10 collections; DenseNet-BC: the CIFAR10 table of imgclsmob.
PUBLISHED = {
    "resnet18": 11_173_962,
    "resnet34": 21_282_122,
    "resnet50": 23_520_842,
    "densenet100": 769_162,
    "densenet250": 15_324_406,
}
DIMENSIONS = {
    "vgg11": 4096, "vgg13": 4096, "resnet18": 512, "resnet34": 512, "resnet50": 2048,
    "densenet40": 456, "densenet100": 342, "densenet201": 1920, "densenet250": 1734,
    "thinvgg": 128, "thinresnet": 64, "thindensenet": 96, "plainnet": 64, "convnet": 64,
}  # fmt: skip
# Side of the body's maps for images of 32 and 96.
SIDES = {
    **dict.fromkeys(("vgg11", "vgg13", "densenet201"), (1, 3)),
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "thinvgg"), (4, 12)),
    **dict.fromkeys(("densenet40", "densenet100", "densenet250"), (8, 24)),
    **dict.fromkeys(("thinresnet", "thindensenet"), (4, 12)),
    **dict.fromkeys(("plainnet", "convnet"), (16, 48)),
}
THIN = ("thinvgg", "thinresnet", "thindensenet", "plainnet", "convnet")


def conv(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel**2


def norm(width: int) -> int:
    return 2 * width


def by_hand(network: str, channels: int, size: int) -> int:
    """Parameters from the widths alone, for ten classes."""
    if network.startswith("vgg"):
        twice = network == "vgg13"
        widths = (channels, 64, *[64] * twice, 128, *[128] * twice, 256, 256, 512, 512, 512, 512)
        inputs = 512 * (size // 32) ** 2
        body = sum(conv(a, b, 3) + b + norm(b) for a, b in pairwise(widths))
        return body + (inputs + 4096) * 4096 + 2 * norm(4096) + 4096 * 10 + 10
    if network == "densenet40":
        return plain_dense(channels, 12, 24, 12)
    if network == "thindensenet":
        return plain_dense(channels, 12, 24, 2)
    if network == "thinvgg":
        widths = (channels, 16, 32, 64)
        body = sum(conv(a, b, 3) + b + norm(b) for a, b in pairwise(widths))
        return body + (64 * (size // 8) ** 2 + 128) * 128 + 2 * norm(128) + 1290
    stages = ((16, 16), (16, 32), (32, 64))
    body = sum(conv(a, b, 3) + conv(b, b, 3) + 2 * norm(b) for a, b in stages)
    shortcuts = sum(conv(a, b, 1) + norm(b) for a, b in stages[1:])
    return conv(channels, 16, 3) + norm(16) + body + shortcuts + 650


def plain_dense(channels: int, growth: int, initial: int, layers: int) -> int:
    count, width = conv(channels, initial, 3), initial
    for block in range(3):
        for _ in range(layers):
            count += norm(width) + conv(width, growth, 3)
            width += growth
        count += norm(width) + (conv(width, width, 1) if block < 2 else 0)
    return count + 10 * width + 10


def test_every_network_says_where_it_comes_from():
    """Name, family, evidence and source are filled in, and nothing is marked stated that is not."""
    assert all(name == a.name and a.source for name, a in NETWORKS.items())
    assert {a.family for a in NETWORKS.values()} == {*FAMILIES, "ours"}
    assert {a.evidence for a in NETWORKS.values()} == {"stated", "inferred", "our choice"}
    assert [a.name for a in NETWORKS.values() if a.evidence == "stated"] == ["resnet18"]


@pytest.mark.parametrize("network", PUBLISHED)
def test_parameters_are_the_published_number(network):
    """To the last one."""
    assert NETWORKS[network].parameters(10, 3, 32) == PUBLISHED[network]


@pytest.mark.parametrize(
    "network", ["vgg11", "vgg13", "densenet40", "thinvgg", "thinresnet", "thindensenet"]
)
@pytest.mark.parametrize("channels, size", [(1, 32), (3, 96)])
def test_parameters_are_those_of_the_widths(network, channels, size):
    """The sum over layers, by hand."""
    counted = NETWORKS[network].parameters(10, channels, size)
    assert counted == by_hand(network, channels, size)


def test_densenet201_is_torchvisions():
    """Same parameters, but for the head's classes."""
    from torchvision.models import densenet201

    with torch.device("meta"):
        theirs = sum(p.numel() for p in densenet201(num_classes=10).parameters())
    assert NETWORKS["densenet201"].parameters(10, 3, 96) == theirs


def test_thin_networks_are_small():
    """At most 100,000 parameters, thin VGG twice that; at least 32 features."""
    for name in THIN:
        most = 200_000 if name == "thinvgg" else 100_000
        assert NETWORKS[name].parameters(10, 1, 32) <= most
        assert NETWORKS[name].dimension(10, 1, 8) >= 32


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels, size", [(1, 32), (3, 96)])
def test_shapes(network, channels, size):
    """Features as wide as documented, maps as large, whatever the images."""
    outline = NETWORKS[network].outline(7, channels, size).eval()
    side = SIDES[network][size == 96]
    with torch.no_grad():
        maps = outline.body(torch.zeros(2, channels, size, size, device="meta"))
        assert maps.shape[0] == 2 and maps.shape[2:] == (side, side)
        assert outline.neck(maps).shape == (2, DIMENSIONS[network])
        assert outline.classify(maps).shape == (2, 7)
    assert outline.fc.in_features == DIMENSIONS[network]


# VGG13 and DenseNet250 have the pooling of VGG11 and DenseNet100.
@pytest.mark.parametrize("network", [n for n in NETWORKS if n not in ("vgg13", "densenet250")])
def test_the_smallest_size_is_the_smallest(network):
    """It can be taken, one pixel less cannot, and building for that is refused in words."""
    architecture = NETWORKS[network]

    def logits(size: int) -> torch.Tensor:
        with torch.no_grad(), torch.device("meta"):
            return architecture.make(10, 1, size).eval()(torch.zeros(2, 1, size, size))

    assert logits(architecture.smallest).shape == (2, 10)
    below = architecture.smallest - 1
    # The empty layer of a VGG for too small images already warns when it is initialized.
    with warnings.catch_warnings(), pytest.raises((RuntimeError, ValueError)):
        warnings.simplefilter("ignore")
        logits(below)
    with pytest.raises(ValueError, match=rf"at least {architecture.smallest} .*{network}, got"):
        build(network, num_classes=10, channels=1, size=below, seed=0)


@pytest.mark.parametrize("argument", ["num_classes", "channels"])
def test_nothing_is_built_from_nothing(argument):
    """No classes or no channels: the error names it."""
    sizes = {"num_classes": 10, "channels": 1, "size": 8} | {argument: 0}
    with pytest.raises(ValueError, match=f"{argument}: expected at least 1, got 0"):
        build("convnet", seed=0, **sizes)


@pytest.mark.parametrize("network", THIN)
@pytest.mark.parametrize("channels, size", [(1, 8), (3, 32)])
def test_the_parts_are_the_whole(network, channels, size):
    """split's features are neck(body(x)), not negative; the logits classify(body(x))."""
    model = build(network, num_classes=10, channels=channels, size=size, seed=0).eval()
    images = torch.randn(5, channels, size, size, generator=torch.Generator().manual_seed(0))
    trunk, head = split(model)
    with torch.no_grad():
        features, logits = trunk(images)
        maps = model.body(images)
        assert torch.equal(features, model.neck(maps))
        assert torch.equal(logits, model.classify(maps))
        assert torch.equal(logits, model(images))
    assert float(features.min()) >= 0 < float(features.max())
    assert head.dimension == DIMENSIONS[network]


@pytest.mark.parametrize("network", ["thinvgg", "thinresnet", "thindensenet", "densenet100"])
def test_the_seed_alone_decides_the_weights(network):
    """Same seed, same weights; the global generator neither matters nor moves."""
    weights = []
    for before, seed in ((1, 7), (2, 7), (1, 8)):
        torch.manual_seed(before)
        state = torch.get_rng_state()
        model = build(network, num_classes=10, channels=1, size=8, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_vgg_starts_as_the_labs_did():
    """Convolutions with variance 2/(k^2 c_out), linear layers 0.01^2, biases zero."""
    model = build("vgg11", num_classes=10, channels=1, size=32, seed=0)
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            weight = layer.weight.detach()
            wanted = 0.01
            if isinstance(layer, nn.Conv2d):
                wanted = (2 / (9 * layer.out_channels)) ** 0.5
            # The deviation of n normal draws has a standard error of 1/sqrt(2n), relative.
            allowed = 5 / (2 * weight.numel()) ** 0.5
            assert float(weight.std()) == pytest.approx(wanted, rel=allowed)
            assert layer.bias is None or not bool(layer.bias.any())


def test_a_bottleneck_net_is_torchvisions():
    """Ours and torchvision's DenseNet-BC give the same logits with the same weights."""
    from torchvision.models import DenseNet as Theirs

    ours = dense(bottleneck=True, recompute=False).double().eval()
    blocks: Any = (8, 2)  # annotated as four blocks there, but any number is taken
    theirs = Theirs(4, blocks, num_init_features=8, num_classes=10).double().eval()
    theirs.features[0] = nn.Conv2d(2, 8, 3, padding=1, bias=False)
    for _ in range(3):
        del theirs.features[1]  # batch norm, ReLU and max-pool of the stem
    theirs.double().load_state_dict(
        dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True))
    )
    images = torch.randn(3, 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(ours.fc(ours.neck(ours.body(images))), theirs(images),
                               rtol=EXACT, atol=EXACT)  # fmt: skip


def dense(*, bottleneck: bool, recompute: bool) -> DenseNet:
    torch.manual_seed(0)
    return DenseNet(
        10, 2, growth=4, initial=8, blocks=(8, 2), bottleneck=bottleneck, compression=0.5,
        recompute=recompute,
    )  # fmt: skip


def step(model: Network) -> tuple[torch.Tensor, int]:
    """One training step's logits, and the bytes kept for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.randn(6, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(images)
    logits.square().mean().backward()
    return logits.detach(), sum(kept.values())


@pytest.mark.parametrize("bottleneck", [True, False])
def test_recomputation_changes_nothing_but_memory(bottleneck):
    """Same logits, gradients, running statistics and batch counts, bit for bit; fewer bytes."""
    plain, thrifty = (dense(bottleneck=bottleneck, recompute=r) for r in (False, True))
    for _ in range(2):
        logits, most = step(plain)
        again, fewer = step(thrifty)
        assert torch.equal(logits, again)
    assert fewer < 0.7 * most
    for (name, mine), (_, other) in zip(
        plain.state_dict().items(), thrifty.state_dict().items(), strict=True
    ):
        assert torch.equal(mine, other), name
    assert int(thrifty.state_dict()["body.1.0.norm.num_batches_tracked"]) == 2
    for mine, other in zip(plain.parameters(), thrifty.parameters(), strict=True):
        assert mine.grad is not None and other.grad is not None
        assert torch.equal(mine.grad, other.grad)


def test_recomputation_in_eval_mode():
    """Gradients with respect to the images use running statistics, and leave them alone."""
    gradients = []
    for recompute in (False, True):
        model = dense(bottleneck=True, recompute=recompute).eval()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        images = torch.ones(2, 2, 8, 8, requires_grad=True)
        model(images).square().sum().backward()
        gradients.append(images.grad)
        assert all(torch.equal(before[n], value) for n, value in model.state_dict().items())
    torch.testing.assert_close(*gradients, rtol=SINGLE, atol=SINGLE)


def test_recomputation_leaves_a_compiler_alone():
    """A compiled net is the same one; the checkpoint, which cannot be traced, is not taken."""
    plain, thrifty = (DenseLayer(8, 4, bottleneck=False, recompute=r) for r in (False, True))
    thrifty.load_state_dict(plain.state_dict())
    maps = [torch.randn(2, 4, 4, 4) for _ in range(2)]
    compiled: Any = torch.compile(thrifty, backend="eager")
    assert torch.equal(compiled(maps), plain(maps))


@pytest.mark.parametrize("network", ["densenet40", "densenet100", "densenet250"])
def test_large_images_are_recomputed(network):
    """At 96 pixels, not at 32."""
    for size, expected in ((32, False), (96, True)):
        outline = NETWORKS[network].outline(10, 3, size)
        assert {m.recompute for m in outline.modules() if hasattr(m, "recompute")} == {expected}


def test_the_table_shows_every_network():
    """One row each, with the count and width for 32x32 color images."""
    lines = NETWORKS._repr_markdown_().splitlines()
    assert len(lines) == 2 + len(NETWORKS)
    assert any("`densenet250`" in line and "| 15,324,406 | 1734 |" in line for line in lines)
