"""The built pages in a real browser, opened from disk, on a desktop and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request, sync_playwright
from playwright.sync_api import Page as Tab

from .tree import pages_in_contents

CONTENTS = ".bd-sidebar-primary"
DESKTOP, PHONE = 1280, 390  # CSS pixels
HEAVIEST = 6e6  # bytes of one page with all that it loads
NAMES = [f"book/{path.stem}.html" for path in pages_in_contents()]
NAMES += ["genindex.html", "search.html"]
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"
)
on_both_widths = pytest.mark.parametrize("width", [DESKTOP, PHONE])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """One page as a browser saw it."""

    requests: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def ask(self, request: Request) -> None:
        self.requests.add(request.url)

    def miss(self, request: Request) -> None:
        self.complaints.append(f"failed: {request.url}")

    def stumble(self, error: Exception) -> None:
        self.complaints.append(str(error))

    def hear(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    @property
    def foreign(self) -> list[str]:
        return sorted(url for url in self.requests if urlsplit(url).scheme not in {"file", "data"})

    @property
    def weight(self) -> int:
        paths = {unquote(urlsplit(url).path) for url in self.requests if url.startswith("file:")}
        return sum(Path(path).stat().st_size for path in paths if Path(path).is_file())


def open_page(browser: Browser, path: Path, width: int) -> tuple[Tab, Visit]:
    """Open a file at a width, wait until its mathematics is set, and note what happened."""
    tab = browser.new_page(viewport={"width": width, "height": 844})
    visit = Visit()
    tab.on("request", visit.ask)
    tab.on("requestfailed", visit.miss)
    tab.on("pageerror", visit.stumble)
    tab.on("console", visit.hear)
    tab.goto(path.as_uri(), wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    return tab, visit


def overflow(tab: Tab) -> int:
    """By how many pixels the page is wider than the window."""
    return tab.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


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
