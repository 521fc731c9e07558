"""One thread and no network: the nets are tiny, and runs must repeat bit for bit anywhere."""

from __future__ import annotations

import gc
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

PACKAGE = Path(__file__).resolve().parents[1]
WORKERS = 2  # of pytest-xdist, where it is installed: one thread each

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
# A shell starts jobs in the background with Ctrl-C ignored, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share all of the package's tests among workers, unless the command says how."""
    whole = [Path(argument).resolve() for argument in config.args] == [PACKAGE]
    # A worker with workers of its own would never end, and a debugger needs this very process.
    alone = hasattr(config, "workerinput") or config.option.usepdb
    if whole and not alone and getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = WORKERS


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    """A download fails at once, as without a network."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("offline")

    # A patch of its own: sharing the test's would undo the test's patches later than its fixtures.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", refuse)
        yield


@pytest.fixture
def closed() -> Iterator[None]:
    """No window opens, no figure stays open, and no setting of the drawing library changes.

    Asked for by the tests that draw: the others need not load the library.
    """
    import matplotlib
    from matplotlib import pyplot as plt

    matplotlib.use("Agg")
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


def pytest_collection_finish() -> None:
    """What is imported by now stays: not to look through it again saves some percent."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """At the end it may go: nanobind calls what is left a leak."""
    gc.unfreeze()
