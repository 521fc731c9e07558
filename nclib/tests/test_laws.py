"""Laws of shape: closed flows at equal times, integrated speeds, invariances, limits, ranges."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torch import Tensor

from nclib.theory.central_path import CentralPath
from nclib.theory.laws import FREE, Law, Power, TwoSpeed, Whitened
from nclib.theory.two_speeds import RenormalizedPath, TwoSpeedPath

from .tolerances import EXACT, ITERATED, TIGHT

LAWS = [*FREE.values(), TwoSpeed(0.3), TwoSpeed(1e-9), TwoSpeed(1.0), Power(0.55), Power(4.0)]
START = torch.tensor([3.0, 1.2, 0.4], dtype=torch.float64)
TIMES = torch.tensor([0.0, 3.0, 50.0, 1000.0], dtype=torch.float64)
values = st.lists(st.floats(1e-2, 100), min_size=2, max_size=6)
laws = st.sampled_from(LAWS)


def double(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize(
    "law, path",
    [
        (FREE["projected"], CentralPath(4, 5, START).at(TIMES)),
        (Whitened(), RenormalizedPath(4, 5, START, 1.0).at(TIMES)),
        (FREE["plain"], TwoSpeedPath(4, 5, START, 1.0, torch.ones(3)).at(TIMES)),
        *(
            (TwoSpeed(r), TwoSpeedPath(4, 5, START, r, torch.ones(3)).at(TIMES))
            for r in (0.0, 1e-9, 0.02, 0.36, 1.0)
        ),
    ],
)
def test_closed_flows_at_equal_times(law: Law, path: Tensor) -> None:
    """Each theorem's flow obeys its law of shape, from the first moment on and from the last."""
    close(law.predict(path[0], path[:, 0], 4), path, TIGHT)
    close(law.predict(path[-1], path[:, 0], 4), path, TIGHT)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_integrated_speeds(law: Law) -> None:
    """What `rate` integrates to is what `predict` says."""

    def velocity(_: float, omega: object) -> object:
        return law.rate(torch.as_tensor(omega), 4).numpy()

    span = (0.0, 3 / float(law.rate(START, 4)[0]))
    found = solve_ivp(velocity, span, START.numpy(), method="DOP853", rtol=1e-12, atol=1e-14)
    path = torch.as_tensor(found.y.T.copy())
    assert float(path[-1, 0]) > 4
    close(law.predict(START, path[:, 0], 4), path, ITERATED)


@settings(max_examples=40, deadline=None)
@given(anchor=values, factors=st.lists(st.floats(1, 30), min_size=1, max_size=4), law=laws)
def test_forward(anchor: list[float], factors: list[float], law: Law) -> None:
    """Order is kept, the clock repeated, the anchor found again, and two legs are one."""
    start, C = double(*anchor), len(anchor) + 1
    top = start.max()
    clock = top * double(1.0, *sorted(factors))
    found = law.predict(start, clock, C)
    assert bool((found <= clock[:, None] * (1 + EXACT)).all())
    order = start.argsort()
    assert bool((found[:, order].diff(dim=1) >= -EXACT * clock[:, None]).all())
    assert bool((found.diff(dim=0) >= -EXACT * found[1:]).all())
    close(found[:, start.argmax()], clock, EXACT)
    close(found[0], start, EXACT)
    close(law.predict(found[1], clock[1:], C), found[1:], TIGHT)


@settings(max_examples=40, deadline=None)
@given(anchor=values, back=st.floats(0.02, 1), law=laws)
def test_back(anchor: list[float], back: float, law: Law) -> None:
    """Back and forth again is where one was, except for what reached zero on the way."""
    start, C = double(*anchor), len(anchor) + 1
    earlier = law.predict(start, back * start.max()[None], C)[0]
    assert bool((earlier >= 0).all()) and bool((earlier <= start * (1 + EXACT)).all())
    if float(earlier.min()) > 1e-3 * float(earlier.max()):
        close(law.predict(earlier, start.max()[None], C)[0], start, TIGHT)


def test_differences_and_ratios() -> None:
    """The additive law keeps differences, the plain one ratios, a power those of powers."""
    clock = double(3.0, 4.0, 9.5)
    additive, plain = (FREE[name].predict(START, clock, 4) for name in ("additive", "plain"))
    close(additive[:, :1] - additive[:, 1:], (START[0] - START[1:]).expand(3, 2), EXACT)
    close(plain, clock[:, None] * START / START[0], EXACT)
    root = Power(0.5).predict(START, clock, 4).sqrt()
    close(root[:, :1] - root[:, 1:], (START[:1].sqrt() - START[1:].sqrt()).expand(3, 2), TIGHT)


@pytest.mark.parametrize("law", [*FREE.values(), TwoSpeed(0.2)], ids=str)
def test_order_of_the_laws(law: Law) -> None:
    """From one anchor projected flow closes the gap most, then whitened, additive, plain."""
    late = {name: FREE[name].predict(START, double(20.0), 4)[0, 1] for name in FREE}
    expected = [late[n] for n in ("projected", "whitened", "additive", "plain")]
    assert all(a > b for a, b in pairwise(expected))
    between = law.predict(START, double(20.0), 4)[0, 1]
    assert expected[-1] <= between <= expected[0]


def test_large_values_forget_the_number_of_classes() -> None:
    """For omega^2 >> C projected is the power 4 and whitened the power 2."""
    start, clock = 1e8 * START, double(7e8)
    for name, beta in (("projected", 4.0), ("whitened", 2.0)):
        close(FREE[name].predict(start, clock, 4), Power(beta).predict(start, clock, 4), TIGHT)
    scaled = [Power(0.7).predict(c * START, c * double(5.0), 4) / c for c in (1.0, 100.0)]
    close(scaled[0], scaled[1], EXACT)


def test_small_values_keep_their_ratios() -> None:
    """For omega^2 << C every theorem's flow freezes ratios; a power does not."""
    start, clock = 1e-8 * START, double(6e-8)
    for law in (FREE["projected"], FREE["whitened"], FREE["plain"], TwoSpeed(0.3)):
        close(law.predict(start, clock, 4), 2 * start[None], TIGHT)
    assert float(FREE["additive"].predict(start, clock, 4)[0, 1]) > 4e-8


def test_where_a_law_ends() -> None:
    """Values that would pass zero are 0, there and further back; theorems' flows never end."""
    back = double(2.9, 1.7, 0.1)
    found = FREE["additive"].predict(START, back, 4)
    close(found, double(2.9, 1.1, 0.3, 1.7, 0.0, 0.0, 0.1, 0.0, 0.0).reshape(3, 3), EXACT)
    for law in (FREE["projected"], FREE["whitened"], FREE["plain"], TwoSpeed(0.3)):
        assert bool((law.predict(START, back, 4) > 0).all())


def test_ties_and_order_do_not_matter() -> None:
    """Equal values stay equal; columns may come in any order."""
    anchor = double(1.0, 3.0, 1.0)
    for law in LAWS:
        found = law.predict(anchor, double(5.0), 4)[0]
        assert found[0] == found[2] and found[1] == 5
        close(law.predict(anchor[[1, 0, 2]], double(5.0), 4)[0], found[[1, 0, 2]], EXACT)


@pytest.mark.parametrize(
    "anchor, clock, words",
    [
        (double(1.0, 2.0), double(3.0), r"anchor: expected \(C-1,\) = \(3,\), got \(2,\)"),
        (double(1.0, 2.0, 0.0), double(3.0), "anchor: expected values from"),
        (double(1.0, 2.0, math.nan), double(3.0), "anchor: expected values from"),
        (START, double(math.inf), "clock: expected values from"),
        (START, torch.tensor(3.0), r"clock: expected \(T,\)"),
    ],
)
def test_front_door(anchor: Tensor, clock: Tensor, words: str) -> None:
    """What no law can start from is refused by name."""
    with pytest.raises(ValueError, match=words):
        FREE["additive"].predict(anchor, clock, 4)


def test_parameters_out_of_range() -> None:
    """r and beta have ranges."""
    with pytest.raises(ValueError, match="ratio: expected 0 <= r <= 1, got 1.5"):
        TwoSpeed(1.5)
    with pytest.raises(ValueError, match="beta: expected 0 <= beta <= 4, got -1"):
        Power(-1)
