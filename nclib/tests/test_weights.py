"""Weights of anyone: found wherever they stand in a file, refused in words, no code run."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nclib.weights import CheckpointError, Weights, read


def network(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, classes))


def prefixed(state: dict, prefix: str) -> dict:
    return {prefix + name: value for name, value in state.items()}


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(network().state_dict())


def loaded(path: Path, key: str | None = None) -> dict[str, torch.Tensor]:
    """What arrives in a network of other random numbers."""
    model = network()
    read(path, key).load_into(model)
    return dict(model.state_dict())


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "_orig_mod.", "module.model.net.", "x."]
)
@pytest.mark.parametrize("nested", ["", "state_dict", "model", "model_state_dict", "ema", "mine"])
def test_weights_are_found_where_training_programs_put_them(tmp_path, state, nested, prefix):
    """Nested or flat, behind any prefix, beside other entries: the same numbers arrive."""
    content = prefixed(state, prefix)
    torch.save({"epoch": 3, nested: content} if nested else content, tmp_path / "a.pt")
    found = read(tmp_path / "a.pt")
    assert found.key == nested and same(loaded(tmp_path / "a.pt"), state)


def test_safetensors_shards_and_folders_hold_the_same(tmp_path, state):
    """One file, a file by a wrong name, shards with an index, a folder with either."""
    save = pytest.importorskip("safetensors.torch", reason="safetensors is optional").save_file
    save(state, tmp_path / "model.safetensors")
    save(state, tmp_path / "renamed.pt")
    torch.save(state, tmp_path / "renamed.safetensors")
    shards = tmp_path / "shards"
    shards.mkdir()
    places = {name: f"part-{i % 2}.safetensors" for i, name in enumerate(state)}
    for file in set(places.values()):
        save({n: t for n, t in state.items() if places[n] == file}, shards / file)
    index = shards / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    for path in (
        tmp_path,
        tmp_path / "renamed.pt",
        tmp_path / "renamed.safetensors",
        index,
        shards,
    ):
        assert same(loaded(path), state)
    (shards / "part-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match="part-1.safetensors: cannot read: No such file"):
        read(index)
    save({"other": torch.ones(1)}, shards / "part-1.safetensors")
    with pytest.raises(CheckpointError, match=r"part-1.safetensors: expected 0.bias, as model.saf"):
        read(index)


@pytest.mark.parametrize(
    "index",
    ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": "../secret"}}', "[" * 9999],
)
def test_an_index_that_is_none_is_refused(tmp_path, index):
    """Not JSON, no map, or a map that points out of the folder."""
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(index)
    with pytest.raises(CheckpointError, match=f"{path}: expected (an index|files beside)"):
        read(path)


class Trap:
    """Leaves a trace where its pickle is read with code allowed."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_code_is_refused_unread(tmp_path, state, protocol):
    """The message says what to do instead, and never to allow the code."""
    path, trace = tmp_path / "a.pt", tmp_path / "trace"
    torch.save({"model": state, "trap": Trap(trace)}, path, pickle_protocol=protocol)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Trap(trace), protocol))
    for file in (path, tmp_path / "plain.pkl"):
        with pytest.raises(CheckpointError) as error:
            read(file)
        assert str(file) in str(error.value) and "weights_only" not in str(error.value)
    assert not trace.exists()
    torch.save(network(), path)
    with pytest.raises(CheckpointError, match=r"holds Python objects \(torch.nn.*state_dict\(\)"):
        read(path)
    torch.load(path, weights_only=False)  # so it was whole
    pickle.loads((tmp_path / "plain.pkl").read_bytes())
    assert trace.exists()  # so it was live


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_named_and_never_loaded(tmp_path_factory, data):
    """Flip, cut or extend a checkpoint: an error with its name, or the very same weights."""
    torch.manual_seed(0)
    state, path = dict(network().state_dict()), tmp_path_factory.mktemp("weights") / "a.pt"
    torch.save(state, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    path.write_bytes(content)
    try:
        assert same(loaded(path), state)
    except CheckpointError as error:
        assert str(path) in str(error)
    assert path.read_bytes() == content


def test_a_single_bit_counts_where_there_are_checksums(tmp_path, state):
    """A weight with a flipped bit is refused; a file that was saved without checksums is read."""
    path = tmp_path / "a.pt"
    torch.save(state, path)
    content = path.read_bytes()
    place = content.index(state["0.weight"].numpy().tobytes())
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(CheckpointError, match="a.pt: damaged: .* does not fit its checksum"):
        read(path)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert same(loaded(path), state)


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda s: {n: t for n, t in s.items() if n != "0.bias"},
            r"1 of 9 tensors missing \(0.bias",
        ),
        (lambda s: s | {"9.bias": s["0.bias"]}, r"1 unexpected \(9.bias\)"),
        (
            lambda s: s | {"0.bias": torch.ones(7)},
            r"1 of another shape \(0.bias \(7,\) for \(5,\)\)",
        ),
        (lambda s: s | {"0.bias": torch.ones(5).char()}, r"1 of another kind, as of a quantized"),
        (lambda s: s | {"0.bias": torch.full((5,), torch.nan)}, "0.bias: holds NaN or infinite"),
        (lambda s: dict(network(7).state_dict()), "head has 7 outputs: leave --num-classes out"),
        (lambda s: {"a.b": torch.ones(1)}, "8 of 9 tensors missing .*, and 5 more"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(tmp_path, state, change, words):
    """Missing, unexpected, another shape, another kind, not finite: names, and how many."""
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"a.pt: .*{words}"):
        Weights(tmp_path / "a.pt", change(state)).load_into(model, "tiny")
    assert same(dict(model.state_dict()), before)


def test_names_of_a_model_that_was_compiled_in_part_fit(tmp_path, state):
    """torch.compile of a part writes into the middle of its names."""
    names = {name: name.replace("2.", "2._orig_mod.") for name in state}
    model = network()
    Weights(tmp_path, {names[name]: state[name] for name in state}).load_into(model)
    assert same(dict(model.state_dict()), state)


def test_old_files_without_a_count_of_batches_fit(tmp_path, state):
    """Batch norm's count of batches is of no use in eval mode, and old files lack it."""
    del state["1.num_batches_tracked"]
    Weights(tmp_path, state).load_into(network())


def test_weights_of_half_precision_fit(tmp_path, state):
    """Batch norm's count of batches as a 16-bit number, infinite even, is no quantized weight."""
    state["1.num_batches_tracked"] = torch.tensor(70_000)
    half, model = {name: tensor.half() for name, tensor in state.items()}, network()
    Weights(tmp_path, half).load_into(model)
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, half[name].float())


@pytest.mark.parametrize(
    "shape",
    [
        lambda a, b: {"model": a, "ema": {"state_dict": b}},
        lambda a, b: {"checkpoint": {"model": a, "ema": b}},
        lambda a, b: {"a.b": {"model": a, "ema": {"module": b}}},
        lambda a, b: {"model": {"net": a, "ema": prefixed(b, "module.")}},
    ],
)
def test_every_key_that_is_told_is_taken(tmp_path, state, shape):
    """What "it holds ... too" names, and what was taken, is a --key that finds that part."""
    other, path = dict(network().state_dict()), tmp_path / "a.pt"
    torch.save(shape(state, other), path)
    found = read(path)
    assert same(loaded(path), state) and same(loaded(path, found.key), state)
    (name,) = found.others
    assert same(loaded(path, name), other)
    assert read(path, read(path, name).key).tensors.keys() == read(path, name).tensors.keys()
    torch.save({"run": {"inner": shape(state, other)}}, path)
    (name,) = read(path, "run").others
    assert name.startswith("run.") and same(loaded(path, name), other)


def test_a_prefix_within_a_part_is_told_with_the_part(tmp_path, state):
    """Two models in ema: the advice names ema's, not those of the part that comes first."""
    other, path = dict(network().state_dict()), tmp_path / "a.pt"
    torch.save(
        {"model": state, "ema": prefixed(state, "student.") | prefixed(other, "teacher.")}, path
    )
    with pytest.raises(CheckpointError, match="--key ema.student or --key ema.teacher"):
        loaded(path, "ema")
    assert same(loaded(path, "ema.teacher"), other)


def test_a_file_with_several_models_asks_which(tmp_path, state):
    """The usual place counts, the others are told; of two prefixes one must be chosen."""
    other = dict(network().state_dict())
    torch.save({"model": state, "ema": other}, tmp_path / "a.pt")
    assert read(tmp_path / "a.pt").others == ("ema",)
    assert same(loaded(tmp_path / "a.pt"), state)
    assert same(loaded(tmp_path / "a.pt", "ema"), other)
    torch.save(prefixed(state, "student.") | prefixed(other, "teacher."), tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match="2 times; choose: --key student or --key teacher"):
        loaded(tmp_path / "b.pt")
    assert same(loaded(tmp_path / "b.pt", "teacher"), other)
    with pytest.raises(
        CheckpointError, match="nothing under 'pupil', got student.0.weight, .* more"
    ):
        read(tmp_path / "b.pt", "pupil")


@pytest.mark.parametrize(
    "content, words",
    [
        ([1, 2], "expected tensors by name .* got a list"),
        ({"epoch": 3, "lr": 0.1}, "expected tensors by name, got epoch, lr"),
        (
            {"a": {"x": torch.ones(1)}, "b": {"x": torch.ones(1)}},
            "expected tensors by name, got a, b",
        ),
        (torch.ones(3), "expected .* got a Tensor"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path, content, words):
    """A list, numbers alone, two parts of which neither is usual, one tensor."""
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=f"a.pt: {words}"):
        read(tmp_path / "a.pt")


def test_what_is_no_checkpoint_says_so(tmp_path):
    """Nothing there, an empty file, text, a folder without weights."""
    (tmp_path / "empty.pt").touch()
    (tmp_path / "text.pt").write_text("hello, world")
    torch.save({"a": torch.ones(999)}, tmp_path / "cut.pt")
    os.truncate(tmp_path / "cut.pt", 3000)
    for name, words in (
        ("none.pt", "cannot read: No such file"), ("empty.pt", "the file is empty"),
        ("text.pt", "that can be read: not a file of torch.save$"),
        ("cut.pt", "that can be read: cut off or damaged$"),
        ("", "got a folder without model.safe"),
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match=f"{tmp_path / name}: .*{words}"):
            read(tmp_path / name)
