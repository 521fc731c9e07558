"""The portrait explorer: three classes of a real run in space, from its first epoch to its last."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ..palette import COLORS
from .frame import numeral
from .looks import FINE, Looks, Seen
from .page import Explorer, Picture, defaults, explorer

__all__ = ["picture", "portrait"]

SCALE = 145  # pixels for one unit, the mean norm of the class means
MIDDLE = (220, 190)  # where the origin lies, in pixels
DISTANCE = 7.0  # of the eye from the origin, in units
AZIMUTH, ELEVATION = math.radians(78), math.radians(24)  # no arm points at the reader
LAYERS = ("far", "middle", "near")
EDGES = (-0.1, 0.4)  # between the layers, in units towards the reader
MARKS = {"vertex": 9.0, "mean": 4.2}  # half a side of the mark at the end of an arm, pixels
BARB = 8.0  # of an arrow, pixels
LABEL = 1.4  # where the name of a class stands, in units
NEARLY = 1e-9  # an epoch so little short of a look, as a share of the run, is that look
ROUNDING = 1e-6  # epochs
# From dark to light, as in the still portrait; all of them dark enough for a dot on white.
SHADES = (0.45, 0.68, 0.9)
INKS = {name: COLORS[name] for name in ("means", "classifier", "simplex")}
TITLE = "Neural collapse, epoch by epoch"


def portrait(
    seen: Iterable[Seen],
    *,
    classes: Sequence[int] = (0, 1, 2),
    split: str = "train",
    starts: bool = False,
) -> Explorer:
    """Three classes of a run in space, to be played, scrubbed through epochs and turned.

    ``seen`` is what ``observe`` yields for one run. Kept are at most 12 of its looks and 60
    features of a class; between two looks the picture interpolates, evenly in the logarithm of
    the epoch. With ``starts`` it plays once by itself when it comes into view, unless the reader
    prefers less motion.

    Source: Papyan, Han & Donoho 2020, Fig. 1.   Chapter: collapse.
    """
    looks = Looks.of(seen, classes, split)
    start = defaults("portrait")
    shown, first = picture(start, looks), picture(start | {"epoch": 0.0}, looks)
    markup = {f"name{k}": f"class {c}" for k, c in enumerate(looks.classes)}
    markup |= {f"first_{key}": line for key, line in first.lines.items()}
    markup |= {"first_epoch": str(looks.epochs[0]), "starts": "data-starts" if starts else ""}
    return explorer("portrait", TITLE, (), _inks(), shown, data=looks.data(), markup=markup)


def picture(setting: Mapping[str, float | bool | str], looks: Looks) -> Picture:
    """Paths and words for a setting of the controls.

    ``epoch`` is a share of the run, in the logarithm of the epoch; ``turn`` is in degrees.
    """
    share, turn = float(setting["epoch"]), float(setting["turn"])
    k, rest = _between(looks.epochs, share)
    after = min(k + 1, len(looks.epochs) - 1)
    places = looks.places[k] + rest * (looks.places[after] - looks.places[k])
    lines = _lines(places / FINE, looks, turn)
    first, last = looks.epochs[0], looks.epochs[-1]
    words = {
        "epoch": str(math.floor(first * (last / first) ** share + ROUNDING)),
        "turn": f"{round(turn)}°".replace("-", "−"),
        "sentence": (
            f"Measured after epoch {looks.epochs[k]}: {numeral(looks.errors[k])} % of the images "
            f"misclassified, NC1 = {numeral(looks.nc1[k])}."
        ),
    }
    return Picture(lines, words)


def _inks() -> dict[str, str]:
    channels = [int(COLORS["features"][i : i + 2], 16) for i in (1, 3, 5)]
    dots = ["#" + "".join(f"{round(share * c):02x}" for c in channels) for share in SHADES]
    return INKS | {f"dots{k}": ink for k, ink in enumerate(dots)}


def _between(epochs: Sequence[int], share: float) -> tuple[int, float]:
    """The last look before a share of the run, and how far on it lies to the next one."""
    whole = math.log(epochs[-1] / epochs[0])
    shares = [math.log(epoch / epochs[0]) / whole for epoch in epochs]
    k = max(k for k, one in enumerate(shares) if one <= share + NEARLY)
    if k == len(epochs) - 1:
        return k, 0.0
    return k, max(0.0, (share - shares[k]) / (shares[k + 1] - shares[k]))


def _project(places: Tensor, turn: float) -> Tensor:
    """Pixels across and down, and units towards the reader, of places (n, 3)."""
    x, y, z = places.double().unbind(1)
    angle = AZIMUTH + math.radians(turn)
    right = y * math.cos(angle) - x * math.sin(angle)
    toward = x * math.cos(angle) + y * math.sin(angle)
    up = z * math.cos(ELEVATION) - toward * math.sin(ELEVATION)
    depth = toward * math.cos(ELEVATION) + z * math.sin(ELEVATION)
    size = SCALE * DISTANCE / (DISTANCE - depth)
    return torch.stack([MIDDLE[0] + size * right, MIDDLE[1] - size * up, depth], dim=1)


def _lines(places: Tensor, looks: Looks, turn: float) -> dict[str, str]:
    """Everything from back to front: the dots of a layer, then an arm, layer by layer."""
    simplex = looks.simplex / FINE
    *clouds, means, rows = _project(places, turn).split([*looks.counts, 3, 3])
    vertices, names = (_project(size * simplex, turn) for size in (1.0, LABEL))
    edges = torch.tensor(EDGES, dtype=torch.float64)
    lines = {"triangle": f"M{'L'.join(_point(x, y) for x, y, _ in vertices.tolist())}Z"}
    for k, cloud in enumerate(clouds):
        layers = torch.bucketize(cloud[:, 2].contiguous(), edges)
        for layer, name in enumerate(LAYERS):
            dots = cloud[layers == layer].tolist()
            lines[f"dots{k}_{name}"] = "".join(_dot(k, x, y) for x, y, _ in dots)
    for name, k in zip(LAYERS, vertices[:, 2].argsort().tolist(), strict=True):
        for kind, ends in (("vertex", vertices), ("mean", means)):
            x, y, _ = ends[k].tolist()
            stick = f"M{_point(*MIDDLE)}L{_point(x, y)}"
            lines[f"{kind}_{name}"] = stick + _mark(k, x, y, MARKS[kind])
        lines[f"row_{name}"] = _arrow(*rows[k, :2].tolist())
    for k, (x, y, _) in enumerate(names.tolist()):
        lines[f"name{k}"] = f"translate({_point(x, y)})"
    return lines


def _point(x: float, y: float) -> str:
    return f"{x:.1f} {y:.1f}"


def _dot(k: int, x: float, y: float) -> str:
    """A feature: round or square by its line's cap, or a triangle."""
    return f"M{_point(x, y)}h0" if k < 2 else f"M{_point(x, y - 1.5)}l1.6 2.8h-3.2z"


def _mark(k: int, x: float, y: float, size: float) -> str:
    """A circle, a square or a triangle: the three classes of a portrait."""
    if k == 0:
        arc = f"a{size:.1f} {size:.1f} 0 1 0 "
        return f"M{_point(x - size, y)}{arc}{2 * size:.1f} 0{arc}{-2 * size:.1f} 0Z"
    if k == 1:
        side = 1.8 * size
        corner = _point(x - side / 2, y - side / 2)
        return f"M{corner}h{side:.1f}v{side:.1f}h{-side:.1f}Z"
    return f"M{_point(x, y - 1.2 * size)}l{1.1 * size:.1f} {1.9 * size:.1f}h{-2.2 * size:.1f}Z"


def _arrow(x: float, y: float) -> str:
    """From the origin to a point, with two barbs."""
    dx, dy = x - MIDDLE[0], y - MIDDLE[1]
    unit = BARB / max(math.hypot(dx, dy), BARB)
    dx, dy = dx * unit, dy * unit
    barbs = [_point(x - dx + turn * dy / 2, y - dy - turn * dx / 2) for turn in (1, -1)]
    return f"M{_point(*MIDDLE)}L{_point(x, y)}M{barbs[0]}L{_point(x, y)}L{barbs[1]}"
