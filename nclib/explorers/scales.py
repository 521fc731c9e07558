"""Axes that follow the numbers on them: a range, and ticks that are easy to read.

Only sums, products, quotients and square roots of the numbers are used, and powers of ten are
read from text: so Python and a script come to the same ticks, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

from .frame import LEFT, RAISED, THREE_DIGITS, TOP, Axis, Frame

__all__ = ["MOST", "Tick", "drawable", "epochs_axis", "grid", "notation", "ticks", "value_axis"]

TEN = math.sqrt(10)
AIR = 1.2  # between the outermost number and the edge of a logarithmic axis
EDGE = 1.15  # between the last epoch and the end: a mark there needs room
FEWEST = 4  # steps of a linear axis, about

MOST = 8  # ticks of an axis
LONGEST = 6  # characters of a numeral that has room beside an axis
SMALLEST, LARGEST = 1e-4, 1e5  # of what is written as a decimal there

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
    across, upright = notation(frame.x.ticks), notation(frame.y.ticks)
    for k, tick in enumerate(frame.x.ticks):
        x, _ = frame.place(tick, frame.y.low)
        found[f"x{k}"] = _tick(LEFT + x, TOP + frame.size[1] + 16, across[k])
    for k, tick in enumerate(frame.y.ticks):
        _, y = frame.place(frame.x.low, tick)
        found[f"y{k}"] = _tick(LEFT - 5, TOP + y + 4, upright[k])
    return found


def _tick(x: float, y: float, text: str) -> Tick:
    return f"translate({x:.1f} {y:.1f})", text


def notation(marks: Sequence[float]) -> list[str]:
    """What stands along an axis, in one notation: decimals where all are short, else powers.

    Numbers from 1 to 1000 are no powers even then.

    >>> notation((5e-4, 1e-3, 2e-3)), notation((1e-6, 1e-3, 1.0))
    (['0.0005', '0.001', '0.002'], ['10⁻⁶', '10⁻³', '1'])
    """
    sizes = [float(THREE_DIGITS.create_decimal(abs(mark))) for mark in marks]
    decimals = [f"{size:.10g}" for size in sizes]
    plain = all(
        not size or (SMALLEST <= size < LARGEST and len(text) <= LONGEST)
        for size, text in zip(sizes, decimals, strict=True)
    )
    found = []
    for mark, size, text in zip(marks, sizes, decimals, strict=True):
        whole = plain or not size or 1 <= size < 1000
        found.append(("−" if mark < 0 and size else "") + (text if whole else _power(size)))
    return found


def _power(size: float) -> str:
    """A positive number as a power of ten, with what it is multiplied by."""
    digits, power = f"{size:.2e}".split("e")
    raised = f"10{str(int(power)).translate(RAISED)}"
    return raised if float(digits) == 1 else f"{float(digits):g}·{raised}"
