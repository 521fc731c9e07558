"""Every page as axe-core sees it: nothing critical, nothing serious, in both looks and widths."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from .chromium import DESKTOP, PHONE, needs_chromium, open_page
from .tree import pages_in_contents

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
GRAVE = {"critical", "serious"}
NAMES = [f"book/{path.stem}.html" for path in pages_in_contents()]
NAMES += ["genindex.html", "search.html"]

pytestmark = needs_chromium

# Formulas are thousands of elements that no rule is about. A word in the place of each, as large as
# it: what overflows, and must be reached by keyboard, still does. It takes half the time.
AUDIT = """async () => {
    const formulas = [...document.querySelectorAll("mjx-container")];
    const boxes = formulas.map((formula) => formula.getBoundingClientRect());
    for (const [k, formula] of formulas.entries()) {
        const [width, height] = [boxes[k].width, boxes[k].height].map((size) => `${size}px`);
        Object.assign(formula.style, { display: "inline-block", width, height });
        formula.textContent = "formula";
    }
    const options = { resultTypes: ["violations"] };
    const found = await axe.run({ exclude: [["mjx-container"]] }, options);
    return found.violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html]);
}"""


def grave_findings(tab: Tab) -> list[str]:
    """The critical and serious findings on a page, each with the first element it is about."""
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(AUDIT)
    return [f"{name} ({impact}): {html[:200]}" for name, impact, html in found if impact in GRAVE]


@pytest.fixture(params=[(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop light", "phone dark"])
def look(request: pytest.FixtureRequest) -> Iterator[tuple[int, Literal["light", "dark"]]]:
    yield request.param


@pytest.mark.parametrize("name", NAMES)
def test_page_has_no_grave_finding(
    browser: Browser, html: Path, name: str, look: tuple[int, Literal["light", "dark"]]
) -> None:
    """Contrast, names, roles, order: axe-core has nothing critical or serious to say."""
    width, scheme = look
    tab, _ = open_page(browser, html / name, width, scheme)
    try:
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        assert grave_findings(tab) == []
    finally:
        tab.close()


TAMPERED = """<!doctype html><html lang="en"><title>t</title><main><h1>t</h1>
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<button></button><p style="color: #bbb; background: #fff">hardly to be seen</p></main></html>"""


def test_grave_findings_are_seen(browser: Browser, tmp_path: Path) -> None:
    """An image without alt text, a button without a name and pale words are all found."""
    (tmp_path / "page.html").write_text(TAMPERED, encoding="utf-8")
    tab, _ = open_page(browser, tmp_path / "page.html", PHONE)
    try:
        found = {words.split(" ")[0] for words in grave_findings(tab)}
        assert found == {"image-alt", "button-name", "color-contrast"}
    finally:
        tab.close()
