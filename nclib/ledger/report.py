"""All verdicts of one check: counted, shown as lists, written as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ..evidence import Check
from ..proofs.proof import Proof
from .claim import Claim, Verdict, check

__all__ = ["PAPERS", "Report", "claims_of"]

PAPERS = {
    "han": "Han, Papyan & Donoho 2022",
    "mixon": "Mixon, Parshall & Pi 2022",
    "zhou": "Zhou et al. 2022",
    "jacot": "Jacot et al. 2025",
    "ours": "what we add",
}
"""The first part of a claim's id, and what it stands for."""

MARKS = {"holds": "✓", "partly": "◐", "fails": "✗", "open": "○"}


@dataclass(frozen=True)
class Report:
    """The verdicts of a check in the order of the claims; it displays as a list in a notebook.

    Chapter: ledger.
    """

    verdicts: tuple[Verdict, ...]

    @classmethod
    def on(cls, claims: Iterable[Claim], *, progress: bool = True) -> Report:
        """Check the claims, with a progress bar on the error stream."""
        from tqdm import tqdm

        claims = tuple(claims)
        found = check(claims)
        return cls(tuple(tqdm(found, total=len(claims), unit="claim") if progress else found))

    def __len__(self) -> int:
        return len(self.verdicts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    @property
    def counts(self) -> dict[str, int]:
        """How many claims hold, hold partly, fail and are open."""
        found = Counter(verdict.status for verdict in self.verdicts)
        return {status: found[status] for status in MARKS}

    @property
    def seconds(self) -> float:
        """What the checks took together."""
        return sum(verdict.seconds for verdict in self.verdicts)

    def of(self, paper: str) -> Report:
        """The verdicts on one paper's claims, by the first part of their ids."""
        require_paper(paper)
        return Report(tuple(v for v in self.verdicts if v.claim.paper == paper))

    @property
    def tiles(self) -> dict[str, list[str]]:
        """For each paper, the kind of evidence of each claim, or open, or fails."""
        return {name: [_tile(v) for v in self.of(paper)] for paper, name in PAPERS.items()}

    def to_json(self) -> str:
        """The verdicts as JSON: a list with one object per claim."""
        return json.dumps([_plain(verdict) for verdict in self.verdicts], indent=1)

    def _repr_markdown_(self) -> str:
        return "\n".join(_item(verdict) for verdict in self.verdicts)


def claims_of(claims: Iterable[Claim], papers: str | Iterable[str]) -> tuple[Claim, ...]:
    """The claims of one or some papers, in the order of the ledger.   Chapter: ledger."""
    papers = (papers,) if isinstance(papers, str) else tuple(papers)
    for paper in papers:
        require_paper(paper)
    return tuple(claim for claim in claims if claim.paper in papers)


def require_paper(paper: str) -> None:
    """Raise a ValueError unless ids can start with it."""
    if paper not in PAPERS:
        raise ValueError(f"paper: expected one of {sorted(PAPERS)}, got {paper!r}")


def _tile(verdict: Verdict) -> str:
    return verdict.status if verdict.status in ("open", "fails") else verdict.claim.kind


def _item(verdict: Verdict) -> str:
    """A claim as an item of a list, its evidence in small print: readable on a telephone."""
    claim = verdict.claim
    source = "our derivation" if claim.ours else claim.source
    head = f"- {MARKS[verdict.status]} `{claim.id}` {claim.statement}"
    told = f"*({source}; told in* [{claim.chapter}]({claim.chapter}.md)*)*"
    return f"{head} {told}<br><small>{' · '.join(verdict.words)}</small>".replace("\n", " ")


def _plain(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    return {
        "id": claim.id,
        "status": verdict.status,
        "kind": claim.kind,
        "statement": claim.statement,
        "source": claim.source,
        "chapter": claim.chapter,
        "ours": claim.ours,
        "open": claim.open,
        "evidence": [_plain_evidence(found) for found in verdict.seen],
        "error": verdict.error,
        "seconds": round(verdict.seconds, 3),
    }


def _plain_evidence(found: Proof | Check) -> dict[str, Any]:
    if isinstance(found, Proof):
        return {"proof": found.name, "steps": len(found.steps), "holds": found.holds}
    error = float(found.error) if isfinite(found.error) else None  # JSON has no word for NaN
    return {"says": found.says, "error": error, "bar": found.bar, "holds": found.holds}
