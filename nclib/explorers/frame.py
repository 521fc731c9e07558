"""Axes of an explorer's picture: where a number lies, drawn once and never again.

The axes of an explorer do not move with its settings, so that one can see what does. A point off
the picture is kept at a fixed distance outside of it, where the plot's own window hides it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context

__all__ = ["Axis", "Frame", "numeral"]

WIDTH, HEIGHT = 360, 250  # of a picture, in its own pixels: those of a phone
LEFT, RIGHT, TOP, BOTTOM = 44, 18, 24, 40
BEYOND = 2.0  # how far outside a point may lie, in units of the plot
THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)  # as JavaScript rounds
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def numeral(value: float) -> str:
    """Three digits, as one would write them by hand.

    >>> [numeral(x) for x in (0.25, 12250.0, 3.2e-7, 1e6, math.inf)]
    ['0.25', '12300', '3.2 × 10⁻⁷', '10⁶', '∞']
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    sign, size = ("−" if value < 0 else ""), float(THREE_DIGITS.create_decimal(abs(value)))
    if size == 0 or 1e-3 <= size < 1e5:
        return f"{sign if size else ''}{size:.10g}"
    digits, power = f"{size:.2e}".split("e")
    raised = f"10{str(int(power)).translate(RAISED)}"
    return sign + (raised if float(digits) == 1 else f"{float(digits):g} × {raised}")


@dataclass(frozen=True)
class Axis:
    """A range of numbers with the ticks to be shown; ``log`` axes hold positive ones."""

    low: float
    high: float
    ticks: tuple[float, ...]
    label: str
    log: bool = False

    def fraction(self, value: float) -> float:
        """0 at the low end, 1 at the high end, and not further out than ``BEYOND``."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, -BEYOND), 1 + BEYOND)


@dataclass(frozen=True)
class Frame:
    """The axes of one picture and the window that the lines are drawn in."""

    name: str
    x: Axis
    y: Axis

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the window."""
        return WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels from the upper left corner of the window."""
        width, height = self.size
        return width * self.x.fraction(x), height * (1 - self.y.fraction(y))

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        """A broken line through points of the axes; empty for none."""
        places = (self.place(*point) for point in points)
        joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        return f"M{joined}" if joined else ""

    def dot(self, x: float, y: float) -> str:
        """A small circle around a point of the axes."""
        across, down = self.place(x, y)
        return f"M{across:.1f} {down - 5:.1f}a5 5 0 0 1 0 10a5 5 0 0 1 0 -10Z"

    def area(self) -> str:
        """The window as attributes of an inner svg element, which hides what lies outside."""
        width, height = self.size
        return f'x="{LEFT}" y="{TOP}" width="{width}" height="{height}"'

    def data(self) -> dict[str, object]:
        """What a script needs to place points in the same way."""
        axes = {"x": self.x, "y": self.y}
        ends = {key: (axis.low, axis.high, axis.log) for key, axis in axes.items()}
        return {"size": self.size, **ends}

    def markup(self) -> str:
        """Grid, tick labels and the names of the axes as SVG."""
        width, height = self.size
        parts = [_text(LEFT - 38, TOP - 10, self.y.label, "nc-start")]
        parts.append(_text(WIDTH - RIGHT, HEIGHT - 6, self.x.label, "nc-end"))
        for tick in self.x.ticks:
            x = LEFT + width * self.x.fraction(tick)
            parts.append(f'<path class="nc-grid" d="M{x:.1f} {TOP}v{height}"/>')
            parts.append(_text(x, TOP + height + 16, numeral(tick), "nc-mid"))
        for tick in self.y.ticks:
            y = TOP + height * (1 - self.y.fraction(tick))
            parts.append(f'<path class="nc-grid" d="M{LEFT} {y:.1f}h{width}"/>')
            parts.append(_text(LEFT - 5, y + 4, numeral(tick), "nc-end"))
        return "\n".join(part for part in parts if part)


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{words}</text>' if words else ""
