"""The built pages, read as files: complete, linked, self-contained, described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .page import (
    Page,
    broken_links,
    is_elsewhere,
    leaked_markup,
    missing_resources,
    poor_images,
    repeated_ids,
)
from .tree import ROOT, pages_in_contents


@pytest.fixture(scope="module")
def pages(html: Path) -> dict[Path, Page]:
    """Every built page by its path; the theme leaves templates in _static, which are none."""
    paths = [path for path in sorted(html.rglob("*.html")) if html / "_static" not in path.parents]
    return {path: Page.read(path) for path in paths}


def test_every_page_of_the_contents_is_built(html: Path) -> None:
    """Each chapter file gives the page of the same name."""
    expected = [html / "book" / f"{path.stem}.html" for path in pages_in_contents()]
    assert [path.name for path in expected if not path.is_file()] == []


def test_every_chapter_file_is_in_the_contents() -> None:
    """No page lies in book/ unread."""
    assert sorted((ROOT / "book").glob("*.md")) == sorted(pages_in_contents())


def test_front_door_leads_to_the_cover(html: Path) -> None:
    """index.html at the top goes to the cover by a relative address."""
    source = (html / "index.html").read_text(encoding="utf-8")
    assert 'http-equiv="refresh" content="0; url=book/index.html"' in source


def test_links_and_anchors_resolve(pages: dict[Path, Page], html: Path) -> None:
    """Every internal link leads to an existing file and anchor."""
    assert broken_links(pages, html) == []
    assert sum(len(page.links) for page in pages.values()) > 10 * len(pages)


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Scripts, styles, images and fonts all lie beside the pages."""
    assert [fault for page in pages.values() for fault in missing_resources(page)] == []


def test_styles_load_nothing_from_elsewhere(html: Path) -> None:
    """No style sheet imports or refers to another host."""
    address = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
    styles = {path: path.read_text(encoding="utf-8") for path in html.rglob("*.css")}
    assert len(styles) > 5
    assert {path.name: address.findall(text) for path, text in styles.items()} == {
        path.name: [] for path in styles
    }


def test_images_have_alternative_text(pages: dict[Path, Page]) -> None:
    """Every image says in words what it shows."""
    assert [fault for page in pages.values() for fault in poor_images(page)] == []
    assert sum(len(page.images) for page in pages.values()) > 0


def test_no_markup_leaks(pages: dict[Path, Page]) -> None:
    """A reader sees no directive syntax."""
    assert [fault for page in pages.values() for fault in leaked_markup(page)] == []


def test_ids_are_unique(pages: dict[Path, Page], html: Path) -> None:
    """An id names one element of its chapter."""
    chapters = {path.name: page for path, page in pages.items() if path.parent == html / "book"}
    assert {name: repeated_ids(page) for name, page in chapters.items()} == dict.fromkeys(
        chapters, []
    )


def test_every_page_names_its_edition(pages: dict[Path, Page], html: Path) -> None:
    """Version and day of the build stand in the footer of each page."""
    edition = re.compile(r"Edition \d+\.\d+\.\d+(, commit [0-9a-f]{8}.*)?, built \d{4}-\d\d-\d\d")
    inner = [page for path, page in pages.items() if path != html / "index.html"]
    assert [page.path.name for page in inner if not edition.search(page.text)] == []


def test_every_chapter_describes_itself(html: Path) -> None:
    """Pages with code carry the sentence that search engines show."""
    chapters = [path for path in pages_in_contents() if "format_name: myst" in path.read_text()]
    sources = {path.stem: (html / "book" / f"{path.stem}.html").read_text() for path in chapters}
    assert [name for name, text in sources.items() if 'name="description"' not in text] == []


# The checks can fail: each sees the fault in a tampered page. -----------------------------------

TAMPERED = """
<link rel="stylesheet" href="//fonts.example/a.css"><link rel="canonical" href="https://x.example">
<script src="https://cdn.example/a.js"></script><img src="fig.png" alt="a plot">
<img src="plot.svg" alt="Four curves fall together on a logarithmic axis."><p id="a">x</p>
<p id="a">By {prf:ref}`thm`.</p><code>:::</code><a href="gone.html">x</a><a href="#none">y</a>
<a href="#a">z</a><a href="../../up.html">u</a><a href="https://arxiv.example">out</a>
"""


@pytest.fixture
def tampered(tmp_path: Path) -> Page:
    (tmp_path / "plot.svg").write_text("<svg/>")
    (tmp_path / "page.html").write_text(TAMPERED)
    return Page.parse(tmp_path / "page.html", TAMPERED)


def test_broken_links_are_seen(tampered: Page) -> None:
    """A missing file, a missing anchor and a way out are three faults; the rest are none."""
    faults = broken_links({tampered.path: tampered}, tampered.path.parent)
    assert [fault.split()[-1] for fault in faults] == ["file", "anchor", "book"]


def test_foreign_resources_are_seen(tampered: Page) -> None:
    """A foreign style and script, and an absent image, are faults; a canonical link is none."""
    faults = missing_resources(tampered)
    assert len(faults) == 3
    assert sum("elsewhere" in fault for fault in faults) == 2


def test_poor_images_are_seen(tampered: Page) -> None:
    """Two words do not describe a figure; a sentence does."""
    assert len(poor_images(tampered)) == 1


def test_leaked_markup_is_seen(tampered: Page) -> None:
    """A raw role is a leak; syntax inside code is an example."""
    assert leaked_markup(tampered) == ["page.html: shows '{prf:'"]


def test_repeated_ids_are_seen(tampered: Page) -> None:
    """Two elements with one id are a fault."""
    assert repeated_ids(tampered) == ["a"]


def test_protocol_relative_addresses_are_elsewhere() -> None:
    """An address without a scheme may still name another host."""
    assert is_elsewhere("//x.example/a") and not is_elsewhere("a/b.html#c")
