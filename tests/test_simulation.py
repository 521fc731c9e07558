"""The simulation in a real browser: it calculates what Python does, and obeys whoever plays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib import explorers
from nclib.explorers import simulations
from nclib.explorers.descents import N, advance, corners, measure, start
from nclib.explorers.page import defaults, script, source
from nclib.tests.tolerances import TIGHT
from nclib.theory.unconstrained import Point

from .chromium import DESKTOP, PHONE, needs_chromium, open_page, overflow
from .stage import Stage, calculate, channels, contrast, same

pytestmark = needs_chromium
SETTING = defaults("simulation")
GROWING = {"excess", "variability", "distance"} | {f"trail_{c}" for c in range(4)}


made = cache(explorers.simulation)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return made().save(tmp_path / "simulation.html")


@pytest.fixture
def tab(browser: Browser, saved: Path) -> Iterator[Tab]:
    """The simulation alone on a page; complaints and other pages asked for fail the test."""
    page, visit = open_page(browser, saved, DESKTOP)
    yield page
    page.close()
    assert (visit.requests, visit.complaints) == ({saved.as_uri()}, [])


def press(tab: Tab, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).first.click()


def word(tab: Tab, name: str) -> str:
    return tab.locator(f"[data-word={name}]").first.text_content() or ""


def wait_steps(tab: Tab, more: int) -> None:
    """Wait until it has gone on by so many steps."""
    code = "Number(document.querySelector('[data-word=steps]').textContent)"
    tab.wait_for_function(f"{code} >= {int(word(tab, 'steps')) + more}")


def wait_words(tab: Tab, opening: str) -> None:
    """Wait until the sentence begins like this."""
    tab.wait_for_function(f"document.querySelector('output').textContent.startsWith('{opening}')")


def put(tab: Tab, name: str, value: float) -> None:
    """Set a slider, as a hand would."""
    tab.locator(f"input[name={name}]").fill(str(value))


def state(tab: Tab) -> dict[str, str]:
    """Everything that is drawn and said."""
    words = tab.locator("[data-word]").all_text_contents()
    return Stage(tab).paths | {f"word {k}": text for k, text in enumerate(words)}


def middle(tab: Tab, c: int) -> tuple[float, float]:
    """Where the handle of a class is on the screen."""
    box = tab.locator(".nc-handle .nc-mean").nth(c).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def shown(point: Point, past: list[torch.Tensor], decay: float = 0.5) -> dict[str, str]:
    """What Python draws of a state, without the lines that grow."""
    lines = simulations.sketch(point, decay, simulations.TURN, past)
    return {key: path for key, path in lines.items() if key not in GROWING}


def still(paths: dict[str, str]) -> dict[str, str]:
    return {key: path for key, path in paths.items() if key not in GROWING}


# What it calculates -------------------------------------------------------------------------------

GRID = list(product(simulations.KINDS.values(), [1, 77], [0.0, 0.5, 2.0], [0.03, 1.0], [0, 1, 200]))
PATH = """return grid.map(([[C, p], seed, decay, size, steps]) => {
    const { W, H, b } = advance(begin(C, p, size, seed), decay, steps);
    const { excess, variability, distance, steepest } = measure({ W, H, b }, decay);
    return { W, H, b, numbers: [excess, variability, distance, steepest],
             corners: corners({ W, H, b }, decay) };
});"""


def test_path_in_the_browser_is_the_path_of_python(blank: Tab) -> None:
    """States, measures and corners after up to 200 steps; the start to the last bit."""
    found = calculate(blank, source("simulation.js") + PATH, GRID)
    for ((C, p), seed, decay, size, steps), seen in zip(GRID, found, strict=True):
        point = advance(start(C, p, size, seed), decay, steps)
        state = Point(*(torch.tensor(seen[key], dtype=torch.float64) for key in "WHb"))
        for mine, theirs in zip(point, Point(state.W, state.H.mT, state.b), strict=True):
            if steps == 0:
                assert torch.equal(mine, theirs)
            assert torch.allclose(mine, theirs, rtol=TIGHT, atol=TIGHT * float(mine.abs().max()))
        ends = torch.tensor(seen["corners"], dtype=torch.float64)
        assert torch.allclose(corners(point, decay), ends, rtol=TIGHT, atol=TIGHT)
        numbers = measure(point, decay)
        for key, told in zip(("excess", "variability", "distance"), seen["numbers"], strict=False):
            assert told == pytest.approx(numbers[key], rel=1e-8, abs=TIGHT), (key, seed, steps)
        assert seen["numbers"][3] == pytest.approx(numbers["steepest"], rel=TIGHT, abs=TIGHT)


def test_picture_in_the_browser_is_the_picture_of_python(blank: Tab) -> None:
    """Every line of a state agrees to a tenth of a pixel, from several angles."""
    body = script("simulation").split("\n", 1)[1].rsplit("\n", 1)[0]  # without its closure
    grid = list(product(simulations.KINDS.values(), [0, 25, 300], [0.6, 3.0]))
    code = f"""{body}\nreturn grid.map(([[C, p], steps, turn]) => {{
        const first = begin(C, p, 1, 1);
        const last = advance(first, 0.5, steps);
        return sketch(last, 0.5, turn, [first.H, last.H]);
    }});"""
    for ((C, p), steps, turn), seen in zip(grid, calculate(blank, code, grid), strict=True):
        first = start(C, p, 1.0, 1)
        last = advance(first, 0.5, steps)
        assert same(seen, simulations.sketch(last, 0.5, turn, [first.H, last.H]))


def test_words_in_the_browser_are_those_of_python(blank: Tab) -> None:
    """Every sentence there is, and every number beside it."""
    body = script("simulation").split("\n", 1)[1].rsplit("\n", 1)[0]
    sizes = [(0.3, 1e-12), (1e-12, 0.5), (1e-12, 1e-12)]
    grid = list(product(["start", "playing", "paused", "rest"], simulations.KINDS, sizes))
    code = f"""{body}\nreturn grid.rows.map(([status, kind, [variability, distance]]) => {{
        const setting = {{ ...grid.setting, kind }};
        const numbers = {{ variability, distance, excess: 2.5 }};
        const told = words(setting, {{ step: 340, every: EVERY }}, numbers);
        return {{ ...told, sentence: tell(status, setting, 340, numbers) }};
    }});"""
    found = calculate(blank, code, {"rows": grid, "setting": SETTING})
    for (status, kind, (variability, distance)), seen in zip(grid, found, strict=True):
        measured = {"variability": variability, "distance": distance, "excess": 2.5}
        assert seen == simulations.words(status, SETTING | {"kind": kind}, 340, measured)


def test_a_full_chart_thins_out(blank: Tab) -> None:
    """However long it runs, a chart has few rows, evenly spaced from the first step on."""
    code = """const found = [];
    const state = begin(3, 2, 1, 1);
    const chart = { step: 0, every: 5, rows: [] };
    for (; chart.step < 7000; chart.step += 1) {
        record(chart, state, 0.5);
        if (chart.step % 500 === 0) found.push([chart.every, chart.rows.map((row) => row.step)]);
    }
    return found;"""
    for k, (every, steps) in enumerate(calculate(blank, source("simulation.js") + code, 0)):
        assert steps == list(range(0, 500 * k + 1, every))
        assert len(steps) <= 161


# The page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_page_is_quiet_and_wakes_as_it_was_printed(
    browser: Browser, saved: Path, width: int
) -> None:
    """It fits, asks for nothing, and moves nothing until someone plays."""
    tab, visit = open_page(browser, saved, width)
    try:
        first = state(tab)
        picture = simulations.picture(SETTING)
        assert overflow(tab) <= 0
        assert same(still(Stage(tab).paths), still(dict(picture.lines)))
        for name, told in picture.words.items():
            assert word(tab, name) == told
        assert tab.locator(".nc-asleep").is_hidden()
        tab.wait_for_timeout(300)
        assert state(tab) == first
        assert (visit.requests, visit.complaints) == ({saved.as_uri()}, [])
    finally:
        tab.close()


def test_one_step_is_a_step_of_python(tab: Tab) -> None:
    """Thirty presses of the button make thirty steps."""
    for _ in range(30):
        press(tab, "One step")
    point = advance(start(3, 2, 1.0, 1), 0.5, 30)
    assert same(still(Stage(tab).paths), shown(point, []))
    told = simulations.words("paused", SETTING, 30, measure(point, 0.5))
    assert {name: word(tab, name) for name in told} == told


def test_it_plays_and_a_pause_lasts(tab: Tab) -> None:
    """After some time the state is that of Python after as many steps as it says."""
    press(tab, "Play")
    wait_steps(tab, 60)
    press(tab, "Pause")
    paused = state(tab)
    steps = int(word(tab, "steps"))
    assert same(still(Stage(tab).paths), shown(advance(start(3, 2, 1.0, 1), 0.5, steps), []))
    assert f"Paused after {steps} steps." in Stage(tab).sentence
    tab.wait_for_timeout(400)
    assert state(tab) == paused


def test_quick_fingers_start_no_second_clock(tab: Tab) -> None:
    """Pause and play within one frame: it still asks for one frame at a time."""
    counted = """async () => {
        let asked = 0;
        const own = window.requestAnimationFrame;
        window.requestAnimationFrame = (run) => { asked += 1; return own(run); };
        const play = document.querySelector("[data-do=play]");
        for (let k = 0; k < 21; k += 1) play.click(); // ends playing
        await new Promise((done) => own(() => own(done)));
        asked = 0;
        for (let k = 0; k < 20; k += 1) await new Promise((done) => own(done));
        window.requestAnimationFrame = own;
        return asked;
    }"""
    assert 15 <= tab.evaluate(counted) <= 25


def test_start_again_restores_the_first_picture(tab: Tab) -> None:
    """After playing, pulling and turning every knob, the first picture is back bit for bit."""
    first = state(tab)
    tab.locator("select").select_option("space")
    put(tab, "decay", 1.5)
    put(tab, "size", -1)
    put(tab, "speed", 5)
    press(tab, "New start")
    press(tab, "Play")
    wait_steps(tab, 30)
    tab.locator(".nc-handle").first.press("ArrowUp")
    assert state(tab).keys() == first.keys()
    press(tab, "Start again")
    assert state(tab) == first


def test_new_starts_differ_and_the_chart_can_be_cleared(tab: Tab) -> None:
    """A new start is another one; clearing keeps the state and counts from zero."""
    first = Stage(tab).paths
    press(tab, "New start")
    second = Stage(tab).paths
    assert second["samples_0"] != first["samples_0"]
    assert same(still(second), shown(start(3, 2, 1.0, 2), []))
    for _ in range(11):
        press(tab, "One step")
    before = Stage(tab).paths
    press(tab, "Clear the chart")
    after = Stage(tab).paths
    assert still(after) == still(before) and after["excess"] != before["excess"]
    assert word(tab, "steps") == "0"


# Hands --------------------------------------------------------------------------------------------


def test_a_class_mean_follows_the_mouse_and_falls_back(tab: Tab) -> None:
    """Pulled after it came to rest, it wakes, and comes to rest as a simplex again."""
    put(tab, "speed", 6)
    put(tab, "decay", 1)
    press(tab, "Play")
    wait_words(tab, "At rest")
    rest = tab.evaluate("document.querySelector('[data-word=steps]').textContent")
    tab.wait_for_timeout(200)
    assert word(tab, "steps") == rest
    x, y = middle(tab, 0)
    before = Stage(tab).paths
    tab.mouse.move(x + 3, y + 2)
    tab.mouse.down()
    tab.mouse.move(x + 83, y + 42, steps=4)
    assert middle(tab, 0) == pytest.approx((x + 80, y + 40), abs=1)
    during = Stage(tab).paths
    changed = {key for key in still(before) if before[key] != during[key]}
    assert changed == {"samples_0", "mean_0", "simplex"}
    assert float(word(tab, "distance")) > 0.1
    tab.mouse.up()
    wait_words(tab, "Running")
    wait_words(tab, "At rest")
    assert "form a simplex. Move a class mean and it falls back." in Stage(tab).sentence
    assert word(tab, "variability") != "∞"


def test_a_hand_can_hold_a_class_while_it_plays(tab: Tab) -> None:
    """The held class stays at the pointer, and the rest moves on; nobody leaves the picture."""
    press(tab, "Play")
    x, y = middle(tab, 1)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y + 20, steps=3)
    wait_steps(tab, 2)
    held = middle(tab, 1)
    wait_steps(tab, 20)
    assert middle(tab, 1) == pytest.approx(held, abs=1)
    tab.mouse.move(x + 3000, y + 3000)
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


def test_space_turns_only_where_motion_is_welcome(browser: Browser, saved: Path) -> None:
    """With reduced motion the angle stays; otherwise the picture turns while it plays."""
    motions: tuple[Literal["reduce", "no-preference"], ...] = ("reduce", "no-preference")
    for motion in motions:
        context = browser.new_context(reduced_motion=motion)
        try:
            tab = context.new_page()
            tab.goto(saved.as_uri())
            tab.locator("select").select_option("space")
            press(tab, "Play")
            wait_steps(tab, 60)
            press(tab, "Pause")
            point = advance(start(4, 3, 1.0, 1), 0.5, int(word(tab, "steps")))
            turned = not same(still(Stage(tab).paths), shown(point, []))
            assert turned == (motion == "no-preference")
        finally:
            context.close()


WRITTEN = """() => {
    written = 0;
    new MutationObserver((records) => { written += records.length; })
        .observe(document.querySelector("[data-word=steps]"), { childList: true });
}"""


def test_two_on_a_page_keep_apart(browser: Browser, tmp_path: Path) -> None:
    """Each obeys its own buttons, though the script came twice, and none leaves a global."""
    page = tmp_path / "two.html"
    head = "<!doctype html><title>t</title><script>before = ['before', ...Object.keys(window)]"
    parts = [made(), made(), explorers.flow()]
    page.write_text(f"{head}</script>{''.join(part.html for part in parts)}", encoding="utf-8")
    tab, visit = open_page(browser, page, DESKTOP)
    try:
        assert tab.evaluate("Object.keys(window).filter((key) => !before.includes(key))") == []
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


NOTEBOOK = """(html) => {
    const cell = document.createElement("div");
    cell.innerHTML = html; // scripts set in this way do not run
    for (const script of cell.querySelectorAll("script")) {
        const copy = document.createElement("script");
        for (const { name, value } of script.attributes) copy.setAttribute(name, value);
        copy.textContent = script.textContent;
        script.replaceWith(copy);
    }
    document.body.replaceChildren(cell);
}"""


def test_it_plays_in_a_notebook_and_ends_with_its_cell(blank: Tab) -> None:
    """Shown as a notebook shows an output it plays; run again, the old one stops."""
    blank.evaluate(NOTEBOOK, made().html)
    press(blank, "Play")
    wait_steps(blank, 5)
    blank.evaluate("old = document.querySelector('[data-word=steps]')")
    blank.evaluate(NOTEBOOK, made().html)
    stopped = blank.evaluate("old.textContent")
    blank.wait_for_timeout(300)
    assert blank.evaluate("old.textContent") == stopped
    assert word(blank, "steps") == "0" and Stage(blank).sentence.startswith("Before")


def test_picture_is_there_without_a_script(browser: Browser, saved: Path) -> None:
    """The start, the way to collapse and the chart of it show, and words say what is missing."""
    context = browser.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        assert tab.locator("svg[role=img]").count() == 2
        assert tab.get_by_text("Playing needs JavaScript").is_visible()
        for name in ("trail_0", "excess", "distance", "samples_2", "simplex"):
            box = tab.locator(f"[data-line={name}]").first.bounding_box()
            assert box is not None and min(box["width"], box["height"]) > 20
        assert tab.locator("[tabindex]").count() == 0
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out(browser: Browser, saved: Path, scheme: Literal["light", "dark"]) -> None:
    """Every line and mark is at least three to one against the page."""
    context = browser.new_context(color_scheme=scheme)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        tab.locator("select").select_option("space")
        ground = (18, 18, 18) if scheme == "dark" else (255, 255, 255)
        inks: list[Any] = tab.evaluate(
            """() => [...document.querySelectorAll("svg path:not(.nc-grid):not(.nc-reach)")]
                .map((path) => getComputedStyle(path))
                .map(({ stroke, fill }) => stroke === "none" ? fill : stroke)"""
        )
        assert len(set(inks)) == 8
        assert {ink for ink in inks if contrast(channels(ink), ground) < 3} == set()
    finally:
        context.close()


def test_samples_are_there(tab: Tab) -> None:
    """As many marks as samples, in a shape and a color for each class."""
    paths = Stage(tab).paths
    marks = [paths[f"samples_{c}"] for c in range(3)]
    assert [one.count("M") for one in marks] == [N] * 3
    shapes = {"".join(letter for letter in one if letter.isalpha())[:6] for one in marks}
    assert len(shapes) == 3
