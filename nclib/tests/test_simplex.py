"""The simplex: a projector, C unit vectors with cosines -1/(C-1), and a distance that sees both."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nclib.simplex import (
    angle_to_simplex,
    centering,
    cosine_spread,
    gram_distance,
    norm_spread,
    simplex_etf,
)

from .samples import orthogonal
from .tolerances import EXACT

classes = st.integers(2, 12)


@given(classes)
def test_centering_is_the_projector_off_the_ones(C):
    """P is symmetric, idempotent, of rank C-1, and sends the ones to zero."""
    P = centering(C)
    assert torch.allclose(P @ P, P, atol=EXACT) and torch.equal(P, P.T)
    assert abs(float(P.trace()) - (C - 1)) < EXACT * C
    assert float(P.sum(0).abs().max()) < EXACT


@given(classes, st.integers(0, 5))
def test_simplex_has_unit_rows_at_the_widest_common_angle(C, extra):
    """The Gram matrix of the vertices is C/(C-1) P, in any dimension that holds them."""
    V = simplex_etf(C, C - 1 + extra)
    assert V.shape == (C, C - 1 + extra)
    assert torch.allclose(V @ V.T, C / (C - 1) * centering(C), atol=EXACT)


@given(classes, st.integers(0, 99))
def test_vector_measures_vanish_on_a_simplex_in_any_pose_and_size(C, seed):
    """Equinorm, equiangular, maximal angle and Gram distance are 0 for every rotated multiple."""
    V = 7.0 * simplex_etf(C, C + 2) @ orthogonal(seed, C + 2)
    for measure in (norm_spread, cosine_spread, angle_to_simplex, gram_distance):
        assert measure(V) < 1e3 * EXACT, measure.__name__


@given(st.integers(3, 9))
def test_vector_measures_see_what_they_are_for(C):
    """Longer rows move only the norms; an orthogonal frame is equiangular, not maximally so."""
    V = simplex_etf(C) * torch.linspace(1, 2, C, dtype=torch.float64)[:, None]
    assert norm_spread(V) > 0.05 and cosine_spread(V) < 1e3 * EXACT
    frame = torch.eye(C, dtype=torch.float64)
    assert cosine_spread(frame) < EXACT
    assert angle_to_simplex(frame) == pytest.approx(1 / (C - 1), rel=EXACT)
    # <I/sqrt(C), P/sqrt(C-1)> = sqrt((C-1)/C), so the distance is sqrt(2 - 2 sqrt((C-1)/C)).
    assert gram_distance(frame) == pytest.approx(
        (2 - 2 * ((C - 1) / C) ** 0.5) ** 0.5, rel=1e3 * EXACT
    )


def test_too_small_a_space_is_refused_in_words():
    """C vertices need C-1 dimensions; the message has both numbers."""
    with pytest.raises(ValueError, match=r"at least C-1 = 9 .* C = 10 classes, got 8"):
        simplex_etf(10, 8)
    with pytest.raises(ValueError, match="at least 2, got 1"):
        centering(1)
    with pytest.raises(ValueError, match=r"vectors: expected \(C, d\), got \(3,\)"):
        gram_distance(torch.zeros(3))
