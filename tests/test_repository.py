"""The files around the package agree with each other and hold nothing that does not belong."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import nclib

from .packaging_files import (
    bounds,
    import_names,
    imported,
    imported_below,
    outside_bounds,
    pins,
    project,
)
from .tree import ROOT, pages_in_contents, tracked

sys.path.insert(0, str(ROOT / "book" / "_extra"))
vendor = importlib.import_module("vendor")

VENDORED = ROOT / "book" / "_extra" / "vendor"
# Declared though no module imports them: torchvision reads SVHN with scipy, and hands out numpy;
# plotly shows figures in notebooks by nbformat.
INDIRECT = {"numpy", "scipy", "nbformat"}
EXTRAS = ("metrics", "measure", "cluster")  # of the package; the others build and test the book
BROUGHT_ALONG = {"accelerate", "tensorboard"}  # transformers' and torch's own wrappers need them
RESULTS_CAP = 5_000_000  # bytes of published runs, all together
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
# In pieces, so that this file does not hold what it looks for.
UNWANTED = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:wor" + r"k|hom" + r"e|roo" + r"t|tm" + r"p|Use" + r"rs)/\w",
            "pyp" + r"i\.org|pythonhost" + r"ed|registry\.npm" + "js",
            r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|lorem ips" + "um",
            "^(?:<" + "{7}|>" + "{7}) ",
        ]
    ),
    re.MULTILINE,
)


def unwanted(text: str) -> list[str]:
    """Paths of one machine, registry hosts, unfinished work and merge marks in a text."""
    return UNWANTED.findall(text)


def text_of(path: Path) -> str:
    """The text of a file; empty for pictures and other binary files."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def ours() -> list[Path]:
    """The tracked files that we wrote ourselves."""
    return [path for path in tracked() if VENDORED not in path.parents]


def test_no_file_holds_what_does_not_belong() -> None:
    """No path of one machine, registry host, unfinished work or merge mark is published."""
    found = {str(path.relative_to(ROOT)): unwanted(text_of(path)) for path in ours()}
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_no_file_is_nameless() -> None:
    """A file is a noun: none is called after the leftovers it collects."""
    assert [path for path in tracked() if path.stem.lower() in NAMELESS] == []


def test_no_tracked_file_is_large() -> None:
    """The repository stays small enough to read and to clone."""
    sizes = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked()}
    assert {name: size for name, size in sizes.items() if size > 2_000_000} == {}
    results = [size for name, size in sizes.items() if name.startswith("nclib/results/")]
    assert sum(results) <= RESULTS_CAP


def test_pins_lie_within_the_bounds() -> None:
    """Every dependency of the package and its extras is pinned to a version that it allows."""
    assert outside_bounds(bounds(), pins()) == []


def test_pins_are_exact() -> None:
    """Each pin names one version."""
    loose = [str(pin) for pin in pins() if [one.operator for one in pin.specifier] != ["=="]]
    assert loose == []


def test_dependencies_have_lower_bounds_only() -> None:
    """Nothing preloaded on a notebook service has to be swapped."""
    runtime = [Requirement(line) for line in project()["dependencies"]]
    operators = {one.operator for requirement in runtime for one in requirement.specifier}
    assert operators == {">="}


def test_declared_dependencies_are_the_imported_ones() -> None:
    """What pyproject.toml asks for is what the package imports, no more and no less."""
    runtime = import_names([Requirement(line) for line in project()["dependencies"]])
    extras = {one for name in EXTRAS for one in project()["optional-dependencies"][name]}
    optional = import_names([Requirement(line) for line in extras])
    found = imported_below(ROOT / "nclib", tests=False)
    assert (found - optional) | INDIRECT == runtime
    assert found & optional == optional - BROUGHT_ALONG


def test_tests_import_declared_packages() -> None:
    """What the tests import is in the dependencies or the extras."""
    needed = imported_below(ROOT / "nclib", tests=True) | imported_below(ROOT / "tests", tests=True)
    modules = {
        path.stem for name in ("_ext", "_extra") for path in (ROOT / "book" / name).glob("*.py")
    }
    assert needed - modules - {"tomli"} <= import_names(bounds())


def test_versions_agree() -> None:
    """One version everywhere: package, pyproject.toml, citation file, changelog."""
    version = project()["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (nclib.__version__, citation["version"]) == (version, version)
    assert re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE)


def make_targets() -> set[str]:
    """The targets that `make help` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


def make_commands(text: str) -> set[str]:
    """The targets of every `make` command in a text."""
    return set(re.findall(r"(?:^|[`$] ?)make ([a-z]+)\b", text, re.MULTILINE))


def test_readme_commands_exist() -> None:
    """The README gives the two commands, and every make command in it has its target."""
    commands = make_commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert {"book", "test"} <= commands <= make_targets()


def test_check_runs_the_commands_of_the_readme() -> None:
    """.ci/run runs lint, test, book and rehearsal, and the workflow runs .ci/run."""
    assert make_commands((ROOT / ".ci" / "run").read_text()) == {
        "lint",
        "test",
        "book",
        "rehearsal",
    }
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step].count(".ci/run") == 1


def test_console_script_exists() -> None:
    """The `nclib` command leads to a function."""
    module, name = project()["scripts"]["nclib"].split(":")
    assert callable(getattr(importlib.import_module(module), name))


def chapters_named_in(source: str) -> set[str]:
    """The chapters to which the docstrings of a module send their readers."""
    nodes = ast.walk(ast.parse(source))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
    found = [name for text in texts for name in re.findall(r"Chapter: ([\w, -]+)", text)]
    return {name.strip() for names in found for name in names.split(",") if name.strip()}


def test_docstrings_name_existing_chapters() -> None:
    """Where a docstring says "Chapter:", the table of contents has that page."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "nclib").rglob("*.py")]
    named = {name for source in sources for name in chapters_named_in(source)}
    assert named - {path.stem for path in pages_in_contents()} == set()
    assert named


def test_vendored_files_are_as_recorded() -> None:
    """MathJax is the release it was taken from, file by file."""
    assert vendor.differences(VENDORED) == []
    assert len(vendor.recorded(VENDORED)) > 50


# The checks can fail. ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "see /hom" + "e/someone/file",
        "open('/tm" + "p/x')",
        "from files.pythonhost" + "ed.org",
        "# TO" + "DO: later",
        "<" * 7 + " HEAD",
    ],
)
def test_unwanted_text_is_seen(text: str) -> None:
    """Each kind of thing that does not belong is found."""
    assert len(unwanted(text)) == 1


def test_wanted_text_is_left_alone() -> None:
    """Relative paths and addresses on the web are no paths of one machine."""
    assert (
        unwanted("book/ho" + "me/page.html https://example.org/ho" + "me/a _build/tm" + "p/x") == []
    )


def test_wrong_pins_are_seen() -> None:
    """A pin below its bound, one of two pins below it, and a missing pin are faults."""
    bound = [Requirement("torch>=2.6")]
    assert outside_bounds(bound, [Requirement("torch==2.7")]) == []
    assert len(outside_bounds(bound, [Requirement("torch==2.5")])) == 1
    assert len(outside_bounds(bound, [Requirement("Torch==2.7"), Requirement("torch==2.5")])) == 1
    assert len(outside_bounds(bound, [])) == 1


def test_hidden_imports_are_seen() -> None:
    """An import inside a function counts; relative and standard ones do not."""
    source = "import os\nfrom . import stats\ndef f():\n    from foreign.inner import x\n"
    assert imported(source) == {"foreign"}


def test_commands_are_read_from_text() -> None:
    """Commands count in code and at the start of a line, not in a sentence."""
    assert make_commands("make book\nuse `make test` to make sure") == {"book", "test"}


def test_chapters_are_read_from_docstrings() -> None:
    """Several chapters may stand in one line."""
    source = 'def f():\n    """One.\n\n    Chapter: collapse, least-squares.\n    """\n'
    assert chapters_named_in(source) == {"collapse", "least-squares"}


def test_changed_vendored_files_are_seen(tmp_path: Path) -> None:
    """A changed, a missing and a foreign file are three differences."""
    copy = tmp_path / "vendor"
    shutil.copytree(VENDORED, copy)
    names = sorted(vendor.recorded(copy))
    (copy / names[0]).write_text("changed")
    (copy / names[1]).unlink()
    (copy / "foreign.js").write_text("")
    assert vendor.differences(copy) == sorted([names[0], names[1], "foreign.js"])
