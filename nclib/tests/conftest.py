"""One thread and no network: the nets are tiny, and runs must repeat bit for bit anywhere."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import torch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    """A download fails at once, as without a network."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("offline")

    # A patch of its own: sharing the test's would undo the test's patches later than its fixtures.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", refuse)
        yield
