"""Networks by name: built as they say, without weights; a wrong name is answered with near ones."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nclib import catalog
from nclib.catalog import channels_of, find
from nclib.loaders import Preparation

FACTORY = """
import torch
from torch import nn

def tiny(num_classes, width=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(width, num_classes))

def fixed():
    return nn.Linear(2, 3)

def broken(num_classes):
    raise RuntimeError("no luck")

def other(num_classes):
    return torch.ones(num_classes)

LEARNED = 3
"""


@pytest.fixture
def without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where timm is not installed, which these tests need not be."""
    find_spec = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> Any:
        return None if name == "timm" else find_spec(name, package)

    monkeypatch.setattr(catalog, "find_spec", hidden)
    monkeypatch.setitem(sys.modules, "timm", None)


def built(name: str, count: int | None, **options: int) -> Any:
    return find(name).build(count, **options)


def test_a_network_has_the_outputs_that_are_asked_for():
    """Every collection's own constructor, in eval mode, with the same numbers each time."""
    before = torch.get_rng_state()
    for name, channels in (("torchvision:squeezenet1_1", 3), ("nclib:convnet", 1)):
        source = find(name)
        models = [source.build(7, channels=channels, size=8) for _ in range(2)]
        assert str(source) == name and not models[0].training
        assert channels_of(models[0]) == channels
        for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
            assert torch.equal(a, b)
    assert built("nclib:convnet", None).fc.out_features == 10
    assert torch.equal(torch.get_rng_state(), before)


def test_a_bare_name_is_enough_where_it_is_clear(without_timm):
    """thinresnet is only ours; resnet18 is several; vgg11x is near some."""
    assert str(find("thinresnet")) == "nclib:thinresnet"
    assert str(find("resnext50_32x4d")) == "torchvision:resnext50_32x4d"
    with pytest.raises(ValueError, match="choose one of torchvision:resnet18, nclib:resnet18"):
        find("resnet18")
    with pytest.raises(ValueError, match="did you mean .*torchvision:vgg11.*nclib:vgg11"):
        find("vgg11x")
    with pytest.raises(ValueError, match="got 'nclib:resnt18'; did you mean nclib:resnet18"):
        find("nclib:resnt18")
    with pytest.raises(ImportError, match=r"timm: pip install neural-collapse-mse\[measure\]"):
        find("timm:resnet18")
    with pytest.raises(ValueError, match=r"expected torchvision:NAME.*got 'zzzzz'$"):
        find("zzzzz")


def test_a_factory_of_ones_own(tmp_path, monkeypatch):
    """From a file or a module beside the command; the number of classes where it takes one."""
    (tmp_path / "mine_here.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for origin in ("mine_here.py", "mine_here", str(tmp_path / "mine_here.py")):
        source = find(f"{origin}:tiny")
        assert source.takes_classes
        assert built(f"{origin}:tiny", 5)[1].out_features == 5
        assert built(f"{origin}:tiny", 5, width=9)[1].in_features == 9
    fixed = find("mine_here:fixed")
    assert not fixed.takes_classes and built("mine_here:fixed", 5).out_features == 3
    assert find("torch.nn:Flatten").build(None).training is False
    for name, words in (
        ("mine_here:broken", "mine_here:broken cannot be built: RuntimeError: no luck"),
        ("mine_here:other", "expected mine_here:other to give a torch.nn.Module, got Tensor"),
        ("mine_here:tiny", "cannot be built: TypeError: .*unexpected keyword argument 'depth'"),
    ):
        with pytest.raises(ValueError, match=words):
            find(name).build(3, **({"depth": 1} if name.endswith("tiny") else {}))
    for name, words in (
        ("mine_here:tini", "expected a function 'tini', found none; did you mean tiny"),
        ("mine_here:LEARNED", "expected a function 'LEARNED', found none"),
        ("nowhere.py:tiny", "nowhere.py: cannot be imported: FileNotFoundError: no such file"),
        ("no_such_module:tiny", "no_such_module: cannot be imported: ModuleNotFoundError"),
    ):
        with pytest.raises(ValueError, match=words):
            find(name)
    (tmp_path / "half.py").write_text("def tiny(:")
    with pytest.raises(ValueError, match="half.py: cannot be imported: SyntaxError"):
        find("half.py:tiny")


def test_code_that_ends_the_process_is_answered_in_words(tmp_path, monkeypatch):
    """sys.exit in a file or in its factory would end the command without a word."""
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)")
    (tmp_path / "built.py").write_text("import sys\ndef net():\n    sys.exit('no luck')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="leaves.py: cannot be imported: SystemExit: 3"):
        find("leaves.py:net")
    with pytest.raises(ValueError, match="built.py:net cannot be built: SystemExit: no luck"):
        built("built.py:net", None)


def test_a_name_of_a_collection_is_never_taken_for_code(monkeypatch):
    """A hub within timm, a network of torchvision for another task: no module of that name."""
    monkeypatch.setattr(catalog, "_timm", lambda: SimpleNamespace(list_models=lambda: ["resnet18"]))
    for name in ("timm:hf-hub:owner/name", "torchvision:a:b", "nclib:x.py:f"):
        with pytest.raises(ValueError, match=f"expected torchvision:NAME, .* got '{name}'"):
            find(name)
    with pytest.raises(ValueError, match="fcn_resnet50 is no classifier of torchvision"):
        find("torchvision:fcn_resnet50")


def test_published_weights_say_how_images_are_prepared():
    """torchvision's table: the default weights', those of a name, none where there are none."""
    source = find("torchvision:resnet50")
    newest, first = (source.preparation(nn.Identity(), w) for w in (None, "IMAGENET1K_V1"))
    assert newest == Preparation(size=224, resize=232) and newest is not None
    assert "IMAGENET1K_V2" in newest.words
    assert first == Preparation(size=224, resize=256)
    assert find("nclib:resnet18").preparation(nn.Identity()) is None
    with pytest.raises(
        ValueError, match="one of IMAGENET1K_V1, IMAGENET1K_V2, .*for resnet50, got 'V3'"
    ):
        source.preparation(nn.Identity(), "V3")
    with pytest.raises(ValueError, match="'V3' names weights of torchvision, not of nclib:convnet"):
        find("nclib:convnet").preparation(nn.Identity(), "V3")
