"""Zhou's minimizers and saddles: certified, continuous, collapsed; every regime and rescaling."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, centering
from nclib.figures import landscapes as pictures
from nclib.theory.landscape import Problem, certificate, cluster_projector, minimizer
from nclib.theory.saddles import Escape, escape, smallest_curvature, training_accuracy

from .samples import scatter_of
from .tolerances import EXACT, TIGHT

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed

DECAYS = st.one_of(st.sampled_from([0.0, math.inf]), st.floats(1e-3, 1e3))
problems = st.builds(
    Problem,
    K=st.integers(2, 6),
    n=st.integers(1, 4),
    lambda_W=st.floats(1e-3, 1.0),
    lambda_H=st.floats(1e-3, 1.0),
    lambda_b=DECAYS,
    alpha=st.floats(0.1, 20.0),
    M=st.floats(0.1, 20.0),
)


def solve(problem: Problem, d: int | None = None):
    p = problem
    return minimizer(p.K, p.n, p.lambda_W, p.lambda_H, p.lambda_b, p.alpha, p.M, d)


def plain(K: int, c: float, lambda_b: float, d: int | None = None, n: int = 2):
    price = c / (K * math.sqrt(n))
    return minimizer(K, n, 2 * price, price / 2, lambda_b, 1.0, 1.0, d)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


# --- minimizers


@settings(max_examples=40, deadline=None)
@given(problem=problems)
def test_certified(problem):
    """In every regime and rescaling nothing of any dimension is lower."""
    found = solve(problem)
    seen = certificate(found)
    assert abs(seen.gap) <= TIGHT * found.value
    assert seen.ratio <= 1 + TIGHT


@settings(max_examples=20, deadline=None)
@given(problem=problems, extra=st.integers(0, 2))
def test_value_is_that_of_its_own_point(problem, extra):
    """The objective at head and features is the value, is stationary, and has their Grams."""
    found = solve(problem, problem.K + extra)
    head, H = found.head(), found.features()
    point = [x.requires_grad_() for x in (head.weight.clone(), H.clone(), head.bias.clone())]
    value = problem.loss(*point)
    scale = value.item() * (1 + problem.alpha * problem.M)
    assert value.item() == pytest.approx(found.value, rel=EXACT)
    slopes = torch.autograd.grad(value, point if problem.lambda_b < math.inf else point[:2])
    assert max(float(s.abs().max()) for s in slopes) <= TIGHT * (1 + scale)
    torch.testing.assert_close(head.weight @ head.weight.T, found.gram_W, rtol=TIGHT, atol=TIGHT)
    means = H.mean(1)
    torch.testing.assert_close(means @ means.T, found.gram_H, rtol=TIGHT, atol=TIGHT)
    torch.testing.assert_close(H @ head.weight.T + head.bias, found.logits, rtol=0, atol=TIGHT)


@settings(max_examples=20, deadline=None)
@given(problem=problems, seed=st.integers(0, 99))
def test_no_point_is_below_a_bound(problem, seed):
    """The lower bound at any scores is below the objective everywhere."""
    torch.manual_seed(seed)
    W, H = torch.randn(problem.K, 3).double(), torch.randn(problem.K, problem.n, 3).double()
    b = torch.randn(problem.K).double() * (problem.lambda_b < math.inf)
    bound = problem.lower_bound(torch.randn(problem.K, problem.n, problem.K).double())
    assert bound <= solve(problem).value * (1 + TIGHT) <= float(problem.loss(W, H, b)) * (1 + TIGHT)


@pytest.mark.parametrize(
    ("c", "lambda_b", "d", "regime", "x", "y", "bias"),
    [
        (0.2, 0.0, None, "simplex", 0.8, 0.0, 1.0),
        (0.2, 0.25, None, "simplex", 0.8, 0.0, 0.8),
        (0.2, 0.5, None, "between", 0.8, 0.4, 0.4),
        (0.2, math.inf, None, "frame", 0.8, 0.8, 0.0),
        (1.0, 0.5, None, "zero", 0.0, 0.0, 2 / 3),
        (0.2, 0.5, 3, "simplex", 0.8, 0.0, 2 / 3),
        (0.2, 0.5, 2, "projector", 0.8, 0.0, 2 / 3),
        (0.2, math.inf, 3, "projector", 0.8, 0.0, 0.0),
    ],
)
def test_regimes(c, lambda_b, d, regime, x, y, bias):
    """Theorem 3.1 with its lengths: x, y and K beta for the plain loss, four classes."""
    found = plain(4, c, lambda_b, d)
    assert found.regime == regime
    assert (found.x, found.y, 4 * found.beta) == pytest.approx((x, y, bias), abs=TIGHT)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 4.0])
def test_regimes_meet(alpha):
    """Lengths and value are continuous across both thresholds."""
    switch = 1 / (1 / alpha + 1 / 3.0)  # M = c/alpha + c/lambda_b
    end = alpha * 4 * 4.0 / (4 * 4.0 + alpha - 1)
    for c, names in ((switch, {"between", "simplex"}), (end, {"simplex", "zero"})):
        ends = [
            minimizer(4, 1, s * c / 4, s * c / 4, 3.0, alpha, 1.0) for s in (1 - 1e-9, 1 + 1e-9)
        ]
        assert {found.regime for found in ends} == names
        for name in ("x", "y", "beta", "value"):
            assert getattr(ends[0], name) == pytest.approx(getattr(ends[1], name), abs=1e-7)


def test_smaller_dimension_costs():
    """The value falls with d until the rank is reached, then stays; NC1 holds throughout."""
    values = [plain(6, 0.3, 2.0, d).value for d in range(1, 9)]
    assert all(a > b + 1e-3 for a, b in zip(values, values[1:6], strict=False))
    assert values[5] == values[6] == values[7]
    found = plain(6, 0.3, 2.0, 3, n=4)
    labels = torch.arange(6).repeat_interleave(4)
    stats = ClassStats.of(found.features().flatten(0, 1), labels, 6)
    assert float(scatter_of(stats).abs().max()) <= EXACT


def test_every_projector_is_as_good():
    """Another projector of the same rank has the same value, also as a point."""
    found = plain(6, 0.3, 2.0, 3)
    basis = torch.linalg.qr(torch.cat([torch.ones(6, 1).double(), normal(6, 3)], 1)).Q[:, 1:]
    other = replace(found, projector=basis @ basis.T)
    value = other.problem.loss(other.head().weight, other.features(), other.head().bias)
    assert float(value) == pytest.approx(found.value, rel=EXACT)


# --- errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"K": 1}, "K: expected int >= 2, got 1"),
        ({"n": 1.5}, "n: expected int >= 1, got 1.5"),
        ({"lambda_W": 0.0}, "lambda_W: expected a finite number > 0, got 0.0"),
        ({"lambda_b": -1.0}, "lambda_b: expected >= 0"),
        ({"alpha": math.inf}, "alpha: expected a finite"),
        ({"M": math.nan}, "M: expected a finite"),
        ({"d": 0}, "d: expected int >= 1, got 0"),
        ({"alpha": 2.0, "d": 2}, "d: expected >= 3, the rank of the minimizer"),
    ],
)
def test_front_door(change, words):
    """A wrong number is named with what was expected."""
    good = {"K": 4, "n": 2, "lambda_W": 0.01, "lambda_H": 0.01, "lambda_b": 0.0, "alpha": 1.0}
    with pytest.raises(ValueError, match=words):
        minimizer(**{**good, "M": 1.0, **change})


def test_shapes_are_named():
    """The objective says which tensor does not fit, and refuses a bias where there is none."""
    problem = Problem(3, 2, 0.1, 0.1, math.inf, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"H: expected \(3, 2, 4\), got \(6, 4\)"):
        problem.loss(normal(3, 4), normal(6, 4), torch.zeros(3))
    with pytest.raises(ValueError, match="b: expected zeros"):
        problem.loss(normal(3, 4), normal(3, 2, 4), torch.ones(3))
    with pytest.raises(ValueError, match="groups: expected"):
        cluster_projector(torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="unused direction"):
        escape(normal(3, 3), normal(3, 2, 3), normal(3, 2, 3), 0.1, 0.1, 1.0)


# --- saddles and few features


def test_minimizers_have_no_way_down():
    """With a feature to spare: curvature zero at a minimizer, negative where d was too small."""
    for d, missing in ((4, False), (3, True), (2, True)):
        found = plain(4, 0.3, 3.0, d)
        W, H = (torch.nn.functional.pad(x, (0, 1)) for x in (found.head().weight, found.features()))
        p = found.problem
        way = escape(W, H, p.slope(H @ W.T + found.beta), p.lambda_W, p.lambda_H, p.alpha)
        assert (way.curvature < -1e-3) == missing
        assert missing or abs(way.curvature) <= TIGHT
        s = torch.tensor(way.lowest, dtype=torch.float64)
        lower = p.loss(W + s * way.W, H + s * way.H, found.head().bias)
        assert float(lower) == pytest.approx(found.value + float(way.change(s)), rel=TIGHT)
        assert (float(lower) < found.value - 1e-6) == missing


def test_sign_of_the_least_curvature():
    """Negative exactly where the slope's norm is above the price, at any decays."""
    price = math.sqrt(0.3 * 0.02)
    assert smallest_curvature(price, 0.3, 0.02) == pytest.approx(0, abs=EXACT)
    assert (
        smallest_curvature(0.99 * price, 0.3, 0.02)
        > 0
        > smallest_curvature(1.01 * price, 0.3, 0.02)
    )


@settings(max_examples=20, deadline=None)
@given(groups=st.lists(st.integers(0, 3), min_size=4, max_size=8))
def test_clusters(groups):
    """A projector of rank groups - 1 that kills 1; one class of each group is right."""
    groups = torch.tensor([0, 1, 2, 3, *groups])
    Q, K = cluster_projector(groups), len(groups)
    torch.testing.assert_close(Q @ Q, Q, rtol=0, atol=EXACT)
    assert float(Q.trace()) == pytest.approx(3, rel=EXACT)
    assert float(Q.sum(0).abs().max()) <= EXACT
    assert training_accuracy(Q) == training_accuracy(Q + 1e-12 * normal(K, K)) == 4 / K
    torch.testing.assert_close(cluster_projector(torch.arange(K)), centering(K))


def test_merged_classes_are_not_the_least_accurate():
    """22 classes in the plane, of which only two are right: less than (d + 1)/K."""
    u, height = 0.1, 20**-0.5  # 20 classes near the axis, outshone by two far out on it
    far = ((1 - 20 * u**2) / 2) ** 0.5
    corners = torch.tensor([[u, height], [u, -height], [-u, height], [-u, -height]])
    points = torch.cat([torch.tensor([[far, 0.0], [-far, 0.0]]), corners.repeat(5, 1)]).double()
    points = points / torch.linalg.norm(points, dim=0)  # the rounding of float32
    Q = points @ points.T
    torch.testing.assert_close(Q @ Q, Q, rtol=EXACT, atol=EXACT)
    assert float(Q.sum(1).abs().max()) < EXACT
    assert training_accuracy(Q) == 2 / 22


# --- figures


def heights(line: Any) -> list[float]:
    return [float(y) for y in line.get_ydata()]


def drawn(ax: Any) -> dict[str, Any]:
    """The lines with a label, as label -> (x, y)."""
    found = {str(line.get_label()): line.get_data() for line in ax.get_lines()}
    return {label: data for label, data in found.items() if not label.startswith("_")}


def test_figures_show_the_formulas():
    """The edge of the regimes, the lengths and the floors are those of the closed forms."""
    x, y = drawn(pictures.plot_regimes())["$\\lambda_b = c/(1-c)$"]
    assert list(y) == pytest.approx([float(c / (1 - c)) for c in x])
    lengths, angle = pictures.plot_threshold(4, 0.2).axes
    decays, values = drawn(lengths)["$y$, common part"]
    assert list(values) == pytest.approx([max(1 - 0.2 * (1 + b) / b, 0) for b in decays], abs=1e-12)
    assert min(heights(angle.get_lines()[0])) == pytest.approx(-1 / 3)
    merged = [[cluster_projector(torch.arange(5).clamp(max=d))] for d in range(1, 5)]
    accuracy, distance = pictures.plot_few_features(5, merged).axes
    for _, shown in drawn(accuracy).values():
        assert list(shown) == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert heights(distance.get_lines()[0])[1] == pytest.approx((2 - 2**0.5) ** 0.5)


def test_way_down_is_drawn_as_measured():
    """Marks are what was measured, lines the quartic, above and below zero."""
    steps = torch.linspace(0, 2, 5, dtype=torch.float64)
    way = Escape(torch.zeros(2, 1), torch.zeros(2, 1, 1), -2.0, 0.5)
    (line, marks, _) = pictures.plot_way_down({"here": (way, steps)}, steps).get_lines()
    assert heights(marks) == steps.tolist()
    assert min(heights(line)) == pytest.approx(-0.5, abs=1e-3)
