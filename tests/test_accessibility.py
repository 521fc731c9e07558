"""Every page as axe-core sees it: nothing critical, nothing serious, in both looks and widths."""

from __future__ import annotations

import contextlib
import importlib.resources
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab
from playwright.sync_api import TimeoutError as PlaywrightTimeout

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
    const kept = formulas.map((formula) => [formula.style.cssText, [...formula.childNodes]]);
    for (const [k, formula] of formulas.entries()) {
        const [width, height] = [boxes[k].width, boxes[k].height].map((size) => `${size}px`);
        Object.assign(formula.style, { display: "inline-block", width, height });
        formula.textContent = "formula";
    }
    const options = { resultTypes: ["violations"] };
    const found = await axe.run({ exclude: [["mjx-container"]] }, options);
    for (const [k, formula] of formulas.entries()) {
        formula.style.cssText = kept[k][0];
        formula.replaceChildren(...kept[k][1]);
    }
    return found.violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html]);
}"""


def grave_findings(tab: Tab) -> list[str]:
    """The critical and serious findings on a page, each with the first element it is about."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(AUDIT)
    return [f"{name} ({impact}): {html[:200]}" for name, impact, html in found if impact in GRAVE]


# A moment after a window has changed, the theme says which code can be scrolled by keyboard; on the
# cover when the portrait has played to its end.
SETTLED = """(width) => {
    const code = [...document.querySelectorAll("pre")];
    return innerWidth === width && document.documentElement.dataset.theme === "dark"
        && code.every((one) => one.scrollWidth <= one.clientWidth || one.tabIndex === 0);
}"""


def narrow_and_dark(tab: Tab) -> None:
    """The page as on a phone at night, without loading it again."""
    tab.set_viewport_size({"width": PHONE, "height": 844})
    tab.emulate_media(color_scheme="dark")
    with contextlib.suppress(PlaywrightTimeout):  # the audit says what is not as it should be
        for _ in range(2):
            tab.wait_for_function(SETTLED, arg=PHONE, timeout=30_000)
            tab.wait_for_timeout(300)


@pytest.mark.parametrize("name", NAMES)
def test_page_has_no_grave_finding(browser: Browser, html: Path, name: str) -> None:
    """Contrast, names, roles, order: axe-core has nothing critical or serious to say."""
    tab, _ = open_page(browser, html / name, DESKTOP)
    try:
        found = {"light": grave_findings(tab)}
        narrow_and_dark(tab)
        found["dark"] = grave_findings(tab)
        assert found == {"light": [], "dark": []}
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
