"""The built book, made once for all tests that read its pages, and a browser to open them."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from . import solid
from .chromium import CHROMIUM, DESKTOP, QUIET, open_page
from .tree import ROOT, make_html
from .turning import Drawn, awake

# Two workers share two cores: threads that wait for each other would take most of both.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
# A shell starts jobs in the background with Ctrl-C ignored, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Files in our order: xdist would begin with the largest, and all workers wait for the book."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """While one worker builds the book for the first file, another runs those that need none."""
    readers = {item.path for item in items if "html" in getattr(item, "fixturenames", ())}
    order = {path: 2 for path in readers} | {path: 0 for path in sorted(readers)[:1]}
    items.sort(key=lambda item: order.get(item.path, 1))


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built pages, fresh from the strict build with this interpreter's stack."""
    (ROOT / "_build").mkdir(exist_ok=True)
    with (ROOT / "_build" / ".lock").open("w") as lock:  # one worker builds, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = make_html(ROOT)
    if built.returncode != 0:
        pytest.fail(f"the strict book build failed:\n{built.stdout[-6000:]}", pytrace=False)
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def figure() -> dict[str, Any]:
    """A figure to turn, as a cell stores it."""
    return solid.solid()


@pytest.fixture(scope="session")
def site(figure: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a small project with this figure twice, built without a warning."""
    folder = tmp_path_factory.mktemp("site") / "html"
    out, said = solid.build(folder, figure, solid.ALT, "html")
    assert said == ""
    return out


# Not for the whole session: while it is open, no test of this thread can start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def blank(browser: Browser) -> Iterator[Tab]:
    """An empty page."""
    tab = browser.new_page()
    yield tab
    tab.close()


@pytest.fixture
def drawn(browser: Browser, site: Path) -> Iterator[Drawn]:
    """The page with a figure to turn on a wide window, its figures drawn."""
    tab, visit = open_page(browser, site / "index.html", DESKTOP)
    try:
        awake(tab)
        yield tab, visit
    finally:
        tab.close()
