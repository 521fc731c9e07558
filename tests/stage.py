"""An explorer on a page: its pictures and words, compared with those that Python draws."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from playwright.sync_api import Page as Tab

from nclib.explorers import flows, landscapes, rescalings

MODULES: dict[str, ModuleType] = {
    "flow": flows,
    "landscape": landscapes,
    "rescaled": rescalings,
}
PIXEL = 0.11  # coordinates are written with one decimal
NUMBER = re.compile(r"-?\d+\.?\d*")


def calculate(tab: Tab, code: str, grid: object) -> Any:
    """What JavaScript returns that finds ``grid`` defined."""
    return tab.evaluate(f"(text) => {{ const grid = JSON.parse(text);\n{code} }}", json.dumps(grid))


@dataclass
class Stage:
    """A page with explorers in it, and how to look at them."""

    tab: Tab

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
