"""GPUs by their makers' data sheets, and how fast they could do a piece of work."""

from __future__ import annotations

from dataclasses import dataclass

from .counting import Work

__all__ = ["ACCELERATORS", "Accelerator"]


@dataclass(frozen=True)
class Accelerator:
    """A GPU by its maker's data sheet: dense rates in TFLOP/s, GB/s and GB.

    ``half`` is that of bfloat16, float16 on older ones; ``single`` of float32 outside the tensor
    cores, ``double`` of float64.   Chapter: scale.
    """

    name: str
    half: float
    single: float
    double: float
    bandwidth: float
    memory: float
    source: str

    def roof(self, work: Work) -> float:
        """Seconds that the work takes at the least, kernel by kernel."""
        rates = {2: self.half, 4: self.single, 8: self.double}
        return sum(
            times * max(one.flops / 1e12 / rates[one.width], one.traffic / 1e9 / self.bandwidth)
            for one, times in work.kernels.items()
        )


_HOPPER = "NVIDIA's data sheet, without sparsity"
_TABLE = (
    Accelerator("H200", 989.4, 66.9, 66.9, 4800, 141, f"{_HOPPER} (SXM)"),
    Accelerator("H100", 989.4, 66.9, 66.9, 3350, 80, f"{_HOPPER} (SXM)"),
    Accelerator("A100", 312, 19.5, 19.5, 2039, 80, "NVIDIA's data sheet (SXM, 80 GB)"),
    Accelerator("RTX 4090", 165.2, 82.6, 1.3, 1008, 24,
                "NVIDIA's Ada white paper, sums in float32, without sparsity"),
    Accelerator("V100", 125, 15.7, 7.8, 900, 32, "NVIDIA's data sheet (SXM2, 32 GB)"),
    Accelerator("L4", 121, 30.3, 0.5, 300, 24, f"{_HOPPER}; float64 is 1/64 of float32"),
    Accelerator("T4", 65, 8.1, 0.25, 320, 16, "NVIDIA's data sheet; float64 is 1/32 of float32"),
)  # fmt: skip
ACCELERATORS: dict[str, Accelerator] = {accelerator.name: accelerator for accelerator in _TABLE}
"""GPUs by name, the fastest first.   Chapter: scale."""
