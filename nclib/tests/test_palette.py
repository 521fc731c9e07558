"""The palette: every quantity can be told from every other, also without full color vision."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nclib.metrics import METRICS
from nclib.palette import COLORS, KEY, PANELS, TERMS, look, shade

# Simulation of full protanopia, deuteranopia and tritanopia on linear RGB (Machado et al. 2009).
VISION = {
    "full": np.eye(3),
    "red-blind": np.array(
        [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
    ),
    "green-blind": np.array(
        [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
    ),
    "blue-blind": np.array(
        [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]
    ),
}
TO_XYZ = np.array([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]])


def linear(color: str) -> np.ndarray:
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab: equal distances are about equally visible."""
    x, y, z = np.cbrt(TO_XYZ @ rgb.clip(0, 1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one: str, other: str, vision: str) -> float:
    first, second = (lab(VISION[vision] @ linear(c)) for c in (one, other))
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("vision", VISION)
def test_quantities_stay_apart(vision):
    """Any two colors differ visibly; those that share a picture differ clearly."""
    together = [set(TERMS), set(KEY)]
    for one, other in combinations(COLORS, 2):
        least = 16 if any({one, other} <= group for group in together) else 10
        assert apart(COLORS[one], COLORS[other], vision) > least, (one, other)


@pytest.mark.parametrize("name", COLORS)
def test_colors_show_on_white(name):
    """Contrast to the white card is near 3 : 1 or more."""
    luminance = float(np.array([0.2126, 0.7152, 0.0722]) @ linear(COLORS[name]))
    assert 1.05 / (luminance + 0.05) > 2.7


def test_lines_of_a_picture_differ_without_color():
    """No two terms, nor two metrics drawn together, share dash and mark."""
    for lines in (TERMS.values(), [look("", k) for k in range(4)]):
        looks = [(line["linestyle"], line["marker"], line.get("linewidth")) for line in lines]
        assert len(set(looks)) == len(looks)
    means, classifier = (look(f"norm_spread_{v}", 0) for v in ("means", "classifier"))
    assert means["color"] == COLORS["means"] and classifier["color"] == COLORS["classifier"]
    assert means["linestyle"] != classifier["linestyle"]


def test_every_quantity_has_its_look():
    """Terms and the portrait's quantities have a color each; the panel shows what there is."""
    assert set(TERMS) | set(KEY) == set(COLORS)
    assert {name for names in PANELS.values() for name in names} <= set(METRICS)


def test_shades_go_from_dark_to_light():
    """Three shades of one color, the middle one the color itself."""
    dark, same, light = (linear(shade(COLORS["means"], k)) for k in range(3))
    assert (dark <= same).all() and (same <= light).all() and not np.allclose(dark, light)
    assert shade(COLORS["means"], 1) == COLORS["means"].lower()
