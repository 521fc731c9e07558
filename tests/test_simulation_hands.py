"""The simulation under the hands of who plays: dragging, keys, touch, and good manners."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib import explorers

from .chromium import DESKTOP, PHONE, needs_chromium, open_page
from .stage import (
    LEFT_BEHIND,
    Stage,
    alone,
    middle,
    numbers,
    press,
    put,
    show_as_output,
    side_by_side,
    wait_steps,
    wait_words,
    word,
)

pytestmark = needs_chromium
made = cache(explorers.simulation)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return made().save(tmp_path / "simulation.html")


@pytest.fixture
def tab(browser: Browser, saved: Path) -> Iterator[Tab]:
    """The simulation alone on a page."""
    yield from alone(browser, saved)


def rest(tab: Tab, decay: float) -> None:
    """Let it come to rest, fast."""
    put(tab, "speed", 6)
    put(tab, "decay", decay)
    press(tab, "Play")
    wait_words(tab, "At rest")


def take(tab: Tab, c: int, across: float, down: float) -> tuple[float, float]:
    """Drag a class mean with the mouse, hold it, and return where the hand is."""
    x, y = middle(tab, c)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + across, y + down, steps=4)
    return x + across, y + down


def gap(tab: Tab) -> float:
    """The angle between the classifier row and the mean of the first class, on the screen."""
    x, y = numbers(Stage(tab).paths["row_0"])[2:4]  # from the origin to the tip
    box = tab.locator(".nc-plane").bounding_box()
    assert box is not None
    across, down = middle(tab, 0)
    hand = (across - box["x"] - box["width"] / 2, down - box["y"] - box["height"] / 2)
    return abs(math.remainder(math.atan2(y, x) - math.atan2(hand[1], hand[0]), 2 * math.pi))


def test_a_class_mean_falls_back_after_rest(tab: Tab) -> None:
    """At rest nothing moves; dragging wakes it, and let go it comes to rest as a simplex again."""
    rest(tab, decay=1)
    steps = word(tab, "steps")
    tab.wait_for_timeout(200)
    assert word(tab, "steps") == steps
    hand = take(tab, 0, 80, 40)
    wait_words(tab, "Held.")
    assert middle(tab, 0) == pytest.approx(hand, abs=1)
    tab.mouse.up()
    wait_words(tab, "At rest")
    assert "form a simplex. Move a class mean and it falls back." in Stage(tab).sentence
    assert word(tab, "variability") != "∞"


def test_row_turns_towards_the_hand(tab: Tab) -> None:
    """Held after rest, descent goes on: the row follows the mean, and no word speaks of rest."""
    rest(tab, decay=0.5)
    assert gap(tab) < 0.02
    hand = take(tab, 0, 70, 50)
    far = gap(tab)
    wait_steps(tab, 1500)
    assert middle(tab, 0) == pytest.approx(hand, abs=1)
    assert gap(tab) < far / 2
    wait_words(tab, "Held.")
    assert not any(word in Stage(tab).sentence for word in ("rest", "decay", "falls back"))
    tab.mouse.up()


def test_a_pause_lasts_while_a_mean_is_dragged(tab: Tab) -> None:
    """Paused, only the held class and the corners move, and no step is made."""
    press(tab, "Play")
    wait_steps(tab, 30)
    press(tab, "Pause")
    before, steps = Stage(tab).paths, word(tab, "steps")
    hand = take(tab, 0, 60, 40)
    tab.wait_for_timeout(200)
    assert middle(tab, 0) == pytest.approx(hand, abs=1)
    now = Stage(tab).paths
    changed = {key for key in now if before[key] != now[key] and not key.startswith("trail")}
    assert changed == {"samples_0", "mean_0", "simplex"}
    tab.mouse.up()
    tab.wait_for_timeout(200)
    assert word(tab, "steps") == steps and Stage(tab).sentence.startswith("Paused")


def test_without_decay_no_simplex_comes_back(tab: Tab) -> None:
    """A small start ends as a simplex; what is said then of a moved mean is what happens."""
    put(tab, "size", -2)
    rest(tab, decay=0)
    assert "does not come back to a simplex" in Stage(tab).sentence
    take(tab, 0, 80, 40)
    wait_words(tab, "Held.")
    tab.mouse.up()
    wait_words(tab, "At rest")
    assert "form no simplex. Without decay, what was out of balance" in Stage(tab).sentence


def test_a_hand_can_hold_a_class_while_it_plays(tab: Tab) -> None:
    """The held class stays at the pointer, and the rest moves on; nobody leaves the picture."""
    x, y = take(tab, 1, 60, 20)
    # Without the mouse, which is busy; a class that moves already could slip from under it.
    tab.get_by_role("button", name="Play", exact=True).first.dispatch_event("click")
    wait_steps(tab, 2)
    held = middle(tab, 1)
    wait_steps(tab, 20)
    assert middle(tab, 1) == pytest.approx(held, abs=1)
    tab.mouse.move(x + 2940, y + 2980)
    wait_steps(tab, 10)
    box = tab.locator(".nc-plane").bounding_box()
    assert box is not None
    across, down = middle(tab, 1)
    assert across < box["x"] + box["width"] and down < box["y"] + box["height"]
    tab.mouse.up()
    wait_steps(tab, 30)
    assert middle(tab, 1) != pytest.approx((across, down), abs=3)


def test_arrow_keys_move_a_class_mean(tab: Tab) -> None:
    """Handles are reached by Tab, named, move ten pixels a press, and the page stays."""
    press(tab, "Start again")  # the last button before the handles
    tab.keyboard.press("Tab")
    handle = tab.locator(".nc-handle").first
    assert handle.evaluate("(one) => one === document.activeElement")
    assert (handle.get_attribute("role"), handle.get_attribute("aria-label")) == (
        "slider",
        "mean of class 1",
    )
    told = handle.get_attribute("aria-valuetext")
    scale = tab.locator(".nc-plane").evaluate("(one) => one.getScreenCTM().a")
    x, y = middle(tab, 0)
    for key, (dx, dy) in {"ArrowRight": (10, 0), "ArrowDown": (10, 10)}.items():
        tab.keyboard.press(key)
        assert middle(tab, 0) == pytest.approx((x + dx * scale, y + dy * scale), abs=1)
    assert handle.get_attribute("aria-valuetext") != told
    assert tab.evaluate("scrollY") == 0
    assert tab.locator(".nc-handle:visible").count() == 3
    assert tab.locator(".nc-plane").get_attribute("role") == "group"


def test_a_finger_moves_a_class_mean(browser: Browser, saved: Path) -> None:
    """On a phone a finger takes the nearest class mean along, and the page does not scroll."""
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        tab.evaluate("document.querySelector('.nc-plane').scrollIntoView()")
        x, y = middle(tab, 0)
        others = [middle(tab, c) for c in (1, 2)]
        scrolled, wire = tab.evaluate("scrollY"), context.new_cdp_session(tab)
        for kind, places in (
            ("touchStart", [(x, y)]),
            ("touchMove", [(x + 20, y + 10)]),
            ("touchMove", [(x + 60, y + 50)]),
            ("touchEnd", []),
        ):
            touched = [{"x": across, "y": down} for across, down in places]
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})
        assert middle(tab, 0) == pytest.approx((x + 60, y + 50), abs=1)
        assert [middle(tab, c) for c in (1, 2)] == others
        assert tab.evaluate("scrollY") == scrolled
        box = tab.locator(".nc-reach").first.bounding_box()
        assert box is not None and min(box["width"], box["height"]) >= 24
    finally:
        context.close()


# Manners ------------------------------------------------------------------------------------------


def test_it_stops_when_nobody_looks(tab: Tab) -> None:
    """A hidden page pauses and says so; it does not go on by itself."""
    press(tab, "Play")
    wait_steps(tab, 5)
    tab.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { value: true, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
            delete document.hidden;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    assert Stage(tab).sentence.startswith("Paused")
    steps = word(tab, "steps")
    tab.wait_for_timeout(300)
    assert word(tab, "steps") == steps


def test_it_does_not_chatter(tab: Tab) -> None:
    """While it plays, the sentence changes only with what it says."""
    tab.evaluate(
        """() => {
            heard = [];
            const output = document.querySelector("output");
            new MutationObserver(() => heard.push(output.textContent))
                .observe(output, { childList: true, characterData: true, subtree: true });
        }"""
    )
    press(tab, "Play")
    wait_steps(tab, 400)
    press(tab, "Pause")
    heard = tab.evaluate("heard")
    assert 2 <= len(heard) <= 5 and len(set(heard)) == len(heard)


WRITTEN = """() => {
    written = 0;
    new MutationObserver((records) => { written += records.length; })
        .observe(document.querySelector("[data-word=steps]"), { childList: true });
}"""


def test_two_on_a_page_keep_apart(browser: Browser, tmp_path: Path) -> None:
    """Each obeys its own buttons, though the script came twice, and none leaves a global."""
    page = side_by_side([made(), made(), explorers.flow()], tmp_path / "two.html")
    tab, visit = open_page(browser, page, DESKTOP)
    try:
        assert tab.evaluate(LEFT_BEHIND) == []
        kinds = tab.locator("[data-explorer]").all()
        drawn = [kind.inner_html() for kind in kinds]
        kinds[1].locator("[data-do=step]").click()
        changed = [kind.inner_html() != was for kind, was in zip(kinds, drawn, strict=True)]
        assert changed == [False, True, False]
        tab.evaluate(WRITTEN)
        kinds[0].locator("[data-do=step]").click()
        assert tab.evaluate("written") == 1  # once, though two scripts came by
        assert visit.complaints == []
    finally:
        tab.close()


LISTENING = """() => {
    listening = 0;
    for (const [name, more] of [["addEventListener", 1], ["removeEventListener", -1]]) {
        const own = document[name];
        document[name] = (...all) => {
            listening += all[0] === "visibilitychange" ? more : 0;
            own.apply(document, all);
        };
    }
}"""


def test_it_plays_in_a_notebook_and_ends_with_its_cell(blank: Tab) -> None:
    """Shown as a notebook shows an output it plays; run again, the old one stops and is gone."""
    blank.evaluate(LISTENING)
    show_as_output(blank, made().html)
    press(blank, "Play")
    wait_steps(blank, 5)
    blank.evaluate("old = document.querySelector('[data-word=steps]')")
    blank.evaluate("document.body.replaceChildren()")
    show_as_output(blank, made().html)
    stopped = blank.evaluate("old.textContent")
    blank.wait_for_timeout(300)
    assert blank.evaluate("old.textContent") == stopped
    assert word(blank, "steps") == "0" and Stage(blank).sentence.startswith("Before")
    assert blank.evaluate("listening") == 2
    for _ in range(2):  # the first one sends the old listener away, the second finds one
        blank.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert blank.evaluate("listening") == 1
