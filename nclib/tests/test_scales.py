"""The axes that an explorer chooses: every number lies on them, and their ticks can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nclib.explorers.scales import MOST, epochs_axis, notation, value_axis

from .tolerances import EXACT


@given(st.lists(st.floats(1e-9, 1e9) | st.sampled_from([1e-3, 1.0, 10.0, 1e4]), min_size=1))
def test_logarithmic_axes_hold_their_numbers(values):
    """Every number lies on the axis, a decade is shown at least, and ticks are few and distinct."""
    axis = value_axis(values, "", log=True)
    assert axis and axis.low < min(values) and max(values) < axis.high
    assert axis.high >= 10 * axis.low
    check_ticks(axis)


@given(st.lists(st.floats(-1, 1) | st.sampled_from([0.0, 1.0]), min_size=1), st.booleans())
def test_linear_axes_hold_their_numbers(values, percent):
    """Every number lies on the axis, up to rounding of its ends; ticks can be told apart."""
    values = [abs(100 * x) if percent else x for x in values]
    axis = value_axis(values, "", log=False)
    assert axis and axis.low <= min(values) + EXACT and max(values) <= axis.high + EXACT
    check_ticks(axis)


@pytest.mark.parametrize("ratio", [1.0, 1.5, 3.0, 6.0, 9.0, 11.0])
def test_logarithmic_axes_show_a_decade(ratio):
    """Noise is not blown up to a trend: numbers close to each other stay in the middle."""
    axis = value_axis([0.02, 0.02 * ratio], "", log=True)
    assert axis and axis.high >= 10 * axis.low
    assert axis.fraction(0.02) == pytest.approx(1 - axis.fraction(0.02 * ratio), abs=EXACT)


@given(st.integers(1, 10**6))
def test_epochs_have_ticks(last):
    """The first and the last epoch lie on the axis."""
    axis = epochs_axis(last)
    assert axis.low < 1 and last < axis.high
    check_ticks(axis)


def check_ticks(axis):
    assert 2 <= len(axis.ticks) <= MOST
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert list(axis.ticks) == sorted(set(axis.ticks))
    names = notation(axis.ticks)
    assert len(set(names)) == len(names)
    small = [name for name, tick in zip(names, axis.ticks, strict=True) if 0 < abs(tick) < 1]
    assert len({"10" in name and name[:2] not in ("0.", "−0") for name in small}) <= 1, names
