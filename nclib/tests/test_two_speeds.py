"""The two-speed family: limits, inverses, invariances, and free features as the naive twin."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib.simplex import simplex_etf
from nclib.snr import snr
from nclib.theory.central_path import CentralPath
from nclib.theory.discriminants import budget, discriminants, kernel, mode_budgets, speed
from nclib.theory.free_features import flow, snr_values, split_gradient, start, statistics
from nclib.theory.two_speeds import RenormalizedPath, TwoSpeedPath, exponent, least_exponent

from .samples import orthogonal, random_sample
from .tolerances import EXACT, ITERATED, TIGHT

RATIOS = [0.0, 1e-200, 1e-9, 0.02, 0.36, 1.0]
Path = TwoSpeedPath | RenormalizedPath
ratios = st.sampled_from(RATIOS) | st.floats(0, 1)
lists = st.lists(st.floats(1e-3, 50), min_size=1, max_size=4)


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def paths(ratio: float, omega: Tensor, N: int = 4) -> list[Path]:
    C, budgets = len(omega) + 1, torch.linspace(0.5, 2, len(omega)).double()
    two_speeds = TwoSpeedPath(C, N, omega, ratio, budgets)
    return [two_speeds, RenormalizedPath(C, N, omega, ratio)]


@settings(max_examples=30, deadline=None)
@given(values=lists, ratio=ratios)
def test_there_and_back(values: list[float], ratio: float) -> None:
    """time_to undoes at, from short times to those at which values overflow."""
    times = torch.logspace(-2, 9, 12).double()
    for path in paths(ratio, double(*values)):
        found = path.at(times)
        there = torch.isfinite(found)
        back = path.time_to(torch.where(there, found, 1.0))
        expected = times[:, None].expand_as(back)
        # A time in which nothing moves by more than rounding cannot be read off.
        slack = 10 * torch.finfo(torch.float64).eps * found / path.rate(found)
        off = (back - expected).abs() > TIGHT * expected + slack
        assert not bool((off & there).any())


@settings(max_examples=30, deadline=None)
@given(values=lists, ratio=ratios)
def test_in_two_legs(values: list[float], ratio: float) -> None:
    """Flowing for 3 and then for 50 is flowing for 53; for 0, not at all."""
    omega = double(*values)
    for one in paths(ratio, omega):
        later = replace(one, omega=one.at(3.0))
        torch.testing.assert_close(later.log_at(50.0), one.log_at(53.0), rtol=TIGHT, atol=TIGHT)
        torch.testing.assert_close(one.at(0.0), omega, rtol=EXACT, atol=0)


@pytest.mark.parametrize("ratio", RATIOS)
def test_rate_is_the_slope(ratio: float) -> None:
    """Differences of at are rate, for both families."""
    for path in paths(ratio, double(2.0, 0.7, 0.0)):
        slope = (path.at(5 + 1e-3) - path.at(5 - 1e-3)) / 2e-3
        torch.testing.assert_close(slope, path.rate(path.at(5.0)), rtol=ITERATED, atol=TIGHT)


def test_both_ends() -> None:
    """r = 0 is the projected flow in both families; r = 1 is exponential, or step-then-whiten."""
    omega, times, ones = double(3.0, 1.0, 0.2), torch.logspace(-3, 12, 16).double(), torch.ones(3)
    projected = CentralPath(4, 5, omega).at(times)
    for path in (TwoSpeedPath(4, 5, omega, 0.0, ones), RenormalizedPath(4, 5, omega, 0.0)):
        torch.testing.assert_close(path.at(times), projected, rtol=EXACT, atol=0)
    plain = TwoSpeedPath(4, 5, omega, 1.0, ones).log_at(times) - omega.log()
    torch.testing.assert_close(plain, (times / 80)[:, None].expand(16, 3), rtol=EXACT, atol=EXACT)
    whitened = RenormalizedPath(4, 5, omega, 1.0).at(times)
    implicit = 20 * (4 * (whitened / omega).log() + (whitened**2 - omega**2) / 2)
    expected = times[:, None].expand(16, 3)
    torch.testing.assert_close(implicit, expected, rtol=TIGHT, atol=EXACT * 1e3)


@pytest.mark.parametrize("ratio", [0.02, 0.36, 1.0])
def test_potential_as_in_the_chapter(ratio: float) -> None:
    """Times are differences of the potential, written out with its logarithms."""
    omega, later, budgets = double(2.0, 0.5), double(9.0, 3.0), double(1.3, 0.6)
    r, v = ratio, torch.stack([omega, later]).square() / 3
    F = (r**2 * v.log() + (1 - r**2) * (1 + r * v).log() + (1 - r) ** 2 / (1 + r * v)) / (2 * r**2)
    G = (r**2 * v.log() + r * v - (1 - r) ** 2 * (1 + r * v).log()) / (2 * r**2)
    times = TwoSpeedPath(3, 5, omega, r, budgets).time_to(later)
    torch.testing.assert_close(times, 45 * budgets * (F[1] - F[0]), rtol=TIGHT, atol=0)
    times = RenormalizedPath(3, 5, omega, r).time_to(later)
    torch.testing.assert_close(times, 45 * (G[1] - G[0]), rtol=TIGHT, atol=0)


def test_beyond_the_largest_float() -> None:
    """Where values overflow they are infinite and their logarithms grow by r^2 / (N C^2 b)."""
    path = TwoSpeedPath(3, 5, double(2.0, 0.5), 0.5, double(1.0, 2.0))
    assert torch.isinf(path.at(1e12)).all()
    grown = path.log_at(2e12) - path.log_at(1e12)
    torch.testing.assert_close(grown, 1e12 * 0.25 / (45 * path.budgets), rtol=TIGHT, atol=0)
    zero = TwoSpeedPath(3, 5, double(2.0, 0.0), 0.5, double(1.0, 2.0))
    assert zero.at(100.0)[1] == 0 and math.isinf(zero.time_to(double(3.0, 3.0))[1])


@pytest.mark.parametrize("ratio", RATIOS[2:])
def test_final_shares(ratio: float) -> None:
    """Ratios in the limit: finite at one budget, zero for a larger one, r^2-th powers from 0."""
    path = TwoSpeedPath(4, 5, double(3.0, 1.0, 0.2), ratio, double(1.0, 1.0, 1.5))
    late = path.log_at(1e3 * 80 / ratio**2)
    share = path.final_shares
    assert share[0] == 1 and share[2] == 0
    assert float((late[1] - late[0]).exp()) == pytest.approx(float(share[1]), rel=ITERATED)
    small = TwoSpeedPath(3, 5, double(1e-6, 1e-7), ratio, torch.ones(2)).final_shares
    assert float(small[1]) == pytest.approx(10 ** -(ratio**2), rel=ITERATED)
    flat = TwoSpeedPath(3, 5, double(1e-6, 1e-7), 0.0, double(1.0, 16.0)).final_shares
    assert flat.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_noise_pays_for_signal(ratio: float) -> None:
    """s^2 + r m^2 / C is the budget at every value, and m = omega s."""
    path = TwoSpeedPath(3, 5, double(2.0, 0.5), ratio, double(1.0, 2.0))
    for omega in (double(0.0, 0.1), double(3.0, 1e6)):
        noise, signal = path.noise(omega), path.signal(omega)
        torch.testing.assert_close(noise + ratio * signal / 3, path.budgets, rtol=EXACT, atol=0)
        torch.testing.assert_close(signal, omega**2 * noise, rtol=EXACT, atol=0)
    if ratio:
        assert (
            path.signal(double(math.inf, math.inf)).tolist() == (3 / ratio * path.budgets).tolist()
        )


@settings(max_examples=50, deadline=None)
@given(ratio=st.floats(1e-6, 1), omega=st.floats(1e-3, 1e6), C=st.integers(2, 100))
def test_least_exponent(ratio: float, omega: float, C: int) -> None:
    """No exponent is below the least one, which is taken at omega^2 = C / sqrt(r)."""
    least = least_exponent(ratio)
    assert float(exponent(double(omega), C, ratio)) >= least - EXACT
    there = exponent(double((C / math.sqrt(ratio)) ** 0.5), C, ratio)
    assert float(there) == pytest.approx(least, abs=EXACT * 10)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_exponent_is_a_slope(ratio: float) -> None:
    """d log(rate) / d log(omega) by differences."""
    omega, h = double(0.5, 3.0, 20.0), 1e-4
    path = TwoSpeedPath(4, 5, omega, ratio, torch.ones(3))
    slope = (path.rate(omega * (1 + h)).log() - path.rate(omega * (1 - h)).log()) / (2 * h)
    torch.testing.assert_close(slope, exponent(omega, 4, ratio), rtol=ITERATED, atol=ITERATED)


# --- at any features


@pytest.mark.parametrize("d", [2, 3, 6])
def test_discriminants(d: int) -> None:
    """Sigma_B a = (omega^2 / C) Sigma_W a, unit noise, and length from the kernel."""
    stats = random_sample(d, 3, d, 7).stats
    a, omega = discriminants(stats), snr(stats).omega
    left, right = stats.between @ a, stats.within @ a * (omega**2 / 3)
    torch.testing.assert_close(left, right, rtol=TIGHT, atol=TIGHT)
    torch.testing.assert_close(
        a.T @ stats.within @ a, torch.eye(2).double(), rtol=TIGHT, atol=TIGHT
    )
    torch.testing.assert_close(kernel(stats, 0.0), a.square().sum(0) / 7, rtol=EXACT, atol=0)


def test_a_rotation_changes_nothing_but_the_budget() -> None:
    """Speeds and mode budgets do not see rotations; the budget matrix turns with the features."""
    sample, turn = random_sample(1, 3, 4, 6), orthogonal(2, 4)
    turned = sample.with_features(sample.features @ turn).stats
    for law in (speed, mode_budgets, kernel):
        torch.testing.assert_close(law(turned, 0.4), law(sample.stats, 0.4), rtol=TIGHT, atol=0)
    expected = turn.T @ budget(sample.stats, 0.4) @ turn
    torch.testing.assert_close(budget(turned, 0.4), expected, rtol=TIGHT, atol=TIGHT)


def test_budgets_of_modes_close_the_law() -> None:
    """With the budgets of its modes, the per-mode law gives the speed at any state."""
    stats = random_sample(3, 4, 5, 6).stats
    omega = snr(stats).omega
    path = TwoSpeedPath(4, 6, omega, 0.3, mode_budgets(stats, 0.3))
    torch.testing.assert_close(path.rate(omega), speed(stats, 0.3), rtol=TIGHT, atol=0)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 1.0])
def test_against_free_features(ratio: float) -> None:
    """Budget, speed and closed form along a flow of free features."""
    first = start(3, 4, 3, seed=2, omega=[2.0, 0.6])
    stats = statistics(first)
    states = flow(partial(split_gradient, ratio=ratio), first, [0.0, 30.0], rtol=1e-10)
    path = TwoSpeedPath(3, 4, snr(stats).omega, ratio, mode_budgets(stats, ratio))
    torch.testing.assert_close(path.at(30.0), snr_values(states[1]), rtol=ITERATED, atol=0)
    kept = budget(statistics(states[1]), ratio)
    torch.testing.assert_close(kept, budget(stats, ratio), rtol=ITERATED, atol=ITERATED)


def test_class_means_that_coincide() -> None:
    """A mode without signal has no direction, no budget and no speed."""
    noise = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    features = noise - noise.mean(1, keepdim=True)
    stats = statistics(torch.cat([features, features[:1]]) + simplex_etf(3, 3)[[0, 1, 1]][:, None])
    assert speed(stats, 0.5)[1] < EXACT
    assert discriminants(stats)[:, 1].abs().max() == 0 and mode_budgets(stats, 0.5)[1].isnan()


# --- what is refused


def test_words_at_the_front_door() -> None:
    """Ratios, sizes, budgets, times and values out of range are named."""
    ones = torch.ones(2)
    with pytest.raises(ValueError, match="ratio: expected 0 <= r <= 1, got 1.5"):
        RenormalizedPath(3, 4, ones, 1.5)
    with pytest.raises(ValueError, match=r"omega: expected \(C-1,\) = \(2,\), got \(3,\)"):
        RenormalizedPath(3, 4, torch.ones(3), 0.5)
    with pytest.raises(ValueError, match="omega: expected finite values >= 0"):
        RenormalizedPath(3, 4, -ones, 0.5)
    with pytest.raises(ValueError, match="budgets: expected finite values"):
        TwoSpeedPath(3, 4, ones, 0.5, 0 * ones)
    with pytest.raises(ValueError, match="num_classes, per_class: expected at least 2 and 1"):
        RenormalizedPath(3, 0, ones, 0.5)
    path = TwoSpeedPath(3, 4, double(1.0, 0.0), 0.5, ones)
    with pytest.raises(ValueError, match="times: expected finite times >= 0"):
        path.at(-1.0)
    with pytest.raises(ValueError, match="omega: expected finite values > 0"):
        path.time_to(0 * ones)
    with pytest.raises(ValueError, match="omega: expected values > 0, so that all of them grow"):
        _ = path.final_shares
    uneven = random_sample(0, 2, 2, [3, 5]).stats
    for law in (budget, mode_budgets, kernel, speed):
        with pytest.raises(ValueError, match="stats: expected classes of equal size, got 3 to 5"):
            law(uneven, 0.5)
    with pytest.raises(ValueError, match="ratio: expected"):
        least_exponent(-1.0)
