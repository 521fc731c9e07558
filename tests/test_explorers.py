"""The explorers in a real browser: same numbers as Python, same picture, no network, no trap."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from nclib import explorers
from nclib.explorers import flows, landscapes, rescalings
from nclib.explorers.page import controls, defaults, script, source
from nclib.tests.tolerances import TIGHT
from nclib.theory.rescaled import LocalLandscape, cross_entropy, cross_entropy_gradient

from .test_browser import CHROMIUM, DESKTOP, PHONE, QUIET, open_page, overflow

MODULES = {"flow": flows, "landscape": landscapes, "rescaled": rescalings}
PIXEL = 0.11  # coordinates are written with one decimal
NUMBER = re.compile(r"-?\d+\.?\d*")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"
)
each = pytest.mark.parametrize("name", sorted(MODULES))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def blank(chromium: Browser) -> Iterator[Page]:
    """An empty page to calculate in."""
    tab = chromium.new_page()
    yield tab
    tab.close()


def calculate(tab: Page, code: str, grid: object) -> Any:
    """The value of a JavaScript expression in ``grid``, after an explorer's code."""
    return tab.evaluate(f"(text) => {{ const grid = JSON.parse(text);\n{code} }}", json.dumps(grid))


# The same numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(flows.FLOWS))
def test_flow_in_the_browser_is_the_closed_form(blank: Page, name: str) -> None:
    """SNR values and local exponents are those of the theory, over all settings and times."""
    sizes = [(2, 2), (4, 50), (20, 500)]
    starts, speeds, times = [1e-3, 0.5, 30.0], [1e-4, 0.1, 0.6, 1.0], [0.0, 1.0, 1e4, 1e8, 1e12]
    grid = list(product(sizes, starts, speeds, [False, True], times))
    code = """return grid.map(([[C, N], start, r, white, t]) => {
        const { log, exponent } = along(lawOf(NAME, C, N, start, r, white), start, t);
        return [log, exponent];
    });"""
    found = calculate(blank, source("flow.js") + code.replace("NAME", json.dumps(name)), grid)
    for (size, start, r, white, t), (log, exponent) in zip(grid, found, strict=True):
        values = torch.full((size[0] - 1,), start, dtype=torch.float64)
        path = flows.flow_of(name, *size, values, r, white=white)
        row = flows.logarithms(path, torch.tensor([t], dtype=torch.float64))[0]
        assert log == pytest.approx(float(row[0]), rel=TIGHT, abs=TIGHT)
        assert exponent == pytest.approx(float(flows.exponents(path, row, t)[0]), rel=TIGHT)


def test_landscape_in_the_browser_is_the_closed_form(blank: Page) -> None:
    """Minimizers are those of the theory in every regime."""
    grid = list(
        product([2, 4, 12], [0.01, 0.2, 1.0, 7.0], [1e-3, 0.4, 1e3], [0.2, 1, 20], [0.5, 3])
    )
    code = "return grid.map((one) => minimizer(...one));"
    found = calculate(blank, source("landscape.js") + code, grid)
    assert {one["regime"] for one in found} == {"zero", "simplex", "between"}
    for setting, seen in zip(grid, found, strict=True):
        best = landscapes.best(*setting)
        assert seen["regime"] == best.regime
        for key in ("x", "y", "beta"):
            assert seen[key] == pytest.approx(getattr(best, key), rel=TIGHT, abs=TIGHT)


def test_squared_loss_in_the_browser_is_the_closed_form(blank: Page) -> None:
    """The rescaled loss and its derivatives are those of the theory."""
    knobs = product([3, 10, 100], [0.2, 1, 20], [0.5, 10], [0.5, 3])
    grid = list(product(knobs, [0.1, 1, 10], [0, 0.4, 2, math.pi]))
    code = """return grid.map(([knobs, s, theta]) => {
        const { loss, inLength, inAngle } = squaredLoss(...knobs);
        return [loss, inLength, inAngle].map((one) => one(s, theta));
    });"""
    found = calculate(blank, source("rescaled.js") + code, grid)
    for (knobs, *place), seen in zip(grid, found, strict=True):
        s, theta = torch.tensor(place, dtype=torch.float64)
        landscape = LocalLandscape(*knobs)
        expected = [landscape.loss(s, theta), *landscape.gradient(s, theta)]
        assert seen == pytest.approx([float(one) for one in expected], rel=TIGHT, abs=TIGHT)


def test_cross_entropy_in_the_browser_is_the_closed_form(blank: Page) -> None:
    """Cross-entropy and its derivatives are those of the theory; rows of length rho scale s."""
    grid = list(product([3, 10, 100], [0.5, 1, 3], [0.1, 1, 10], [0, 0.4, 2, math.pi]))
    code = """return grid.map(([K, rho, s, theta]) => {
        const { loss, inLength, inAngle } = crossEntropy(K, rho);
        return [loss, inLength, inAngle].map((one) => one(s, theta));
    });"""
    found = calculate(blank, source("rescaled.js") + code, grid)
    for (K, rho, *place), seen in zip(grid, found, strict=True):
        s, theta = torch.tensor(place, dtype=torch.float64)
        in_length, in_angle = cross_entropy_gradient(rho * s, theta, K)
        expected = [cross_entropy(rho * s, theta, K), rho * in_length, in_angle]
        assert seen == pytest.approx([float(one) for one in expected], rel=TIGHT, abs=TIGHT)


def settings(name: str) -> list[dict[str, Any]]:
    """Where an explorer starts, and for each of its controls both ends or the other choice."""
    start = defaults(name)
    found = [start]
    for key, control in controls(name).items():
        if isinstance(control.value, bool):
            found.append(start | {key: not control.value})
        elif isinstance(control.value, str):
            found.append(start | {key: "white", "two_speeds": True})
        else:
            found += [start | {key: control.low}, start | {key: control.high}]
    return found


@each
def test_view_is_the_picture_of_python(blank: Page, name: str) -> None:
    """For every control at both ends, paths agree to a tenth of a pixel, and words exactly."""
    module = MODULES[name]
    frames = {frame.name: frame.data() for frame in module.FRAMES.values()}
    body = script(name).split("\n", 1)[1].rsplit("\n", 1)[0]  # without its closure
    code = f"{body}\nreturn grid.settings.map((setting) => view(setting, grid.frames));"
    chosen = settings(name)
    found = calculate(blank, code, {"settings": chosen, "frames": frames})
    for setting, seen in zip(chosen, found, strict=True):
        picture = module.picture(setting)
        assert seen["words"] == picture.words
        assert seen["lines"].keys() == picture.lines.keys()
        for key, path in picture.lines.items():
            assert NUMBER.sub("", seen["lines"][key]) == NUMBER.sub("", path), key
            pairs = zip(numbers(seen["lines"][key]), numbers(path), strict=True)
            assert all(abs(one - other) < PIXEL for one, other in pairs), key


def numbers(path: str) -> list[float]:
    return [float(one) for one in NUMBER.findall(path)]


# In a page ----------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A page with explorers in it, and how to look at them."""

    tab: Page

    @property
    def paths(self) -> dict[str, str]:
        """All paths of the first explorer, by name."""
        return self.tab.evaluate(
            """() => {
                const first = document.querySelector("[data-explorer]");
                const paths = [...first.querySelectorAll("[data-line]")];
                return Object.fromEntries(paths.map((p) => [p.dataset.line, p.getAttribute("d")]));
            }"""
        )

    @property
    def sentence(self) -> str:
        return self.tab.locator("[data-explorer] output").first.inner_text()


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two pictures agree to a tenth of a pixel."""
    shape = {key: NUMBER.sub("", path) for key, path in one.items()}
    if shape != {key: NUMBER.sub("", path) for key, path in other.items()}:
        return False
    pairs = (zip(numbers(path), numbers(other[key]), strict=True) for key, path in one.items())
    return all(abs(a - b) < PIXEL for pair in pairs for a, b in pair)


@pytest.fixture
def saved(tmp_path: Path, name: str) -> Path:
    return getattr(explorers, name)().save(tmp_path / f"{name}.html")


@each
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_page_of_an_explorer_is_quiet(
    chromium: Browser, saved: Path, name: str, width: int
) -> None:
    """From disk it asks for nothing, complains about nothing, fits, and wakes as it was printed."""
    tab, visit = open_page(chromium, saved, width)
    try:
        assert (visit.requests, visit.complaints) == ({saved.as_uri()}, [])
        assert overflow(tab) <= 0
        assert same(Stage(tab).paths, MODULES[name].picture(defaults(name)).lines)
    finally:
        tab.close()


@each
def test_keyboard_moves_every_slider(chromium: Browser, saved: Path, name: str) -> None:
    """Two steps of an arrow key change picture, number and spoken text; the button undoes it."""
    tab, visit = open_page(chromium, saved, DESKTOP)
    try:
        stage = Stage(tab)
        if name == "flow":
            tab.locator("[name=two_speeds]").check()
        start = stage.paths
        for slider in tab.locator("input[type=range]").all():
            before = (stage.paths, slider.get_attribute("aria-valuetext"))
            slider.focus()
            tab.keyboard.press("ArrowRight")
            tab.keyboard.press("ArrowRight")
            assert stage.paths != before[0], slider.get_attribute("name")
            assert slider.get_attribute("aria-valuetext") != before[1]
        tab.get_by_role("button", name="Start again").click()
        if name == "flow":
            tab.locator("[name=two_speeds]").check()
        assert stage.paths == start
        assert visit.complaints == []
    finally:
        tab.close()


@each
def test_touch_moves_a_slider(chromium: Browser, saved: Path, name: str) -> None:
    """A tap far right on the first slider changes the picture on a phone."""
    context = chromium.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True)
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


def test_every_choice_of_the_flow_redraws(chromium: Browser, tmp_path: Path) -> None:
    """Switching a flow on or off draws or clears it; the other start moves the plain flow."""
    tab, visit = open_page(chromium, explorers.flow().save(tmp_path / "flow.html"), DESKTOP)
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


def test_explorers_share_a_page(chromium: Browser, tmp_path: Path) -> None:
    """Two of a kind and others side by side: each obeys its own sliders, none leaves a global."""
    parts = [explorers.flow(), explorers.flow(), explorers.landscape(), explorers.rescaled()]
    page = tmp_path / "all.html"
    head = "<!doctype html><title>t</title><p id=p>text</p>"
    head += "<script>before = ['before', ...Object.keys(window)]</script>"
    page.write_text(head + "".join(part.html for part in parts), encoding="utf-8")
    tab, visit = open_page(chromium, page, DESKTOP)
    try:
        assert tab.evaluate("Object.keys(window).filter((key) => !before.includes(key))") == []
        plain = {"margin": "16px 0px", "fontSize": "16px", "display": "block"}
        for key, value in plain.items():
            assert tab.evaluate(f"getComputedStyle(p).{key}") == value
        kinds = tab.locator("[data-explorer]").all()
        drawn = [kind.inner_html() for kind in kinds]
        kinds[1].locator("input[type=range]").first.press("ArrowRight")
        changed = [kind.inner_html() != was for kind, was in zip(kinds, drawn, strict=True)]
        assert changed == [False, True, False, False]
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
    document.body.append(cell);
}"""


@each
def test_explorer_wakes_in_a_notebook(blank: Page, name: str) -> None:
    """Shown as a notebook shows an output, scripts copied before it is on the page, it works."""
    blank.goto("about:blank")
    for count in (1, 2):
        blank.evaluate(NOTEBOOK, getattr(explorers, name)().html)
        assert blank.locator("[data-awake]").count() == count
    before = Stage(blank).paths
    blank.locator("input[type=range]").first.press("ArrowRight")
    assert Stage(blank).paths != before


@each
def test_picture_is_there_without_a_script(chromium: Browser, saved: Path, name: str) -> None:
    """With JavaScript switched off the first picture shows, and words say why nothing moves."""
    context = chromium.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        assert tab.locator("svg[role=img]").count() == len(MODULES[name].FRAMES)
        assert tab.get_by_text("The sliders need JavaScript").is_visible()
        box = tab.locator("svg[role=img]").first.bounding_box()
        assert box is not None and min(box["width"], box["height"]) > 200
    finally:
        context.close()


@each
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out(
    chromium: Browser, saved: Path, name: str, scheme: Literal["light", "dark"]
) -> None:
    """Every line and every word of a picture is at least three to one against the page."""
    context = chromium.new_context(color_scheme=scheme)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        ground = (18, 18, 18) if scheme == "dark" else (255, 255, 255)
        inks = tab.evaluate(
            """() => [...document.querySelectorAll("svg path:not(.nc-grid)")]
                .map((path) => getComputedStyle(path).stroke)"""
        )
        assert len(set(inks)) >= 3
        weak = {ink for ink in inks if contrast(channels(ink), ground) < 3}
        assert weak == set()
    finally:
        context.close()


def channels(color: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", color)[:3])


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The contrast ratio of two colors, as accessibility guidelines define it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: tuple[int, ...]) -> float:
    shares = [one / 255 for one in color]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
    chromium: Browser, tmp_path: Path, page: str, expected: str
) -> None:
    """What the page says counts more than what the system prefers."""
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html>{page}{explorers.flow().html}", encoding="utf-8")
    other: Literal["light", "dark"] = "light" if expected == "dark" else "dark"
    context = chromium.new_context(color_scheme=other)
    try:
        tab = context.new_page()
        tab.goto(path.as_uri())
        scheme = "getComputedStyle(document.querySelector('.nc-explorer')).colorScheme"
        assert tab.evaluate(scheme) == expected
    finally:
        context.close()
