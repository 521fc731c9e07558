"""How a chapter's text becomes Markdown: laws of macros, formulas, lists, tables, solutions."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from docutils import nodes
from hypothesis import given
from hypothesis import strategies as st

from .tree import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
macros = importlib.import_module("notebook_edition.macros")
markdown = importlib.import_module("notebook_edition.markdown")
prose = importlib.import_module("notebook_edition.prose")

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
BOOK = CONFIG["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
TOY = {
    "T": r"^{\top}",
    "S": r"\Sigma_W",
    "norm": [r"\lVert #1 \rVert", 1],
    "inner": [r"\langle #1, #2 \rangle", 2],
    "far": r"\near",
    "near": "n",
    "round": r"\about",
    "about": r"\round",
    "wrong": ["#2", 1],
}


@pytest.mark.parametrize(
    ("formula", "plain"),
    [
        (r"W\T", r"W^{\top}"),
        (r"\S x", r"\Sigma_W x"),
        (r"\norm{x}", r"\lVert x \rVert"),
        (r"\norm x", r"\lVert x \rVert"),
        (r"\norm{x}y", r"\lVert x \rVert y"),
        (r"\norm{\inner{a}{\S}}", r"\lVert \langle a, \Sigma_W \rangle \rVert"),
        (r"\inner{{a}}{b}", r"\langle {a}, b \rangle"),
        (r"x_\S", r"x_{\Sigma_W}"),
        (r"x_{\S}", r"x_{\Sigma_W}"),
        (r"\frac\S2", r"\frac{\Sigma_W}2"),
        (r"\tfrac12\norm x", r"\tfrac12\lVert x \rVert"),
        (r"\widehat\S", r"\widehat{\Sigma_W}"),
        (r"\sqrt[3]{\S}", r"\sqrt[3]{\Sigma_W}"),
        (r"\far", "n"),
        (r"\Sum\Tall\normal", r"\Sum\Tall\normal"),
        (r"a \\ b \% \{ \| \}", r"a \\ b \% \{ \| \}"),
    ],
)
def test_macros_are_written_out(formula: str, plain: str) -> None:
    """Arguments in braces or alone, nested, in scripts and fractions; look-alikes stay."""
    assert macros.expand(formula, TOY) == plain


@pytest.mark.parametrize("formula", [r"\norm", r"\inner{a}", r"\norm{x", r"\round", r"\wrong{a}"])
def test_impossible_macros_are_refused(formula: str) -> None:
    """No argument, an open brace, a circle, a parameter too many."""
    with pytest.raises(ValueError):
        macros.expand(formula, TOY)


PIECES = [f"\\{name}" for name, made in BOOK.items() if not isinstance(made, list)]
PIECES += [r"\norm{x}", r"\inner{a}{b}", "x", "=", "_{i}", r"\frac{1}{2}", "&", r"\\", " ", r"\le "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_macro_of_the_book_survives(formula: str) -> None:
    """What is left is plain TeX with its braces in pairs, and is left alone the next time."""
    plain = macros.expand(formula, BOOK)
    assert not {f"\\{name}" for name in BOOK} & set(macros.TOKEN.findall(plain))
    assert plain.count("{") == plain.count("}")
    assert macros.expand(plain, BOOK) == plain


@given(st.text(alphabet="ab{}\\ ^_12&", max_size=30))
def test_formulas_without_macros_stay(formula: str) -> None:
    """Plain TeX is not touched, whatever it is, unless it is no TeX."""
    try:
        plain = macros.expand(formula, {})
    except ValueError:
        return
    assert plain.replace(" ", "") == formula.replace(" ", "")


# Text. ------------------------------------------------------------------------------------------


def teller(**counted: dict[str, tuple[int, ...]]) -> Any:
    """A teller with a link to one other chapter."""
    links = {"flow.ipynb": "flow.ipynb"}
    return prose.Prose(
        macros=TOY,
        link=lambda address: links.get(address.split("#")[0], ""),
        images=Path(),
        numbers=counted,
        sections={"": (3,), "#part": (3, 1)},
    )


def told(node: nodes.Node, **counted: dict[str, tuple[int, ...]]) -> str:
    """The Markdown of a node without code cells."""
    return "\n\n".join(piece.markdown for piece in teller(**counted).blocks(node))


def paragraph(*children: nodes.Node | str) -> nodes.paragraph:
    """A paragraph of words and nodes."""
    return nodes.paragraph("", "", *[nodes.Text(c) if isinstance(c, str) else c for c in children])


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("snake_case and 2 * 3 * 4", r"snake_case and 2 \* 3 \* 4"),
        ("_edge_ `tick` $5 <b> &amp;", r"\_edge\_ \`tick\` \$5 &lt;b> &amp;amp;"),
        ("so\n- no list\n1. nor this\n# nor that", "so\n\\- no list\n1\\. nor this\n\\# nor that"),
        ("[Han, 2022]", "[Han, 2022]"),
        ("[a](b)", "[a&#93;(b)"),
        ("-0.5 and 1.5", "-0.5 and 1.5"),
    ],
)
def test_words_stay_words(text: str, escaped: str) -> None:
    """Markdown finds nothing to act on in plain text; a citation's brackets are left in peace."""
    assert markdown.escaped(text) == escaped


def test_formulas_in_text() -> None:
    """One line, no macro, no blank inside the dollars."""
    words = paragraph("the ", nodes.math("", " W\\T\n W "), " of ", nodes.literal("", "a_b"))
    assert told(words) == r"the $W^{\top} W$ of `a_b`"


def test_displayed_formula_has_its_number() -> None:
    """The number is in the formula, and no line begins like a list."""
    formula = nodes.math_block("", "\n a\n= \\S\n- b\n", ids=["eq"], label="eq")
    assert told(formula, displaymath={"eq": (2, 4)}) == "$$\na = \\Sigma_W - b \\tag{2.4}\n$$"


def test_links_lose_their_anchors() -> None:
    """To another chapter: its notebook. To this page, or to one without notebook: words only."""

    def link(address: str, **more: bool) -> str:
        return told(paragraph(nodes.reference("", "here", refuri=address, **more)))

    assert link("flow.ipynb#limit", internal=True) == "[here](flow.ipynb)"
    assert link("#limit", internal=True) == "here"
    assert link("glossary.ipynb#word", internal=True) == "here"
    assert link("https://example.org/#x") == "[here](https://example.org/#x)"


def test_headings_have_numbers() -> None:
    """As in the book."""
    inner = nodes.section("", nodes.title("", "Part"), paragraph("b"), ids=["part"])
    outer = nodes.section("", nodes.title("", "All"), paragraph("a"), inner, ids=["all"])
    assert told(outer) == "# 3. All\n\na\n\n## 3.1. Part\n\nb"


def test_list_keeps_its_formulas() -> None:
    """A displayed formula in a list stands on one line, under the words."""
    item = nodes.list_item("", paragraph("one"), nodes.math_block("", "x\ny"))
    listed = nodes.bullet_list("", item, nodes.list_item("", paragraph("two")))
    assert told(listed) == "- one\n\n  $$ x y $$\n- two"


def test_table_keeps_its_columns() -> None:
    """A bar in a formula or a word ends no cell."""
    row = [
        nodes.entry("", paragraph(nodes.math("", r"|x| + \|y\|"))),
        nodes.entry("", paragraph("a|b")),
    ]
    group = nodes.tgroup("", nodes.tbody("", nodes.row("", *row)), cols=2)
    head = told(nodes.table("", group)).splitlines()[0]
    assert head == r"| $\vert x\vert + \Vert y\Vert$ | a\|b |"


def solution(*children: nodes.Node) -> nodes.Element:
    """A solution as the exercise extension makes it."""
    title = nodes.title("", "Solution to ", nodes.reference("", "Exercise 3.1", refuri="#ex"))

    class solution_node(nodes.Admonition, nodes.Element):
        pass

    return solution_node("", title, nodes.section("", *children))


def test_solution_is_folded_around_its_code() -> None:
    """Text is folded, code cells are not; each piece of text says where it belongs."""
    cell = nodes.container("", nb_element="cell_code", cell_index=7)
    pieces = list(teller().blocks(solution(paragraph("First."), cell, paragraph("Then."))))
    assert [type(piece).__name__ for piece in pieces] == ["Text", "Code", "Text"]
    first, code, then = pieces
    assert code.index == 7
    opening = "<details>\n<summary>Solution to Exercise 3.1"
    assert first.markdown == f"{opening}</summary>\n\nFirst.\n\n</details>"
    assert then.markdown.startswith(f"{opening}, continued</summary>\n\nThen.")


def test_code_in_a_list_is_refused() -> None:
    """A cell cannot stand inside a list; it must not vanish there."""
    cell = nodes.container("", nb_element="cell_code", cell_index=7)
    with pytest.raises(ValueError, match="7"):
        told(nodes.bullet_list("", nodes.list_item("", cell)))


def test_figure_caption_follows_its_cell() -> None:
    """The caption has the figure's number; the picture comes from the reader's own run."""
    caption = nodes.caption("", "A curve.")
    figure = nodes.figure("", nodes.image(uri="gone.png"), caption, ids=["fig"])
    cell = nodes.container("", figure, nb_element="cell_code", cell_index=2)
    code, text = teller(figure={"fig": (3, 1)}).blocks(cell)
    assert (code.index, code.figure) == (2, "Fig. 3.1")
    assert text.markdown == "**Fig. 3.1.** A curve."


def test_title_of_a_card_stands_out() -> None:
    """A card is its title and its words."""
    title = nodes.container("", nodes.Text("Read"), classes=["sd-card-title"])
    assert told(nodes.container("", title, paragraph("Begin."))) == "**Read**\n\nBegin."


def test_picture_travels_with_the_text(tmp_path: Path) -> None:
    """A drawn picture is carried in its address; one that is not there is an error."""
    (tmp_path / "dot.svg").write_text("<svg/>")
    assert markdown.embedded(tmp_path / "dot.svg") == "data:image/svg+xml;base64,PHN2Zy8+"
    with pytest.raises(ValueError, match="absent"):
        markdown.embedded(tmp_path / "absent.png")
