"""The portrait explorer draws what the still portrait shows, and says what was measured."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import explorers, measure
from nclib.explorers import portraits
from nclib.explorers.looks import BEYOND, FINE, POINTS, Looks
from nclib.portrait import Portrait, closest_frame

from .looks import EPOCHS, LOOKS, collapsing, picture, portrait
from .tolerances import TIGHT

LAYERS = ("far", "middle", "near")
some = settings(max_examples=25, deadline=None)
shares = st.floats(0, 1)
turns = st.floats(-180, 180)


def ends(lines, kind: str) -> set[tuple[float, float]]:
    """Where the sticks of a kind end, in pixels."""
    found = [re.match(r"M\S+ \S+L(\S+) ([^MZ]+)", lines[f"{kind}_{name}"]) for name in LAYERS]
    return {(float(one[1]), float(one[2])) for one in found if one}


def dots(lines, k: int) -> list[tuple[float, float]]:
    """Where the features of a class lie, in pixels."""
    text = "".join(lines[f"dots{k}_{name}"] for name in LAYERS)
    lift = 1.5 if k == 2 else 0  # a triangle begins at its top
    pairs = re.findall(r"M(\S+) (-?[\d.]+)", text)
    return sorted((float(x), float(y) + lift) for x, y in pairs)


def near(found, expected, pixels: float = 0.35) -> bool:
    """Whether each point has its own within a third of a pixel: thousandths and one decimal."""
    pairs = zip(sorted(found), sorted(expected), strict=True)
    return all(math.dist(one, other) < pixels for one, other in pairs)


@pytest.mark.parametrize("k", [0, 4, len(EPOCHS) - 1])
def test_at_a_look_it_is_the_still_portrait(k):
    """Features, means, classifier and simplex lie where ``Portrait`` puts them."""
    run = collapsing()
    one, last = run[k], run[-1]
    frame = closest_frame(last.stats, (0, 1, 2))
    whole = (one.stats, one.head, one.features, one.labels)
    still = Portrait.of(*whole, classes=(0, 1, 2), frame=frame)
    lines = picture({"epoch": math.log(EPOCHS[k]) / math.log(100), "turn": 30.0}).lines
    for kind, expected in (
        ("vertex", still.simplex), ("mean", still.means), ("row", still.classifier),
    ):  # fmt: skip
        seen = portraits._project(expected, 30.0)[:, :2].tolist()
        assert near(ends(lines, kind), [tuple(end) for end in seen])
    for c in range(3):
        cloud = portraits._project(still.features[still.labels == c], 30.0)[:, :2].tolist()
        assert len(cloud) == POINTS
        found = torch.tensor(dots(lines, c), dtype=torch.float64)
        apart = torch.cdist(torch.tensor(cloud, dtype=torch.float64), found)
        assert bool((apart.min(dim=1).values < 0.35).all())


@some
@given(turns)
def test_at_collapse_all_four_meet(turn):
    """At the last look, where means are the simplex, arms and marks end at one point a class."""
    lines = picture({"epoch": 1.0, "turn": turn}).lines
    assert near(ends(lines, "mean"), ends(lines, "vertex"))
    assert near(ends(lines, "row"), ends(lines, "vertex"))


@some
@given(shares, turns)
def test_nothing_is_lost_between_looks(share, turn):
    """Every feature is drawn once, in one layer, at any share and from any side."""
    lines = picture({"epoch": share, "turn": turn}).lines
    assert [len(dots(lines, k)) for k in range(3)] == list(LOOKS.counts)


@some
@given(shares)
def test_the_sentence_names_the_last_measured_epoch(share):
    """Its epoch was measured and is not later than what the picture shows; its numbers are its."""
    words = picture({"epoch": share, "turn": 0.0}).words
    found = re.fullmatch(
        r"Measured after epoch (\d+): (\S+) % of the images misclassified, NC1 = (.+)\.",
        words["sentence"],
    )
    assert found is not None
    kept = LOOKS.epochs
    k = kept.index(int(found[1]))
    assert kept[k] <= 100**share * (1 + 1e-6)
    assert k == len(kept) - 1 or 100**share < kept[k + 1] * (1 + 1e-6)
    one = next(one for one in collapsing() if one.epoch == kept[k])
    assert float(found[2]) == pytest.approx(100 * (1 - one.decisions.accuracy), rel=5e-3)
    if " × " not in found[3]:
        nc1 = measure(one.stats, one.head)["relative_variability"]
        assert float(found[3]) == pytest.approx(nc1, rel=5e-3, abs=1e-12)


def test_interpolation_is_even_in_the_logarithm():
    """Half way between two epochs, in their logarithms, every place is the middle."""
    for k in range(len(EPOCHS) - 1):
        share = math.log(EPOCHS[k] * EPOCHS[k + 1]) / 2 / math.log(100)
        found = portraits._between(EPOCHS, share)
        assert found[0] == k and found[1] == pytest.approx(0.5, abs=TIGHT)
    assert portraits._between(EPOCHS, 1.0) == (len(EPOCHS) - 1, 0.0)


def test_perspective_keeps_order():
    """What is nearer to the reader is larger, and a whole turn changes nothing."""
    places = torch.tensor([[0.0, 0.9, 0.5], [0.0, -0.9, 0.5]], dtype=torch.float64)
    here, there = portraits._project(places, 0.0), portraits._project(places, 360.0)
    assert torch.allclose(here, there, atol=TIGHT)
    behind = portraits._project(places, 180.0)
    assert (here[0, 2] - here[1, 2]) * (behind[0, 2] - behind[1, 2]) < 0
    shift = torch.tensor([0.0, 0.0, 0.1], dtype=torch.float64)
    lifted = here[:, 1] - portraits._project(places + shift, 0.0)[:, 1]
    assert (lifted[0] > lifted[1]) == (here[0, 2] > here[1, 2])


def test_far_features_stay_on_the_sheet():
    """An outlier keeps its direction and is drawn at a fixed distance."""
    run = collapsing()
    wild = run[0].features.clone()
    wild[0] *= 1e9
    looks = Looks.of([replace(run[0], features=wild), *run[1:]], (0, 1, 2), "train")
    assert int(looks.places.abs().max()) <= FINE * BEYOND + 1


def test_it_keeps_little_of_a_long_run():
    """At most twelve looks, even in log epoch, with both ends; other splits are left alone."""
    run = collapsing(epochs=tuple(range(1, 101)), per_class=5)
    tested = [replace(one, split="test") for one in run]
    mixed = [one for pair in zip(run, tested, strict=True) for one in pair]
    looks = Looks.of(mixed, (2, 0, 3), "train")
    assert (looks.epochs[0], looks.epochs[-1]) == (1, 100) and 10 <= len(looks.epochs) <= 12
    gaps = [math.log(b / a) for a, b in zip(looks.epochs, looks.epochs[1:], strict=False)]
    assert max(gaps) < 2.5 * math.log(100) / 11
    assert looks.classes == (2, 0, 3) and looks.counts == (5, 5, 5)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda run: run[:1], "two looks or more at the train images"),
        (lambda run: run[::-1], "in the order of their epochs"),
        (lambda run: [run[0], *run], "in the order of their epochs"),
        (lambda run: [replace(run[0], epoch=0), *run[1:]], "from 1 on"),
        (lambda run: [replace(one, split="test") for one in run], "got epochs \\[\\]"),
        (lambda run: [replace(run[0], labels=run[0].labels.flip(0)), *run[1:]], "same labels"),
    ],
)
def test_what_is_no_run_is_named(spoil, words):
    """One look, a wrong order, a repeated epoch, an epoch 0, no look, shuffled images."""
    with pytest.raises(ValueError, match=words):
        explorers.portrait(spoil(collapsing()))


def test_it_holds_its_start_and_its_end():
    """Without a script both ends of the run show; only where asked does it start by itself."""
    html = portrait().html
    first, last = (picture({"epoch": end, "turn": 0.0}).lines for end in (0.0, 1.0))
    assert all(f'd="{path}"' in html for lines in (first, last) for path in lines.values()
               if path.startswith("M"))  # fmt: skip
    assert "data-starts" not in html.split(">", 1)[0]
    assert "data-starts" in explorers.portrait(collapsing(), starts=True).html.split(">", 1)[0]
    assert all(f">class {c}</text>" in html for c in LOOKS.classes)


def test_its_numbers_are_few():
    """What the script is given is what Python draws from, in thousandths, and fits a page."""
    html = portrait().html
    found = re.search(r"data-frames>(.*?)</script>", html)
    assert found is not None
    data = json.loads(found[1])
    assert data["epochs"] == list(LOOKS.epochs)
    assert torch.equal(torch.tensor(data["places"]), LOOKS.places.flatten(1))
    assert all(isinstance(one, int) for one in data["places"][0])
    assert len(found[1]) < 40_000 and len(html.encode()) < 62_000


def test_a_twin_shows_where_html_cannot():
    """A figure given as twin is the PNG of a notebook's output; without one there is none."""

    class Figure:
        def savefig(self, fname: io.BytesIO, *, format: str, dpi: int) -> None:
            fname.write(f"{format} {dpi}".encode())

    made = portrait()
    assert made._repr_png_() is None
    twin = made.with_twin(Figure())
    assert twin._repr_png_() == b"png 200" and twin.html == made.html
    assert b"png" not in repr(twin).encode()
