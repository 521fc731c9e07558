"""The loss as a function of the SNR values, and their projected flow in closed form."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import decompose, least_squares
from nclib.theory.central_path import CentralPath, loss, loss_parts, snr

from .samples import random_sample
from .tolerances import EXACT, ITERATED, TIGHT

sizes = st.tuples(st.integers(2, 6), st.integers(1, 50))
starts = st.floats(1e-6, 1e3)
TIMES = torch.cat([torch.zeros(1), torch.logspace(-6, 12, 60, dtype=torch.float64)]).double()


def path_from(size, start):
    """Values spread over a factor of four around a start, for (C, N)."""
    C, N = size
    return CentralPath(C, N, start * torch.linspace(2, 0.5, C - 1, dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(1, 7), st.integers(0, 99))
def test_loss_of_the_best_head_follows_from_the_values(C, d, seed):
    """With equal classes both parts of L_LS without ridge are sums over the SNR values."""
    stats = random_sample(seed, C, d, d + 3, offset=2.0).stats
    omega = snr(stats).omega
    terms = decompose(stats, least_squares(stats, 0), 0)
    nc1, nc23 = loss_parts(omega, C)
    assert float(nc1) == pytest.approx(terms.nc1, rel=TIGHT)
    assert float(nc23) == pytest.approx(terms.nc23, rel=TIGHT)
    assert float(loss(omega, C)) == pytest.approx(terms.least_squares, rel=TIGHT)


def test_loss_is_the_limit_of_a_small_ridge():
    """A vanishing ridge adds a loss proportional to itself."""
    stats = random_sample(1, 4, 5, 9).stats
    limit = float(loss(snr(stats).omega, 4))
    above = [
        decompose(stats, least_squares(stats, r), r).least_squares - limit for r in (1e-4, 1e-6)
    ]
    assert 0 < above[1] < above[0] and above[0] / above[1] == pytest.approx(100, rel=0.01)


def test_parts_split_as_omega_squared_to_the_number_of_classes():
    """Each value pays omega^2 : C, spread against means; sums go over the last dimension."""
    omega = torch.linspace(0, 9, 84, dtype=torch.float64).reshape(3, 7, 4)
    nc1, nc23 = loss_parts(omega, 5)
    assert nc1.shape == (3, 7)
    assert torch.allclose(nc1 + nc23, loss(omega, 5), rtol=EXACT)
    one = loss_parts(torch.tensor([3.0, 0.0, 0.0, 0.0], dtype=torch.float64), 5)
    rest = loss_parts(torch.zeros(4, dtype=torch.float64), 5)
    assert float(one[0] / (one[1] - 3 / 4 * rest[1])) == pytest.approx(9 / 5, rel=EXACT)


@settings(max_examples=40, deadline=None)
@given(sizes, starts)
def test_the_implicit_law_holds(size, start):
    """c1 log omega + c2 omega^2 + c3 omega^4 grows by t, from t = 0 to 1e12, to 1e-9."""
    path = path_from(size, start)
    omega = path.at(TIMES)
    c1, c2, c3 = path.constants
    law = c1 * omega.log() + c2 * omega**2 + c3 * omega**4
    error = (law - law[0] - TIMES[:, None]).abs()
    # Rounding of the sum itself, and of omega: no double knows its own logarithm better.
    rounding = c1 * (1 + omega.log().abs() + law[0].abs() / c1) + c2 * omega**2 + c3 * omega**4
    assert bool((error <= TIGHT * TIMES[:, None] + EXACT * rounding).all())


@settings(max_examples=25, deadline=None)
@given(sizes, starts)
def test_time_to_is_the_inverse(size, start):
    """time_to(at(t)) = t, down to what a change of omega in its last digit amounts to."""
    path = path_from(size, start)
    omega = path.at(TIMES)
    error = (path.time_to(omega) - TIMES[:, None]).abs()
    assert bool((error <= TIGHT * TIMES[:, None] + EXACT * omega / path.rate(omega)).all())


@settings(max_examples=25, deadline=None)
@given(sizes, starts, st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_flow_can_be_interrupted(size, start, first, second):
    """Going on from the values at t1 for t2 is going on for t1 + t2; time 0 changes nothing."""
    path = path_from(size, start)
    assert torch.equal(path.at(0.0), path.omega)
    halfway = CentralPath(size[0], size[1], path.at(first))
    assert torch.allclose(halfway.at(second), path.at(first + second), rtol=TIGHT)


def test_rate_is_the_slope_of_the_flow():
    """A central difference of at() is rate()."""
    path = path_from((5, 7), 1.3)
    times = torch.tensor([1.0, 30.0, 1e4], dtype=torch.float64)
    h = 1e-4 * times
    slope = (path.at(times + h) - path.at(times - h)) / (2 * h[:, None])
    assert torch.allclose(slope, path.rate(path.at(times)), rtol=ITERATED)


def test_values_grow_and_become_equal():
    """omega / (4t/N)^(1/4) and all ratios tend to 1, and the order is kept."""
    path = path_from((6, 11), 1.0)
    omega = path.at(torch.logspace(0, 12, 50, dtype=torch.float64))
    assert float(((4e12 / 11) ** 0.25 / omega[-1] - 1).abs().max()) < 1e-4
    ratio = omega[:, 0] / omega[:, -1]
    assert bool((ratio[1:] < ratio[:-1]).all()) and ratio[-1] - 1 < 1e-8


def test_coinciding_classes_stay_together():
    """A value of zero stays zero, and no time takes it elsewhere."""
    path = CentralPath(3, 4, torch.tensor([1.0, 0.0]))
    assert path.at(TIMES)[:, 1].eq(0).all() and path.at(1e12)[0] > 100
    assert path.time_to(torch.tensor([1.0, 1.0]))[1] == float("inf")


def test_flow_of_a_sample():
    """from_stats takes C, N and the values; shapes follow the times."""
    sample = random_sample(2, 4, 6, 8)
    path = CentralPath.from_stats(sample.stats)
    assert (path.num_classes, path.per_class) == (4, 8)
    assert path.at(1.0).shape == (3,) and path.at(torch.ones(2, 5)).shape == (2, 5, 3)


def test_unequal_classes_are_refused():
    """The flow's formula is for classes of one size; the sizes are named."""
    with pytest.raises(ValueError, match="classes of equal size, got 6 to 9 samples"):
        CentralPath.from_stats(random_sample(2, 3, 2, [6, 9, 7]).stats)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: CentralPath(1, 2, torch.ones(0)), "num_classes: expected at least 2, got 1"),
        (lambda: CentralPath(3, 0, torch.ones(2)), "per_class: expected at least 1, got 0"),
        (lambda: CentralPath(3, 1, torch.ones(3)), r"expected \(..., 2\) for C = 3 .* got \(3,\)"),
        (lambda: CentralPath(3, 1, torch.ones(1, 2)), r"omega: expected \(C-1,\), got \(1, 2\)"),
        (lambda: CentralPath(2, 1, -torch.ones(1)), r"omega: expected 0 or values from 1e-70"),
        (lambda: CentralPath(2, 1, torch.ones(1)).at(-1.0), "times: expected finite times >= 0"),
        (lambda: CentralPath(2, 1, torch.ones(1)).time_to(0.0), "omega: expected values > 0"),
        (lambda: loss(torch.ones(4), 4), r"omega: expected \(..., 3\) for C = 4 classes"),
        (lambda: loss_parts(torch.tensor(1.0), 2), r"omega: expected \(..., 1\)"),
    ],
)
def test_front_door(call, words):
    """What does not fit is named, with what was expected."""
    with pytest.raises(ValueError, match=words):
        call()
