"""The tree under test: where things are, what git tracks, and how the book is built from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# A make above us would hand its own variables down.
INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "VENV", "BIN", "PYTHON")
# What our commands leave behind, where no git says so.
BUILT = {".venv", "_build", "build", "__pycache__", ".hypothesis", ".benchmarks"}
BUILT |= {".pytest_cache", ".ruff_cache", "neural_collapse_mse.egg-info"}


def make(root: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder; output and errors come back together."""
    kept = {name: value for name, value in os.environ.items() if name not in INHERITED}
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=root,
        env=kept | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def make_html(root: Path) -> subprocess.CompletedProcess[str]:
    """Build the book of a tree as `make book` does, with the stack that runs this test."""
    return make(root, "html", f"BIN={Path(sys.executable).parent}", PYTHONPATH=str(ROOT))


def pages_in_contents(root: Path = ROOT) -> list[Path]:
    """The chapter files that the table of contents names, in order."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [entry["file"] for part in contents["parts"] for entry in part["chapters"]]
    return [root / name for name in [contents["root"], *parts]]


def tracked() -> list[Path]:
    """The files that belong to the repository: what git would commit, or all outside our builds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        files = [ROOT / name for name in answer.stdout.split("\0") if name]
        return sorted(path for path in files if path.is_file())
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not BUILT.intersection(path.relative_to(ROOT).parts)
    )


def plant(root: Path) -> Path:
    """A tree with the real commands, configuration and extensions, and a library of one line."""
    for name in ("book/_ext", "book/_latex", "book/_static"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "_config.yml", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "book" / "references.bib", root / "book")
    (root / "book" / "_extra").mkdir()
    (root / "nclib" / "results").mkdir(parents=True)
    (root / "nclib" / "__init__.py").write_text("ONE = 1\n")
    return root
