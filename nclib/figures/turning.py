"""Pictures to turn by hand: Plotly figures, which a notebook shows as they stand.

Only for what is a body in three dimensions. ``meta.dark`` of a trace holds what a dark page sets
anew, by the name of the attribute; a page has its own controls and reads the slider's steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..palette import COLORS, INK, shade
from .tetrahedron import CLASSES, EDGES, VIEW, Four, Look, corners, places

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["plot_tetrahedron"]

REACH = 1.4  # half the side of the box at least, in radii of the tetrahedron
RAISED = 0.2  # how far above the tetrahedron's center the box is centered
DISTANCE = 1.2  # of the eye, in sides of the box
HEIGHT = 560  # pixels, with the controls
BEAT = 300  # milliseconds a frame while it plays
_MARKS = {"circle": 1.0, "square": 0.8, "diamond": 1.0, "cross": 1.6}  # sizes that look alike
_PALE = [shade(color, 2) for color in CLASSES]  # on a dark page
_SNOW = "#D0D0D0"


def plot_tetrahedron(looks: Sequence[Look], classes: Sequence[int]) -> Figure:
    """Four classes on the tetrahedron, with a slider over the epochs and a button to play them.

    One frame a look; box and camera are the same in all of them, so that nothing jumps. The
    class of a point is its color and its mark; coordinates as in ``tetrahedron.places``.

    Chapter: collapse.
    """
    from plotly import graph_objects as plotly

    seen = places(looks, classes)
    epochs = [one.epoch for one in seen]
    if len(set(epochs)) < len(epochs):
        raise ValueError(f"looks: expected one an epoch, got epochs {epochs}")
    if any(not torch.equal(one.labels, seen[0].labels) for one in seen):
        raise ValueError("looks: expected the same samples in each")
    names = [f"class {c}" for c in classes]
    dressed = zip(_looks(seen[0], names), _moving(seen[0]), strict=True)
    traces = [*_solid(classes), *(look | place for look, place in dressed), *_key()]
    frames = [
        plotly.Frame(name=str(k), data=_moving(one), traces=[2, 3, 4])
        for k, one in zip(epochs, seen, strict=True)
    ]
    return plotly.Figure(data=traces, layout=_stage(epochs, _reach(seen)), frames=frames)


def _reach(seen: list[Four]) -> float:
    """Half the side of a box that holds every point of every epoch: outside of it nothing shows."""
    up = torch.tensor([0.0, 0.0, RAISED], dtype=torch.float64)
    parts = [part for one in seen for part in (one.features, one.means, one.classifier)]
    return max(REACH, 1.02 * float(torch.cat([part - up for part in parts]).abs().max()))


def _moving(seen: Four) -> list[dict[str, Any]]:
    """What changes with the epoch: features, class means, the sticks of the classifier."""
    sticks = [end for row in seen.classifier.tolist() for end in ([0.0, 0.0, 0.0], row, None)]
    parts = (seen.features.tolist(), seen.means.tolist(), sticks)
    return [{"type": "scatter3d", **_xyz(part)} for part in parts]


def _looks(seen: Four, names: list[str]) -> list[dict[str, Any]]:
    """How features, class means and classifier look; none of it changes with the epoch."""
    of = seen.labels.tolist()
    ends = [k for k in range(4) for _ in range(3)]  # of each stick, and the gap after it
    colors, pale = [CLASSES[k] for k in ends], [_PALE[k] for k in ends]
    stick = {"mode": "lines", "line": {"color": colors, "width": 7}}
    return [
        _trace("features", [names[k] for k in of]) | _dots(of, 3.2) | {"opacity": 0.6},
        _trace("class means", names) | _dots([0, 1, 2, 3], 9),
        _trace("classifier", [names[k] for k in ends]) | stick | _dark({"line.color": pale}),
    ]


def _solid(classes: Sequence[int]) -> list[dict[str, Any]]:
    """What never moves: the edges, and the classes at the corners."""
    solid = corners().tolist()
    strokes = [solid[k] for k in EDGES[0]] + [None] + [solid[k] for k in EDGES[1]]
    edges = {"mode": "lines", "name": "simplex", "line": {"color": COLORS["simplex"], "width": 3}}
    words = {"mode": "text", "showlegend": False, "text": [f"<b>{c}</b>" for c in classes]}
    words |= {"textfont": {"color": list(CLASSES), "size": 16}}
    outside = [[1.25 * x for x in corner] for corner in solid]
    silent = {"type": "scatter3d", "hoverinfo": "skip"}
    return [
        silent | edges | _xyz(strokes) | _dark({"line.color": "#9A9A9A"}),
        silent | words | _xyz(outside) | _dark({"textfont.color": _PALE}),
    ]


def _trace(name: str, told: list[str]) -> dict[str, Any]:
    """A quantity and what the pointer is told of each of its points."""
    return {
        "type": "scatter3d",
        "name": name,
        "legendgroup": name,
        "showlegend": False,
        "text": told,
        "hovertemplate": f"{name}, %{{text}}<extra></extra>",
    }


def _dots(of: list[int], size: float) -> dict[str, Any]:
    """Marks of the classes ``of`` the points."""
    marks, sizes = zip(*_MARKS.items(), strict=True)
    look = {"color": [CLASSES[k] for k in of], "symbol": [marks[k] for k in of]}
    look |= {"size": [size * sizes[k] for k in of], "line": {"width": 0}, "opacity": 1}
    return {"mode": "markers", "marker": look} | _dark({"marker.color": [_PALE[k] for k in of]})


def _key() -> list[dict[str, Any]]:
    """Entries of the key, in no color of a class; a click on one hides the quantity."""
    nowhere = {"type": "scatter3d", "hoverinfo": "skip"} | _xyz([None])
    entries = []
    for name, mode, look in (
        ("features", "markers", {"size": 5}),
        ("class means", "markers", {"size": 12}),
        ("classifier", "lines", {"width": 5}),
    ):
        kind = mode.removesuffix("s")
        entry = {"name": name, "legendgroup": name, "mode": mode, kind: look | {"color": INK}}
        entries.append(nowhere | entry | _dark({f"{kind}.color": _SNOW}))
    return entries


def _dark(changes: dict[str, Any]) -> dict[str, Any]:
    return {"meta": {"dark": changes}}


def _xyz(points: Sequence[Sequence[float] | None]) -> dict[str, list[float | None]]:
    """Coordinates as three lists, to a thousandth of the radius; at None the pen is lifted."""
    # Lists of short numbers, not arrays: binary ones only the newest notebooks can read.
    return {
        axis: [None if point is None else round(point[k], 3) for point in points]
        for k, axis in enumerate("xyz")
    }


def _stage(epochs: list[int], reach: float) -> dict[str, Any]:
    """Box, camera and key, and the controls."""
    elevation, azimuth = (math.radians(angle) for angle in VIEW)
    flat = DISTANCE * math.cos(elevation)
    eye = {"x": flat * math.cos(azimuth), "y": flat * math.sin(azimuth)}
    eye["z"] = DISTANCE * math.sin(elevation)
    axis = {"visible": False, "showspikes": False, "range": [-reach, reach]}
    high = axis | {"range": [RAISED - reach, RAISED + reach]}
    scene = {"xaxis": axis, "yaxis": axis, "zaxis": high, "aspectmode": "cube"}
    scene |= {"camera": {"eye": eye}, "dragmode": "turntable"}
    key = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 0, "itemsizing": "trace"}
    page = {"template": "none", "paper_bgcolor": "white", "font": {"color": INK, "size": 16}}
    size = {"height": HEIGHT, "margin": dict.fromkeys("lrtb", 0)}
    return page | size | {"scene": scene, "uirevision": "kept", "legend": key} | _controls(epochs)


def _controls(epochs: list[int]) -> dict[str, Any]:
    """A slider with a step for each epoch, and a button."""
    names = [str(epoch) for epoch in epochs]
    steps = [{"label": name, "method": "animate", "args": [[name], _pace(0)]} for name in names]
    play = {"label": "Play", "method": "animate", "args": [None, _pace(BEAT)]}
    slider = {"steps": steps, "currentvalue": {"prefix": "epoch "}, "x": 0.15, "len": 0.8}
    button = {"type": "buttons", "showactive": False, "buttons": [play], "x": 0.12, "y": 0}
    below = {"pad": {"t": 30, "b": 15}}, {"pad": {"t": 60}}
    return {"sliders": [slider | below[0]], "updatemenus": [button | below[1]]}


def _pace(milliseconds: int) -> dict[str, Any]:
    """How long a frame stands; a body in space can only be drawn anew, not moved."""
    frame = {"duration": milliseconds, "redraw": True}
    return {"mode": "immediate", "frame": frame, "transition": {"duration": 0}}
