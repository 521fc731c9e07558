"""The meter in Lightning's loop: what passes by, a loader of its own, one process or two."""

from __future__ import annotations

import importlib
import math
import socket
import sys
import textwrap
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nclib import METRICS, ClassStats, CollapseMeter, Head, measure
from nclib.tests.tolerances import SINGLE, TIGHT

pytest.importorskip("lightning", reason="Lightning is not installed: extra [metrics]")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402
from lightning.pytorch.strategies import DDPStrategy  # noqa: E402

from nclib.adapters import CollapseMetric, LightningCollapse  # noqa: E402

C, D, SHARES = 3, 5, (19, 8)
RIDGE = 1e-3

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),  # one process is meant
    pytest.mark.filterwarnings("ignore:.*srun. command is available"),  # Slurm is installed here
    pytest.mark.filterwarnings(
        "ignore:.*LeafSpec.* is deprecated:FutureWarning"
    ),  # Lightning's own
]


def dataset(seed: int = 0, count: int = 27) -> TensorDataset:
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % C
    return TensorDataset(torch.randn(count, 4, generator=g) + labels[:, None], labels)


class Net(LightningModule):
    """A small classifier with dropout, and batches in the form asked for."""

    def __init__(self, form: str = "pair", calls: int = 1) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, D), nn.ReLU(), nn.Dropout(0.5))
        self.fc = nn.Linear(D, C)
        self.form = form
        self.calls = calls
        self.passes = 0

    def forward(self, x: Any) -> torch.Tensor:
        self.passes += not self.training
        return self.fc(self.trunk(x["x"] if isinstance(x, dict) else x))

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
        self.predict_step(batch, index)

    def predict_step(self, batch: Any, index: int) -> list[torch.Tensor]:
        return [self(batch if isinstance(batch, dict) else batch[0]) for _ in range(self.calls)]

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Parts(Net):
    """Another part of the samples for each process, of another size."""

    def setup(self, stage: str) -> None:
        # A parameter that is sent to another process lies in memory that they share, and Lightning
        # parts it again for the start method "spawn" alone.
        for parameter in self.parameters():
            parameter.data = parameter.data.clone()

    def val_dataloader(self) -> DataLoader:
        first = self.global_rank * SHARES[0]
        mine = range(first, first + SHARES[self.global_rank])
        return DataLoader(torch.utils.data.Subset(dataset(), mine), batch_size=4)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(dataset(1), batch_size=9)


class Keeper(Callback):
    """Writes down what each process has found, and with which weights."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def on_fit_end(self, trainer: Trainer, pl_module: Any) -> None:
        callbacks: Any = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
        rows = [c.history for c in callbacks if isinstance(c, LightningCollapse)]
        found = {"rows": rows, "weights": pl_module.state_dict()}
        torch.save(found, self.out / f"{pl_module.global_rank}.pt")


def net(**kwargs: Any) -> Net:
    torch.manual_seed(0)
    return Net(**kwargs)


def trainer(tmp_path: Path, *callbacks: Callback, **kwargs: Any) -> Trainer:
    settings: dict[str, Any] = {
        "max_epochs": 2, "accelerator": "cpu", "devices": 1, "logger": False,
        "enable_checkpointing": False, "enable_progress_bar": False,
        "enable_model_summary": False, "log_every_n_steps": 1, "default_root_dir": tmp_path,
    }  # fmt: skip
    return Trainer(callbacks=list(callbacks), **settings | kwargs)


def by_name(samples: list) -> dict[str, torch.Tensor]:
    x, y = zip(*samples, strict=True)
    return {"x": torch.stack(x), "labels": torch.stack(y)}


def loader(seed: int = 0, count: int = 27, form: str = "pair") -> DataLoader:
    collate = by_name if form == "mapping" else None
    return DataLoader(dataset(seed, count), batch_size=8, collate_fn=collate)


def expected(module: Any, data: TensorDataset) -> dict[str, float]:
    """The values of a module in eval mode on a whole data set."""
    x, y = data.tensors
    modes = module.training
    with torch.no_grad():
        features = module.eval().trunk(x)
    module.train(modes)
    return measure(ClassStats.of(features, y, C), Head.of(module.fc))


def agrees(row: dict[str, Any], wanted: dict[str, float], tolerance: float = TIGHT) -> None:
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("form", ["pair", "mapping"])
def test_validation_as_it_passes(tmp_path, form):
    """Every epoch leaves a row and a log, equal to that of all samples, without a second pass."""
    collapse = LightningCollapse(ridge=RIDGE)
    module = net(form=form)
    run = trainer(tmp_path, collapse, logger=CSVLogger(tmp_path, flush_logs_every_n_steps=1))
    run.fit(module, loader(1), loader(form=form))
    assert module.passes == 2 * 4 + 2  # two epochs of four batches, and the sanity check's two
    assert [row["epoch"] for row in collapse.history] == [0, 1]
    assert collapse.history[-1]["samples"] == 27 and collapse.history[-1]["stage"] == "validation"
    agrees(collapse.history[-1], expected(module, dataset()))
    logged = run.callback_metrics
    for name in [*METRICS, "loss_nc1", "loss_nc23", "loss_perp"]:
        got = float(logged[f"collapse/{name}"])
        assert got == pytest.approx(collapse.history[-1][name], rel=SINGLE), name
    assert "collapse/relative_variability" in (Path(run.log_dir or "") / "metrics.csv").read_text()
    assert not module.fc._forward_pre_hooks and module.training


def test_a_loader_of_its_own(tmp_path):
    """A loader is measured every second epoch in two passes, so NC4 is there too."""
    data = loader(2)
    collapse = LightningCollapse(loader=data, every_n_epochs=2)
    module = net()
    trainer(tmp_path, collapse, max_epochs=5).fit(module, loader(1), loader())
    assert [row["epoch"] for row in collapse.history] == [1, 3]
    assert collapse.report is not None and collapse.report.decisions is not None
    assert 0 <= collapse.history[-1]["nearest_mean_mismatch"] <= 1
    final = LightningCollapse(loader=data)
    trainer(tmp_path, final, max_epochs=1).fit(module, loader(1), loader())
    agrees(final.history[-1], expected(module, dataset(2)))


def test_measuring_changes_no_training(tmp_path):
    """The weights after training are the same, bit for bit, with and without the callback."""
    ends = []
    for callbacks in [[], [LightningCollapse()], [LightningCollapse(loader=loader(2))]]:
        module = net()
        train = DataLoader(dataset(1), batch_size=8, shuffle=True)
        trainer(tmp_path, *callbacks).fit(module, train, loader())
        ends.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])


def test_other_stages_and_loaders(tmp_path):
    """Tests and predictions are measured where asked, two loaders each on their own."""
    collapse = LightningCollapse(stages=("test", "predict"))
    module = net()
    run = trainer(tmp_path, collapse)
    run.validate(module, loader(), verbose=False)
    assert collapse.history == []
    run.test(module, [loader(), loader(2)], verbose=False)
    assert [row["dataloader_idx"] for row in collapse.history] == [0, 1]
    assert "collapse/test/alignment/dataloader_idx_1" in run.callback_metrics
    agrees(collapse.history[1], expected(module, dataset(2)))
    run.predict(module, loader())
    assert collapse.history[2]["stage"] == "predict"
    agrees(collapse.history[2], expected(module, dataset()))


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")  # it is meant
def test_a_checkpoint_keeps_the_rows(tmp_path):
    """A resumed training goes on with the rows; a checkpoint can be chosen by a value."""
    name = "collapse/relative_variability"
    save = ModelCheckpoint(tmp_path, monitor=name, save_top_k=-1, save_last=True)
    first = LightningCollapse()
    trainer(tmp_path, first, save, enable_checkpointing=True).fit(net(), loader(1), loader())
    assert float(save.best_model_score or math.nan) == pytest.approx(
        min(row["relative_variability"] for row in first.history), rel=SINGLE
    )
    second = LightningCollapse()
    again = ModelCheckpoint(tmp_path, monitor=name, save_top_k=-1, save_last=True)
    run = trainer(tmp_path, second, again, max_epochs=3, enable_checkpointing=True)
    run.fit(net(), loader(1), loader(), ckpt_path=save.last_model_path)
    assert second.history[:2] == first.history
    assert [row["epoch"] for row in second.history] == [0, 1, 2]


def test_a_class_without_samples_is_told(tmp_path):
    """A missing class is left out with a warning; below two nothing is logged."""
    collapse = LightningCollapse()
    run = trainer(tmp_path, collapse, max_epochs=1)
    with pytest.warns(UserWarning, match="validation: 1 of 3 classes"):
        run.fit(net(), loader(1), loader(count=2))
    assert collapse.history[0]["classes"] == 2
    run = trainer(tmp_path, collapse, max_epochs=1)
    with pytest.warns(UserWarning, match="expected samples of 2 classes or more, got 1 of 1"):
        run.fit(net(), loader(1), loader(count=1))
    assert len(collapse.history) == 1 and not any("collapse" in k for k in run.callback_metrics)


def test_what_does_not_fit_is_said(tmp_path):
    """Batches and layers that don't fit are refused in the sanity check, arguments at once."""
    for kwargs, words in [
        ({"every_n_epochs": 0}, "every_n_epochs: expected"),
        ({"stages": "test"}, "stages: expected"),
        ({"stages": ("train",)}, "stages: expected"),
    ]:
        with pytest.raises(ValueError, match=words):
            LightningCollapse(**kwargs)
    twice = net(calls=2)
    with pytest.raises(ValueError, match="expected one forward pass .* got 2.*layer="):
        trainer(tmp_path, LightningCollapse()).fit(twice, loader(1), loader())
    assert not twice.fc._forward_pre_hooks
    x, y = dataset().tensors
    triples = DataLoader(TensorDataset(x, y, y), batch_size=8)
    with pytest.raises(TypeError, match=r"expected \(batch, labels\) or a dict.*unpack="):
        trainer(tmp_path, LightningCollapse()).fit(net(), loader(1), triples)
    collapse = LightningCollapse(unpack=lambda batch: (batch[0], batch[2]))
    trainer(tmp_path, collapse, max_epochs=1).fit(net(), loader(1), triples)
    assert len(collapse.history) == 1
    with pytest.raises(ValueError, match="layer"):
        trainer(tmp_path, LightningCollapse("nothing")).fit(net(), loader(1), loader())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_are_their_union(tmp_path, monkeypatch):
    """Two processes with unequal parts: each has the value of the union, and so has the log."""
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    # Fresh processes, forked from one that has done the imports: those take longer than the test.
    get_context("forkserver").set_forkserver_preload([__name__])
    strategy = DDPStrategy(start_method="forkserver", process_group_backend="gloo")
    torch.manual_seed(0)
    both = LightningCollapse(ridge=RIDGE), LightningCollapse(loader=loader(2), prefix="other")
    run = trainer(
        tmp_path, *both, Keeper(tmp_path), strategy=strategy, devices=2, max_epochs=1,
        use_distributed_sampler=False,
    )  # fmt: skip
    run.fit(Parts())
    ranks = [torch.load(tmp_path / f"{number}.pt") for number in (0, 1)]
    module = net()
    module.load_state_dict(ranks[0]["weights"])
    for found in ranks:
        passing, own = found["rows"]
        assert passing[0]["samples"] == sum(SHARES) and own[0]["samples"] == 27
        agrees(passing[0], expected(module, dataset()))
        agrees(own[0], expected(module, dataset(2)))
    assert ranks[0]["rows"] == ranks[1]["rows"]
    for name in METRICS:
        got = float(run.callback_metrics[f"collapse/{name}"])
        assert got == pytest.approx(ranks[0]["rows"][0][0][name], rel=SINGLE), name


def test_the_meter_agrees(tmp_path):
    """What passes by is what the meter itself measures."""
    collapse = LightningCollapse(ridge=RIDGE)
    module = net()
    trainer(tmp_path, collapse).validate(module, loader(), verbose=False)
    report = CollapseMeter(module, ridge=RIDGE).measure(loader())
    agrees(collapse.history[0], {name: report.metrics[name] for name in METRICS})
    assert report.terms is not None
    assert collapse.history[0]["loss_perp"] == pytest.approx(report.terms.perp, rel=TIGHT)


class WithMetric(Net):
    """The torchmetrics.Metric inside of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.metric = CollapseMetric(head=self.fc)

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> None:
        self.metric.update(self.trunk(batch[0]), batch[1])

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"val/{name}": value for name, value in self.metric.compute().items()})
        self.metric.reset()


def test_the_metric_inside_a_module(tmp_path):
    """A module that keeps a CollapseMetric logs the same values."""
    run = trainer(tmp_path, LightningCollapse("fc"))
    with pytest.raises(ValueError, match="expected a call of 'fc', no such layer was called"):
        run.fit(WithMetric(), loader(1), loader())
    module = WithMetric()
    run = trainer(tmp_path)
    run.fit(module, loader(1), loader())
    wanted = expected(module, dataset())
    for name, value in wanted.items():
        got = float(run.callback_metrics[f"val/{name}"])
        assert got == pytest.approx(value, rel=SINGLE, abs=SINGLE), name


def test_the_example(tmp_path, monkeypatch):
    """The example of the module runs."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "module": net(), "train_loader": loader(1), "validation_loader": loader(),
        "LightningCollapse": LightningCollapse,
    }  # fmt: skip
    example = textwrap.dedent(sys.modules[LightningCollapse.__module__].__doc__ or "")
    code = textwrap.dedent(example.split("\n\n", 1)[1])
    exec(code.replace("max_epochs=20", "max_epochs=2, log_every_n_steps=1"), names)
    assert len(names["collapse"].history) == 2


class NoLightning:
    """An import system in which the package of that name can't be found."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] == "lightning":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_the_other_name(tmp_path, monkeypatch):
    """Where pytorch_lightning alone is in use or installed, the callback is one of its own."""
    pytest.importorskip("pytorch_lightning", reason="pytorch_lightning is not installed")
    for loaded in list(sys.modules):
        if loaded.split(".")[0] == "lightning" or loaded == "nclib.adapters.lightning":
            monkeypatch.delitem(sys.modules, loaded)
    other: Any = importlib.import_module("pytorch_lightning")
    in_use = importlib.import_module("nclib.adapters.lightning").LightningCollapse
    assert issubclass(in_use, other.Callback)  # both are installed, and this one is in use
    monkeypatch.delitem(sys.modules, "nclib.adapters.lightning")
    monkeypatch.setattr(sys, "meta_path", [NoLightning(), *sys.meta_path])
    collapse = importlib.import_module("nclib.adapters.lightning").LightningCollapse()
    assert isinstance(collapse, other.Callback)

    class Other(other.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def validation_step(self, batch: Any, index: int) -> None:
            self.net(batch[0])

    run = other.Trainer(
        accelerator="cpu", logger=False, callbacks=[collapse], enable_progress_bar=False,
        enable_checkpointing=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    module = Other()
    run.validate(module, loader(), verbose=False)
    agrees(collapse.history[0], expected(module.net, dataset()))
    assert "collapse/alignment" in run.callback_metrics
