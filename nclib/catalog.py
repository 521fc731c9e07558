"""Classifiers by name: torchvision's, timm's, the papers', and a factory of one's own.

A name says where the network comes from: ``torchvision:resnet18``, ``timm:vit_tiny_patch16_224``,
``nclib:resnet18`` (the papers' definition), ``package.module:factory`` or
``path/to/file.py:factory``. The last two import and run that code. A bare name is enough where
only one of the three collections has it. No weights are ever fetched.

Chapter: measure.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from .loaders import Preparation
from .models import NETWORKS, build

__all__ = ["COLLECTIONS", "Source", "channels_of", "find"]

COLLECTIONS = ("torchvision", "timm", "nclib")
"""The collections of networks that a name may begin with."""

OUR_SEED = 0


@dataclass(frozen=True)
class Source:
    """Where a network comes from, and how to build it.

    ``origin`` is one of COLLECTIONS, or "code" for a factory; ``name`` is the network's name
    there, or the factory's address; ``factory`` is the function of a "code" source.

    Chapter: measure.
    """

    origin: str
    name: str
    factory: Callable[..., Any] | None = None

    def __str__(self) -> str:
        return self.name if self.origin == "code" else f"{self.origin}:{self.name}"

    @property
    def takes_classes(self) -> bool:
        """Whether the number of classes can be chosen; a factory may fix it."""
        return self.factory is None or "num_classes" in _parameters(self.factory)

    def build(
        self, num_classes: int | None, *, channels: int = 3, size: int = 32, **options: Any
    ) -> nn.Module:
        """The network with random weights, the same at every call.

        ``channels`` and ``size`` of the images count for the papers' networks alone; ``options``
        go to the network's own constructor. What that raises becomes a ValueError that names it.
        """
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about defaults of weights that are replaced
            torch.manual_seed(OUR_SEED)
            try:
                model = self._build(num_classes, channels, size, options)
            except (Exception, SystemExit) as error:  # of anyone's code: it may even leave
                said = f"{type(error).__name__}: {error}"
                raise ValueError(f"model: {self} cannot be built: {said}") from error
        if not isinstance(model, nn.Module):
            kind = type(model).__name__
            raise ValueError(f"model: expected {self} to give a torch.nn.Module, got {kind}")
        return model.eval()

    def _build(
        self, num_classes: int | None, channels: int, size: int, options: dict[str, Any]
    ) -> Any:
        counted = {} if num_classes is None else {"num_classes": num_classes}
        if self.factory is not None:
            return self.factory(**(counted if self.takes_classes else {}), **options)
        if self.origin == "torchvision":
            from torchvision.models import get_model

            return get_model(self.name, weights=None, **counted, **options)
        if self.origin == "timm":
            return _timm().create_model(self.name, pretrained=False, **counted, **options)
        classes = 10 if num_classes is None else num_classes
        made = {"num_classes": classes, "channels": channels, "size": size, "seed": OUR_SEED}
        return build(self.name, **(made | options))

    def preparation(self, model: nn.Module, weights: str | None = None) -> Preparation | None:
        """How the images were prepared that the published weights of this network saw.

        ``weights`` names one of torchvision's sets of weights, IMAGENET1K_V2 for example; without
        it the default ones count. None for networks without published weights.
        """
        if self.origin == "torchvision":
            return _torchvision_preparation(self.name, weights)
        if weights is not None:
            raise ValueError(f"transform: {weights!r} names weights of torchvision, not of {self}")
        return _timm_preparation(model) if self.origin == "timm" else None


def find(name: str) -> Source:
    """The network of a name; an unknown one is answered with those that come close.

    ``module:factory`` and ``file.py:factory`` import that module, so its code runs.

    Chapter: measure.

    >>> str(find("nclib:resnet18")), find("torchvision:resnet18").build(num_classes=4).fc
    ('nclib:resnet18', Linear(in_features=512, out_features=4, bias=True))
    """
    origin, colon, inner = name.partition(":")
    if colon and origin in COLLECTIONS:
        _require_known(origin, inner)
        return Source(origin, inner)
    origin, colon, inner = name.rpartition(":")
    if colon:
        return Source("code", name, _factory(origin, inner))
    homes = [origin for origin in COLLECTIONS if name in _known(origin)]
    if len(homes) == 1:
        return Source(homes[0], name)
    if homes:
        choices = ", ".join(f"{origin}:{name}" for origin in homes)
        raise ValueError(f"model: {name!r} stands for several networks; choose one of {choices}")
    everywhere = [f"{origin}:{n}" for origin in COLLECTIONS for n in _known(origin)]
    near = set(_close(name, [known.partition(":")[2] for known in everywhere]))
    raise ValueError(_unknown(name, [k for k in everywhere if k.partition(":")[2] in near]))


def channels_of(model: nn.Module) -> int | None:
    """How many channels of an image the first convolution takes; None without one."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return None


def _known(origin: str) -> list[str]:
    if origin == "nclib":
        return sorted(NETWORKS)
    if origin == "torchvision":
        from torchvision import models

        return models.list_models(module=models)
    return _timm().list_models() if find_spec("timm") else []


def _others_of_torchvision() -> list[str]:
    from torchvision import models

    return models.list_models()


def _require_known(origin: str, name: str) -> None:
    if origin == "timm":
        _timm()
    known = _known(origin)
    # timm tells sets of weights of a network apart by what follows a dot.
    bare = name.partition(".")[0] if origin == "timm" else name
    if bare not in known:
        if origin == "torchvision" and name in _others_of_torchvision():
            raise ValueError(f"model: {name} is no classifier of torchvision, but of another task")
        close = [f"{origin}:{n}" for n in _close(name, known)]
        raise ValueError(_unknown(f"{origin}:{name}", close))


def _close(name: str, known: list[str]) -> list[str]:
    return get_close_matches(name.rpartition(":")[2], known, n=4, cutoff=0.6)


def _unknown(name: str, close: list[str]) -> str:
    nearest = f"; did you mean {' or '.join(close)}?" if close else ""
    return (
        f"model: expected torchvision:NAME, timm:NAME, nclib:NAME, module:factory or "
        f"file.py:factory, got {name!r}{nearest}"
    )


def _factory(origin: str, name: str) -> Callable[..., Any]:
    """The function that a module or a file calls by this name; importing it runs its code."""
    try:
        module = _module_of_file(Path(origin)) if origin.endswith(".py") else _module(origin)
    except (Exception, SystemExit) as error:  # code of the user's own may do anything
        raise ValueError(
            f"model: {origin}: cannot be imported: {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        public = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        close = get_close_matches(name, public, n=4, cutoff=0.5)
        nearest = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"model: {origin}: expected a function {name!r}, found none{nearest}")
    return found


def _module(name: str) -> ModuleType:
    """Modules in the folder of the command are found too, as with python -m."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _module_of_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError("no such file")
    # A name that no other module has, kept for what the file's own classes are looked up by.
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _parameters(factory: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(factory).parameters)
    except (TypeError, ValueError):  # of a compiled function
        return set()


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            "model: timm's networks need timm: pip install neural-collapse-mse[measure]"
        ) from error
    return timm


def _torchvision_preparation(name: str, weights: str | None) -> Preparation | None:
    from torchvision.models import get_model_weights

    known: Any = get_model_weights(name)
    if weights is not None and weights not in known.__members__:
        choices = ", ".join(known.__members__)
        raise ValueError(f"transform: expected one of {choices} for {name}, got {weights!r}")
    if not list(known):
        return None
    chosen = known.DEFAULT if weights is None else known[weights]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = chosen.transforms()
    return Preparation(
        size=asked.crop_size[0], resize=asked.resize_size[0], mean=tuple(asked.mean),
        std=tuple(asked.std), interpolation=asked.interpolation.value,
        words=f"as for torchvision's {name}, {chosen.name}",
    )  # fmt: skip


def _timm_preparation(model: nn.Module) -> Preparation:
    from timm.data.config import resolve_model_data_config

    asked: dict[str, Any] = resolve_model_data_config(model)
    channels, _, size = asked["input_size"]
    if asked["crop_mode"] not in ("center", "squash"):
        raise ValueError(f"transform: no crop of the kind {asked['crop_mode']!r} here; say --size")
    squash = asked["crop_mode"] == "squash"
    return Preparation(
        size=size, resize=size if squash else int(size / asked["crop_pct"]), squash=squash,
        mean=tuple(asked["mean"]), std=tuple(asked["std"]), channels=channels,
        interpolation=asked["interpolation"], words="as timm's configuration of the network says",
    )  # fmt: skip
