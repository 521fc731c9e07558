"""The commands keep their word: strict, honest about failure, quick when nothing changed."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .chapter import HEAD
from .tree import ROOT, make, make_html, plant, tracked

sys.path.insert(0, str(ROOT / "book" / "_ext"))
library_cache = importlib.import_module("library_cache")
edition = importlib.import_module("edition")

PAGE = """
# One page

{prose}

```{{code-cell}} python
{code}
```
"""
CONTENTS = "format: jb-book\nroot: book/index.md\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the real configuration, one page and a library of one line."""
    root = plant(tmp_path / "tree")
    (root / "_toc.yml").write_text(CONTENTS)
    write(root)
    return root


def page(prose: str = "Fine.", code: str = "1 + 1") -> str:
    return HEAD + PAGE.format(prose=prose, code=code)


def write(root: Path, prose: str = "Fine.", code: str = "1 + 1") -> None:
    (root / "book" / "index.md").write_text(page(prose, code))


def front_door(root: Path) -> Path:
    return root / "_build" / "html" / "index.html"


def test_unchanged_book_is_left_alone(tree: Path) -> None:
    """Nothing happens twice: a page is written anew when it changes, run when the library does."""
    counts = []
    for change in ({}, {}, {"book/index.md": page("Finer.")}, {"nclib/__init__.py": "ONE = 2\n"}):
        for name, text in change.items():
            (tree / name).write_text(text)
        built = make_html(tree)
        assert built.returncode == 0, built.stdout
        assert front_door(tree).is_file()
        written = "Nothing has changed" not in built.stdout
        counts.append((written, built.stdout.count("Executing notebook")))
    assert counts == [(True, 1), (False, 0), (True, 0), (True, 1)]


@pytest.mark.parametrize("lost", ["index.html", ".built"])
def test_unfinished_book_is_built_again(tree: Path, lost: str) -> None:
    """Without front door or stamp a build did not come to its end, whatever lies there."""
    assert make_html(tree).returncode == 0
    (front_door(tree).parent / lost).unlink()
    built = make_html(tree)
    assert built.returncode == 0
    assert "Nothing has changed" not in built.stdout
    assert front_door(tree).is_file()


@pytest.mark.parametrize(
    ("prose", "code"),
    [
        ("See [](absent.md).", "1 + 1"),
        ("By {prf:ref}`thm-absent`.", "1 + 1"),
        ("Value {glue:text}`absent`.", "1 + 1"),
        ("{cite:t}`absent`", "1 + 1"),
        ("Fine.", "1 / 0"),
        ("Fine.", "import warnings; warnings.warn('beware')"),
    ],
    ids=["link", "theorem", "glue", "citation", "error", "warning"],
)
def test_faulty_book_is_not_built(tree: Path, prose: str, code: str) -> None:
    """Any warning or failing cell ends with an error, in words, and leaves no front door."""
    front_door(tree).parent.mkdir(parents=True)
    front_door(tree).write_text("an older build")
    write(tree, prose, code)
    built = make_html(tree)
    assert built.returncode != 0
    assert "The book is NOT built" in built.stdout
    assert not front_door(tree).exists()


def test_unchanged_real_book_is_quick(html: Path) -> None:
    """With nothing changed the whole book builds within twenty seconds."""
    start = time.perf_counter()
    built = make_html(ROOT)
    assert (built.returncode, built.stdout.count("Executing notebook")) == (0, 0)
    assert time.perf_counter() - start <= 20


def test_cached_real_book_runs_nothing(html: Path, tmp_path: Path) -> None:
    """A copy of the whole tree is written from the cache without executing a chapter."""
    copy = tmp_path / "copy"
    for path in tracked():
        (copy / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / path.relative_to(ROOT))
    shutil.copytree(html.parent / "execution", copy / "_build" / "execution")
    built = make_html(copy)
    assert (built.returncode, built.stdout.count("Executing notebook")) == (0, 0), built.stdout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda root: (root / "nclib" / "__init__.py").write_text("ONE = 3\n"), True),
        (lambda root: (root / "nclib" / "a.js").write_text("view();\n"), True),
        (lambda root: (root / "nclib" / "results" / "a.jsonl").write_text("{}\n"), True),
        (lambda root: (root / "requirements.txt").write_text("torch==1\n"), True),
        (lambda root: (root / "book" / "index.md").write_text("# Other\n"), False),
        (lambda root: (root / "nclib" / "tests" / "test_a.py").write_text(""), False),
    ],
    ids=["library", "script", "result", "pin", "page", "test"],
)
def test_cache_is_named_by_what_decides_the_numbers(
    tree: Path, change: Callable[[Path], object], expected: bool
) -> None:
    """Library, stored results and pins decide the name of the cache; pages and tests do not."""
    (tree / "nclib" / "tests").mkdir()
    before = library_cache.digest(tree)
    change(tree)
    assert (library_cache.digest(tree) != before) == expected


def test_edition_needs_no_repository(tree: Path) -> None:
    """A source archive, even inside some other repository, names its version but no commit."""
    assert edition.commit(tree) == ""
    assert edition.version(tree) == edition.version(ROOT)


def test_edition_has_a_fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The date of a reproducible build comes from outside."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert edition.date() == "1970-01-02"


def interpreter(folder: Path, version: str) -> Path:
    """A stand-in for a Python that is too old: every check fails, and it knows its version."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo "Python {version}" && exit 0\nexit 1\n')
    path.chmod(0o755)
    return path


def test_old_interpreter_is_refused_in_words(tree: Path) -> None:
    """Python 3.9 gets a sentence, not a traceback, and nothing is created."""
    came = make(tree, "book", f"PYTHON={interpreter(tree, '3.9.2')}", f"VENV={tree / 'venv'}")
    assert came.returncode != 0
    assert "Python 3.10 or newer is needed" in came.stdout
    assert "is Python 3.9.2" in came.stdout
    assert not (tree / "venv").exists()


def test_absent_interpreter_is_refused_in_words(tree: Path) -> None:
    """A name that is no program gets a sentence."""
    came = make(tree, "test", "PYTHON=no-such-python", f"VENV={tree / 'venv'}")
    assert came.returncode != 0
    assert "No no-such-python here" in came.stdout


def test_failed_installation_leaves_no_stamp(tree: Path) -> None:
    """After an installation that failed, the next command installs again."""
    (tree / "requirements.txt").write_text("no-such-distribution==1\n")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": os.devnull}
    came = make(tree, "book", f"PYTHON={sys.executable}", f"VENV={tree / 'venv'}", **offline)
    assert came.returncode != 0
    assert "no-such-distribution" in came.stdout
    assert (tree / "venv" / "bin" / "python").exists()
    assert list((tree / "venv").glob(".installed-*")) == []
    assert not front_door(tree).exists()
