"""Figures to turn by hand, in a browser: drawn when near, obedient, or a sentence instead."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from matplotlib.image import imread
from playwright.sync_api import Browser

from nclib.figures.tetrahedron import CLASSES

from .chromium import CHROMIUM, DESKTOP, PHONE, QUIET, Visit, needs_chromium, open_page, overflow
from .solid import EPOCHS
from .test_browser import HEAVIEST
from .turning import LIBRARY, Drawn, awake, complaints, plotted

quick = pytest.mark.parametrize("width", [DESKTOP, PHONE])


def libraries(visit: Visit) -> list[str]:
    return [url for url in visit.requests if LIBRARY in url]


# In a browser -------------------------------------------------------------------------------------


@needs_chromium
@quick
def test_library_comes_when_a_figure_is_near(browser: Browser, site: Path, width: int) -> None:
    """Nothing is fetched at the top of the page; then one file for both figures, none foreign."""
    tab, visit = open_page(browser, site / "index.html", width)
    try:
        assert libraries(visit) == []
        awake(tab)
        assert tab.locator(f"script[src$='{LIBRARY}']").count() == 1
        assert tab.locator(".turning canvas").count() > 0
        assert (visit.foreign, complaints(visit)) == ([], [])
        assert overflow(tab) <= 0
    finally:
        tab.close()


@needs_chromium
def test_all_classes_are_drawn(drawn: Drawn) -> None:
    """The color of each class covers a part of the picture, at the end as at the start."""
    tab, _ = drawn
    tab.locator(".turning input[type=range]").first.fill(str(len(EPOCHS) - 1))
    tab.wait_for_timeout(500)
    png = tab.locator(".turning-plot").first.screenshot()
    pixels = torch.from_numpy(imread(io.BytesIO(png), format="png"))[..., :3]
    for color in CLASSES:
        wanted = torch.tensor([int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        assert int(((pixels - wanted).abs().amax(-1) < 0.04).sum()) > 50, color


@needs_chromium
def test_keyboard_moves_through_the_epochs(drawn: Drawn, figure: dict[str, Any]) -> None:
    """An arrow key shows the next epoch: its coordinates, its number, its spoken text."""
    tab, visit = drawn
    assert plotted(tab, "data[2].x") == figure["frames"][0]["data"][0]["x"]
    slider = tab.get_by_role("slider", name="epoch").first
    slider.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_timeout(500)
    for k in range(3):
        assert plotted(tab, f"data[{k + 2}].z") == figure["frames"][2]["data"][k]["z"]
    assert slider.get_attribute("aria-valuetext") == "5"
    assert complaints(visit) == []


@needs_chromium
def test_button_plays_to_the_end(drawn: Drawn, figure: dict[str, Any]) -> None:
    """It plays from the epoch shown and stops at the last; there it starts again; it can pause."""
    tab, visit = drawn
    button = tab.locator(".turning button").first
    button.click()
    assert button.inner_text() == "Pause"
    tab.wait_for_function("() => document.querySelector('.turning button').innerText == 'Play'")
    tab.wait_for_timeout(300)
    assert plotted(tab, "data[2].x") == figure["frames"][-1]["data"][0]["x"]
    button.click()
    button.click()
    slider = tab.get_by_role("slider", name="epoch").first
    value = slider.input_value()
    tab.wait_for_timeout(700)
    assert button.inner_text() == "Play"
    assert slider.input_value() == value
    assert int(value) < len(EPOCHS) - 1
    assert complaints(visit) == []


@needs_chromium
def test_keyboard_turns_the_figure(drawn: Drawn) -> None:
    """The eye goes around at its height and distance, and back to where it was."""
    tab, _ = drawn
    camera = "layout.scene.camera.eye"
    start = plotted(tab, camera)
    slider = tab.get_by_role("slider", name="turn").first
    slider.fill("90")
    tab.wait_for_timeout(300)
    there = plotted(tab, camera)
    assert [there["x"], there["y"]] == pytest.approx([-start["y"], start["x"]])
    assert there["z"] == start["z"]
    slider.fill("0")
    tab.wait_for_timeout(300)
    assert plotted(tab, camera) == pytest.approx(start)


@needs_chromium
def test_colors_follow_the_page(drawn: Drawn, figure: dict[str, Any]) -> None:
    """A dark page gets the lighter colors and its own ink, at once; and back."""
    tab, visit = drawn
    light, dark = figure["data"][3]["marker"]["color"], figure["data"][3]["meta"]["dark"]
    for theme, colors, ink in (
        ("dark", dark["marker.color"], "rgb(238, 238, 238)"),
        ("light", light, "rgb(34, 34, 34)"),
    ):
        tab.evaluate(
            """([theme, ink]) => {
                document.querySelector(".turning").style.color = ink;
                document.documentElement.dataset.theme = theme;
            }""",
            [theme, ink],
        )
        tab.wait_for_timeout(500)
        assert plotted(tab, "data[3].marker.color") == colors
        assert plotted(tab, "layout.font.color") == ink
        assert plotted(tab, "layout.paper_bgcolor") == "rgba(0,0,0,0)"
    assert complaints(visit) == []


@needs_chromium
def test_group_passes_axe(drawn: Drawn) -> None:
    """Controls have names, the group has its words, text stands out from the ground."""
    tab, _ = drawn
    found = Axe().run(tab, context=".turning").response["violations"]
    assert [(one["id"], one["impact"]) for one in found] == []


@needs_chromium
def test_paper_shows_no_figure_to_turn(drawn: Drawn) -> None:
    """In print it is gone, and the picture before it is what remains."""
    tab, _ = drawn
    tab.emulate_media(media="print")
    assert not any(place.is_visible() for place in tab.locator(".turning").all())


# Where it cannot be drawn -------------------------------------------------------------------------


@needs_chromium
def test_without_webgl_a_sentence_says_so(browser: Browser, site: Path) -> None:
    """The library is not even fetched, and nothing complains."""
    args = [*QUIET, "--disable-3d-apis"]
    flat = browser.browser_type.launch(executable_path=CHROMIUM, args=args)
    try:
        tab, visit = open_page(flat, site / "index.html", DESKTOP)
        words = tab.locator(".turning").first
        words.scroll_into_view_if_needed()
        assert "needs WebGL. The picture before it" in words.inner_text()
        tab.wait_for_timeout(300)
        assert (libraries(visit), visit.complaints) == ([], [])
    finally:
        flat.close()


@needs_chromium
def test_without_javascript_a_sentence_says_so(browser: Browser, site: Path) -> None:
    """The data is not shown, the sentence is."""
    context = browser.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto((site / "index.html").as_uri())
        words = tab.locator(".turning").first.inner_text()
        assert "needs JavaScript. The picture before it" in words
        assert "scatter3d" not in words
    finally:
        context.close()


@needs_chromium
def test_without_the_library_a_sentence_says_so(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    """A copy of the page whose library is gone is no empty frame."""
    copy = tmp_path / "copy"
    shutil.copytree(site, copy)
    (copy / "vendor" / "plotly" / LIBRARY).unlink()
    tab, visit = open_page(browser, copy / "index.html", DESKTOP)
    try:
        tab.locator(".turning").first.scroll_into_view_if_needed()
        tab.get_by_text("could not be drawn").first.wait_for()
        assert any(LIBRARY in said for said in visit.complaints)
    finally:
        tab.close()


# In the book --------------------------------------------------------------------------------------


@needs_chromium
@quick
def test_chapter_draws_its_figure(browser: Browser, html: Path, width: int) -> None:
    """The tetrahedron of the first chapter is drawn, and the page with it is not too heavy."""
    tab, visit = open_page(browser, html / "book" / "collapse.html", width)
    try:
        assert libraries(visit) == []
        awake(tab)
        assert (visit.foreign, complaints(visit)) == ([], [])
        assert overflow(tab) <= 0
        assert visit.weight <= HEAVIEST
        still = tab.locator("#fig-collapse-tetrahedron img")
        tab.emulate_media(media="print")
        assert still.is_visible()
        assert not tab.locator(".turning").first.is_visible()
    finally:
        tab.close()
