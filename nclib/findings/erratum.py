"""An erratum, the finding that it follows from, a correction of ours; and their lists."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["CHAPTERS", "KINDS", "SOURCES", "Correction", "Corrections", "Errata", "Erratum",
           "Finding"]  # fmt: skip

SOURCES = {
    "han": "Han, Papyan & Donoho 2022",
    "notebook": "the notebook of Han, Papyan & Donoho",
    "papyan": "Papyan, Han & Donoho 2020",
    "zhou": "Zhou et al. 2022",
    "zhou-code": "the code of Zhou et al.",
    "mixon": "Mixon, Parshall & Pi 2022",
    "jacot": "Jacot et al. 2025",
}
"""What an erratum can be about.   Chapter: errata."""

KINDS = {
    "slip": "what stands there is wrong, and what should stand there is known",
    "gap": "what stands there is true under a condition, or in a reading, that is missing",
    "difference": "two sources of the same authors differ; neither need be wrong",
    "question": "what stands there cannot be as we read it, and what happened is not known",
}
"""What kinds of errata there are, and what they mean.   Chapter: errata."""

ANSWERS = {"slip": "Should be", "gap": "To add", "difference": "But", "question": "But"}
LABELS = ("Printed", "Says", "Does")

CHAPTERS = {
    "finding": "Findings",
    "landscape": "Every valley, every pass",
    "rescaled": "Two knobs for many classes",
    "protocol": "The protocol",
    "mse-vs-ce": "Squared error and cross-entropy",
}
"""The chapters that show errata: how their anchors begin, and their titles.   Chapter: errata."""

IN_BOOK = "NCLIB_BOOK"  # set by the book's build, where a label leads to any page


@dataclass(frozen=True)
class Erratum:
    """One place of a source: what is printed, what should stand there, how that was checked.

    ``kind`` is one of KINDS. ``anchor`` is where the book shows it, if not under the finding.
    ``label`` tells what ``printed`` is: "Printed", a quotation; "Says", our words for a text or a
    figure; "Does", our words for code.

    Chapter: errata.
    """

    source: str
    place: str
    printed: str
    should: str
    checked: str
    kind: str = "slip"
    anchor: str = ""
    label: str = "Says"

    def __post_init__(self) -> None:
        for name, known in (("source", SOURCES), ("kind", KINDS), ("label", LABELS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name}: expected one of {sorted(known)}, got {value!r}")
        for name in ("place", "printed", "should", "checked"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name}: expected words, got none")
        if self.anchor and not _chapter(self.anchor):
            raise ValueError(f"anchor: expected one of {sorted(CHAPTERS)}, got {self.anchor!r}")


@dataclass(frozen=True)
class Finding:
    """A section of the findings page: its errata, or why there is none.   Chapter: findings."""

    id: str
    errata: tuple[Erratum, ...] = ()
    none: str = ""

    def __post_init__(self) -> None:
        if bool(self.errata) == bool(self.none):
            raise ValueError(f"none: expected errata or a reason without them, in {self.id}")

    @property
    def anchor(self) -> str:
        """The label of its section.

        >>> Finding("ridge", none="an example").anchor
        'finding-ridge'
        """
        return f"finding-{self.id}"


@dataclass(frozen=True)
class Correction:
    """What an edition of this book had wrong, where, and what it says now.   Chapter: errata."""

    edition: str
    place: str
    said: str
    says: str


class Errata(tuple[tuple[Finding, Erratum], ...]):
    """Errata with their findings, shown as a list, or as words where there is none.

    >>> Errata()._repr_markdown_()
    'None found so far.'

    Chapter: errata.
    """

    def _repr_markdown_(self) -> str:
        lines = [_item(finding, erratum) for finding, erratum in self]
        return "\n".join(lines) or "None found so far."


class Corrections(tuple[Correction, ...]):
    """Corrections, shown as a list, or as words where there is none.   Chapter: errata.

    >>> Corrections()._repr_markdown_()
    'None is known yet.'
    """

    def _repr_markdown_(self) -> str:
        lines = [
            f"- **Edition {one.edition}, {one.place}**<br>Said: {one.said}<br>Says: {one.says}"
            for one in self
        ]
        return "\n".join(lines) or "None is known yet."


def _item(finding: Finding, erratum: Erratum) -> str:
    """An erratum as an item of a list: a table of sentences does not fit a telephone."""
    return (
        f"- **{erratum.place}** *({erratum.kind})*<br>{erratum.label}: {erratum.printed}<br>"
        f"{ANSWERS[erratum.kind]}: {erratum.should}<br>"
        f"<small>Checked: {_way(erratum.checked, erratum.anchor or finding.anchor)}</small>"
    )


def _way(words: str, anchor: str) -> str:
    """A link; in a notebook, where the other pages are missing, the chapter's title instead."""
    if IN_BOOK in os.environ:
        return f"[{words}](#{anchor})"
    return f"{words} Chapter “{_chapter(anchor)}”."


def _chapter(anchor: str) -> str:
    """The title of the chapter that an anchor is in; nothing where no chapter begins so."""
    return next((CHAPTERS[one] for one in CHAPTERS if anchor.startswith(f"{one}-")), "")
