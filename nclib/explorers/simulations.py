"""The simulation: free features and a head that fall into collapse while one watches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from ..palette import COLORS, look
from ..theory.unconstrained import Point, class_part
from .descents import N, advance, corners, measure, start
from .frame import LEFT, TOP, Axis, Frame, numeral
from .page import Explorer, Picture, defaults, explorer

__all__ = [
    "CHART",
    "KINDS",
    "picture",
    "simulation",
    "sketch",
    "words",
]

KINDS = {"plane": (3, 2), "space": (4, 3), "tight": (4, 2)}  # classes, dimensions
SEED = 1
SCALE = 220  # pixels per unit of length
SPAN = 800  # steps that the chart shows at first
APART = 20  # steps from one point of a printed line to the next
MEASURES = ("excess", "variability", "distance")
NEAR = 0.01  # below, a measure counts as collapsed
TURN, TILT = 0.6, 0.35  # where space is seen from, angles
MARKS = {
    1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    2: ((0, -1.2), (1.15, 0.8), (-1.15, 0.8)),
    3: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
}
INKS = {
    "class-0": COLORS["means"],
    "class-1": COLORS["classifier"],
    "class-2": COLORS["nc1"],
    "class-3": look("class", 1)["color"],
    "simplex": COLORS["simplex"],
    "variability": look("variability", 2)["color"],
    "distance": COLORS["perp"],
}
TITLE = "Features set free, to play with"


class Growing(Frame):
    """Axes whose lower one has numbers that a script changes.   Chapter: unconstrained."""

    def markup(self) -> str:
        """Grid and numbers; half of the steps and all of them are words with a name."""
        width, height = self.size
        parts = [super().markup()]
        for share, name, steps in ((0.5, "half", SPAN // 2), (1.0, "whole", SPAN)):
            x = LEFT + width * share
            parts.append(f'<path class="nc-grid" d="M{x:.1f} {TOP}v{height}"/>')
            text = f'<text class="nc-mid" x="{x:.1f}" y="{TOP + height + 16}" data-word="{name}">'
            parts.append(f"{text}{steps}</text>")
        return "\n".join(parts)


CHART = Growing(
    "chart",
    Axis(0, 1, (0,), "steps of gradient descent"),
    Axis(1e-9, 100, (1e-9, 1e-6, 1e-3, 1), "distance from collapse", log=True),
)


def simulation() -> Explorer:
    """Free features under gradient descent, to be played, stopped and pulled out of collapse.

    The risk of the unconstrained-features model with N = 8 and a decay of W and H,
    R + decay/2 (|W|^2 + |H|^2); class means can be dragged.
    Source: Mixon, Parshall & Pi 2022, Section 2; the decay is ours.   Chapter: unconstrained.
    """
    return explorer("simulation", TITLE, [CHART], INKS, picture(defaults("simulation")))


def picture(setting: Mapping[str, float | bool | str]) -> Picture:
    """Paths and words before the first step, and thin lines through the steps to come."""
    C, p = KINDS[str(setting["kind"])]
    decay, size = float(setting["decay"]), 10 ** float(setting["size"])
    point = start(C, p, size, SEED)
    path = [point]
    for _ in range(SPAN // APART):
        path.append(advance(path[-1], decay, APART))
    lines = sketch(point, decay, TURN, [one.H for one in path])
    rows = [measure(one, decay) for one in path]
    for key in MEASURES:
        values = [(k * APART / SPAN, max(row[key], 1e-300)) for k, row in enumerate(rows)]
        lines[key] = CHART.line(values)
    return Picture(lines, words("start", setting, 0, rows[0]))


def sketch(point: Point, decay: float, turn: float, past: Sequence[Tensor]) -> dict[str, str]:
    """The paths of a state, seen from an angle; ``past`` holds features on the way."""
    C, p = point.W.shape
    eye = _eye(p, turn)
    means = _seen(eye, class_part(point.H, C) / math.sqrt(N))
    rows = _seen(eye, point.W / math.sqrt(N))
    trails = [_seen(eye, H.mT) for H in past]
    samples = _seen(eye, point.H.mT)
    lines = {}
    for c in range(4):
        own = range(c * N, (c + 1) * N) if c < C else ()
        lines[f"samples_{c}"] = "".join(_mark(c, samples[i], 3) for i in own)
        lines[f"trail_{c}"] = "".join(_joined([places[i] for places in trails]) for i in own)
        lines[f"mean_{c}"] = _mark(c, means[c], 8) if c < C else ""
        lines[f"row_{c}"] = _arrow(*rows[c]) if c < C else ""
    ends = _seen(eye, corners(point, decay))
    return lines | {"simplex": "".join(_joined(pair) for pair in combinations(ends, 2))}


def words(
    status: str,
    setting: Mapping[str, float | bool | str],
    steps: int,
    measured: Mapping[str, float],
) -> dict[str, str]:
    """What is said of a state in the first span; status: start, playing, paused, held or rest."""
    decay, size, speed = (float(setting[key]) for key in ("decay", "size", "speed"))
    told = {"decay": numeral(decay), "size": numeral(10**size), "speed": f"{15 * 2**speed:.0f}"}
    told |= {"steps": str(steps), "half": str(SPAN // 2), "whole": str(SPAN)}
    told |= {key: numeral(measured[key]) for key in MEASURES}
    return told | {"sentence": _sentence(status, setting, steps, measured)}


def _sentence(
    status: str,
    setting: Mapping[str, float | bool | str],
    steps: int,
    measured: Mapping[str, float],
) -> str:
    simplex = measured["distance"] < NEAR
    opening = {
        "start": "Before the first step.",
        "playing": "Running.",
        "paused": f"Paused after {steps} steps.",
        "held": "Held.",
        "rest": f"At rest after {steps} steps.",
    }
    shape = "The samples of each class are spread out."
    if measured["variability"] < NEAR:
        formed = "and their means form a simplex" if simplex else "but their means form no simplex"
        shape = f"The samples of each class have met, {formed}."
    closing = {
        "start": "Press play, or move a class mean with the mouse, a finger or the arrow keys.",
        "playing": "",
        "paused": "Press play to go on.",
        "held": "",
        "rest": "Move a class mean and it falls back." if simplex else "",
    }
    if float(setting["decay"]) == 0:
        closing["rest"] = (
            "Move a class mean: without decay it does not come back to a simplex."
            if simplex
            else "Without decay, what was out of balance between features and classifier stays so."
        )
    if setting["kind"] == "tight":
        closing["rest"] = "Four classes have no room for a simplex in the plane."
    return f"{opening[status]} {shape} {closing[status]}".strip()


def _eye(p: int, turn: float) -> Tensor:
    """Two orthonormal directions as columns, to the right and upwards, (p, 2)."""
    if p == 2:
        return torch.eye(2, dtype=torch.float64)
    cos, sin, low = math.cos(turn), math.sin(turn), math.sin(TILT)
    rows = [[cos, 0.0, sin], [sin * low, math.cos(TILT), -cos * low]]
    return torch.tensor(rows, dtype=torch.float64).mT


def _seen(eye: Tensor, vectors: Tensor) -> list[tuple[float, float]]:
    """Pixels to the right and downwards of rows of vectors."""
    return [(SCALE * x, -SCALE * y) for x, y in (vectors @ eye).tolist()]


def _joined(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _mark(c: int, place: tuple[float, float], size: int) -> str:
    """The mark of a class, of a size in pixels."""
    x, y = place
    if c in MARKS:
        return f"{_joined([(x + size * dx, y + size * dy) for dx, dy in MARKS[c]])}Z"
    half = f"a{size} {size} 0 0 1 0"
    return f"M{x:.1f} {y - size:.1f}{half} {2 * size}{half} {-2 * size}Z"


def _arrow(x: float, y: float) -> str:
    """A classifier row from the origin, with its barbs."""
    length = math.hypot(x, y)
    barb = min(9, length / 3) / length
    sides = [(x - barb * (x - turn * y), y - barb * (y + turn * x)) for turn in (0.7, -0.7)]
    return _joined([(0, 0), (x, y)]) + _joined([sides[0], (x, y), sides[1]])
