"""Every number of the authors' notebook follows from ours by an exact law, or is explained."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch

from nclib import ClassStats, Head, least_squares, regularized_mse
from nclib.cells import Cell, ridges_of
from nclib.data import load
from nclib.metrics import METRICS, relative_variability
from nclib.models import build, split
from nclib.simplex import norm_spread
from nclib.training import Recipe, fit

from .notebook_formulas import WEIGHT_DECAY, Notebook, notebook
from .notebook_relations import (
    ALWAYS,
    BALANCED,
    NEVER,
    RELATIONS,
    Ours,
    Relation,
    distance,
    peer_table,
)
from .samples import Sample, collapsed_sample, random_sample
from .tolerances import EXACT, SINGLE, TIGHT

UNEQUAL = [90, 20, 50, 70, 30]
# W_LS mu_c + b_LS - e_c is 1e-4 of its parts near collapse, and theirs inverts around the origin.
TOLERANCES = {"$L_{NC2/3}$": 100 * TIGHT}


@cache
def trained_digits() -> tuple[torch.Tensor, torch.Tensor, Head]:
    """Features, labels and head of a small network after two epochs on real digits."""
    images = load("digits", split="train").balanced(30, seed=0)
    model = build("convnet", num_classes=10, channels=1, size=8, seed=0)
    for _ in fit(model, images, Recipe("mse", 2, 50, 0.05, WEIGHT_DECAY), seed=0):
        pass
    trunk, head = split(model.eval())
    with torch.no_grad():
        features, _ = trunk(images.batch(torch.arange(len(images))))
    return features, images.labels, head


def digits(equal: bool) -> Sample:
    features, labels, head = trained_digits()
    if not equal:  # of class c the first 30 - 2c
        rank = torch.zeros_like(labels)
        for c in range(10):
            rank[labels == c] = torch.arange(30)
        kept = rank < 30 - 2 * labels
        features, labels = features[kept], labels[kept]
    return Sample(features, labels, head, 10)


SAMPLES: dict[str, Callable[[], Sample]] = {
    "equal": lambda: random_sample(1, 5, 8, 40),
    "unequal": lambda: random_sample(2, 5, 8, UNEQUAL),
    "equal, nearly collapsed": lambda: random_sample(3, 5, 8, 40, spread=1e-4),
    "unequal, nearly collapsed": lambda: random_sample(4, 5, 8, UNEQUAL, spread=1e-4),
    "unequal, off the origin": lambda: random_sample(5, 5, 8, UNEQUAL, offset=2.0),
    "equal, digits": lambda: digits(equal=True),
    "unequal, digits": lambda: digits(equal=False),
}


@cache
def both(name: str) -> tuple[Notebook, Ours]:
    s = SAMPLES[name]()
    theirs = notebook(s.features, s.labels, s.head, dtype=torch.float64)
    return theirs, Ours(s.features, s.labels, s.head, s.stats)


def tolerance(relation: Relation) -> float:
    return TOLERANCES.get(relation.quantity, TIGHT)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.quantity)
@pytest.mark.parametrize("name", SAMPLES)
def test_theirs_follows_from_ours(name, relation):
    """Each quantity of the notebook is what its law makes of ours, for any class proportions."""
    theirs, ours = both(name)
    assert distance(relation.theirs(theirs), relation.predicted(ours)) < tolerance(relation)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda r: r.quantity)
@pytest.mark.parametrize("name", SAMPLES)
def test_equal_exactly_where_the_table_says(name, relation):
    """Theirs is ours always, for equal classes only, or never; and differs where it may."""
    theirs, ours = both(name)
    equal = distance(relation.theirs(theirs), relation.ours(ours)) < tolerance(relation)
    expected = {ALWAYS: True, BALANCED: name.startswith("equal"), NEVER: False}
    assert equal == expected[relation.equal]


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("equal")])
def test_nc1_differs_by_the_number_of_classes(name):
    """For equal classes the notebook's NC1 is C times that of the 2020 paper's figure."""
    theirs, ours = both(name)
    assert theirs.nc1 / relative_variability(ours.stats) == pytest.approx(
        ours.num_classes, rel=TIGHT
    )


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith("unequal")])
def test_nc1_of_unequal_classes_is_bounded_by_the_proportions(name):
    """Ours over theirs is a mean of 1/(C pi_c), so between its smallest and largest."""
    theirs, ours = both(name)
    assert bool((ours.dual_spread() > 0).all())
    ratio = METRICS["relative_variability_sum"](ours.stats, ours.head) / theirs.nc1
    weights = 1 / (ours.num_classes * ours.stats.priors)
    assert float(weights.min()) < ratio < float(weights.max())


def test_the_spread_of_norms_has_divisor_one_less():
    """Both divide by C-1; with divisor C the number would be sqrt((C-1)/C) times as large."""
    theirs, ours = both("equal")
    norms = ours.stats.centered_means.norm(dim=1)
    with_all = float(norms.std(correction=0) / norms.mean())
    assert with_all / theirs.equinorm(theirs.centered_means) == pytest.approx(
        (4 / 5) ** 0.5, rel=EXACT
    )
    assert norm_spread(ours.stats.centered_means) == pytest.approx(
        (5 / 4) ** 0.5 * with_all, rel=EXACT
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_their_terms_miss_the_loss_by_the_derived_amount(name):
    """Total less terms is 1/2 sum_c (pi_c - 1/C)|W mu_c + b - e_c|^2; ours leave nothing."""
    theirs, ours = both(name)
    total = regularized_mse(ours.stats, ours.head, ours.ridge)
    assert theirs.plotted == pytest.approx(total, rel=TIGHT)
    assert theirs.plotted - theirs.terms.total == pytest.approx(ours.missed(), abs=TIGHT * total)
    assert ours.terms.total == pytest.approx(total, rel=EXACT)
    if name.startswith("unequal"):
        assert abs(ours.missed()) > 1e-4 * total
    else:
        assert abs(ours.missed()) < EXACT * total


def test_their_ridge_is_our_notebook_reading():
    """wd/2 is what runs record as "notebook"; "consistent" is C times as large."""
    ridges = ridges_of(Cell("mnist", "resnet18", "mse"))
    theirs, _ = both("equal")
    assert ridges["notebook"]["value"] == pytest.approx(theirs.ridge, rel=EXACT)
    assert ridges["consistent"]["value"] == pytest.approx(10 * theirs.ridge, rel=EXACT)


@pytest.mark.parametrize("name", ["equal", "equal, digits"])
def test_an_optimal_head_has_a_third_term_in_the_notebook(name):
    """The head that minimizes what is trained has L_perp = 0 under C wd/2, not under wd/2."""
    _, ours = both(name)
    best = least_squares(ours.stats, ours.consistent)
    theirs = notebook(ours.features, ours.labels, best, dtype=torch.float64)
    assert theirs.terms.perp > 1e-6 * theirs.plotted
    right = notebook(
        ours.features, ours.labels, best, dtype=torch.float64,
        weight_decay=ours.num_classes * WEIGHT_DECAY,
    )  # fmt: skip
    assert right.terms.perp < EXACT * right.plotted


def test_nc4_on_test_samples_is_another_number():
    """The notebook asks training samples, the 2020 paper and we test samples by train means."""
    train, test = random_sample(6, 5, 8, 40), random_sample(7, 5, 8, 40)
    theirs = notebook(train.features, train.labels, train.head, dtype=torch.float64)
    moved = Ours(test.features, test.labels, train.head, train.stats)
    nc4 = next(r for r in RELATIONS if r.quantity == "NC4")
    assert nc4.ours(moved) != theirs.mismatch


def test_limits_at_exact_collapse():
    """On a simplex both read collapse: every measure of the notebook is zero to rounding."""
    s = collapsed_sample(5, 8, 6, "simplex")
    theirs = notebook(s.features, s.labels, s.head, dtype=torch.float64)
    V = theirs.centered_means
    found = theirs.nc1, theirs.equinorm(V), theirs.equiangular(V), theirs.nc3, theirs.mismatch
    assert max(found) < TIGHT


def at_points(seed: int, per_class: int) -> tuple[torch.Tensor, torch.Tensor, Head]:
    """Every sample at its class's point, of size one, in float32: no spread at all."""
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(10, 32, generator=g)
    labels = torch.arange(10).repeat(per_class)
    head = Head(torch.randn(10, 32, generator=g), torch.zeros(10))
    return points[labels], labels, head


def test_single_precision_sees_spread_where_there_is_none():
    """In float32 the spread is that of the means' rounding, sum_c pi_c |e_c|^2; ours is zero."""
    features, labels, head = at_points(0, 100)
    theirs = notebook(features, labels, head, dtype=torch.float32)
    stats = ClassStats.of(features, labels, 10)
    assert relative_variability(stats) == 0
    error = (theirs.means - stats.means.float()).double()
    floor = float(error.square().sum(1).mean())
    assert floor > 0
    assert float(theirs.within.double().trace()) == pytest.approx(floor, rel=SINGLE)
    assert theirs.nc1 > 1e-14


def test_single_precision_stops_following_the_collapse():
    """Below the floor ours still falls with the square of the spread, float32 formulas do not."""
    ratios = []
    for spread in (1e-3, 1e-8):
        s = random_sample(8, 10, 16, 100, spread=spread, offset=1.0)
        single = notebook(s.features, s.labels, s.head, dtype=torch.float32)
        ours = METRICS["relative_variability_sum"](s.stats, s.head)
        double = notebook(s.features, s.labels, s.head, dtype=torch.float64)
        assert double.nc1 == pytest.approx(ours, rel=TIGHT)
        ratios.append(single.nc1 / ours)
    assert ratios[0] == pytest.approx(1, rel=100 * SINGLE) and ratios[1] > 10


def test_single_precision_loses_a_small_direction_of_the_means():
    """Squared into Sigma_B, means 1e-5 apart in one direction are below float32; not in ours."""
    g = torch.Generator().manual_seed(9)
    means = torch.randn(4, 6, generator=g, dtype=torch.float64)
    means -= means.mean(0)
    U, s, Vh = torch.linalg.svd(means, full_matrices=False)
    s[2] = 1e-5
    labels = torch.arange(4).repeat(50)
    noise = 0.01 * torch.randn(200, 6, generator=g, dtype=torch.float64)
    features = ((U * s) @ Vh)[labels] + noise - torch.zeros(200, 6)
    for c in range(4):  # the means of the sample itself, not only of its source
        features[labels == c] += ((U * s) @ Vh)[c] - features[labels == c].mean(0)
    head = Head(torch.randn(4, 6, generator=g), torch.zeros(4))
    ours = 4 * relative_variability(ClassStats.of(features, labels, 4))
    assert distance(notebook(features, labels, head, dtype=torch.float64).nc1, ours) < SINGLE
    assert distance(notebook(features, labels, head, dtype=torch.float32).nc1, ours) > 0.1


def differences(relation: Relation) -> tuple[float, float, float]:
    """Theirs to ours for equal and for unequal classes, theirs to its law: the largest of each."""
    found: dict[str, list[float]] = {"equal": [], "unequal": [], "law": []}
    for name in SAMPLES:
        theirs, ours = both(name)
        value = relation.theirs(theirs)
        found[name.split(",")[0]].append(distance(value, relation.ours(ours)))
        found["law"].append(distance(value, relation.predicted(ours)))
    return max(found["equal"]), max(found["unequal"]), max(found["law"])


def test_the_table_shows_every_quantity():
    """The markdown table has a row for each relation, each with as many cells as the header."""
    lines = peer_table({r.quantity: differences(r) for r in RELATIONS}).splitlines()
    assert len(lines) == len(RELATIONS) + 2
    assert {line.count("|") for line in lines} == {9}
