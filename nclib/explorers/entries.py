"""Stored runs as the results browser holds them: columns of numbers with the digits it shows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from ..models import NETWORKS
from ..records import Row, Run
from ..reported import DATASETS, NC1_DECADES, NC1_READ, REPORTED, ROBUSTNESS_READ, SOURCES
from ..statements import terminal_epoch
from .frame import THREE_DIGITS, numeral
from .quantities import PAPERS, QUANTITIES

__all__ = ["SPLITS", "Entry", "Printed", "entries", "rounded", "written"]

SPLITS = {"train": "training images", "test": "test images"}
TITLES = {
    "mnist": "MNIST", "fashionmnist": "FashionMNIST", "svhn": "SVHN", "cifar10": "CIFAR10",
    "stl10": "STL10",
}  # fmt: skip
NAME = re.compile(r"(\w+)-(\w+)-(\w+)((?:-[a-z][\d.]+(?:e-\d+)?)*)")
HUNDREDTH, SHARE = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True)
class Printed:
    """What a paper says of one quantity of a cell: at zero error and at the end, and where."""

    split: str
    at_zero_error: float  # NaN where only the end is known
    at_end: float
    source: str


@dataclass(frozen=True)
class Entry:
    """One cell of the browser: where it belongs, what was measured, what the paper says of it.

    ``place`` and ``family`` are what one chooses it by; cells that differ in the seed alone have
    both, and the loss, in common. ``columns`` are by split and quantity, one number per epoch;
    of a cell that was not run there are none, and ``told`` is empty.   Chapter: reproduction.
    """

    name: str
    place: str
    title: str  # of the place
    family: str
    network: str
    loss: str
    told: str  # how the run stands and where it was made
    command: str  # that makes it
    zero: int | None  # epoch of zero error, as the papers understand it
    epochs: tuple[int, ...]
    columns: Mapping[str, Mapping[str, Sequence[float]]]
    full: bool  # one of the papers' own networks, on a whole data set
    printed: Mapping[str, Printed]

    def column(self, split: str, quantity: str) -> Sequence[float]:
        """A number for each epoch, NaN where it was not measured."""
        missing = [math.nan] * len(self.epochs)
        return self.columns.get(split, {}).get(quantity, missing)

    def at(self, epoch: int | None, split: str, quantity: str) -> float:
        """The number of an epoch; NaN where there is none."""
        if epoch not in self.epochs:
            return math.nan
        return self.column(split, quantity)[self.epochs.index(epoch)]

    def data(self) -> dict[str, object]:
        """What a script needs of it, as JSON has it: null is not measured."""
        columns = {
            split: {name: [_plain(x) for x in column] for name, column in table.items()}
            for split, table in self.columns.items()
        }
        printed = {
            name: [one.split, _plain(one.at_zero_error), _plain(one.at_end), one.source]
            for name, one in self.printed.items()
        }
        kept = (
            "place",
            "title",
            "family",
            "network",
            "loss",
            "told",
            "command",
            "zero",
            "epochs",
            "full",
        )
        return {key: getattr(self, key) for key in kept} | {"columns": columns, "printed": printed}


def entries(runs: Mapping[str, tuple[Run, Sequence[Row]] | None]) -> list[Entry]:
    """An entry for each cell, in order. A name that is none, or a run of another cell, is an error.

    A place outside the papers' grids where nothing was run is left out, unless nothing else is
    left to show.   Chapter: reproduction.
    """
    found = [_entry(name, run) for name, run in runs.items()]
    known = {entry.place for entry in found if entry.epochs or entry.printed} | set(DATASETS)
    return [entry for entry in found if entry.place in known] or found


def rounded(quantity: str, value: float) -> float:
    """A number with the digits that are shown: three, of a share hundredths of a percent.

    >>> rounded("loss", 0.0123456), rounded("accuracy", 0.98247)
    (0.0123, 0.9825)
    """
    if not math.isfinite(value):
        return value
    if QUANTITIES[quantity].shape == "percent":
        return float(Decimal(value).quantize(SHARE, ROUND_HALF_UP))
    return float(THREE_DIGITS.create_decimal(value))


def written(quantity: str, value: float) -> str:
    """The number as the browser writes it; a dash where there is none.

    >>> written("loss", 0.0123456), written("accuracy", 0.9825), written("loss", math.nan)
    ('0.0123', '98.25\\xa0%', '–')
    """
    if math.isnan(value):
        return "–"
    if QUANTITIES[quantity].shape == "percent":
        return f"{Decimal(100 * value).quantize(HUNDREDTH, ROUND_HALF_UP)}\u00a0%"
    return numeral(value)


def _entry(name: str, found: tuple[Run, Sequence[Row]] | None) -> Entry:
    match = NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"runs: expected names dataset-network-loss, got {name!r}")
    if found is not None and (found[0].id != name or any(r.run != name for r in found[1])):
        raise ValueError(f"runs: expected a run of {name}, got one of {found[0].id}")
    dataset, network, loss, rest = match.groups()
    if network not in NETWORKS or loss not in PAPERS:
        raise ValueError(f"runs: expected a network and a loss of this package, got {name!r}")
    changes = [one for one in re.split(r"-(?=[a-z])", rest) if one and one[0] != "s"]
    family = NETWORKS[network].family
    full = family != "ours" and not changes and not network.startswith("thin")
    rows = found[1] if found else []
    epochs = tuple(sorted({row.epoch for row in rows}))
    return Entry(
        name, "-".join([dataset, *changes]),
        ", ".join([TITLES.get(dataset, dataset), *map(_change, changes)]),
        network if family == "ours" else family, network, loss,
        _origin(found[0]) if found else "", _command(dataset, name, full),
        terminal_epoch(rows), epochs,
        {split: _columns(rows, split, epochs) for split in SPLITS},
        full, _printed(dataset, family, loss) if full else {},
    )  # fmt: skip


def _change(letter: str) -> str:
    """What a letter of a cell's name changes; the common one in words."""
    return f"{int(letter[1:]):,} images" if letter[0] == "n" else letter


def _columns(
    rows: Sequence[Row], split: str, epochs: tuple[int, ...]
) -> dict[str, Sequence[float]]:
    """Every quantity that was measured at all, by name."""
    looks = {row.epoch: row for row in rows if row.split == split}
    table: dict[str, Sequence[float]] = {}
    for name, quantity in QUANTITIES.items():
        column = [quantity.of(looks[e]) if e in looks else math.nan for e in epochs]
        if not all(map(math.isnan, column)):
            table[name] = [rounded(name, x) for x in column]
    return table


def _printed(dataset: str, family: str, loss: str) -> dict[str, Printed]:
    """The numbers of a cell that a paper prints, or that were read off its figures."""
    found: dict[str, Printed] = {}
    table = REPORTED.get((dataset, family, loss))
    if table is not None:
        before, after = table.at_zero_error / 100, table.at_end / 100
        found["accuracy"] = Printed("test", before, after, SOURCES[loss])
        found["error"] = Printed("test", 1 - before, 1 - after, SOURCES[loss])
    if loss == "ce":
        for name, split, readings, source in (
            ("relative_variability", "train", NC1_READ, "read from the pixels of Fig. 6 of "
             f"{PAPERS[loss]}, to a factor of {10**NC1_DECADES:.1f}"),
            ("robustness", "test", ROBUSTNESS_READ, f"read by eye from Fig. 8 of {PAPERS[loss]}"),
        ):  # fmt: skip
            if (dataset, family) in readings:
                found[name] = Printed(split, math.nan, readings[dataset, family], source)
    return {
        name: Printed(one.split, rounded(name, one.at_zero_error), rounded(name, one.at_end),
                      one.source)
        for name, one in found.items()
    }  # fmt: skip


def _command(dataset: str, name: str, full: bool) -> str:
    """How to train a cell from a shell."""
    files = "" if dataset in ("digits", "synthetic") else " --root data --download"
    return f"nclib run {name}{files}{' --device cuda' if full else ''} --robustness ends"


def _origin(run: Run) -> str:
    commit = run.commit.removesuffix("-dirty")[:10] or "unknown"
    changed = " with changes" if run.commit.endswith("-dirty") else ""
    return (
        f"{run.id}: {run.status}, {run.device}, {run.precision}, "
        f"torch {run.versions.get('torch', 'unknown')}, commit {commit}{changed}, "
        f"{run.started[:10]}, {run.seconds:.0f} s"
    )


def _plain(value: float) -> float | str | None:
    """JSON has neither NaN nor infinity."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value).replace("inf", "Infinity")
