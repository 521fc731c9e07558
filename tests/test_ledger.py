"""Every claim of the ledger holds or is open, and points to a page of the book."""

from __future__ import annotations

import pytest

from nclib.ledger import CLAIMS, Report, Verdict

from .tree import pages_in_contents


@pytest.fixture(scope="module")
def report() -> Report:
    """The whole check, once."""
    return Report.on(CLAIMS, progress=False)


def test_no_claim_fails(report: Report) -> None:
    """What has evidence holds; the words of what does not are shown."""
    failing: dict[str, Verdict] = {v.claim.id: v for v in report if v.status == "fails"}
    assert {name: verdict.words for name, verdict in failing.items()} == {}


def test_open_means_without_evidence(report: Report) -> None:
    """A claim is open exactly if nothing was there to check it by."""
    assert {v.claim.id for v in report if v.status == "open"} == {
        claim.id for claim in CLAIMS if not claim.evidence
    }


def test_claims_point_to_pages() -> None:
    """The chapter of every claim is a page in the contents."""
    pages = {path.stem for path in pages_in_contents()}
    assert {claim.id: claim.chapter for claim in CLAIMS if claim.chapter not in pages} == {}
