"""Run every notebook from top to bottom where only the built package is installed.

    python -m notebook_edition.rehearsal                    all, in a fresh environment
    python -m notebook_edition.rehearsal flow snr           these
    python -m notebook_edition.rehearsal --venv FOLDER      in an environment that is kept

The environment holds the wheel, what the wheel asks for, and a kernel: what a reader on Colab has.
Nothing of the book's own stack is there, and the folder in which the notebooks run is empty.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import kernels
import nbformat
import repository
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

KERNEL = "edition"
LONGEST = 600  # seconds for one cell, as in the book
AT_A_TIME = 2  # a kernel takes about a gigabyte


def pip(python: Path, *words: str) -> None:
    quiet = ("--disable-pip-version-check", "--quiet")
    subprocess.run([str(python), "-m", "pip", *words, *quiet], check=True)


def constraints(root: Path) -> list[str]:
    """The book's pins; pip takes no extras here."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#") and "[" not in line]


def wheel(root: Path, folder: Path) -> Path:
    """Build the package's wheel from a copy: leftovers of older builds in the tree would get in."""
    copy = folder / "tree"
    shutil.copytree(root / "nclib", copy / "nclib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, copy / name)
    words = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    pip(Path(sys.executable), "wheel", *words, str(copy))
    (built,) = folder.glob("*.whl")
    return built


def install(root: Path, venv: Path) -> Path:
    """An environment with the wheel of this tree, its dependencies and a kernel; its Python."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        pinned = here / "constraints.txt"
        pinned.write_text("\n".join(constraints(root)), encoding="utf-8")
        built = str(wheel(root, here))
        pip(python, "install", "--constraint", str(pinned), built, "ipykernel")
        # The same version may have been built from other sources before.
        pip(python, "install", "--force-reinstall", "--no-deps", built)
    return python


@contextmanager
def kernel(python: Path) -> Iterator[None]:
    """Make the environment's kernel known under its name, to this process only."""
    command = [
        str(python),
        "-m",
        "ipykernel_launcher",
        "--log-level=ERROR",
        "-f",
        "{connection_file}",
    ]
    description = {"argv": command, "display_name": "Edition", "language": "python"}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "kernels" / KERNEL
        place.mkdir(parents=True)
        (place / "kernel.json").write_text(json.dumps(description), encoding="utf-8")
        before = os.environ.copy()
        # Neither this tree nor the book's packages may be found from there.
        os.environ.pop("PYTHONPATH", None)
        os.environ.pop(kernels.UNWELCOME, None)
        os.environ.update(kernels.ENVIRONMENT, JUPYTER_PATH=folder)
        os.environ.pop("NCLIB_BOOK", None)  # a notebook is not the book
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def fault(path: Path) -> str:
    """What goes wrong in a notebook, with the cell; nothing if it runs through."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_name=KERNEL,
            timeout=LONGEST,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            what = f"{error.ename}: {error.evalue}"
        except (CellTimeoutError, DeadKernelError) as error:
            what = str(error)
        else:
            return ""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done = [cell for cell in code if cell.execution_count is not None or cell.outputs]
    source = done[-1].source if done else ""
    return f"code cell {len(done)} of {len(code)}: {what}\n" + "\n".join(
        f"    | {line}" for line in source.splitlines()
    )


def rehearse(paths: list[Path]) -> list[str]:
    """Run the notebooks, two at a time, and say of each how it went; which of them fail."""

    def timed(path: Path) -> tuple[str, float]:
        start = time.perf_counter()
        return fault(path), time.perf_counter() - start

    failed = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for path, (what, seconds) in zip(paths, pool.map(timed, paths), strict=True):
            state = f"FAILED in {what}" if what else "ok"
            print(f"{path.stem:24} {seconds:5.0f} s  {state}", flush=True)
            failed += [path.stem] if what else []
    return failed


def main(root: Path) -> int:
    parser = argparse.ArgumentParser(prog="rehearsal", description="Run the notebooks.")
    parser.add_argument("chapters", nargs="*", help="names; all without any")
    parser.add_argument("--venv", type=Path, help="use and keep this environment")
    asked = parser.parse_args()
    there = sorted((root / repository.NOTEBOOKS).glob("*.ipynb"))
    paths = [path for path in there if not asked.chapters or path.stem in asked.chapters]
    if unknown := set(asked.chapters) - {path.stem for path in there}:
        parser.error(f"no such notebook: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        print("Installing the wheel and what it asks for (once: 5 GB on Linux)", flush=True)
        python = install(root, asked.venv or Path(folder) / "venv")
        with kernel(python):
            failed = rehearse(paths)
    print(f"{len(paths) - len(failed)} of {len(paths)} notebooks run through", flush=True)
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
