"""The meter in Hugging Face's loop: a tiny ViT and a tiny BERT, made offline, on the CPU."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, SubsetRandomSampler

from nclib import METRICS, ClassStats, CollapseMeter, Head, measure
from nclib.tests.tolerances import TIGHT

pytest.importorskip("transformers", reason="transformers is not installed: extra [metrics]")
pytest.importorskip("accelerate", reason="accelerate is not installed: extra [metrics]")

from transformers import (  # noqa: E402
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

from nclib.adapters import TrainerCollapse  # noqa: E402

C, RIDGE = 3, 1e-3
SMALL: dict[str, Any] = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "num_labels": C,
}  # fmt: skip

# Pinned memory is the Trainer's default; there is no accelerator here.
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.* argument is set as true")


class Samples(Dataset):
    """Images or sentences of three classes, as mappings with labels."""

    def __init__(self, kind: str, seed: int = 0, count: int = 21) -> None:
        g = torch.Generator().manual_seed(seed)
        self.kind = kind
        self.labels = torch.arange(count) % C
        self.images = torch.randn(count, 1, 4, 4, generator=g) + self.labels[:, None, None, None]
        self.words = torch.randint(0, 20, (count, 6), generator=g)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        what = {"pixel_values": self.images[i]} if self.kind == "vit" else (
            {"input_ids": self.words[i], "attention_mask": torch.ones(6, dtype=torch.long)}
        )  # fmt: skip
        return {**what, "labels": self.labels[i]}


class Listener(TrainerCallback):
    """Hears what every logger is told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        self.heard.append(dict(logs))


def model(kind: str = "vit") -> Any:
    torch.manual_seed(0)
    if kind == "vit":
        return ViTForImageClassification(
            ViTConfig(**SMALL, image_size=4, patch_size=2, num_channels=1, hidden_dropout_prob=0.3)
        )
    sizes: dict[str, Any] = {"vocab_size": 20, "max_position_embeddings": 8}
    return BertForSequenceClassification(BertConfig(**SMALL, **sizes))


def trainer(out: Path, net: Any, eval_set: Any = None, callbacks: Any = None, **kwargs: Any) -> Any:
    settings: dict[str, Any] = {
        "num_train_epochs": 2, "per_device_train_batch_size": 6, "per_device_eval_batch_size": 5,
        "eval_strategy": "epoch", "logging_strategy": "epoch", "save_strategy": "no",
        "report_to": [], "disable_tqdm": True, "use_cpu": True, "seed": 1,
    }  # fmt: skip
    kind = "vit" if isinstance(net, ViTForImageClassification) else "bert"
    arguments = TrainingArguments(str(out), **settings | kwargs)
    return Trainer(
        net, arguments, train_dataset=Samples(kind, 1), callbacks=callbacks,
        eval_dataset=Samples(kind) if eval_set is None else eval_set,
    )  # fmt: skip


def expected(net: Any, samples: Samples, count: int = 21) -> dict[str, float]:
    """The values of a model in eval mode, from its features on the first samples at once."""
    seen: list[Tensor] = []
    hook = net.classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = {name: torch.stack([samples[i][name] for i in range(count)])
             for name in samples[0] if name != "labels"}  # fmt: skip
    with torch.no_grad():
        net.eval()(**batch)
    hook.remove()
    stats = ClassStats.of(seen[0], samples.labels[:count], C)
    return measure(stats, Head.of(net.classifier))


def agrees(row: dict[str, Any], wanted: dict[str, float], tolerance: float = 1e-4) -> None:
    # float32 features of other batch sizes
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name


@pytest.mark.parametrize("kind", ["vit", "bert"])
def test_every_evaluation_is_measured(tmp_path, kind):
    """Each epoch's evaluation leaves a row, an entry of the log and values to choose by."""
    net, listener = model(kind), Listener()
    run = trainer(tmp_path, net, callbacks=[listener])
    collapse = TrainerCollapse(ridge=RIDGE).attach(run)
    run.train()
    assert [row["epoch"] for row in collapse.history] == [1.0, 2.0]
    agrees(collapse.history[-1], expected(net, Samples(kind)))
    assert {"loss_perp", "nearest_mean_mismatch", "accuracy"} <= collapse.history[-1].keys()
    entries = [e for e in run.state.log_history if "collapse/relative_variability" in e]
    assert [e["step"] for e in entries] == [row["step"] for row in collapse.history] == [4, 8]
    assert entries[1]["collapse/alignment"] == collapse.history[1]["alignment"]
    assert [e["collapse/alignment"] for e in listener.heard if "collapse/alignment" in e] == [
        row["alignment"] for row in collapse.history
    ]
    losses = [e for e in run.state.log_history if "loss" in e]
    assert len(losses) == 2  # the loss is still logged at each epoch's end
    found = run.evaluate()
    assert found["eval_collapse/alignment"] == collapse.history[2]["alignment"]
    assert collapse.report is not None and collapse.report.samples == 21


def test_measuring_changes_no_training(tmp_path):
    """The weights and the losses are the same, bit for bit, with and without the callback."""
    ends, losses = [], []
    for callback in [None, TrainerCollapse(Samples("vit", 2), every="epoch"), TrainerCollapse()]:
        net = model()
        run = trainer(tmp_path, net)
        if callback is not None:
            callback.attach(run)
        run.train()
        assert callback is None or len(callback.history) == 2
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
        losses.append([e["loss"] for e in run.state.log_history if "loss" in e])
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[0], ends[2])
    assert losses[0] == losses[1] == losses[2] and len(losses[0]) == 2


def test_a_set_of_its_own(tmp_path):
    """A data set or a loader is measured at each epoch's end, without any evaluation."""
    for data in (Samples("vit", 2), DataLoader(Samples("vit", 2), batch_size=4)):
        net = model()
        run = trainer(tmp_path, net, eval_strategy="no", num_train_epochs=1)
        collapse = TrainerCollapse(data, every="epoch", covariance=False).attach(run)
        run.train()
        assert len(collapse.history) == 1 and "loss_perp" not in collapse.history[0]
        agrees(collapse.history[0], expected(net, Samples("vit", 2)))


def few(data: Dataset, count: int = 12) -> DataLoader:
    """A loader that deals out the first samples alone."""
    return DataLoader(data, batch_size=4, sampler=SubsetRandomSampler(range(count)))


@pytest.mark.parametrize("form", ["loader", "batches", "samples", "stream"])
def test_batches_are_read_as_they_are(tmp_path, form):
    """A loader's own sampler counts, and batches are no samples; a list of samples is a set."""
    data = Samples("vit", 2)
    given: Any = few(data)
    if form != "loader":
        given = list(given) if form == "batches" else [data[i] for i in range(12)]
    if form == "stream":
        given = iter(DataLoader(given, batch_size=5))  # pyright: ignore[reportArgumentType]
    net = model()
    collapse = TrainerCollapse(given).attach(trainer(tmp_path, net))
    assert collapse.trainer is not None
    collapse.trainer.evaluate()
    assert collapse.report is not None and collapse.report.samples == 12
    agrees(collapse.history[0], expected(net, Samples("vit", 2), 12))


def test_several_sets(tmp_path):
    """Each set of a dictionary has its own names, and so has another prefix."""
    net = model()
    sets = {"near": Samples("vit"), "far": Samples("vit", 3)}
    run = trainer(tmp_path, net, sets, num_train_epochs=1)
    collapse = TrainerCollapse().attach(run)
    run.train()
    assert [row["set"] for row in collapse.history] == ["near", "far"]
    agrees(collapse.history[1], expected(net, sets["far"]))
    assert any("collapse/far/alignment" in entry for entry in run.state.log_history)
    run.evaluate(Samples("vit"), metric_key_prefix="test")
    assert collapse.history[2]["set"] == "test"


def test_the_best_checkpoint_and_a_resumed_training(tmp_path):
    """A value chooses the best checkpoint; a resumed training has the rows of its log."""
    chosen: dict[str, Any] = {
        "save_strategy": "epoch", "load_best_model_at_end": True, "greater_is_better": False,
        "metric_for_best_model": "collapse/relative_variability",
    }  # fmt: skip
    run = trainer(tmp_path, model(), **chosen)
    first = TrainerCollapse().attach(run)
    run.train()
    values = [row["relative_variability"] for row in first.history]
    assert run.state.best_metric == min(values)
    resumed = trainer(tmp_path, model(), num_train_epochs=3)
    second = TrainerCollapse().attach(resumed)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert [row["epoch"] for row in second.history] == [1.0, 2.0, 3.0]
    assert second.history[:2] == first.history


def test_without_attach_the_log_is_there(tmp_path):
    """Given as a callback alone, the values stand in the log history."""
    collapse = TrainerCollapse()
    run = trainer(tmp_path, model(), callbacks=[collapse], num_train_epochs=1)
    run.train()
    assert any("collapse/alignment" in entry for entry in run.state.log_history)
    assert collapse.attach(run) is collapse
    assert run.callback_handler.callbacks.count(collapse) == 1


def test_the_meter_agrees(tmp_path):
    """What the callback says is what the meter itself measures."""
    net = model()
    run = trainer(tmp_path, net)
    collapse = TrainerCollapse(ridge=RIDGE).attach(run)
    run.evaluate()
    loader = DataLoader(Samples("vit"), batch_size=5)
    report = CollapseMeter(net, ridge=RIDGE).measure(loader, progress=False)
    agrees(collapse.history[0], {name: report.metrics[name] for name in METRICS}, TIGHT)


def test_what_does_not_fit_is_said(tmp_path):
    """Wrong arguments and layers are refused before an epoch is spent."""
    with pytest.raises(ValueError, match="every: expected one of"):
        TrainerCollapse(every="step")
    with pytest.raises(ValueError, match="data: expected a data set or a loader"):
        TrainerCollapse(every="epoch")
    with pytest.raises(TypeError, match="trainer: expected transformers.Trainer, got Linear"):
        TrainerCollapse().attach(nn.Linear(1, 1))  # pyright: ignore[reportArgumentType]
    run = trainer(tmp_path, model())
    TrainerCollapse(layer="head").attach(run)
    with pytest.raises(ValueError, match="layer: expected the name of a linear layer"):
        run.train()


def test_the_example(tmp_path):
    """The example of the module runs."""
    names: dict[str, Any] = {
        "model": model(), "arguments": trainer(tmp_path, model()).args, "train": Samples("vit"),
        "test": Samples("vit", 2), "TrainerCollapse": TrainerCollapse,
    }  # fmt: skip
    example = sys.modules[TrainerCollapse.__module__].__doc__ or ""
    exec(textwrap.dedent(example.split("\n\n", 1)[1]), names)
    agrees(names["collapse"].history[-1], expected(names["model"], names["test"]))
