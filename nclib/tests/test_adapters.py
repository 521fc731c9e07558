"""The adapters without their packages: loaded on demand, and missed in words."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nclib import ClassStats, CollapseMeter, CollapseReport, Head, adapters
from nclib.adapters.packing import Packing
from nclib.adapters.passing import Passing

from .samples import random_sample
from .tolerances import TIGHT

PACKAGES = {
    "CollapseMetric": "torchmetrics",
    "LightningCollapse": "lightning",
    "TrainerCollapse": "transformers",
}


def test_names_without_packages():
    """The names are listed, and an unknown one is refused, before any package is loaded."""
    assert set(PACKAGES) | {"log_report"} == set(adapters.__all__) == set(dir(adapters))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = adapters.nothing


@pytest.mark.parametrize("name, package", PACKAGES.items())
def test_a_missing_package_is_named(monkeypatch, name, package):
    """Where the package isn't installed, the error says how to get it."""
    monkeypatch.delitem(vars(adapters), name, raising=False)
    for loaded in list(sys.modules):
        if loaded.split(".")[0] in (package, f"pytorch_{package}") or "nclib.adapters." in loaded:
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(sys, "meta_path", [Without(package), *sys.meta_path])
    with pytest.raises(ImportError, match=rf"{name}: .* {package}, .*neural-collapse-mse\[metrics"):
        getattr(adapters, name)


class Without:
    """An import system in which a package can't be found."""

    def __init__(self, package: str) -> None:
        self.names = {package, f"pytorch_{package}"}

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_importing_loads_none():
    """The package itself, and what all adapters share, load nothing that may be missing."""
    folder = Path(adapters.__file__).parent
    for name in ("__init__", "packing", "passing", "scalars", "tensorboard"):
        tree = ast.parse((folder / f"{name}.py").read_text())
        loaded = {alias.name for node in tree.body if isinstance(node, ast.Import)
                  for alias in node.names}  # fmt: skip
        loaded |= {node.module or "" for node in tree.body
                   if isinstance(node, ast.ImportFrom) and node.level == 0}  # fmt: skip
        assert {module.split(".")[0] for module in loaded} <= {"torch", *sys.stdlib_module_names}


@pytest.mark.parametrize("covariance", [True, False])
def test_packing_is_exact(covariance):
    """Rows of statistics come back as they were, and merge like them; an empty row is neutral."""
    s = random_sample(0, 3, 4, [2, 5, 4], offset=100.0)
    packing = Packing(3, 4, covariance)
    whole = ClassStats.of(s.features, s.labels, 3, covariance=covariance)
    first = ClassStats.of(s.features[:6], s.labels[:6], 3, covariance=covariance)
    rest = ClassStats.of(s.features[6:], s.labels[6:], 3, covariance=covariance)
    assert_same(packing.unpack(packing.pack(whole)), whole)
    rows = [packing.empty(), packing.pack(first), packing.pack(rest)]
    assert_same(packing.unpack(packing.merged(torch.stack(rows))), first + rest)
    with pytest.raises(ValueError, match="state: expected .* numbers for 3 classes"):
        packing.unpack(torch.zeros(2))


def assert_same(got: ClassStats, wanted: ClassStats) -> None:
    assert torch.equal(got.counts, wanted.counts) and torch.equal(got.means, wanted.means)
    assert torch.equal(got.spread, wanted.spread)
    if wanted.scatter is None:
        assert got.scatter is None
    else:
        assert got.scatter is not None and torch.equal(got.scatter, wanted.scatter)


class Net(nn.Module):
    """The layer that was registered last, and runs last, is not the head, and of another size."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.aside = nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.fc(x)
        self.aside(x)
        return scores


def gathering() -> list[Callable[[Tensor], Tensor]]:
    """What two processes use to bring a tensor together; here they are threads."""
    barrier, places = Barrier(2, timeout=10), [torch.zeros(0)] * 2

    def of(process: int) -> Callable[[Tensor], Tensor]:
        def gather(tensor: Tensor) -> Tensor:
            places[process] = tensor
            barrier.wait()
            together = torch.stack(places)
            barrier.wait()
            return together

        return gather

    return [of(0), of(1)]


def test_a_process_without_a_batch():
    """A process that saw nothing learns from the other which layer it is, and what it saw."""
    s = random_sample(0, 3, 4, [2, 5, 4])
    model = Net().double()
    both = [Passing(model, None, CollapseMeter, loaders=1) for _ in range(2)]
    both[0].open()
    model(s.features)
    both[0].add(s.labels, 0)
    with ThreadPoolExecutor(2) as threads:
        found = [
            one.result()[0]
            for one in [
                threads.submit(lambda p, g: list(p.reports(g)), passing, gather)
                for passing, gather in zip(both, gathering(), strict=True)
            ]
        ]
    wanted = CollapseReport.of(s.stats, Head.of(model.fc), None, 0.0).metrics
    for report in found:
        assert isinstance(report, CollapseReport) and report.layer == "fc"
        assert report.metrics == pytest.approx(wanted, rel=TIGHT)
    assert not model.fc._forward_hooks


def redirected(model: nn.Module, step: Callable[[Tensor], object], x: Tensor) -> None:
    """A step run the way Lightning runs it for joined processes: as the module's forward."""
    forward: Any = model.forward

    def instead(x: Tensor) -> None:
        model.forward = forward
        step(x)

    model.forward = instead
    model(x)


STEPS: dict[str, Callable[[Any, Tensor], object]] = {
    "whole": lambda model, x: model(x),
    "in place": lambda model, x: model(x).mul_(-1),
    "parts": lambda model, x: model.fc(x),
    "parts, in place": lambda model, x: model.fc(x).mul_(-1),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("redirect", [False, True])
def test_the_layer_of_a_step(step, redirect):
    """A step is seen through: the layer of the model's output, or the last one of its parts."""
    s = random_sample(0, 3, 4, [2, 5, 4])
    model = Net().double()
    passing = Passing(model, None, CollapseMeter, loaders=2)
    for loader in (0, 1):
        passing.open()
        run = partial(STEPS[step], model)
        redirected(model, run, s.features) if redirect else run(s.features)
        passing.add(s.labels, loader)
    for report in passing.reports(None):
        assert isinstance(report, CollapseReport) and report.layer == "fc"
    assert not model._forward_hooks and not model._forward_pre_hooks
