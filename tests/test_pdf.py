"""The printed edition: what the pages show is on paper, with the same numbers, and nothing is lost.

The LaTeX of a small book is always checked. It is typeset where the programs are; the whole book is
printed for a release.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from nclib import explorers

from .chapter import HEAD
from .tree import ROOT, plant

sys.path.insert(0, str(ROOT / "book" / "_ext"))
edition = importlib.import_module("edition")
press = importlib.import_module("press")
print_tree = importlib.import_module("print_tree")
print_twins = importlib.import_module("print_twins")

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
MACROS = CONFIG["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
CONTENTS = """format: jb-book
root: book/index.md
parts:
  - caption: Counted
    numbered: true
    chapters:
      - file: book/first.md
      - file: book/second.md
  - caption: Not counted
    chapters:
      - file: book/last.md
      - file: book/api-one.md
"""
EXPLORER = """<div class="nc-explorer" aria-label="A wave &amp; more">
<style>.nc-explorer { --nc-wave: light-dark(rgb(1, 2, 3), white); }
.nc-explorer svg { width: 100% }
.nc-explorer path { stroke: var(--nc-wave); stroke-width: 2 }</style>
<svg viewBox="0 0 360 250" role="img"><title>The wave</title>
<svg x="9" y="9" width="9" height="9"><path d="M0 0h9"/></svg></svg>
<p><svg class="nc-key" viewBox="0 0 30 8"><path d="M0 4h30"/></svg> crest</p>
<output data-word="sentence">It <i>stands</i> still.</output></div>"""
CHAPTER = """
# Chapter {name}

Before $M'\\T \\SW$ stands a formula.

$$
\\Loss = \\norm{{x}}
$$ (eq-{name}-loss)

See {{eq}}`eq-{name}-loss`, {{prf:ref}}`thm-{name}-split`, {{ref}}`ex-{name}-one` and
{{numref}}`fig-{name}-plot`.

:::{{prf:theorem}} It splits
:label: thm-{name}-split

Into $\\Lone$ and $\\Ltwothree$.
:::

:::{{prf:proof}}
By hand.
:::

```{{code-cell}} python
---
tags: [hide-input]
mystnb:
  figure:
    name: fig-{name}-plot
    caption: A line.
  image:
    alt: "A straight line that rises from left to right."
---
from matplotlib import pyplot as plt
fig = plt.figure(figsize=(2, 1))
fig.gca().plot([1, 2], label="folded {name}");
```

:::{{exercise}} One
:label: ex-{name}-one

Why? ◐
:::

:::{{solution}} ex-{name}-one
:label: sol-{name}-one
:class: dropdown

Therefore.
:::
"""
MOVING = """
```{{code-cell}} python
class Moving:
    def _repr_html_(self):
        return {markup!r}
Moving()
```
"""
LITERATURE = "\n{cite:t}`han2022`, [names](api-one.md).\n\n:::{bibliography}\n:::\n"
COVER = """# The book

Words of the cover.<br><small>In small print.</small>

::::{grid} 1
:class-container: doors

:::{grid-item-card} A door
Come in.
:::
::::
"""


def small_book(root: Path, markup: str = EXPLORER, chapter: str = CHAPTER) -> Path:
    """A tree with a book of three chapters, one with an explorer."""
    plant(root)
    (root / "_toc.yml").write_text(CONTENTS)
    (root / "book" / "index.md").write_text(COVER)
    (root / "book" / "api-one.md").write_text("# Names\n\nThe signature of one.\n")
    for name in ("first", "second", "last"):
        more = MOVING.format(markup=markup) if name == "second" else ""
        more += LITERATURE if name == "first" else ""
        (root / "book" / f"{name}.md").write_text(HEAD + chapter.format(name=name) + more)
    return root


def build(root: Path, builder: str) -> str:
    """What Jupyter Book says while it builds the tree strictly, its exit status at the end."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
    command += ["--builder", builder, "-W", "--keep-going", "-n"]
    came = subprocess.run(
        command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )  # fmt: skip
    return f"{came.stdout}\nexit {came.returncode}"


def latex_of(root: Path) -> str:
    """The LaTeX of a built tree."""
    return next((root / "_build" / "latex").glob("*.tex")).read_text(encoding="utf-8")


def absent_macros(tex: str) -> list[str]:
    """The macros of the pages that the LaTeX does not define."""
    return [name for name in MACROS if rf"\renewcommand{{\{name}}}" not in tex]


def screen_only(tex: str) -> list[str]:
    """What belongs to a screen and must not reach paper: tags, styles, names of objects."""
    return re.findall(r"</?(?:div|svg|style|table|script|br|small)\b|at 0x[0-9a-f]{6,}", tex)


def numbers_on_pages(folder: Path) -> dict[str, str]:
    """The number of everything numbered on the pages, by label."""
    found = {}
    for path in folder.glob("*.html"):
        page = path.read_text(encoding="utf-8")
        for name, number in re.findall(
            r'<(?:figure|div)[^>]* id="((?:fig|thm|prop|lem|cor|def|ex)-[\w-]+)">'
            r'(?:(?!<figure|<div[^>]* id=).)*?caption-number">[^<]*?([\d.]+)\s*<',
            page, re.DOTALL,
        ):  # fmt: skip
            found[name] = number
        for name, number in re.findall(r'id="equation-([\w-]+)">\s*<span[^>]*>\(([\d.]+)\)', page):
            found[name] = number
        for name, number in re.findall(
            r'<section[^>]* id="([\w-]+)">(?:\s*<span id="[\w-]+"></span>)*\s*'
            r'<h[12]><span class="section-number">([\d.]+?)\.? *</span>', page,
        ):  # fmt: skip
            found[f"{path.stem}:{name}"] = number
    return found


def numbers_on_paper(aux: str) -> dict[str, str]:
    """The same from the labels that LaTeX has written down."""
    found = {}
    for label, number in re.findall(r"\\newlabel\{([^}]+)\}\{\{([\d.]*)\}", aux):
        page, _, name = label.removeprefix("equation:").removeprefix("exercise:").partition(":")
        found[name] = number
        found[f"{page.removeprefix('book/')}:{name}"] = number
    return found


def disagreements(pages: dict[str, str], paper: dict[str, str]) -> list[str]:
    """What has one number on the pages and another one, or none, on paper."""
    return [
        f"{name}: {number} on the page, {paper.get(name, 'none')} on paper"
        for name, number in pages.items()
        if paper.get(name) != number
    ]


needs_drawing = pytest.mark.skipif(
    shutil.which("rsvg-convert") is None,
    reason="no rsvg-convert here (librsvg2-bin): explorers cannot be drawn for paper",
)
needs_latex = pytest.mark.skipif(
    any(shutil.which(name) is None for name in press.PROGRAMS),
    reason="no LaTeX here: nothing is typeset; the PDF is a release's job",
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small book, built as LaTeX."""
    root = small_book(tmp_path_factory.mktemp("print") / "tree")
    said = build(root, "latex")
    assert said.endswith("exit 0"), said
    return root


@needs_drawing
def test_every_macro_reaches_paper(printed: Path) -> None:
    """The macros stand once, in the configuration; LaTeX gets all of them, and a lost one shows."""
    tex = latex_of(printed)
    assert absent_macros(tex) == []
    assert absent_macros(tex.replace(r"\renewcommand{\SW}", "")) == ["SW"]
    # A prime looks for a superscript behind it and cannot look into a macro.
    assert r"M'^{\top} \SW" in tex


@needs_drawing
def test_paper_has_all_parts_of_the_book(printed: Path) -> None:
    """Parts, preface, statements, solutions and the edition are there; folded code is not."""
    tex = latex_of(printed)
    for words in (
        r"\booknumbered\bookpart{Counted}",
        r"\bookunnumbered\bookpart{Not counted}",
        rf"\chapter{{{print_tree.PREFACE}}}",
        r"\bookheading{Theorem 1.1 (It splits)}",
        r"\bookheading{Exercise 2.1 (One)}",
        "Therefore.",
        f"Edition {edition.version(printed)}, built",
    ):
        assert words in tex, words
    assert "folded first" not in tex


@needs_drawing
def test_pages_and_literature_have_their_places(printed: Path) -> None:
    """Sphinx collects the literature behind all else; the reference of the package stays online."""
    tex = latex_of(printed)
    places = [tex.index(mark) for mark in ("{Chapter first}", r"\bibitem", "{Chapter second}")]
    assert places == sorted(places)
    assert "The signature of one." not in tex
    assert "Words of the cover." in tex and "Come in." not in tex
    assert f"{print_tree.ONLINE}-one" not in tex


@needs_drawing
def test_nothing_of_a_screen_is_on_paper(printed: Path) -> None:
    """No tag reaches paper, and a picture with its words stands for what moves."""
    tex = latex_of(printed)
    assert screen_only(tex) == []
    assert screen_only(r"text <div class> and \PYG{o}{<}Moving at 0x7f00aa12>")
    twins = re.findall(r"sphinxincludegraphics.*?\{\{(twin-\w+)\}\.pdf\}", tex)
    assert [(printed / "_build/latex" / f"{name}.pdf").is_file() for name in twins] == [True]
    assert rf"\booktwin{{A wave \& more. It stands still. {print_twins.ONLINE}}}" in tex


@needs_drawing
@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>sliders</p>", print_twins.ABSENT),
        ('<div><svg viewBox="0 0 9 9" role="img"><path></div>', "expected </svg>"),
    ],
    ids=["no picture", "broken picture"],
)
def test_figure_without_a_picture_is_told(tmp_path: Path, markup: str, words: str) -> None:
    """What has no picture leaves a line on paper; a picture that is broken fails the build."""
    root = small_book(tmp_path / "tree", markup, chapter="# Short\n")
    said = build(root, "latex")
    assert words in (latex_of(root) if said.endswith("exit 0") else said)


def test_html_without_a_form_on_paper_fails(tmp_path: Path) -> None:
    """Prose may use few tags; what would be lost on paper fails the build."""
    root = small_book(tmp_path / "tree", "<p>sliders</p>", chapter="# Short\n")
    (root / "book" / "index.md").write_text("# The book\n\nSome <mark>marked</mark> words.\n")
    said = build(root, "latex")
    assert "HTML that has no form on paper: <mark>" in said
    assert not said.endswith("exit 0")


@needs_latex
def test_numbers_agree_on_page_and_paper(printed: Path) -> None:
    """Statements, figures, formulas, exercises, sections: one number each, in both editions."""
    said = build(printed, "html")
    assert said.endswith("exit 0"), said
    pdf = press.typeset(printed / "_build" / "latex")
    aux = pdf.with_suffix(".aux").read_text(encoding="utf-8")
    pages = numbers_on_pages(printed / "_build" / "html" / "book")
    kinds = {"thm": 3, "fig": 3, "eq": 3, "ex": 3}
    assert {kind: sum(n.startswith(f"{kind}-") for n in pages) for kind in kinds} == kinds
    assert pages["thm-second-split"] == "2.1"
    assert "first:chapter-first" in pages
    paper = numbers_on_paper(aux)
    assert disagreements(pages, paper) == []
    assert disagreements(pages, paper | {"fig-first-plot": "1.2"}) != []


@needs_latex
def test_paper_has_pages_and_letters(printed: Path) -> None:
    """The PDF has a name with the version, and its text has every letter that the pages show."""
    pdf = press.typeset(printed / "_build" / "latex")
    assert pdf.name == f"neural-collapse-mse-{edition.version(ROOT)}.pdf"
    assert pdf.stat().st_size > 30_000
    assert "◐" in latex_of(printed)


@needs_latex
def test_faulty_formula_is_not_printed(tmp_path: Path) -> None:
    """A macro that LaTeX does not know fails, in words that name it."""
    (tmp_path / "a.tex").write_text(r"\documentclass{article}\begin{document}$\SW$\end{document}")
    with pytest.raises(press.NotPrintedError, match=r"(?s)Undefined control sequence.*\\SW"):
        press.typeset(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "! Undefined control sequence.\n<recently read> \\SW\nl.3 $\\SW",
        "Missing character: There is no ω (U+03C9) in font [x.otf]!",
        "LaTeX Warning: Hyper reference `book/absent::doc' on page 3 undefined on input line 9.",
        "LaTeX Warning: Reference `equation:book/a:eq' on page 3 undefined on input line 9.",
        "LaTeX Warning: Label `book/a:fig' multiply defined.",
    ],
)
def test_faults_of_a_log_are_seen(line: str) -> None:
    """Errors, missing letters and dead references are faults; lines that are too long are none."""
    good = "Overfull \\hbox (12.3pt too wide) in paragraph at lines 3--4\nOutput written on a.pdf"
    assert press.faults(good) == []
    assert len(press.faults(f"{good}\n{line}\n")) == 1


def test_absent_program_is_named_with_its_packages() -> None:
    """Without LaTeX comes a sentence with what to install, no traceback."""
    with pytest.raises(press.NotPrintedError, match="no no-such-press here.*\n.*texlive-xetex"):
        press.check(("no-such-press",))


def test_press_without_latex_says_so(tmp_path: Path) -> None:
    """The command itself fails in words where the programs are missing."""
    came = subprocess.run(
        [sys.executable, str(ROOT / "book" / "_ext" / "press.py"), "check"],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert came.returncode == 1
    assert came.stderr.startswith("==> The PDF is NOT made: no latexmk and no xelatex and no rsvg")


@pytest.mark.parametrize(
    ("style", "plain"),
    [
        ("a { color: light-dark(#111, #eee) }", "a { color: #111 }"),
        ("a { --x: light-dark(rgb(1, 2, 3), red); fill: var(--x) }", "fill: rgb(1, 2, 3)"),
        ("a { fill: var(--none, var(--nor, blue)) }", "a { fill: blue }"),
        ("svg { width: 100%; stroke-width: 2 }", "stroke-width: 2"),
    ],
)
def test_colors_are_those_of_light_mode(style: str, plain: str) -> None:
    """Variables get their values, and of two colors the first; the layout of a screen goes."""
    found = print_twins.plain_colors(style)
    assert plain in found
    assert not re.search(r"var\(|light-dark|(?<!-)width: 100%", found)


def test_two_pictures_stand_side_by_side() -> None:
    """Every picture of an explorer is on paper with its name, and the keys to its lines."""
    drawing = ET.fromstring(print_twins.twin(EXPLORER + EXPLORER))
    texts = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["The wave", "The wave", "crest", "crest"]
    assert drawing.get("width") == str(2 * print_twins.WIDTH + print_twins.GAP)
    with pytest.raises(ValueError, match="found none"):
        print_twins.twin("<p>no picture</p>")


@pytest.mark.parametrize("name", ["flow", "landscape", "rescaled", "simulation"])
def test_explorers_of_the_package_can_stand_still(name: str) -> None:
    """Their first picture is on paper with all its lines and without what only browsers know."""
    page = getattr(explorers, name)().html
    drawing = print_twins.twin(page)
    ET.fromstring(drawing)
    assert not re.search(r"var\(|light-dark", drawing)
    assert drawing.count("<path") >= sum(p.count("<path") for p in print_twins.drawings(page))
