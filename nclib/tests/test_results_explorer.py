"""The results browser: what it shows is what the records and the papers' tables hold."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from itertools import product

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from nclib import GRIDS, METRICS, explorers, published
from nclib.__main__ import app
from nclib.explorers.captions import LOSSES
from nclib.explorers.choices import Choice
from nclib.explorers.entries import SPLITS, entries, rounded, written
from nclib.explorers.frame import numeral
from nclib.explorers.quantities import PAPERS, QUANTITIES
from nclib.explorers.results import payload, picture, start
from nclib.explorers.scales import drawable, epochs_axis, value_axis
from nclib.reported import DATASETS, NC1_READ, REPORTED, ROBUSTNESS_READ
from nclib.statements import terminal_epoch

from .tolerances import EXACT

CELLS = [cell for grid in ("mse-15", "ce-15", "thin", "digits") for cell in GRIDS[grid]]
RUNS = {cell.name: published(cell.name) for cell in CELLS}
STORED = {name: found for name, found in RUNS.items() if found}
FOUND = entries(RUNS)
HEAVIEST = 200_000  # bytes of the numbers
ONE = "mnist-thinresnet-mse-n2000"
stored = pytest.mark.parametrize("name", sorted(STORED))


def chosen(name, **changes):
    """A setting that shows one cell, and nothing beside it."""
    entry = next(entry for entry in FOUND if entry.name == name)
    where = {"dataset": entry.place, "network": entry.family, "mse": False, "ce": False}
    return start(FOUND) | where | {entry.loss: True} | changes


def as_run(name, of=ONE, factor=1.0):
    """A stored run under another name, all its NC1 values multiplied."""
    run, rows = STORED[of]
    key = "relative_variability"
    changed = [
        replace(row, run=name, metrics=row.metrics | {key: factor * row.metrics[key]})
        for row in rows
    ]
    return replace(run, id=name), changed


# Numbers ------------------------------------------------------------------------------------------


@stored
@pytest.mark.parametrize("quantity", sorted(QUANTITIES))
def test_table_has_the_numbers_of_the_record(name, quantity):
    """At each fourth look, at zero error and at the end: the digits shown are those of the row."""
    rows, loss = STORED[name][1], STORED[name][0].cell["loss"]
    zero, last = terminal_epoch(rows) or 0, rows[-1].epoch
    for split in SPLITS:
        exact = {row.epoch: QUANTITIES[quantity].of(row) for row in rows if row.split == split}
        for look, (epoch, value) in list(enumerate(exact.items()))[::4]:
            words = picture(FOUND, chosen(name, quantity=quantity, split=split, look=look)).words
            assert words["look"] == f"epoch {epoch}"
            shown = [words[f"{loss}_{part}"] for part in ("now", "zero", "end")]
            assert shown == [written(quantity, x) for x in (value, exact[zero], exact[last])]
            if look % 8 == 0:
                spoken = "not measured" if math.isnan(value) else shown[0]
                assert spoken in words["sentence"]


@given(st.sampled_from(sorted(QUANTITIES)), st.floats(1e-9, 1e6))
def test_rounding_twice_is_rounding_once(quantity, value):
    """What is stored with the digits that are shown is shown as the number itself would be."""
    if QUANTITIES[quantity].shape == "percent":
        value %= 1
        shown = float(written(quantity, rounded(quantity, value)).removesuffix("\u00a0%"))
        assert shown == pytest.approx(100 * value, abs=0.005 + EXACT)
    else:
        assert written(quantity, rounded(quantity, value)) == written(quantity, value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -0.5])
def test_odd_numbers_are_kept(value):
    """What is not a positive number is stored, and written, as what it is."""
    for quantity in ("loss", "alignment"):
        assert str(rounded(quantity, value)) == str(value)
    assert written("loss", value) == ("–" if math.isnan(value) else numeral(value))


@pytest.mark.parametrize(("key", "entry"), REPORTED.items())
def test_printed_accuracy_is_that_of_the_table(key, entry):
    """For each cell of Table 1 of both papers, beside ours or where ours has not been run."""
    dataset, family, loss = key
    cells = [one for one in FOUND if (one.place, one.family, one.loss) == key]
    if dataset in ("cifar100", "imagenet"):
        assert cells == []
        return
    name, network = cells[0].name, cells[0].network
    assert network == entry.network
    words = picture(FOUND, chosen(name, quantity="accuracy", split="test")).words
    expected = [f"{x:.2f}\u00a0%" for x in (entry.at_zero_error, entry.at_end)]
    assert [words[f"{loss}_paper_zero"], words[f"{loss}_paper_end"]] == expected
    assert "Table 1" in words[f"{loss}_note"] and PAPERS[loss][:6] in words[f"{loss}_note"]
    words = picture(FOUND, chosen(name, quantity="accuracy", split="train")).words
    assert words[f"{loss}_paper"] == ""  # they are not about training images


@pytest.mark.parametrize(
    ("quantity", "split", "readings"),
    [("relative_variability", "train", NC1_READ), ("robustness", "test", ROBUSTNESS_READ)],
)
def test_readings_are_shown_for_cross_entropy_alone(quantity, split, readings):
    """A value read off a figure stands at the end, with a word that it was read; not for MSE."""
    full = {(one.place, one.family): one.name for one in FOUND if one.loss == "ce" and one.full}
    assert len(full) == 15
    for key, name in full.items():
        drawn = picture(FOUND, chosen(name, quantity=quantity, split=split, mse=True))
        assert drawn.words["ce_paper_end"] == numeral(readings[key])
        assert drawn.words["ce_paper_zero"] == "–" and "read" in drawn.words["ce_note"]
        assert ("factor of 1.4" in drawn.words["ce_note"]) == (readings is NC1_READ)
        assert drawn.words["mse_paper"] == drawn.lines["mse_read"] == ""
        assert drawn.lines["ce_read"].startswith("M")
        assert (drawn.lines["mse_row"], drawn.lines["ce_row"]) == ("nc-absent", "")


# What has not been run ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({one.name for one in FOUND} - set(STORED)))
def test_what_was_not_run_says_so(name):
    """In the picture, in the table and in a sentence, whatever is asked; with a command."""
    loss = name.split("-")[2]
    for quantity, split in product(QUANTITIES, SPLITS):
        drawn = picture(FOUND, chosen(name, quantity=quantity, split=split))
        assert drawn.words["empty"] == drawn.words[f"{loss}_now"] == "not run"
        assert "not run" in drawn.words["sentence"] and drawn.lines[loss] == ""
        assert drawn.words["look"] == "" and "epoch" not in drawn.words["key"]
        assert drawn.words[f"{loss}_paper"] in ("", f"{LOSSES[loss]}, the paper's")
        assert "has not been run" in drawn.words[f"{loss}_note"]
        assert bool(drawn.lines["grid"]) == bool(drawn.lines[f"{loss}_read"])  # no empty axes
    assert reads(drawn.words[f"{loss}_command"])["cell"] == name


def reads(command):
    """The arguments of a command line, as the program itself reads them."""
    program, verb, *words = command.split()
    assert (program, verb) == ("nclib", "run")
    known = typer.main.get_command(app).commands["run"]  # pyright: ignore
    return known.make_context("run", words).params


def test_commands_fit_their_cells():
    """Files are fetched where there are any; full-size networks go to a GPU; others do not."""
    for entry in FOUND:
        asked = reads(entry.command)
        assert asked["download"] == (asked["root"] is not None) == ("digits" not in entry.name)
        assert asked["device"] == ("cuda" if entry.full else "cpu")
        assert asked["robustness"] == "ends"


def test_a_run_that_is_stored_later_appears():
    """Nothing but the record is needed: curve, numbers and provenance, the printed value beside."""
    name = "mnist-resnet18-mse"
    found = entries(RUNS | {name: as_run(name)})
    setting = chosen(name, quantity="accuracy", split="test", mse=True)
    drawn = picture(found, setting)
    assert drawn.lines["mse"] and drawn.lines["mse_read"] and drawn.words["empty"] == ""
    assert drawn.words["mse_paper_end"] == "99.70\u00a0%" and drawn.words["mse_command"] == ""
    assert "cpu, 1 thread" in drawn.words["mse_note"] and "2026-11-21" in drawn.words["mse_note"]
    assert picture(FOUND, setting).lines["mse"] == ""


def test_seeds_are_drawn_with_their_mean():
    """Three seeds, one not run: thin lines of two, a thick one between, means in the table."""
    name = "mnist-resnet18-mse"
    runs = {name: as_run(name), f"{name}-s1": as_run(f"{name}-s1", factor=3.0), f"{name}-s2": None}
    found = entries(runs)
    drawn = picture(found, start(found) | {"look": 3})
    assert drawn.lines["mse_seeds"].count("M") == 2 and drawn.lines["mse"].count("M") == 1
    alone = Choice.of(found, start(found))
    first, third = (one.column("train", "relative_variability")[3] for one in found[:2])
    assert drawn.words["mse_now"] == numeral((first + third) / 2)
    assert [y for _, y in alone.average("mse")][3] == (first + third) / 2
    assert "means of 2 seeds" in drawn.words["mse_note"]


# The picture --------------------------------------------------------------------------------------


@stored
@pytest.mark.parametrize("quantity", ["relative_variability", "alignment", "error", "nc1_notebook"])
def test_curve_passes_through_the_numbers(name, quantity):
    """Read back from the path, the points are epochs and numbers of the record."""
    rows, loss = STORED[name][1], STORED[name][0].cell["loss"]
    exact = [(r.epoch, QUANTITIES[quantity].of(r)) for r in rows if r.split == "train"]
    drawn = picture(FOUND, chosen(name, quantity=quantity))
    if all(math.isnan(value) for _, value in exact):
        assert (loss, drawn.words["empty"]) == ("ce", "not measured")
        return
    percent, log = (QUANTITIES[quantity].shape == shape for shape in ("percent", "log"))
    limit = QUANTITIES[quantity].limit
    values = [(100 if percent else 1) * x for _, x in exact]
    marks = values + [limit] * (limit is not None)
    axis = value_axis([rounded_to_shown(quantity, x) for x in marks], "", log=log)
    across = epochs_axis(rows[-1].epoch)
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", drawn.lines[loss])
    assert len(pairs) == len(exact) and axis
    for (x, y), (epoch, _), value in zip(pairs, exact, values, strict=True):
        assert float(x) == pytest.approx(298 * across.fraction(epoch), abs=0.06)
        assert float(y) == pytest.approx(186 * (1 - axis.fraction(value)), abs=0.6)


def rounded_to_shown(quantity, value):
    scale = 100 if QUANTITIES[quantity].shape == "percent" else 1
    return scale * rounded(quantity, value / scale)


def test_numbers_without_a_place_make_a_gap():
    """Zero and infinity have none on a logarithmic axis; a lone point becomes a ring."""
    assert [drawable(x, log=True) for x in (0.0, -1.0, math.inf, math.nan, 1e-9)] == [False] * 4 + [
        True
    ]
    run, rows = as_run("mnist-resnet18-mse")
    odd = {2: 0.0, 5: math.inf, 7: math.inf}
    rows = [
        replace(r, metrics=r.metrics | {"relative_variability": odd[r.epoch]})
        if r.epoch in odd
        else r
        for r in rows
    ]
    found = entries({run.id: (run, rows)})
    drawn = picture(found, start(found) | {"look": 4})
    # 1 alone, 3 to 4, 6 alone, 8 to the end
    assert drawn.lines["mse"].count("M") == 4 and drawn.lines["mse"].count("a5 5") == 4
    assert drawn.words["mse_now"] == "∞"


# The page -----------------------------------------------------------------------------------------


def test_everything_measured_can_be_chosen():
    """All of METRICS and the rest of a row; each has a label of its own, a formula and words."""
    assert set(METRICS) < set(QUANTITIES) and list(QUANTITIES)[: len(METRICS)] == list(METRICS)
    labels = [(one.group, one.label) for one in QUANTITIES.values()]
    assert len(set(labels)) == len(labels)
    row = STORED[ONE][1][-1]  # test images, at the end: robustness too
    for name, one in QUANTITIES.items():
        assert math.isfinite(one.of(row)), name
        assert one.formula and len(one.formula) <= 50 and one.says.endswith(".")
        if name in METRICS:
            assert one.says.startswith(METRICS[name].property)
            assert one.limit == (METRICS[name].at_collapse or None)
    groups = [group for group, _ in labels]
    assert [g for k, g in enumerate(groups) if g != (groups[k - 1] if k else "")] == list(
        dict.fromkeys(groups)
    )  # a heading comes once
    terms = sum(QUANTITIES[f"{part}_share_consistent"].of(row) for part in ("nc1", "nc23", "perp"))
    assert terms == pytest.approx(1, rel=EXACT)


@stored
def test_quantities_are_taken_from_where_they_stand(name):
    """Each is the field of the row that it names, or follows from one."""
    parts, ridges = ("nc1", "nc23", "perp"), ("consistent", "notebook")
    for row in STORED[name][1]:
        expected = dict(row.metrics) | {
            "mismatch": row.mismatch, "loss": row.loss, "accuracy": row.accuracy,
            "error": 1 - row.accuracy, "robustness": row.robustness,
            "omega_largest": max(row.omega), "omega_smallest": min(row.omega),
            "omega_ratio": max(row.omega) / min(row.omega),
        }  # fmt: skip
        for ridge, part in product(ridges, parts):
            terms = row.terms.get(ridge, dict.fromkeys(parts, math.nan))
            expected[f"{part}_{ridge}"] = terms[part]
            expected[f"{part}_share_{ridge}"] = terms[part] / sum(terms.values())
        found = {key: one.of(row) for key, one in QUANTITIES.items()}
        assert found == pytest.approx(expected, rel=EXACT, nan_ok=True)


def test_page_brings_nothing_from_elsewhere():
    """No address, no handler, no id; numbers are small; every path and word has its place."""
    made = explorers.browser(RUNS)
    assert not re.findall(
        r"https?:|//[a-z]|\burl\(|@import|\bsrc=|\bhref=|\son\w+=|\sid=", made.html
    )
    assert not re.findall(r"\beval\b|new Function|innerHTML|document\.write", made.html)
    assert len(json.dumps(payload(FOUND)).encode()) <= HEAVIEST
    drawn = picture(FOUND, start(FOUND))
    for kind, things in (("line", drawn.lines), ("word", drawn.words)):
        assert set(re.findall(rf'data-{kind}="(\w+)"', made.html)) == set(things)
    assert made.html.count(" selected>") == 4 and made == explorers.browser(RUNS)


def test_a_place_with_nothing_to_show_is_left_out():
    """Digits, where nothing was run, are no choice; the papers' are; alone, digits are shown."""
    places = {one.place for one in FOUND}
    assert "digits" not in places and places > set(DATASETS)
    run, rows = as_run("digits-thinvgg-mse")
    assert "digits" in {one.place for one in entries(RUNS | {run.id: (run, rows)})}
    assert [one.place for one in entries({run.id: None})] == ["digits"]


def test_the_key_names_what_is_drawn():
    """Each mark where there is one, and not one where there is none."""
    whole = picture(FOUND, start(FOUND)).words["key"]
    assert whole == "Upright, dotted: zero training error; thin: the epoch of the table."
    asked = {"dataset": "svhn", "quantity": "accuracy", "split": "test"}
    assert picture(FOUND, start(FOUND) | asked).words["key"].startswith("Diamond")
    assert picture(FOUND, start(FOUND) | asked | {"split": "train"}).words["key"] == ""


def test_formulas_are_plain_text():
    """Nothing of TeX is left in what is read: no underscore, no backslash."""
    read = [text for one in QUANTITIES.values() for text in (one.label, one.formula, one.says)]
    assert not [text for text in read if re.search(r"[_\\\\^]", text)]


def test_text_of_a_record_stays_text():
    """A device, say, cannot end the script or add an element."""
    run, rows = STORED[ONE]
    made = explorers.browser({ONE: (replace(run, device="</script><b>&\"'"), rows)})
    assert "</script><b>" not in made.html and "<b>&" not in made.html
    told = json.loads(re.findall(r"data-frames>(.*?)</script>", made.html)[0])["entries"][0]["told"]
    assert "</script><b>&\"'" in told


def test_a_tampered_record_is_seen():
    """One digit changed in one row changes picture and table; another cell's run is refused."""
    run, rows = STORED[ONE]
    wrong = [replace(rows[0], metrics=rows[0].metrics | {"relative_variability": 9.9}), *rows[1:]]
    setting = chosen(ONE, look=0)
    before, after = (picture(entries({ONE: (run, one)}), setting) for one in (rows, wrong))
    assert before.lines["mse"] != after.lines["mse"] and after.words["mse_now"] == "9.9"
    with pytest.raises(ValueError, match="expected a run of mnist-resnet18-mse"):
        entries({"mnist-resnet18-mse": STORED[ONE]})
    with pytest.raises(ValueError, match="expected a run of"):
        entries({ONE: (run, [replace(rows[0], run="another"), *rows[1:]])})


@pytest.mark.parametrize("name", ["mnist", "mnist-resnet18", "a-b-mse", "mnist-resnet18-hinge", ""])
def test_names_that_are_none_are_refused(name):
    """A key must be the name of a cell."""
    with pytest.raises(ValueError, match="runs: expected"):
        explorers.browser({name: None})


def test_nothing_to_browse_is_an_error():
    """Without cells there is nothing to choose."""
    with pytest.raises(ValueError, match="at least one cell"):
        explorers.browser({})


@pytest.mark.parametrize(
    ("changes", "empty"),
    [
        ({"mse": False, "ce": False}, "no loss is chosen"),
        ({"network": "ours"}, "no such cell"),
        ({"quantity": "robustness"}, "not measured"),
        ({"dataset": "svhn", "quantity": "alignment"}, "not run"),
        ({}, ""),
    ],
)
def test_an_empty_picture_says_why(changes, empty):
    """Never empty axes without a word."""
    drawn = picture(FOUND, start(FOUND) | changes)
    assert drawn.words["empty"] == empty
    assert bool(drawn.lines["grid"]) == (not empty)
    assert all(text for text in (drawn.words["sentence"], drawn.words["title"]))
