"""Deep linear heads: the bounds hold on any shapes, and every measure against its plain twin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, simplex_etf
from nclib.evidence import jacot
from nclib.theory import balancing
from nclib.theory import deep_head as heads
from nclib.theory import orthogonal_frame as frame
from nclib.theory.deep_head import DeepHead

from .samples import collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, TIGHT

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def a_head(seed: int, widths: list[int], amount: float, *batch: int) -> DeepHead:
    """A balanced head that fits, disturbed by an amount; the last width is the class count."""
    widths = [*widths, 3]
    frames = [torch.linalg.qr(normal(*batch, n, 3, seed=seed + k))[0] for k, n in enumerate(widths)]
    values = torch.exp(normal(*batch, 3, seed=seed + 50).clamp(-1, 1))
    head = heads.balanced_head(frames, values, LABELS)
    noise = normal(*batch, len(LABELS), widths[0], seed=seed + 51)
    unseen = noise - noise @ frames[0] @ frames[0].mT
    weights = [w + amount * normal(*w.shape, seed=seed + 60) for w in head.weights]
    return DeepHead(head.inputs + unseen + amount * noise, weights, LABELS)


# --- the measures


def test_nc1_is_that_of_the_statistics() -> None:
    """tr Sigma_W / tr Sigma_B as ClassStats has them, for unequal classes far from the origin."""
    sample = random_sample(3, 4, 6, [3, 9, 5, 7], offset=5.0)
    stats = sample.stats
    ratio = float(stats.within.trace() / stats.between.trace())
    found = frame.nc1(sample.features, sample.labels, 4)
    assert float(found) == pytest.approx(ratio, rel=TIGHT)


def test_nc2_and_nc3_one_by_one() -> None:
    """The condition number of the stacked means, and the cosines summed in a loop."""
    sample = random_sample(4, 3, 5, [3, 4, 5])
    h, y, W = sample.features, sample.labels, sample.head.weight
    means = torch.stack([h[y == c].mean(0) for c in range(3)])
    gram = torch.linalg.eigvalsh(means @ means.T)
    assert float(frame.nc2(h, y, 3)) == pytest.approx(math.sqrt(gram[-1] / gram[0]), rel=TIGHT)
    rows = zip(h, y, strict=True)
    cosines = [float(x @ W[c] / (x.norm() * W[c].norm())) for x, c in rows]
    assert float(frame.nc3(h, y, W)) == pytest.approx(sum(cosines) / len(cosines), rel=EXACT)


def test_the_frame_is_orthogonal_not_a_simplex() -> None:
    """An orthogonal frame has the best values; a simplex ETF, sum zero, the worst NC2."""
    sample = collapsed_sample(4, 6, 3, "orthogonal")
    h, y, W = sample.features, sample.labels, sample.head.weight
    found = [frame.nc1(h, y, 4), frame.nc2(h, y, 4), frame.nc3(h, y, W)]
    assert [float(x) for x in found] == pytest.approx([0, 1, 1], abs=EXACT)
    assert float(frame.nc2(simplex_etf(4), torch.arange(4), 4)) > 1e12


def test_measures_do_not_see_rotation_or_scale() -> None:
    """NC1, NC2 and NC3 stay when features and weight turn together and grow each by its own."""
    sample = random_sample(5, 3, 5, 4)
    h, y, W = sample.features, sample.labels, sample.head.weight
    turned, weight = 3 * h @ orthogonal(1, 5), 0.2 * W @ orthogonal(1, 5)
    for measure in (frame.nc1, frame.nc2):
        assert float(measure(turned, y, 3)) == pytest.approx(float(measure(h, y, 3)), rel=TIGHT)
    assert float(frame.nc3(turned, y, weight)) == pytest.approx(
        float(frame.nc3(h, y, W)), rel=TIGHT
    )


def test_negativity_between_positive_and_negative() -> None:
    """ReLU: 0 on nonnegative entries, 1 on negative ones, scale-free; 0 for the identity."""
    z = normal(7, 5, seed=6)
    assert float(frame.negativity(z.abs(), torch.relu)) == 0
    assert float(frame.negativity(-z.abs(), torch.relu)) == 1
    assert float(frame.negativity(z, lambda x: x)) == 0
    scaled = frame.negativity(9 * z, torch.relu)
    assert float(scaled) == pytest.approx(float(frame.negativity(z, torch.relu)), rel=EXACT)


def test_leading_dimensions_are_a_loop() -> None:
    """A stack of heads gives the stack of what each head gives alone."""
    stack = a_head(7, [6, 5], 0.01, 4)
    one = DeepHead(stack.inputs[2], [w[2] for w in stack.weights], LABELS)
    for bound in (heads.nc1_bound, heads.nc2_bound, heads.nc3_bound, heads.condition_bound,
                  heads.conditioning_bound):  # fmt: skip
        assert float(bound(stack)[2]) == pytest.approx(float(bound(one)), rel=TIGHT)
    together = heads.balancedness(stack.weights)
    torch.testing.assert_close(together[2], heads.balancedness(one.weights), rtol=TIGHT, atol=0)


# --- balance


def test_balancedness_by_hand() -> None:
    """||W2'W2 - W1W1'|| over the smaller square; zero at balance; one scale for all drops out."""
    lower, upper = normal(5, 4, seed=8), normal(3, 5, seed=9)
    gap = torch.linalg.eigvalsh(upper.T @ upper - lower @ lower.T).abs().max()
    small = min(float(torch.linalg.svdvals(w)[0]) ** 2 for w in (lower, upper))
    found = heads.balancedness([lower, upper])
    assert float(found) == pytest.approx(float(gap) / small, rel=TIGHT)
    assert float(heads.balancedness([7 * lower, 7 * upper])) == pytest.approx(
        float(found), rel=TIGHT
    )
    assert float(heads.balancedness(a_head(10, [6, 5, 4], 0.0).weights).max()) < EXACT


def test_flow_from_zero_to_infinity() -> None:
    """The imbalance starts as it is and ends at zero; half the way twice is the way."""
    D = normal(3, 3, seed=11)
    assert torch.equal(balancing.after_flow(D, 0.3, 0.0), D)
    assert torch.equal(balancing.after_flow(D, 0.3, 1e9), torch.zeros_like(D))
    half = balancing.after_flow(balancing.after_flow(D, 0.3, 1.0), 0.3, 1.0)
    torch.testing.assert_close(half, balancing.after_flow(D, 0.3, 2.0), rtol=EXACT, atol=0)


def test_small_steps_are_flow() -> None:
    """Steps of descent without gradients, ever smaller, tend to the flow."""
    D, zero = normal(3, 3, seed=12), torch.zeros(3, 3).double()
    found = D
    for _ in range(10_000):
        found = balancing.after_descent(found, zero, zero, 1e-4, 0.5)
    torch.testing.assert_close(found, balancing.after_flow(D, 0.5, 1.0), rtol=1e-4, atol=0)


# --- the bounds


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    widths=st.lists(st.integers(3, 7), min_size=2, max_size=4),
    digits=st.floats(0, 8),
)
def test_bounds_hold_on_any_shape(seed: int, widths: list[int], digits: float) -> None:
    """All bounds: two to four layers of any widths, classes of unequal size, any disturbance."""
    head = a_head(seed, widths, 10**-digits)
    h, W = head.features, head.weights[-1]
    near = 1 + TIGHT
    assert frame.nc1(h, LABELS, 3) <= heads.nc1_bound(head) * near
    assert frame.nc2(h, LABELS, 3) <= heads.nc2_bound(head) * near
    assert frame.nc3(h, LABELS, W) >= heads.nc3_bound(head) - TIGHT
    assert frame.condition(W) <= heads.condition_bound(head) * near
    assert frame.condition(head.product) <= heads.conditioning_bound(head) * near
    inside, outside = heads.spread_bound(head)
    apart = (h - head.targets @ torch.linalg.pinv(W).T).norm()
    assert apart <= torch.hypot(inside, outside) * near


def test_the_nc1_bound_by_hand() -> None:
    """Every number of the bound from its own definition."""
    head = a_head(16, [6, 5, 7], 0.01)
    first, below, last = head.weights
    Y = torch.eye(3).double()[LABELS]
    X = head.inputs @ first.T
    Z = X @ below.T
    size, radius = (float(torch.linalg.svdvals(m)[0]) for m in (Z, last))
    s = float(torch.linalg.svdvals(Y)[-1])
    eps_1 = float((Z @ last.T - Y).norm())
    eps_2 = float(torch.linalg.eigvalsh(last.T @ last - below @ below.T).abs().max())
    inside = size * eps_1 / (s - eps_1)
    outside = min(float(X.norm()), float(torch.linalg.svdvals(X)[0]) * 2) * math.sqrt(eps_2)
    between = float((Y - Y.mean(0)).norm()) - eps_1
    found = [float(x) for x in (*heads.spread_bound(head), heads.nc1_bound(head))]
    wanted = [inside, outside, radius**2 * (inside**2 + outside**2) / between**2]
    assert found == pytest.approx(wanted, rel=TIGHT)


def test_the_other_bounds_by_hand() -> None:
    """NC2, NC3 and the least norm, each from numbers found one by one."""
    head = a_head(16, [6, 5, 7], 0.0001)
    inside, outside = (float(x) for x in heads.spread_bound(head))
    reach = math.sqrt(inside**2 + outside**2)
    values = [math.sqrt(x) for x in torch.linalg.eigvalsh(head.weights[-1] @ head.weights[-1].T)]
    least, largest = values[0], values[-1]
    near = reach / math.sqrt(2)  # two samples in the smallest class of LABELS
    assert largest * near < 1
    wanted = (largest / least) * (1 + least * near) / (1 - largest * near)
    assert float(heads.nc2_bound(head)) == pytest.approx(wanted, rel=TIGHT)
    cosine = 2 * largest * least / (largest**2 + least**2)
    wanted = cosine - 2 * largest * reach / math.sqrt(9)
    assert float(heads.nc3_bound(head)) == pytest.approx(wanted, rel=TIGHT)
    size, count, cost = (torch.tensor(x, dtype=torch.float64) for x in (5.0, 4.0, 3.0))
    found = heads.minimum_norm_bound(size, count, cost, num_classes=2, nonlinear=3)
    assert float(found) == pytest.approx(2.5**2 * math.exp((3 - 6) / 2) * 2**3, rel=TIGHT)


def test_square_layers_need_no_balance() -> None:
    """Where the last hidden layer is as wide as there are classes, imbalance costs nothing."""
    head = a_head(13, [6, 3], 0.05)
    inside, outside = heads.spread_bound(head)
    assert float(heads.balancedness(head.weights)[0]) > 0.01
    assert float(outside) == 0 < float(inside)


def test_bounds_give_up_in_words_of_infinity() -> None:
    """With an error as large as the labels no upper bound is finite."""
    head = a_head(14, [6, 5], 0.0)
    lost = DeepHead(0 * head.inputs, head.weights, LABELS)
    for bound in (heads.nc1_bound, heads.nc2_bound, heads.conditioning_bound):
        assert float(bound(lost)) == math.inf


def test_kantorovich_is_reached() -> None:
    """Two classes, a weight turned halfway between its axes: the least cosine."""
    turn = torch.tensor([[1.0, 1.0], [-1.0, 1.0]]).double() / math.sqrt(2)
    W = turn @ torch.diag(torch.tensor([3.0, 1.0]).double())
    cosine = frame.nc3(torch.linalg.pinv(W).T, torch.arange(2), W)
    assert float(cosine) == pytest.approx(0.6, rel=EXACT)
    assert float(heads.kantorovich(torch.tensor(3.0))) == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: heads.balancedness([torch.eye(3)]), "weights: expected at least 2 linear layers"),
        (lambda: heads.imbalances([torch.eye(3), torch.eye(4)]), r"weights\[1\] to take the 3"),
        (lambda: DeepHead(torch.ones(9, 3), [torch.eye(3)], LABELS), "at least 2 linear layers"),
        (lambda: DeepHead(torch.ones(9, 4), [torch.eye(3)] * 2, LABELS), r"inputs: .* match"),
        (
            lambda: DeepHead(torch.ones(9, 3), [torch.ones(2, 3), torch.ones(3, 2)], LABELS),
            "weights: expected widths >= C = 3, got 2",
        ),
        (lambda: frame.nc1(torch.ones(4, 2), LABELS, 3), r"features: expected \(\.\.\., 9, d\)"),
        (lambda: frame.nc1(torch.ones(9, 2), LABELS, 4), "labels: expected all 4 classes"),
        (lambda: frame.nc2(torch.ones(9, 2), LABELS, 3), "features: expected at least C = 3"),
    ],
)
def test_errors_name_the_culprit(call: Callable[[], Any], words: str) -> None:
    """What does not fit is refused with its name, what was expected and what came."""
    with pytest.raises(ValueError, match=words):
        call()


# --- the evidence


@pytest.mark.parametrize(
    ("name", "part", "wrong"),
    [
        ("nc1_bound_holds", "nc1_bound", lambda bound: bound / 10),
        ("nc2_bound_holds", "nc2_bound", lambda bound: bound / 1.01),
        ("nc3_bound_holds", "nc3_bound", lambda bound: bound + 0.01),
        ("condition_bound_holds", "condition_bound", lambda bound: bound / 1.001),
        ("conditioning_bound_holds", "conditioning_bound", lambda bound: bound / 10),
        ("minimum_norm_bound_holds", "minimum_norm_bound", lambda bound: bound / 1000),
        ("balanced_heads_collapse", "condition", lambda kappa: 1.001 * kappa),
        ("roots_of_balanced_heads", "condition", lambda kappa: kappa + 0.001),
        ("shifted_pl_holds", "shifted_pl", lambda floor: floor - 100),
        ("descent_balances", "after_descent", lambda D: 1.001 * D),
        ("flow_balances", "after_flow", lambda D: 1.001 * D),
        ("critical_points_are_balanced", "imbalances", lambda found: [1.001 * D for D in found]),
    ],
)
def test_evidence_can_fail(monkeypatch: Any, name: str, part: str, wrong: Any) -> None:
    """Each check fails when the formula it is about is off."""
    right = getattr(jacot, part)
    monkeypatch.setattr(jacot, part, lambda *args, **words: wrong(right(*args, **words)))
    assert not getattr(jacot, name)().holds


def test_statistics_and_frames_agree_on_means() -> None:
    """Class means are those of ClassStats."""
    sample = random_sample(15, 3, 4, [2, 3, 4])
    means = frame.class_means(sample.features, sample.labels, 3)
    stats = ClassStats.of(sample.features, sample.labels, 3)
    torch.testing.assert_close(means, stats.means, rtol=TIGHT, atol=TIGHT)
