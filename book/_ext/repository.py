"""Where repository and book are found: the addresses in pyproject.toml, and the links made of them.

Only what is written there counts, no variable of the environment: a generated notebook has to come
out the same wherever it is made.
"""

from __future__ import annotations

import re
from pathlib import Path

from edition import version

COLAB = "https://colab.research.google.com/github"
NOTEBOOKS = "notebooks"  # the folder of the generated notebooks


def project_url(root: Path, label: str, pattern: str) -> str:
    """The address under this label in pyproject.toml, or nothing."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(rf'^{label} = "({pattern})/?"$', text, re.MULTILINE)
    return found.group(1) if found else ""


def address(root: Path) -> str:
    """The repository's address in pyproject.toml, the one place where it is written."""
    found = project_url(root, "Repository", r"https://[^/\"]+/[^/\"]+/[^/\"]+?")
    if not found:
        raise ValueError(
            'pyproject.toml: expected a line Repository = "https://host/owner/name", found none'
        )
    return found


def tag(root: Path) -> str:
    """The name under which git keeps this edition; one in the making is on the main branch."""
    name = version(root)
    return "main" if ".dev" in name else f"v{name}"


def install_address(root: Path) -> str:
    """What pip is told to get the package of this edition."""
    return f"git+{address(root)}@{tag(root)}"


def colab_address(root: Path, chapter: str) -> str:
    """Where Colab opens a chapter's notebook."""
    owner, name = address(root).split("/")[-2:]
    return f"{COLAB}/{owner}/{name}/blob/{tag(root)}/{NOTEBOOKS}/{chapter}.ipynb"


def page_address(root: Path, chapter: str) -> str:
    """Where a page is on the web: below `Documentation`, or nothing without such a line."""
    published = project_url(root, "Documentation", r"https://[^\"]+?")
    return f"{published}/book/{chapter}.html" if published else ""
