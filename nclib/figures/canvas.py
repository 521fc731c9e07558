"""What every figure stands on: the book's style for a while, an empty figure, plain ticks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rcParams
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ..palette import style

__all__ = ["label_ticks", "new_figure", "styled"]


@contextmanager
def styled() -> Iterator[None]:
    """The book's style for a while.

    Not rc_context: it restores *all* settings, and a notebook's first figure turns the interactive
    mode on inside of it; every later figure of that notebook would then silently not be shown.
    """
    before = {name: rcParams[name] for name in style()}
    rcParams.update(style())
    try:
        yield
    finally:
        rcParams.update(before)


def new_figure(width: float, height: float, layout: str | None = "constrained") -> Figure:
    from matplotlib import pyplot as plt

    return plt.figure(figsize=(width, height), layout=layout)


def label_ticks(axis: Axis, widest: float) -> None:
    """Plain numbers at 1 and 3 of each decade, or more where the axis is short."""
    low, high = axis.get_view_interval()
    if high <= widest * low:
        axis.set_major_locator(LogLocator(subs=(1, 3) if high > 8 * low else (1, 2, 3, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
