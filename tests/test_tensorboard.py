"""Reports in TensorBoard: what was written is read back from the file."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nclib import METRICS, CollapseMeter, CollapseReport
from nclib.adapters import log_report
from nclib.tests.tolerances import SINGLE

pytest.importorskip("tensorboard", reason="TensorBoard is not installed: extra [metrics]")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from torch.utils.tensorboard import SummaryWriter  # noqa: E402


def report(passes: int = 2, covariance: bool = True) -> CollapseReport:
    g = torch.Generator().manual_seed(0)
    labels = torch.arange(24) % 3
    images = torch.randn(24, 4, generator=g) + labels[:, None]
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.copy_(torch.randn(3, 4, generator=g))
    meter = CollapseMeter(model, ridge=1e-3, covariance=covariance)
    batches = list(zip(images.split(8), labels.split(8), strict=True))
    return meter.measure(batches, passes=passes, progress=False)


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_every_number_with_its_step(tmp_path):
    """Each number stands under its name at each step, to the file's single precision."""
    found = report()
    assert found.terms is not None and found.decisions is not None
    with SummaryWriter(tmp_path) as writer:
        for step in (3, 7):
            log_report(writer, found, step)
    events = read(tmp_path)
    wanted = {f"collapse/{name}": value for name, value in found.metrics.items()}
    wanted["collapse/loss_nc1"] = found.terms.nc1
    wanted["collapse/loss_nc23"] = found.terms.nc23
    wanted["collapse/loss_perp"] = found.terms.perp
    wanted["collapse/nearest_mean_mismatch"] = found.decisions.nearest_mean_mismatch
    wanted["collapse/accuracy"] = found.decisions.accuracy
    assert set(events.Tags()["scalars"]) == set(wanted)
    for name, value in wanted.items():
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [3, 7]
        assert scalars[1].value == pytest.approx(value, rel=SINGLE, abs=SINGLE), name


def test_what_was_not_measured_is_left_out(tmp_path):
    """Without covariance and second look there are neither terms nor NC4, and no NaN."""
    with SummaryWriter(tmp_path) as writer:
        log_report(writer, report(passes=1, covariance=False), 0, prefix="run/a")
    names = {f"run/a/{name}" for name in METRICS if not name.startswith("relative_variability")}
    assert set(read(tmp_path).Tags()["scalars"]) == names


def test_the_picture(tmp_path):
    """With figure=True the report's picture is there as an image."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    before = plt.get_fignums()
    with SummaryWriter(tmp_path) as writer:
        log_report(writer, report(), 1, figure=True)
    images = read(tmp_path).Images("collapse")
    assert [image.step for image in images] == [1] and images[0].width > 100
    assert plt.get_fignums() == before


class Lightning:
    """As the loggers of Lightning take numbers."""

    def __init__(self) -> None:
        self.got: dict[str, float] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.got |= {**metrics, "step": step or 0}


class Run:
    """As a run of Weights & Biases takes them."""

    def __init__(self) -> None:
        self.got: dict[str, Any] = {}

    def log(self, data: dict[str, Any], step: int | None = None) -> None:
        self.got |= {**data, "step": step}


@pytest.mark.parametrize("kind", [Lightning, Run])
def test_other_loggers(kind):
    """Loggers with log_metrics or log get the same numbers."""
    logger, found = kind(), report()
    log_report(logger, found, 5)
    assert logger.got["step"] == 5
    assert logger.got["collapse/alignment"] == found.metrics["alignment"]


def test_what_does_not_fit_is_said(tmp_path):
    """Something that is no writer or no report, and a picture that has no place, are refused."""
    with pytest.raises(TypeError, match="writer: expected add_scalar, log_metrics or log, got int"):
        log_report(3, report(), 0)
    with pytest.raises(TypeError, match="report: expected CollapseReport, got dict"):
        log_report(Run(), {}, 0)  # pyright: ignore[reportArgumentType]
    run = Run()
    with pytest.raises(TypeError, match="figure: expected a writer with add_figure, got Run"):
        log_report(run, report(), 0, figure=True)
    assert not run.got


def test_the_example(tmp_path):
    """The example of the module runs."""
    loader = [(torch.eye(4), torch.arange(4) % 2), (2 * torch.eye(4), torch.arange(4) % 2)]
    names: dict[str, Any] = {
        "folder": tmp_path, "epochs": 2, "train": lambda model: None, "model": nn.Linear(4, 2),
        "loader": loader, "CollapseMeter": CollapseMeter, "log_report": log_report,
    }  # fmt: skip
    example = sys.modules[log_report.__module__].__doc__ or ""
    exec(textwrap.dedent(example.split("\n\n", 1)[1]), names)
    assert len(read(tmp_path).Scalars("collapse/alignment")) == 2
