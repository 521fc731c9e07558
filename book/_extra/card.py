"""Draw the card that stands for the book where a link to it is shown.

    python book/_extra/card.py

trains the cover's network, in half a minute, and writes book/_static/card.png. Run it again when
the book's title or the portrait changes; it is not part of a build.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from nclib import Cell, figures, observe
from nclib.observations import Observation
from nclib.palette import COLORS, INK, style
from nclib.portrait import closest_frame

TARGET = Path(__file__).resolve().parents[1] / "_static" / "card.png"
WIDTH, HEIGHT = 1200, 630  # pixels, as previews want them
DPI = 200
TITLE, WORDS = "Neural collapse under MSE loss", "an executable paper"


def draw(seen: Sequence[Observation]) -> Figure:
    """The title over the portraits of a run's first look and its last."""
    first, last = seen[0], seen[-1]
    frame = closest_frame(last.stats, (0, 1, 2))
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), facecolor="white")
    for side, one in enumerate((first, last)):
        ax = figure.add_axes((0.51 * side, -0.1, 0.5, 0.95), projection="3d")
        figures.portrait(one.stats, one.head, one.features, one.labels, frame=frame, ax=ax)
        ax.set_box_aspect((4, 4, 3), zoom=1.3)  # pyright: ignore[reportCallIssue]
        ax.patch.set_visible(False)
        for label in list(ax.texts):
            label.remove()
        place = 0.25 + 0.51 * side
        figure.text(place, 0.06, f"epoch {one.epoch}", ha="center", fontsize=11, color=INK)
    for key in list(figure.legends):
        key.remove()
    figure.text(0.05, 0.85, TITLE, fontsize=20, fontweight="bold", color="#123e5c")
    figure.text(0.05, 0.755, WORDS, fontsize=13, color=INK)
    ends = {"xy": (0.545, 0.077), "xytext": (0.465, 0.077), "xycoords": "figure fraction"}
    arrow = {"arrowstyle": "->", "color": COLORS["simplex"], "linewidth": 1.5}
    figure.axes[0].annotate("", **ends, arrowprops=arrow, annotation_clip=False)
    return figure


def main() -> int:
    from matplotlib import rc_context

    seen = [one for one in observe(Cell("digits", "convnet", "mse")) if one.split == "train"]
    with rc_context(style()):
        draw(seen).savefig(TARGET, dpi=DPI, pil_kwargs={"optimize": True})
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
