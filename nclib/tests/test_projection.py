"""SecondPass: what is measured without a (d, d) matrix is what the whole covariance says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, Head, RunningStats, SecondPass, decide, decompose, measure, moments
from nclib.projection.deciding import SingleLogits, float32_is_exact

from .samples import Sample, collapsed_sample, random_sample

STREAMED = 1e-10  # the promise of a second pass, against the whole covariance
REGIMES = {  # class means, noise, offset, as the peers are compared
    "random": (1.0, 1.0, 0.0),
    "late": (1.0, 1e-2, 1.0),
    "free": (1.0, 1e-5, 0.0),
    "far": (10.0, 1e-3, 100.0),
    "farther": (10.0, 1e-4, 100.0),
    "exact": (1.0, 0.0, 100.0),
}


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    """A few samples fill a chunk, so that small streams have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "CHUNK_BYTES", 1024)
        yield


def regime(name: str, seed: int = 0, C: int = 5, d: int = 12, per: int = 40) -> Sample:
    """Float32 features in one of the regimes, with a random head."""
    scale, noise, offset = REGIMES[name]
    s = random_sample(seed, C, d, per, spread=noise / scale)
    return s.with_features((scale * s.features + offset).float())


def looked_at_again(sample: Sample, stats: ClassStats, sizes: list[int]) -> SecondPass:
    """A second pass over the sample, backwards, in batches of these sizes."""
    second, start, turn = SecondPass(stats, sample.head), 0, 0
    h, y = sample.features.flip(0), sample.labels.flip(0)
    while start < len(y):
        here = slice(start, start + sizes[turn % len(sizes)])
        second.add(h[here], y[here])
        start, turn = here.stop, turn + 1
    return second


def agrees(sample: Sample, sizes: list[int], tiny: float = 1e-13) -> None:
    """Every metric to 1e-10 and every decision, from C x d numbers and from the covariance."""
    C = sample.num_classes
    bare = ClassStats.of(sample.features, sample.labels, C, covariance=False)
    second = looked_at_again(sample, bare, sizes)
    found, expected = measure(second.stats, sample.head), measure(sample.stats, sample.head)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=STREAMED, abs=tiny, nan_ok=True), name
    assert second.decisions == decide(sample.features, sample.labels, sample.head, bare.means)


@given(
    st.sampled_from(list(REGIMES)), st.integers(0, 99), st.integers(2, 7), st.integers(1, 14),
    st.integers(1, 30), st.lists(st.integers(1, 40), min_size=1, max_size=3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_metrics_and_decisions_of_the_whole(name, seed, C, d, per, sizes):
    """In every regime and batching, with fewer features than classes, and one sample a class."""
    agrees(regime(name, seed, C, d, per), sizes, tiny=1e-26)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_precision(kind):
    """Half, single and double precision count as what they are."""
    sample = random_sample(0, 4, 6, 30, offset=2.0)
    agrees(sample.with_features(sample.features.to(kind)), [7])


def test_duplicated_features_and_means_that_coincide():
    """Twice the same column, twice the same sample, and two classes at one place."""
    sample = random_sample(1, 4, 3, 10)
    wide = sample.features.repeat(1, 2)
    head = Head(sample.head.weight.repeat(1, 2), sample.head.bias)
    agrees(Sample(wide, sample.labels, head, 4), [4])
    twice = Sample(sample.features.repeat(2, 1), sample.labels.repeat(2), sample.head, 4)
    agrees(twice, [9])
    labels = torch.where(sample.labels < 2, torch.arange(40) % 2, sample.labels)
    features = sample.features.clone()
    features[torch.nonzero(labels == 1).flatten()[:4]] = features[labels == 0][:4]
    keep = (labels > 1) | (labels == 0).cumsum(0).le(4) & (labels == 0)
    keep |= (labels == 1).cumsum(0).le(4) & (labels == 1)
    features, labels = features[keep], labels[keep]
    merged = Sample(features, labels, sample.head, 4)
    assert torch.equal(merged.stats.means[0], merged.stats.means[1])
    agrees(merged, [6])


def test_features_that_are_all_the_same():
    """No direction is left, NC1 is infinite, and the lowest class is the nearest."""
    sample = Sample(
        torch.full((12, 3), 0.1), torch.arange(12) % 3, random_sample(0, 3, 3, 1).head, 3
    )
    agrees(sample, [5])


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
def test_decisions_in_doubt_are_those_of_float64(gap, offset):
    """Rows of the head that nearly tie: float32 cannot tell them apart, and is not asked to."""
    sample = random_sample(2, 4, 9, 50, offset=offset)
    sample = sample.with_features(sample.features.float())
    W = sample.head.weight[:1] + gap * sample.head.weight
    b = sample.head.bias * gap - gap * (sample.head.weight @ sample.features.double().mean(0))
    tied = Sample(sample.features, sample.labels, Head(W, b), 4)
    agrees(tied, [16])
    if gap == 0.0:  # a tie of all classes goes to the lowest
        stats = ClassStats.of(tied.features, tied.labels, 4)
        assert looked_at_again(tied, stats, [16]).decisions.correct == 50


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", REGIMES)
def test_float32_is_right_where_it_is_sure(name, mixed):
    """No sample that float32 decides is decided otherwise by float64, autocast or not."""
    sample = regime(name, C=20, d=64, per=100)
    second = SecondPass(sample.stats, sample.head)
    choices = second._deciding.choices
    reach = (sample.features.double() - choices.origin).norm(dim=1)
    with torch.autocast("cpu", enabled=mixed):
        chosen, doubt = SingleLogits(choices).chosen(sample.features, reach)
    assert torch.equal(chosen[~doubt], choices.chosen(sample.features)[~doubt])
    assert float(doubt.double().mean()) < 0.2


def test_less_than_single_precision_is_not_trusted(monkeypatch):
    """Where torch may round float32 products further, decisions take float64; autocast as well."""
    sample = regime("late")
    with torch.autocast("cpu"):
        agrees(sample, [10])
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    assert not float32_is_exact()
    agrees(sample, [10])


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_extreme_sizes(scale):
    """Features and heads whose float32 products would vanish or overflow."""
    sample = random_sample(5, 3, 4, 20)
    features = (scale * sample.features).float()
    for size in (scale, 1 / scale):
        head = Head(size * sample.head.weight, sample.head.bias)
        agrees(Sample(features, sample.labels, head, 3), [8], tiny=0.0)


def second_look(sample: Sample, again: Tensor) -> SecondPass:
    second = SecondPass(
        ClassStats.of(sample.features, sample.labels, sample.num_classes), sample.head
    )
    second.add(again, sample.labels)
    return second


@pytest.mark.parametrize("name", REGIMES)
@pytest.mark.parametrize("per", [1, 3, 100])
def test_no_false_alarm(name, per):
    """The same samples, also rounded differently in the last digit, are the same samples."""
    sample = regime(name, per=per, d=30)
    assert second_look(sample, sample.features).stats
    up = torch.randint(0, 2, sample.features.shape, generator=torch.Generator().manual_seed(0))
    other = sample.features * (1 + (2 * up - 1) * torch.finfo(torch.float32).eps / 2)
    assert second_look(sample, other).stats


def test_no_false_alarm_for_many_samples():
    """A thousand times as many samples of no spread, or next to none, are no other samples."""
    for spread in (0.0, 1e-13):
        sample = random_sample(3, 2, 2, 50, spread=spread, offset=1.0)
        many = Sample(sample.features.repeat(400, 1), sample.labels.repeat(400), sample.head, 2)
        assert looked_at_again(many, many.stats, [9999]).stats


CHANGES = {
    "noise": lambda h, y, noise: h + 0.5 * noise * normal(h),
    "fresh samples": lambda h, y, noise: means_of(h, y) + noise * normal(h),
    "dropout": lambda h, y, noise: h * (torch.rand(h.shape, generator=seeded()) > 0.1) / 0.9,
    "another batch in place of one": lambda h, y, noise: replaced(h, y),
}  # fmt: skip


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(99)


def normal(h: Tensor) -> Tensor:
    return torch.randn(h.shape, generator=seeded())


def means_of(h: Tensor, y: Tensor) -> Tensor:
    return torch.stack([h[y == c].double().mean(0) for c in range(5)])[y].float()


def replaced(h: Tensor, y: Tensor) -> Tensor:
    """The first half of each class once more instead of the second."""
    h = h.clone()
    for c in range(5):
        members = torch.nonzero(y == c).flatten()
        few = len(members) // 2
        h[members[few : 2 * few]] = h[members[:few]]
    return h


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name, per", [("farther", 5), *((n, 500) for n in list(REGIMES)[:4])])
def test_other_samples_are_named(change, name, per):
    """Augmentation, dropout and batches that came twice are seen, unless rounding does as much."""
    sample = regime(name, per=per, d=30)
    again = CHANGES[change](sample.features, sample.labels, REGIMES[name][1]).float()
    with pytest.raises(ValueError, match="expected the very samples of the first, got other"):
        _ = second_look(sample, again).stats


def test_too_few_or_too_many_are_named():
    """A missing batch, and one that came twice."""
    sample = regime("late")
    second = SecondPass(sample.stats, sample.head)
    second.add(sample.features[:50], sample.labels[:50])
    with pytest.raises(ValueError, match="expected the 200 samples of the first, .* got 50"):
        _ = second.stats
    for _ in range(2):
        second.add(sample.features[50:], sample.labels[50:])
    with pytest.raises(ValueError, match="got 350"):
        _ = second.stats


def test_a_refused_batch_leaves_everything_as_it_was():
    """NaN, a wrong width, a class that does not exist: the second pass goes on without them."""
    sample = regime("late")
    bare = ClassStats.of(sample.features, sample.labels, 5, covariance=False)
    second = looked_at_again(sample, bare, [20])
    along, decisions = second.stats.along, second.decisions
    nan = sample.features[:4] * float("nan")
    for features, labels, message in (
        (nan, sample.labels[:4], "NaN or infinity in 4 of 4 rows"),
        (sample.features[:4, :5], sample.labels[:4], r"expected \(B, 12\), got \(4, 5\)"),
        (sample.features[:4], sample.labels[:4] + 5, r"labels: expected values in 0\.\.4"),
    ):
        with pytest.raises(ValueError, match=message):
            second.add(features, labels)
    assert torch.equal(second.stats.along, along) and second.decisions == decisions
    with pytest.raises(TypeError, match="head: expected Head"):
        SecondPass(bare, torch.nn.Linear(12, 5))  # pyright: ignore[reportArgumentType]
    partial = ClassStats.of(sample.features[:1], sample.labels[:1], 5)
    with pytest.raises(ValueError, match="samples of all 5 classes"):
        SecondPass(partial, sample.head)


def test_inference_mode_may_come_and_go():
    """A pass begun in inference mode goes on outside, and the other way round."""
    sample = regime("late")
    stats = sample.stats
    with torch.inference_mode():
        second = SecondPass(ClassStats.of(sample.features, sample.labels, 5), sample.head)
        second.add(sample.features[:70], sample.labels[:70])
    second.add(sample.features[70:], sample.labels[70:])
    with torch.inference_mode():
        found = second.decisions
    assert found == decide(sample.features, sample.labels, sample.head, stats.means)
    assert torch.allclose(second.stats.along, looked_at_again(sample, stats, [9]).stats.along)


def test_what_needs_the_covariance_says_so():
    """Metrics do not; the three terms do, unless the first pass kept it."""
    sample = collapsed_sample(4, 6, 5, "simplex")
    bare = ClassStats.of(sample.features, sample.labels, 4, covariance=False)
    with pytest.raises(ValueError, match="covariance=True"):
        decompose(looked_at_again(sample, bare, [3]).stats, sample.head, 0.1)
    with pytest.raises(ValueError, match="covariance=True"):
        measure(bare, sample.head)
    kept = looked_at_again(sample, sample.stats, [3]).stats
    assert decompose(kept, sample.head, 0.1) == decompose(sample.stats, sample.head, 0.1)
    moved = looked_at_again(sample, bare, [3]).stats.to("cpu")
    assert measure(moved, sample.head)["relative_variability"] == pytest.approx(0, abs=1e-20)


def test_no_matrix_of_the_features():
    """Two passes and every metric where a (d, d) matrix would be more than a terabyte."""
    sample = random_sample(0, 2, 400_000, 2)
    running = RunningStats(2, 400_000, covariance=False)
    running.add(sample.features, sample.labels)
    second = SecondPass(running.stats, sample.head)
    second.add(sample.features, sample.labels)
    assert len(measure(second.stats, sample.head)) > 10 and second.decisions.total == 4
