"""The ledger's picture has a tile for every claim, in the look of its evidence."""

from __future__ import annotations

import matplotlib
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from nclib.figures import verdicts

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed


def test_a_tile_for_each_claim() -> None:
    """Tiles stand in order, colored by kind; the key shows the kinds that occur."""
    tiles = {"first": ["symbolic"] * 21 + ["open"], "second": ["measured"]}
    ax = verdicts.plot_report(tiles)
    drawn = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    looks = [look for paper in tiles.values() for look in paper]
    assert len(drawn) == len(looks)
    for patch, look in zip(drawn, looks, strict=True):
        assert same_color(patch.get_facecolor(), verdicts.LOOKS[look]["facecolor"])
    assert len({patch.get_xy() for patch in drawn}) == len(drawn)
    legend = ax.get_legend()
    assert legend and [t.get_text() for t in legend.get_texts()] == ["symbolic", "measured", "open"]


def test_an_unknown_look_is_refused() -> None:
    """A kind without a look is named."""
    with pytest.raises(ValueError, match=r"tiles: expected any of .*, got \['hearsay'\]"):
        verdicts.plot_report({"x": ["hearsay"]})
