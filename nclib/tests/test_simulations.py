"""The simulation descends as it says, ends where theory says, and brings nothing else with it."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import explorers
from nclib.explorers import simulations
from nclib.explorers.descents import STEP, N, advance, corners, least_risk, measure, start
from nclib.explorers.page import controls, defaults, source
from nclib.theory.landscape import minimizer
from nclib.theory.unconstrained import (
    Point,
    class_part,
    descend,
    errors,
    imbalance,
    project,
    residual,
    risk,
)

from .test_explorers import FRAMES_OF_RULES, HEAVIEST, Tree, points
from .tolerances import EXACT, ITERATED, TIGHT

each = pytest.mark.parametrize(("C", "p"), simulations.KINDS.values(), ids=simulations.KINDS)
roomy = pytest.mark.parametrize(("C", "p"), [(3, 2), (4, 3)])


def pulled(point: Point, c: int, shift: list[float]) -> Point:
    """A state whose class c was moved."""
    H = point.H.clone()
    H[:, c * N : (c + 1) * N] += torch.tensor(shift, dtype=torch.float64)[:, None]
    return Point(point.W, H, point.b)


def means(point: Point) -> torch.Tensor:
    return class_part(point.H, len(point.b)) / math.sqrt(N)


# The start ----------------------------------------------------------------------------------------


def test_numbers_of_the_start_look_normal():
    """Mean and fourth moment of many of them are those of normal numbers, nearly."""
    starts = [start(4, 3, 1.0, seed).H for seed in range(1, 80)]
    drawn = torch.cat([(H / H.square().mean().sqrt()).flatten() for H in starts])
    error = 1 / math.sqrt(len(drawn))
    assert abs(float(drawn.mean())) < 4 * error
    # The sum of twelve uniform numbers has the fourth moment 2.9; of normal ones it is 3.
    assert float(drawn.pow(4).mean()) == pytest.approx(2.9, abs=4 * math.sqrt(96) * error)


@each
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(1, 10**6), size=st.floats(1e-3, 10))
def test_start_has_its_size(C, p, seed, size):
    """Both norms are the size, the bias is zero, and another seed gives another start."""
    W, H, b = start(C, p, size, seed)
    assert (tuple(W.shape), tuple(H.shape)) == ((C, p), (p, C * N))
    assert [float(W.norm()), float(H.norm())] == pytest.approx([size, size], rel=EXACT)
    assert not b.any()
    assert not torch.equal(W, start(C, p, size, seed + 1).W)


# The descent --------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("decay", [0.0, 0.5, 2.0])
def test_a_step_is_the_slope_by_autograd(C, p, decay):
    """One step is STEP times the gradient of risk and decay that torch finds by itself."""
    before = start(C, p, 1.0, seed=3)
    free = [x.clone().requires_grad_() for x in before]
    total = risk(*free) + decay / 2 * (free[0].square().sum() + free[1].square().sum())
    slopes = torch.autograd.grad(total, free)
    after = advance(before, decay, 1)
    for x, y, slope in zip(before, after, slopes, strict=True):
        assert torch.allclose(x - STEP * slope, y, rtol=EXACT, atol=EXACT)
    steepest = max(float(slope.abs().max()) for slope in slopes)
    assert measure(before, decay)["steepest"] == pytest.approx(steepest, rel=EXACT)


@each
def test_without_decay_it_is_the_chapter_s_descent(C, p):
    """The same path as that of the theory, number by number."""
    before = start(C, p, 0.7, seed=2)
    path = descend(before, STEP, 200, record=200)
    for x, y in zip(advance(before, 0.0, 200), path, strict=True):
        assert torch.equal(x, y[-1])


@each
@settings(max_examples=8, deadline=None)
@given(st.integers(1, 1000), st.floats(0, 2), st.floats(-0.7, 0.7), st.floats(-0.6, 0.6))
def test_risk_never_rises(C, p, seed, decay, across, up):
    """From wherever a hand can put a class mean, each step lowers the risk: steps are stable."""
    point = advance(start(C, p, 1.0, seed), decay, 150)
    for c in range(C):
        point = pulled(point, c, [across, up, 0.0][:p])
    before = measure(point, decay)["excess"]
    for _ in range(20):
        point = advance(point, decay, 5)
        after = measure(point, decay)["excess"]
        assert after <= before * (1 + EXACT) + EXACT
        before = after


@each
@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_imbalance_fades_at_its_rate(C, p, decay):
    """A step multiplies W^T W - H H^T by (1 - STEP decay)^2 and adds STEP^2 (W', H')'s own."""
    point = advance(start(C, p, 1.0, seed=5), decay, 30)
    A = residual(*point)
    rest = STEP**2 * imbalance(A @ point.H.mT, point.W.mT @ A)
    told = (1 - STEP * decay) ** 2 * imbalance(point.W, point.H) + rest
    after = advance(point, decay, 1)
    assert torch.allclose(imbalance(after.W, after.H), told, rtol=TIGHT, atol=EXACT)


# Where it ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 0.5, 2.0])
@each
def test_least_risk_is_that_of_the_landscape(C, p, decay):
    """C N times the value of the minimizer of Zhou et al., whose loss is a mean."""
    share = max(decay, 1e-14) / (C * N)
    value = C * N * minimizer(C, N, share, share, 0.0, 1.0, 1.0, d=p).value
    assert least_risk(C, p, decay) == pytest.approx(value, abs=1e-6 * (decay == 0) + TIGHT)


@each
@pytest.mark.parametrize("decay", [0.5, 1.5])
def test_it_ends_at_the_minimizer(C, p, decay):
    """Gram matrices of rows and class means and the bias are those of the landscape's minimizer."""
    end = advance(start(C, p, 1.0, seed=1), decay, 3500)
    found = minimizer(C, N, decay / (C * N), decay / (C * N), 0.0, 1.0, 1.0, d=p)
    assert measure(end, decay)["excess"] < ITERATED
    if p == C - 1:
        assert torch.allclose(end.W @ end.W.mT, found.gram_W, atol=ITERATED)
        assert torch.allclose(means(end) @ means(end).mT, found.gram_H, atol=ITERATED)
    assert torch.allclose(end.b, torch.full((C,), 1 / C).double(), atol=ITERATED)


@roomy
def test_on_the_subspace_it_collapses_strongly(C, p):
    """Without decay, a start on S ends strongly collapsed."""
    end = advance(project(*start(C, p, 1.0, seed=4)), 0.0, 1500)
    found = errors(*end)
    assert max(float(found.snc1), float(found.snc2), float(found.snc3)) < TIGHT
    measured = measure(end, 0.0)
    assert max(measured["variability"], measured["distance"], measured["steepest"]) < TIGHT


@each
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_corners_are_the_end_of_a_start_on_the_subspace(C, p, decay):
    """The places that are drawn from the first step on are where class means end."""
    first = project(*start(C, p, 1.0, seed=6))
    end = advance(first, decay, 2500)
    assert torch.allclose(corners(first, decay), means(end), atol=TIGHT)
    assert torch.allclose(corners(end, decay), means(end), atol=TIGHT)


@roomy
def test_a_pulled_class_mean_falls_back(C, p):
    """With decay the means are a simplex again; without, the distance stays."""
    for decay, back in ((0.5, True), (0.0, False)):
        point = pulled(advance(start(C, p, 0.1, seed=1), decay, 1000), 0, [0.6, 0.4, 0.0][:p])
        assert measure(point, decay)["distance"] > 0.3
        end = advance(point, decay, 3000)
        assert measure(end, decay)["steepest"] < ITERATED
        assert (measure(end, decay)["distance"] < ITERATED) == back
        assert measure(end, decay)["variability"] < TIGHT


def test_four_classes_have_no_room_in_the_plane():
    """The distance is that of every projector of rank 2 from a simplex, sqrt(2 - 2 sqrt(2/3))."""
    end = advance(start(4, 2, 1.0, seed=1), 0.5, 4000)
    told = math.sqrt(2 - 2 * math.sqrt(2 / 3))
    assert measure(end, 0.5)["distance"] == pytest.approx(told, rel=ITERATED)


# What is drawn and said ---------------------------------------------------------------------------


def test_marks_stand_where_the_class_means_are():
    """Read back from the picture, the middle of each mark is its class mean."""
    point = advance(start(4, 2, 1.0, seed=1), 0.5, 60)
    lines = simulations.sketch(point, 0.5, 0.0, [])
    above = {0: 8.0, 2: -8 * 0.4 / 3}  # a circle begins at its top; a triangle stands deeper
    for c in range(4):
        seen = torch.tensor(points(lines[f"mean_{c}"])[: 1 if c == 0 else 4]).double().mean(0)
        across, up = (220 * means(point)[c]).tolist()
        assert seen.tolist() == pytest.approx([across, -up - above.get(c, 0.0)], abs=0.11)


def test_space_is_seen_without_stretching():
    """The two directions of sight are orthonormal, whatever the angle."""
    for turn in (0.0, 0.6, 2.5):
        eye = simulations._eye(3, turn)
        assert torch.allclose(eye.mT @ eye, torch.eye(2).double(), atol=EXACT)


def test_printed_lines_run_from_start_to_end():
    """Without a script one sees where the samples go: they meet at the corners of the simplex."""
    lines = simulations.picture(defaults("simulation")).lines
    for c in range(3):
        ends = [points(path)[-1] for path in lines[f"trail_{c}"].split("M")[1:]]
        assert len(ends) == N
        nearest = min(math.dist(ends[0], corner) for corner in points(lines["simplex"]))
        assert nearest < 12 and max(math.dist(ends[0], end) for end in ends) < 0.3
    assert lines["trail_3"] == lines["mean_3"] == ""


@pytest.mark.parametrize(
    ("status", "kind", "decay", "distance", "opening", "end"),
    [
        ("start", "plane", 0.0, 0.5, "Before the first step.", "or the arrow keys."),
        ("playing", "plane", 0.5, 0.5, "Running.", "but their means form no simplex."),
        ("paused", "space", 0.0, 1e-9, "Paused after 7 steps.", "a simplex. Press play to go on."),
        ("held", "plane", 0.5, 0.5, "Held.", "but their means form no simplex."),
        ("rest", "plane", 0.5, 1e-9, "At rest after 7 steps.", "a class mean and it falls back."),
        ("rest", "plane", 0.0, 1e-9, "At rest after 7 steps.", "does not come back to a simplex."),
        ("rest", "plane", 0.0, 0.5, "At rest after 7 steps.", "and classifier stays so."),
        ("rest", "plane", 0.5, 0.5, "At rest after 7 steps.", "but their means form no simplex."),
        ("rest", "tight", 0.0, 0.5, "At rest after 7 steps.", "simplex in the plane."),
    ],
)
def test_sentence_says_what_is_so(status, kind, decay, distance, opening, end):
    """The words follow from distance, decay and whether it runs, and promise nothing else."""
    setting = defaults("simulation") | {"kind": kind, "decay": decay}
    measured = {"variability": 1e-9, "distance": distance, "excess": 1.0}
    sentence = simulations.words(status, setting, 7, measured)["sentence"]
    assert sentence.startswith(f"{opening} The samples of each class have met,")
    assert sentence.endswith(end)


# What is on the page ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text() -> str:
    return explorers.simulation().html


def test_nothing_comes_from_elsewhere(text):
    """No address, no evaluated text, no handler in the markup, no id that could clash."""
    assert not re.findall(r"https?:|//[a-z]|\burl\(|@import|\bsrc=|\bhref=", text)
    assert not re.findall(r"\beval\b|new Function|innerHTML|document\.write", text)
    tree = Tree(text)
    assert not [key for _, values, _ in tree.found for key in values if key.startswith("on")]
    assert not [values for _, values, _ in tree.found if "id" in values]
    assert len(text.encode()) <= HEAVIEST


def test_everything_has_a_name(text):
    """Controls stand in labels, both pictures have titles and descriptions, the whole a name."""
    tree = Tree(text)
    assert tree.open == []
    for tag in ("input", "select"):
        assert all("label" in around for _, around in tree.of(tag))
    pictures = [values for values, around in tree.of("svg") if "svg" not in around]
    named = [values for values in pictures if values.get("role") == "img"]
    assert len(named) == len(tree.of("title")) == len(tree.of("desc")) == 2
    assert len(named) + sum("aria-hidden" in values for values in pictures) == len(pictures)
    assert tree.found[0][1]["role"] == "group" and tree.found[0][1]["aria-label"]
    assert [values["aria-live"] for values, _ in tree.of("output")] == ["polite"]


def test_template_uses_every_line_and_word(text):
    """Nothing is calculated that is not shown, and each slider says what it stands at."""
    picture = simulations.picture(defaults("simulation"))
    assert set(re.findall(r'data-line="(\w+)"', text)) == set(picture.lines)
    assert set(re.findall(r'data-word="(\w+)"', text)) == set(picture.words)
    sliders = [v for v, _ in Tree(text).of("input") if v["type"] == "range"]
    spoken = {one["name"]: one["aria-valuetext"] for one in sliders}
    assert spoken == {name: picture.words[name] for name in spoken}


def test_starts_lie_on_the_sliders():
    """A slider can stand where it starts, and no decay is so large that nothing is learned."""
    for control in controls("simulation").values():
        if control.step:
            steps = (float(control.value) - control.low) / control.step
            assert steps == pytest.approx(round(steps), abs=1e-9)
    assert controls("simulation")["decay"].high < math.sqrt(N)


def test_style_stays_inside():
    """Every rule names the explorer, so that the page around it keeps its own look."""
    found = re.findall(r"<style>\s*\$style(.*?)</style>", source("simulation.html"), re.DOTALL)
    heads = [head.strip() for head in re.findall(r"([^{}]+)\{", "".join(found))]
    assert len(heads) > 10
    assert {one for one in heads if ".nc-explorer" not in one} <= FRAMES_OF_RULES
