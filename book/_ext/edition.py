"""Say on every page which edition it is: version, commit, date.

The commit is left out where there is none (a source archive). `SOURCE_DATE_EPOCH` fixes the date,
`BOOK_URL` turns on the canonical links and social previews of a published copy.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

CARD = (
    "Three arms from one origin with clouds of points around their ends; at the last epoch the "
    "clouds have shrunk onto the ends."
)


def version(root: Path) -> str:
    """The version in pyproject.toml, the one place where it is written."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError('pyproject.toml: expected a line version = "...", found none')
    return found.group(1)


def git(root: Path, *words: str) -> str:
    """The answer of git about this tree, or nothing where there is no git or no repository."""
    command = ["git", "-C", str(root), *words]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


def commit(root: Path) -> str:
    """The short commit, marked where tracked files differ from it; empty without a repository."""
    # A source archive unpacked inside some other repository must not borrow that one's commit.
    if not (root / ".git").exists():
        return ""
    name = git(root, "rev-parse", "--short=8", "HEAD")
    dirty = git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{name} with changes" if name and dirty else name


def date() -> str:
    """The day of the build in universal time."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    moment = (
        datetime.now(timezone.utc)
        if seconds is None
        else datetime.fromtimestamp(int(seconds), timezone.utc)
    )
    return moment.strftime("%Y-%m-%d")


def sign(app: Any, config: Any) -> None:
    """Write the edition into the footer and into the configuration."""
    root = Path(app.srcdir)
    parts = [f"Edition {version(root)}"]
    if name := commit(root):
        parts.append(f"commit {name}")
    parts.append(f"built {date()}")
    config.version = config.release = version(root)
    config.html_theme_options["extra_footer"] = f'<p class="edition">{", ".join(parts)}</p>'


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", sign)
    if address := os.environ.get("BOOK_URL"):
        app.config.html_baseurl = app.config.ogp_site_url = address.rstrip("/") + "/"
        app.config.ogp_image = "_static/card.png"
        app.config.ogp_image_alt = CARD
        app.setup_extension("sphinxext.opengraph")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
