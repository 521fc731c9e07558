"""Other people's models: the head is found in what they execute, by a truth table of our own.

Random weights, small inputs: nothing is fetched.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn

import nclib

C = 5
TORCHVISION = {
    # model: (name of the head, its features, side of the images)
    "alexnet": ("classifier.6", 4096, 64),
    "convnext_tiny": ("classifier.2", 768, 32),
    "densenet121": ("classifier", 1024, 32),
    "efficientnet_b0": ("classifier.1", 1280, 32),
    "googlenet": ("fc", 1024, 32),
    "inception_v3": ("fc", 2048, 80),
    "mnasnet0_5": ("classifier.1", 1280, 32),
    "mobilenet_v3_small": ("classifier.3", 1024, 32),
    "regnet_y_400mf": ("fc", 440, 32),
    "resnet18": ("fc", 512, 32),
    "shufflenet_v2_x0_5": ("fc", 1024, 32),
    "swin_t": ("head", 768, 32),
}
AUXILIARY = ("googlenet", "inception_v3")  # heads of their own in training mode
TIMM: dict[str, tuple[str, int, dict[str, Any]]] = {
    # model: (name of the head, its features, arguments)
    "cait_xxs24_224": ("head", 192, {"img_size": 32, "depth": 2}),
    "convnext_atto": ("head.fc", 320, {}),
    "deit_tiny_patch16_224": ("head", 192, {"img_size": 32, "depth": 2}),
    "edgenext_xx_small": ("head.fc", 168, {}),
    "efficientnet_lite0": ("classifier", 1280, {}),
    "ghostnet_050": ("classifier", 1280, {}),
    "lcnet_035": ("classifier", 1280, {}),
    "mixer_s32_224": ("head", 512, {"img_size": 32}),
    "mobilenetv3_small_050": ("classifier", 1024, {}),
    "mobilevit_xxs": ("head.fc", 320, {}),
    "regnetx_002": ("head.fc", 368, {}),
    "repvgg_a0": ("head.fc", 1280, {}),
    "resnet10t": ("fc", 512, {}),
    "vit_tiny_patch16_224": ("head", 192, {"img_size": 32, "depth": 2}),
}


def images(side: int, count: int = 4) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def torchvision_model(name: str) -> nn.Module:
    from torchvision import models

    torch.manual_seed(0)
    more: dict[str, Any] = {"init_weights": False} if name in AUXILIARY else {}
    return getattr(models, name)(weights=None, num_classes=C, **more)


def timm_model(name: str, **arguments: Any) -> nn.Module:
    timm = pytest.importorskip("timm", reason="timm is not installed: pip install timm")
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, num_classes=C, **arguments)


def agrees(meter: nclib.CollapseMeter, batch: Any, logits: Tensor) -> None:
    """What the meter saw, times the head it found, is what the model gives."""
    labels = torch.arange(len(logits)) % C
    meter.update(batch, labels)
    stats = meter.stats
    means = torch.stack([logits[labels == c].double().mean(0) for c in labels.unique()])
    told = stats.means[stats.counts > 0] @ meter.head.weight.T + meter.head.bias
    assert (told - means).norm() <= 1e-4 * means.norm()  # float32 networks


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str) -> None:
    """The head, its width, the modes afterwards, and no hook left behind."""
    head, width, side = TORCHVISION[name]
    model = torchvision_model(name).train()
    meter = nclib.CollapseMeter(model)
    x = images(side)
    logits = meter.update(x, [0, 1, 2, 3])
    assert meter.layer_name == head and meter.head.dimension == width
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    meter.reset()
    agrees(meter, x, logits)


@pytest.mark.parametrize("name, side", [("googlenet", 64), ("inception_v3", 299)])
def test_auxiliary_heads_in_training(name: str, side: int) -> None:
    """Of the heads that run in training the main one counts."""
    head, _, _ = TORCHVISION[name]
    meter = nclib.CollapseMeter(torchvision_model(name).train())
    x = images(side)
    with pytest.warns(UserWarning, match="training mode"), meter.watching([0, 1, 2, 3]):
        out = meter.model(x)
    assert meter.layer_name == head and out.logits.requires_grad


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str) -> None:
    """The head and its width."""
    head, width, arguments = TIMM[name]
    model = timm_model(name, **arguments)
    meter = nclib.CollapseMeter(model)
    x = images(32)
    logits = meter.update(x, [0, 1, 2, 3])
    assert meter.layer_name == head and meter.head.dimension == width
    meter.reset()
    agrees(meter, x, logits)


def test_two_heads_averaged_are_refused() -> None:
    """The distilled DeiT averages two heads: the error names both, and naming one helps."""
    model = timm_model("deit_tiny_distilled_patch16_224", img_size=32, depth=1)
    meter, x = nclib.CollapseMeter(model), images(32)
    with pytest.raises(ValueError, match=r"several heads averaged.*'head' Linear\(192 -> 5\), 'he"):
        meter.update(x, [0, 1, 2, 3])
    named = nclib.CollapseMeter(model, layer="head")
    named.update(x, [0, 1, 2, 3])
    assert named.layer_name == "head" and named.stats.total_count == 4


def test_convolutional_heads_are_refused() -> None:
    """SqueezeNet has no linear layer; nor has a ResNet-V2 of timm."""
    with pytest.raises(ValueError, match="SqueezeNet has none; its last conv.*'classifier.1'"):
        nclib.CollapseMeter(torchvision_model("squeezenet1_1"))
    with pytest.raises(ValueError, match="ResNetV2 has none; its last convolution is 'head.fc'"):
        nclib.CollapseMeter(timm_model("resnetv2_50d_evos", layers=(1, 1, 1, 1)))


@pytest.mark.parametrize("network", ["vit", "bert"])
def test_hugging_face(network: str) -> None:
    """Outputs with .logits; dicts as batches, the loader's among them."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    size |= {"intermediate_size": 24, "num_labels": C}
    if network == "vit":
        config = transformers.ViTConfig(image_size=32, patch_size=16, **size)
        model = transformers.ViTForImageClassification(config)
        inputs = {"pixel_values": images(32, 10)}
    else:
        config = transformers.BertConfig(vocab_size=30, max_position_embeddings=12, **size)
        model = transformers.BertForSequenceClassification(config)
        ids = torch.randint(30, (10, 8), generator=torch.Generator().manual_seed(0))
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    labels = torch.arange(10) % C
    meter = nclib.CollapseMeter(model)
    report = meter.measure([inputs | {"labels": labels, "index": torch.arange(10)}])
    assert meter.layer_name == "classifier" and report.samples == 10
    assert report.decisions is not None and report.decisions.total == 10
    with torch.no_grad():
        logits = model.eval()(**inputs).logits
    assert report.decisions.correct == int((logits.argmax(1) == labels).sum())


def test_one_logit_of_many_tokens_is_refused() -> None:
    """GPT-2 scores every token and keeps the last: the error says how to hand over features."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.GPT2Config(
        vocab_size=30, n_positions=12, n_embd=16, n_layer=1, n_head=2, num_labels=C, pad_token_id=0
    )
    meter = nclib.CollapseMeter(transformers.GPT2ForSequenceClassification(config))
    ids = torch.randint(1, 30, (4, 8), generator=torch.Generator().manual_seed(0))
    told = r"'score' .*\(4, 8, 16\), token by token.* one token per sample.*meter.add\("
    with pytest.raises(ValueError, match=told):
        meter.update({"input_ids": ids}, [0, 1, 2, 3])


@pytest.mark.parametrize("way", ["wrapped", "in place"])
def test_compiled_models(way: str) -> None:
    """Hooks would be passed by: the meter runs the code as it was written, also while watching."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, C)).eval()
    x, labels = torch.randn(20, 6), torch.arange(20) % C
    told = nclib.ClassStats.of(model[:2](x).detach(), labels, C)
    compiled: Any = model
    if way == "wrapped":
        compiled = torch.compile(model, backend="eager")
    else:
        model.compile(backend="eager")
    logits = compiled(x)  # compiled before there is a hook
    meter = nclib.CollapseMeter(compiled)
    torch.testing.assert_close(meter.update(x, labels), logits.detach())
    assert meter.layer_name == "2" and torch.equal(meter.stats.means, told.means)
    with meter.watching(labels):
        again = compiled(x)
    assert again.requires_grad and meter.stats.total_count == 40


def test_wrapped_models() -> None:
    """DataParallel and DistributedDataParallel give the layer its plain name."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, C)).eval()
    x, labels = torch.randn(20, 6), torch.arange(20) % C
    meter = nclib.CollapseMeter(nn.DataParallel(model), layer="module.2")
    meter.update(x, labels)
    assert meter.layer_name == "2"
    store: Any = distributed.HashStore()  # pyright: ignore[reportPrivateImportUsage]
    distributed.init_process_group("gloo", rank=0, world_size=1, store=store)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        meter = nclib.CollapseMeter(wrapped)
        with meter.watching(labels):
            wrapped(x)
    finally:
        distributed.destroy_process_group()
    assert meter.layer_name == "2" and meter.stats.total_count == 20
