"""A real browser, quiet and without a network of its own, and what it notices about a page."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request
from playwright.sync_api import Page as Tab

DESKTOP, PHONE = 1280, 390  # CSS pixels
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: install the package chromium"
)


@dataclass
class Visit:
    """One page as a browser saw it."""

    requests: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def ask(self, request: Request) -> None:
        self.requests.add(request.url)

    def miss(self, request: Request) -> None:
        self.complaints.append(f"failed: {request.url}")

    def stumble(self, error: Exception) -> None:
        self.complaints.append(str(error))

    def hear(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self.complaints.append(said.text)

    @property
    def foreign(self) -> list[str]:
        return sorted(url for url in self.requests if urlsplit(url).scheme not in {"file", "data"})

    @property
    def weight(self) -> int:
        paths = {unquote(urlsplit(url).path) for url in self.requests if url.startswith("file:")}
        return sum(Path(path).stat().st_size for path in paths if Path(path).is_file())


def open_page(
    browser: Browser, path: Path, width: int, scheme: Literal["light", "dark"] = "light"
) -> tuple[Tab, Visit]:
    """Open a file at a width, wait until its mathematics is set, and note what happened."""
    tab = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    visit = Visit()
    tab.on("request", visit.ask)
    tab.on("requestfailed", visit.miss)
    tab.on("pageerror", visit.stumble)
    tab.on("console", visit.hear)
    tab.goto(path.as_uri(), wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    return tab, visit


def overflow(tab: Tab) -> int:
    """By how many pixels the page is wider than the window."""
    return tab.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
