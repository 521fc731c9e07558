"""``nclib measure``: the neural collapse of anyone's network, from its checkpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from ..head import ridge_from_weight_decay
from ..machine import Machine
from ..meter import CollapseMeter
from ..report import CollapseReport
from .subject import Subject, Wish
from .telling import (
    csv_of,
    json_of,
    require_distinct,
    require_writable,
    write_text,
    write_whole,
)
from .watching import measured
from .wording import in_shell_words, told_in_shell

__all__ = ["measure_command"]

NETWORK, IMAGES = "Network", "Images"
MEASURING, OUTPUT = "Measuring", "Output"
WIDTH = 110
STDOUT = Path("-")
LARGEST = 4096  # pixels a side: beyond, a single image fills the memory
PICTURES = (".png", ".svg", ".pdf")


def measure_command(
    model: Annotated[str | None, typer.Option(
        help="torchvision:NAME, timm:NAME, nclib:NAME, module:factory or file.py:factory "
        "(these two run that code).", rich_help_panel=NETWORK)] = None,
    checkpoint: Annotated[Path | None, typer.Option(
        help=".safetensors, a file of torch.save, an index of shards, or a folder with one; "
        "none: random weights.", rich_help_panel=NETWORK)] = None,
    key: Annotated[str | None, typer.Option(
        help="Part of the checkpoint to take, such as ema.", rich_help_panel=NETWORK)] = None,
    layer: Annotated[str | None, typer.Option(
        help="Linear layer to measure; else the last one.", rich_help_panel=NETWORK)] = None,
    num_classes: Annotated[int | None, typer.Option(
        min=2, help="Outputs of the network; else those of the checkpoint, or the data's classes.",
        rich_help_panel=NETWORK)] = None,
    arg: Annotated[list[str] | None, typer.Option(
        metavar="NAME=VALUE", help="For the network's constructor; as often as needed.",
        rich_help_panel=NETWORK)] = None,
    data: Annotated[str | None, typer.Option(
        help="A folder with one folder a class, imagefolder:PATH, torchvision:NAME, digits, "
        "synthetic, mnist, fashionmnist, cifar10, svhn or stl10.", rich_help_panel=IMAGES)] = None,
    split: Annotated[str | None, typer.Option(
        help="train or test; else train, or all of a folder without splits.",
        rich_help_panel=IMAGES)] = None,
    root: Annotated[Path | None, typer.Option(
        help="Folder of torchvision's data sets.", rich_help_panel=IMAGES)] = None,
    download: Annotated[bool, typer.Option(
        "--download", help="Fetch a missing data set.", rich_help_panel=IMAGES)] = False,
    limit: Annotated[int | None, typer.Option(
        min=1, help="Only so many images, evenly spaced.", rich_help_panel=IMAGES)] = None,
    transform: Annotated[str, typer.Option(
        help="auto (the data's own way if it has one, else the model's), data, model, or "
        "torchvision's weights to follow, such as IMAGENET1K_V2.",
        rich_help_panel=IMAGES)] = "auto",
    size: Annotated[int | None, typer.Option(
        min=1, max=LARGEST, help="Pixels a side: shorter side, then center crop.",
        rich_help_panel=IMAGES)] = None,
    resize: Annotated[int | None, typer.Option(
        min=0, max=LARGEST, help="Shorter side before the crop; 0: as it is.",
        rich_help_panel=IMAGES)] = None,
    mean: Annotated[str | None, typer.Option(
        help="Of value/255, by commas.", rich_help_panel=IMAGES)] = None,
    std: Annotated[str | None, typer.Option(
        help="Of value/255, by commas.", rich_help_panel=IMAGES)] = None,
    batch_size: Annotated[int, typer.Option(min=1, rich_help_panel=MEASURING)] = 128,
    workers: Annotated[int, typer.Option(
        min=0, help="Processes that read files.", rich_help_panel=MEASURING)] = 0,
    device: Annotated[str, typer.Option(
        help="cpu, cuda or mps; auto: cuda where there is one, else cpu.",
        rich_help_panel=MEASURING)] = "auto",
    passes: Annotated[int, typer.Option(
        min=1, max=2, help="1 leaves out NC4 and accuracy.", rich_help_panel=MEASURING)] = 2,
    covariance: Annotated[bool | None, typer.Option(
        help="Keep the (d, d) covariance, which the three loss terms need; without it memory "
        "stays small. Else kept up to 4,096 features.", rich_help_panel=MEASURING)] = None,
    ridge: Annotated[float | None, typer.Option(
        min=0, help="Of the squared loss; else 0, or that of a cell of ours.",
        rich_help_panel=MEASURING)] = None,
    weight_decay: Annotated[float | None, typer.Option(
        min=0, help="The ridge as the optimizer's weight decay.",
        rich_help_panel=MEASURING)] = None,
    reduction: Annotated[str, typer.Option(
        help="mean or sum, of the loss that --weight-decay belongs to.",
        rich_help_panel=MEASURING)] = "mean",
    as_json: Annotated[Path | None, typer.Option(
        "--json", metavar="FILE", help="Write JSON; - prints it instead of the table.",
        rich_help_panel=OUTPUT)] = None,
    csv: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write CSV; - prints it instead of the table.",
        rich_help_panel=OUTPUT)] = None,
    picture: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Write a picture: .png, .svg or .pdf.",
        rich_help_panel=OUTPUT)] = None,
) -> None:  # fmt: skip
    """Measure the neural collapse of a network: every metric, the loss's three terms, accuracy.

    Files that are written replace what bore their name, whole or not at all.
    """
    if ridge is not None and weight_decay is not None:
        raise ValueError("ridge: expected --ridge or --weight-decay, got both")
    if as_json == csv == STDOUT:
        raise ValueError("csv: expected a file, as --json - prints already")
    if picture is not None and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"picture: expected a name with {', '.join(PICTURES)}, got {picture}")
    for path in (as_json, csv, picture):
        if path is not None and path != STDOUT:
            require_writable(path)
    written = {"json": as_json, "csv": csv, "picture": picture}
    written = {name: path for name, path in written.items() if path != STDOUT}
    require_distinct({"checkpoint": checkpoint}, written)
    console = Console(stderr=STDOUT in (as_json, csv), highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH  # of a file or a pipe; rich would take 80 columns
    wish = Wish(
        model, checkpoint, data, split, root, download, key, layer, num_classes, limit, transform,
        size, resize, _numbers("mean", mean), _numbers("std", std), _options(arg or []),
    )  # fmt: skip
    machine = _machine(device)
    try:
        subject = Subject.of(wish)
        stored = None if subject.weights is None else subject.weights.path  # within a folder
        require_distinct({"checkpoint": stored}, written)
        network = subject.model.to(machine.device)
        meter = CollapseMeter(network, layer, num_classes=num_classes, covariance=covariance)
    # A collection that is not installed says what to install; a layer that is none, what it is.
    except (ImportError, TypeError) as error:
        raise ValueError(in_shell_words(str(error))) from error
    for line in subject.words():
        console.print(line, markup=False)

    def asked(classes: int) -> float:
        if weight_decay is not None:
            return ridge_from_weight_decay(weight_decay, classes, reduction)
        return subject.ridge if ridge is None else ridge

    with machine.measuring():
        report = measured(
            subject, meter, subject.images.batches(subject.preparation, batch_size, workers),
            passes=passes, ridge=asked,
        )  # fmt: skip
    report = told_in_shell(report, subject.images.classes)
    _tell(report, subject, console, as_json, csv, picture)


def _tell(
    report: CollapseReport,
    subject: Subject,
    console: Console,
    as_json: Path | None,
    csv: Path | None,
    picture: Path | None,
) -> None:
    for path, text in ((as_json, json_of), (csv, csv_of)):
        if path == STDOUT:
            sys.stdout.write(text(report, subject.facts()))
        elif path is not None:
            write_text(path, text(report, subject.facts()))
    if picture is not None:
        figure = report.figure()
        kind = picture.suffix[1:].lower()
        write_whole(picture, lambda file: figure.savefig(file, format=kind, dpi=150))
    if STDOUT not in (as_json, csv):
        console.print(report)
    for path in (as_json, csv, picture):
        if path is not None and path != STDOUT:
            console.print(f"written: {path}", markup=False)


def _machine(device: str) -> Machine:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Machine.of(device)


def _numbers(name: str, text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"{name}: expected numbers, by commas, got {text!r}") from None


def _options(texts: list[str]) -> tuple[tuple[str, Any], ...]:
    """NAME=VALUE for a constructor; a value is JSON where it can be, else text."""
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"arg: expected NAME=VALUE, got {text!r}")
        try:
            found.append((name, json.loads(value)))
        except ValueError:
            found.append((name, value))
    return tuple(found)
