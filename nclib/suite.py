"""The trainings on which the protocol of ``prediction`` is tried, chosen before they were run.

One core, under an hour. A line of JSON per run, stored with the package; what is there is not
run again.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .cells import LR_GRID, Cell, recipe_of
from .data import NUM_CLASSES, ImageSet
from .decisions import decide
from .kernels import Kernel, full_set_features, kernel_of
from .miniatures import spaced_steps
from .models import build, split
from .observations import Observation, splits_of, summarize
from .prediction import Spectrum
from .recipes import recipe_for
from .records import RecordError, Row, lock, provenance
from .snr import snr
from .stats import ClassStats
from .training import DivergedError, Training, loss_of

__all__ = [
    "KERNELS",
    "SUITE",
    "KernelLook",
    "follow",
    "follow_kernel",
    "run",
    "run_kernels",
    "stored",
    "stored_kernels",
]

SLOWER = 7  # steps down LR_GRID, close to a factor of ten
LOOKS = 36  # on a logarithmic axis, of which about 25 are distinct epochs
KERNEL_EPOCHS = (3, 6, 12, 20, 32, 49)
IMAGES = {"digits": None, "mnist": 2000, "fashionmnist": 2000}
BATCH = 1000


def _settings(dataset: str, network: str, epochs: int) -> list[Cell]:
    """Both weight decays, each with a dropped, a constant, and a small and constant rate."""
    dropped = Cell(dataset, network, "mse", epochs=epochs, images=IMAGES[dataset])
    constant = replace(dropped, drop=1.0)
    index = LR_GRID.index(recipe_for(dataset, network, "mse").learning_rate)
    rates = (dropped, constant, replace(constant, rate=index - SLOWER))
    return [replace(cell, decay=decay) for decay in (0.0, 5e-4) for cell in rates]


def _again(cells: Sequence[Cell], seed: int) -> list[Cell]:
    return [replace(cell, seed=seed) for cell in cells]


_NETWORKS = ("convnet", "plainnet", "thinresnet")
_ON_DISK = ("mnist", "fashionmnist")
_DIGITS = [cell for network in _NETWORKS for cell in _settings("digits", network, 50)]
_THIN = [cell for dataset in _ON_DISK for cell in _settings(dataset, "thinresnet", 40)]
# The convolutional net costs ten times as much there. Two opposite corners of its settings: no
# decay at a constant rate, and decay with a dropped one.
_WIDE = [cell for dataset in _ON_DISK for cell in _settings(dataset, "convnet", 24)[1:4:2]]
SUITE: tuple[Cell, ...] = (
    *_DIGITS, *_THIN, *_again(_DIGITS, 1), *_again(_THIN, 1), *_again(_DIGITS, 2), *_WIDE,
)  # fmt: skip
"""82 runs of 34 settings, the most telling first.

Digits: three networks, two decays, three rates, three seeds. MNIST and FashionMNIST, 2,000 images
each: the thin residual network in all six settings with two seeds, the convolutional one in two.

Chapter: prediction.
"""

KERNELS: tuple[Cell, ...] = tuple(
    replace(cell, seed=seed)
    for cell in _DIGITS
    if cell.rate is not None and cell.decay == 0
    for seed in (0, 1)
)
"""The digits runs at the small rate without decay, where gradient flow has its best chance."""


def follow(cell: Cell, *, root: Path | str | None = None) -> Spectrum:
    """Train a cell and keep its SNR values on the training set, measured in eval mode.

    About 25 epochs on a logarithmic axis. A run that diverges ends with a row of NaN.

    Chapter: prediction.
    """
    start, recipe = time.monotonic(), recipe_of(cell)
    training, images = _begin(cell, root)
    measured, rows = spaced_steps(recipe.epochs, LOOKS), []
    try:
        while training.epoch < recipe.epochs:
            training.advance(images)
            if training.epoch in measured:
                rows.append(_row(cell, training, images))
    except DivergedError:
        rows.append(Row(cell.name, training.epoch + 1, "train", math.nan, math.nan, math.nan))
    if not any(row.omega for row in rows):
        rows[-1] = replace(rows[-1], omega=[math.nan] * (images.num_classes - 1))
    return Spectrum.of(rows, provenance() | {"seconds": round(time.monotonic() - start, 1)})


@dataclass(frozen=True, eq=False)
class KernelLook:
    """The kernel after an epoch, and how the SNR values really moved around it.

    All with batch-norm statistics of the whole set, but for ``running``.   Chapter: prediction.
    """

    name: str
    epoch: int
    kernel: Kernel
    moved: Tensor  # (C-1,) half of what omega gained from the epoch before to the one after
    running: Tensor  # (C-1,) omega with the running statistics, as everywhere else in the book
    perp: float
    clock: float  # time that gradient flow of the book's loss runs in an epoch
    provenance: dict[str, Any]

    @property
    def predicted(self) -> Tensor:
        """What omega gains in an epoch by the central-path formula, (C-1,)."""
        return self.clock * self.kernel.speed

    @property
    def own(self) -> Tensor:
        """What it gains by gradient flow with the network's own head, (C-1,)."""
        return self.clock * self.kernel.own_speed

    @property
    def network(self) -> str:
        """The second word of the cell's name."""
        return self.name.split("-")[1]

    def pace(self, guess: Tensor) -> float:
        """How fast omega moved in the mean, over how fast a guess (C-1,) says."""
        return float(self.moved.sum() / guess.sum())

    def miss(self, guess: Tensor) -> float:
        """How far a guess is off on relative speeds: rms of the difference, each over its mean."""
        return float((self.moved / self.moved.mean() - guess / guess.mean()).square().mean().sqrt())

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> KernelLook:
        """What :meth:`to_record` wrote."""

        def tensor(name: str) -> Tensor:
            return torch.tensor(record[name], dtype=torch.float64)

        return cls(
            record["name"], record["epoch"],
            Kernel(tensor("omega"), tensor("matrix"), tensor("own_speed")),
            moved=tensor("moved"), running=tensor("running"), perp=record["perp"],
            clock=record["clock"], provenance=record["provenance"],
        )  # fmt: skip

    def to_record(self) -> dict[str, Any]:
        """Plain data for one line of JSON, six digits of each number."""
        kernel = self.kernel
        tensors = {
            "omega": kernel.omega, "matrix": kernel.matrix, "own_speed": kernel.own_speed,
            "moved": self.moved, "running": self.running,
        }  # fmt: skip
        return {
            "name": self.name, "epoch": self.epoch, "perp": _short(self.perp),
            "clock": _short(self.clock), "provenance": self.provenance,
        } | {name: _short(tensor.tolist()) for name, tensor in tensors.items()}  # fmt: skip


def follow_kernel(
    cell: Cell, *, root: Path | str | None = None, epochs: Sequence[int] = KERNEL_EPOCHS
) -> Iterator[KernelLook]:
    """Train a cell and look at its kernel after these epochs.

    SGD with momentum m takes the time rate / (1 - m) in a step, where it follows the flow of the
    trained loss; the mean-reduced one is 2/C of the book's.   Chapter: prediction.
    """
    recipe, made = recipe_of(cell), provenance()
    training, images = _begin(cell, root)
    inputs, C = images.batch(torch.arange(len(images))), images.num_classes
    values: dict[int, Tensor] = {}
    waiting: dict[int, KernelLook] = {}
    while training.epoch < min(recipe.epochs, max(epochs) + 1):
        training.advance(images)
        epoch = training.epoch
        if {epoch - 1, epoch, epoch + 1} & set(epochs):
            values[epoch] = _full_set_values(training.model, inputs, images)
        if epoch - 1 in waiting:
            half = (values[epoch] - values[epoch - 2]) / 2
            yield replace(waiting.pop(epoch - 1), moved=half)
        if epoch in epochs and epoch - 1 in values:
            row = _row(cell, training, images)
            steps = len(images) // recipe.batch_size
            waiting[epoch] = KernelLook(
                cell.name, epoch, kernel_of(training.model, inputs, images.labels, C),
                moved=torch.full((C - 1,), math.nan),
                running=torch.tensor(row.omega, dtype=torch.float64),
                perp=_share(row), provenance=made,
                clock=steps * recipe.rate(epoch) / (1 - recipe.momentum) * 2 / C,
            )  # fmt: skip


def run(path: Path | str, *, root: Path | str | None = None, cells: Sequence[Cell] = SUITE) -> None:
    """Run what is not yet in the file, one line each; a kill loses the run it interrupts.

    Chapter: prediction.
    """
    _fill(Path(path), cells, lambda cell: [follow(cell, root=root).to_record()])


def run_kernels(
    path: Path | str, *, root: Path | str | None = None, cells: Sequence[Cell] = KERNELS
) -> None:
    """The kernels of what is not yet in the file, one line for each look.

    Chapter: prediction.
    """
    _fill(
        Path(path), cells,
        lambda cell: [look.to_record() for look in follow_kernel(cell, root=root)],
    )  # fmt: skip


def _fill(path: Path, cells: Sequence[Cell], lines: Callable[[Cell], list[dict]]) -> None:
    """Append the lines of every cell that has none in the file yet."""
    with lock(path) as writer:
        writer.set_torn_line_aside()
        done = {record["name"] for record in _read(path)}
        for cell in cells:
            if cell.name not in done:
                _append(path, lines(cell))


def stored() -> list[Spectrum]:
    """The runs of the suite that are stored with the package.

    Chapter: prediction.
    """
    return [Spectrum.from_record(record) for record in _read(_place("prediction.jsonl"))]


def stored_kernels() -> list[KernelLook]:
    """The kernels that are stored with the package.

    Chapter: prediction.
    """
    return [KernelLook.from_record(record) for record in _read(_place("prediction-kernels.jsonl"))]


def _begin(cell: Cell, root: Path | str | None) -> tuple[Training, ImageSet]:
    images = splits_of(cell, root=root)["train"]
    model = build(
        cell.network, num_classes=NUM_CLASSES, channels=images.images.shape[1], size=images.size,
        seed=cell.seed,
    )  # fmt: skip
    return Training(model, recipe_of(cell), cell.seed), images


@torch.no_grad()
def _row(cell: Cell, training: Training, images: ImageSet) -> Row:
    """The training set in eval mode, as ``observe`` sees it."""
    training.model.eval()
    trunk, head = split(training.model)
    parts = [trunk(images.batch(part)) for part in torch.arange(len(images)).split(BATCH)]
    features, logits = (torch.cat(column) for column in zip(*parts, strict=True))
    if not bool(torch.isfinite(features).all()):
        raise DivergedError(f"features are no longer finite in epoch {training.epoch}")
    stats = ClassStats.of(features, images.labels, images.num_classes)
    seen = Observation(
        training.epoch, "train", features, images.labels, stats, head,
        decide(features, images.labels, head, stats.means),
        float(loss_of(logits, images.labels, training.recipe.loss)),
    )  # fmt: skip
    return summarize(seen, cell)


def _full_set_values(model: nn.Module, inputs: Tensor, images: ImageSet) -> Tensor:
    with full_set_features(model, inputs) as features:
        return snr(ClassStats.of(features.detach(), images.labels, images.num_classes)).omega


def _share(row: Row) -> float:
    terms = row.terms["consistent"]
    return terms["perp"] / sum(terms.values())


def _place(name: str) -> Path:
    return Path(str(files("nclib") / "results" / name))


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    records = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise RecordError(f"{path}, line {number}: not a record: {error}") from error
    return records


def _append(path: Path, records: list[dict[str, Any]]) -> None:
    """All lines in one write, pushed to the disk."""
    text = "".join(json.dumps(r, allow_nan=False, separators=(",", ":")) + "\n" for r in records)
    with open(path, "ab", buffering=0) as file:
        file.write(text.encode())
        os.fsync(file.fileno())


def _short(value: Any) -> Any:
    return [_short(v) for v in value] if isinstance(value, list) else float(f"{value:.6g}")
