"""The explorers in a real browser: quiet, obedient to keys and fingers, at home on any page."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib import explorers
from nclib.explorers import flows
from nclib.explorers.page import defaults

from .chromium import DESKTOP, PHONE, needs_chromium, open_page, overflow
from .stage import (
    KINDS,
    LEFT_BEHIND,
    Stage,
    faintest,
    inks,
    same,
    show_as_output,
    side_by_side,
    step,
)

pytestmark = needs_chromium
each = pytest.mark.parametrize("name", sorted(KINDS))


@pytest.fixture
def saved(tmp_path: Path, name: str) -> Path:
    return KINDS[name].make().save(tmp_path / f"{name}.html")


@each
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_page_of_an_explorer_is_quiet(browser: Browser, saved: Path, name: str, width: int) -> None:
    """From disk it asks for nothing, complains about nothing, fits, and wakes as it was printed."""
    tab, visit = open_page(browser, saved, width)
    try:
        assert (visit.requests, visit.complaints) == ({saved.as_uri()}, [])
        assert overflow(tab) <= 0
        assert same(Stage(tab).paths, KINDS[name].picture(defaults(name)).lines)
    finally:
        tab.close()


@each
def test_keyboard_moves_every_slider(browser: Browser, saved: Path, name: str) -> None:
    """Two steps of an arrow key change picture, number and spoken text; the button undoes it."""
    tab, visit = open_page(browser, saved, DESKTOP)
    try:
        stage = Stage(tab)
        if name == "flow":
            tab.locator("[name=two_speeds]").check()
        start = stage.paths
        for slider in tab.locator("input[type=range]").all():
            before = (stage.paths, slider.get_attribute("aria-valuetext"))
            step(slider)
            assert stage.paths != before[0], slider.get_attribute("name")
            assert slider.get_attribute("aria-valuetext") != before[1]
        if name != "portrait":  # the end of a run is where it would start again
            tab.get_by_role("button", name="Start again").click()
            if name == "flow":
                tab.locator("[name=two_speeds]").check()
            assert stage.paths == start
        assert visit.complaints == []
    finally:
        tab.close()


@each
def test_touch_moves_a_slider(browser: Browser, saved: Path, name: str) -> None:
    """A tap far right on the first slider changes the picture on a phone."""
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        before = Stage(tab).paths
        slider = tab.locator("input[type=range]").first
        box = slider.bounding_box()
        assert box is not None and box["height"] >= 24
        slider.tap(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
        assert Stage(tab).paths != before
    finally:
        context.close()


def test_every_choice_of_the_flow_redraws(browser: Browser, tmp_path: Path) -> None:
    """Switching a flow on or off draws or clears it; the other start moves the plain flow."""
    tab, visit = open_page(browser, explorers.flow().save(tmp_path / "flow.html"), DESKTOP)
    try:
        stage = Stage(tab)
        for name in flows.FLOWS:
            box = tab.locator(f"[name={name}]")
            shown = box.is_checked()
            assert bool(stage.paths[name]) == shown
            box.click()
            assert bool(stage.paths[name]) != shown
            box.click()
        before = stage.paths["plain"]
        tab.locator("select").select_option("white")
        assert stage.paths["plain"] != before
        assert "plain" in stage.sentence and visit.complaints == []
    finally:
        tab.close()


COUNTED = """() => {
    drawn = 0;
    const count = (records) => { drawn += records.length; };
    const first = document.querySelector("[data-explorer]");
    new MutationObserver(count).observe(first, { attributeFilter: ["d"], subtree: true });
}"""


def test_explorers_share_a_page(browser: Browser, tmp_path: Path) -> None:
    """Two of a kind and others side by side: each obeys its own sliders, none leaves a global."""
    parts = [explorers.flow(), *(kind.make() for kind in KINDS.values())]
    page = side_by_side(parts, tmp_path / "all.html")
    tab, visit = open_page(browser, page, DESKTOP)
    try:
        assert tab.evaluate(LEFT_BEHIND) == []
        plain = {"margin": "16px 0px", "fontSize": "16px", "display": "block"}
        for key, value in plain.items():
            assert tab.evaluate(f"getComputedStyle(p).{key}") == value
        kinds = tab.locator("[data-explorer]").all()
        drawn = [kind.inner_html() for kind in kinds]
        kinds[1].locator("input[type=range]").first.press("ArrowRight")
        changed = [kind.inner_html() != was for kind, was in zip(kinds, drawn, strict=True)]
        assert changed == [k == 1 for k in range(len(parts))]
        tab.evaluate(COUNTED)
        kinds[0].locator("input[type=range]").first.press("ArrowRight")
        assert tab.evaluate("drawn") == len(Stage(tab).paths)  # once, though two scripts came by
        assert visit.complaints == []
    finally:
        tab.close()


@each
def test_explorer_wakes_in_a_notebook(blank: Tab, name: str) -> None:
    """Shown as a notebook shows an output, scripts copied before it is on the page, it works."""
    for count in (1, 2):
        show_as_output(blank, KINDS[name].make().html)
        assert blank.locator("[data-awake]").count() == count
    before = Stage(blank).paths
    step(blank.locator("input[type=range]").first)
    assert Stage(blank).paths != before


@each
def test_picture_is_there_without_a_script(browser: Browser, saved: Path, name: str) -> None:
    """With JavaScript switched off the first picture shows, and words say why nothing moves."""
    context = browser.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        assert tab.locator("svg[role=img]").count() == KINDS[name].pictures
        assert tab.get_by_text("The sliders need JavaScript").is_visible()
        box = tab.locator("svg[role=img]").first.bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 200
    finally:
        context.close()


@each
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out(
    browser: Browser, saved: Path, name: str, scheme: Literal["light", "dark"]
) -> None:
    """Every line and every word of a picture is at least three to one against the page."""
    context = browser.new_context(color_scheme=scheme)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        found = inks(tab)
        assert len(found) >= 3 and faintest(found, scheme) >= 3
    finally:
        context.close()


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<html data-theme="dark"><body>', "dark"),
        ('<html data-theme="light"><body>', "light"),
        ('<html><body data-jp-theme-light="false">', "dark"),
        ('<html><body data-jp-theme-light="true">', "light"),
        ('<html theme="dark"><body>', "dark"),
    ],
    ids=["book, dark", "book, light", "notebook, dark", "notebook, light", "service, dark"],
)
def test_page_decides_between_light_and_dark(
    browser: Browser, tmp_path: Path, page: str, expected: str
) -> None:
    """What the page says counts more than what the system prefers; paper is always light."""
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html>{page}{explorers.flow().html}", encoding="utf-8")
    other: Literal["light", "dark"] = "light" if expected == "dark" else "dark"
    context = browser.new_context(color_scheme=other)
    try:
        tab = context.new_page()
        tab.goto(path.as_uri())
        scheme = "getComputedStyle(document.querySelector('.nc-explorer')).colorScheme"
        assert tab.evaluate(scheme) == expected
        tab.emulate_media(media="print")
        assert tab.evaluate(scheme) == "light"
    finally:
        context.close()
