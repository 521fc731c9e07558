"""RunningStats: the statistics of all samples at once, for every way a stream can come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import ClassStats, Head, RunningStats, decompose, measure, moments
from nclib.moments import Chunks

from .samples import Sample, random_sample
from .tolerances import EXACT

STREAMED = 1e-10  # the promise of a stream: metrics and terms against all samples at once
TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    """A few samples fill a chunk, so that small streams have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "CHUNK_BYTES", 512)
        yield


def streamed(sample: Sample, sizes: list[int], covariance: bool = True) -> RunningStats:
    """The sample in batches of these sizes, over and over."""
    C, d = sample.num_classes, sample.features.shape[1]
    running = RunningStats(C, d, covariance=covariance)
    start, turn = 0, 0
    while start < len(sample.labels):
        here = slice(start, start + sizes[turn % len(sizes)])
        running.add(sample.features[here], sample.labels[here])
        start, turn = here.stop, turn + 1
    return running


def same(a: ClassStats, b: ClassStats) -> bool:
    """Equal to the last bit."""
    pairs = [(getattr(a, n), getattr(b, n)) for n in ("counts", "means", "spread", "scatter")]
    return all(x is y is None or torch.equal(x, y) for x, y in pairs)


def agree(running: ClassStats, whole: ClassStats, head: Head, ridge: float = 0.1) -> None:
    """Counts are equal; every metric and every term agree to 1e-10."""
    assert torch.equal(running.counts, whole.counts)
    found, expected = measure(running, head), measure(whole, head)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=STREAMED, abs=1e-13), name
    terms, right = decompose(running, head, ridge), decompose(whole, head, ridge)
    for name in ("nc1", "nc23", "perp"):
        assert getattr(terms, name) == pytest.approx(getattr(right, name), rel=STREAMED), name


samples = st.builds(
    lambda seed, C, d, per, spread, offset, kind: (
        s := random_sample(seed, C, d, per, spread=spread, offset=offset)
    ).with_features(s.features.to(kind)),
    st.integers(0, 999), st.integers(2, 5), st.integers(2, 12), st.integers(3, 40),
    st.sampled_from([1.0, 0.1]), st.sampled_from([0.0, 5.0]), st.sampled_from(TYPES),
)  # fmt: skip
batches = st.lists(st.integers(1, 50), min_size=1, max_size=4)


@given(samples, batches)
@settings(max_examples=30, deadline=None)
def test_every_batching_is_the_whole(sample, sizes):
    """Metrics and terms are those of all samples at once; and bit for bit those of any batching."""
    running = streamed(sample, sizes).stats
    agree(running, sample.stats, sample.head)
    assert same(running, streamed(sample, [len(sample.labels)]).stats)
    bare = streamed(sample, sizes, covariance=False).stats
    assert bare.scatter is None and torch.equal(bare.means, running.means)


@pytest.mark.parametrize("covariance", [True, False])
def test_batching_leaves_no_trace(covariance):
    """Chunks of the arithmetic are cut where the stream says, not where a batch ends."""
    sample = random_sample(1, 3, 11, 100, spread=1e-3, offset=3.0)
    sample = sample.with_features(sample.features.float())
    whole = streamed(sample, [300], covariance).stats
    for sizes in ([1], [7, 30], [128], [19]):
        assert same(streamed(sample, sizes, covariance).stats, whole)


def test_types_may_change_in_mid_stream():
    """Half, single and double precision in one stream count as what they are."""
    sample = random_sample(2, 3, 5, 40)
    running, parts = RunningStats(3, 5), []
    for kind, h, y in zip(
        TYPES * 3, sample.features.split(10), sample.labels.split(10), strict=True
    ):
        running.add(h.to(kind), y)
        parts.append(h.to(kind).double())
    agree(running.stats, sample.with_features(torch.cat(parts)).stats, sample.head)


@pytest.mark.parametrize("distance", [1e2, 1e5, 1e8])
@pytest.mark.parametrize("size", [1, 64])
def test_an_outlier_that_comes_first_costs_no_digits(distance, size):
    """Each class is shifted by its first sample, until that turns out to lie far away."""
    sample = random_sample(3, 4, 6, 100, spread=1.0, offset=5.0)
    features = sample.features.clone()
    features[0, 0] += distance
    whole = sample.with_features(features).stats
    running = streamed(sample.with_features(features), [size]).stats
    found, right = running.within, whole.within
    assert float((found - right).norm()) <= EXACT * float(right.norm())
    across = right[1:, 1:]
    assert float((found[1:, 1:] - across).norm()) <= STREAMED * float(across.norm())
    assert torch.allclose(running.spread, whole.spread, rtol=STREAMED)
    terms, right = (decompose(s, sample.head, 0.1) for s in (running, whole))
    assert terms.total == pytest.approx(right.total, rel=STREAMED)


def test_a_far_origin_is_left():
    """Where the first sample lies far out, sums go on around the means, and stay exact."""
    sample = random_sample(3, 2, 6, 1500, spread=1e-3)
    features = sample.features.clone()
    features[0] += 1e4
    sample = sample.with_features(features)
    running = streamed(sample, [50], covariance=False)
    assert running._before is not None and not running._moments.is_far
    assert torch.allclose(running.stats.spread, sample.stats.spread, rtol=STREAMED)


def test_classes_may_come_late_and_partial_streams_merge():
    """A class that comes last, and streams of other processes, in any order."""
    sample = random_sample(4, 5, 6, [3, 1, 20, 7, 9], offset=2.0)
    order = sample.labels.argsort(descending=True)
    late = Sample(sample.features[order], sample.labels[order], sample.head, 5)
    agree(streamed(late, [4]).stats, sample.stats, sample.head)
    parts = [
        streamed(Sample(late.features[i::3], late.labels[i::3], late.head, 5), [2])
        for i in range(3)
    ]
    for first, second, third in ((0, 1, 2), (2, 0, 1)):
        running = RunningStats(5, 6)
        running.merge(parts[first].stats)
        running.merge(parts[second].stats)
        running.add(late.features[third::3], late.labels[third::3])
        agree(running.stats, sample.stats, sample.head)
        assert same(running.stats, running.stats)


bad = torch.ones(3, 6)
bad[1, 2] = float("nan")
endless = torch.ones(3, 6)
endless[2, 0] = float("-inf")
ids = torch.tensor([0, 1, 2])


@pytest.mark.parametrize(
    "features, labels, message",
    [
        (bad, ids, "NaN or infinity in 1 of 3 rows, first in row 1"),
        (endless, ids, "NaN or infinity in 1 of 3 rows, first in row 2"),
        (torch.ones(3, 5), ids, r"features: expected \(B, 6\), got \(3, 5\)"),
        (torch.ones(3, 2, 6), ids, r"features: expected \(N, d\)"),
        (torch.ones(3, 6), ids + 1, r"labels: expected values in 0\.\.2, got 1\.\.3"),
        (torch.ones(3, 6), ids - 100, r"labels: expected values in 0\.\.2"),
        (torch.ones(3, 6), ids[:2], r"labels: expected \(3,\)"),
        (torch.ones(3, 6), ids.double(), "labels: expected int64"),
        (torch.ones(0, 6), ids[:0], r"features: expected \(N, d\) with N, d >= 1"),
    ],
)
def test_a_refused_batch_leaves_everything_as_it_was(features, labels, message):
    """The same bits before and after, and as if it had never come."""
    sample = random_sample(5, 3, 6, 50)
    running, spared = streamed(sample, [37]), streamed(sample, [37])
    before = running.stats
    with pytest.raises((ValueError, TypeError), match=message):
        running.add(features, labels)
    assert same(running.stats, before)
    for stream in (running, spared):
        stream.add(sample.features[:50], sample.labels[:50])
    assert same(running.stats, spared.stats)


def test_statistics_that_do_not_fit_are_refused():
    """Other shapes, no scatter, no statistics; nothing is changed by that."""
    sample = random_sample(6, 3, 4, 5)
    running = streamed(sample, [4])
    before = running.stats
    for other, error, message in (
        (random_sample(0, 3, 5, 2).stats, ValueError, r"of \(C, d\) = \(3, 4\), got \(3, 5\)"),
        (streamed(sample, [4], covariance=False).stats, ValueError, "covariance=True"),
        (sample.head, TypeError, "stats: expected ClassStats, got Head"),
    ):
        with pytest.raises(error, match=message):
            running.merge(other)  # pyright: ignore[reportArgumentType]
    assert same(running.stats, before)
    bare = RunningStats(3, 4, covariance=False)
    bare.merge(sample.stats)
    assert bare.stats.scatter is None and torch.equal(bare.stats.means, sample.stats.means)
    with pytest.raises(ValueError, match="num_classes: expected a whole number >= 1, got 0"):
        RunningStats(0, 4)


def test_modes_of_torch_change_nothing():
    """Inference mode, autocast and a gradient leave the numbers alone, in any mixture."""
    sample = random_sample(7, 3, 6, 40)
    sample = sample.with_features(sample.features.float())
    pieces = list(zip(sample.features.split(30), sample.labels.split(30), strict=True))
    with torch.inference_mode():
        running = RunningStats(3, 6)
        running.add(*pieces[0])
    running.add(pieces[1][0].clone().requires_grad_(), pieces[1][1])
    with torch.autocast("cpu"):
        for piece in pieces[2:]:
            running.add(*piece)
    assert same(running.stats, streamed(sample, [30]).stats)


def test_half_precision_is_summed_without_overflow():
    """60,000 twice is infinite in 16 bits, and no reason to refuse a batch."""
    features = torch.full((4, 3), 60_000.0, dtype=torch.float16)
    stats = ClassStats.of(features, torch.tensor([0, 0, 1, 1]), 2)
    assert stats.means.unique().tolist() == [60_000.0]


def test_chunks_lose_nothing():
    """What goes in comes out, in order, in chunks of one size and a rest."""
    chunks, out = Chunks(5), []
    g = torch.Generator().manual_seed(0)
    features = torch.randn(43, 2, generator=g)
    for h, y in zip(features.split(3), torch.arange(43).split(3), strict=True):
        out += [(a.clone(), b.clone()) for a, b in chunks.put(h, y)]
    assert [len(b) for _, b in out] == [5] * 8
    out += list(chunks.take())
    assert not list(chunks.take())
    assert torch.equal(torch.cat([a for a, _ in out]), features)
    assert torch.cat([b for _, b in out]).tolist() == list(range(43))
