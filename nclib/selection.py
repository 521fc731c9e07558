"""Which of a sweep's learning rates is the best: as the papers chose it, and without test data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .records import Row, Run

__all__ = ["Candidate", "Choice", "Selection", "choose", "sweeps_within"]

Runs = Iterable[tuple[Run, Sequence[Row]]]


@dataclass(frozen=True)
class Candidate:
    """A finished run of a sweep at its last epoch.

    ``held_accuracy`` and ``held_loss`` are NaN for a cell that holds nothing out.
    Chapter: protocol.
    """

    run: str
    rate: int | None  # index of the papers' grid, None for the recipe's own rate
    learning_rate: float
    epochs: int
    nc1: float  # relative variability on the training images
    test_accuracy: float
    test_loss: float
    held_accuracy: float
    held_loss: float

    @classmethod
    def of(cls, run: Run, rows: Sequence[Row]) -> Candidate:
        """A finished run's rows of the last epoch."""
        epochs = int(run.recipe["epochs"])
        last = {row.split: row for row in rows if row.epoch == epochs}
        if run.status != "finished" or not {"train", "test"} <= set(last):
            raise ValueError(f"run: expected a finished one, got {run.id}, which is {run.status}")
        test, held = last["test"], last.get("held")
        return cls(
            run=run.id, rate=run.cell.get("rate"), epochs=epochs,
            learning_rate=float(run.recipe["learning_rate"]),
            nc1=last["train"].metrics.get("relative_variability", math.nan),
            test_accuracy=test.accuracy, test_loss=test.loss,
            held_accuracy=held.accuracy if held else math.nan,
            held_loss=held.loss if held else math.nan,
        )  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """The learning rate that does best on one split, and those that did as well there.

    Several rates often classify equally many images right. The papers do not say what they did
    then; here the smaller loss on the same split decides, then the smaller rate.
    """

    split: str  # "test" or "held"
    best: Candidate
    tied: tuple[Candidate, ...]  # the others with the same accuracy
    edge: str  # "smallest" or "largest" where the best rate is an end of three or more, else ""

    @classmethod
    def on(cls, split: str, candidates: Sequence[Candidate]) -> Choice:
        """The best of some finished runs on a split."""

        def order(candidate: Candidate) -> tuple[float, float, float]:
            loss = getattr(candidate, f"{split}_loss")
            return (
                -getattr(candidate, f"{split}_accuracy"),
                loss if math.isfinite(loss) else math.inf,
                candidate.learning_rate,
            )

        best, *others = sorted(candidates, key=order)
        tied = tuple(c for c in others if order(c)[0] == order(best)[0])
        rates = [c.learning_rate for c in candidates]
        ends = {min(rates): "smallest", max(rates): "largest"} if len(rates) > 2 else {}
        return cls(split, best, tied, ends.get(best.learning_rate, ""))


@dataclass(frozen=True)
class Selection:
    """Both choices of a sweep: by test accuracy, as the papers, and by a held-out split.

    ``paper`` is tuned on the test set, so its test accuracy is optimistic. ``held`` is None where
    nothing was held out. ``left_out`` says of each run that took no part why.

    Source: Papyan, Han & Donoho 2020, the sweep.   Chapter: protocol.
    """

    paper: Choice
    held: Choice | None
    candidates: tuple[Candidate, ...]  # by learning rate
    left_out: dict[str, str]

    @property
    def optimism(self) -> float:
        """Test accuracy that choosing on the test set gained over the held-out choice; >= 0."""
        if self.held is None:
            return math.nan
        return self.paper.best.test_accuracy - self.held.best.test_accuracy

    @property
    def words(self) -> list[str]:
        """The selection in sentences."""
        said = [_words(self.paper, "as the papers choose it; tuned on the test set")]
        if self.held is None:
            said.append("no held-out split: nothing says how optimistic that is (a cell with -h)")
        else:
            said.append(_words(self.held, "chosen without test images"))
            said.append(f"tuning on the test set gained {100 * self.optimism:.2f} points there")
        if self.left_out:
            said.append(f"left out: {'; '.join(f'{k}: {v}' for k, v in self.left_out.items())}")
        return said


def choose(runs: Runs) -> Selection:
    """The best learning rate of a sweep at its last epoch, by the test and by the held-out split.

    The runs differ in the learning rate alone; any other difference is a ValueError. Runs that
    did not end, or diverged, are left out by name. At least one must be finished.

    Source: Papyan, Han & Donoho 2020, the sweep: "best test error at the last epoch".
    Chapter: protocol.
    """
    finished: list[Candidate] = []
    left_out: dict[str, str] = {}
    bases: dict[str, str] = {}
    for run, rows in runs:
        bases.setdefault(_base(run), run.id)
        if run.status == "finished":
            finished.append(Candidate.of(run, rows))
        else:
            last = max((row.epoch for row in rows), default=0)
            left_out[run.id] = run.reason or f"{run.status} at epoch {last}"
    if len(bases) > 1:
        names = sorted(bases.values())
        raise ValueError(f"runs: expected those of one sweep, got {len(names)}, as of {names}")
    if not finished:
        raise ValueError(f"runs: expected at least one that is finished, got {left_out or 'none'}")
    finished.sort(key=lambda candidate: candidate.learning_rate)
    held = [candidate for candidate in finished if not math.isnan(candidate.held_accuracy)]
    return Selection(
        paper=Choice.on("test", finished),
        held=Choice.on("held", held) if held else None,
        candidates=tuple(finished),
        left_out=left_out,
    )


def sweeps_within(runs: Runs) -> list[list[tuple[Run, Sequence[Row]]]]:
    """The learning-rate sweeps among some runs: those that differ in the rate alone, two or more.

    Chapter: protocol.
    """
    found: dict[str, list[tuple[Run, Sequence[Row]]]] = {}
    for run, rows in runs:
        found.setdefault(_base(run), []).append((run, rows))
    return [members for members in found.values() if len(members) > 1]


def _base(run: Run) -> str:
    """All that a run was, but for its learning rate."""
    recipe = {k: v for k, v in run.recipe.items() if k != "learning_rate"}
    cell = {k: v for k, v in run.cell.items() if k != "rate" and v is not None}
    return repr((sorted(cell.items()), sorted(recipe.items())))


def _words(choice: Choice, how: str) -> str:
    best = choice.best
    accuracy = getattr(best, f"{choice.split}_accuracy")
    said = f"best on {choice.split}: {_rate(best)}, {100 * accuracy:.2f}% right"
    if choice.split != "test":
        said += f" there and {100 * best.test_accuracy:.2f}% on test"
    if choice.tied:
        ties = ", ".join(_rate(candidate) for candidate in choice.tied)
        said += f", as {ties}; the smaller loss decides, then the smaller rate"
    if choice.edge:
        said += f"; the {choice.edge} rate of the sweep, so the best may lie beyond"
    return f"{said} ({how})"


def _rate(candidate: Candidate) -> str:
    name = "the recipe's rate" if candidate.rate is None else f"k{candidate.rate}"
    return f"{name} = {candidate.learning_rate:.4g}"
