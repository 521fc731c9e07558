"""Mixon's model: laws of the risk, of S, of the flow on it, and of small starts."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib.ledger.mixon import CLAIMS
from nclib.theory import small_start as small
from nclib.theory import unconstrained as free
from nclib.theory.unconstrained import Point

from .tolerances import EXACT, ITERATED, TIGHT

few = settings(max_examples=12, deadline=None)
sizes = st.tuples(st.integers(2, 4), st.integers(1, 4), st.integers(3, 6))


def a_point(C: int, N: int, p: int, seed: int = 0) -> Point:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((C, p), (p, C * N), (C,))
    return Point(*(torch.randn(*s, generator=generator, dtype=torch.float64) for s in shapes))


def close(found: object, told: object, rtol: float = TIGHT) -> None:
    torch.testing.assert_close(found, told, rtol=rtol, atol=rtol)


def scalar(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)


def test_claims_name_themselves_once():
    """No two claims share an id; each has its evidence or says what is open."""
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS) >= 20


# --- the risk


@few
@given(size=sizes)
def test_risk_counts_samples(size):
    """The risk is a sum over samples, each with the label of its class."""
    C, N, p = size
    W, H, b = a_point(*size)
    naive = 0.0
    for i in range(C * N):
        label = torch.eye(C, dtype=torch.float64)[i // N]
        naive += float((W @ H[:, i] + b - label).square().sum()) / 2
    assert float(free.risk(W, H, b)) == pytest.approx(naive, rel=EXACT)


@few
@given(size=sizes, seed=st.integers(0, 99))
def test_rotation_changes_nothing(size, seed):
    """W Q, Q^T H with an orthogonal Q: the same risk, errors and projection, turned along."""
    W, H, b = a_point(*size)
    Q = torch.linalg.qr(a_point(size[2], 1, size[2], seed=seed).W).Q
    close(free.risk(W @ Q, Q.T @ H, b), free.risk(W, H, b))
    close(free.errors(W @ Q, Q.T @ H, b), free.errors(W, H, b))
    close(free.project(W @ Q, Q.T @ H, b).W, free.project(W, H, b).W @ Q)


@few
@given(size=sizes)
def test_a_batch_is_its_points(size):
    """Leading dimensions change nothing: a batch gives what its points give one by one."""
    first, second = a_point(*size, seed=1), a_point(*size, seed=2)
    both = Point(*(torch.stack(pair) for pair in zip(first, second, strict=True)))
    close(free.risk(*both), torch.stack([free.risk(*first), free.risk(*second)]))
    for function in (free.errors, free.gradient, free.project):
        told = zip(function(*first), function(*second), strict=True)
        close(tuple(function(*both)), tuple(torch.stack(pair) for pair in told))
    close(small.plateau(both.W, both.H)[1], small.plateau(second.W, second.H))


@few
@given(size=sizes, step=st.floats(1e-4, 0.05))
def test_descent_goes_down(size, step):
    """A path starts at its start, takes the slope's steps, and short steps lower the risk."""
    point = a_point(*size)
    path = free.descend(point, step / 100, 4, record=2)
    assert path.W.shape == (3, *point.W.shape)
    close(path.W[0], point.W, rtol=EXACT)
    risks = free.risk(*path)
    assert bool((risks[1:] < risks[:-1]).all())
    one = free.descend(point, step, 1)
    close(one.b[1], point.b - step * free.gradient(*point).b, rtol=EXACT)


# --- S


@few
@given(size=sizes)
def test_projection_is_idempotent_and_nearest(size):
    """Projecting twice is projecting once, and no point of S nearby is nearer."""
    point = a_point(*size)
    near = free.project(*point)
    close(tuple(free.project(*near)), tuple(near))
    assert float(free.errors(*near).distance) < EXACT
    other = free.project(*(x + 0.01 * y for x, y in zip(near, a_point(*size, seed=5), strict=True)))
    gap = [
        sum((x - y).square().sum() for x, y in zip(point, z, strict=True)) for z in (near, other)
    ]
    assert gap[0] < gap[1]


def test_strong_collapse_is_where_all_errors_vanish():
    """All four errors are zero there, the slope too, also for one sample per class and p = C-1."""
    for size in ((2, 1, 1), (3, 3, 15), (5, 2, 4)):
        point = free.strong_collapse(*size)
        assert max(float(error) for error in free.errors(*point)) < EXACT
        assert max(float(slope.abs().max()) for slope in free.gradient(*point)) < EXACT


def test_class_part_reads_class_means():
    """The class-mean part is sqrt(N) times the class means, one row a class."""
    H = a_point(3, 4, 5).H
    means = torch.stack([H[:, 4 * c : 4 * c + 4].mean(1) for c in range(3)])
    close(free.class_part(H, 3), 2 * means, rtol=EXACT)


def test_errors_are_what_the_figures_plot():
    """Entry by entry: (SNC1) and (SNC3) absolute, (SNC2) and the distance relative."""
    W, H, b = a_point(3, 2, 4)
    found = free.errors(W, H, b)
    gram = [W[c] @ W[e] - math.sqrt(2) * ((c == e) - 1 / 3) for c in range(3) for e in range(3)]
    copies = [H[:, i] - W[i // 2] / math.sqrt(2) for i in range(6)]
    assert float(found.snc1) == pytest.approx(math.hypot(*gram), rel=EXACT)
    assert float(found.snc2) == pytest.approx(math.hypot(*torch.cat(copies)) / float(H.norm()))
    assert float(found.snc3) == pytest.approx(math.hypot(*(b - 1 / 3)), rel=EXACT)
    off = [x - y for x, y in zip((W, H, b), free.project(W, H, b), strict=True)]
    lengths = [math.hypot(*(float(x.norm()) for x in parts)) for parts in (off, (W, H, b))]
    assert float(found.distance) == pytest.approx(lengths[0] / lengths[1], rel=EXACT)


# --- the flow on S


@few
@given(start=st.floats(0, 5), N=st.integers(1, 50), s=st.floats(0, 2), t=st.floats(0, 2))
def test_logistic_is_a_flow(start, N, s, t):
    """Waiting s and then t is waiting s + t; at time zero nothing has happened."""
    start = scalar(start)
    close(free.logistic(start, N, scalar(0.0)), start, rtol=EXACT)
    later = free.logistic(free.logistic(start, N, scalar(s)), N, scalar(t))
    close(later, free.logistic(start, N, scalar(s + t)))


def test_logistic_at_the_ends():
    """Zero stays zero forever; all else ends at N^(1/4), from above and from below."""
    ends = free.logistic(torch.tensor([0.0, 1e-9, 1.0, 9.0]), 81, torch.tensor([[1e5], [math.inf]]))
    close(ends, torch.tensor([[0.0, 3.0, 3.0, 3.0]] * 2, dtype=torch.float64), rtol=EXACT)


def test_flow_on_subspace_keeps_its_directions():
    """Singular vectors rest: W(t) W_0^T is symmetric; b forgets at the rate CN."""
    start = free.project(*a_point(3, 4, 5))
    path = free.subspace_flow(start.W, start.b, 4, torch.tensor([0.0, 0.3]))
    close(path.W[0], start.W)
    product = path.W[1] @ start.W.T
    close(product, product.T)
    close(path.b[1] - 1 / 3, (start.b - 1 / 3) * math.exp(-12 * 0.3), rtol=ITERATED)
    assert float(free.errors(*path).distance.max()) < TIGHT


# --- small starts


def test_random_start_has_its_size():
    """Norms of W and H are the scale, b is zero, and every member of a batch is drawn anew."""
    scale = torch.tensor([1e-1, 1e-10], dtype=torch.float64)
    W, H, b = free.random_start(3, 3, 15, scale, seed=0)
    close(torch.linalg.matrix_norm(W) / scale, torch.ones(2).double())
    close(torch.linalg.matrix_norm(H) / scale, torch.ones(2).double())
    assert float(b.abs().max()) == 0
    assert float((W[0] / 1e-1 - W[1] / 1e-10).norm()) > 0.1


def test_linear_phase_starts_where_it_starts():
    """At time zero nothing has happened."""
    W, H, _ = a_point(3, 2, 4)
    at_zero = small.linear_phase(W, H, 0.0)
    close(at_zero, (W, H, torch.zeros(3).double()), rtol=EXACT)


@pytest.mark.parametrize("size", [(3, 3, 15), (2, 1, 1), (10, 7, 9)])
def test_spectra_fill_the_space(size):
    """Multiplicities add up to the number of parameters, C p + p C N + C."""
    C, N, p = size
    for spectrum in (small.saddle_spectrum(*size), small.collapse_spectrum(*size)):
        assert sum(count for _, count in spectrum) == C * p + p * C * N + C
        assert all(count >= 0 for _, count in spectrum)


def test_share_grows_to_one():
    """The surviving share lies between 0 and 1 and tends to 1 with more classes or samples."""
    shares = [small.surviving_share(C, N) for C, N in ((2, 1), (3, 3), (10, 100), (100, 10_000))]
    assert shares == sorted(shares)
    assert 0 < shares[0] and 0.999 < shares[-1] < 1


def test_forecast_of_a_start_on_subspace_is_strong_collapse():
    """A start on S leaves nothing over."""
    W = free.project(*a_point(4, 3, 6)).W
    told = small.forecast(W, W.T @ free.targets(4, 3) / math.sqrt(3))
    assert max(float(error) for error in free.errors(*told)) < TIGHT


# --- errors in words


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: free.strong_collapse(4, 2, 2), r"at least C-1 = 3"),
        (lambda: free.strong_collapse(4, 0, 4), r"N: expected at least 1"),
        (lambda: free.risk(*a_point(3, 2, 4)._replace(H=torch.zeros(6, 4))), r"as columns"),
        (lambda: free.risk(*a_point(3, 2, 4)._replace(H=torch.zeros(4, 7))), r"\(4, 3N\)"),
        (lambda: free.risk(*a_point(3, 2, 4)._replace(b=torch.zeros(2))), r"b: expected \(3,\)"),
        (lambda: free.descend(a_point(3, 2, 4), 0.1, 10, record=3), r"divisor of steps = 10"),
    ],
)
def test_wrong_inputs_are_named(call, words):
    """Shapes and numbers that do not fit are refused with words."""
    with pytest.raises(ValueError, match=words):
        call()
