"""The metric on two processes: unequal shares, a class on one side only, no sample at all."""

from __future__ import annotations

import socket
import warnings
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import start_processes

from nclib import METRICS, ClassStats, CollapseReport
from nclib.tests.samples import Sample

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: extra [metrics]")

from torchmetrics import MetricCollection  # noqa: E402

from nclib.adapters import CollapseMetric  # noqa: E402

from .test_torchmetrics import RIDGE, C, D, agrees, expected, layer_of, sample  # noqa: E402


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def parts(s: Sample) -> dict[str, list[Tensor]]:
    """Ways of dealing the samples to two processes: indices for rank 0 and rank 1."""
    everything = torch.arange(len(s.labels))
    return {
        "unequal": [everything[:19], everything[19:]],
        "a class on one rank only": [everything[s.labels != 2], everything[s.labels == 2]],
        "a rank without a sample": [everything, everything[:0]],
    }


def rank(number: int, port: int, out: str) -> None:
    """What each of two processes does."""
    warnings.simplefilter("ignore")  # a rank without a sample is told so by torchmetrics
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=number, world_size=2)
    s = sample(offset=100.0, spread=1e-3)
    found: dict[str, Any] = {}
    for name, dealt in parts(s).items():
        mine = dealt[number]
        metric = CollapseMetric(head=layer_of(s.head), ridge=RIDGE)
        for batch in mine.split(5) if len(mine) else []:
            metric.update(s.features[batch], s.labels[batch])
        found[name] = metric.compute()
        assert metric.stats.total_count == len(mine)  # given back after the values
        metric.update(s.features, s.labels)  # and going on from there
        found[name + ", again"] = metric.compute()["variance_ratio"]
        metric.reset()
        assert metric.stats.total_count == 0
    mine = parts(s)["unequal"][number]
    alone = CollapseMetric(head=s.head, sync_on_compute=False)
    alone.update(s.features[mine], s.labels[mine])
    found["alone"] = alone.compute()
    together = CollapseMetric(head=s.head, ridge=RIDGE, dist_sync_on_step=True)
    found["on step"] = together(s.features[mine], s.labels[mine])
    lean = MetricCollection([CollapseMetric(C, D, covariance=False)], prefix="val/")
    lean.update(s.features[mine], s.labels[mine])
    found["collection"] = lean.compute()
    torch.save(found, f"{out}/{number}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("ranks")
    # Fresh processes, forked from one that has done the imports: those take longer than the test.
    get_context("forkserver").set_forkserver_preload([__name__])
    start_processes(rank, args=(free_port(), str(out)), nprocs=2, start_method="forkserver")
    return [torch.load(Path(out) / f"{number}.pt") for number in (0, 1)]


@pytest.mark.parametrize(
    "dealt", ["unequal", "a class on one rank only", "a rank without a sample", "on step"]
)
def test_two_processes_are_their_union(ranks, dealt):
    """Both processes report the value of all samples, the very same number."""
    s = sample(offset=100.0, spread=1e-3)
    for found in ranks:
        agrees(found[dealt], expected(s), 1e-8)  # NC1 of 1e-6, at an offset of 100
    assert all(torch.equal(ranks[0][dealt][name], ranks[1][dealt][name]) for name in METRICS)


def test_processes_go_on_after_a_value(ranks):
    """Each process keeps its own samples after a synchronized value and adds to them."""
    s = sample(offset=100.0, spread=1e-3)
    three_times = s.stats + s.stats + s.stats
    wanted = METRICS["variance_ratio"](three_times, s.head)
    for found in ranks:
        assert float(found["unequal, again"]) == pytest.approx(wanted, rel=1e-8)


def test_a_process_alone(ranks):
    """Without synchronization the values are those of a process's own samples."""
    s = sample(offset=100.0, spread=1e-3)
    for number, mine in enumerate(parts(s)["unequal"]):
        stats = ClassStats.of(s.features[mine], s.labels[mine], C)
        wanted = CollapseReport.of(stats, s.head, None, 0.0).metrics
        agrees(ranks[number]["alone"], wanted, 1e-8)


def test_a_collection_of_two_processes(ranks):
    """In a collection the names bear its prefix; without covariance two values are left out."""
    s = sample(offset=100.0, spread=1e-3)
    for found in ranks:
        assert set(found["collection"]) == {
            f"val/{name}"
            for name, metric in METRICS.items()
            if metric.needs == ("stats",) and not metric.needs_scatter
        }
        wanted = METRICS["variance_ratio"](s.stats, s.head)
        assert float(found["collection"]["val/variance_ratio"]) == pytest.approx(wanted, rel=1e-8)
