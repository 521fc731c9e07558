"""Our way and the notebook's, timed one after the other on the same machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..cells import Cell, measured_epochs, recipe_of
from ..data import ImageSet
from ..machine import CPU, Machine
from ..observations import splits_of
from ..records import provenance
from . import notebook, ours
from .clock import Timing
from .report import BenchReport, Way

__all__ = ["bench"]


def bench(
    cell: Cell,
    *,
    root: Path | str | None = None,
    download: bool = False,
    machine: Machine = CPU,
    seconds: float = 10.0,
) -> BenchReport:
    """Time a cell on a machine, and the notebook's way beside it; nothing is kept.

    Each of the timings takes about ``seconds`` after its warm-up: at least a step or twenty
    images of each class, at most an epoch or the whole training set. The rest is scaled up, and
    the report says from how much. Times are those of the wall, so others' load counts; it is in
    the report.   Chapter: protocol.
    """
    if not seconds > 0:
        raise ValueError(f"seconds: expected more than 0, got {seconds}")
    images = splits_of(cell, root=root, download=download)["train"]
    batch_size = recipe_of(cell).batch_size
    if len(images) < batch_size:
        raise ValueError(
            f"cell: expected at least {batch_size} training images, one batch, got {len(images)}"
        )
    found: dict[str, Any] = {}
    stages = _stages(cell, images, machine, seconds)
    with tqdm(stages.items(), desc=f"bench {cell.name}", unit="stage") as bar:
        for name, stage in bar:
            bar.set_postfix_str(name)
            found[name] = stage()
    return _report(cell, images, machine, found)


def _name(machine: Machine) -> str:
    return " + ".join(["compiled"] * machine.compile + ["graph"] * machine.graph) or "eager"


def _variants(machine: Machine) -> dict[str, Machine]:
    """The ways this device has to run the same step; compiled only where that was asked for."""
    ways = [replace(machine, graph=False, compile=False), machine]
    if machine.kind == "cuda" and machine.precision != "float16":
        ways.insert(1, replace(machine, graph=True, compile=False))
    return {_name(way): way for way in ways}


def _stages(
    cell: Cell, images: ImageSet, machine: Machine, seconds: float
) -> dict[str, Callable[[], Any]]:
    def step(way: Machine) -> Callable[[], Timing]:
        return lambda: ours.steps(cell, images, way, seconds)

    return {f"our step, {name}": step(way) for name, way in _variants(machine).items()} | {
        "our measurement": lambda: ours.measurement(cell, images, machine, seconds),
        "notebook's step": lambda: notebook.steps(cell, images, machine, seconds),
        "notebook's analysis": lambda: notebook.analysis(cell, images, machine, seconds),
        "matrix product": lambda: ours.matrix_rate(machine, seconds),
        "operations": lambda: ours.flops_per_image(cell, images, machine),
    }


def _libraries(machine: Machine) -> dict[str, str]:
    """What else the speed depends on: the build of torch, and the library of its convolutions."""
    libraries = {"torch": str(torch.__version__)}
    if machine.kind == "cuda":
        libraries |= {"CUDA": str(torch.version.cuda), "cuDNN": str(torch.backends.cudnn.version())}
    return libraries


def _report(cell: Cell, images: ImageSet, machine: Machine, found: dict[str, Any]) -> BenchReport:
    recipe = recipe_of(cell)
    measurements = len(measured_epochs(recipe.epochs, cell.every))
    all_steps = recipe.epochs * (len(images) // recipe.batch_size)

    def way(step: Timing, look: Timing) -> Way:
        measurement = look.each * len(images)
        minutes = (all_steps * step.each + measurements * measurement) / 60
        return Way(
            step.each, step.amount, recipe.batch_size / step.each, measurement, look.amount, minutes
        )

    steps = {name: found[f"our step, {name}"] for name in _variants(machine)}
    size, rate = found["matrix product"]
    origin = provenance()
    origin["versions"] |= _libraries(machine)
    return BenchReport(
        cell=cell.name, device=machine.name, precision=machine.precision, graph=machine.graph,
        compile=machine.compile, threads=torch.get_num_threads(), images=len(images),
        batch_size=recipe.batch_size, epochs=recipe.epochs, measurements=measurements,
        ours=way(steps[_name(machine)], found["our measurement"]),
        notebook=way(found["notebook's step"], found["notebook's analysis"]),
        variants={name: timing.each for name, timing in steps.items()},
        flops_per_image=found["operations"], matrix_rate=rate, matrix_size=size,
        cores=os.cpu_count(), load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **origin,
    )  # fmt: skip
