"""Pictures on the built pages: legible in the dark, moved by their sliders, light on paper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from matplotlib import image as pictures
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from .chromium import DESKTOP, PHONE, needs_chromium, open_page
from .stage import channels, contrast, step
from .tree import pages_in_contents

NAMES = [path.stem for path in pages_in_contents()]
LEGIBLE = 4.5  # contrast of the darkest ink with the ground, as for text

pytestmark = needs_chromium


@dataclass(frozen=True)
class Shown:
    """An image as a page shows it: its file, and the color that is laid under it."""

    path: Path
    ground: tuple[int, ...]


def shown(tab: Tab) -> list[Shown]:
    """The raster images of a page, each on the first ground below it that is not see-through."""
    found = tab.evaluate(
        """() => [...document.querySelectorAll(".bd-article img")].map((img) => {
            let place = img;
            const ground = () => getComputedStyle(place).backgroundColor;
            while (place.parentElement && /, 0\\)$/.test(ground())) place = place.parentElement;
            return [img.src, ground()];
        })"""
    )
    return [
        Shown(Path(unquote(urlsplit(address).path)), channels(ground))
        for address, ground in found
        if address.endswith(".png")
    ]


def clearest(picture: Shown) -> float:
    """The contrast with its ground that three pixels in a thousand reach: text and axes do."""
    pixels = pictures.imread(picture.path)[::3, ::3].reshape(-1, 4)
    opacity = pixels[:, 3:]
    mixed = 255 * pixels[:, :3] * opacity + np.array(picture.ground) * (1 - opacity)
    colors, counts = np.unique(mixed.round().astype(int), axis=0, return_counts=True)
    ground = tuple(colors[counts.argmax()])
    ratios = np.array([contrast(tuple(color), ground) for color in colors])
    order = np.argsort(-ratios)
    reached = np.searchsorted(np.cumsum(counts[order]), 0.003 * counts.sum())
    return float(ratios[order[min(reached, len(order) - 1)]])


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_legible_in_the_dark(browser: Browser, html: Path, name: str) -> None:
    """On a dark page every image keeps ink that stands out like text from what lies under it."""
    tab = browser.new_page(viewport={"width": DESKTOP, "height": 844}, color_scheme="dark")
    try:
        tab.route("**/mathjax/**", lambda route: route.abort())  # no picture is a formula
        tab.goto((html / "book" / f"{name}.html").as_uri(), wait_until="load")
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        faint = {one.path.name: clearest(one) for one in shown(tab) if clearest(one) < LEGIBLE}
        assert faint == {}
    finally:
        tab.close()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_sliders_on_the_pages_move_the_pictures(browser: Browser, html: Path, width: int) -> None:
    """Every explorer of the book is awake on its page, and each of its sliders changes it."""
    still, seen = [], 0
    for path in sorted((html / "book").glob("*.html")):
        if "data-explorer=" not in path.read_text(encoding="utf-8"):
            continue
        tab, visit = open_page(browser, path, width)
        try:
            for one in tab.locator("[data-explorer]").all():
                seen += 1
                assert one.get_attribute("data-awake") is not None
                for slider in one.locator("input[type=range]").all():
                    before = one.inner_html()
                    step(slider)
                    if one.inner_html() == before:
                        still.append(f"{path.name}: {slider.get_attribute('name')}")
            assert visit.complaints == []
        finally:
            tab.close()
    assert still == []
    assert seen >= 6


# The checks can fail. ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ink", "expected"), [((0, 0, 0), 21.0), ((255, 255, 255), 1.0)], ids=["black", "white"]
)
def test_faint_pictures_are_seen(
    tmp_path: Path, ink: tuple[int, int, int], expected: float
) -> None:
    """Black lines on clear film stand out from a white card; white lines do not."""
    film = np.zeros((60, 60, 4))
    film[20:23, :, :3], film[20:23, :, 3] = np.array(ink) / 255, 1
    pictures.imsave(tmp_path / "film.png", film)
    ratio = clearest(Shown(tmp_path / "film.png", (255, 255, 255)))
    assert math.isclose(ratio, expected, rel_tol=0.01)
