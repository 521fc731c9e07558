"""What small trainings on digits show of Zhou et al.'s figures; sizes are not the paper's."""

from __future__ import annotations

import math
from functools import cache

from ..data import load
from ..miniatures import OPTIMIZERS, Miniature, Snapshot, pairs, train
from .check import Check

__all__ = [
    "every_optimizer_collapses",
    "fixed_simplex_is_as_good",
    "large_enough_dimension",
    "many_classes_need_rescaling",
    "small_dimension_floor",
    "small_dimension_merges_classes",
]


def every_optimizer_collapses() -> Check:
    """NC1 after training, the largest over SGD, Adam and L-BFGS, where it starts near 2."""
    steps = {"sgd": 250, "adam": 100, "lbfgs": 60}
    ends = (_trained(Miniature(o, steps[o], 1e-3)) for o in OPTIMIZERS)
    worst = max(end.metrics["relative_variability"] for end in ends)
    return Check("within-class spread on digits, worst of three optimizers", worst, 0.15)


def small_dimension_floor() -> Check:
    """Eight features for ten classes: the logits' Gram matrix stops at the predicted distance."""
    end = _trained(EIGHT)
    floor = math.sqrt(2 - 2 * math.sqrt(8 / 9))
    gap = abs(end.metrics["product_distance"] - floor)
    return Check("distance to a simplex with d = 8, against its floor", gap, 5e-3)


def small_dimension_merges_classes() -> Check:
    """Eight features for ten classes: training accuracy 9/10, two classes being merged."""
    return Check(
        "training accuracy with d = 8, against 9/10", abs(_trained(EIGHT).accuracy - 0.9), 5e-3
    )


def large_enough_dimension() -> Check:
    """Nine features for ten classes: training error."""
    end = _trained(Miniature("adam", 200, 2e-3, dimension=9))
    return Check("training error with d = 9", 1 - end.accuracy, 5e-3)


def fixed_simplex_is_as_good() -> Check:
    """Training error with the classifier fixed to a simplex."""
    end = _trained(Miniature("adam", 200, 1e-3, dimension=10, simplex_head=True))
    return Check("training error with a fixed simplex classifier", 1 - end.accuracy, 5e-3)


@cache
def many_classes_need_rescaling() -> Check:
    """A hundred classes: error of (5, 1) and of (1, 5) minus that of the plain loss."""
    images = pairs(load("digits", split="train"), 8, seed=0)
    recipes = ((1.0, 1.0), (5.0, 1.0), (1.0, 5.0))
    errors = []
    for alpha, M in recipes:
        small = Miniature("adam", 40, 1e-4, alpha=alpha, M=M, learning_rate=5e-3)
        errors.append(1 - list(train(small, images, measured=(40,), progress=False))[-1].accuracy)
    return Check(
        "errors of rescaled minus plain loss, 100 classes", max(errors[1:]) - errors[0], -0.2
    )


EIGHT = Miniature("adam", 350, 2e-3, dimension=8)


@cache
def _trained(miniature: Miniature) -> Snapshot:
    images = load("digits", split="train")
    return list(train(miniature, images, measured=(miniature.steps,), progress=False))[-1]
