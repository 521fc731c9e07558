"""Chapters stand on the package's public names, stay short in code and ask solved questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chapter import (
    EXERCISE,
    HEAD,
    HIDING,
    cell_tags,
    code_cells,
    long_cells,
    private_uses,
    read,
    unsolved,
)
from .page import Page
from .tree import pages_in_contents

# Pages that teach no mathematics.
SERVICE = {"index", "notation", "how-to-run", "references", "glossary", "errata"}
ALL = pages_in_contents()
every_chapter = pytest.mark.parametrize("path", ALL, ids=[path.stem for path in ALL])
TEACHING = [path for path in ALL if path.stem not in SERVICE and path.stem.split("-")[0] != "api"]
every_teaching = pytest.mark.parametrize("path", TEACHING, ids=[path.stem for path in TEACHING])


@every_chapter
def test_chapter_uses_public_names_only(path: Path) -> None:
    """A reader can do with the installed package whatever a chapter does."""
    assert private_uses(read(path)) == []


@every_chapter
def test_chapter_has_short_cells(path: Path) -> None:
    """No code cell is longer than fifteen lines."""
    assert long_cells(read(path)) == []


@every_chapter
def test_chapter_hides_no_code_it_needs(path: Path) -> None:
    """Cells are folded, never removed: a removed cell is missing from a notebook."""
    assert cell_tags(read(path)) & HIDING == set()


@every_teaching
def test_chapter_asks_solved_questions(path: Path) -> None:
    """At least three exercises, each with a folded solution."""
    source = read(path)
    assert len(EXERCISE.findall(source)) >= 3
    assert unsolved(source) == []


@every_teaching
def test_built_chapter_shows_its_exercises(path: Path, html: Path) -> None:
    """The page shows as many exercises and folded solutions as the source has exercises."""
    page = Page.read(html / "book" / f"{path.stem}.html")
    written = len(EXERCISE.findall(read(path)))
    folded = sum({"solution", "dropdown"} <= classes for classes in page.classes)
    assert (page.count("exercise"), folded) == (written, written)


# The checks can fail. ---------------------------------------------------------------------------


def chapter(code: str, options: str = "") -> str:
    """A chapter with one code cell."""
    return f"{HEAD}\n# Title\n\n```{{code-cell}} python\n{options}{code}\n```\n"


@pytest.mark.parametrize(
    "code",
    [
        "import pandas",
        "from nclib import _hidden",
        "from nclib.stats import _hidden",
        "from nclib.stats import no_such_name",
        "import nclib\nnclib.no_such_name",
        "from .stats import ClassStats",
    ],
)
def test_private_uses_are_seen(code: str) -> None:
    """Foreign packages and private names are faults."""
    assert len(private_uses(chapter(code))) == 1


def test_public_uses_are_welcome() -> None:
    """What the chapters are for is no fault."""
    code = "import torch\nimport matplotlib.pyplot as plt\nfrom nclib import ClassStats\n"
    assert private_uses(chapter(code + "import nclib\nnclib.decompose")) == []


def test_long_cells_are_seen() -> None:
    """Sixteen lines are one too many; options and blank lines do not count."""
    fifteen = "\n\n".join(f"x{index} = {index}" for index in range(15))
    assert long_cells(chapter(fifteen, options=":tags: [hide-input]\n")) == []
    assert long_cells(chapter(fifteen + "\ny = 1")) == ["x0 = 0"]


def test_removed_cells_are_seen() -> None:
    """A tag that removes a cell is found."""
    assert cell_tags(chapter("x = 1", options=":tags: [remove-cell]\n")) & HIDING
    assert code_cells(chapter("x = 1")) == ["x = 1"]


def test_unsolved_exercises_are_seen() -> None:
    """An exercise without a solution and an open solution are faults."""
    asked = ":::{exercise} Name\n:label: ex-a\n\nWhy?\n:::\n"
    solved = ":::{solution} ex-a\n:label: sol-a\n:class: dropdown\n\nSo.\n:::\n"
    shown = ":::{solution-start} ex-a\n:label: sol-a\n:::\n"
    assert unsolved(asked + solved) == []
    assert unsolved(asked) == ["ex-a: no solution"]
    assert unsolved(asked + shown) == ["ex-a: not folded"]
