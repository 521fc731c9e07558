"""The house: imports point down, importing touches nothing, doctests hold."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nclib

from .conftest import pytest_cmdline_main

PACKAGE = Path(nclib.__file__).parent
FLOORS = {
    "simplex": 0, "moments": 0, "records": 0, "checkpoints": 0, "interrupts": 0, "files": 0,
    "reported": 0, "notation": 0, "palette": 0, "root": 0, "findings": 0,
    "stats": 1, "data": 1, "weights": 1,
    "head": 2, "running": 2, "loaders": 2,
    "decomposition": 3, "metrics": 3, "models": 3, "portrait": 3, "snr": 3, "machine": 3,
    "decisions": 3,
    "proofs": 4, "training": 4, "series": 4, "theory": 4, "robustness": 4, "catalog": 4,
    "projection": 4,
    "recipes": 5, "miniatures": 5, "wide_networks": 5, "kernels": 5, "prediction": 5,
    "selection": 5, "statements": 5,
    "cells": 6, "evidence": 6, "explorers": 6, "figures": 6,
    "observations": 7, "ledger": 7, "standings": 7, "processes": 7, "report": 7, "costs": 7,
    "experiments": 8, "bench": 8, "suite": 8, "sweeps": 8, "meter": 8,
    "slurm": 9, "tables": 9, "adapters": 9,
    "sweep_command": 10, "measure_command": 10,
    "__main__": 11,
}  # fmt: skip
ONLY_IN = {
    "torchvision": {"data", "files", "models", "bench", "loaders", "catalog"},
    "sympy": {"proofs"},
    "matplotlib": {"figures"},
    "plotly": {"figures"},
    "sklearn": {"data"},
    "timm": {"catalog"},
    "safetensors": {"weights"},
    "submitit": {"slurm"},
    "torchmetrics": {"adapters"},
    "lightning": {"adapters"},
    "pytorch_lightning": {"adapters"},
    "tensorboard": {"adapters"},
    "accelerate": {"adapters"},
    "transformers": {"adapters"},
}
STDLIB_ONLY = {"records"}


def sources() -> dict[str, list[Path]]:
    """The files of each module or subpackage on the first level."""
    found = {p.stem: [p] for p in PACKAGE.glob("*.py") if p.stem != "__init__"}
    packages = (p.parent for p in PACKAGE.glob("*/__init__.py") if p.parent.name != "tests")
    return found | {folder.name: sorted(folder.glob("*.py")) for folder in packages}


def imports(source: str, depth: int) -> tuple[set[str], set[str]]:
    """(modules of the house, top-level names of others) that a file imports anywhere in it."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            outside.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            named = (node.module or "").split(".")[0]
            inside |= {named} if named else {alias.name for alias in node.names}
    return inside, outside


def upward(module: str, source: str, depth: int = 1) -> set[str]:
    """Imports of a module that do not go to a strictly lower floor, and forbidden others."""
    inside, outside = imports(source, depth)
    wrong = {used for used in inside if FLOORS[used] >= FLOORS[module]}
    wrong |= {used for used, homes in ONLY_IN.items() if used in outside and module not in homes}
    if "nclib" in outside:
        wrong.add("nclib")
    if module in STDLIB_ONLY:
        wrong |= outside - sys.stdlib_module_names
    return wrong


@pytest.mark.parametrize(
    "given, arguments, asked, debugger, workers",
    [
        ({}, ["."], None, False, 2),
        ({}, ["."], None, True, None),
        ({}, ["."], 0, False, 0),
        ({}, ["tests/test_house.py"], None, False, None),
        ({"workerinput": {}}, ["."], None, False, None),
    ],
)
def test_workers_have_no_workers(given, arguments, asked, debugger, workers):
    """All tests are shared by two workers, unless asked otherwise; a worker starts none."""
    option = SimpleNamespace(numprocesses=asked, usepdb=debugger)
    paths = [PACKAGE / name for name in arguments]
    config: Any = SimpleNamespace(args=paths, option=option, **given)
    pytest_cmdline_main(config)
    assert option.numprocesses == workers


def test_every_module_has_a_floor():
    """A new module must choose its floor."""
    assert set(sources()) <= set(FLOORS)


@pytest.mark.parametrize("module", sorted(sources()))
def test_imports_point_down(module):
    """No module imports its own floor or a higher one, inside functions neither."""
    for path in sources()[module]:
        depth = 1 if path.parent == PACKAGE else 2
        assert upward(module, path.read_text(), depth) == set(), path.name


@pytest.mark.parametrize("package", ["theory", "evidence"])
def test_rooms_of_a_package_do_not_lean_on_each_other(package):
    """The papers' modules import nothing from each other, so that each can be read alone."""
    for path in sources()[package]:
        if path.stem not in {"__init__", "check"}:
            beside, _ = imports(path.read_text(), depth=1)
            assert beside <= {"check"}, path.name


@pytest.mark.parametrize(
    "module, line, wrong",
    [
        ("stats", "from .head import Head", "head"),
        ("stats", "def f():\n    from . import metrics", "metrics"),
        ("head", "from .head import Head", "head"),
        ("decomposition", "from .metrics import measure", "metrics"),
        ("metrics", "import matplotlib.pyplot", "matplotlib"),
        ("records", "import torch", "torch"),
        ("cells", "from nclib import metrics", "nclib"),
    ],
)
def test_an_upward_import_is_found(module, line, wrong):
    """The check fails when an import is added upward, sideways or of a forbidden package."""
    assert upward(module, line) == {wrong}


def test_import_touches_nothing():
    """`import nclib` loads no plotting, vision or algebra package and starts no CUDA."""
    heavy = (
        "matplotlib plotly torchvision sympy sklearn pandas scipy tqdm typer submitit timm "
        "safetensors torchmetrics lightning transformers tensorboard"
    )
    code = f"""
import sys, torch
before = set(sys.modules)
import nclib, nclib.adapters
print(sorted({{m.split(".")[0] for m in set(sys.modules) - before}} & set({heavy.split()!r})))
print(torch.cuda.is_initialized())
"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    ).stdout
    assert found.split() == ["[]", "False"]


def test_public_names_exist():
    """Every name of __all__ can be had, also those that are loaded on first use."""
    for name in nclib.__all__:
        assert getattr(nclib, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nclib.nothing
    assert set(nclib.__all__) <= set(dir(nclib))


def modules() -> list[str]:
    walk = pkgutil.walk_packages([str(PACKAGE)], "nclib.")
    # Those of the adapters are run beside the packages that they need, in the repository's tests.
    left_out = (".tests", "__main__", ".adapters.")
    return sorted(m.name for m in walk if not any(part in m.name for part in left_out))


@pytest.mark.parametrize("name", modules())
def test_doctests(name):
    """Examples in docstrings give what they say."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_functions_are_documented():
    """Every public function and class has a docstring that names its chapter or its source."""
    for name in nclib.__all__:
        thing = getattr(nclib, name)
        if callable(thing):
            assert thing.__doc__ and ("Chapter:" in thing.__doc__ or "Source:" in thing.__doc__), (
                name
            )
