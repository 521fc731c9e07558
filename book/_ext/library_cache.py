"""Name the execution cache after everything a chapter's numbers depend on.

Jupyter Book caches a chapter under the text of its own code cells. An edit in the library, in a
stored result or in the pinned stack would leave old numbers on the page. So the cache folder
carries a hash of all three: when one of them changes, every chapter runs again.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

FOLDER = Path("_build") / "execution"
SOURCES = {".py", ".css", ".html", ".js"}
KEPT = 3  # folders: going back and forth between two branches stays quick


def inputs(root: Path) -> list[Path]:
    """Everything that decides the numbers of a chapter besides its own cells."""
    package = root / "nclib"
    files = (path for path in package.rglob("*") if "tests" not in path.parts)
    sources = [path for path in files if path.suffix in SOURCES]
    stored = list((package / "results").rglob("*.jsonl"))
    return sorted(sources + stored) + [root / "requirements.txt"]


def digest(root: Path) -> str:
    """A short name for the present state of the inputs."""
    total = hashlib.sha256()
    for path in inputs(root):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def choose(app: Any, config: Any) -> None:
    """Point the notebook cache at the folder of the present state; drop the oldest others."""
    root = Path(app.srcdir)
    here = root / FOLDER / digest(root)
    here.mkdir(parents=True, exist_ok=True)
    here.touch()
    config.nb_execution_cache_path = str(here)
    by_age = sorted(here.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in by_age[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", choose)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
