"""The ledger at a glance: a tile for every claim."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from ..palette import COLORS, INK
from .canvas import new_figure, styled

__all__ = ["plot_report"]

LOOKS: dict[str, dict[str, Any]] = {
    "symbolic": {"facecolor": COLORS["means"], "edgecolor": INK},
    "numeric": {"facecolor": COLORS["features"], "edgecolor": INK, "hatch": "//"},
    "measured": {"facecolor": COLORS["classifier"], "edgecolor": INK, "hatch": ".."},
    "open": {"facecolor": "white", "edgecolor": INK},
    "fails": {"facecolor": "black", "edgecolor": INK},
}
"""How a claim's tile looks, by the kind of its evidence, or because there is none or it fails."""

ACROSS = 20  # tiles in a row, so that they can be told apart on a telephone


def plot_report(tiles: dict[str, list[str]], *, ax: Axes | None = None) -> Axes:
    """A tile for each claim, a block of rows for each paper, in the order of the ledger.

    ``tiles`` holds, for each paper's name, one of symbolic, numeric, measured, open and fails per
    claim.   Chapter: ledger.
    """
    unknown = sorted({look for looks in tiles.values() for look in looks} - set(LOOKS))
    if unknown:
        raise ValueError(f"tiles: expected any of {sorted(LOOKS)}, got {unknown}")
    with styled():
        ax = ax or new_figure(6.0, 6.0).add_subplot()
        top = 0.0
        for name, looks in tiles.items():
            ax.text(0, top + 0.7, f"{name}, {len(looks)}", va="bottom")
            for k, look in enumerate(looks):
                row, column = divmod(k, ACROSS)
                ax.add_patch(Rectangle((column, top + row + 0.8), 0.86, 0.86, **LOOKS[look]))
            top += max(1, -(-len(looks) // ACROSS)) + 1.3
        ax.set(xlim=(-0.1, ACROSS), ylim=(top - 0.4, -0.2), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        used = {look for looks in tiles.values() for look in looks}
        handles = [Patch(label=name, **LOOKS[name]) for name in LOOKS if name in used]
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncol=len(handles))
    return ax
