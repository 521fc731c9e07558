"""What a report says in sentences: over its table, and in place of its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .collapse import CollapseReport

__all__ = ["alternative", "heading", "missing"]


def heading(report: CollapseReport) -> str:
    """What was measured: layer, sizes, samples."""
    layer = f"last layer {report.layer}: " if report.layer else ""
    seen = report.counts[report.counts > 0]
    each = f"{int(seen.min()):,}"
    if seen.min() < seen.max():
        each += f" to {int(seen.max()):,}"
    ignored = f", {report.ignored:,} ignored" if report.ignored else ""
    return (
        f"{layer}{report.dimension:,} features, {report.classes:,} classes; "
        f"{report.samples:,} samples{ignored}, {each} per class; ridge {report.ridge:g}"
    )


def alternative(report: CollapseReport) -> str:
    """The picture of a report in words."""
    found = report.metrics
    told = [
        f"Picture of {heading(report)}.",
        f"Within-class spread over between-class spread {found['variance_ratio']:.3g},",
        f"mean distance of the cosines from the simplex "
        f"{found['angle_to_simplex_means']:.3g} for class means and "
        f"{found['angle_to_simplex_classifier']:.3g} for the classifier.",
    ]
    if report.terms is not None:
        terms = report.terms
        told.append(
            f"Loss terms: NC1 {terms.nc1:.3g}, NC2/3 {terms.nc23:.3g}, perpendicular "
            f"{terms.perp:.3g}."
        )
    return " ".join(told)


def missing(report: CollapseReport) -> dict[str, list[str]]:
    """Why a number is not there, and the names of all that this holds for."""
    found: dict[str, list[str]] = {}
    for one in report.entries:
        if one.why:
            found.setdefault(one.why, []).append(one.name)
    return found
