"""The explorers calculate in the browser what Python calculates, for all settings."""

from __future__ import annotations

import json
import math
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page as Tab

from nclib.explorers import flows, landscapes
from nclib.explorers.page import controls, defaults, script, source
from nclib.tests import looks
from nclib.tests.tolerances import TIGHT
from nclib.theory.rescaled import LocalLandscape, cross_entropy, cross_entropy_gradient

from .chromium import needs_chromium
from .stage import KINDS, calculate, same

pytestmark = needs_chromium


@pytest.mark.parametrize("name", sorted(flows.FLOWS))
def test_flow_in_the_browser_is_the_closed_form(blank: Tab, name: str) -> None:
    """SNR values and local exponents are those of the theory, over all settings and times."""
    sizes = [(2, 2), (4, 50), (20, 500)]
    starts, speeds, times = [1e-3, 0.5, 30.0], [1e-4, 0.1, 0.6, 1.0], [0.0, 1.0, 1e4, 1e8, 1e12]
    grid = list(product(sizes, starts, speeds, [False, True], times))
    code = """return grid.map(([[C, N], start, r, white, t]) => {
        const { log, exponent } = along(lawOf(NAME, C, N, start, r, white), start, t);
        return [log, exponent];
    });"""
    found = calculate(blank, source("flow.js") + code.replace("NAME", json.dumps(name)), grid)
    for (size, start, r, white, t), (log, exponent) in zip(grid, found, strict=True):
        values = torch.full((size[0] - 1,), start, dtype=torch.float64)
        path = flows.flow_of(name, *size, values, r, white=white)
        row = flows.logarithms(path, torch.tensor([t], dtype=torch.float64))[0]
        assert log == pytest.approx(float(row[0]), rel=TIGHT, abs=TIGHT)
        assert exponent == pytest.approx(float(flows.exponents(path, row, t)[0]), rel=TIGHT)


def test_landscape_in_the_browser_is_the_closed_form(blank: Tab) -> None:
    """Minimizers are those of the theory in every regime."""
    grid = list(
        product([2, 4, 12], [0.01, 0.2, 1.0, 7.0], [1e-3, 0.4, 1e3], [0.2, 1, 20], [0.5, 3])
    )
    code = "return grid.map((one) => minimizer(...one));"
    found = calculate(blank, source("landscape.js") + code, grid)
    assert {one["regime"] for one in found} == {"zero", "simplex", "between"}
    for setting, seen in zip(grid, found, strict=True):
        best = landscapes.best(*setting)
        assert seen["regime"] == best.regime
        for key in ("x", "y", "beta"):
            assert seen[key] == pytest.approx(getattr(best, key), rel=TIGHT, abs=TIGHT)


def test_squared_loss_in_the_browser_is_the_closed_form(blank: Tab) -> None:
    """The rescaled loss and its derivatives are those of the theory."""
    knobs = product([3, 10, 100], [0.2, 1, 20], [0.5, 10], [0.5, 3])
    grid = list(product(knobs, [0.1, 1, 10], [0, 0.4, 2, math.pi]))
    code = """return grid.map(([knobs, s, theta]) => {
        const { loss, inLength, inAngle } = squaredLoss(...knobs);
        return [loss, inLength, inAngle].map((one) => one(s, theta));
    });"""
    found = calculate(blank, source("rescaled.js") + code, grid)
    for (knobs, *place), seen in zip(grid, found, strict=True):
        s, theta = torch.tensor(place, dtype=torch.float64)
        landscape = LocalLandscape(*knobs)
        expected = [landscape.loss(s, theta), *landscape.gradient(s, theta)]
        assert seen == pytest.approx([float(one) for one in expected], rel=TIGHT, abs=TIGHT)


def test_cross_entropy_in_the_browser_is_the_closed_form(blank: Tab) -> None:
    """Cross-entropy and its derivatives are those of the theory; rows of length rho scale s."""
    grid = list(product([3, 10, 100], [0.5, 1, 3], [0.1, 1, 10], [0, 0.4, 2, math.pi]))
    code = """return grid.map(([K, rho, s, theta]) => {
        const { loss, inLength, inAngle } = crossEntropy(K, rho);
        return [loss, inLength, inAngle].map((one) => one(s, theta));
    });"""
    found = calculate(blank, source("rescaled.js") + code, grid)
    for (K, rho, *place), seen in zip(grid, found, strict=True):
        s, theta = torch.tensor(place, dtype=torch.float64)
        in_length, in_angle = cross_entropy_gradient(rho * s, theta, K)
        expected = [cross_entropy(rho * s, theta, K), rho * in_length, in_angle]
        assert seen == pytest.approx([float(one) for one in expected], rel=TIGHT, abs=TIGHT)


def settings(name: str) -> list[dict[str, Any]]:
    """Where an explorer starts, and for each of its controls both ends or the other choice."""
    start = defaults(name)
    found = [start]
    for key, control in controls(name).items():
        if isinstance(control.value, bool):
            found.append(start | {key: not control.value})
        elif isinstance(control.value, str):
            found.append(start | {key: "white", "two_speeds": True})
        else:
            found += [start | {key: control.low}, start | {key: control.high}]
    return found


@pytest.mark.parametrize("name", sorted(KINDS))
def test_view_is_the_picture_of_python(blank: Tab, name: str) -> None:
    """For every control at both ends, paths agree to a tenth of a pixel, and words exactly."""
    kind = KINDS[name]
    body = script(name).split("\n", 1)[1].rsplit("\n", 1)[0]  # without its closure
    code = f"{body}\nreturn grid.settings.map((setting) => view(setting, grid.frames));"
    chosen = settings(name)
    found = calculate(blank, code, {"settings": chosen, "frames": kind.data})
    for setting, seen in zip(chosen, found, strict=True):
        picture = kind.picture(setting)
        assert seen["words"] == picture.words
        assert same(seen["lines"], picture.lines), setting


def test_portrait_in_the_browser_is_that_of_python(blank: Tab) -> None:
    """At looks, between them and seen from all sides, places and words are the same."""
    body = script("portrait").split("\n", 1)[1].rsplit("\n", 1)[0]
    code = f"{body}\nreturn grid.settings.map((setting) => view(setting, grid.run));"
    epochs = looks.LOOKS.epochs
    shares = [math.log(epoch) / math.log(epochs[-1]) for epoch in epochs]
    shares += [0.013 + 0.0317 * k for k in range(31)]
    chosen = [{"epoch": share, "turn": turn} for share in shares for turn in (-135, -37.7, 0, 90)]
    found = calculate(blank, code, {"settings": chosen, "run": looks.LOOKS.data()})
    for setting, seen in zip(chosen, found, strict=True):
        picture = looks.picture(setting)
        assert seen["words"] == picture.words
        assert same(seen["lines"], picture.lines), setting
