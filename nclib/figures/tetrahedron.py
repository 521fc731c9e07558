"""Four classes of one run on a regular tetrahedron, epoch by epoch.

Any four vertices of a simplex ETF are equally far apart, so seen from their own center they are
the corners of a regular tetrahedron, which needs no more than the three dimensions we have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D
from torch import Tensor

from ..head import Head
from ..palette import COLORS, INK, shade
from ..simplex import simplex_etf
from ..stats import ClassStats
from .canvas import new_figure, styled

__all__ = ["CLASSES", "EDGES", "VIEW", "Four", "Look", "corners", "places", "plot_epochs"]

CLASSES = ("#0072B2", "#D55E00", "#009E73", "#AA4499")  # the four classes, one color each
POINTS = 40  # features drawn per class: an epoch of them is a frame, and a page holds them all
EDGES = ((0, 1, 2, 0, 3, 1), (2, 3))  # the six edges in two strokes
VIEW = (
    20.0,
    77.0,
)  # elevation and azimuth in degrees: no corner points at the reader or hides another
_MARKS = ("o", "s", "D", "P")


class Look(Protocol):
    """What is drawn of an observation."""

    @property
    def epoch(self) -> int: ...
    @property
    def stats(self) -> ClassStats: ...
    @property
    def head(self) -> Head: ...
    @property
    def features(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Four:
    """Where features, class means and classifier rows of four classes lie at one epoch.

    Features and means are seen from the center of the four means, in units of the means' average
    distance from it; rows from their own center, in units of theirs. What the four rows have in
    common decides nothing among the four classes. At exact collapse all of them are corners.

    Chapter: collapse.
    """

    epoch: int
    features: Tensor  # (n, 3)
    labels: Tensor  # (n,)  0 to 3: position among the four
    means: Tensor  # (4, 3)
    classifier: Tensor  # (4, 3)


def corners() -> Tensor:
    """The regular tetrahedron of radius 1 that stands on its first three corners, (4, 3).

    Source: Papyan, Han & Donoho 2020, Definition 1 with C = 4.   Chapter: collapse.
    """
    return -simplex_etf(4, 3)


def places(looks: Sequence[Look], classes: Sequence[int], points: int = POINTS) -> list[Four]:
    """Four classes in three dimensions, the first ``points`` features of each, at every look.

    One isometry serves for all looks, so that what moves in the picture moves in feature space:
    among all Q (d, 3) with Q^T Q = I the one that lays the four centered means of the last look
    closest to :func:`corners` (orthogonal Procrustes; Q may reflect).

    Source: our choice, as in ``nclib.portrait``.   Chapter: collapse.
    """
    if not looks:
        raise ValueError("looks: expected at least one, got none")
    four = _four(classes, looks[-1].stats.num_classes)
    centered = looks[-1].stats.means.cpu()[four]
    centered = centered - centered.mean(0)
    U, _, Vh = torch.linalg.svd(centered.T @ corners(), full_matrices=False)
    return [_place(look, four, U @ Vh, points) for look in looks]


def _place(look: Look, four: list[int], Q: Tensor, points: int) -> Four:
    means, rows = look.stats.means.cpu()[four], look.head.weight.cpu()[four]
    center = means.mean(0)
    labels = look.labels.cpu()
    chosen = torch.cat([torch.nonzero(labels == c).flatten()[:points] for c in four])
    position = torch.full((look.stats.num_classes,), -1)
    position[four] = torch.arange(4)
    features = (look.features.cpu()[chosen].double() - center) @ Q
    means, rows = means - center, rows - rows.mean(0)
    return Four(
        epoch=look.epoch,
        features=features / _radius(means, "class means"),
        labels=position[labels[chosen]],
        means=means @ Q / _radius(means, "class means"),
        classifier=rows @ Q / _radius(rows, "classifier rows"),
    )


def _radius(vectors: Tensor, name: str) -> Tensor:
    size = vectors.norm(dim=1).mean()
    if size == 0:
        raise ValueError(f"looks: expected four {name} that differ, got four times the same")
    return size


def _four(classes: Sequence[int], num_classes: int) -> list[int]:
    four = [int(c) for c in classes]
    if len(four) != 4 or len(set(four)) != 4 or min(four) < 0 or max(four) >= num_classes:
        raise ValueError(
            f"classes: expected four different ones from 0 to {num_classes - 1}, got {four}"
        )
    return four


def plot_epochs(looks: Sequence[Look], classes: Sequence[int], epochs: Sequence[int]) -> Figure:
    """The tetrahedron at up to four epochs side by side, seen from where ``turning`` starts.

    Chapter: collapse.
    """
    seen = {one.epoch: one for one in places(looks, classes)}
    if not 1 <= len(epochs) <= 4 or not set(epochs) <= set(seen):
        raise ValueError(f"epochs: expected one to four of {list(seen)}, got {list(epochs)}")
    with styled():
        rows, columns = (len(epochs) + 1) // 2, min(len(epochs), 2)
        figure = new_figure(2.9 * columns, 2.55 * rows + 0.4, layout=None)
        high = 0.4 / (2.55 * rows + 0.4)  # of the key below
        for k, epoch in enumerate(epochs):
            left, bottom = (k % columns) / columns, (rows - 1 - k // columns) / rows
            box = (left, high + (1 - high) * bottom, 1 / columns, (1 - high) / rows)
            space = figure.add_axes(box, projection="3d")
            assert isinstance(space, Axes3D)
            _draw(space, seen[epoch], classes)
            space.text2D(0.04, 0.9, f"epoch {epoch}", transform=space.transAxes)
        figure.legend(handles=_key(), loc="lower center", ncol=4, handlelength=1.6)
    return figure


def _draw(space: Axes3D, seen: Four, classes: Sequence[int]) -> None:
    space.set_axis_off()
    space.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-0.75, 1.25))
    space.set_box_aspect((1, 1, 1), zoom=1.45)  # pyright: ignore[reportArgumentType]
    space.view_init(elev=VIEW[0], azim=VIEW[1])
    space.patch.set_visible(False)  # it would cover a neighbor's corner
    for stroke in EDGES:
        line = corners()[list(stroke)].T.tolist()
        space.plot(*line, color=COLORS["simplex"], linewidth=1.0, linestyle=":")
    for k, (color, mark) in enumerate(zip(CLASSES, _MARKS, strict=True)):
        dots = {"marker": mark, "markersize": 2.4, "alpha": 0.6, "markeredgewidth": 0}
        cloud = seen.features[seen.labels == k].T.tolist()
        space.plot(*cloud, linestyle="", color=shade(color, 2), **dots)
        stick = [[0.0, x] for x in seen.classifier[k].tolist()]
        space.plot(*stick, color=color, linewidth=2.0)
        mean = [[x] for x in seen.means[k].tolist()]
        space.plot(*mean, color=color, marker=mark, markersize=8, mec="white", mew=0.6)
        x, y, z = (1.28 * corners()[k]).tolist()
        space.text(x, y, z, str(classes[k]), color=color, ha="center", va="center")
    for artist in (*space.lines, *space.collections):
        artist.set_clip_box(space.figure.bbox)


def _key() -> list[Line2D]:
    looks: dict[str, dict[str, Any]] = {
        "features": {"marker": "o", "markersize": 3.5, "linestyle": "", "alpha": 0.6},
        "class means": {"marker": "o", "markersize": 7, "linestyle": ""},
        "classifier": {"linewidth": 2.0},
        "simplex": {"linewidth": 1.0, "linestyle": ":"},
    }
    return [Line2D([], [], color=INK, label=name, **look) for name, look in looks.items()]
