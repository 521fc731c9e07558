"""What a training runs on and how: device, precision, graph, compilation. Never what it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

__all__ = ["CPU", "Machine"]


@dataclass(frozen=True)
class Machine:
    """Where the steps of a training run, and in which precision their convolutions compute.

    ``precision`` is that of the convolutional body while training: "float32", "bfloat16", or
    "float16" with a scaled loss. ``graph`` replays the whole step as one CUDA graph; ``compile``
    compiles the body. Measurements are always IEEE float32 in eval mode, statistics float64.

    Chapter: protocol.
    """

    device: str = "cpu"
    precision: str = "float32"
    graph: bool = False
    compile: bool = False

    @property
    def name(self) -> str:
        """The device in words, with what a bit-for-bit repetition on a CPU depends on."""
        if self.device.startswith("cuda"):
            return torch.cuda.get_device_name(self.device)
        return f"{self.device}, {torch.get_num_threads()} threads"

    @property
    def statistics_device(self) -> str:
        """Where float64 statistics are taken: Apple's GPUs have no float64."""
        return "cpu" if self.device.startswith("mps") else self.device

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """IEEE float32 within: no TF32, whose rounding would put a floor under the spread."""
        yield


CPU = Machine()
