"""The explorers' first pictures say what the theory says, and bring nothing else with them."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError, fields
from html.parser import HTMLParser

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nclib import explorers
from nclib.explorers import flows, landscapes, rescalings
from nclib.explorers.frame import Axis, Frame, numeral
from nclib.explorers.page import Explorer, Picture, controls, defaults, explorer, source
from nclib.theory.rescaled import LocalLandscape

from . import looks
from .tolerances import EXACT

MODULES = {
    "flow": flows,
    "landscape": landscapes,
    "rescaled": rescalings,
    "portrait": looks.PORTRAIT,
}
MAKERS = {
    "flow": explorers.flow,
    "landscape": explorers.landscape,
    "rescaled": explorers.rescaled,
    "portrait": looks.portrait,
}
HEAVIEST = 60_000  # bytes of a whole explorer
FRAMES_OF_RULES = {"@media print"} | {
    f"@container ({end})" for end in ("min-width: 600px", "max-width: 419px")
}
EMPTY = {"input", "path"}  # elements that hold nothing
each = pytest.mark.parametrize("name", sorted(MAKERS))


class Tree(HTMLParser):
    """The elements of a fragment with their attributes and those around them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {key: value or "" for key, value in attrs}, tuple(self.open)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag, f"{tag} closes what it did not open"

    def of(self, tag: str) -> list[tuple[dict[str, str], tuple[str, ...]]]:
        return [(values, around) for one, values, around in self.found if one == tag]


def points(path: str) -> list[tuple[float, float]]:
    """The points of a path made of M, L and Z, in its own pixels."""
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)
    return [(float(x), float(y)) for x, y in pairs]


def value(axis: Axis, share: float) -> float:
    """The number that lies at a share of an axis: the inverse of ``Axis.fraction``."""
    if axis.log:
        return axis.low * (axis.high / axis.low) ** share
    return axis.low + share * (axis.high - axis.low)


# What is on the page ------------------------------------------------------------------------------


@each
def test_nothing_comes_from_elsewhere(name):
    """No address, no evaluated text, no handler in the markup, no id that could clash."""
    text = MAKERS[name]().html
    assert not re.findall(r"https?:|//[a-z]|\burl\(|@import|\bsrc=|\bhref=", text)
    assert not re.findall(r"\beval\b|new Function|innerHTML|document\.write", text)
    assert not [key for _, values, _ in Tree(text).found for key in values if key.startswith("on")]
    assert not [values for _, values, _ in Tree(text).found if "id" in values]
    assert len(text.encode()) <= HEAVIEST


@each
def test_everything_has_a_name(name):
    """Controls stand in labels, pictures have titles and descriptions, the whole has a name."""
    tree = Tree(MAKERS[name]().html)
    assert tree.open == []
    for tag in ("input", "select"):
        assert all("label" in around for _, around in tree.of(tag))
    pictures = [values for values, around in tree.of("svg") if "svg" not in around]
    named = sum(values.get("role") == "img" for values in pictures)
    assert named + sum("aria-hidden" in values for values in pictures) == len(pictures)
    assert named == len(tree.of("title")) == len(tree.of("desc")) == len(MODULES[name].FRAMES)
    assert tree.found[0][1]["role"] == "group" and tree.found[0][1]["aria-label"]
    assert [values["aria-live"] for values, _ in tree.of("output")] == ["polite"]


@each
def test_sliders_say_what_they_stand_at(name):
    """The text that stands for a slider's number is the one next to it."""
    picture = MODULES[name].picture(defaults(name))
    sliders = [v for v, _ in Tree(MAKERS[name]().html).of("input") if v["type"] == "range"]
    assert {one["name"]: one["aria-valuetext"] for one in sliders} == {
        one["name"]: picture.words[one["name"]] for one in sliders
    }


@each
def test_starts_lie_on_the_sliders(name):
    """A slider can stand where it starts: a browser would move it there otherwise."""
    for control in controls(name).values():
        if control.step:
            steps = (float(control.value) - control.low) / control.step
            assert steps == pytest.approx(round(steps), abs=1e-9)
            assert control.low <= float(control.value) <= control.high


@each
def test_template_uses_every_line_and_word(name):
    """Nothing is calculated that is not shown, and the script finds a place for all of it."""
    picture = MODULES[name].picture(defaults(name))
    for kind, things in (("line", picture.lines), ("word", picture.words)):
        places = set(re.findall(rf'data-{kind}="(\w+)"', source(f"{name}.html")))
        assert places == set(things)


@each
def test_style_stays_inside(name):
    """Every rule names the explorer, so that the page around it keeps its own look."""
    style = re.sub(r"/\*.*?\*/", "", source("explorer.css"), flags=re.DOTALL)
    style += "".join(
        re.findall(r"<style>\s*\$style(.*?)</style>", source(f"{name}.html"), re.DOTALL)
    )
    heads = [head.strip() for head in re.findall(r"([^{}]+)\{", style)]
    selectors = [one for head in heads for one in re.split(r",(?![^()]*\))", head)]
    assert {one for one in selectors if ".nc-explorer" not in one} <= FRAMES_OF_RULES


def test_words_cannot_break_out():
    """What is put into a template stays text."""
    picture = rescalings.picture(defaults("rescaled"))
    words = dict(picture.words) | {"sentence": '</script><b>&"'}
    told = Picture(picture.lines, words)
    made = explorer("rescaled", '"><i>', rescalings.FRAMES.values(), rescalings.INKS, told)
    assert "</script><b>" not in made.html and '"><i>' not in made.html
    assert "&lt;/script&gt;&lt;b&gt;&amp;&quot;" in made.html


def test_an_explorer_is_a_value(tmp_path):
    """It shows as HTML, prints as a line, cannot be changed, and can be saved as a page."""
    made = explorers.flow()
    assert made == explorers.flow() and made._repr_html_() == made.html
    assert len(repr(made)) < 100
    for field in fields(made):
        with pytest.raises(FrozenInstanceError):
            setattr(made, field.name, "")
    page = made.save(tmp_path / "flow.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and made.html in page


def test_a_saved_title_is_text(tmp_path):
    """A title is escaped where it stands in a page."""
    page = Explorer("flow", "a < b", "").save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<title>a &lt; b</title>" in page


# The pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", sorted(flows.FLOWS))
def test_flow_draws_the_closed_form(flow):
    """Read back from the picture, the SNR values are those of the closed form at those times."""
    setting = defaults("flow") | {flow: True, "start": "white"}
    frame, path = flows.FRAMES["spectrum"], flows.picture(setting).lines[flow]
    start = flows.spectrum(4, 1.0, 10.0)
    expected = flows.logarithms(flows.flow_of(flow, 4, 50, start, 0.1, white=True), flows.TIMES)
    width, height = frame.size
    pixel = math.log(frame.y.high / frame.y.low) / height
    for curve, logs in zip(path.split("M")[1:], expected.T, strict=True):
        for (x, y), t, log in zip(points(curve), flows.TIMES, logs, strict=True):
            assert x == pytest.approx(width * frame.x.fraction(float(t)), abs=0.06)
            if 0 < y < height:
                assert math.log(value(frame.y, 1 - y / height)) == pytest.approx(
                    float(log), abs=0.06 * pixel
                )


def test_flow_hides_what_is_not_chosen():
    """A flow that is switched off leaves neither lines nor numbers, and says so."""
    setting = defaults("flow") | dict.fromkeys(flows.FLOWS, False)
    picture = flows.picture(setting)
    assert {picture.lines[name] for name in flows.FLOWS} == {""}
    assert "no flow is chosen" in picture.words["sentence"]


def test_outlines_lie_on_their_levels():
    """Every corner of an outline in the picture has the loss of its level."""
    setting = defaults("rescaled") | {"alpha": 3.0, "target": 5.0}
    landscape = LocalLandscape(10, 3.0, 5.0)
    frame = rescalings.FRAMES["squared"]
    width, height = frame.size
    at_zero = 3 * 5**2 / 2
    outlines = rescalings.picture(setting).lines["squared"].split("Z")[:-1]
    assert len(outlines) >= 6
    levels = rescalings.LEVELS[-len(outlines) :] * at_zero
    for outline, level in zip(outlines, levels, strict=True):
        corners = [(x, y) for x, y in points(outline) if 1 < y < height - 1]
        theta = torch.tensor([math.pi * x / width for x, _ in corners], dtype=torch.float64)
        s = torch.tensor([value(frame.y, 1 - y / height) for _, y in corners], dtype=torch.float64)
        in_length, in_angle = landscape.gradient(s, theta)
        slack = in_length.abs() * 10 / height + in_angle.abs() * math.pi / width  # of a pixel
        assert bool(((landscape.loss(s, theta) - level).abs() <= 0.1 * slack + 1e-3 * level).all())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.floats(1e-3, 1e3), st.floats(0.2, 20), st.floats(0.5, 10))
def test_map_shows_where_regimes_change(K, bias, alpha, M):
    """A hair above and below each edge of the map the minimizer is of another kind."""
    hair = 1e-9
    for edge, above, below in (
        (landscapes.vanishing(K, bias, alpha, M), "zero", "simplex"),
        (landscapes.sharing(bias, alpha, M), "simplex", "between"),
    ):
        kinds = [landscapes.best(K, edge * (1 + h), bias, alpha, M).regime for h in (hair, -hair)]
        assert kinds == [above, below]


def test_bars_and_squares_are_the_minimizer():
    """Heights are the spectrum and the bias, areas the Gram matrix, in units of the target."""
    setting = defaults("landscape") | {"bias": 1.0, "target": 2.0, "classes": 5.0}
    found = landscapes.best(5, 10**-0.5, 10.0, 1.0, 2.0)
    lines = landscapes.picture(setting).lines
    height = landscapes.FRAMES["bars"].size[1]
    for key, number in (("common", found.y), ("equal", found.x), ("beta", found.beta)):
        assert 1 - points(lines[key])[1][1] / height == pytest.approx(number / 2, abs=1e-3)
    side = landscapes.FRAMES["gram"].size[1] / 5
    for key, number in (("own", found.gram_H[0, 0]), ("negative", found.gram_H[0, 1])):
        corners = points(lines[key])
        width = (corners[1][0] - corners[0][0]) / side
        assert width**2 == pytest.approx(abs(float(number)) / 2, abs=5e-3)


# Axes and numerals --------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e3), st.booleans())
def test_axes_place_numbers_in_order(number, log):
    """Ends lie at 0 and 1, and reading a place gives the number back."""
    axis = Axis(1e-3, 1e3, (), "", log)
    assert (axis.fraction(1e-3), axis.fraction(1e3)) == (0, 1)
    assert value(axis, axis.fraction(number)) == pytest.approx(number, rel=EXACT * 100)


def test_points_far_outside_stay_near():
    """A path never holds a number that a browser could stumble over."""
    axis = Axis(1, 10, (), "", log=True)
    frame = Frame("one", axis, axis)
    assert all(abs(x) < 2000 for pair in points(frame.line([(1e300, 1e-300)])) for x in pair)
    assert frame.line([]) == ""


@given(st.floats(-1e12, 1e12))
def test_numerals_are_right_to_three_digits(number):
    """Read as a number again, a numeral is the number up to half a unit of its third digit."""
    text = numeral(number).replace("−", "-")
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    digits, _, power = text.rpartition("10") if re.search("[⁰¹²³⁴⁵⁶⁷⁸⁹]", text) else (text, "", "")
    mantissa = float(digits.replace(" × ", "") or 1) if digits != "-" else -1.0
    read = mantissa * 10.0 ** int(power.translate(raised) or 0)
    assert read == pytest.approx(number, rel=5.001e-3)
