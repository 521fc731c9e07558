"""Figures to turn by hand, in a browser: drawn when near, obedient, or a sentence instead."""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from matplotlib.image import imread
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib.figures.tetrahedron import CLASSES

from .chromium import CHROMIUM, DESKTOP, PHONE, QUIET, Visit, needs_chromium, open_page, overflow
from .solid import ALT, EPOCHS, build, solid
from .test_browser import HEAVIEST

# About the speed of a machine that draws without a graphics card, not about the page.
SLOW = ("GPU stall due to ReadPixels", "willReadFrequently")
LIBRARY = "plotly-gl3d.min.js"

quick = pytest.mark.parametrize("width", [DESKTOP, PHONE])


@pytest.fixture(scope="module")
def figure() -> dict[str, Any]:
    return solid()


@pytest.fixture(scope="module")
def site(figure: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, said = build(tmp_path_factory.mktemp("site") / "html", figure, ALT, "html")
    assert said == ""
    return out


def awake(tab: Tab) -> None:
    """Scroll through the figures of the page until they are drawn."""
    for root in tab.locator(".turning > figure").all():
        root.scroll_into_view_if_needed()
        root.locator("xpath=self::*[@data-awake]").wait_for(timeout=60_000)


Drawn = tuple[Tab, Visit]


@pytest.fixture
def drawn(browser: Browser, site: Path) -> Iterator[Drawn]:
    """The page on a wide window, its figures drawn."""
    tab, visit = open_page(browser, site / "index.html", DESKTOP)
    try:
        awake(tab)
        yield tab, visit
    finally:
        tab.close()


def plotted(tab: Tab, path: str) -> Any:
    """A value of the first drawn figure, such as data[2].x."""
    return tab.evaluate(f"() => document.querySelector('.turning-plot').{path}")


def complaints(visit: Visit) -> list[str]:
    return [said for said in visit.complaints if not any(words in said for words in SLOW)]


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


def middle(tab: Tab) -> tuple[float, float]:
    """The center of the first drawn picture, brought to the middle of the window."""
    plot = tab.locator(".turning-plot").first
    plot.evaluate("(one) => one.scrollIntoView({block: 'center', behavior: 'instant'})")
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(tab: Tab, right: float, down: float = 0) -> None:
    """With the mouse, from the middle of the picture."""
    across, along = middle(tab)
    tab.mouse.move(across, along)
    tab.mouse.down()
    tab.mouse.move(across + right / 2, along + down / 2, steps=4)
    tab.mouse.move(across + right, along + down, steps=4)
    tab.mouse.up()
    tab.wait_for_timeout(300)


def azimuth(tab: Tab) -> float:
    """Where the picture is seen from, in degrees."""
    eye = plotted(tab, "_fullLayout.scene._scene.getCamera().eye")
    return math.degrees(math.atan2(eye["y"], eye["x"]))


def settle(tab: Tab) -> None:
    """Wait until the picture stands still: the last event of a drag comes when it is drawn."""
    before, still = azimuth(tab), 0
    for _ in range(50):
        tab.wait_for_timeout(300)
        now = azimuth(tab)
        still = still + 1 if now == before else 0
        if still == 3:
            return
        before = now
    pytest.fail("the picture never stands still")


@needs_chromium
def test_slider_follows_a_drag(drawn: Drawn) -> None:
    """After a drag, slider, readout and picture say one angle; the slider goes on from there."""
    tab, visit = drawn
    start = azimuth(tab)
    drag(tab, 120, 40)
    settle(tab)
    slider = tab.get_by_role("slider", name="turn").first
    turned = int(slider.input_value())
    assert abs(turned) > 5
    assert (azimuth(tab) - start - turned + 180) % 360 - 180 == pytest.approx(0, abs=0.51)
    assert slider.get_attribute("aria-valuetext") == f"{turned}°"
    assert tab.locator(".turning label", has_text="turn").first.inner_text().split()[1] == (
        f"{turned}°"
    )
    slider.press("ArrowRight")
    assert int(slider.input_value()) == turned + 1
    for end in ("-180", "180"):
        slider.fill(end)
        tab.wait_for_timeout(300)
        assert slider.input_value() == end
    assert complaints(visit) == []


# A hand that moves and lets go within one frame, as it does where frames take long.
FLICK = '''async () => {
    const canvas = document.querySelector(".turning-plot canvas");
    const box = canvas.getBoundingClientRect();
    const at = (right) => ({
        bubbles: true, view: window, button: 0, pointerType: "mouse",
        clientX: box.x + box.width / 2 + right, clientY: box.y + box.height / 2,
    });
    const hand = (kind, right, buttons) => {
        const say = (Kind, name) =>
            canvas.dispatchEvent(new Kind(name + kind, { ...at(right), buttons }));
        say(PointerEvent, "pointer");
        say(MouseEvent, "mouse");
    };
    const pause = () => { for (const start = Date.now(); Date.now() - start < 30; ); };
    hand("move", 0, 0);
    hand("down", 0, 1);
    for (const right of [20, 40, 60]) { pause(); hand("move", right, 1); }
    hand("up", 60, 0);
}'''


@needs_chromium
def test_picture_stops_where_the_hand_left_it(drawn: Drawn) -> None:
    """It does not glide on unseen by the slider, and the next epoch keeps it so."""
    tab, visit = drawn
    start = azimuth(tab)
    tab.evaluate(FLICK)
    tab.wait_for_timeout(500)
    turned = azimuth(tab)
    assert abs(turned - start) > 5
    shown = int(tab.get_by_role("slider", name="turn").first.input_value())
    assert (turned - start - shown + 180) % 360 - 180 == pytest.approx(0, abs=0.51)
    tab.get_by_role("slider", name="epoch").first.press("ArrowRight")
    tab.wait_for_timeout(500)
    assert azimuth(tab) == pytest.approx(turned)
    assert complaints(visit) == []


@needs_chromium
def test_hand_that_leaves_the_figure_lets_go(drawn: Drawn) -> None:
    """The button comes up beside the picture: slider and picture agree all the same."""
    tab, visit = drawn
    start = azimuth(tab)
    across, along = middle(tab)
    tab.mouse.move(across, along)
    tab.mouse.down()
    tab.mouse.move(across + 80, along, steps=4)
    tab.mouse.move(2, along)
    tab.mouse.up()
    tab.wait_for_timeout(500)
    shown = int(tab.get_by_role("slider", name="turn").first.input_value())
    assert abs(shown) > 5
    assert (azimuth(tab) - start - shown + 180) % 360 - 180 == pytest.approx(0, abs=0.51)
    assert complaints(visit) == []


@needs_chromium
def test_drag_stops_the_play(drawn: Drawn) -> None:
    """It pauses at once; a drag then turns the picture, and the next epoch keeps it so."""
    tab, visit = drawn
    start, button = azimuth(tab), tab.locator(".turning button").first
    middle(tab)
    button.click()
    drag(tab, 120)
    assert button.inner_text() == "Play"
    drag(tab, 60)
    settle(tab)
    turned = azimuth(tab)
    assert abs(turned - start) > 5
    tab.get_by_role("slider", name="epoch").first.press("ArrowRight")
    tab.wait_for_timeout(500)
    assert azimuth(tab) == pytest.approx(turned)
    assert complaints(visit) == []


@needs_chromium
def test_wheel_over_the_figure_scrolls_the_page(drawn: Drawn) -> None:
    """As anywhere else, and the picture stays at its distance."""
    tab, _ = drawn
    eye = plotted(tab, "_fullLayout.scene._scene.getCamera().eye")
    tab.mouse.move(*middle(tab))
    before = tab.evaluate("scrollY")
    tab.mouse.wheel(0, -200)
    tab.wait_for_timeout(500)
    assert tab.evaluate("scrollY") == pytest.approx(before - 200, abs=2)
    assert plotted(tab, "_fullLayout.scene._scene.getCamera().eye") == pytest.approx(eye)


@needs_chromium
def test_finger_on_the_figure_scrolls_the_page(browser: Browser, site: Path) -> None:
    """A swipe on a phone moves the page and not the picture; a finger turns it by the slider."""
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True)
    try:
        tab = context.new_page()
        tab.goto((site / "index.html").as_uri())
        awake(tab)
        start = azimuth(tab)
        across, down = middle(tab)
        before = tab.evaluate("scrollY")
        touch = context.new_cdp_session(tab)
        for k in range(9):
            points = [{"x": across + 5 * k, "y": down + 20 * k}]
            kind = "touchMove" if k else "touchStart"
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        tab.wait_for_timeout(300)
        assert tab.evaluate("scrollY") < before - 100
        assert azimuth(tab) == start
        slider = tab.get_by_role("slider", name="turn").first
        box = slider.bounding_box()
        assert box is not None
        slider.tap(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
        tab.wait_for_timeout(300)
        assert abs(azimuth(tab) - start) > 45
    finally:
        context.close()


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
