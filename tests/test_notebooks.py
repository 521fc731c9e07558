"""The notebooks in the repository are those of the chapters: complete, current, clean, runnable."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

from .chapter import HEAD, code_cells
from .chapter import read as read_chapter
from .notebook import broken_links, code, leaks, lost_cells, markdown, read
from .packaging_files import project
from .tree import ROOT, pages_in_contents

sys.path.insert(0, str(ROOT / "book" / "_ext"))
command = importlib.import_module("notebook_edition.__main__")
numbers = importlib.import_module("notebook_edition.numbers")
rehearsal = importlib.import_module("notebook_edition.rehearsal")
repository = importlib.import_module("repository")
library_cache = importlib.import_module("library_cache")

FOLDER = ROOT / "notebooks"
CHAPTERS = {path.stem: path for path in pages_in_contents() if code_cells(read_chapter(path))}
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
GPU = re.compile(r"\*\*GPU:\*\*[^.]*\byes\b")  # in the box at the head of a chapter
every_notebook = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all notebooks, made anew from the chapters without running any of them."""
    return command.build(ROOT, tmp_path_factory.mktemp("notebooks"))


def test_every_chapter_with_code_has_a_notebook() -> None:
    """And every notebook has its chapter."""
    assert sorted(CHAPTERS) == NAMES


def test_notebooks_are_current(fresh: Path) -> None:
    """The chapters give exactly the bytes that lie in the repository: else `make notebooks`."""
    assert command.differences(fresh, FOLDER) == []


def test_quoted_numbers_are_those_of_the_book(html: Path) -> None:
    """The numbers on file have the names, and on the whole the values, of the built book.

    Not all values: some are times, and training differs in its digits from machine to machine.
    """
    built = numbers.glean(ROOT, ROOT / library_cache.FOLDER / library_cache.digest(ROOT))
    assert numbers_at_odds(numbers.read(FOLDER), built) == []


def numbers_at_odds(
    kept: dict[str, dict[str, str]], built: dict[str, dict[str, str]]
) -> list[tuple[str, str]]:
    """The numbers on one side only, and a chapter's that differ if they are half of it or more."""
    ours, theirs = ({(c, k) for c in side for k in side[c]} for side in (kept, built))
    found = sorted(ours ^ theirs)
    for chapter in sorted({c for c, _ in ours & theirs}):
        common = sorted((c, k) for c, k in ours & theirs if c == chapter)
        moved = [(c, k) for c, k in common if not same(kept[c][k], built[c][k])]
        found += moved if 2 * len(moved) >= len(common) else []
    return found


def same(one: str, other: str) -> bool:
    """Whether two numbers agree as those of one training on two machines do."""
    try:
        return float(one) == pytest.approx(float(other), rel=0.1, abs=1e-9)
    except ValueError:
        return one == other


@every_notebook
def test_notebook_has_every_cell_of_its_chapter(name: str) -> None:
    """All code is there, in its order, and can be read by Python."""
    notebook = read(FOLDER / f"{name}.ipynb")
    assert lost_cells(read_chapter(CHAPTERS[name]), notebook) == []
    for cell in code(notebook):
        ast.parse(cell)


@every_notebook
def test_notebook_is_plain(name: str) -> None:
    """No directive, role or macro is left, and every link leads somewhere."""
    notebook = read(FOLDER / f"{name}.ipynb")
    assert leaks(notebook) == []
    assert broken_links(notebook, FOLDER) == []
    assert "myst_nb" not in "".join(cell.source for cell in notebook.cells)


@every_notebook
def test_notebook_is_valid_and_bare(name: str) -> None:
    """It follows the format, and holds no output, no count and no repeated name of a cell."""
    notebook = read(FOLDER / f"{name}.ipynb")
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    names = [cell.id for cell in notebook.cells]
    assert len(set(names)) == len(names)


@every_notebook
def test_notebook_says_where_it_comes_from(name: str) -> None:
    """Its first cells name edition, repository and tag, and install on Colab only."""
    head, install = read(FOLDER / f"{name}.ipynb").cells[:2]
    version, address = project()["version"], project()["urls"]["Repository"]
    tag = "main" if ".dev" in version else f"v{version}"
    assert f"edition {version}" in head.source
    owner = "/".join(address.split("/")[-2:])
    assert (
        f"(https://colab.research.google.com/github/{owner}/blob/{tag}/notebooks/{name}.ipynb)"
        in (head.source)
    )
    assert install.source.count("%pip") == 1
    assert f'"{project()["name"]} @ git+{address}@{tag}"' in install.source
    assert "==" not in install.source


def test_install_cell_does_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is called where Colab's module is loaded, and nowhere else."""
    cell = read(FOLDER / "index.ipynb").cells[1].source
    called: list[str] = []
    plain = re.sub(r"%pip (.*)", lambda found: f"pip({found[1]!r})", cell)
    exec(plain, {"pip": called.append})
    assert called == []
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    exec(plain, {"pip": called.append})
    assert len(called) == 1


def test_gpu_is_asked_for_where_it_is_used() -> None:
    """Exactly the chapters whose first box says that a cell uses a GPU ask Colab for one."""
    wanted = [name for name in NAMES if GPU.search(read_chapter(CHAPTERS[name]))]
    asked = [name for name in NAMES if "accelerator" in read(FOLDER / f"{name}.ipynb").metadata]
    assert wanted == asked
    assert asked


def test_pages_offer_their_notebooks(html: Path) -> None:
    """A chapter's page leads to Colab and to the notebook beside it; the rest have no such menu."""
    for path in pages_in_contents():
        page = (html / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
        links = repository.colab_address(ROOT, path.stem), f"../notebooks/{path.stem}.ipynb"
        offered = [f'href="{link}"' in page for link in links]
        assert offered == [path.stem in CHAPTERS] * 2, path.stem
    served = {path.name: path.read_bytes() for path in (html / "notebooks").iterdir()}
    assert served == {f"{name}.ipynb": (FOLDER / f"{name}.ipynb").read_bytes() for name in NAMES}


# The checks can fail. ---------------------------------------------------------------------------


def made(*cells: str) -> nbformat.NotebookNode:
    """A notebook; a cell that begins with a bar is text."""
    text, program = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    parts = [text(cell[1:]) if cell.startswith("|") else program(cell) for cell in cells]
    return nbformat.v4.new_notebook(cells=parts)


def test_stale_notebooks_are_seen(tmp_path: Path) -> None:
    """A changed, a missing and a superfluous notebook are named."""
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(FOLDER, here)
    shutil.copytree(FOLDER, there)
    assert command.differences(here, there) == []
    path = there / "flow.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("flow", "fl0w", 1), encoding="utf-8")
    (there / "snr.ipynb").unlink()
    shutil.copy(there / "limits.ipynb", there / "wrong.ipynb")
    assert command.differences(here, there) == ["flow.ipynb", "snr.ipynb", "wrong.ipynb"]
    command.replace(here, there)
    assert command.differences(here, there) == []


@pytest.mark.parametrize(
    "text",
    [
        "By {prf:ref}`thm-a`.",
        "{glue:text}`a`",
        ":::{note}\nSo.\n:::",
        "(some-label)=\n# Title",
        "It is $x\\T x$.",
        "$$\n\\norm{x}\n$$",
    ],
)
def test_leaks_are_seen(text: str) -> None:
    """Markup and macros of the book are no Markdown."""
    assert len(leaks(made(f"|{text}"))) >= 1


def test_code_is_no_leak() -> None:
    """What a formula or shown code has in common with markup is none."""
    fine = "|`{name}`\n\n```bash\nx {a:b}`c`\n```\n\n$\\mathbf{{x}}$ and $\\Trace$"
    assert leaks(made(fine, 'f"{name}`"')) == []


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        (("x = 1", "y = 2"), []),
        (("# @title Fig. 1\nx = 1", "|text", "y = 2"), []),
        (("x = 1",), ["y = 2"]),
        (("y = 2", "x = 1"), ["x = 1", "y = 2"]),
        (("x = 1", "y = 2", "z = 3"), ["z = 3"]),
    ],
)
def test_lost_cells_are_seen(cells: tuple[str, ...], faults: list[str]) -> None:
    """A cell that is missing, moved or added is named."""
    fence = "```{{code-cell}} python\n{}\n```\n"
    chapter = HEAD + "\n# Title\n\n" + "\n".join(fence.format(c) for c in ("x = 1", "y = 2"))
    assert lost_cells(chapter, made(*cells)) == faults


def test_broken_links_are_seen() -> None:
    """A link to no notebook, to a page of the book, or out of the folder."""
    good = "|[a](flow.ipynb), [b](https://example.org), $[c](d)$"
    assert broken_links(made(good), FOLDER) == []
    for address in ("absent.ipynb", "flow.md", "flow.ipynb#part", "../README.md"):
        assert broken_links(made(f"|[a]({address})"), FOLDER) == [address]


def test_numbers_at_odds_are_seen() -> None:
    """A number under another name, and values that have changed altogether."""
    kept = {"a": {"x": "1.0", "y": "2.0", "time": "3.5", "word": "no"}}
    assert numbers_at_odds(kept, {"a": kept["a"] | {"time": "4.5"}}) == []
    assert numbers_at_odds(kept, {"a": {"x": "1.0", "y": "2.0", "word": "no"}}) == [("a", "time")]
    assert len(numbers_at_odds(kept, {"a": dict.fromkeys(kept["a"], "7")})) == 4
    others = {name: {"x": "1.0", "y": "2.0"} for name in "bcdef"}
    assert len(numbers_at_odds(kept | others, others | {"a": dict.fromkeys(kept["a"], "7")})) == 4


def test_missing_runs_are_named(tmp_path: Path) -> None:
    """Without the built book there are no numbers to take."""
    with pytest.raises(LookupError, match="collapse"):
        numbers.glean(ROOT, tmp_path / "empty")


def test_rehearsal_tells_the_cell_at_fault(tmp_path: Path) -> None:
    """A notebook that stops is named with its cell and the error; one that runs through is not."""
    runs = {"fine": made("x = 1", "|text", "assert x"), "bad": made("x = 1", "x / 0", "x")}
    for name, notebook in runs.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    with rehearsal.kernel(Path(sys.executable)):
        assert rehearsal.fault(tmp_path / "fine.ipynb") == ""
        what = rehearsal.fault(tmp_path / "bad.ipynb")
    assert what.startswith("code cell 2 of 3: ZeroDivisionError")
    assert "| x / 0" in what


def test_numbers_are_written_alike(tmp_path: Path) -> None:
    """What is read was written, with the digits that mean something."""
    kept = {"b": {"y": numbers.rounded("0.1234567890123456")}, "a": {"x": numbers.rounded("12")}}
    numbers.write(tmp_path, kept)
    assert numbers.read(tmp_path) == {"a": {"x": "12"}, "b": {"y": "0.123456789012"}}
    assert list(json.loads((tmp_path / numbers.FILE).read_text())) == ["a", "b"]
    assert [numbers.rounded(text) for text in ("nan", "'never'", "1e-09")] == [
        "nan",
        "'never'",
        "1e-09",
    ]


def test_text_holds_no_code() -> None:
    """The checks of the text do not look into code that it shows."""
    assert markdown(made("|a `b` c\n\n```\nd\n```\n", "e")).split() == ["a", "``", "c"]
