"""Findings, errata and the chapters that show them say the same."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from nclib.findings import (
    CHAPTERS,
    CORRECTIONS,
    FINDINGS,
    SOURCES,
    Correction,
    Corrections,
    Erratum,
    Finding,
    errata_of,
)

from .chapter import code_cells, read
from .tree import ROOT, pages_in_contents

BOOK = ROOT / "book"
SECTION = re.compile(r"^(?:\((?P<anchor>[\w-]+)\)=\n)?### (?P<title>.+)$", re.MULTILINE)
ANCHOR = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


def sections(page: str) -> list[str]:
    """The anchors of the findings on a page, in order; of one without anchor the title."""
    return [found["anchor"] or found["title"] for found in SECTION.finditer(page)]


def anchors() -> set[str]:
    """Every anchor that a chapter has before a heading."""
    return {name for path in pages_in_contents() for name in ANCHOR.findall(read(path))}


def nowhere(findings: tuple[Finding, ...], known: set[str]) -> list[str]:
    """The errata that no chapter shows."""
    shown = [one.anchor or finding.anchor for finding in findings for one in finding.errata]
    return [anchor for anchor in shown if anchor not in known]


def test_every_finding_has_its_section_and_its_entry() -> None:
    """The findings page tells what the table lists, in its order, and nothing else."""
    assert sections(read(BOOK / "findings.md")) == [finding.anchor for finding in FINDINGS]


def test_every_erratum_is_shown() -> None:
    """Where an erratum sends its reader, a chapter has the place."""
    assert nowhere(FINDINGS, anchors()) == []


def test_chapters_that_show_errata_have_these_titles() -> None:
    """Where a page has a link a notebook names the chapter, which has anchors of that kind."""
    for prefix, title in CHAPTERS.items():
        page = read(BOOK / f"{'findings' if prefix == 'finding' else prefix}.md")
        assert f"\n# {title}\n" in page
        assert any(name.startswith(f"{prefix}-") for name in ANCHOR.findall(page))


def test_the_errata_page_lists_every_source() -> None:
    """Each source is asked for, once, and so is the list of corrections."""
    cells = "\n".join(code_cells(read(BOOK / "errata.md")))
    assert sorted(re.findall(r'errata_of\("([\w-]+)"\)', cells)) == sorted(SOURCES)
    assert "findings.CORRECTIONS" in cells


def test_every_erratum_is_of_one_source() -> None:
    """The lists of the sources together are all there is."""
    listed = [erratum for source in SOURCES for _, erratum in errata_of(source)]
    assert sorted(listed, key=repr) == sorted((e for f in FINDINGS for e in f.errata), key=repr)


def test_corrections_name_earlier_editions() -> None:
    """An edition that the changelog does not know had no errors."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE))
    assert {one.edition for one in CORRECTIONS} <= known


# The checks can fail. ---------------------------------------------------------------------------

SLIP = Erratum("han", "Eq. (1)", "one", "two", "counted")


def test_a_section_without_anchor_is_seen() -> None:
    """A finding that the table cannot know shows by its title."""
    assert sections("(finding-a)=\n### A\n\n### B\n\n## C\n") == ["finding-a", "B"]


def test_an_erratum_that_leads_nowhere_is_seen() -> None:
    """Its own anchor counts, and the finding's where it has none."""
    wrong = (Finding("a", (SLIP, replace(SLIP, anchor="rescaled-b"))),)
    assert nowhere(wrong, {"finding-a"}) == ["rescaled-b"]
    assert nowhere(wrong, {"rescaled-b"}) == ["finding-a"]


@pytest.mark.parametrize(
    "field, value",
    [
        ("source", "hann"),
        ("kind", "error"),
        ("label", "Meant"),
        ("printed", " "),
        ("checked", ""),
        ("anchor", "elsewhere-b"),
    ],
)
def test_an_incomplete_erratum_is_refused(field: str, value: str) -> None:
    """An unknown source, kind, label or chapter, and a place without words, raise at once."""
    with pytest.raises(ValueError, match=field):
        replace(SLIP, **{field: value})


def test_a_finding_without_erratum_says_why() -> None:
    """Neither silence nor both."""
    with pytest.raises(ValueError, match="none"):
        Finding("a")
    with pytest.raises(ValueError, match="none"):
        Finding("a", (SLIP,), none="a reason")


def test_lists_show_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """One item each, with the link to its place in the book and its chapter's name elsewhere."""
    monkeypatch.setenv("NCLIB_BOOK", "1")
    shown = errata_of("han")._repr_markdown_()
    assert shown.count("\n- ") == len(errata_of("han")) - 1
    assert "(#finding-spread)" in shown and "Chapter" not in shown
    monkeypatch.delenv("NCLIB_BOOK")
    alone = errata_of("han")._repr_markdown_()
    assert "](" not in alone and alone.count("Chapter “Findings”.") == len(errata_of("han"))
    one = Corrections([Correction("0.1.0", "Section 1", "one", "two")])
    assert one._repr_markdown_() == "- **Edition 0.1.0, Section 1**<br>Said: one<br>Says: two"
