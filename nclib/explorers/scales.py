"""Axes that follow the numbers on them: a range, and ticks that are easy to read.

Only sums, products, quotients and square roots of the numbers are used, and powers of ten are
read from text: so Python and a script come to the same ticks, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from .frame import LEFT, TOP, Axis, Frame, numeral

__all__ = ["MOST", "Tick", "drawable", "epochs_axis", "grid", "ticks", "value_axis"]

TEN = math.sqrt(10)
AIR = 1.2  # between the outermost number and the edge of a logarithmic axis
EDGE = 1.15  # between the last epoch and the end: a mark there needs room
FEWEST = 4  # steps of a linear axis, about

MOST = 8  # ticks of an axis

Tick = tuple[str, str]
"""A place, as an attribute of SVG, and what is written there."""


def drawable(value: float, *, log: bool) -> bool:
    """Whether a number has a place on such an axis."""
    return math.isfinite(value) and (not log or value > 0)


def value_axis(values: Iterable[float], label: str, *, log: bool) -> Axis | None:
    """An upright axis on which these numbers fit; None where none of them has a place."""
    fit = [value for value in values if drawable(value, log=log)]
    if not fit:
        return None
    return (_logarithmic if log else _linear)(min(fit), max(fit), label)


def epochs_axis(last: int) -> Axis:
    """From the first epoch to the last, logarithmic."""
    low, high = 0.96, max(last, 2) * EDGE
    return Axis(low, high, _decades(low, high), "epoch", log=True)


def _logarithmic(low: float, high: float, label: str) -> Axis:
    """At least one decade, so that noise is not blown up to a trend."""
    if high < 10 * low:
        middle = math.sqrt(low * high)
        low, high = middle / TEN, middle * TEN
    low, high = low / AIR, high * AIR
    return Axis(low, high, _decades(low, high), label, log=True)


def _decades(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten; on short axes 3, or 2 and 5, times them as well."""
    first, last = _exponent(low), _exponent(high)
    parts = (1, 2, 5) if high <= 30 * low else (1, 3) if high <= 1000 * low else (1,)
    stride = -(-(last - first) // 5) if parts == (1,) else 1
    chosen = (power for power in range(first, last + 1) if power % stride == 0)
    marks = (float(f"{part}e{power}") for power in chosen for part in parts)
    return tuple(mark for mark in marks if low <= mark <= high)


def _linear(low: float, high: float, label: str) -> Axis:
    """Steps of 1, 2, 2.5 or 5 times a power of ten, which three digits can tell apart.

    Where there is one number alone, the axis begins at zero.
    """
    if low == high:
        low, high = (min(low, 0), max(high, 0)) if low else (0, 1)
    size = max(abs(low), abs(high), 1e-9)
    power = _exponent(size)
    digits = 3 if size == float(f"1e{power}") else 2  # 100 is the end of 99.8, 99.9
    least = float(f"1e{power - digits}")
    raw = max((high - low) / FEWEST, least)
    unit = float(f"1e{_exponent(raw)}")
    parts = (1, 2, 2.5, 5, 10) if unit > least else (1, 2, 5, 10)
    step = next(part * unit for part in parts if part * unit >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        first -= 1
    marks = tuple(k * step for k in range(first, last + 1))
    return Axis(marks[0], marks[-1], marks, label)


def _exponent(value: float) -> int:
    """The power of ten of a positive number's first digit; a logarithm could be a hair off."""
    return Decimal(repr(value)).adjusted()


def grid(frame: Frame | None) -> str:
    """All lines of the grid as one path, in the pixels of the plot; none without axes."""
    if frame is None:
        return ""
    width, height = frame.size
    upright = (f"M{frame.place(tick, frame.y.low)[0]:.1f} 0v{height}" for tick in frame.x.ticks)
    across = (f"M0 {frame.place(frame.x.low, tick)[1]:.1f}h{width}" for tick in frame.y.ticks)
    return "".join((*upright, *across))


def ticks(frame: Frame | None) -> dict[str, Tick]:
    """What stands along the axes, in the pixels of the picture: ``MOST`` places for each of them.

    Those that are not needed are empty.
    """
    found = {f"{axis}{k}": ("translate(0 0)", "") for axis in "xy" for k in range(MOST)}
    if frame is None:
        return found
    for k, tick in enumerate(frame.x.ticks):
        x, _ = frame.place(tick, frame.y.low)
        found[f"x{k}"] = _tick(LEFT + x, TOP + frame.size[1] + 16, tick)
    for k, tick in enumerate(frame.y.ticks):
        _, y = frame.place(frame.x.low, tick)
        found[f"y{k}"] = _tick(LEFT - 5, TOP + y + 4, tick)
    return found


def _tick(x: float, y: float, value: float) -> Tick:
    """A numeral that fits beside an axis, and where it stands."""
    return f"translate({x:.1f} {y:.1f})", numeral(value).replace(" × ", "·")
