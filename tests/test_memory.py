"""What measuring takes of a machine's memory, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
GIB = 2**30
MEASURING = """
import sys
import torch
from nclib import CollapseMeter

def held(name):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

torch.set_num_threads(1)
classes, width, covariance = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
labels = torch.arange(classes)

def loader():
    noise = torch.Generator().manual_seed(0)
    for _ in range(3):
        features = torch.randn(classes, width, generator=noise)
        for piece, of in zip(features.split(250), labels.split(250)):
            yield piece, of

class Twice:
    def __iter__(self):
        return loader()

model = torch.nn.Linear(width, classes)
before = held("VmRSS")
meter = CollapseMeter(model, covariance=covariance)
report = meter.measure(Twice(), progress=False)
assert (report.terms is not None) == covariance and report.decisions.total == 3 * classes
print(before, held("VmHWM"))
"""

pytestmark = pytest.mark.skipif(
    not STATUS.exists(), reason="only Linux says how much memory a process has held"
)


def measured(classes: int, width: int, covariance: bool) -> tuple[int, int]:
    """Bytes held before the measurement, and the most ever held."""
    words = [sys.executable, "-c", MEASURING, str(classes), str(width), str(covariance)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    before, peak = map(int, done.stdout.split())
    return before, peak


def test_a_thousand_classes_of_2048_features_fit_in_a_gigabyte() -> None:
    """Every metric, NC4, the terms and the covariance in half of it; torch is the other half."""
    before, peak = measured(1000, 2048, True)
    assert peak - before < GIB / 2


def test_without_the_covariance_memory_is_classes_times_features() -> None:
    """At 16,384 features a covariance would be 2 GiB; some tens of (C, d) suffice."""
    before, peak = measured(100, 16384, False)
    assert peak - before < 40 * 8 * 100 * 16384
