"""A numbered claim, and what came of checking it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..evidence import Check
from ..proofs.proof import Proof

__all__ = ["KINDS", "Claim", "Verdict", "check"]

KINDS = ("symbolic", "numeric", "measured")
"""The kinds of evidence, the strongest first.   Chapter: ledger."""


@dataclass(frozen=True)
class Claim:
    """A numbered statement, equation or figure of a paper, or one of ours.

    ``id`` is paper and number, as han:thm1; ``evidence`` are functions without arguments, each
    giving a Proof or a Check; ``kind`` is that of the strongest evidence: symbolic (SymPy),
    numeric (random instances against a naive twin), measured (trained networks). A claim without
    evidence is open, and ``open`` says what is missing; a claim with evidence for a part only
    says there what is left. ``ours`` marks what we derived ourselves.

    Chapter: ledger.
    """

    id: str
    statement: str
    source: str
    chapter: str
    kind: str
    evidence: tuple[Callable[[], Proof | Check], ...] = ()
    open: str = ""
    ours: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {KINDS}, got {self.kind!r} in {self.id}")
        if not self.evidence and not self.open:
            raise ValueError(f"open: expected a word on what is missing, {self.id} has no evidence")

    @property
    def paper(self) -> str:
        """The first part of the id: han, mixon, zhou, jacot or ours."""
        return self.id.partition(":")[0]


@dataclass(frozen=True)
class Verdict:
    """A claim after its check: what was seen, and what became of the claim.

    ``status`` is "holds"; "partly" where all evidence holds and the claim leaves something open;
    "fails" where a piece of evidence does; "open" without evidence. ``error`` is the text of an
    exception that ended the check, else empty.   Chapter: ledger.
    """

    claim: Claim
    seen: tuple[Proof | Check, ...] = ()
    seconds: float = 0.0
    error: str = ""
    status: str = field(init=False)

    def __post_init__(self) -> None:
        if self.error or not all(found.holds for found in self.seen):
            status = "fails"
        elif not self.seen:
            status = "open"
        else:
            status = "partly" if self.claim.open else "holds"
        object.__setattr__(self, "status", status)

    @property
    def words(self) -> tuple[str, ...]:
        """What was seen, what went wrong and what is open, a line each."""
        lines = [_words(found) for found in self.seen]
        lines += [f"error: {self.error}"] if self.error else []
        lines += [f"open: {self.claim.open}"] if self.claim.open else []
        return tuple(lines)


def _words(found: Proof | Check) -> str:
    """One piece of evidence."""
    mark = "" if found.holds else "FAILS "
    if isinstance(found, Proof):
        return f"{mark}proof: {found.name}, {len(found.steps)} steps"
    return f"{mark}{found.says}: {found.error:.1e} (bar {found.bar:.0e})"


def check(claims: Iterable[Claim]) -> Iterator[Verdict]:
    """Check each claim in turn; an exception in its evidence is a failure with words.

    Chapter: ledger.
    """
    for claim in claims:
        started = time.perf_counter()
        seen, error = [], ""
        try:
            seen += [function() for function in claim.evidence]
        except Exception as problem:  # whatever it is, the other claims are still checked
            error = f"{type(problem).__name__}: {problem}"
        yield Verdict(claim, tuple(seen), time.perf_counter() - started, error)
