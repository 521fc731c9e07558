"""An explorer on a page: its pictures and words, compared with those that Python draws."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from playwright.sync_api import Browser, Locator
from playwright.sync_api import Page as Tab

from nclib import explorers
from nclib.explorers import flows, landscapes, rescalings
from nclib.explorers.page import Explorer, Picture
from nclib.tests import looks

from .chromium import DESKTOP, open_page

PIXEL = 0.11  # coordinates are written with one decimal
GROUNDS = {"light": (255, 255, 255), "dark": (18, 18, 18)}
NUMBER = re.compile(r"-?\d+\.?\d*")


@dataclass(frozen=True)
class Kind:
    """An explorer as the tests see it."""

    make: Callable[[], Explorer]
    picture: Callable[[Mapping[str, float | bool | str]], Picture]
    data: Mapping[str, object]  # what reaches the script
    pictures: int  # that show without a script

    @classmethod
    def of(cls, make: Callable[[], Explorer], module: ModuleType) -> Kind:
        """One whose pictures all have axes, and that needs nothing but its setting."""
        frames = module.FRAMES.values()
        return cls(make, module.picture, {f.name: f.data() for f in frames}, len(frames))


KINDS = {
    "flow": Kind.of(explorers.flow, flows),
    "landscape": Kind.of(explorers.landscape, landscapes),
    "portrait": Kind(looks.portrait, looks.picture, looks.LOOKS.data(), pictures=2),
    "rescaled": Kind.of(explorers.rescaled, rescalings),
}


# Scripts that are set as a part of some text do not run; a notebook replaces them by copies.
OUTPUT = """(html) => {
    const cell = document.createElement("div");
    cell.innerHTML = html;
    for (const script of cell.querySelectorAll("script")) {
        const copy = document.createElement("script");
        for (const { name, value } of script.attributes) copy.setAttribute(name, value);
        copy.textContent = script.textContent;
        script.replaceWith(copy);
    }
    document.body.append(cell);
}"""


def show_as_output(tab: Tab, html: str) -> None:
    """Add HTML to a page as a notebook shows an output, scripts copied before it is there."""
    tab.evaluate(OUTPUT, html)


LEFT_BEHIND = "Object.keys(window).filter((key) => !before.includes(key))"


def side_by_side(parts: Iterable[Explorer], path: Path) -> Path:
    """A page of several explorers and a word of its own, which knows its globals before them."""
    head = "<!doctype html><title>t</title><p id=p>text</p>"
    head += "<script>before = ['before', ...Object.keys(window)]</script>"
    path.write_text(head + "".join(part.html for part in parts), encoding="utf-8")
    return path


def alone(browser: Browser, page: Path) -> Iterator[Tab]:
    """A page on a wide window; complaints and other pages asked for fail the test at its end."""
    tab, visit = open_page(browser, page, DESKTOP)
    yield tab
    tab.close()
    assert (visit.requests, visit.complaints) == ({page.as_uri()}, [])


def inks(tab: Tab, but: str = "") -> set[str]:
    """The colors in which an explorer's paths are drawn, filled ones included, but for a grid."""
    return set(
        tab.evaluate(
            f"""() => [...document.querySelectorAll("svg path:not(.nc-grid){but}")]
                .map((path) => getComputedStyle(path))
                .map(({{ stroke, fill }}) => stroke === "none" ? fill : stroke)"""
        )
    )


def faintest(colors: Iterable[str], scheme: str) -> float:
    """The least contrast of these colors with the page, light or dark."""
    return min(contrast(channels(color), GROUNDS[scheme]) for color in colors)


def calculate(tab: Tab, code: str, grid: object) -> Any:
    """What JavaScript returns that finds ``grid`` defined."""
    return tab.evaluate(f"(text) => {{ const grid = JSON.parse(text);\n{code} }}", json.dumps(grid))


@dataclass
class Stage:
    """A page with explorers in it, and how to look at them."""

    tab: Tab

    @property
    def paths(self) -> dict[str, str]:
        """All paths of the first explorer, and where its labels stand, by name."""
        return self.tab.evaluate(
            """() => {
                const first = document.querySelector("[data-explorer]");
                const drawn = [...first.querySelectorAll("[data-line]")].map((one) =>
                    [one.dataset.line, one.getAttribute(one.dataset.attribute || "d")]);
                return Object.fromEntries(drawn);
            }"""
        )

    @property
    def setting(self) -> dict[str, float]:
        """Where the sliders of the first explorer stand, by name."""
        return self.tab.evaluate(
            """() => {
                const first = document.querySelector("[data-explorer]");
                const sliders = [...first.querySelectorAll("input[type=range]")];
                return Object.fromEntries(sliders.map((one) => [one.name, Number(one.value)]));
            }"""
        )

    @property
    def sentence(self) -> str:
        return self.tab.locator("[data-explorer] output").first.inner_text()


def press(tab: Tab, name: str) -> None:
    """Click the first button with this name."""
    tab.get_by_role("button", name=name, exact=True).first.click()


def word(tab: Tab, name: str) -> str:
    """What stands at a named place."""
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


def step(slider: Locator) -> None:
    """Move a slider by two of its steps with the keyboard, backwards where it is at its end."""
    at_end = slider.evaluate("(one) => one.value === one.max")
    for _ in range(2):
        slider.press("ArrowLeft" if at_end else "ArrowRight")


def same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two pictures, paths by name, agree to a tenth of a pixel."""
    shape = {key: NUMBER.sub("", path) for key, path in one.items()}
    if shape != {key: NUMBER.sub("", path) for key, path in other.items()}:
        return False
    pairs = (zip(numbers(path), numbers(other[key]), strict=True) for key, path in one.items())
    return all(abs(a - b) < PIXEL for pair in pairs for a, b in pair)


def numbers(path: str) -> list[float]:
    return [float(one) for one in NUMBER.findall(path)]


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
