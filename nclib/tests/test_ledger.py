"""The ledger says what it saw: nothing passes unseen, and nothing that fails is lost."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nclib import evidence, ledger
from nclib.__main__ import app
from nclib.evidence import Check
from nclib.ledger import CLAIMS, PAPERS, Claim, Report, check, claims_of
from nclib.proofs import PROOFS

from .tolerances import EXACT

TRUE = Claim(
    "han:true", "One third, three times, is one.", "us", "ledger", "numeric",
    (lambda: Check("difference", abs(3 * (1 / 3) - 1), EXACT),),
)  # fmt: skip
FALSE = replace(TRUE, id="mixon:false", evidence=(lambda: Check("difference", 1.0, EXACT),))
UNDEFINED = replace(FALSE, evidence=(lambda: Check("difference", float("nan"), EXACT),))
CRASHING = replace(FALSE, id="zhou:crash", evidence=(lambda: Check("x", 1 / int("0"), 1.0),))
UNSEEN = replace(TRUE, id="ours:open", evidence=(), open="nobody has looked")
SAMPLE = (TRUE, FALSE, CRASHING, UNSEEN)


def status(claim: Claim) -> str:
    (verdict,) = check([claim])
    return verdict.status


def test_statuses() -> None:
    """What holds holds; a miss, a NaN and a crash fail; what nobody looked at is open."""
    claims = (TRUE, FALSE, UNDEFINED, CRASHING, UNSEEN)
    assert [status(c) for c in claims] == ["holds", "fails", "fails", "fails", "open"]


def test_a_part_is_not_the_whole() -> None:
    """A claim that leaves something open holds partly, and fails all the same."""
    assert status(replace(TRUE, open="the other half")) == "partly"
    assert status(replace(FALSE, open="the other half")) == "fails"


def test_one_failing_piece_of_evidence_is_enough() -> None:
    """A claim holds only if all of its evidence does."""
    assert status(replace(TRUE, evidence=TRUE.evidence + FALSE.evidence)) == "fails"


def test_a_crash_is_told_and_stops_nothing() -> None:
    """The claims after a crash are checked, and the crash stands in words."""
    report = Report.on(SAMPLE, progress=False)
    assert report.counts == {"holds": 1, "partly": 0, "fails": 2, "open": 1}
    assert "ZeroDivisionError" in " ".join(report.verdicts[2].words)


def test_a_claim_without_evidence_must_say_so() -> None:
    """No claim stands in the ledger with nothing to show and nothing to say."""
    with pytest.raises(ValueError, match=r"open: expected a word .* han:true"):
        replace(TRUE, evidence=())
    with pytest.raises(ValueError, match="kind: expected one of .*, got 'hearsay' in han:true"):
        replace(TRUE, kind="hearsay")


def test_the_list_has_an_item_per_claim() -> None:
    """The page's list shows every claim once, with its mark, its chapter and all of its words."""
    report = Report.on(SAMPLE, progress=False)
    items = report._repr_markdown_().splitlines()
    assert [item[:4] for item in items] == ["- ✓ ", "- ✗ ", "- ✗ ", "- ○ "]
    for item, verdict in zip(items, report, strict=True):
        assert "[ledger](ledger.md)" in item
        assert all(words in item for words in verdict.words)


def test_papers_are_chosen_by_name() -> None:
    """A wrong name is refused with the list of right ones."""
    report = Report.on(SAMPLE, progress=False)
    assert [v.claim.id for v in report.of("mixon")] == ["mixon:false"]
    assert claims_of(SAMPLE, ["han"]) == claims_of(SAMPLE, "han") == (TRUE,)
    with pytest.raises(ValueError, match="paper: expected one of .*, got 'hann'"):
        claims_of(SAMPLE, ["hann"])


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command prints JSON that says all of it, and exits with 1 when a claim fails."""
    monkeypatch.setattr(ledger, "CLAIMS", SAMPLE)
    done = CliRunner().invoke(app, ["check", "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, [v["status"] for v in found]) == (
        1,
        ["holds", "fails", "fails", "open"],
    )
    assert found[0]["evidence"][0]["bar"] == EXACT
    done = CliRunner().invoke(app, ["check", "han", "ours"])
    assert done.exit_code == 0
    assert "2 claims: 1 holds, 0 partly, 0 fails, 1 open" in done.stdout


def test_ids_are_addresses() -> None:
    """Every id is used once and begins with a paper; at least forty claims are listed."""
    ids = [claim.id for claim in CLAIMS]
    assert len(set(ids)) == len(ids) >= 40
    assert {claim.paper for claim in CLAIMS} == set(PAPERS)


def test_what_we_add_is_marked() -> None:
    """A claim of ours says so, and one of a paper names it."""
    assert all(claim.ours for claim in CLAIMS if claim.paper == "ours")
    assert all(claim.source and claim.statement and claim.chapter for claim in CLAIMS)


def test_no_evidence_lies_unused() -> None:
    """Every check of every room of evidence, and every proof, stands behind a claim."""
    used = {function for claim in CLAIMS for function in claim.evidence}
    rooms = [getattr(evidence, name) for name in evidence.__all__ if name != "Check"]
    checks = {getattr(room, name) for room in rooms for name in room.__all__}
    assert {check.__name__ for check in checks - used} == set()
    assert {proof.__name__ for proof in set(PROOFS) - used} == set()
