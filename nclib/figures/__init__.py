"""Rows, class statistics and theory as pictures.

``ax=None`` opens a new figure. Global settings stay as they are, and no title is baked in: what a
picture shows, its caption says. Zeros leave gaps on logarithmic axes, and so does what is not
finite.
"""

from ..palette import COLORS, style
from .runs import nc_panel, overview, plot_metric, plot_terms, portrait

__all__ = ["COLORS", "nc_panel", "overview", "plot_metric", "plot_terms", "portrait", "style"]
