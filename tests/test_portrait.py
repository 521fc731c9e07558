"""The portrait in motion: it plays, rests, turns under a finger, and starts only where welcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib import explorers
from nclib.tests import looks

from .chromium import DESKTOP, PHONE, needs_chromium, open_page
from .stage import Stage, same

pytestmark = needs_chromium
# The play takes seven seconds; the clock of the page is turned forward instead of waiting.
FORWARD = 16


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return looks.portrait().save(tmp_path / "portrait.html")


@pytest.fixture
def tab(browser: Browser, saved: Path) -> Iterator[Tab]:
    """The portrait on a page whose clock stands still until a test turns it."""
    tab = browser.new_page(viewport={"width": DESKTOP, "height": 844})
    tab.clock.install()
    tab.goto(saved.as_uri())
    tab.clock.pause_at(tab.evaluate("Date.now() + 1000"))
    yield tab
    tab.close()


def drag(tab: Tab, across: float) -> None:
    """Take hold of the picture and move it sideways, in pixels."""
    box = tab.locator("[data-stage]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + across / 2, y + 3)
    tab.mouse.move(x + across, y)
    tab.mouse.up()


def test_it_plays_to_the_end_and_rests(tab: Tab) -> None:
    """From the first epoch to the last in seconds, silent on the way; then the last picture."""
    stage, button, told = Stage(tab), tab.locator("[data-play]"), tab.locator("output")
    assert button.inner_text() == "Play"
    button.click()
    tab.clock.run_for(100)
    assert (button.inner_text(), told.get_attribute("aria-live")) == ("Pause", "off")
    assert stage.setting["epoch"] < 0.05 and "epoch 1:" in stage.sentence
    seen = []
    for _ in range(4):
        seen.append((stage.setting["epoch"], stage.sentence, stage.paths["mean_far"]))
        tab.clock.run_for(1500)
    assert seen == sorted(seen, key=lambda one: one[0]) and len(set(seen)) == 4
    tab.clock.run_for(3000)
    assert (button.inner_text(), told.get_attribute("aria-live")) == ("Play", "polite")
    assert stage.setting == {"epoch": 1, "turn": 0}
    assert "epoch 100:" in stage.sentence
    assert same(stage.paths, looks.picture(stage.setting).lines)
    still = stage.paths
    tab.clock.run_for(1000)
    assert stage.paths == still


def test_it_pauses_and_goes_on(tab: Tab) -> None:
    """The button stops it anywhere; the next press goes on from there, without a jump."""
    stage, button = Stage(tab), tab.locator("[data-play]")
    button.click()
    tab.clock.run_for(2500)
    button.click()
    paused = stage.paths
    tab.clock.run_for(1000)
    assert stage.paths == paused and 0.2 < stage.setting["epoch"] < 0.5
    before = stage.setting
    button.click()
    tab.clock.run_for(3 * FORWARD)
    assert abs(stage.setting["epoch"] - before["epoch"]) < 0.03
    assert abs(stage.setting["turn"] - before["turn"]) <= 2


def test_a_slider_scrubs(tab: Tab) -> None:
    """Taking the epoch into one's own hand stops the play and shows that epoch."""
    stage, slider = Stage(tab), tab.locator("[name=epoch]")
    tab.locator("[data-play]").click()
    tab.clock.run_for(1000)
    slider.press("Home")
    slider.press("ArrowRight")
    assert tab.locator("[data-play]").inner_text() == "Play"
    assert stage.setting["epoch"] == 0.01
    tab.clock.run_for(1000)
    assert same(stage.paths, looks.picture(stage.setting).lines)


def test_a_drag_turns(tab: Tab) -> None:
    """Half the picture's width is a quarter of a turn; it can go around; the epoch stays."""
    stage = Stage(tab)
    width = tab.locator("[data-stage]").evaluate("(one) => one.clientWidth")
    before = stage.paths
    drag(tab, -width / 2)
    assert stage.setting == {"epoch": 1, "turn": 90}
    assert same(stage.paths, looks.picture({"epoch": 1.0, "turn": 90.0}).lines)
    for _ in range(3):
        drag(tab, -width / 2)
    assert abs(stage.setting["turn"]) <= 1 and same(stage.paths, before)
    drag(tab, width / 4)
    assert stage.setting["turn"] == -45


def test_a_drag_turns_while_it_plays(tab: Tab) -> None:
    """The hand adds to the sway, and the play goes on."""
    stage = Stage(tab)
    tab.locator("[data-play]").click()
    tab.clock.run_for(1000)
    before = stage.setting
    drag(tab, -200)
    assert stage.setting["turn"] > before["turn"] + 15
    tab.clock.run_for(500)
    assert stage.setting["epoch"] > before["epoch"] + 0.03


def test_a_finger_turns_and_the_page_still_scrolls(browser: Browser, saved: Path) -> None:
    """The picture leaves scrolling up and down to the page."""
    context = browser.new_context(viewport={"width": PHONE, "height": 500}, has_touch=True)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        stage = tab.locator("[data-stage]")
        assert stage.evaluate("(one) => getComputedStyle(one).touchAction") == "pan-y"
        box = stage.bounding_box()
        assert box is not None
        across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = context.new_cdp_session(tab)
        for far, moved in (((0, -150), "scrolled"), ((-100, 0), "turned")):
            way = [(across + far[0] * k / 8, down + far[1] * k / 8) for k in range(9)]
            for k, (x, y) in enumerate(way):
                kind, points = "touchMove" if k else "touchStart", [{"x": x, "y": y}]
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            tab.wait_for_timeout(100)
            turned = Stage(tab).setting["turn"] != 0
            assert (moved == "turned") == turned
            assert tab.evaluate("scrollY") > 50
    finally:
        context.close()


def starting(tmp_path: Path, above: int = 0) -> str:
    """The address of a page with a portrait that starts by itself, so far from the top."""
    html = explorers.portrait(looks.collapsing(), starts=True).html
    page = tmp_path / "starting.html"
    page.write_text(f'<!doctype html><title>t</title><div style="height:{above}px"></div>{html}')
    return page.as_uri()


def test_it_starts_when_it_comes_into_view(browser: Browser, tmp_path: Path) -> None:
    """Far below it waits at the first epoch; in view it plays, once, and can be stopped."""
    tab = browser.new_page(viewport={"width": DESKTOP, "height": 844})
    try:
        tab.goto(starting(tmp_path, above=3000))
        stage, button = Stage(tab), tab.locator("[data-play]")
        tab.wait_for_timeout(900)
        assert (stage.setting["epoch"], button.inner_text()) == (0, "Play")
        assert same(stage.paths, looks.picture({"epoch": 0.0, "turn": 0.0}).lines)
        tab.locator("[data-stage]").scroll_into_view_if_needed()
        tab.wait_for_function("document.querySelector('[name=epoch]').value > 0.1")
        button.click()
        paused = stage.setting["epoch"]
        tab.wait_for_timeout(300)
        assert stage.setting["epoch"] == paused
        tab.locator("[name=epoch]").press("Home")
        tab.evaluate("scrollTo(0, 0)")
        tab.wait_for_timeout(200)
        tab.locator("[data-stage]").scroll_into_view_if_needed()
        tab.wait_for_timeout(900)
        assert stage.setting["epoch"] == 0
    finally:
        tab.close()


def test_it_rests_where_motion_is_unwelcome(browser: Browser, tmp_path: Path) -> None:
    """With less motion asked for, nothing starts; a press plays, without the sway."""
    tab = browser.new_page(viewport={"width": DESKTOP, "height": 844})
    tab.emulate_media(reduced_motion="reduce")
    try:
        tab.goto(starting(tmp_path))
        stage = Stage(tab)
        tab.wait_for_timeout(1200)
        assert stage.setting == {"epoch": 1, "turn": 0}
        tab.locator("[data-play]").click()
        tab.wait_for_function("document.querySelector('[name=epoch]').value > 0.1")
        assert stage.setting["turn"] == 0 and stage.setting["epoch"] < 0.9
    finally:
        tab.close()


def test_paper_shows_the_start_and_the_end(browser: Browser, saved: Path) -> None:
    """On screen one picture; in print both, and no button."""
    tab, _ = open_page(browser, saved, DESKTOP)
    try:
        pictures = tab.locator("svg[role=img]")
        assert [one.is_visible() for one in pictures.all()] == [False, True]
        tab.emulate_media(media="print")
        assert [one.is_visible() for one in pictures.all()] == [True, True]
        assert not tab.locator("[data-play]").is_visible()
    finally:
        tab.close()
