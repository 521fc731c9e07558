"""The results browser in a real browser: it draws what Python draws, and obeys every control."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from nclib import GRIDS, explorers, published
from nclib.explorers.entries import SPLITS, entries
from nclib.explorers.page import script
from nclib.explorers.quantities import QUANTITIES
from nclib.explorers.results import payload, picture, start
from nclib.explorers.scales import epochs_axis, notation, value_axis
from nclib.records import Row, Run

from .chromium import DESKTOP, PHONE, needs_chromium, open_page, overflow
from .stage import LEFT_BEHIND, calculate, faintest, inks, same, show_as_output, side_by_side

pytestmark = needs_chromium

GRID_NAMES = ("mse-15", "ce-15", "thin", "digits")
RUNS = {c.name: published(c.name) for grid in GRID_NAMES for c in GRIDS[grid]}
FOUND = entries(RUNS)
START = start(FOUND)
# The view without its closure and without a page.
CODE = script("results").split("\n", 1)[1].rsplit("\n", 1)[0]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return explorers.browser(RUNS).save(tmp_path / "results.html")


def shown(tab: Tab, nth: int = 0) -> tuple[dict[str, str], dict[str, str]]:
    """Paths, places and words of an explorer on a page, as they stand there now."""
    root = tab.locator('[data-explorer="results"]').nth(nth)
    return root.evaluate(
        """(root) => {
            const lines = [...root.querySelectorAll("[data-line]")].map((one) =>
                [one.dataset.line, one.getAttribute(one.dataset.attribute || "d")]);
            const words = [...root.querySelectorAll("[data-word]")].map((one) =>
                [one.dataset.word, one.textContent]);
            return [Object.fromEntries(lines), Object.fromEntries(words)];
        }"""
    )


def agrees(tab: Tab, **changes: object) -> bool:
    """Whether the page shows what Python draws for the first setting with these changes."""
    drawn = picture(FOUND, START | changes)  # pyright: ignore[reportArgumentType]
    lines, words = shown(tab)
    return words == drawn.words and same(lines, drawn.lines)


# The view and its twin ----------------------------------------------------------------------------


def settings() -> list[dict[str, Any]]:
    """Every quantity on both splits; every cell; both losses or one; looks out of range."""
    found = [
        START | {"quantity": name, "split": split, "network": network, "look": 7}
        for name, split in product(QUANTITIES, SPLITS)
        for network in ("VGG", "DenseNet")
    ]
    found += [
        START | {"dataset": place, "network": family, "quantity": name, "split": split}
        for place, family in dict.fromkeys((one.place, one.family) for one in FOUND)
        for name in (
            "relative_variability",
            "accuracy",
            "error",
            "robustness",
            "nc1_consistent",
            "alignment",
        )  # fmt: skip
        for split in SPLITS
    ]
    losses = [{"mse": mse, "ce": ce} for mse, ce in product([False, True], repeat=2)]
    found += [START | one | {"look": look} for one in losses for look in (-3, 0, 30, 1000)]
    return [*found, START | {"network": "ours"}, START | {"dataset": "svhn"}]


def odd_runs() -> dict[str, tuple[Run, list[Row]] | None]:
    """Seeds, one shorter and one not run; zeros, infinities, gaps; a run without any row."""
    found = published("mnist-thinvgg-mse-n2000")
    assert found
    run, rows = found
    name, odd = "cifar10-resnet50-mse", {1: 0.0, 3: math.inf, 4: math.nan, 9: -1.0, 11: math.inf}
    key = "relative_variability"

    def other(row: Row, name: str) -> Row:
        value = odd.get(row.epoch, 2 * row.metrics[key])
        changed = row.metrics | {key: value, "alignment": -row.metrics["alignment"]}
        return replace(row, run=name, metrics=changed, accuracy=1.0, mismatch=0.0)

    first = [replace(row, run=name) for row in rows]
    second = [other(row, f"{name}-s1") for row in rows if row.epoch <= 20]
    return {
        name: (replace(run, id=name), first),
        f"{name}-s1": (replace(run, id=f"{name}-s1", status="diverged"), second),
        f"{name}-s2": None,
        "cifar10-resnet18-ce": (replace(run, id="cifar10-resnet18-ce"), []),
        "cifar10-convnet-mse-e35": None,  # left out: nothing was run there
    }


def compare(tab: Tab, found: Any, chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings for which a browser and Python disagree."""
    code = f"{CODE}\nreturn grid.settings.map((one) => view(one, grid.known));"
    seen = calculate(tab, code, {"settings": chosen, "known": payload(found)})
    twins = [picture(found, one) for one in chosen]
    return [
        setting
        for setting, one, twin in zip(chosen, seen, twins, strict=True)
        if one["words"] != twin.words or not same(one["lines"], twin.lines)
    ]


def test_view_is_the_picture_of_python(blank: Tab) -> None:
    """For hundreds of settings paths agree to a tenth of a pixel, and words exactly."""
    chosen = settings()
    assert len(chosen) > 350
    assert compare(blank, FOUND, chosen) == []


def test_view_is_the_picture_of_python_for_odd_runs(blank: Tab) -> None:
    """Seeds of unequal length, numbers without a place, runs without rows: still the same."""
    found = entries(odd_runs())
    chosen = [
        start(found) | {"quantity": name, "split": split, "look": look, "mse": mse}
        for name, split, look, mse in product(QUANTITIES, SPLITS, (0, 3, 99), (True, False))
    ]
    assert {one.place for one in found} == {"cifar10"}
    drawn = picture(found, chosen[0])
    assert drawn.lines["mse_seeds"] and drawn.lines["mse_zero"].count("M") == 2
    assert compare(blank, found, chosen) == []


def test_a_changed_number_is_seen(blank: Tab) -> None:
    """One number of the payload changed: the browser then disagrees with Python."""
    code = f"{CODE}\nreturn view(grid.setting, grid.known);"
    known = json.loads(json.dumps(payload(FOUND)))
    entry = next(one for one in known["entries"] if one["epochs"] and one["family"] == "ResNet")
    entry["columns"]["train"]["relative_variability"][3] *= 1.2
    seen = calculate(blank, code, {"setting": START | {"look": 3}, "known": known})
    twin = picture(FOUND, START | {"look": 3})
    assert not same(seen["lines"], twin.lines) and seen["words"] != twin.words


def test_axes_are_the_same_to_the_last_bit(blank: Tab) -> None:
    """Ends and ticks of axes for random numbers, and for numbers at the edge of a rule."""
    draw = random.Random(5)
    sets = [[10 ** draw.uniform(-8, 8) for _ in range(draw.randint(1, 4))] for _ in range(600)]
    sets += [[draw.uniform(-1, 1) for _ in range(3)] for _ in range(200)]
    sets += [[100 - draw.expovariate(2), 100.0] for _ in range(200)]
    sets += [[x] for x in (0.0, 1.0, 10.0, 1e-3, 100.0, 0.3)] + [[1.0, 30.0], [1.0, 10.0], [0, 0.1]]
    grid = [(values, log) for values in sets for log in (False, True)]
    code = f"{CODE}\nreturn grid.map(([values, log]) => valueAxis(values, log));"
    for (values, log), seen in zip(grid, calculate(blank, code, grid), strict=True):
        axis = value_axis(values, "", log=log)
        if axis is None:
            assert seen is None
            continue
        assert seen["ends"] == [axis.low, axis.high, log], values
        assert seen["ticks"] == list(axis.ticks), values
    lasts = [1, 2, 3, 6, 30, 34, 60, 100, 350, 1000, 12345]
    code = f"{CODE}\nreturn grid.map((last) => epochsAxis(last).ticks);"
    assert calculate(blank, code, lasts) == [list(epochs_axis(last).ticks) for last in lasts]


def test_notation_is_the_same(blank: Tab) -> None:
    """What stands along an axis, for random numbers and for numbers at the edge of a rule."""
    draw = random.Random(7)
    sets = [[10 ** draw.uniform(-12, 24) for _ in range(draw.randint(1, 4))] for _ in range(300)]
    sets += [[10 ** draw.uniform(-5, 1) for _ in range(draw.randint(1, 4))] for _ in range(300)]
    sets += [[k * 0.00025 for k in range(-3, 4)], [1e-4, 1e4], [1e-4, 1e5], [9.99e-5], [1e22]]
    code = f"{CODE}\nreturn grid.map(notation);"
    assert calculate(blank, code, sets) == [notation(one) for one in sets]


# The page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_page_is_quiet(browser: Browser, saved: Path, width: int) -> None:
    """From disk it asks for nothing, complains about nothing, fits, and wakes as it was printed."""
    tab, visit = open_page(browser, saved, width)
    try:
        assert (visit.requests, visit.complaints) == ({saved.as_uri()}, [])
        assert overflow(tab) <= 0 and agrees(tab)
        for quantity in QUANTITIES:  # no formula, no label widens the page
            tab.locator("[name=quantity]").select_option(quantity)
            assert overflow(tab) <= 0, quantity
    finally:
        tab.close()


def test_choices_redraw(browser: Browser, saved: Path) -> None:
    """Each list, each box and the slider lead to what Python draws; the button back again."""
    tab, visit = open_page(browser, saved, DESKTOP)
    try:
        for changes in (
            {"network": "VGG"}, {"quantity": "accuracy"}, {"split": "test"},
            {"quantity": "robustness", "split": "test"},
        ):  # fmt: skip
            for name, value in changes.items():
                tab.locator(f"[name={name}]").select_option(value)
            assert agrees(tab, **changes), changes
            tab.get_by_role("button", name="Start again").click()
            assert agrees(tab)
        for loss in ("mse", "ce"):
            tab.locator(f"[name={loss}]").uncheck()
            assert agrees(tab, **{loss: False})
            tab.locator(f"[name={loss}]").check()
        assert visit.complaints == []
    finally:
        tab.close()


def test_keyboard_alone_is_enough(browser: Browser, saved: Path) -> None:
    """Arrow keys move the slider a look at a time and change lists; the space bar a box."""
    tab, _ = open_page(browser, saved, DESKTOP)
    try:
        slider = tab.locator("[name=look]")
        slider.focus()
        tab.keyboard.press("ArrowRight")
        assert agrees(tab, look=int(START["look"]) + 1)
        said = slider.get_attribute("aria-valuetext") or ""
        assert said.startswith("epoch") and said in tab.locator("output").inner_text()
        tab.keyboard.press("Home")
        assert agrees(tab, look=0) and slider.get_attribute("aria-valuetext") == "epoch 1"
        for key in (["Tab"] * 2, ["Tab", "Space"]):  # over the button, to the first box
            for one in key:
                tab.keyboard.press(one)
        tab.locator("[name=split]").focus()
        tab.keyboard.press("ArrowDown")
        assert tab.locator("[name=split]").input_value() == "test"
    finally:
        tab.close()


def test_slider_follows_the_looks(browser: Browser, saved: Path) -> None:
    """It keeps its share of the way where another network has more looks, and comes back."""
    tab, _ = open_page(browser, saved, DESKTOP)
    try:
        slider, places = tab.locator("[name=look]"), tab.locator("[name=network]")
        slider.press("End")
        for network in ("DenseNet", "VGG"):
            places.select_option(network)
            looks = int(picture(FOUND, START | {"network": network}).lines["looks"])
            assert slider.get_attribute("max") == str(looks)
            assert slider.input_value() == str(looks)
            assert agrees(tab, network=network, look=looks)
        tab.locator("[name=dataset]").select_option("svhn")
        assert slider.get_attribute("aria-valuetext") == "" and slider.is_disabled()
        tab.locator("[name=dataset]").select_option(str(START["dataset"]))
        assert slider.input_value() == slider.get_attribute("max") and slider.is_enabled()
        tab.locator("[name=dataset]").select_option("svhn")
        tab.get_by_role("button", name="Start again").click()
        assert agrees(tab) and slider.is_enabled()
    finally:
        tab.close()


def test_what_was_not_run_is_said(browser: Browser, saved: Path) -> None:
    """In words on the page, with the command, and what the paper reports stays."""
    tab, _ = open_page(browser, saved, PHONE)
    try:
        where = {"dataset": "mnist", "quantity": "accuracy", "split": "test"}
        for name, value in where.items():
            tab.locator(f"[name={name}]").select_option(value)
        assert agrees(tab, **where)
        assert tab.locator("svg").get_by_text("not run").is_visible()
        assert tab.get_by_text("nclib run mnist-resnet18-mse --root").is_visible()
        assert tab.get_by_role("cell", name="99.70").is_visible()
        tab.locator("[name=quantity]").select_option("alignment")
        assert not tab.get_by_role("cell", name="99.70").is_visible()
        assert tab.locator("svg path.nc-grid").get_attribute("d") == ""
    finally:
        tab.close()


def test_what_follows_stays_where_it_is(browser: Browser, saved: Path) -> None:
    """Below the picture there is room for the longest words: only a line's rounding moves."""
    tab, _ = open_page(browser, saved, DESKTOP)
    try:
        asked = (
            {"dataset": "svhn", "network": "VGG", "quantity": "error", "split": "test"},
            {"dataset": "mnist", "quantity": "relative_variability", "split": "train"},
            {"dataset": str(START["dataset"]), "quantity": "alignment"},
        )
        heights = []
        for choice in asked:
            for name, value in choice.items():
                tab.locator(f"[name={name}]").select_option(value)
            box = tab.locator(".nc-explorer").bounding_box()
            heights.append(box["height"] if box else 0)
        assert heights[0] > 0 and max(heights) - min(heights) <= 2, heights
    finally:
        tab.close()


def test_numerals_fit_beside_the_axis(browser: Browser, saved: Path) -> None:
    """The longest decimals of an axis begin inside of the picture."""
    tab, _ = open_page(browser, saved, DESKTOP)
    try:
        tab.locator("[name=dataset]").select_option("mnist")
        found = tab.locator('svg text[data-line^="y"]').evaluate_all(
            "(all) => all.filter((one) => one.textContent).map((one) => [one.textContent,"
            " one.getBoundingClientRect().x - one.ownerSVGElement.getBoundingClientRect().x])"
        )
        assert [text for text, _ in found] == ["0.0005", "0.001", "0.002"]
        assert min(left for _, left in found) >= 0, found
    finally:
        tab.close()


def test_touch_moves_the_slider(browser: Browser, saved: Path) -> None:
    """A tap at the right end leads to the last look, on a phone."""
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, has_touch=True)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        box = tab.locator("[name=look]").bounding_box()
        assert box is not None and box["height"] >= 24
        middle = {"x": box["width"] - 2, "y": box["height"] / 2}
        tab.locator("[name=look]").tap(position=middle)  # pyright: ignore[reportArgumentType]
        assert agrees(tab, look=int(picture(FOUND, START).lines["looks"]))
    finally:
        context.close()


def test_two_share_a_page_with_another(browser: Browser, tmp_path: Path) -> None:
    """Each obeys its own controls; the others, and the page's globals, stay as they are."""
    parts = [explorers.browser(RUNS), explorers.flow(), explorers.browser(RUNS)]
    page = side_by_side(parts, tmp_path / "all.html")
    tab, visit = open_page(browser, page, DESKTOP)
    try:
        assert tab.evaluate(LEFT_BEHIND) == []
        kinds = tab.locator("[data-explorer]").all()
        drawn = [kind.inner_html() for kind in kinds]
        kinds[2].locator("[name=quantity]").select_option("duality_gap")
        changed = [kind.inner_html() != was for kind, was in zip(kinds, drawn, strict=True)]
        assert changed == [False, False, True] and visit.complaints == []
    finally:
        tab.close()


def test_it_wakes_in_a_notebook(blank: Tab) -> None:
    """Shown as a notebook shows an output, scripts copied before it is on the page, it works."""
    show_as_output(blank, explorers.browser(RUNS).html)
    assert blank.locator("[data-awake]").count() == 1
    blank.locator("[name=quantity]").select_option("accuracy")
    assert agrees(blank, quantity="accuracy")


def test_without_a_script_the_first_picture_shows(browser: Browser, saved: Path) -> None:
    """With JavaScript switched off: picture, numbers, and a word why nothing moves."""
    context = browser.new_context(java_script_enabled=False)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        drawn = picture(FOUND, START)
        assert tab.locator("path[data-line=mse]").get_attribute("d") == drawn.lines["mse"]
        assert tab.get_by_text("The choices need JavaScript").is_visible()
        assert tab.get_by_text(drawn.words["mse_end"], exact=True).is_visible()
        chosen = [tab.locator(f"[name={key}]").input_value() for key in ("dataset", "quantity")]
        assert chosen == [START["dataset"], START["quantity"]]
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out(browser: Browser, saved: Path, scheme: Literal["light", "dark"]) -> None:
    """Every line is at least three to one against the page, and on paper black on white."""
    context = browser.new_context(color_scheme=scheme)
    try:
        tab = context.new_page()
        tab.goto(saved.as_uri())
        found = inks(tab, but=":not(.nc-limit)")
        assert len(found) == 2 and faintest(found, scheme) >= 3
        tab.emulate_media(media="print")
        assert faintest(inks(tab, but=":not(.nc-limit)"), "light") >= 3
    finally:
        context.close()
