"""A report as numbers by name, the way loggers take them."""

from __future__ import annotations

import math

from ..decomposition import LossTerms
from ..report import CollapseReport

__all__ = ["named_terms", "scalars"]


def scalars(report: CollapseReport) -> dict[str, float]:
    """Every number of a report by its name; what was not measured is left out.

    Besides the names of ``METRICS``: ``loss_nc1``, ``loss_nc23`` and ``loss_perp``, the three terms
    under the report's ridge; ``nearest_mean_mismatch`` (NC4) and ``accuracy`` after a second look.
    """
    found = {name: value for name, value in report.metrics.items() if not math.isnan(value)}
    if report.terms is not None:
        found |= named_terms(report.terms)
    if report.decisions is not None:
        found["nearest_mean_mismatch"] = report.decisions.nearest_mean_mismatch
        found["accuracy"] = report.decisions.accuracy
    return found


def named_terms(terms: LossTerms) -> dict[str, float]:
    """The three terms by the names that loggers see."""
    return {"loss_nc1": terms.nc1, "loss_nc23": terms.nc23, "loss_perp": terms.perp}
