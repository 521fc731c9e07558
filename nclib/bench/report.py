"""What a bench found, with everything that its numbers depend on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["BenchReport", "Way"]


@dataclass(frozen=True)
class Way:
    """One way to train and measure a cell: seconds of a step and of a measurement.

    ``steps`` and ``measured`` say how many steps and images were really timed; the measurement
    of the whole training set is scaled up from these. ``minutes`` is the estimate for the whole
    protocol: all steps of all epochs, and all measurements of the training set.
    """

    step: float
    steps: int
    images_per_second: float
    measurement: float
    measured: int
    minutes: float


@dataclass(frozen=True)
class BenchReport:
    """What a cell costs on a machine, our way and the notebook's, in one run.

    ``variants`` has the seconds of our step in each way this device can run it; ``matrix_rate``
    is the machine's own, in FLOP/s, of a product of two square matrices of ``matrix_size`` in
    the training precision; ``flops_per_image`` counts both passes as they are executed.

    Chapter: protocol.
    """

    cell: str
    device: str
    precision: str
    graph: bool
    compile: bool
    threads: int
    images: int
    batch_size: int
    epochs: int
    measurements: int
    ours: Way
    notebook: Way
    variants: dict[str, float]
    flops_per_image: float
    matrix_rate: float
    matrix_size: int
    cores: int | None
    load: float | None  # of the machine at the end, this bench included; None where unknown
    started: str
    versions: dict[str, str]
    commit: str | None

    @property
    def ratio(self) -> float:
        """The notebook's minutes over ours, for the whole protocol."""
        return self.notebook.minutes / self.ours.minutes

    @property
    def share(self) -> float:
        """FLOP/s of our training over those of the matrix product."""
        return self.ours.images_per_second * self.flops_per_image / self.matrix_rate

    @property
    def circumstances(self) -> str:
        """Device, precision, threads, load, versions and time, in a line."""
        how = [self.precision, *["graph"] * self.graph, *["compiled"] * self.compile]
        load = "unknown" if self.load is None else f"{self.load:.1f}"
        versions = [f"{name} {version}" for name, version in self.versions.items()]
        return "; ".join(
            [
                self.device, f"ours {', '.join(how)}", "the notebook's as torch comes",
                f"{self.threads} host thread{'s' * (self.threads != 1)}",
                f"load {load} on {self.cores} cores",
                f"batch {self.batch_size}", ", ".join(versions),
                f"commit {_short(self.commit)}", self.started,
            ]
        )  # fmt: skip

    def to_json(self) -> str:
        """Every number, and what it depends on."""
        return json.dumps(asdict(self) | {"ratio": self.ratio, "share": self.share}, indent=1)

    def to_table(self) -> Table:
        """Both ways side by side, for the command line."""
        from rich.table import Table

        table = Table(
            "", "ours", "notebook's way", "ratio", title=self.cell, caption=self.circumstances
        )
        for row in self.rows():
            table.add_row(*row)
        return table

    def rows(self) -> list[tuple[str, str, str, str]]:
        """(what, ours, the notebook's way, ratio) in words, "" where one side has none."""
        ours, theirs = self.ours, self.notebook
        return [
            (
                "training, images/s", f"{ours.images_per_second:,.0f}",
                f"{theirs.images_per_second:,.0f}", f"{theirs.step / ours.step:.1f}",
            ),
            (
                "step (so many timed)", f"{_time(ours.step)} ({ours.steps})",
                f"{_time(theirs.step)} ({theirs.steps})", "",
            ),
            (
                f"measurement of {self.images:,} images (timed)",
                f"{_time(ours.measurement)} ({ours.measured:,})",
                f"{_time(theirs.measurement)} ({theirs.measured:,})",
                f"{theirs.measurement / ours.measurement:.1f}",
            ),
            (
                f"estimate: {self.epochs} epochs, {self.measurements} measurements",
                f"{ours.minutes:.3g} min", f"{theirs.minutes:.3g} min", f"{self.ratio:.1f}",
            ),
            *((f"our step, {name}", _time(step), "", "") for name, step in self.variants.items()),
            ("operations per image, both passes", f"{self.flops_per_image:.3g} FLOP", "", ""),
            (
                f"product of {self.matrix_size} x {self.matrix_size} matrices",
                f"{self.matrix_rate / 1e12:.3g} TFLOP/s", "", "",
            ),
            ("share of that in training", f"{100 * self.share:.1f} %", "", ""),
        ]  # fmt: skip


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _short(commit: str | None) -> str:
    """The first letters, and whether files differed from it."""
    return (commit or "unknown")[:12] + "-dirty" * (commit or "").endswith("-dirty")
