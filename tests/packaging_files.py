"""What pyproject.toml, requirements.txt and the sources say about dependencies."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .tree import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]  # comes with pytest there

# Where a distribution is imported under another name.
IMPORTED_AS = {"scikit-learn": "sklearn", "pyyaml": "yaml", "pillow": "PIL"}
COMES_WITH = {"mpl_toolkits": "matplotlib"}


def project() -> dict[str, Any]:
    """The [project] table."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def bounds() -> list[Requirement]:
    """Every dependency of the package and of its extras."""
    table = project()
    extras = [one for extra in table["optional-dependencies"].values() for one in extra]
    return [Requirement(line) for line in [*table["dependencies"], *extras]]


def pins() -> list[Requirement]:
    """Every line of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def outside_bounds(bounds: list[Requirement], pins: list[Requirement]) -> list[str]:
    """The bounds that no pin, or not every pin of that name, fulfils."""
    faults = []
    for bound in bounds:
        ours = [p for p in pins if canonicalize_name(p.name) == canonicalize_name(bound.name)]
        versions = [one.version for pin in ours for one in pin.specifier]
        if not versions or not all(bound.specifier.contains(version) for version in versions):
            faults.append(f"{bound} is pinned to {versions}")
    return faults


def imported(source: str) -> set[str]:
    """The third-party packages that a module imports, anywhere in it."""
    roots: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            roots.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            roots.add(node.module.split(".")[0])
    roots -= set(sys.stdlib_module_names) | {"nclib"}
    return {COMES_WITH.get(root, root) for root in roots}


def imported_below(folder: Path, *, tests: bool) -> set[str]:
    """The third-party packages that the modules below a folder import."""
    paths = [path for path in folder.rglob("*.py") if tests or "tests" not in path.parts]
    return {root for path in paths for root in imported(path.read_text(encoding="utf-8"))}


def import_names(requirements: list[Requirement]) -> set[str]:
    """Under which names distributions are imported."""
    names = {canonicalize_name(one.name) for one in requirements}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}
