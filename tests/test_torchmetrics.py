"""The meter as a metric of torchmetrics: any dealing of the samples, and all that metrics do."""

from __future__ import annotations

import copy
import doctest
import pickle
import textwrap
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nclib import METRICS, ClassStats, CollapseReport, Head, LossTerms, decompose, measure
from nclib.tests.samples import Sample, random_sample
from nclib.tests.tolerances import EXACT, TIGHT

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: extra [metrics]")

from torchmetrics import MetricCollection  # noqa: E402

from nclib.adapters import CollapseMetric  # noqa: E402
from nclib.adapters import metric as module

C, D, RIDGE = 4, 6, 1e-3


def sample(seed: int = 0, **kwargs: Any) -> Sample:
    return random_sample(seed, C, D, [5, 9, 3, 7], **kwargs)


def layer_of(head: Head) -> nn.Linear:
    layer = nn.Linear(head.dimension, head.num_classes, dtype=torch.float64)
    layer.load_state_dict({"weight": head.weight, "bias": head.bias})
    return layer


def expected(s: Sample) -> dict[str, float]:
    return expected_of(measure(s.stats, s.head), decompose(s.stats, s.head, RIDGE))


def expected_of(metrics: dict[str, float], terms: LossTerms) -> dict[str, float]:
    return metrics | {"loss_nc1": terms.nc1, "loss_nc23": terms.nc23, "loss_perp": terms.perp}


def agrees(values: dict[str, Tensor], wanted: dict[str, float], tolerance: float = TIGHT) -> None:
    assert list(values) == list(wanted)
    for name, value in values.items():
        assert value.dtype == torch.float64 and value.shape == ()
        assert float(value) == pytest.approx(wanted[name], rel=tolerance, abs=tolerance), name


class Twice(CollapseMetric):
    """The other way torchmetrics has of going forward: two updates instead of a merge."""

    full_state_update = True


@pytest.mark.parametrize("kind", [CollapseMetric, Twice])
def test_forward_gives_the_batch_and_compute_everything(kind):
    """A step's value is that of its batch, without a warning; the whole is that of all samples."""
    s = sample()
    metric = kind(head=layer_of(s.head), ridge=RIDGE)
    for batch in torch.arange(len(s.labels)).split(9):
        step = metric(s.features[batch], s.labels[batch])
        stats = ClassStats.of(s.features[batch], s.labels[batch], C)
        wanted = CollapseReport.of(stats, s.head, None, RIDGE).metrics["variance_ratio"]
        assert float(step["variance_ratio"]) == pytest.approx(wanted, rel=TIGHT)
    assert metric(s.features[:1], s.labels[:1])["alignment"].isnan()  # a single class
    metric.reset()
    metric(s.features, s.labels)
    agrees(metric.compute(), expected(s))
    agrees(metric(s.features, s.labels), expected(s))
    assert metric.stats.total_count == 2 * len(s.labels)


@settings(max_examples=15, deadline=None)
@given(st.data(), st.integers(0, 99), st.sampled_from([0.0, 100.0]))
def test_any_dealing_of_the_samples(data, seed, offset):
    """Batches into any of three metrics, merged in any order, are the union; also at collapse."""
    s = sample(seed, spread=1e-4, offset=offset)
    owner = data.draw(st.lists(st.integers(0, 2), min_size=24, max_size=24))
    metrics = [CollapseMetric(head=s.head, ridge=RIDGE) for _ in range(3)]
    for i, k in enumerate(owner):
        metrics[k].update(s.features[i : i + 1], s.labels[i : i + 1])
    first, *others = data.draw(st.permutations(metrics))
    for other in others:
        first.merge_state(other)
    assert torch.equal(first.stats.counts, s.stats.counts)
    got = first.compute()
    assert float(got["relative_variability"]) == pytest.approx(
        expected(s)["relative_variability"], rel=1e-8
    )
    assert float(got["loss_nc1"]) == pytest.approx(expected(s)["loss_nc1"], rel=1e-8)


def test_rows_of_two_parts_merge_to_ten_digits():
    """What the processes send merges to the statistics of all samples at once, to 1e-10."""
    s = sample(offset=100.0, spread=1e-3)
    halves = [CollapseMetric(C, D), CollapseMetric(C, D)]
    halves[0].update(s.features[:19], s.labels[:19])
    halves[1].update(s.features[19:], s.labels[19:])
    packing = halves[0].packing
    merged = packing.unpack(packing.merged(torch.stack([half.packed for half in halves])))
    for name in ("means", "scatter", "spread"):
        got, wanted = getattr(merged, name), getattr(s.stats, name)
        assert float((got - wanted).norm() / wanted.norm()) < 1e-10, name


def test_copies_pickles_and_states():
    """A clone, a pickle and a state dict hold the samples; the clone looks at the same layer."""
    s = sample()
    layer = layer_of(s.head)
    metric = CollapseMetric(head=layer, ridge=RIDGE)
    metric.update(s.features, s.labels)
    assert not metric.state_dict()
    metric.persistent(True)
    loaded = CollapseMetric(head=layer_of(s.head), ridge=RIDGE)
    loaded.load_state_dict(metric.state_dict())
    for copied in (metric.clone(), pickle.loads(pickle.dumps(metric)), loaded):
        agrees(copied.compute(), expected(s), EXACT)
        copied.update(s.features, s.labels)  # and the original does not change with it
    assert metric.stats.total_count == len(s.labels)
    clone: Any = metric.clone()
    with torch.no_grad():
        layer.weight.zero_()
    assert clone.head is not None and not clone.head.weight.any()


def test_autocast_is_not_for_statistics():
    """Inside of autocast the values are those of float64."""
    s = sample(offset=100.0, spread=1e-3)
    metric = CollapseMetric(head=layer_of(s.head), ridge=RIDGE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        metric.update(s.features, s.labels)
        agrees(metric.compute(), expected(s), 1e-8)


def test_a_copied_model_has_a_metric_of_its_own_layer():
    """The metric inside a copy of a whole model looks at the copied layer; no layer is doubled."""
    model: Any = nn.Module()
    model.fc = nn.Linear(D, C)
    model.metric = CollapseMetric(head=model.fc)
    assert set(model.state_dict()) == {"fc.weight", "fc.bias"}
    assert len(list(model.parameters())) == 2
    twin = copy.deepcopy(model)
    assert twin.metric._looked_at.to is twin.fc


def test_a_metric_is_one_module():
    """A metric that stands in a model under two names is one module, as any other."""
    model: Any = nn.Module()
    model.one = model.two = CollapseMetric(C, D)
    assert hash(model.one) == hash(model.two)
    assert [name for name, _ in model.named_modules()] == ["", "one"]


def test_precision_does_not_follow_the_model():
    """half(), bfloat16 and set_dtype leave the state in float64, alone and inside a model."""
    s = sample(offset=100.0, spread=1e-3)
    model = nn.ModuleList([CollapseMetric(head=s.head, ridge=RIDGE)])
    metric: Any = model[0]
    metric.update(s.features, s.labels)
    before = metric.packed
    model.half().to(torch.bfloat16)
    metric.half().float().set_dtype(torch.float16).to("cpu")
    assert torch.equal(metric.packed, before) and metric.packed.dtype == torch.float64
    metric.reset()
    assert metric.packed.dtype == torch.float64
    metric.update(s.features, s.labels)
    agrees(metric.compute(), expected(s), 1e-8)


def test_a_collection_computes_once():
    """Two ridges over the same features share one state; prefix and clone name the values."""
    s = sample()
    both = {"small": CollapseMetric(head=s.head), "large": CollapseMetric(head=s.head, ridge=RIDGE)}
    train = MetricCollection(both, prefix="train/")  # pyright: ignore[reportArgumentType]
    val = train.clone(prefix="val/")
    for batch in torch.arange(len(s.labels)).split(7):
        val.update(features=s.features[batch], labels=s.labels[batch])
    assert list(val.compute_groups.values()) == [["large", "small"]]
    got = val.compute()
    for name, value in expected(s).items():
        assert float(got[f"val/large_{name}"]) == pytest.approx(value, rel=TIGHT), name
    val.reset()
    assert val["large"].stats.total_count == 0  # pyright: ignore[reportAttributeAccessIssue]


def test_ignored_labels_and_empty_batches():
    """-100 is left out, so that a batch of nothing else adds nothing."""
    s = sample()
    metric = CollapseMetric(head=s.head, ridge=RIDGE)
    metric.update(torch.cat([s.features, torch.full((3, D), torch.nan)]),
                  torch.cat([s.labels, torch.full((3,), -100)]))  # fmt: skip
    metric.update(s.features[:0], s.labels[:0])
    metric(torch.ones(2, D), torch.full((2,), -100))
    agrees(metric.compute(), expected(s))


@pytest.mark.parametrize("kind", ["int32", "uint8", "array", "list", "column"])
def test_labels_of_any_kind(kind):
    """Labels may be what the meter takes; all give the same values, step and whole."""
    s = sample()
    labels = {
        "int32": s.labels.int(), "uint8": s.labels.byte(), "array": s.labels.numpy(),
        "list": s.labels.tolist(), "column": s.labels[:, None],
    }[kind]  # fmt: skip
    metric = CollapseMetric(head=s.head, ridge=RIDGE)
    agrees(metric(s.features, labels), expected(s))
    agrees(metric.compute(), expected(s))


def test_too_few_classes():
    """A class without samples is left out with a word, as in a report; below two all is NaN."""
    s = sample()
    metric = CollapseMetric(head=s.head, ridge=RIDGE)
    known = s.labels != 1
    metric.update(s.features[known], s.labels[known])
    with pytest.warns(UserWarning, match="1 of 4 classes have no sample: 1; they are left out"):
        values = metric.compute()
    report = CollapseReport.of(metric.stats, s.head, None, RIDGE)
    assert report.terms is not None
    agrees(values, expected_of(report.metrics, report.terms))
    metric.reset()
    metric.update(s.features[s.labels == 1], s.labels[s.labels == 1])
    with pytest.warns(UserWarning, match="3 of 4 classes have no sample: 0, 2, 3"):
        assert all(value.isnan() for value in metric.compute().values())
    metric.reset()
    with pytest.warns(UserWarning) as told:
        assert metric.compute()["alignment"].isnan()
    assert "before the ``update``" in str(told[0].message)


def test_inference_mode_and_out_of_it():
    """Samples, resets and values go in and out of inference mode."""
    s = random_sample(0, C, D, 24_000)  # so many that they are summed, not kept for later
    half = len(s.labels) // 2
    metric = CollapseMetric(head=layer_of(s.head), ridge=RIDGE)
    with torch.inference_mode():
        metric.reset()
        metric.update(s.features[:9], s.labels[:9])
        metric.clone()(s.features, s.labels)
    metric.update(s.features[9:half], s.labels[9:half])
    with torch.inference_mode():
        metric.update(s.features[half:], s.labels[half:])
        agrees(metric.compute(), expected(s))
    metric.merge_state(metric.clone())
    assert metric.stats.total_count == 2 * len(s.labels)


@pytest.mark.parametrize("step", ["update", "forward"])
def test_a_refused_batch_changes_nothing(step):
    """NaN, wrong widths and labels out of range are refused in words, and the rest is kept."""
    s = sample()
    metric = CollapseMetric(head=s.head, ridge=RIDGE)
    metric.update(s.features, s.labels)
    for features, labels, words in [
        (s.features * torch.nan, s.labels, "finite"),
        (s.features[:, :3], s.labels, r"expected \(B, 6\)"),
        (s.features[:0, :3], s.labels[:0], r"expected \(B, 6\)"),
        (s.features, s.labels + 2, "values in 0..3"),
        (s.features, s.labels.double(), "labels: expected whole numbers"),
        (s.features[:, :, None], s.labels, "features: expected"),
        (s.features.tolist(), s.labels, "features: expected a tensor"),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            getattr(metric, step)(features, labels)
    agrees(metric.compute(), expected(s), EXACT)


@pytest.mark.parametrize(
    "kwargs, words",
    [
        ({}, "num_classes: expected a whole number >= 2, got None; pass it"),
        ({"num_classes": 3}, "num_features: .* got None"),
        ({"num_classes": 1, "num_features": 2}, "num_classes: .* got 1"),
        ({"head": nn.Linear(3, 2), "num_classes": 5}, "expected 5 classes and 3 features, got 2"),
        ({"head": nn.ReLU()}, "head: expected torch.nn.Linear"),
        ({"num_classes": 3, "num_features": 2, "ridge": 0.1}, "expected a head="),
        ({"head": nn.Linear(3, 2), "ridge": -1.0}, "ridge"),
        ({"head": nn.Linear(3, 2), "ridge": 0.1, "covariance": False}, "covariance=True"),
    ],
)
def test_what_it_needs_is_said(kwargs, words):
    """Arguments that don't fit are refused with what was expected."""
    with pytest.raises((ValueError, TypeError), match=words):
        CollapseMetric(**kwargs)


def test_states_of_other_sizes_are_refused():
    """A state of other classes or features is neither merged nor loaded."""
    metric, other = CollapseMetric(C, D), CollapseMetric(C, D + 1)
    with pytest.raises(ValueError, match="state: expected 68 numbers for 4 classes and 6 features"):
        metric.merge_state(other)
    other.persistent(True)
    with pytest.raises(ValueError, match="state: expected"):
        metric.load_state_dict(other.state_dict())


def test_only_what_needs_the_scatter_is_left_out():
    """The names left out without covariance are those that can't be had without it."""
    s = sample()
    lean = CollapseMetric(head=s.head, covariance=False)
    lean.update(s.features, s.labels)
    for name in METRICS.keys() - lean.compute().keys():
        with pytest.raises(ValueError, match="covariance=True"):
            METRICS[name](lean.stats, s.head)


def test_values_are_kept_until_the_next_batch():
    """A value is computed once, and anew after a batch or a merge."""
    s = sample()
    metric = CollapseMetric(head=s.head)
    metric.update(s.features, s.labels)
    first = metric.compute()
    assert metric.compute() is first
    metric.merge_state(metric.clone())
    assert metric.compute() is not first and metric.stats.total_count == 2 * len(s.labels)


def test_plot():
    """One value and the values of epochs can be drawn."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    s = sample()
    metric = CollapseMetric(head=s.head)
    metric.update(s.features, s.labels)
    for value in (None, [metric.compute(), metric.compute()]):
        _, axes = metric.plot(value)
        assert len(axes.lines) >= len(METRICS)
    plt.close("all")


def test_the_example():
    """The examples of the module run."""
    assert doctest.testmod(module).failed == 0
    s = sample()
    model: Any = nn.Sequential()
    model.trunk, model.fc = nn.Identity(), layer_of(s.head)
    loader = zip(s.features.split(5), s.labels.split(5), strict=True)
    names = {"CollapseMetric": CollapseMetric, "model": model, "loader": loader}
    exec(textwrap.dedent((module.__doc__ or "").split("\n\n", 1)[1]), names)
    agrees(names["metric"].compute(), expected(s))
