"""The reference: every public name has its place, every word its meaning, every link its end."""

from __future__ import annotations

import ast
import html as entities
import importlib
import inspect
import posixpath
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from sphinx.util.inventory import InventoryFile

import nclib

from .chapter import code_cells, read
from .page import Page
from .tree import ROOT, pages_in_contents

sys.path.insert(0, str(ROOT / "book" / "_ext"))
docstrings = importlib.import_module("docstrings")
addresses = importlib.import_module("addresses")
constants = importlib.import_module("constants")
nouns = importlib.import_module("nouns")
code_links = importlib.import_module("code_links")

GLOSSARY = ROOT / "book" / "glossary.md"
LINK = re.compile(r"\[[^]]*\]\(([\w-]+)\.md\)")
CELL = re.compile(r'<div class="highlight-ipython3 notranslate">.*?<pre>(.*?)</pre>', re.DOTALL)
NAMES = {"nclib", "nclib.theory", "nclib.theory.laws", "nclib.decompose", "nclib.Head"}


@dataclass(frozen=True)
class Reading:
    """An entry of a constant, for the tests."""

    loss: str
    value: float
    source: str = ""
    ask: Callable[[], None] = print


class Asked(Protocol):
    """What a reader can be asked."""

    def ask(self) -> None: ...


class Called:
    """What answers."""

    def __init__(self, times: int) -> None:
        self.times = times


def is_known(name: str) -> bool:
    return name in NAMES


def mentions(*cells: str) -> list[tuple[str, str]]:
    """What is written and what it names, in the last of some cells of one page."""
    reader = code_links.Reader(is_known)
    found = [reader.read(cell) for cell in cells][-1]
    return [(cells[-1][one.start : one.end], one.name) for one in found]


def anchors(html: Path) -> dict[str, str]:
    """The address within the book of every name that the built pages describe."""
    with (html / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", posixpath.join)
    kinds = [kind for kind in inventory if kind.startswith("py:")]
    return {name: entry[2] for kind in kinds for name, entry in inventory[kind].items()}


def without_anchor(wanted: set[str], found: dict[str, str], html: Path) -> list[str]:
    """The names that lead nowhere, or to a page without their anchor."""
    pages = {address.split("#")[0] for address in found.values()}
    ids = {page: set(Page.read(html / page).ids) for page in pages}
    return sorted(
        name
        for name in wanted
        if name not in found or found[name].split("#")[1] not in ids[found[name].split("#")[0]]
    )


def terms(source: str) -> list[tuple[list[str], str]]:
    """The entries of a glossary: the words that share one, and what it says of them."""
    inside = source.split("```{glossary}\n")[1].split("```")[0].split("\n\n", 1)[1]
    entries = []
    for entry in inside.strip().split("\n\n"):
        words = [line for line in entry.splitlines() if not line.startswith(" ")]
        said = [line.strip() for line in entry.splitlines() if line.startswith(" ")]
        entries.append((words, " ".join(said)))
    return entries


def poor_terms(source: str, chapters: set[str]) -> list[str]:
    """Words that stand twice, say nothing, or lead to no chapter."""
    entries, faults = terms(source), []
    words = [word.lower() for group, _ in entries for word in group]
    faults += [f"{word}: twice" for word in sorted(set(words)) if words.count(word) > 1]
    for group, said in entries:
        if len(said.split()) < 10 or not group:
            faults.append(f"{group}: says nothing")
        if not set(LINK.findall(said)) & chapters:
            faults.append(f"{group}: leads to no chapter")
    return faults


def chapter_names() -> set[str]:
    return {path.stem for path in pages_in_contents()}


# The sources -------------------------------------------------------------------------------------


def test_every_module_has_its_place() -> None:
    """Each public module is described on exactly one page."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("api*.md")]
    placed = [name for text in sources for name in re.findall(r"\.\. nouns:: ([\w.]+)", text)]
    assert sorted(placed) == sorted(addresses.rooms())


def test_names_are_described_once() -> None:
    """A name has one address, where readers can import it; all others lead there."""
    ways = [way for one in addresses.names().values() for way in {one.address, *one.others}]
    assert sorted(ways) == sorted(set(ways))
    for name in nclib.__all__:
        if not inspect.ismodule(getattr(nclib, name)):
            assert addresses.names()[f"nclib.{name}"].value is getattr(nclib, name)


def test_every_name_says_what_it_is() -> None:
    """No public name is without words of its own."""
    assert [a for a, one in addresses.names().items() if not addresses.first_sentence(one)] == []


def test_words_of_the_glossary() -> None:
    """Each term stands once, has a meaning and leads to a chapter."""
    assert poor_terms(GLOSSARY.read_text(encoding="utf-8"), chapter_names()) == []


# The built pages ---------------------------------------------------------------------------------


def test_every_public_name_has_an_anchor(html: Path) -> None:
    """All names of all public modules are found on the pages, by every way to write them."""
    wanted = {way for one in addresses.names().values() for way in (one.address, *one.others)}
    for room in addresses.rooms():
        wanted |= {f"{room}.{name}" for name in importlib.import_module(room).__all__} | {room}
    assert without_anchor(wanted, anchors(html), html) == []


def test_fields_of_classes_have_anchors(html: Path) -> None:
    """The comment beside a field is on the page, where the field is."""
    found = anchors(html)
    address, _, anchor = found["nclib.stats.ClassStats.means"].partition("#")
    assert anchor == "nclib.ClassStats.means" == found["nclib.ClassStats.means"].partition("#")[2]
    note = docstrings.field_notes(nclib.ClassStats)["means"]
    assert note.split(";")[0] in Page.read(html / address).text


def test_protocols_are_not_called_on_the_pages(html: Path) -> None:
    """The signature that Python makes up for a protocol is nowhere to be seen."""
    found = anchors(html)
    pages = {found[one.address].split("#")[0] for one in addresses.names().values()}
    text = {page: (html / page).read_text(encoding="utf-8") for page in pages}
    plain = {page: re.sub(r"<[^>]+>|\s", "", source) for page, source in text.items()}
    assert [page for page, words in plain.items() if "(*args,**kwargs)" in words] == []


def test_terms_are_in_the_index(html: Path) -> None:
    """The index holds every term of the glossary and every name of the package."""
    text = Page.read(html / "genindex.html").text
    words = [word for group, _ in terms(GLOSSARY.read_text(encoding="utf-8")) for word in group]
    assert [word for word in words if word not in text] == []
    assert [name for name in nclib.__all__ if name not in text] == []


def test_index_is_within_reach(html: Path) -> None:
    """The package's page and the glossary lead to the index."""
    for name in ("api", "glossary"):
        assert "../genindex.html" in Page.read(html / "book" / f"{name}.html").links


def test_code_leads_to_the_reference(html: Path) -> None:
    """Where a chapter imports from the package, its code has links, and reads as it was written."""
    for path in pages_in_contents():
        cells = code_cells(read(path))
        page = (html / "book" / f"{path.stem}.html").read_text(encoding="utf-8")
        shown = [entities.unescape(re.sub(r"<[^>]*>", "", one)) for one in CELL.findall(page)]
        code = [cell.strip() for cell in cells if cell.strip()]
        assert [one.strip() for one in shown if one.strip() in code] == code, path.name
        imported = any(
            isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nclib"
            for cell in cells
            for node in ast.walk(ast.parse(cell))
        )
        assert ('class="api-link"' in page) == imported, path.name


# The rules, on examples --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "The norm |W|/|W|_F, a product 2 * x and *not* a link_ or `` or |this|_.",
        "- looks like a list",
        "1. looks like a list, too",
        ".. looks like a comment",
        "ends as if code followed::",
        "Sigma_W^+ and \\alpha, W_LS_ and __all__",
    ],
)
def test_plain_text_stays_as_it_was(text: str) -> None:
    """Nothing that looks like markup is taken for it."""
    document = publish_doctree("\n".join(docstrings.markup([text])))
    assert "system_message" not in document.pformat()
    assert document.astext() == text.replace("*not*", "not")


def test_shapes_of_a_docstring() -> None:
    """Formulas, examples, lists, source and chapters become what they are."""
    text = [
        "A head, see ``decide`` and `M'`.",
        "",
        "With M the means,",
        "    W = M S,",
        "grows. Wrong shapes raise ValueError.",
        "",
        "zero   nothing is left",
        "frame  right angles,",
        "       all equal",
        "",
        "Source: Han et al. 2022, Eq. 5.   Chapters: flow, snr.",
        "",
        ">>> 1 + 1",
        "2",
    ]
    found = docstrings.markup(text)
    assert found[-3:-1] == [":Source: Han et al. 2022, Eq. 5.",
                            ":Chapter: :doc:`/book/flow`, :doc:`/book/snr`"]  # fmt: skip
    document = publish_doctree("\n".join(found[:-3]))
    kinds = [node.tagname for node in document.children]
    assert kinds == ["paragraph", "paragraph", "literal_block", "paragraph", "definition_list",
                     "doctest_block"]  # fmt: skip
    assert document.children[2].astext() == "W = M S,"
    assert document.children[4].astext().splitlines()[-1] == "right angles, all equal"


def test_comments_speak_for_fields_and_constants() -> None:
    """What stands beside, above or below is what a reader is told."""
    source = '# a ladder\n# of it\nA = 1\nB = 2  # beside\nC = 3\n"""Below."""\nD = {}  # fmt: x\n'
    assert dict(addresses.remarks(source)) == {"A": "a ladder of it", "B": "beside", "C": "Below.",
                                           "D": ""}  # fmt: skip


def test_entries_of_one_kind_are_a_table() -> None:
    """Fields are columns, a key that a column repeats is left out, functions are no values."""
    first, second = Reading("mse", 0.25, "a figure"), Reading("ce", 1 / 3, "read")
    head = ("``loss``", "``value``", "``source``")
    rows = [("``mse``", "``0.25``", "a figure"), ("``ce``", "``0.3333``", "read")]
    assert constants.records((first, second)) == [head, *rows]
    assert constants.records({"mse": first, "ce": second}) == [head, *rows]
    by_set = {("mnist", "mse"): first, ("svhn", "ce"): second}
    assert [row[0] for row in constants.records(by_set)] == ["", "``mnist``", "``svhn``"]
    nested = {"mnist": {"mse": first}, "svhn": {"ce": second}}
    assert constants.records(nested) == constants.records(by_set)


def test_dictionaries_of_one_kind_are_a_table() -> None:
    """Each key within is a column, empty where an entry lacks it; formulas are mathematics."""
    value = {"a": {"label": "$x_1$"}, "b": {"label": "$x_2$", "alpha": 0.5}}
    assert constants.records(value) == [
        ("", "``label``", "``alpha``"),
        ("``a``", "\\ :math:`x_1`\\ ", ""), ("``b``", "\\ :math:`x_2`\\ ", "``0.5``")]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [(), {}, (1, 2), {"a": 1}, {"a": Reading("ce", 1.0), "b": 2}, nclib.CELLS, {"a": Reading}],
)
def test_other_constants_are_no_table(value: Any) -> None:
    """Numbers, entries of several kinds, classes, and sequences whose entries have names."""
    assert constants.records(value) == []


def test_constants_in_few_words() -> None:
    """Long ones say how many they are, functions without a name how they are written."""
    assert constants.code(tuple(range(9))) == "9 entries: ``0, 1, 2, 3, 4, 5, 6, 7, …``"
    assert constants.code((("a", "b"), ("c", "d"))) == "``a, b; c, d``"
    assert constants.code((0, (1, 2))) == "``0, (1, 2)``"
    leaky = importlib.import_module("nclib.wide_networks").ACTIVATIONS["leaky"]
    assert constants.code(leaky) == "``lambda z: leaky_relu(z, 0.2)``"
    assert constants.code(tuple[nclib.Head, int]) == "``tuple[Head, int]``"


def test_no_constant_is_a_dump() -> None:
    """Nothing shows a dataclass as Python writes it, except laws, which are called so."""
    for name in addresses.names().values():
        if name.kind == "data" and not name.address.endswith("laws.FREE"):
            told = " ".join(constants.value_rows(name.address.split(".")[-1], name.value))
            assert not re.search(r"``[A-Z]\w+\(\w+=|<\w+ |0x[0-9a-f]{6}", told), name.address


def test_cells_carry_their_label() -> None:
    """Each cell with words has the head of its column; an empty one is marked."""
    rows = [("", "``loss``", "``note``"), ("a", "``mse``", "")]
    document = publish_doctree("\n".join(constants.table(rows, header=True)))
    constants.label_cells(document)
    entries = list(document.findall(nodes.entry))
    assert [one.astext() for one in document.findall(nodes.raw)] == [
        '<span class="api-label">loss</span>'
    ]
    assert [k for k, one in enumerate(entries) if "api-empty" in one["classes"]] == [5]


def test_protocols_have_no_signature() -> None:
    """Nobody calls a protocol; a class keeps its arguments."""
    hidden = [nouns.signature(None, "class", "", one, None, "(x)", "") for one in (Asked, Called)]
    assert hidden == [("", None), None]
    made = nouns.signature(None, "class", "", Called, None, "(a: int = <factory>)", None)
    assert made == ("(a: int = ...)", None)


def test_names_in_code_are_found() -> None:
    """Imports, their names, names under other names and names within modules."""
    first = "from nclib import Head as H, theory\nimport nclib"
    assert mentions(first) == [("nclib", "nclib"), ("Head", "nclib.Head"),
                               ("theory", "nclib.theory"), ("nclib", "nclib")]  # fmt: skip
    later = 'µ = "é", H(1)\nnclib.decompose(theory.laws.FREE, H.of)'
    assert mentions(first, later) == [
        ("H", "nclib.Head"), ("nclib.decompose", "nclib.decompose"),
        ("theory.laws", "nclib.theory.laws"), ("H", "nclib.Head")]  # fmt: skip


@pytest.mark.parametrize(
    "cell",
    ["Head = 1\nHead", "from torch import Head\nHead", "def f(Head):\n    return Head",
     "for Head in ():\n    Head", "x.Head", "%magic Head", "head = {}"],
)  # fmt: skip
def test_other_names_are_left_alone(cell: str) -> None:
    """A name that means something else, or no Python at all, is no mention."""
    assert [one for one in mentions("from nclib import Head", cell) if one[0] == "Head"] == []


def test_links_leave_the_text_alone() -> None:
    """The tokens of a name are wrapped and nothing else is touched; repeats take no tab stop."""
    body = (
        '<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span></span>'
        '<span class="kn">from</span> <span class="nn">nclib</span> <span class="kn">import</span> '
        '<span class="n">theory</span>\n<span class="n">theory</span><span class="o">.</span>'
        '<span class="n">laws</span> <span class="o">&lt;</span> <span class="n">theory</span>\n'
        "</pre></div></div><p>theory</p>"
    )
    href: Callable[[str], str] = "a.html#{}".format
    linked = code_links.link_cells(body, is_known, href)
    first = '<a class="api-link" href="a.html#nclib.theory.laws" title="nclib.theory.laws">'
    assert re.sub(r"</?a\b[^>]*>", "", linked) == body
    assert first in linked
    assert linked.count('tabindex="-1"') == 1 and linked.count("</a>") == 4


def test_parts_of_tokens_are_left_alone() -> None:
    """A mention that ends within a token gets no link."""
    code = '<span class="n">theory</span><span class="n">x</span>'
    whole, part = (code_links.Mention(0, end, "nclib.theory") for end in (6, 4))
    assert "<a " in code_links.linked(code, [whole], str)
    assert code_links.linked(code, [part], str) == "<span></span>" + code


# The checks can fail -----------------------------------------------------------------------------


def test_poor_terms_are_seen() -> None:
    """A word that stands twice, one without a meaning and one without a chapter are faults."""
    long = "is a thing with enough words to mean something at all, see"
    good = f"frame\n  This {long} [](wide.md).\n"
    source = "```{{glossary}}\n:sorted:\n\n{}```\n"
    assert poor_terms(source.format(good), {"wide"}) == []
    assert len(poor_terms(source.format(f"{good}\n{good}"), {"wide"})) == 1
    assert len(poor_terms(source.format("frame\n  See [](wide.md).\n"), {"wide"})) == 1
    assert len(poor_terms(source.format(good), {"flow"})) == 1


def test_missing_anchors_are_seen(tmp_path: Path) -> None:
    """A name that no page has, and one whose anchor is gone."""
    (tmp_path / "a.html").write_text('<p id="nclib.here">x</p>')
    found = {"nclib.here": "a.html#nclib.here", "nclib.gone": "a.html#nclib.gone"}
    wanted = {"nclib.here", "nclib.gone", "nclib.never"}
    assert without_anchor(wanted, found, tmp_path) == ["nclib.gone", "nclib.never"]
