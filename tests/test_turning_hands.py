"""Figures to turn by hand: a mouse turns them, a finger and a wheel scroll the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from .chromium import PHONE, needs_chromium
from .turning import (
    FLICK,
    Drawn,
    awake,
    azimuth,
    complaints,
    drag,
    middle,
    plotted,
    settle,
    turned_by,
)


@needs_chromium
def test_slider_follows_a_drag(drawn: Drawn) -> None:
    """After a drag, slider, readout and picture say one angle; the slider goes on from there."""
    tab, visit = drawn
    start = azimuth(tab)
    drag(tab, 120, 40)
    settle(tab)
    slider = tab.get_by_role("slider", name="turn").first
    turned = turned_by(tab, start)
    assert abs(turned) > 5
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


@needs_chromium
def test_picture_stops_where_the_hand_left_it(drawn: Drawn) -> None:
    """It does not glide on unseen by the slider, and the next epoch keeps it so."""
    tab, visit = drawn
    start = azimuth(tab)
    tab.evaluate(FLICK)
    tab.wait_for_timeout(500)
    turned = azimuth(tab)
    assert abs(turned_by(tab, start)) > 5
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
    assert abs(turned_by(tab, start)) > 5
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
