"""The report: every number with a reason where there is none, in each of its forms."""

from __future__ import annotations

import csv
import io
import json
import math
from html.parser import HTMLParser
from typing import Any

import pytest
import torch

from nclib import METRICS, CollapseReport, Decisions, Head, regularized_mse, simplex_etf
from nclib.figures import last_layer
from nclib.report import Entry, Spectrum
from nclib.snr import snr_values
from nclib.stats import ClassStats

from .samples import Sample, collapsed_sample, random_sample
from .tolerances import EXACT, TIGHT

SAMPLE = random_sample(0, 4, 6, [9, 8, 7, 6])
DECISIONS = Decisions(30, 21, 24)


def report(sample: Sample = SAMPLE, covariance: bool = True, **more: Any) -> CollapseReport:
    stats = ClassStats.of(sample.features, sample.labels, sample.num_classes, covariance=covariance)
    decisions = more.pop("decisions", DECISIONS)
    return CollapseReport.of(stats, sample.head, decisions, more.pop("ridge", 0.1), **more)


def by_name(found: CollapseReport) -> dict[str, Entry]:
    return {one.name: one for one in found.entries}


def test_every_number_is_there():
    """All metrics, NC4, the terms with their ridge and sum, spectrum, counts, versions."""
    found = report(layer="fc", ignored=2, notes=("by hand",))
    stats = SAMPLE.stats
    assert set(found.metrics) == set(METRICS) and not found.reasons
    told = by_name(found)
    assert set(METRICS) < set(told) and [one.group for one in found.entries][0] == "NC1"
    assert told["accuracy"].value == 0.7 and told["nearest_mean_mismatch"].value == 1 - 24 / 30
    loss = regularized_mse(stats, SAMPLE.head, 0.1)
    assert found.regularized_mse == pytest.approx(loss, rel=EXACT)
    assert told["L"].value == pytest.approx(loss, rel=EXACT)
    between = torch.linalg.eigvalsh(stats.between).flip(0)[:3]
    torch.testing.assert_close(found.spectrum.between, between, rtol=TIGHT, atol=0)
    assert found.spectrum.within is not None and found.spectrum.snr is not None
    torch.testing.assert_close(
        found.spectrum.within.sum(), stats.within.trace(), rtol=EXACT, atol=0
    )
    assert torch.equal(found.spectrum.snr, snr_values(stats))
    data = found.to_dict()
    assert data["layer"] == "fc" and data["ignored"] == 2 and data["notes"] == ["by hand"]
    assert data["counts"] == {"min": 6, "max": 9, "empty": [], "single": []}
    assert data["terms"]["total"] == pytest.approx(loss) and data["ridge"] == 0.1
    assert len(data["spectrum"]["snr"]) == 3 and "torch" in data["versions"]


def test_at_collapse():
    """Every number with a limit is at it; the signal-to-noise ratio is infinite, and says so."""
    sample = collapsed_sample(4, 6, 3, "simplex")
    found = report(sample, decisions=Decisions(12, 12, 12), ridge=0.0)
    for one in found.entries:
        metric = METRICS.get(one.name)
        if one.at_collapse and (metric is None or metric.frame == "simplex"):
            assert one.value == pytest.approx(float(one.at_collapse), abs=1e-12), one
    assert (
        "infinite" in found.spectrum.missing["snr"]
        and "infinite" in by_name(found)["snr_largest"].why
    )


def test_what_is_missing_has_a_reason():
    """Without the covariance and a second look; NaN is never alone, JSON never holds it."""
    found = report(covariance=False, decisions=None)
    absent = {one.name for one in found.entries if math.isnan(one.value)}
    assert absent == {
        "relative_variability", "relative_variability_sum", "nearest_mean_mismatch", "accuracy",
        "L_NC1", "L_NC2/3", "L_perp", "L", "within_largest", "snr_largest", "snr_smallest",
    }  # fmt: skip
    assert all(bool(one.why) == (one.name in absent) for one in found.entries)
    assert found.terms is None and found.regularized_mse is None and found.decisions is None
    data = json.loads(found.to_json(), parse_constant=pytest.fail)
    assert data["metrics"]["relative_variability"] is None and data["terms"] is None
    assert data["reasons"]["relative_variability"].endswith("a second look (passes=2)")
    assert {"terms", "decisions", "snr", "within"} < set(data["reasons"])


@pytest.mark.parametrize(
    "head, name, reason",
    [
        (Head(torch.zeros(4, 6), torch.zeros(4)), "duality_gap", "rows of the classifier are zero"),
        (Head(torch.ones(4, 6), torch.zeros(4)), "condition_number", "linearly dependent"),
    ],
)
def test_undefined_measurements_have_a_reason(head, name, reason):
    """A head of zeros has no directions; class means on a simplex are dependent."""
    sample = collapsed_sample(4, 6, 3, "simplex")
    found = report(Sample(sample.features, sample.labels, head, 4))
    assert not math.isfinite(found.metrics[name]) and reason in found.reasons[name]
    assert all(one.why for one in found.entries if not math.isfinite(one.value))


def test_coinciding_means_have_a_reason():
    """Nothing but the means of the classes tells them apart; here nothing does."""
    x = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]]).double()
    head = Head(torch.eye(2), torch.zeros(2))
    found = report(Sample(x, torch.tensor([0, 0, 1, 1]), head, 2), decisions=None)
    assert math.isinf(found.metrics["relative_variability"])
    assert found.reasons["relative_variability"] == "class means coincide"
    assert found.spectrum.between.numel() == 0 and by_name(found)["between_largest"].value == 0
    assert all(one.why for one in found.entries if not math.isfinite(one.value))
    found.to_json()


def test_notes_about_the_sample():
    """Empty classes, single samples, fewer samples than features, no room for a simplex."""
    sample = random_sample(1, 5, 40, [4, 0, 1, 3, 0])
    found = report(sample)
    assert found.classes == 3 and found.empty_classes == [1, 4]
    said = " ".join(found.notes)
    for words in (
        "2 of 5 classes without a sample",
        "1, 4.",
        "single sample, so no spread: 2",
        "8 samples leave",
    ):
        assert words in said
    assert (
        "2 features have no room for a simplex of 6" in report(random_sample(2, 6, 2, 9)).notes[0]
    )
    with pytest.raises(ValueError, match=r"samples of at least two classes, got 4 of \[0\]"):
        report(random_sample(1, 3, 4, [4, 0, 0]))


def test_files(tmp_path):
    """JSON and CSV as text and as files; the table's lines are the entries."""
    found = report()
    assert found.to_json(tmp_path / "r.json") == (tmp_path / "r.json").read_text()
    rows = list(csv.DictReader(io.StringIO(found.to_csv(tmp_path / "r.csv"))))
    assert (tmp_path / "r.csv").read_text() == found.to_csv()
    assert [row["name"] for row in rows] == [one.name for one in found.entries]
    assert all(float(row["value"]) == by_name(found)[row["name"]].value for row in rows)
    infinite = report(collapsed_sample(4, 6, 3, "simplex"))
    values = {row["name"]: row["value"] for row in csv.DictReader(io.StringIO(infinite.to_csv()))}
    assert values["condition_number"] in ("inf", repr(infinite.metrics["condition_number"]))


def test_text():
    """On a terminal: every name and meaning, the reasons once, the notes below."""
    found = report(covariance=False, decisions=None, layer="head.fc", notes=("[beware]",))
    text = str(found)
    assert text.splitlines()[0].startswith("last layer head.fc: 6 features, 4 classes; 30 samples")
    assert all(one.name in text for one in found.entries) and "* [beware]" in text
    assert text.count("second look (passes=2)") == 1
    assert max(len(line) for line in text.splitlines()) <= 100


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.usefixtures("closed")
def test_html():
    """Well formed; the picture inside with words for it; nothing fetched, nothing unescaped."""
    from matplotlib import pyplot as plt

    found = report(layer="<fc>", notes=("a & b",))
    html, parts = found._repr_html_(), Parts()
    parts.feed(html)
    assert not parts.open and not plt.get_fignums()
    (image,) = (attrs for tag, attrs in parts.tags if tag == "img")
    assert (image["src"] or "").startswith("data:image/png;base64,") and "NC1" in (
        image["alt"] or ""
    )
    assert "&lt;fc&gt;" in html and "<fc>" not in html and "a &amp; b" in html
    assert "td.meaning, .nclib-report thead th:last-child { width: 100%" in html
    assert "http" not in html and sum(tag == "tr" for tag, _ in parts.tags) == 1 + 6 + len(
        found.entries
    )


@pytest.mark.usefixtures("closed")
def test_figure_draws_the_numbers():
    """Distances from collapse, cosines of both kinds, spectra and terms."""
    found = report()
    axes: list[Any] = found.figure().axes
    distances, cosines, spectrum, *rest = axes
    drawn = sorted(float(line.get_path().vertices[0, 0]) for line in distances.get_lines())
    told = [
        abs(value - (METRICS[name].at_collapse or 0))
        for name, value in found.metrics.items()
        if METRICS[name].frame == "simplex" and METRICS[name].at_collapse is not None
        and name != "relative_variability_sum"
    ]  # fmt: skip
    assert drawn == pytest.approx(sorted([*told, DECISIONS.nearest_mean_mismatch]), rel=TIGHT)
    (image,) = cosines.get_images()
    M, W = SAMPLE.stats.centered_means, SAMPLE.head.weight
    matrix: Any = image.get_array()
    assert matrix[2, 0] == pytest.approx(float(torch.cosine_similarity(M[2], M[0], dim=0)))
    assert matrix[0, 2] == pytest.approx(float(torch.cosine_similarity(W[2], W[0], dim=0)))
    assert [len(line.get_path().vertices) for line in spectrum.get_lines()] == [3, 6]
    assert found.terms is not None
    bars: list[Any] = [bar for ax in rest for bar in ax.patches]
    widths = [bar.get_width() for bar in bars]
    assert widths[-3:] == pytest.approx([found.terms.nc1, found.terms.nc23, found.terms.perp])


@pytest.mark.usefixtures("closed")
def test_figures_of_extreme_layers():
    """Two classes, a thousand, collapse itself, no covariance: all can be drawn and saved."""
    thousand = ClassStats.of(torch.randn(2000, 8), torch.arange(2000) % 1000, 1000)
    head = Head(thousand.means, torch.zeros(1000))
    ax = last_layer.plot_cosines(thousand, head)
    matrix: Any = ax.get_images()[0].get_array()
    assert matrix.shape == (48, 48) and "48 of 1,000" in ax.get_title()
    two = random_sample(3, 2, 5, 6)
    assert len(report(two, covariance=False, decisions=None).figure().axes) == 4
    collapsed = report(collapsed_sample(4, 6, 3, "simplex"), decisions=Decisions(12, 12, 12))
    assert last_layer.as_png(collapsed.figure())[:4] == b"\x89PNG"


def test_spectrum_of_a_simplex():
    """Equal eigenvalues between classes, none within."""
    x = simplex_etf(4, 6)[torch.arange(8) % 4]
    found = Spectrum.of(ClassStats.of(x, torch.arange(8) % 4, 4))
    assert found.within is not None and float(found.within.max()) == 0
    torch.testing.assert_close(found.between, torch.full((3,), 1 / 3).double())


@pytest.mark.usefixtures("closed")
def test_equal_features_are_drawn_without_a_word():
    """No spectrum, so no legend of one."""
    from matplotlib import pyplot as plt

    ax = last_layer.plot_spectrum(torch.zeros(0), torch.zeros(3))
    assert ax.get_legend() is None
    plt.close(ax.get_figure())  # pyright: ignore


def test_squares_beyond_float64_are_refused():
    """In words, before an eigenvalue is asked for."""
    x = torch.tensor([[1e160, 0], [0, 1], [1, 1], [2, 1]], dtype=torch.float64)
    with pytest.raises(ValueError, match="stats: expected finite means and spread.*scale them"):
        report(Sample(x, torch.tensor([0, 0, 1, 1]), Head(torch.eye(2), torch.zeros(2)), 2))
