"""The prose of a chapter, and the numbers that stand in it typed.

Prose is what a reader reads as sentences: paragraphs, headings, tables, titles of boxes, captions.
Code, formulas, roles, options, addresses and comments are not. A number in prose is glued from a
computation, names a numbered thing of a paper, or is a quotation that the chapter declares:

    % given: 350, 128, 0.0005 -- epochs, batch and decay of Han et al. 2022, Section 3
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

import yaml
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser

from .tree import ROOT

# Directives by what their first line and their body are to a reader.
TITLED = {"admonition", "exercise", "card", "dropdown", "grid-item-card", "tab-item", "table"}
BOXES = {"note", "tip", "warning", "important", "seealso", "margin", "div", "figure", "solution"}
BOXES |= {"solution-start", "solution-end", "grid", "grid-item", "tab-set", "glossary"}
SILENT = {"code-cell", "code-block", "math", "raw", "eval-rst", "bibliography", "index", "image"}
SILENT |= {"bibtex-entry"}
CITATION = "‹cite›"  # stands in a passage where the page names a paper
ELSEWHERE = "·"  # stands where a formula, code or a role was

# A number from 100 on, or with a decimal point, an exponent or a percent sign, must not be typed.
NUMBER = re.compile(
    r"(?<![\w.])(?:(?<!\w)[-−])?(?P<digits>\d+(?:,\d{3})*(?:\.\d+)*|\.\d+)"
    r"(?P<exponent>[eE][-+−]?\d+|[⁺⁻]?[⁰¹²³⁴-⁹]+)?(?P<percent>\s?%|\sper\s?cent\b)?"
)
# The book numbers these itself, so that a typed number is a paper's or a fault.
OURS = "Theorem Lemma Proposition Prop. Corollary Definition Remark Example Figure Fig. Equation"
OURS += " Eq. Exercise Chapter Table"
THEIRS = "Assumption Section Sec. Appendix App. page line version"
ONE = r"\(?[A-Z]?\.?\d{1,2}(?:\.\d+)*[a-z]?\)?(?![\d,]*\d|\s?%)"
SEVERAL = rf"{ONE}(?:,\s{ONE})*(?:,?\s(?:and|or|to)\s|[-–]){ONE}"  # after a plural only


def any_of(words: str) -> str:
    """A pattern for one of some words, each taken as it is written."""
    return "|".join(re.escape(word) for word in words.split())


def plurals(words: str) -> str:
    """The same words for several things."""
    regular = re.sub(r"(\w+)(\.?)", r"\1s\2", words)
    return regular.replace("Corollarys", "Corollaries").replace("Appendixs", "Appendices")


EVERY = f"{OURS} {THEIRS}"
REFERENCE = re.compile(
    rf"\b(?P<kind>{any_of(plurals(EVERY))})\s(?:{SEVERAL}|{ONE})|\b(?P<one>{any_of(EVERY)})\s{ONE}"
    r"|\barXiv[\s:]\d{4}\.\d{4,5}"
)
OWN = re.compile(any_of(f"{OURS} {plurals(OURS)}"))
NAMES = re.compile(rf"{CITATION}|\b(?:Han|Papyan|Donoho|Mixon|Zhou|Jacot|Zhu|authors?|papers?)\b")


@dataclass(frozen=True)
class Passage:
    """A paragraph, heading, cell of a table, title or caption, without what is not prose."""

    line: int
    text: str
    around: str = ""  # the table of a cell


@dataclass(frozen=True)
class Given:
    """A comment that declares quoted numbers; no source if it names none."""

    line: int
    numbers: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Unknown:
    """A directive of which this module does not know whether it holds prose."""

    line: int
    name: str


@cache
def parser():
    """The parser of the book, with the extensions of its configuration but straight quotes."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = set(config["parse"]["myst_enable_extensions"]) - {"smartquotes"}
    return create_md_parser(MdParserConfig(enable_extensions=extensions), DocutilsRenderer)


def visible(children) -> str:
    """What the pieces of one inline stretch say in words."""
    pieces, hidden = [], False
    for token in children:
        if token.type == "link_open" and token.markup == "autolink":
            hidden = True  # the address is the text
        elif token.type == "link_close":
            hidden = False
        elif token.type in {"text", "softbreak", "hardbreak"}:
            pieces.append("" if hidden else token.content or " ")
        elif token.type == "myst_role":
            pieces.append(CITATION if token.meta["name"].startswith("cite") else ELSEWHERE)
        elif not token.type.endswith(("_open", "_close")):
            pieces.append(ELSEWHERE)
    return "".join(pieces)


def words_of_table(tokens) -> str:
    """All cells of the table that begins here."""
    rows = takewhile(lambda token: token.type != "table_close", tokens)
    return " | ".join(visible(token.children) for token in rows if token.type == "inline")


def body_of(content: str) -> tuple[int, str]:
    """How many lines the options of a directive take, and what follows them."""
    lines = content.splitlines()
    count = 0
    if lines and lines[0].strip() == "---":
        count = lines.index("---", 1) + 1
    else:
        while count < len(lines) and re.match(r":[\w-]+:(\s|$)", lines[count]):
            count += 1
    return count, "\n".join(lines[count:])


def captions(content: str) -> Iterator[str]:
    """The caption of the figure that a code cell makes."""
    count, _ = body_of(content)
    if content.startswith("---"):
        options = yaml.safe_load("\n".join(content.splitlines()[1 : count - 1]))
        caption = options.get("mystnb", {}).get("figure", {}).get("caption")
        if caption:
            yield caption


def pieces(source: str, line: int = 1) -> Iterator[Passage | Given | Unknown]:
    """Every passage of prose and every declaration, in order, inside boxes as well."""
    table = ""
    for index, token in enumerate(tokens := parser().parse(source)):
        at = line + (token.map[0] if token.map else 0)
        if token.type == "table_open":
            table = words_of_table(tokens[index:])
        elif token.type == "table_close":
            table = ""
        elif token.type == "inline":
            yield Passage(at, visible(token.children), table)
        elif token.type == "myst_line_comment":
            yield from declarations(token.content, at)
        elif token.type in {"fence", "colon_fence"} and token.info.startswith("{"):
            yield from inside(token, at)


def inside(token, line: int) -> Iterator[Passage | Given | Unknown]:
    """The prose of a directive: its title, its caption, its body."""
    name, _, argument = token.info.strip().partition("}")
    name = name[1:]
    if name == "code-cell":
        for caption in captions(token.content):
            yield from pieces(caption, line)
    elif name in TITLED or name in BOXES or name.startswith("prf:"):
        if name in TITLED or name.startswith("prf:"):
            yield from pieces(argument.strip(), line)
        options, body = body_of(token.content)
        yield from pieces(body, line + 1 + options)
    elif name not in SILENT:
        yield Unknown(line, name)


def declarations(comment: str, line: int) -> Iterator[Given]:
    """The numbers that a comment declares, one declaration a line."""
    for offset, text in enumerate(comment.splitlines()):
        start, mark, declared = text.partition("given:")
        if mark and not start.strip():
            listed, _, source = declared.partition("--")
            numbers = tuple(plain(one) for one in re.split(r",\s+", listed.strip()))
            yield Given(line + offset, numbers, source.strip())


def plain(number: str) -> str:
    """A number without the freedom of typesetting."""
    return re.sub(r"per\s?cent", "%", number.replace("−", "-").lstrip("-")).replace(" ", "")


def numbers(text: str) -> Iterator[tuple[str, bool]]:
    """Every number of a passage that is no reference, and whether it must not be typed."""
    for found in NUMBER.finditer(REFERENCE.sub(ELSEWHERE, text)):
        digits = found["digits"].replace(",", "")
        marked = "." in digits or found["exponent"] or found["percent"]
        yield plain(found[0]), bool(marked) or int(digits) >= 100


def foreign(passage: Passage) -> list[str]:
    """The typed numbers of figures, equations and statements where no paper is named."""
    references = REFERENCE.finditer(passage.text)
    typed = [found[0] for found in references if OWN.match(found["kind"] or found["one"] or "")]
    return [] if NAMES.search(passage.text + passage.around) else typed


def faults(source: str) -> list[str]:
    """What is typed in the prose of a chapter and comes from nowhere; empty where all is well."""
    found = list(pieces(source))
    given = [one for one in found if isinstance(one, Given)]
    declared = {number for one in given for number in one.numbers}
    used: set[str] = set()
    wrong = [f"{one.line}: is {one.name} prose?" for one in found if isinstance(one, Unknown)]
    for passage in (one for one in found if isinstance(one, Passage)):
        for number, strict in numbers(passage.text):
            used.add(number)
            if strict and number not in declared:
                wrong.append(f"{passage.line}: {number} is typed")
        wrong += [f"{passage.line}: whose is {one}?" for one in foreign(passage)]
    for one in given:
        wrong += [
            f"{one.line}: {number} is declared, unused"
            for number in one.numbers
            if number not in used
        ]
        wrong += [] if one.source else [f"{one.line}: no source"]
    return wrong
