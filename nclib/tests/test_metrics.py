"""Every row of METRICS: its declared invariances, its limit, and a naive twin."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nclib import METRICS, Head, measure, simplex
from nclib.metrics import relative_variability

from .samples import Sample, collapsed_sample, orthogonal, random_sample
from .tolerances import EXACT, TIGHT

NAMES = torch.tensor([3, 0, 4, 1, 2])


def relabel(s: Sample) -> Sample:
    back = NAMES.argsort()
    return Sample(s.features, NAMES[s.labels], Head(s.head.weight[back], s.head.bias[back]), 5)


def rotate(s: Sample) -> Sample:
    Q = orthogonal(3, s.features.shape[1])
    return replace(s, features=s.features @ Q.T, head=Head(s.head.weight @ Q.T, s.head.bias))


CHANGES = {
    "order": lambda s: replace(s, features=s.features.flip(0), labels=s.labels.flip(0)),
    "relabel": relabel,
    "replicate": lambda s: replace(s, features=s.features.repeat(3, 1), labels=s.labels.repeat(3)),
    "rotate": rotate,
    "scale": lambda s: replace(
        s, features=7.0 * s.features, head=Head(0.2 * s.head.weight, 0.2 * s.head.bias)
    ),
    "shift": lambda s: replace(s, features=s.features + 2.5),
}


@pytest.fixture(params=["balanced", "unbalanced"])
def sample(request) -> Sample:
    return random_sample(11, 5, 8, 6 if request.param == "balanced" else [9, 2, 5, 7, 3])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", METRICS)
def test_declared_invariances_hold_and_no_others(name, change, sample):
    """A metric ignores a change exactly if its row says so."""
    before = METRICS[name](sample.stats, sample.head)
    changed = CHANGES[change](sample)
    after = METRICS[name](changed.stats, changed.head)
    same = after == pytest.approx(before, rel=TIGHT)
    assert same == (change in METRICS[name].invariant_to)


@pytest.mark.parametrize("name", METRICS)
def test_declared_need_of_the_scatter(name, sample):
    """A metric is refused without the within-class scatter exactly if its row says it needs it."""
    lean = replace(sample.stats, scatter=None)
    if METRICS[name].needs_scatter:
        with pytest.raises(ValueError, match="covariance=True"):
            METRICS[name](lean, sample.head)
    else:
        assert METRICS[name](lean, sample.head) == METRICS[name](sample.stats, sample.head)


@pytest.mark.parametrize("name", METRICS)
def test_value_at_exact_collapse(name):
    """A metric takes its declared value when features and head sit exactly on its frame."""
    metric = METRICS[name]
    sample = collapsed_sample(5, 8, 4, metric.frame)
    value = metric(sample.stats, sample.head)
    if metric.at_collapse is None:
        assert name == "bias_residual" and value == pytest.approx(1 / 5**0.5, rel=EXACT)
    else:
        assert value == pytest.approx(metric.at_collapse, abs=1e3 * EXACT)


@pytest.mark.parametrize("name", METRICS)
def test_value_away_from_collapse_is_another(name, sample):
    """No metric is at its limit on random features."""
    metric = METRICS[name]
    if metric.at_collapse is not None:
        assert abs(metric(sample.stats, sample.head) - metric.at_collapse) > 0.01


def cos(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def naive(s: Sample) -> dict[str, float]:
    """Every measurement from the samples, class by class and pair by pair."""
    h, y, C = s.features, s.labels, s.num_classes
    N, W, b = len(y), s.head.weight, s.head.bias
    mu = [h[y == c].mean(0) for c in range(C)]
    G = h.mean(0)
    M = [m - G for m in mu]
    Sw = torch.stack([torch.outer(h[i] - mu[y[i]], h[i] - mu[y[i]]) for i in range(N)]).mean(0)
    Sb = torch.stack([(y == c).double().mean() * torch.outer(M[c], M[c]) for c in range(C)]).sum(0)
    var = [(h[y == c] - mu[c]).square().sum(1).mean() for c in range(C)]
    pairs = [(c, k) for c in range(C) for k in range(C) if c != k]
    stacked = torch.stack(M)
    nc1 = float(torch.trace(Sw @ torch.linalg.pinv(Sb, rtol=1e-10)))
    out = {
        "relative_variability": nc1 / C,
        "relative_variability_sum": nc1,
        "variance_ratio": float(Sw.trace() / Sb.trace()),
        "distance_to_variance": sum(
            float((var[c] + var[k]) / (2 * (mu[c] - mu[k]).square().sum())) for c, k in pairs
        ) / len(pairs),
        "condition_number": float(torch.linalg.cond(torch.stack(mu))),
        "duality_gap": float((W / W.norm() - stacked / stacked.norm()).square().sum()),
        "alignment": sum(cos(mu[c], W[c]) for c in range(C)) / C,
        "bias_residual": float((W @ G + b).norm()),
    }  # fmt: skip
    P = torch.eye(C).double() - 1 / C

    def to_simplex(A):
        return float((A / A.norm() - P / P.norm()).norm())

    out["product_distance"] = to_simplex(W @ torch.stack(M).T)
    out["gram_distance_centered_classifier"] = to_simplex(P @ W @ W.T @ P)
    for suffix, V in (("means", M), ("classifier", list(W))):
        norms = torch.stack([v.norm() for v in V])
        cosines = torch.tensor([cos(V[c], V[k]) for c, k in pairs], dtype=torch.float64)
        out[f"norm_spread_{suffix}"] = float(norms.std(correction=1) / norms.mean())
        out[f"cosine_spread_{suffix}"] = float((cosines - cosines.mean()).square().mean().sqrt())
        out[f"angle_to_simplex_{suffix}"] = float((cosines + 1 / (C - 1)).abs().mean())
        out[f"gram_distance_{suffix}"] = to_simplex(torch.stack(V) @ torch.stack(V).T)
    return out


def test_naive_twin(sample):
    """measure() equals the definitions spelled out sample by sample, for every row of the table."""
    expected = naive(sample)
    got = measure(sample.stats, sample.head)
    assert set(got) == set(METRICS) == set(expected)
    for name in METRICS:
        assert got[name] == pytest.approx(expected[name], rel=TIGHT), name


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 9])
def test_fewer_features_than_classes(d):
    """NC1 agrees with the pseudo-inverse below, at and above d = C-1."""
    sample = random_sample(d, 5, d, 7)
    expected = torch.trace(
        sample.stats.within @ torch.linalg.pinv(sample.stats.between, rtol=1e-10, hermitian=True)
    )
    assert relative_variability(sample.stats) == pytest.approx(float(expected) / 5, rel=TIGHT)


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4])
def test_rounding_adds_no_direction(offset):
    """NC1 of float32 features does not blow up through a C-th direction made of rounding."""
    sample = random_sample(0, 10, 32, 50, spread=1e-2, offset=offset)
    sample = sample.with_features(sample.features.float())
    assert relative_variability(sample.stats) < 1e-3


def test_degenerate_means_read_infinite_not_small():
    """Equal class means are the opposite of collapse: the ratios are infinite."""
    h = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    sample = Sample(h, torch.tensor([0, 0, 1, 1]), Head(torch.ones(2, 1), torch.zeros(2)), 2)
    found = measure(sample.stats, sample.head)
    for name in ("relative_variability", "variance_ratio", "distance_to_variance"):
        assert found[name] == float("inf"), name


def test_table_is_complete():
    """Each row says where it comes from, what it means and how it is written."""
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.property in {"NC1", "NC2", "NC3", "NC4"}
        assert metric.source and metric.meaning and metric.symbol
        assert set(metric.needs) <= {"stats", "head"} and metric.needs
        assert set(metric.invariant_to) <= set(CHANGES)


def test_bad_input_is_refused_in_words():
    """A head of another width is named."""
    sample, other = random_sample(0, 3, 4, 5), random_sample(0, 3, 5, 5)
    with pytest.raises(
        ValueError, match=r"head.weight: expected \(3, 4\) to match stats.means, got \(3, 5\)"
    ):
        measure(sample.stats, other.head)


@pytest.mark.parametrize("value", [0.1, 1.0, 1e3])
@pytest.mark.parametrize("C", [2, 6, 7, 10])
def test_dead_features_are_no_collapse(C, value):
    """Features that are the same for every image separate nothing: NC1 is infinite, not 0."""
    features = torch.full((20 * C, 8), value)
    labels = torch.arange(C).repeat(20)
    sample = Sample(features, labels, Head(torch.ones(C, 8), torch.zeros(C)), C)
    for name in ("relative_variability", "variance_ratio", "distance_to_variance"):
        assert METRICS[name](sample.stats, sample.head) == float("inf"), name


def test_wrong_types_are_refused_in_words():
    """A layer instead of a Head, or the two swapped, is said."""
    sample = random_sample(0, 3, 4, 5)
    with pytest.raises(
        TypeError, match=r"head: expected Head, such as Head.of\(layer\), got Linear"
    ):
        measure(sample.stats, torch.nn.Linear(4, 3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="stats: expected ClassStats, got Head"):
        measure(sample.head, sample.stats)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_products_of_classes_come_in_blocks(rows, sample, monkeypatch):
    """Thousands of classes are compared a block of rows at a time; the numbers are the same."""
    expected = measure(sample.stats, sample.head)
    monkeypatch.setattr(simplex, "BLOCK_ROWS", rows)
    found = measure(sample.stats, sample.head)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=EXACT), name


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-4])
def test_distances_of_close_means_keep_their_digits(gap):
    """Two means close together, for their distance from the others, are subtracted first."""
    sample = random_sample(2, 4, 6, 9, spread=0.1, offset=10.0)
    features = sample.features.clone()
    features[sample.labels == 1] = features[sample.labels == 0] + gap
    sample = sample.with_features(features)
    expected = naive(sample)["distance_to_variance"]
    assert METRICS["distance_to_variance"](sample.stats, sample.head) == pytest.approx(
        expected, rel=TIGHT
    )


def test_the_variability_is_computed_once():
    """Both rows made of it ask the statistics, which remember; so does nothing they are made of."""
    stats = random_sample(0, 3, 4, 5).stats
    assert stats.variability is stats.variability
    assert (stats + stats).variability is not stats.variability
