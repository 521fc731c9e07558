"""Train a cell, look at its last layer at the measured epochs, keep what was seen.

``observe`` trains and looks; ``run`` also writes: nothing is lost and nothing is done twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .cells import Cell, measured_epochs, recipe_of, ridges_of
from .data import PER_CLASS, SPLITS, ImageSet, load
from .decomposition import decompose
from .head import Decisions, Head, decide
from .metrics import measure
from .models import build, split
from .records import RecordError, Row, Run, append, lock, provenance, read, set_torn_line_aside
from .stats import ClassStats
from .training import DivergedError, Training, loss_of

__all__ = ["Observation", "observe", "published", "run", "summarize"]

MEASURE_BATCH = 1000


@dataclass(frozen=True, eq=False)
class Observation:
    """The last layer at one epoch, seen on one split in eval mode.

    Chapter: collapse.
    """

    epoch: int
    split: str
    features: Tensor  # (N, d) float32
    labels: Tensor  # (N,)
    stats: ClassStats
    head: Head
    decisions: Decisions
    loss: float


def observe(
    cell: Cell,
    *,
    root: Path | str | None = None,
    download: bool = False,
    device: str = "cpu",
    checkpoint: Path | str | None = None,
) -> Iterator[Observation]:
    """Train a cell and look at its last layer at the measured epochs, on train, then on test.

    ``root`` and ``download`` say where data sets lie that are not embedded. With ``checkpoint``
    the training is saved there after each measured epoch and goes on from there.
    Chapter: collapse.
    """
    recipe = recipe_of(cell)
    splits = {split_: _images(cell, split_, root, download).to(device) for split_ in SPLITS}
    train = splits["train"]
    model = build(
        cell.network, num_classes=train.num_classes, channels=train.images.shape[1], seed=cell.seed
    )
    training = Training(model.to(device), recipe, cell.seed)
    if checkpoint is not None and Path(checkpoint).exists():
        training.restore(checkpoint)
    epochs = measured_epochs(recipe.epochs)
    with tqdm(total=recipe.epochs, initial=training.epoch, desc=cell.name, unit="epoch") as bar:
        while training.epoch < recipe.epochs:
            training.advance(train)
            bar.update()
            if training.epoch in epochs:
                yield from _look(training, splits)
                # Only now: a checkpoint ahead of its row would lose that row to a kill.
                if checkpoint is not None:
                    training.save(checkpoint)


def run(
    cell: Cell,
    *,
    folder: Path | str,
    root: Path | str | None = None,
    download: bool = False,
    device: str = "cpu",
) -> Iterator[Row]:
    """Train and measure a cell, and keep every row in ``folder/<cell>.jsonl`` as it comes.

    A finished cell is read back, not trained again. A killed one goes on from its checkpoint and
    ends with the same rows, bit for bit on a CPU. A run that diverged is recorded as such and
    not retried. Two processes cannot write one run.   Chapter: decomposition-measured.
    """
    path = Path(folder) / f"{cell.name}.jsonl"
    checkpoint = path.with_suffix(".pt")
    stored = _stored(cell, path)
    if stored is not None and stored[0].status != "running":
        # Only read, so that this works in a folder that cannot be written, too.
        yield from stored[1]
        return
    with lock(path):
        set_torn_line_aside(path)
        record, rows = _begin(cell, path, device)
        yield from rows
        append(path, record)
        start, status = time.monotonic(), "finished"
        known = {(row.epoch, row.split) for row in rows}
        try:
            for seen in observe(
                cell, root=root, download=download, device=device, checkpoint=checkpoint
            ):
                _require_no_gap(cell, known, seen.epoch, path)
                if (seen.epoch, seen.split) in known:
                    continue
                row = summarize(seen, cell)
                append(path, row)
                known.add((row.epoch, row.split))
                yield row
            _require_no_gap(cell, known, recipe_of(cell).epochs + 1, path)
        except DivergedError:
            status = "diverged"
        append(path, replace(record, status=status, seconds=time.monotonic() - start))


def summarize(seen: Observation, cell: Cell) -> Row:
    """An observation as a row: every measurement and the three terms under each ridge."""
    terms = {
        reading: asdict(decompose(seen.stats, seen.head, ridge["value"]))
        for reading, ridge in ridges_of(cell).items()
    }
    return Row(
        run=cell.name,
        epoch=seen.epoch,
        split=seen.split,
        accuracy=seen.decisions.accuracy,
        mismatch=seen.decisions.nearest_mean_mismatch,
        loss=seen.loss,
        metrics=measure(seen.stats, seen.head),
        terms=terms,
    )


def published(name: str) -> tuple[Run, list[Row]] | None:
    """A run that was stored with the package, or None where that cell has not been run.

    Chapter: decomposition-measured.
    """
    path = files("nclib") / "results" / f"{Cell.parse(name).name}.jsonl"
    return read(Path(str(path))) if path.is_file() else None


def _images(cell: Cell, split_: str, root: Path | str | None, download: bool) -> ImageSet:
    images = load(cell.dataset, split=split_, root=root, download=download)
    per_class = PER_CLASS.get(cell.dataset)
    # Balanced as in the paper; the seed is the cell's only where the training is.
    return images.balanced(per_class, seed=0) if split_ == "train" and per_class else images


def _look(training: Training, splits: dict[str, ImageSet]) -> Iterator[Observation]:
    """Both splits through the network in eval mode; test decisions use the training means."""
    means: Tensor | None = None
    for split_, images in splits.items():
        features, logits, head = _features(training.model, images)
        if not bool(torch.isfinite(features).all()):
            raise DivergedError(f"features are no longer finite in epoch {training.epoch}")
        labels = images.labels
        stats = ClassStats.of(features, labels, images.num_classes)
        means = stats.means if means is None else means
        yield Observation(
            training.epoch, split_, features, labels, stats, head,
            decide(features, labels, head, means),
            float(loss_of(logits, labels, training.recipe.loss)),
        )  # fmt: skip


@torch.no_grad()
def _features(model: nn.Module, images: ImageSet) -> tuple[Tensor, Tensor, Head]:
    """Features (N, d) and logits (N, C) of a whole set, and the head.

    Never from the training pass: batch statistics put a floor under the within-class spread.
    """
    model.eval()
    trunk, head = split(model)
    index = torch.arange(len(images), device=images.images.device)
    pairs = [trunk(images.batch(part)) for part in index.split(MEASURE_BATCH)]
    return torch.cat([h for h, _ in pairs]), torch.cat([z for _, z in pairs]), head


def _stored(cell: Cell, path: Path) -> tuple[Run, list[Row]] | None:
    """The record of this very cell, None where there is none yet, an error if it is another's."""
    if not path.is_file() or not path.stat().st_size:
        return None
    record, rows = read(path)
    recipe = asdict(recipe_of(cell))
    if (record.cell, record.recipe) != (asdict(cell), recipe):
        raise RecordError(
            f"{path}: expected a run of {cell} with {recipe}, "
            f"got {record.cell} with {record.recipe}"
        )
    return record, rows


def _begin(cell: Cell, path: Path, device: str) -> tuple[Run, list[Row]]:
    """A new run line, and the rows that are there; how and where it goes on is said anew."""
    record = Run(
        id=cell.name, cell=asdict(cell), recipe=asdict(recipe_of(cell)), ridge=ridges_of(cell),
        **provenance(), device=_name_of(device), precision="float32", status="running",
    )  # fmt: skip
    stored = _stored(cell, path)
    if stored is None:
        return record, []
    return replace(record, started=stored[0].started), stored[1]


def _require_no_gap(cell: Cell, known: set[tuple[int, str]], epoch: int, path: Path) -> None:
    """A checkpoint that is ahead of its rows, as when the record was deleted, would lose them."""
    past = {(e, s) for e in measured_epochs(recipe_of(cell).epochs) for s in SPLITS if e < epoch}
    if past - known:
        lost = sorted({e for e, _ in past - known})
        raise RecordError(
            f"{path}: expected rows of all epochs before {epoch}, where the checkpoint "
            f"{path.with_suffix('.pt')} goes on, got none of epochs {lost}; "
            f"move the checkpoint away to train from the start"
        )


def _name_of(device: str) -> str:
    """The device in words, with what a bit-for-bit repetition on a CPU depends on."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device}, {torch.get_num_threads()} threads"
