"""The commands that write and check the notebooks; see the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import library_cache
import repository

from . import numbers
from .builder import NAME

BUILD = "from jupyter_book.cli.main import main; main()"


def build(root: Path, folder: Path) -> Path:
    """Build all notebooks from the numbers on file; returns where they are.

    Raises RuntimeError with the end of the log when the strict build fails.
    """
    words = ["--builder", "custom", "--custom-builder", NAME, "--path-output", str(folder)]
    built = subprocess.run(
        [sys.executable, "-c", BUILD, "build", str(root), *words, "-W", "-n", "--keep-going"],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if built.returncode != 0:
        raise RuntimeError(f"the strict build of the notebooks failed:\n{built.stdout[-4000:]}")
    return folder / "_build" / NAME


def differences(fresh: Path, kept: Path) -> list[str]:
    """The notebooks that are missing, changed, or belong to no chapter, by name."""
    new = {path.name: path.read_bytes() for path in fresh.glob("*.ipynb")}
    old = {path.name: path.read_bytes() for path in kept.glob("*.ipynb")}
    return sorted(name for name in new | old if new.get(name) != old.get(name))


def replace(fresh: Path, kept: Path) -> None:
    """Put the fresh notebooks in the place of the kept ones."""
    for name in differences(fresh, kept):
        (kept / name).unlink(missing_ok=True)
        if (fresh / name).exists():
            (kept / name).write_bytes((fresh / name).read_bytes())


def main(root: Path) -> int:
    parser = argparse.ArgumentParser(prog="notebook_edition", description="The book as notebooks.")
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    checking, kept = parser.parse_args().check, root / repository.NOTEBOOKS
    try:
        if not checking:
            cache = root / library_cache.FOLDER / library_cache.digest(root)
            numbers.write(kept, numbers.glean(root, cache))
        with tempfile.TemporaryDirectory() as folder:
            fresh = build(root, Path(folder))
            changed = differences(fresh, kept)
            if not checking:
                replace(fresh, kept)
    except (LookupError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    if checking and changed:
        print(f"stale: {', '.join(changed)}; run `make notebooks`", file=sys.stderr)
        return 1
    print(f"{len(list(kept.glob('*.ipynb')))} notebooks, {len(changed)} of them changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
