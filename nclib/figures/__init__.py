"""Rows, class statistics and theory as pictures.

``ax=None`` opens a new figure. Global settings stay as they are, and no title is baked in: what a
picture shows, its caption says. Zeros leave gaps on logarithmic axes, and so does what is not
finite.
"""

from ..palette import COLORS, style
from . import (
    comparison,
    coordinates,
    costs,
    cylinder,
    flows,
    landscapes,
    last_layer,
    laws,
    miniatures,
    reproduction,
    rescaled,
    statements,
    stored,
    sweeps,
    tetrahedron,
    turning,
    two_speeds,
    unconstrained,
    verdicts,
    wide,
)
from .runs import nc_panel, overview, plot_metric, plot_terms, portrait

__all__ = [
    "COLORS",
    "comparison",
    "coordinates",
    "costs",
    "cylinder",
    "flows",
    "landscapes",
    "last_layer",
    "laws",
    "miniatures",
    "nc_panel",
    "overview",
    "plot_metric",
    "plot_terms",
    "portrait",
    "reproduction",
    "rescaled",
    "statements",
    "stored",
    "style",
    "sweeps",
    "tetrahedron",
    "turning",
    "two_speeds",
    "unconstrained",
    "verdicts",
    "wide",
]
