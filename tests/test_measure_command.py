"""`nclib measure` as a new user meets it: trained, saved in three ways, measured, read back."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import typer
from torch.nn.functional import cross_entropy
from torchvision.transforms.functional import to_pil_image
from typer.testing import CliRunner

import nclib
from nclib.machine import Machine
from nclib.measure_command import measure_command

from .tree import ROOT

Measure = Callable[..., Any]
PNG = b"\x89PNG"


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """The command in a folder of its own; (exit code, standard output, what an error says)."""
    app = typer.Typer()
    app.command()(measure_command)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> tuple[int, str, str]:
        found = CliRunner().invoke(app, arguments)
        error = found.exception
        if error is not None and not isinstance(error, ValueError | OSError | SystemExit):
            raise error  # a crash: everything else has words of its own
        return found.exit_code, found.stdout, str(error or "")

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[torchvision.models.ResNet, Path]:
    """torchvision's resnet18 after some steps on digits, and a folder of checkpoints of it."""
    save_file = pytest.importorskip("safetensors.torch", reason="safetensors is optional").save_file
    torch.manual_seed(0)
    images = nclib.data.load("digits", split="train")
    model = torchvision.models.resnet18(num_classes=10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for index in torch.randperm(len(images)).split(64)[:5]:
        optimizer.zero_grad()
        batch = images.batch(index).expand(-1, 3, -1, -1)
        cross_entropy(model(batch), images.labels[index]).backward()
        optimizer.step()
    state, folder = model.state_dict(), tmp_path_factory.mktemp("checkpoints")
    torch.save(state, folder / "plain.pt")
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 1, "state_dict": wrapped, "optimizer": optimizer.state_dict()},
               folder / "nested.pt")  # fmt: skip
    save_file(state, folder / "model.safetensors")
    return model, folder


@pytest.fixture(scope="module")
def expected(trained: tuple[torchvision.models.ResNet, Path]) -> dict[str, Any]:
    """What the meter says of the same network in Python."""
    model, _ = trained
    images = nclib.data.load("digits", split="test")
    loader = [
        (images.batch(index).expand(-1, 3, -1, -1), images.labels[index])
        for index in torch.arange(len(images)).split(128)
    ]
    with Machine().measuring():
        return nclib.CollapseMeter(model, ridge=0.01).measure(loader).to_dict()


@pytest.mark.parametrize("file", ["plain.pt", "nested.pt", "model.safetensors", ""])
def test_three_ways_of_saving_measure_the_same_as_python(measure, trained, expected, file):
    """A state dict, a nested one behind a prefix, safetensors, its folder: the meter's numbers."""
    arguments = ["--model", "torchvision:resnet18", "--checkpoint", str(trained[1] / file)]
    arguments += ["--data", "digits", "--split", "test", "--ridge", "0.01"]
    arguments += ["--json", "out.json", "--csv", "out.csv"]
    Path("out.json").write_text("of an earlier measurement")
    code, out, error = measure(*arguments)
    assert (code, error) == (0, "")
    found = json.loads(Path("out.json").read_text())
    about = found.pop("measured")
    assert found == expected
    assert about["model"] == "torchvision:resnet18" and about["data"] == "digits, test"
    lines = {
        line["name"]: line for line in csv.DictReader(Path("out.csv").read_text().splitlines())
    }
    for name, value in expected["metrics"].items():
        assert float(lines[name]["value"]) == value and name in out
    assert "weights of" in out and "397 images, 10 classes" in out
    assert "random" not in out and sorted(p.name for p in Path().iterdir()) == [
        "out.csv",
        "out.json",
    ]


def test_pictures_in_folders_measure_like_the_set_they_are_of(measure, trained, tmp_path):
    """Digits written as PNG files, prepared as the set is: the same numbers, in two processes."""
    images = nclib.data.load("digits", split="test")
    for i, label in enumerate(images.labels.tolist()):
        folder = tmp_path / "pictures" / "val" / f"digit-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        to_pil_image(images.images[i]).save(folder / f"{i:04}.png")
    network = ["--model", "torchvision:resnet18", "--checkpoint", str(trained[1] / "plain.pt")]
    scale = ["--size", "8", "--mean", str(images.mean[0]), "--std", str(images.std[0])]
    code, out, _ = measure(*network, "--data", "digits", "--split", "test", "--json", "-")
    whole = json.loads(out)
    assert code == 0
    for split, workers in (("test", "0"), ("val", "1")):
        code, out, error = measure(
            *network, "--data", "pictures", "--split", split, "--workers", workers, *scale,
            "--batch-size", "50", "--json", "-",
        )  # fmt: skip
        assert (code, error) == (0, "")
        found = json.loads(out)
        assert found["counts"] == whole["counts"] and found["accuracy"] == whole["accuracy"]
        assert found["metrics"] == pytest.approx(whole["metrics"], rel=1e-4)  # other batches
    broken = tmp_path / "pictures" / "val" / "digit-3"
    path = sorted(broken.iterdir())[0]
    path.write_bytes(path.read_bytes()[:60])
    code, _, error = measure(*network, "--data", "pictures", "--split", "val", *scale)
    assert code and f"{path.relative_to(tmp_path)}: cannot be read as a labeled image" in error


def test_a_run_of_ours_needs_no_model_and_no_data(measure, tmp_path):
    """A checkpoint that bears a cell's name says both; its training measured the same."""
    cell = nclib.Cell("digits", "convnet", "mse", epochs=1, images=200)
    rows = {row.split: row for row in nclib.run(cell, folder=tmp_path)}
    for split, row in rows.items():
        code, out, error = measure(
            "--checkpoint", f"{cell.name}.pt", "--split", split, "--json", "-"
        )
        assert (code, error) == (0, "")
        found = json.loads(out)
        assert found["measured"]["model"] == "nclib:convnet"
        assert found["metrics"] == pytest.approx(row.metrics, rel=1e-4)
        terms = row.terms["consistent"]
        assert {name: found["terms"][name] for name in terms} == pytest.approx(terms, rel=1e-4)
    _, _, error = measure("--checkpoint", f"{cell.name}.pt", "--split", "held")
    assert "split: expected one of train, test, got 'held'" in error


def test_a_network_without_checkpoint_is_said_to_be_random(measure):
    """A first try: random weights, said so; the picture and the table are there."""
    code, out, _ = measure(
        "--model", "nclib:thinresnet", "--data", "synthetic", "--picture", "out.png",
        "--weight-decay", "5e-4", "--passes", "1", "--covariance",
    )  # fmt: skip
    assert code == 0 and "random weights: no --checkpoint was given" in out
    assert Path("out.png").read_bytes().startswith(PNG) and "written: out.png" in out
    assert "L_perp" in out and re.search(r"ridge 0\.0025", out)


def test_timm_and_torchvision_tell_how_images_are_prepared(measure):
    """A vision transformer on random images, as its own configuration says."""
    pytest.importorskip("timm", reason="timm is optional")
    arguments = ["--model", "timm:vit_tiny_patch16_224", "--data", "torchvision:FakeData"]
    code, out, error = measure(*arguments, "--limit", "9", "--no-covariance", "--csv", "-")
    assert (code, error) == (0, "") and out.startswith("group,name,value")
    small = ["--arg", "img_size=32", "--size", "32", "--limit", "250"]
    code, out, error = measure(*arguments, *small)
    assert (code, error) == (0, "")
    assert "center 32 x 32, mean 0.5, 0.5, 0.5" in out and "timm's configuration" in out


@pytest.mark.parametrize(
    "options, words",
    [
        ("--data digits", "model: expected --model, such as torchvision:resnet18, got none"),
        ("--model nclib:convnet", "data: expected --data, such as a folder or digits, got none"),
        ("--model resnet18 --data digits", "stands for several networks; choose one of"),
        ("--model nclib:convnt --data digits", "did you mean nclib:convnet"),
        ("--model nclib:convnet --data digit", "did you mean digits"),
        ("OURS --checkpoint no.pt", "no.pt: cannot read: No such"),
        ("OURS --layer body", "layer: expected"),
        ("OURS --num-classes 7", "labels: expected values in 0..6|7 classes, one"),
        ("OURS --num-classes 12", "expected 12 classes, one for each output .*the 10 of"),
        ("OURS --mean x", "mean: expected numbers, by commas, got 'x'"),
        ("OURS --mean 0,0", "mean: expected 1 values"),
        ("OURS --split held", "split: expected 'train' or 'test'"),
        ("OURS --device tpu", "device: expected one that works here"),
        ("OURS --json no/out.json", "no/out.json: no such folder: no"),
        ("OURS --json - --csv -", "csv: expected a file"),
        ("OURS --json a.x --csv ./a.x", "csv: expected a file of its own, got a.x, that of json"),
        ("OURS --picture out.txt", "picture: expected a name with .png, .svg, .pdf, got out.txt"),
        ("OURS --arg x", "arg: expected NAME=VALUE, got 'x'"),
        ("OURS --ridge 1 --weight-decay 1", "--ridge or --weight-de"),
        ("OURS --weight-decay 1 --reduction x", "reduction: expected"),
        ("--model torchvision:alexnet --data digits", "cannot take images of 3 x 8 x 8: .*--size"),
        ("--model torchvision:resnet18 --data mnist", "root: expected the folder"),
        ("--model torchvision:resnet18 --data digits --transform V9", "one of IMAGENET1K_V1"),
        ("OURS --transform model", "no published weights to follow"),
        ("--model torch.nn:Identity --data digits", "expected a linear layer"),
        ("OURS --size 100000", "^2$"),  # refused by the shell itself, before anything is read
    ],
)  # fmt: skip
def test_errors_are_words(measure, options, words):
    """A wrong option never gives a traceback, and nothing is written."""
    ours = "--model nclib:convnet --data digits"
    code, _, error = measure(*options.replace("OURS", ours).split())
    assert code and re.search(words, error), error
    assert not list(Path().iterdir())


def test_a_head_of_another_size_tells_the_option(measure, trained):
    """The checkpoint's own head counts; an option against it is answered with the number."""
    network = ["--model", "torchvision:resnet18", "--checkpoint", str(trained[1] / "plain.pt")]
    _, _, error = measure(*network, "--data", "digits", "--num-classes", "7")
    assert "plain.pt: does not fit torchvision:resnet18" in error
    assert "the checkpoint's head has 10 outputs: leave --num-classes out" in error
    Path("mine.py").write_text(
        "import torchvision\n"
        "def net(num_classes):\n    return torchvision.models.resnet18(num_classes=num_classes)\n"
    )
    own = ["--model", "mine.py:net", "--checkpoint", str(trained[1] / "plain.pt")]
    code, out, error = measure(*own, "--data", "digits", "--limit", "100", "--passes", "1")
    assert (code, error) == (0, "") and "model: mine.py:net" in out


def test_what_is_read_is_never_written_over(measure, tmp_path):
    """The checkpoint by its own name, through a link, or as the one in a folder."""
    weights = nclib.models.build("convnet", num_classes=10, channels=1, size=8, seed=0).state_dict()
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "pytorch_model.bin"
    torch.save(weights, path)
    (tmp_path / "link.csv").symlink_to(path)
    content = path.read_bytes()
    ours = ["--model", "nclib:convnet", "--data", "digits", "--checkpoint"]
    for checkpoint, out in ((path, path), (path, "link.csv"), (path.parent, path)):
        code, _, error = measure(*ours, str(checkpoint), "--csv", str(out))
        assert code and "csv: expected a file of its own" in error
        assert path.read_bytes() == content


def test_a_pipe_or_a_device_is_not_replaced(measure, tmp_path):
    """A pipe of our own: were this to fail, a real device would be lost to the whole machine."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("--json", "--csv"):
        code, _, error = measure("--model", "nclib:convnet", "--data", "digits", name, "pipe")
        assert code and "pipe: expected the name of a file, got a device or a pipe" in error
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_is_written_through(measure, tmp_path):
    """The name stays a link, and the file that it points to is whole."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "there" / "out.json")
    ours = ["--model", "nclib:thinresnet", "--data", "synthetic", "--limit", "40"]
    code, _, error = measure(*ours, "--json", "link.json", "--size", "9", "--no-covariance")
    assert (code, error) == (0, "") and (tmp_path / "link.json").is_symlink()
    found = json.loads((tmp_path / "there" / "out.json").read_text())
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == ["out.json"]
    about = found["measured"]
    assert about["weights"].startswith("random weights")
    assert "(size as asked, else " in about["images"]
    assert "--covariance" in str(found["reasons"])
    assert not re.search(r"covariance=|passes=|review\(", json.dumps(found))


def test_reasons_and_notes_speak_of_options_and_names(measure, tmp_path):
    """No argument of Python's in the table; a class of one image by its name; one image, no s."""
    for name, count in (("cat", 3), ("dog", 1)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(count):
            image = torch.full((3, 40, 40), 20 * i + len(name), dtype=torch.uint8)
            to_pil_image(image).save(tmp_path / "pictures" / name / f"{i}.png")
    Path("mine.py").write_text(
        "from nclib.models import build\n"
        "def net(num_classes):\n"
        "    return build('convnet', num_classes=num_classes, channels=3, size=32, seed=0)\n"
    )
    ours = ["--model", "mine.py:net", "--data", "pictures", "--size", "32"]
    code, out, error = measure(*ours, "--passes", "1", "--no-covariance")
    assert (code, error) == (0, "") and "4 images, 2 classes" in out
    assert "weights as mine.py:net builds it: no --checkpoint" in out and "random" not in out
    assert "--passes 2" in out and "--covariance" in out and "1 (dog)" in out
    assert not re.search(r"covariance=|passes=|review\(", out)


def test_a_head_for_other_classes_asks_for_their_images(measure, trained):
    """The checkpoint's head counts 10, the data 2: no option can mend that, and none is named."""
    for name in ("cat", "dog"):
        Path("pictures", name).mkdir(parents=True)
        to_pil_image(torch.zeros(3, 40, 40).byte()).save(Path("pictures", name, "1.png"))
    network = ["--model", "torchvision:resnet18", "--checkpoint", str(trained[1] / "plain.pt")]
    _, _, error = measure(*network, "--data", "pictures", "--size", "32")
    assert "the checkpoint's head has 10 outputs: measure it on images of those" in error
    assert "--num-classes" not in error


def test_the_command_stands_in_the_shell(trained, tmp_path):
    """python -m nclib measure: numbers on standard output alone, a bar beside, 2 for an error."""
    command = [sys.executable, "-m", "nclib", "measure", "--model", "torchvision:resnet18"]
    command += ["--checkpoint", str(trained[1] / "plain.pt"), "--json", "-"]
    few = ["--data", "digits", "--limit", "200"]
    good = subprocess.run([*command, *few], cwd=ROOT, capture_output=True, text=True)
    if "No such command 'measure'" in good.stderr:
        pytest.fail("nclib.__main__ does not register measure_command")
    assert good.returncode == 0 and json.loads(good.stdout)["samples"] == 200
    assert "model: torchvision:resnet18" in good.stderr
    bad = subprocess.run([*command, "--data", "digitz"], cwd=ROOT, capture_output=True, text=True)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "error: data: expected a folder" in bad.stderr and "Traceback" not in bad.stderr
