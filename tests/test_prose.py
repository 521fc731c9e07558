"""Every number in prose comes from a computation, or is quoted with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from .chapter import read
from .prose import Given, Passage, faults, pieces
from .tree import pages_in_contents

ALL = pages_in_contents()


@pytest.mark.parametrize("path", ALL, ids=[path.stem for path in ALL])
def test_numbers_in_prose_come_from_somewhere(path: Path) -> None:
    """No chapter types what it could compute, or quotes a number without its source."""
    assert faults(read(path)) == []


# The check can fail. ----------------------------------------------------------------------------


def words(source: str) -> list[str]:
    """What the reader of prose takes for prose."""
    return [one.text for one in pieces(source) if isinstance(one, Passage)]


@pytest.mark.parametrize(
    "text, number",
    [
        ("The loss is 0.05 at the end.", "0.05"),
        ("It falls to -0.42.", "0.42"),
        ("It falls to .42.", ".42"),
        ("After 2,000 steps", "2,000"),
        ("After 100 steps", "100"),
        ("the year (2023)", "2023"),
        ("about 60 % of them", "60%"),
        ("about 5% of them", "5%"),
        ("about 5 per cent of them", "5%"),
        ("off by 1e-5", "1e-5"),
        ("off by 10⁻⁵", "10⁻⁵"),
        ("a 128-dimensional space", "128"),
        ("between 200–300", "200"),
        ("in Fig. 2, 60 % of it, as in the paper", "60%"),
        ("in Fig. 2 and 0.5 of it, as in the paper", "0.5"),
        ("in Figs. 2 and 3 and 500 images of the paper", "500"),
        ("in Section 200 of the paper", "200"),
        ("# After 350 epochs", "350"),
        ("- with **0.9**", "0.9"),
        ("| batch |\n|---|\n| 128 |", "128"),
        ("see [0.25 of it](a.md)", "0.25"),
        ("term\n: at 0.25", "0.25"),
        ("> at 0.25", "0.25"),
        (":::{note}\nOnly 0.7 of it.\n:::", "0.7"),
        (":::{admonition} Only 0.7 of it\n:class: preview\n\nWords.\n:::", "0.7"),
        (":::{prf:lemma} Below 0.7\n:label: lem-a\n\nWords.\n:::", "0.7"),
        (":::::{exercise} Name\n:label: ex-a\n\n:::{note}\nOnly 0.7.\n:::\n:::::", "0.7"),
        (":::{figure} a.svg\n:alt: words\n\nA curve at 0.7.\n:::", "0.7"),
        (
            "```{code-cell} python\n---\nmystnb:\n  figure:\n    name: fig-a\n    caption: |\n"
            "      A curve at 0.7.\n---\nx = 1\n```",
            "0.7",
        ),
    ],
)
def test_typed_numbers_are_seen(text: str, number: str) -> None:
    """A decimal, percentage, power or large number is a fault, wherever a reader reads it."""
    found = faults(text)
    assert any(fault.endswith(f" {number} is typed") for fault in found)


@pytest.mark.parametrize(
    "text",
    [
        "Ten classes, 25 rates, 1/9 and 99 of them.",
        "The value {glue:text}`a_b:.3f` and {glue:text}`a_c:.1%` at $t = 0.25$, see `x = 0.25`.",
        "$$\nx = 0.25\n$$",
        "\\begin{align}\nx &= 0.25\n\\end{align}",
        "Networks: ResNet18, VGG11, DenseNet250, CIFAR100, H200, float32, STL10-x.",
        "It is {cite:t}`han2022`, Theorem 3.1 and Sections 4.1 to 4.3, [](#sec-100).",
        "See arXiv 2106.02073, Appendix A.7, of the papers.",
        "[link](https://a.example/0.5) <https://a.example/100>",
        "```bash\nnclib run --limit 2000\n```",
        "```{code-cell} python\n:tags: [hide-input]\nx = 0.25\n```",
        "```{math}\nx = 0.25\n```",
        ":::{figure} a-200.svg\n:alt: a curve at 0.7\n:width: 100%\n\nWords.\n:::",
        ":::{solution-start} ex-200\n:label: sol-200\n:::",
        "(sec-200)=\n## Words",
        "---\nversion: 0.25\n---\n\nWords.",
        "% 0.25 is a comment\n\nWords.",
    ],
)
def test_other_numbers_are_welcome(text: str) -> None:
    """Small integers, glue, formulas, code, names, references, addresses, options, comments."""
    assert faults(text) == []


def test_quoted_numbers_need_a_declaration_with_a_source() -> None:
    """A declaration covers its numbers in the whole chapter, and only them."""
    text = "Epochs: 350, at 0.9, 60 % of 128.\n\n% given: 350, 60 %{}\n% given: 128, 0.9 -- b"
    assert faults(text.format(" -- recipe of the paper, Section 3")) == []
    assert faults(text.format("")) == ["3: no source"]
    assert faults(text.format(" -- ")) == ["3: no source"]
    assert faults(text.replace("350, at", "351, at").format(" -- a")) == [
        "1: 351 is typed",
        "3: 350 is declared, unused",
    ]


def test_declarations_in_boxes_count() -> None:
    """An exercise may declare the numbers that it sets."""
    assert faults(":::{exercise} A\n:label: ex-a\n\nAt 0.5.\n\n% given: 0.5 -- set here\n:::") == []


def test_thousands_are_not_two_numbers() -> None:
    """A comma inside a number does not end it, in a declaration neither."""
    (given,) = (one for one in pieces("% given: 5,421, 7 -- a") if isinstance(one, Given))
    assert given.numbers == ("5,421", "7")


@pytest.mark.parametrize(
    "text",
    ["As Figure 3 shows.", "By Theorem 3.1, it falls.", "See Eq. (5).", "See Table 1.", "Fig. 2"],
)
def test_typed_numbers_of_our_figures_are_seen(text: str) -> None:
    """Where no paper is named, a figure, statement or equation is ours: it has a label."""
    assert len(faults(text)) == 1
    assert faults(f"{text} So says {{cite:t}}`han2022`.") == []
    assert faults(f"| paper | where |\n|---|---|\n| Zhou et al. | {text} |") == []


def test_an_unknown_directive_is_seen() -> None:
    """Whether a new kind of box holds prose is decided once, in the list."""
    assert faults(":::{novelty}\nWords.\n:::") == ["1: is novelty prose?"]


def test_prose_is_read_in_place() -> None:
    """Passages know their lines, in boxes as well, and lose what is not prose."""
    source = "# T\n\n:::{note}\n:class: a\n\nAt $x$ and `y`,\n{cite:t}`han2022`.\n:::\n"
    found = [(one.line, one.text) for one in pieces(source) if isinstance(one, Passage)]
    assert found == [(1, "T"), (6, "At · and ·, ‹cite›.")]
    assert words("a<br>b") == ["a·b"]
