"""The protocol: it finds the law a run was made with, guards what it may judge, counts fairly."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nclib import suite
from nclib.cells import Cell, recipe_of
from nclib.observations import observe, summarize
from nclib.prediction import (
    PROTOCOL,
    Judgement,
    Spectrum,
    chance,
    judge,
    needed,
    settings_won,
    verdict,
)
from nclib.records import RecordError, Row
from nclib.theory.laws import FREE, Law, Power, TwoSpeed

from .tolerances import EXACT, SINGLE, TIGHT

EPOCHS = (1, 2, 3, 5, 8, 13, 20, 30, 40, 55, 70, 85, 100)
ANCHOR = torch.tensor([5.0, 4.0, 2.5, 1.5], dtype=torch.float64)
TINY = Cell("synthetic", "convnet", "mse", epochs=4, images=200, drop=1.0)


def made(law: Law, name: str = "digits-convnet-mse", noise: float = 0.0) -> Spectrum:
    """A run that obeys a law from its first epoch on."""
    clock = 5 * torch.tensor(EPOCHS, dtype=torch.float64) ** 0.5
    omega = law.predict(ANCHOR, clock, 5)
    g = torch.Generator().manual_seed(0)
    omega = omega * torch.exp(noise * torch.randn(omega.shape, generator=g, dtype=torch.float64))
    steady = (1.0,) * len(EPOCHS)
    return Spectrum(name, EPOCHS, omega, steady, steady)


@pytest.mark.parametrize("name", FREE)
def test_the_true_law_wins(name: str) -> None:
    """A run made with a law is predicted by it without error, and it wins."""
    found = judge(made(FREE[name]))
    assert found.winner == name and found.errors[name] < TIGHT and found.margin > 1e3
    assert min(found.errors.values()) >= 0 and found.moved > 0.1
    assert abs(found.leans[name]) < TIGHT
    assert found.leans["projected"] >= found.leans[name] - TIGHT
    assert found.leans["plain"] <= found.leans[name] + TIGHT
    assert judge(made(FREE[name], noise=0.002)).winner == name


@pytest.mark.parametrize("name, value", [("two-speed", PROTOCOL.ratios[20]), ("power", 0.65)])
def test_the_true_parameter_is_found(name: str, value: float) -> None:
    """A fitted law finds the parameter a run was made with, and predicts the rest."""
    law = TwoSpeed(value) if name == "two-speed" else Power(value)
    found = judge(made(law))
    assert found.parameters[name] == value and found.errors[name] < TIGHT


def test_what_is_held_out_decides_nothing_beforehand() -> None:
    """Anchor, parameters and predictions do not see the second half; the score sees only it."""
    spectrum = made(FREE["additive"], noise=0.05)
    assert judge(spectrum).anchor == 5
    assert judge(spectrum).held_out == (55, 70, 85, 100)
    omega = spectrum.omega.clone()
    omega[-4:, 1:] *= 0.7
    assert judge(replace(spectrum, omega=omega)).parameters == judge(spectrum).parameters
    omega = spectrum.omega.clone()
    omega[:3] *= 1.3  # before the anchor
    assert judge(replace(spectrum, omega=omega)) == judge(spectrum)


def test_the_error_is_what_the_protocol_says() -> None:
    """Root mean square of log(predicted / measured), over held-out epochs, without the largest."""
    spectrum = made(Power(0.5), noise=0.05)
    omega, k = spectrum.omega, EPOCHS.index(5)
    predicted = omega[-4:, :1] - omega[k, 0] + omega[k]
    pairs = zip(predicted[:, 1:].flatten(), omega[-4:, 1:].flatten(), strict=True)
    logs = [math.log(float(p / w)) for p, w in pairs]
    expected = math.sqrt(sum(x * x for x in logs) / len(logs))
    assert judge(spectrum).errors["additive"] == pytest.approx(expected, rel=EXACT)


def test_units_of_the_features_do_not_matter_but_the_clock_does() -> None:
    """A run at another pace is judged alike, as long as it passes the same values."""
    spectrum = made(Power(0.5), noise=0.05)
    slower = replace(spectrum, epochs=tuple(3 * e for e in EPOCHS))
    assert judge(slower).errors == judge(spectrum).errors


def broken(spectrum: Spectrum, epoch: int, value: float) -> Spectrum:
    omega = spectrum.omega.clone()
    omega[spectrum.epochs.index(epoch), -1] = value
    return replace(spectrum, omega=omega)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda s: replace(s, accuracy=(*s.accuracy[:-1], 0.98)), "accuracy ends at 0.980, below"),
        (lambda s: replace(s, accuracy=(*s.accuracy[:-1], math.nan)), "diverged"),
        (lambda s: broken(s, 70, math.nan), r"singular spectrum at epochs \[70\]"),
        (lambda s: broken(s, 5, 0.0), r"singular spectrum at epochs \[5\]"),
        (lambda s: broken(s, 70, math.inf), r"singular spectrum at epochs \[70\]"),
        (lambda s: replace(s, omega=s.omega[:, :1]), "two classes"),
        (lambda s: replace(s, epochs=(*range(1, 13), 300)), "too few measured epochs"),
    ],
)
def test_guards(change, reason) -> None:
    """Runs that cannot be judged are not, and say why."""
    found = judge(change(made(FREE["plain"])))
    assert re.search(reason, found.reason) and not found.errors


def test_epochs_before_the_anchor_may_be_singular() -> None:
    """Nothing before the anchor is looked at."""
    assert judge(broken(made(FREE["plain"]), 2, math.nan)).winner == "plain"


def test_a_law_that_ended_loses() -> None:
    """Where the clock runs back and a value would pass zero, the error is infinite."""
    spectrum = made(FREE["plain"])
    omega = spectrum.omega.clone()
    omega[-1] *= 0.05
    found = judge(replace(spectrum, omega=omega))
    assert found.errors["additive"] == math.inf and found.winner == "plain"


def test_needed_is_the_sign_test() -> None:
    """The least count that is rarer than the level; one less is not."""
    for count in range(5, 60):
        wins = needed(count, 0.05)
        assert wins is not None and chance(count, wins) <= 0.05 < chance(count, wins - 1)
    assert needed(4, 0.05) is None and chance(3, 0) == 1 and chance(3, 3) == 1 / 8


def won(name: str, law: str, error: float = 0.1) -> Judgement:
    return Judgement(name, errors={n: error if n == law else 1.0 for n in FREE})


def test_seeds_repeat_a_setting() -> None:
    """Runs that differ in the seed alone are one setting, won by the least median error."""
    runs = [won("a-b-mse", "additive"), won("a-b-mse-s1", "additive"), won("a-b-mse-s2", "plain")]
    assert settings_won(runs) == [("a-b-mse", "additive")]
    found = verdict([*runs, Judgement("a-c-mse", reason="singular")])
    assert (found.settings, found.wins, found.runs, found.runs_won) == (1, 1, 3, 2)
    assert found.not_judged == 1 and found.outcome == "too few"


def test_verdicts() -> None:
    """A clear majority stands, anything less is falsified."""
    wins = [won(f"d-n{k}-mse", "additive") for k in range(15)]
    lost = [won(f"d-m{k}-mse", "whitened") for k in range(6)]
    assert verdict([*wins, *lost[:5]]).outcome == "stands"
    assert verdict([*wins[:14], *lost]).outcome == "falsified"
    assert verdict(lost, law="whitened").outcome == "stands"
    with pytest.raises(ValueError, match="law: expected one of"):
        verdict(wins, law="two-speed")


def row(epoch: int, omega: list[float], split: str = "train") -> Row:
    terms = {"consistent": {"nc1": 1.0, "nc23": 2.0, "perp": 1.0}}
    return Row("a-b-mse", epoch, split, 1.0, 0.0, 0.1, terms=terms, omega=omega)


def test_from_rows() -> None:
    """Train rows alone, by epoch; singular epochs are NaN; L_perp is a share of the loss."""
    rows = [row(2, [3.0, 1.0]), row(1, []), row(2, [9.0, 9.0], "test")]
    found = Spectrum.of(rows)
    assert found.epochs == (1, 2) and found.omega[1].tolist() == [3.0, 1.0]
    assert bool(found.omega[0].isnan().all()) and found.perp == (0.25, 0.25)
    for wrong in ([], [row(1, [])], [row(1, [1.0]), replace(row(2, [1.0]), run="other")]):
        with pytest.raises(ValueError, match="rows: expected"):
            Spectrum.of(wrong)


def test_there_and_back() -> None:
    """A spectrum survives its record, to six digits, with what is missing."""
    spectrum = replace(broken(made(Power(0.5)), 3, math.nan), provenance={"seconds": 1.0})
    record = json.loads(json.dumps(spectrum.to_record(), allow_nan=False))
    back = Spectrum.from_record(record)
    torch.testing.assert_close(back.omega, spectrum.omega, rtol=SINGLE, atol=0, equal_nan=True)
    assert back.to_record() == record and back.provenance == {"seconds": 1.0}
    with pytest.raises(ValueError, match="record: expected"):
        Spectrum.from_record({"name": "a"})


def test_following_a_cell_is_observing_it(tmp_path: Path, monkeypatch) -> None:
    """The suite sees what `observe` sees, writes a line, and does not run it again."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    path = tmp_path / "runs.jsonl"
    suite.run(path, cells=[TINY])
    suite.run(path, cells=[TINY])
    (line,) = path.read_text().splitlines()
    found = Spectrum.from_record(json.loads(line))
    rows = [summarize(seen, TINY) for seen in observe(TINY)]
    expected = Spectrum.of(rows)
    assert found.epochs == expected.epochs and found.name == TINY.name
    torch.testing.assert_close(found.omega, expected.omega, rtol=SINGLE, atol=0)
    assert found.provenance["seconds"] > 0 and "commit" in found.provenance
    path.write_text("{\n")
    with pytest.raises(RecordError, match="line 1: not a record"):
        suite.run(path, cells=[TINY])


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_run_that_diverges_is_kept_and_not_judged(epoch: int, monkeypatch) -> None:
    """It ends with a row of NaN, whenever that happens."""
    advance = suite.Training.advance

    def diverge(training: suite.Training, images: suite.ImageSet) -> None:
        if training.epoch == epoch:
            raise suite.DivergedError("loss is nan")
        advance(training, images)

    monkeypatch.setattr(suite.Training, "advance", diverge)
    found = suite.follow(TINY)
    assert found.epochs[-1] == epoch + 1
    assert math.isnan(found.accuracy[-1]) and bool(found.omega[-1].isnan().all())
    assert judge(found).reason == "training diverged"


def test_kernels_of_a_cell(tmp_path: Path, monkeypatch) -> None:
    """Looks come with the epochs around them, survive the record, and are not made twice."""
    path = tmp_path / "kernels.jsonl"
    (look,) = suite.follow_kernel(TINY, epochs=(2,))
    assert look.epoch == 2 and bool((look.predicted > 0).all())
    recipe = recipe_of(TINY)
    steps = 200 // recipe.batch_size
    assert look.clock == pytest.approx(steps * recipe.learning_rate / 0.1 / 5, rel=EXACT)
    (later,) = suite.follow_kernel(TINY, epochs=(3,))
    training, images = suite._begin(TINY, None)
    training.advance(images)
    first = suite._full_set_values(training.model, images.batch(torch.arange(200)), images)
    torch.testing.assert_close(look.moved, (later.kernel.omega - first) / 2, rtol=TIGHT, atol=0)
    assert look.network == "convnet" and look.miss(3 * look.moved) < TIGHT
    assert look.pace(look.moved / 2) == pytest.approx(2, rel=EXACT)
    signs = torch.tensor([1, -1, 1, -1, 0, 0, 1, -1, 0])
    uneven = replace(look, moved=1 + 0.1 * signs)
    assert uneven.miss(torch.ones(9)) == pytest.approx(0.1 * (6 / 9) ** 0.5, rel=SINGLE)
    back = suite.KernelLook.from_record(json.loads(json.dumps(look.to_record())))
    torch.testing.assert_close(back.predicted, look.predicted, rtol=SINGLE, atol=0)
    torch.testing.assert_close(back.moved, look.moved, rtol=SINGLE, atol=0)
    monkeypatch.setattr(suite, "follow_kernel", lambda cell, root: iter([look, look]))
    for _ in range(2):
        suite.run_kernels(path, cells=[TINY])
    assert len(path.read_text().splitlines()) == 2


def test_the_suite_is_what_was_chosen() -> None:
    """82 runs of 34 settings; both decays, three rates; nothing twice."""
    names = [cell.name for cell in suite.SUITE]
    assert len(set(names)) == 82 == len(names)
    assert {cell.decay for cell in suite.SUITE} == {0.0, 5e-4}
    assert {cell.dataset for cell in suite.SUITE} == {"digits", "mnist", "fashionmnist"}
    assert len(settings_won([won(name, "plain") for name in names])) == 34
    slow = recipe_of(suite.SUITE[2]).learning_rate / recipe_of(suite.SUITE[1]).learning_rate
    assert slow == pytest.approx(0.1, rel=0.05)


def test_stored_runs_can_be_judged_again() -> None:
    """Every stored run is of the suite, once; every one is judged or says why not."""
    stored, known = suite.stored(), {cell.name for cell in suite.SUITE}
    names = [spectrum.name for spectrum in stored]
    assert len(names) == len(set(names)) and set(names) <= known
    for spectrum in stored:
        found = judge(spectrum, replace(PROTOCOL, ratios=(0.2,), powers=(1.0,)))
        assert found.reason or found.winner in FREE
        assert found.reason or found.errors["power"] == pytest.approx(found.errors["additive"])
    for look in suite.stored_kernels():
        assert bool((look.kernel.matrix.diagonal() > 0).all()) and look.kernel.mixing < 1
    folder = Path(suite.__file__).parent / "results"
    assert sum(path.stat().st_size for path in folder.glob("prediction*")) < 600_000
