"""A menu in the head of every chapter that has a notebook: run it on Colab, or take it home.

The theme's own launch buttons assume that the chapter itself is a notebook. Ours lie in a folder of
their own and are served with the pages, so that the second entry works offline. Both are plain
links: nothing is loaded from elsewhere until somebody follows the first.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import repository

AFTER_THE_THEME = 502  # which builds its list of buttons at 501


def notebook_of(root: Path, page: str) -> Path | None:
    """The generated notebook of a page, where it has one."""
    path = root / repository.NOTEBOOKS / f"{PurePosixPath(page).name}.ipynb"
    return path if page.startswith("book/") and path.is_file() else None


def link(text: str, tooltip: str, icon: str, url: str) -> dict[str, str]:
    return {"type": "link", "text": text, "tooltip": tooltip, "icon": f"fas {icon}", "url": url}


def add_menu(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the menu before the theme's buttons."""
    root, here = Path(app.srcdir), PurePosixPath(page)
    if notebook_of(root, page) is None:
        return
    home = context["pathto"](f"{repository.NOTEBOOKS}/{here.name}.ipynb", 1)
    colab = repository.colab_address(root, here.name)
    menu = {
        "type": "group",
        "tooltip": "Run this chapter",
        "icon": "fas fa-rocket",
        "label": "launch-buttons",
        "buttons": [
            link("Open in Colab", "Run this chapter on Colab", "fa-cloud", colab),
            link("Notebook (.ipynb)", "The notebook of this chapter", "fa-download", home),
        ],
    }
    context["header_buttons"].insert(0, menu)


def serve(app: Any, exception: Exception | None) -> None:
    """Put the notebooks beside the pages."""
    if exception is not None or app.builder.name != "html":
        return
    target = Path(app.outdir) / repository.NOTEBOOKS
    for page in app.env.found_docs:
        if path := notebook_of(Path(app.srcdir), page):
            target.mkdir(exist_ok=True)
            shutil.copyfile(path, target / path.name)


def setup(app: Any) -> dict[str, bool]:
    app.connect("html-page-context", add_menu, priority=AFTER_THE_THEME)
    app.connect("build-finished", serve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
