"""The built book, made once for all tests that read its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from .tree import ROOT, make_html


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built pages, fresh from the strict build with this interpreter's stack."""
    built = make_html(ROOT)
    if built.returncode != 0:
        pytest.fail(f"the strict book build failed:\n{built.stdout[-6000:]}", pytrace=False)
    return ROOT / "_build" / "html"
