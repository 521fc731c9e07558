"""Machines: the best options of each device, no contradictions, and switches put back."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import pytest
import torch

from nclib import machine as module
from nclib.machine import CPU, WARM_UP, Machine, record

from .tolerances import SINGLE

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a CUDA device of a given capability, as far as choosing goes."""

    def pretend(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(module, "_require_working", lambda device: None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")

    return pretend


@pytest.mark.parametrize(
    "device, capability, precision, graph",
    [
        ("cuda", (9, 0), "bfloat16", True),
        ("cuda:1", (8, 0), "bfloat16", True),
        ("cuda", (7, 5), "float16", False),
        ("mps", (0, 0), "float32", False),
        ("cpu", (0, 0), "float32", False),
    ],
)
def test_every_device_gets_its_best_options(gpu, device, capability, precision, graph):
    """bfloat16 and a graph where the GPU has the units, float16 on older ones, else float32."""
    gpu(capability)
    assert Machine.of(device) == Machine(device, precision, graph)


def test_what_is_asked_for_is_taken(gpu):
    """An option that is given is not second-guessed; float16 by itself excludes the graph."""
    gpu((9, 0))
    assert Machine.of("cuda", "float32") == Machine("cuda", "float32", True)
    assert Machine.of("cuda", graph=False, compile=True) == Machine("cuda", "bfloat16", False, True)
    assert Machine.of("cuda", "float16") == Machine("cuda", "float16", False)
    assert Machine.of("cpu", "bfloat16") == Machine("cpu", "bfloat16")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"precision": "float8"}, r"precision: expected one of \('float32', .* got 'float8'"),
        ({"graph": True}, "graph: expected a CUDA device, got 'cpu'"),
        ({"device": "cuda", "precision": "float16", "graph": True}, "got 'float16', whose scaled"),
        ({"device": "mps", "precision": "float16"}, "expected float32 or bfloat16 on mps"),
        ({"device": "abacus"}, "device: expected one that works here, of cpu, cuda, mps, got 'aba"),
        ({"device": "meta"}, "device: expected one that works here, of cpu, cuda, mps, got 'meta'"),
    ],
)
def test_contradictions_are_refused(gpu, options, message):
    """Options that exclude each other say so, by constructor and by `of`."""
    gpu((9, 0))
    for make in (Machine, Machine.of):
        with pytest.raises(ValueError, match=message):
            make(**options)


def test_old_gpus_have_no_bfloat16(gpu):
    """Asked for on a T4, it is refused with the name of the device and what it has instead."""
    gpu((7, 5))
    with pytest.raises(ValueError, match="expected float16 or float32 on a GPU, whose compute"):
        Machine.of("cuda", "bfloat16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a computer without CUDA")
def test_a_device_that_does_not_work_is_refused_in_words():
    """No traceback of torch's: the device, and its reason in one line."""
    with pytest.raises(ValueError, match="device: expected one that works here, got 'cuda': .+"):
        Machine.of("cuda")


def test_names_and_homes():
    """A CPU's name says its threads; Apple's GPUs have their statistics taken on the CPU."""
    threads = torch.get_num_threads()
    assert CPU.name == f"cpu, {threads} thread{'s' if threads > 1 else ''}"
    assert (CPU.statistics_device, Machine("mps").statistics_device) == ("cpu", "cpu")
    assert Machine("cuda:1").statistics_device == "cuda:1"


def switches() -> list:
    return [getattr(owner, name) for owner, name, _ in module._switches(torch.backends)]


@pytest.mark.parametrize("fails", [False, True])
def test_measuring_is_exact_and_puts_back(fails):
    """All switches say IEEE within, and what they said before afterwards, also after an error."""
    found = module._switches(torch.backends)
    before, benchmark = switches(), torch.backends.cudnn.benchmark
    x = torch.ones(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            try:
                with CPU.measuring():
                    assert switches() == [exact for _, _, exact in found] != before
                    assert (x @ x).dtype == torch.float32
                    if fails:
                        raise RuntimeError("on purpose")
            except RuntimeError:
                assert fails
            assert (x @ x).dtype == torch.bfloat16  # the caller's own precision is back
    assert switches() == before and torch.backends.cudnn.benchmark == benchmark


def test_the_switches_of_older_torch():
    """Before torch 2.9 there are two Booleans, and they are all that is touched."""
    backends = SimpleNamespace(
        cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
        cudnn=SimpleNamespace(allow_tf32=True),
    )
    assert [(name, exact) for _, name, exact in module._switches(backends)] == [
        ("allow_tf32", False), ("allow_tf32", False),
    ]  # fmt: skip


@pytest.mark.parametrize("precision, exact", [("float32", True), ("bfloat16", False)])
def test_training_in_float32_is_ieee(precision, exact):
    """float32 means float32 while training; low precision leaves the switches alone."""
    before = switches()
    with Machine("cpu", precision).training():
        assert (switches() != before) == exact
    assert switches() == before


def test_autocast_is_the_precision():
    """Products come in the machine's precision; float32 switches an outer autocast off."""
    x = torch.ones(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16), Machine("cpu").autocast():
        assert (x @ x).dtype == torch.float32
    with Machine("cpu", "bfloat16").autocast():
        assert (x @ x).dtype == torch.bfloat16


class Counting:
    """Stands in for CUDA: its capture, like the real one, runs nothing."""

    def __init__(self) -> None:
        self.entered = 0

    def aside(self):
        self.entered += 1
        return torch.no_grad()

    def capture(self, step):
        return step


def test_recording_leaves_no_trace():
    """After the warm-up what was there is as before, at its address, and what came is zero."""
    weight, made = torch.tensor([1.0, 2.0]), []

    def step() -> None:
        if not made:
            made.append(torch.ones(2))
        weight.add_(1)
        made[0].add_(1)

    recorder, address = Counting(), weight.data_ptr()
    replay = record(step, lambda: [weight, *made], recorder)
    assert weight.tolist() == [1, 2] and weight.data_ptr() == address
    assert made[0].tolist() == [0, 0] and recorder.entered == 1
    replay()
    assert weight.tolist() == [2, 3]


def test_a_failed_warm_up_leaves_no_trace_either():
    """The error comes out, the weights are back."""
    weight = torch.tensor([1.0])

    def step() -> None:
        weight.add_(1)
        if weight > WARM_UP:
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        record(step, lambda: [weight], Counting())
    assert weight.tolist() == [1]


@CUDA
def test_a_recorded_step_replays_on_cuda():
    """Recording changes nothing; each replay is one step that reads what lies there now."""
    x, rate = torch.zeros(3, device="cuda"), torch.ones((), device="cuda")

    def step() -> None:
        x.add_(rate)

    replay = record(step, lambda: [x], module.CudaRecorder("cuda"))
    assert x.tolist() == [0, 0, 0]
    replay()
    rate.fill_(10)
    replay()
    assert x.tolist() == [11, 11, 11]


@CUDA
def test_measuring_is_ieee_on_cuda():
    """A product and a convolution agree with float64 to float32, which TF32 does not."""
    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(8, 64, 16, 16, generator=g), torch.randn(64, 64, 3, 3, generator=g)
    exact = torch.nn.functional.conv2d(x.double(), w.double())
    with Machine("cuda").measuring():
        found = torch.nn.functional.conv2d(x.cuda(), w.cuda()).cpu().double()
        product = (x[0, 0].cuda() @ x[0, 1].cuda()).cpu().double()
    assert float((found - exact).norm() / exact.norm()) < SINGLE / 10
    truth = x[0, 0].double() @ x[0, 1].double()
    assert float((product - truth).norm() / truth.norm()) < SINGLE / 10
