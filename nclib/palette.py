"""How each quantity looks: one color, one dash and one mark for the whole book.

Plain data, so that a page, a test or another plotting library can read it without drawing.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "COLORS",
    "INK",
    "KEY",
    "MARKERS",
    "PANELS",
    "TERMS",
    "ZERO_ERROR",
    "look",
    "shade",
    "style",
]

COLORS = {
    "nc1": "#BB5599",
    "nc23": "#999933",
    "perp": "#785EF0",
    "total": "#222222",
    "means": "#0072B2",
    "classifier": "#D55E00",
    "features": "#4BA3D9",
    "simplex": "#6B6B6B",
}
"""A color per quantity, chosen to stay apart under red, green and blue blindness."""

INK = "#222222"  # text, and lines without a color of their own
MARKERS = ("o", "s", "^")  # the three classes of a portrait
ZERO_ERROR = {"color": "#444444", "linestyle": ":", "linewidth": 1.2}
"""The line that marks zero training error."""

TERMS: dict[str, dict[str, Any]] = {
    # A pale band under the others: soon L_NC1 lies on it.
    "total": {
        "label": r"$\mathcal{L}$",
        "linestyle": "-",
        "linewidth": 4.5,
        "alpha": 0.35,
        "marker": "o",
    },
    "nc1": {"label": r"$\mathcal{L}_{\mathrm{NC1}}$", "linestyle": "-", "marker": "o"},
    "nc23": {"label": r"$\mathcal{L}_{\mathrm{NC2/3}}$", "linestyle": "--", "marker": "s"},
    "perp": {"label": r"$\mathcal{L}_{\mathrm{LS}}^{\perp}$", "linestyle": "-.", "marker": "^"},
}
"""The loss and its three terms, in drawing order; colors are those of COLORS."""

PANELS = {
    "NC1  within / between": ("relative_variability",),
    "NC2  equal norms": ("norm_spread_means", "norm_spread_classifier"),
    "NC2  equal angles": ("cosine_spread_means", "cosine_spread_classifier"),
    "NC2  widest angles": ("angle_to_simplex_means", "angle_to_simplex_classifier"),
    "NC3  self-duality": ("duality_gap",),
}
"""What the NC panel shows of METRICS, by label; NC4 and accuracy follow."""

KEY: dict[str, dict[str, Any]] = {
    "features": {"label": "features", "marker": "o", "linestyle": ""},
    "means": {"label": "class means", "marker": "o", "markersize": 8, "linewidth": 4.5},
    "classifier": {"label": "classifier", "marker": ">", "markersize": 6},
    "simplex": {"label": "simplex ETF", "marker": "o", "markersize": 11, "fillstyle": "none"},
}
"""What stands for each quantity of a portrait."""

_OTHER = (
    (INK, "-", "o"),
    ("#009E73", "--", "s"),
    ("#8C564B", "-.", "^"),
    ("#CC3311", ":", "D"),
)


def style() -> dict[Any, Any]:
    """Matplotlib settings of every figure, for ``rc_context``; nothing is set globally.

    Sized so that a picture six inches wide can still be read when a phone shows it 350 pixels
    wide. Dark on white, which the pages keep as a light card in dark mode.
    Chapter: how-to-run.
    """
    sizes = {"font.size": 11.5, "xtick.labelsize": 11, "ytick.labelsize": 11}
    sizes |= {f"axes.{key}size": 12 for key in ("label", "title")} | {"legend.fontsize": 12}
    inks = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    frame = {"axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#666666"}
    grid = {"axes.grid": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.8}
    lines = {"lines.linewidth": 1.8, "lines.markersize": 3.2, "legend.frameon": False}
    lines |= {"legend.handletextpad": 0.5, "legend.columnspacing": 1.2}
    page = {"figure.dpi": 150, "figure.facecolor": "white", "axes.facecolor": "white"}
    return sizes | inks | frame | grid | lines | page


def look(metric: str, position: int) -> dict[str, Any]:
    """Color, dash and mark of a metric: class means and classifier have their own.

    ``position`` among the metrics of the same picture tells the others apart.
    """
    for ending, dash, marker in (("means", "-", "o"), ("classifier", "--", "s")):
        if metric.endswith(f"_{ending}"):
            return {"color": COLORS[ending], "linestyle": dash, "marker": marker}
    color, dash, marker = _OTHER[position % len(_OTHER)]
    return {"color": color, "linestyle": dash, "marker": marker}


def shade(color: str, k: int) -> str:
    """The color for the first (darker), second (itself) or third (lighter) class of a portrait.

    >>> [shade("#804020", k) for k in range(3)]
    ['#5a2d16', '#804020', '#a67963']
    """
    target, amount = ((0, 0.3), (0, 0.0), (255, 0.3))[k]
    channels = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + amount * (target - c)):02x}" for c in channels)
