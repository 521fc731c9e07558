"""Which law does a trained network follow? The protocol, written down before the runs.

One moment early in a training is the anchor. From there each law says where every SNR value is
when the largest one is where it is. The second half of the training is held out: laws without a
parameter are judged on it, laws with one may choose it on what lies between anchor and half.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor

from .records import Row
from .theory.laws import FAMILIES, FREE, Law

__all__ = [
    "PROTOCOL",
    "Judgement",
    "Protocol",
    "Spectrum",
    "Verdict",
    "judge",
    "needed",
    "settings_won",
    "verdict",
]


@dataclass(frozen=True)
class Protocol:
    """What is fixed before a run is looked at.

    ``anchor``: the first measured epoch at or after this share of the epochs, and not before
    ``first``. ``half``: the share after which epochs are held out. ``fitted``: a run whose train
    accuracy ends below has not fitted its data and is not judged. ``level``: of the sign test.
    ``ratios`` and ``powers`` are the values among which the two fitted laws may choose.

    Source: our choice.   Chapter: prediction.
    """

    anchor: float = 0.05
    first: int = 2
    half: float = 0.5
    fitted: float = 0.99
    level: float = 0.05
    ratios: tuple[float, ...] = (0.0, *(10 ** (k / 10 - 3) for k in range(31)))
    powers: tuple[float, ...] = tuple(k / 20 for k in range(81))


PROTOCOL = Protocol()
"""The rules that the runs of the suite are judged by.   Chapter: prediction."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The SNR values of one run on its training set, largest first, epoch by epoch.

    A row of NaN stands for an epoch at which the spread was singular. ``perp`` is L_perp as a
    share of the loss, NaN where that is not the squared one.   Chapter: prediction.
    """

    name: str  # of the cell
    epochs: tuple[int, ...]
    omega: Tensor  # (T, C-1)
    accuracy: tuple[float, ...]
    perp: tuple[float, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        T = len(self.epochs)
        if not T or list(self.epochs) != sorted(set(self.epochs)) or self.epochs[0] < 0:
            raise ValueError(f"epochs: expected increasing epochs, got {list(self.epochs)}")
        if self.omega.ndim != 2 or len(self.omega) != T:
            raise ValueError(f"omega: expected ({T}, C-1), got {tuple(self.omega.shape)}")
        for name in ("accuracy", "perp"):
            if len(getattr(self, name)) != T:
                raise ValueError(f"{name}: expected {T} values, got {len(getattr(self, name))}")

    @classmethod
    def of(cls, rows: Iterable[Row], provenance: dict[str, Any] | None = None) -> Spectrum:
        """The spectrum in a run's rows, those of the split "train".

        Rows of several runs, or none with SNR values, are a ValueError.
        """
        train = sorted((r for r in rows if r.split == "train"), key=lambda r: r.epoch)
        names = sorted({row.run for row in train})
        if len(names) != 1:
            raise ValueError(f"rows: expected train rows of one run, got {names or 'none'}")
        width = max(len(row.omega) for row in train)
        if not width:
            raise ValueError(f"rows: expected SNR values, {names[0]} has none at any epoch")
        missing = [math.nan] * width
        omega = torch.tensor([row.omega or missing for row in train], dtype=torch.float64)
        return cls(
            names[0],
            tuple(row.epoch for row in train),
            omega,
            tuple(row.accuracy for row in train),
            tuple(_share(row) for row in train),
            provenance or {},
        )

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Spectrum:
        """What :meth:`to_record` wrote."""
        known = {"name", "epochs", "omega", "accuracy", "perp", "provenance"}
        if set(record) != known:
            raise ValueError(f"record: expected {sorted(known)}, got {sorted(record)}")
        columns = {k: tuple(_number(x) for x in record[k]) for k in ("accuracy", "perp")}
        omega = torch.tensor(
            [[_number(x) for x in row] for row in record["omega"]], dtype=torch.float64
        )
        return cls(
            record["name"], tuple(record["epochs"]), omega, **columns,
            provenance=record["provenance"],
        )  # fmt: skip

    def to_record(self) -> dict[str, Any]:
        """Plain data for one line of JSON, six digits of each number; NaN is null."""
        return {
            "name": self.name,
            "epochs": list(self.epochs),
            "omega": [[_short(x) for x in row] for row in self.omega.tolist()],
            "accuracy": [_short(x) for x in self.accuracy],
            "perp": [_short(x) for x in self.perp],
            "provenance": self.provenance,
        }

    @property
    def num_classes(self) -> int:
        return self.omega.shape[1] + 1

    @property
    def dataset(self) -> str:
        """The first word of the cell's name."""
        return self.name.split("-")[0]

    @property
    def setting(self) -> str:
        """The cell's name without its seed: what runs that repeat each other share."""
        return re.sub(r"-s\d+$", "", self.name)


@dataclass(frozen=True)
class Judgement:
    """How well each law predicted one run.

    ``reason`` says why a run is not judged, and is empty where it is. ``errors`` by law: the rms
    of log(predicted / measured) over the held-out epochs and all values but the largest;
    infinite where a law has a value at zero. ``parameters`` are those that the fitted laws chose,
    ``leans`` the means of log(predicted / measured) at the last epoch.

    Chapter: prediction.
    """

    name: str
    reason: str = ""
    anchor: int = 0  # epoch
    held_out: tuple[int, ...] = ()  # epochs
    errors: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    leans: dict[str, float] = field(default_factory=dict)
    moved: float = math.nan  # rms of log(measured / at the anchor) on the same entries

    @property
    def free(self) -> list[str]:
        """The laws without a parameter, best first."""
        return sorted(FREE, key=lambda law: self.errors[law])

    @property
    def winner(self) -> str:
        """The best law without a parameter."""
        return self.free[0]

    @property
    def margin(self) -> float:
        """The error of the second best over that of the best."""
        best, second = (self.errors[law] for law in self.free[:2])
        return second / best if best else math.inf


def judge(spectrum: Spectrum, protocol: Protocol = PROTOCOL) -> Judgement:
    """Every law on one run, as the protocol has it.

    Source: our choice of protocol.   Chapter: prediction.
    """
    parts = _parts(spectrum, protocol)
    if isinstance(parts, str):
        return Judgement(spectrum.name, reason=parts)
    anchor, first, second = parts
    laws, parameters = dict(FREE), {}
    for (name, family), values in zip(
        FAMILIES.items(), (protocol.ratios, protocol.powers), strict=True
    ):
        chosen = min(values, key=lambda x: _error(family(x), spectrum, anchor, first))
        parameters[name], laws[name] = chosen, family(chosen)
    later, start = spectrum.omega[second, 1:], spectrum.omega[anchor, 1:]
    return Judgement(
        spectrum.name,
        anchor=spectrum.epochs[anchor],
        held_out=tuple(spectrum.epochs[k] for k in second),
        errors={name: _error(law, spectrum, anchor, second) for name, law in laws.items()},
        parameters=parameters,
        leans={
            name: float(_logs(law, spectrum, anchor, [-1]).mean()) for name, law in laws.items()
        },
        moved=_rms((later / start).log()),
    )


def needed(count: int, level: float) -> int | None:
    """The least wins out of ``count`` that fair coins reach with probability <= ``level``.

    None where not even all of them are that rare.   Chapter: prediction.

    >>> needed(20, 0.05), needed(5, 0.05), needed(4, 0.05)
    (15, 5, None)
    """
    return next((k for k in range(count + 1) if chance(count, k) <= level), None)


def chance(count: int, wins: int) -> float:
    """The probability that ``count`` fair coins show at least ``wins`` heads."""
    return sum(math.comb(count, k) for k in range(wins, count + 1)) / 2**count


@dataclass(frozen=True)
class Verdict:
    """In how many settings a law was the best of those without a parameter, and if that is clear.

    Chapter: prediction.
    """

    law: str
    settings: int
    wins: int
    needed: int | None
    runs: int
    runs_won: int
    not_judged: int

    @property
    def chance(self) -> float:
        """How often fair coins would do as well."""
        return chance(self.settings, self.wins)

    @property
    def outcome(self) -> str:
        """Stands or falsified; too few where even winning everywhere would prove nothing."""
        if self.needed is None:
            return "too few"
        return "stands" if self.wins >= self.needed else "falsified"


def verdict(
    judgements: Sequence[Judgement], law: str = "additive", protocol: Protocol = PROTOCOL
) -> Verdict:
    """The sign test over settings: cells that differ in more than the seed.

    Runs that repeat a setting with other seeds count once, with the median of each law's errors.

    Source: our choice of protocol.   Chapter: prediction.
    """
    if law not in FREE:
        raise ValueError(f"law: expected one of {sorted(FREE)}, got {law!r}")
    seen = [judgement for judgement in judgements if not judgement.reason]
    winners = [winner for _, winner in settings_won(seen)]
    return Verdict(
        law,
        settings=len(winners),
        wins=winners.count(law),
        needed=needed(len(winners), protocol.level),
        runs=len(seen),
        runs_won=sum(judgement.winner == law for judgement in seen),
        not_judged=len(judgements) - len(seen),
    )


def settings_won(judgements: Sequence[Judgement]) -> list[tuple[str, str]]:
    """Each setting that was judged, and its best law without a parameter.

    Chapter: prediction.
    """
    groups: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        if not judgement.reason:
            groups.setdefault(re.sub(r"-s\d+$", "", judgement.name), []).append(judgement)
    return [
        (name, min(FREE, key=lambda law: median(run.errors[law] for run in group)))
        for name, group in groups.items()
    ]


def _parts(spectrum: Spectrum, protocol: Protocol) -> tuple[int, list[int], list[int]] | str:
    """Positions of anchor, first half and held-out half, or why there is nothing to judge."""
    epochs, last = spectrum.epochs, spectrum.epochs[-1]
    if math.isnan(spectrum.accuracy[-1]):
        return "training diverged"
    if not spectrum.accuracy[-1] >= protocol.fitted:
        return f"train accuracy ends at {spectrum.accuracy[-1]:.3f}, below {protocol.fitted:g}"
    earliest = max(protocol.first, math.ceil(protocol.anchor * last))
    after = [k for k, epoch in enumerate(epochs) if epoch >= earliest]
    first = [k for k in after[1:] if epochs[k] <= protocol.half * last]
    second = [k for k in after[1:] if epochs[k] > protocol.half * last]
    if spectrum.num_classes < 3:
        return "two classes have a single SNR value, and it is the clock"
    if not first or not second:
        return "too few measured epochs: none between anchor and half, or none held out"
    used = spectrum.omega[after]
    bad = [epochs[k] for k, row in zip(after, used, strict=True) if not _regular(row)]
    if bad:
        return f"singular spectrum at epochs {bad}"
    return after[0], first, second


def _regular(row: Tensor) -> bool:
    return bool((torch.isfinite(row) & (row > 1e-9 * row.max())).all())


def _error(law: Law, spectrum: Spectrum, anchor: int, where: list[int]) -> float:
    return _rms(_logs(law, spectrum, anchor, where))


def _logs(law: Law, spectrum: Spectrum, anchor: int, where: list[int]) -> Tensor:
    """log(predicted / measured) for all values but the largest."""
    omega = spectrum.omega
    predicted = law.predict(omega[anchor], omega[where, 0], spectrum.num_classes)
    return (predicted[:, 1:] / omega[where, 1:]).log()


def _rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _share(row: Row) -> float:
    terms = row.terms.get("consistent")
    return terms["perp"] / sum(terms.values()) if terms else math.nan


def _short(x: float) -> float | None:
    return float(f"{x:.6g}") if math.isfinite(x) else None


def _number(x: float | None) -> float:
    return math.nan if x is None else float(x)
