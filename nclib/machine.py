"""What a training runs on and how: device, precision, graph, compilation.

Never what it computes: every machine takes the same steps, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["CPU", "CudaRecorder", "Machine", "Recorder", "record"]

DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16", "float16")
AMPLE = (8, 0)  # the first compute capability with bfloat16 units
WARM_UP = 3  # steps before a capture: libraries choose kernels and workspaces in the first ones


@dataclass(frozen=True)
class Machine:
    """Where the steps of a training run, and in which precision their convolutions compute.

    ``precision`` is that of the convolutional body while training: "float32" (IEEE, no TF32),
    "bfloat16", or "float16" with a scaled loss. ``graph`` replays the whole step as one CUDA
    graph; ``compile`` compiles the body. Measurements are always IEEE float32 in eval mode,
    statistics float64. Options that contradict each other raise a ValueError.

    Chapter: protocol.

    >>> Machine.of("cpu")
    Machine(device='cpu', precision='float32', graph=False, compile=False)
    """

    device: str = "cpu"
    precision: str = "float32"
    graph: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        kind = self.kind
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")
        if self.precision == "float16" and kind == "mps":
            raise ValueError("precision: expected float32 or bfloat16 on mps, got 'float16'")
        if self.graph and kind != "cuda":
            raise ValueError(
                f"graph: expected a CUDA device, got {self.device!r}; take graph=False"
            )
        if self.graph and self.precision == "float16":
            raise ValueError(
                "graph: expected float32 or bfloat16, got 'float16', whose scaled loss is not "
                "recorded here; take graph=False"
            )

    @classmethod
    def of(
        cls,
        device: str = "cpu",
        precision: str | None = None,
        graph: bool | None = None,
        compile: bool = False,
    ) -> Machine:
        """The best way to train on a device; whatever is not None is taken as asked.

        CUDA devices of capability 8 and above: bfloat16 and a graph. Older ones, such as a T4:
        float16 and no graph. Apple's GPUs and CPUs: float32. A device that does not work here,
        and a precision that it does not have, raise a ValueError in words.   Chapter: protocol.
        """
        plain = cls(device)  # an unknown name is refused before anything is tried
        _require_working(device)
        ample = plain.kind == "cuda" and torch.cuda.get_device_capability(device) >= AMPLE
        if precision == "bfloat16" and plain.kind == "cuda" and not ample:
            raise ValueError(
                f"precision: expected float16 or float32 on {plain.name}, whose compute "
                f"capability is below {AMPLE[0]}.{AMPLE[1]}, got 'bfloat16'"
            )
        if precision is None:
            low = "bfloat16" if ample else "float16"
            precision = low if plain.kind == "cuda" else "float32"
        if graph is None:
            graph = plain.kind == "cuda" and precision != "float16"
        return cls(device, precision, graph, compile)

    @property
    def kind(self) -> str:
        """The type of the device: "cpu", "cuda" or "mps"."""
        try:
            kind = torch.device(self.device).type
        except RuntimeError:
            kind = self.device
        if kind not in DEVICES:
            raise ValueError(
                f"device: expected one that works here, of {', '.join(DEVICES)}, "
                f"got {self.device!r}"
            )
        return kind

    @property
    def name(self) -> str:
        """The device in words, with what a bit-for-bit repetition on a CPU depends on."""
        if self.kind == "cuda":
            return torch.cuda.get_device_name(self.device)
        threads = torch.get_num_threads()
        return f"{self.device}, {threads} thread{'s' * (threads != 1)}"

    @property
    def statistics_device(self) -> str:
        """Where float64 statistics are taken: Apple's GPUs have no float64."""
        return "cpu" if self.kind == "mps" else self.device

    def autocast(self) -> AbstractContextManager[Any]:
        """Low precision within, in operations that profit; nothing changes for "float32"."""
        if self.precision == "float32":
            return torch.autocast(self.kind, enabled=False)
        # No cache of cast weights: each is used once a step, and a graph must record its cast.
        return torch.autocast(self.kind, dtype=getattr(torch, self.precision), cache_enabled=False)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Training steps within: cuDNN tries its kernels on the shapes, which do not change."""
        before = torch.backends.cudnn.benchmark
        try:
            torch.backends.cudnn.benchmark = before or self.kind == "cuda"
            with torch.autocast(self.kind, enabled=False), _ieee(self.precision == "float32"):
                yield
        finally:
            torch.backends.cudnn.benchmark = before

    @contextmanager
    def measuring(self, *, choose: bool = False) -> Iterator[None]:
        """IEEE float32 within: no TF32, whose rounding would put a floor under the spread.

        With ``choose`` cuDNN tries its kernels out, which pays where shapes repeat.
        """
        before = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = before or (choose and self.kind == "cuda")
        try:
            with torch.autocast(self.kind, enabled=False), _ieee():
                yield
        finally:
            torch.backends.cudnn.benchmark = before

    def wait(self) -> None:
        """Until the device has done all that was asked of it, as a clock needs it."""
        if self.kind == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.kind == "mps":
            torch.mps.synchronize()


CPU = Machine()
"""The machine that is always there: a CPU, in IEEE float32."""


class Recorder(Protocol):
    """What can record a step: ``aside`` is where it is warmed up, ``capture`` gives the replay."""

    def aside(self) -> AbstractContextManager[Any]: ...
    def capture(self, step: Callable[[], None]) -> Callable[[], None]: ...


class CudaRecorder:
    """Warm-up and capture of a CUDA graph, both on one stream beside the current one."""

    def __init__(self, device: str) -> None:
        self.stream = torch.cuda.Stream(device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The stream of the recorder, after what was asked before and before what comes after."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        try:
            with torch.cuda.stream(self.stream):
                yield
        finally:
            current.wait_stream(self.stream)

    def capture(self, step: Callable[[], None]) -> Callable[[], None]:
        """Launch nothing, write down everything that the step would launch; return its replay."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            step()
        return graph.replay


def record(
    step: Callable[[], None], state: Callable[[], Iterable[Tensor]], recorder: Recorder
) -> Callable[[], None]:
    """A step recorded once, as a function that replays it; recording leaves no trace.

    A capture needs warm-up steps, which really train. ``state()`` lists all tensors that a step
    changes: each is put back *in place*, since a graph knows addresses. Those that came with the
    warm-up, the momentum, are set to zero, from where an SGD step equals a first one; their
    "first step" flag would otherwise be recorded too.
    """
    before = {id(tensor): (tensor, tensor.detach().clone()) for tensor in state()}
    try:
        with recorder.aside():
            for _ in range(WARM_UP):
                step()
    finally:
        with torch.no_grad():
            for tensor in state():
                known = before.get(id(tensor))
                tensor.zero_() if known is None else tensor.copy_(known[1])
    try:
        return recorder.capture(step)
    except RuntimeError as error:
        raise RuntimeError(f"the step could not be recorded; take graph=False: {error}") from error


@contextmanager
def _ieee(wanted: bool = True) -> Iterator[None]:
    """No rounding of float32 operands within, on any backend; as before on leaving."""
    switches = _switches(torch.backends) if wanted else []
    before = [getattr(owner, name) for owner, name, _ in switches]
    try:
        for owner, name, exact in switches:
            setattr(owner, name, exact)
        yield
    finally:
        for (owner, name, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)


def _switches(backends: Any) -> list[tuple[Any, str, Any]]:
    """(owner, attribute, value for IEEE) of each switch of this torch.

    From torch 2.9 on every operation has a switch in words, and the Booleans warn; code that
    reads the one after the other was set gets an error, so only the words are touched there.
    """
    if not hasattr(backends.cudnn, "conv"):
        return [(backends.cuda.matmul, "allow_tf32", False), (backends.cudnn, "allow_tf32", False)]
    owners = (
        backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn,
        backends.mkldnn.matmul, backends.mkldnn.conv,
    )  # fmt: skip
    return [(owner, "fp32_precision", "ieee") for owner in owners]


def _require_working(device: str) -> None:
    """Raise a ValueError unless torch can put something there."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device: expected one that works here, got {device!r}: {reason}"
        ) from error
