"""The environment that the chapters' kernels start with; what is set already stays."""

from __future__ import annotations

import os
from typing import Any

ENVIRONMENT = {
    # A progress bar writes to the error stream, and that fails a strict build.
    "TQDM_DISABLE": "1",
    # Idle threads sleep: two that spin while they wait starve each other on a busy machine, and
    # an epoch of the small network then takes twenty times as long.
    "OMP_WAIT_POLICY": "passive",
}


def setup(app: Any) -> dict[str, bool]:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
