"""The built pages in a real browser, opened from disk, on a desktop and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from .chromium import DESKTOP, PHONE, needs_chromium, open_page, overflow
from .tree import pages_in_contents

CONTENTS = ".bd-sidebar-primary"
HEAVIEST = 6e6  # bytes of one page with all that it loads
NAMES = [f"book/{path.stem}.html" for path in pages_in_contents()]
NAMES += ["genindex.html", "search.html"]

pytestmark = needs_chromium
on_both_widths = pytest.mark.parametrize("width", [DESKTOP, PHONE])


def bare_formulas(tab: Tab) -> int:
    """How many formulas of the page are not set, or set as an error."""
    return tab.evaluate(
        """() => [...document.querySelectorAll('.math')].filter(
               (place) => !place.querySelector('mjx-container')).length
             + document.querySelectorAll('mjx-merror').length"""
    )


@on_both_widths
@pytest.mark.parametrize("name", NAMES)
def test_page_opens_from_disk(browser: Browser, html: Path, name: str, width: int) -> None:
    """No request leaves the disk, nothing complains, formulas are set, nothing hangs over."""
    tab, visit = open_page(browser, html / name, width)
    try:
        assert visit.foreign == []
        assert visit.complaints == []
        assert bare_formulas(tab) == 0
        assert overflow(tab) <= 0
        assert visit.weight <= HEAVIEST
    finally:
        tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contents_panel_opens_on_a_phone(
    browser: Browser, html: Path, scheme: Literal["light", "dark"]
) -> None:
    """The button at the top brings in the contents, which lead to another chapter."""
    tab, _ = open_page(browser, html / "book/references.html", PHONE)
    try:
        tab.emulate_media(color_scheme=scheme)
        link = tab.locator(CONTENTS + " a", has_text="Notation").first
        assert not _in_view(tab, CONTENTS)
        tab.locator("button.primary-toggle").first.click()
        link.wait_for(state="visible")
        tab.wait_for_timeout(400)  # it slides in
        assert _in_view(tab, CONTENTS)
        link.click()
        tab.wait_for_url("**/book/notation.html")
    finally:
        tab.close()


def test_contents_panel_folds_on_a_desktop(browser: Browser, html: Path) -> None:
    """The same button hides the contents and brings them back."""
    tab, _ = open_page(browser, html / NAMES[0], DESKTOP)
    try:
        seen = []
        for _ in range(2):
            seen.append(_in_view(tab, CONTENTS))
            tab.locator("button.primary-toggle").first.click()
            tab.wait_for_timeout(600)
        assert [*seen, _in_view(tab, CONTENTS)] == [True, False, True]
    finally:
        tab.close()


@on_both_widths
def test_search_finds_a_word(browser: Browser, html: Path, width: int) -> None:
    """From the button to a page that has the word, from disk and without a complaint."""
    tab, visit = open_page(browser, html / "book/flow.html", width)
    try:
        tab.locator("button.search-button__button:visible").first.click()
        tab.locator("input[type=search]:visible").first.fill("whitened")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/search.html*")
        found = tab.locator("#search-results li a", has_text="The flow")
        found.wait_for(state="visible")
        tab.wait_for_timeout(1000)  # for what search would still fetch
        assert (visit.complaints, visit.foreign) == ([], [])
        found.click()
        tab.wait_for_url("**/book/flow.html*")
    finally:
        tab.close()


def test_front_door_arrives_at_the_cover(browser: Browser, html: Path) -> None:
    """Whoever opens index.html stands on the cover."""
    tab = browser.new_page()
    try:
        tab.goto((html / "index.html").as_uri())
        tab.wait_for_url("**/book/index.html")
    finally:
        tab.close()


def test_solutions_start_folded(browser: Browser, html: Path) -> None:
    """A solution shows itself when its title is clicked, and not before."""
    tab, _ = open_page(browser, html / "book/collapse.html", DESKTOP)
    try:
        solution = tab.locator(".solution").first
        words = solution.locator("section").first
        assert not words.is_visible()
        solution.locator("button").first.click()
        words.wait_for(state="visible", timeout=5000)
    finally:
        tab.close()


def _in_view(tab: Tab, selector: str) -> bool:
    """Whether the middle of an element lies within the window."""
    box = tab.locator(selector).bounding_box()
    return box is not None and box["width"] > 0 and 0 <= box["x"] + box["width"] / 2


# The checks can fail. ---------------------------------------------------------------------------

TAMPERED = """<!doctype html><title>t</title><div style="width: 900px">wide</div>
<span class="math">\\(x\\)</span><script>console.error("complaint")</script>
<img src="https://elsewhere.invalid/a.png"><script src="absent.js"></script>"""


def test_tampered_page_is_seen(browser: Browser, tmp_path: Path) -> None:
    """A foreign image, an absent script, an error, a bare formula and a wide box are all seen."""
    (tmp_path / "page.html").write_text(TAMPERED, encoding="utf-8")
    tab, visit = open_page(browser, tmp_path / "page.html", PHONE)
    try:
        assert visit.foreign == ["https://elsewhere.invalid/a.png"]
        assert {"complaint", f"failed: {(tmp_path / 'absent.js').as_uri()}"} <= set(
            visit.complaints
        )
        assert bare_formulas(tab) == 1
        assert overflow(tab) > 400
        assert 0 < visit.weight < 1000
    finally:
        tab.close()
