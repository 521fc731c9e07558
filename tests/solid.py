"""A small site with a figure to turn: a run of four classes, drawn twice on a long page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from nclib import ClassStats, Head, figures, simplex_etf
from nclib.figures.tetrahedron import Look

from .tree import ROOT

MIME = "application/vnd.plotly.v1+json"
ALT = 'Four clouds & a body "to turn"; each cloud moves to a corner.'
EPOCHS = (1, 2, 5, 9)
CONF = f"""import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "plotly_figures"]
nb_execution_mode = "off"
numfig = True
html_extra_path = [{str(ROOT / "book" / "_extra")!r}]
"""
NUMBERED = {"name": "fig-solid", "caption": "A body to turn."}


def looks() -> list[Look]:
    """A run of four classes whose spread shrinks with the epoch."""
    g = torch.Generator().manual_seed(0)
    corners, labels = simplex_etf(4, 5), torch.arange(4).repeat(40)
    seen = []
    for epoch in EPOCHS:
        noise = torch.randn(160, 5, generator=g, dtype=torch.float64)
        features = corners[labels] + 0.4 / epoch * noise
        stats = ClassStats.of(features, labels, 4)
        head = Head(corners, torch.zeros(4))
        one = {"stats": stats, "head": head, "features": features, "labels": labels}
        seen.append(SimpleNamespace(epoch=epoch, **one))
    return seen


def solid() -> dict[str, Any]:
    """What a cell stores."""
    return json.loads(str(figures.turning.plot_tetrahedron(looks(), range(4)).to_json()))


def notebook(figure: dict[str, Any], alt: str) -> dict[str, Any]:
    """Room to scroll, then the figure twice."""
    text = "# Title\n\nSee {numref}`fig-solid`.\n\n" + "\n\n".join(["A line."] * 60)
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "room", "metadata": {}, "source": text}
    ]
    for k in range(2):
        shown = {"output_type": "display_data", "data": {MIME: figure}, "metadata": {}}
        cell = {"cell_type": "code", "id": f"cell-{k}", "source": "figure", "execution_count": 1}
        words: dict[str, Any] = {"image": {"alt": alt}} if alt else {}
        metadata = {"mystnb": words | ({} if k else {"figure": NUMBERED})}
        cells.append(cell | {"metadata": metadata, "outputs": [shown]})
    spoken = {"language_info": {"name": "python", "pygments_lexer": "python"}}
    return {"cells": cells, "metadata": spoken, "nbformat": 4, "nbformat_minor": 5}


def build(folder: Path, figure: dict[str, Any], alt: str, builder: str) -> tuple[Path, str]:
    """Pages of a small project with the extension; where they lie, and what was warned of."""
    folder.mkdir()
    (folder / "conf.py").write_text(CONF)
    (folder / "index.ipynb").write_text(json.dumps(notebook(figure, alt)))
    (folder / "plain.md").write_text("---\norphan: true\n---\n# Plain\n")
    out = folder / "out"
    command = [sys.executable, "-m", "sphinx", "-q", "-b", builder, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return out, done.stderr
