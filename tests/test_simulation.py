"""The simulation in a real browser: it calculates and draws what Python does, and plays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

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
from .stage import (
    Stage,
    alone,
    calculate,
    faintest,
    inks,
    press,
    put,
    same,
    state,
    wait_steps,
    word,
)

pytestmark = needs_chromium
SETTING = defaults("simulation")
STATUSES = ("start", "playing", "paused", "held", "rest")
GROWING = {"excess", "variability", "distance"} | {f"trail_{c}" for c in range(4)}


made = cache(explorers.simulation)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return made().save(tmp_path / "simulation.html")


@pytest.fixture
def tab(browser: Browser, saved: Path) -> Iterator[Tab]:
    """The simulation alone on a page."""
    yield from alone(browser, saved)


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
    grid = list(product(STATUSES, simulations.KINDS, [0, 0.5], sizes))
    code = f"""{body}\nreturn grid.rows.map(([status, kind, decay, [variability, distance]]) => {{
        const setting = {{ ...grid.setting, kind, decay }};
        const numbers = {{ variability, distance, excess: 2.5 }};
        const told = words(setting, {{ step: 340, every: EVERY }}, numbers);
        return {{ ...told, sentence: tell(status, setting, 340, numbers) }};
    }});"""
    found = calculate(blank, code, {"rows": grid, "setting": SETTING})
    for (status, kind, decay, (variability, distance)), seen in zip(grid, found, strict=True):
        measured = {"variability": variability, "distance": distance, "excess": 2.5}
        setting = SETTING | {"kind": kind, "decay": decay}
        assert seen == simulations.words(status, setting, 340, measured)


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
        found = inks(tab, but=":not(.nc-reach)")
        assert len(found) == 8 and faintest(found, scheme) >= 3
    finally:
        context.close()


def test_samples_are_there(tab: Tab) -> None:
    """As many marks as samples, in a shape and a color for each class."""
    paths = Stage(tab).paths
    marks = [paths[f"samples_{c}"] for c in range(3)]
    assert [one.count("M") for one in marks] == [N] * 3
    shapes = {"".join(letter for letter in one if letter.isalpha())[:6] for one in marks}
    assert len(shapes) == 3
