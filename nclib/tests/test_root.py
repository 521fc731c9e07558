"""The root solver: whatever increasing function, in whatever bracket, entry by entry."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nclib.root import solve_increasing

from .tolerances import EXACT


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@given(st.sampled_from([1, 2, 3, 7]), st.lists(st.floats(1e-8, 1e8), min_size=1, max_size=5))
def test_powers_are_inverted(power, roots):
    """A convex function gives back every root, of any size, in one call."""
    roots = tensor(*roots)
    found = solve_increasing(
        lambda x: (x**power, power * x ** (power - 1)), roots**power, 0 * roots, 1e10 + 0 * roots
    )
    assert torch.allclose(found, roots, rtol=EXACT, atol=0)


@given(st.lists(st.floats(-1.5, 1.5), min_size=1, max_size=5))
def test_functions_that_newton_alone_cannot_invert(angles):
    """For arctan far out Newton overshoots; the bracket brings it back."""
    found = solve_increasing(
        lambda x: (x.atan(), 1 / (1 + x * x)), tensor(*angles), tensor(-1e6), tensor(1e6)
    )
    assert torch.allclose(found, tensor(*angles).tan(), rtol=EXACT, atol=EXACT)


def test_a_flat_place_on_the_way():
    """Where the slope vanishes on the way, and at the root itself, bisection goes on."""
    found = solve_increasing(
        lambda x: ((x - 1) ** 3, 3 * (x - 1) ** 2),
        tensor(8.0, -8.0, 0.0),
        tensor(-5.0),
        tensor(5.0),
    )
    assert torch.allclose(found, tensor(3.0, -1.0, 1.0), rtol=1e-5)  # flat: f cannot tell better


def test_targets_outside_the_bracket_give_its_ends():
    """Values that f does not reach are answered by the nearer end."""
    found = solve_increasing(
        lambda x: (x.exp(), x.exp()), tensor(0.1, 100.0), tensor(-1.0), tensor(2.0)
    )
    assert torch.allclose(found, tensor(-1.0, 2.0), rtol=EXACT)


def test_an_undefined_entry_stays_undefined_and_alone():
    """NaN in one place is NaN there, and the others are still solved."""
    found = solve_increasing(
        lambda x: (x**2, 2 * x), tensor(4.0, math.nan, 9.0), tensor(0.0), tensor(10.0)
    )
    assert found.isnan().tolist() == [False, True, False]
    assert torch.allclose(found[[0, 2]], tensor(2.0, 3.0), rtol=EXACT)


def test_few_rounds_for_a_convex_function():
    """From a good upper end Newton needs a handful of rounds, however many entries."""
    rounds = 0

    def exponential(x):
        nonlocal rounds
        rounds += 1
        return x.exp(), x.exp()

    target = torch.logspace(0, 9, 1000, dtype=torch.float64)
    found = solve_increasing(exponential, target, 0 * target, target.log() + 1)
    assert torch.allclose(found, target.log(), rtol=EXACT, atol=EXACT)
    assert rounds <= 7


def test_an_upside_down_bracket_is_named():
    """A low end above the high one is an error in words."""
    with pytest.raises(ValueError, match="low: expected no entry above that of high"):
        solve_increasing(lambda x: (x, 1 + 0 * x), tensor(0.0), tensor(1.0), tensor(0.0))
