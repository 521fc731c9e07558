"""Figures to turn by hand, as the book's extension stores them: number, words, script, paper."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from .page import Page
from .solid import ALT, build
from .tree import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
plotly_figures: Any = importlib.import_module("plotly_figures")


# On the page --------------------------------------------------------------------------------------


def test_figure_is_on_the_page_as_it_was_stored(site: Path, figure: dict[str, Any]) -> None:
    """The data stands in the page, once for each figure, in a labelled group."""
    source = (site / "index.html").read_text(encoding="utf-8")
    stored = source.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(stored) == figure
    assert source.count('<figure role="group"') == 2
    assert 'aria-label="Four clouds &amp; a body &quot;to turn&quot;; each' in source


def test_figure_has_its_number(site: Path) -> None:
    """With a name and a caption it is counted like any other figure, and can be referred to."""
    page = Page.read(site / "index.html")
    assert "See Fig. 1." in page.text
    assert "Fig. 1 A body to turn." in " ".join(page.text.split())
    assert page.count("turning") == 2


def test_script_is_on_pages_with_a_figure_only(site: Path) -> None:
    """One tag on the page with two figures, none elsewhere; the library itself in no page."""
    tags = {name: Page.read(site / f"{name}.html").resources for name in ("index", "plain")}
    assert sum("turning.js" in address for address in tags["index"]) == 1
    assert sum("turning.css" in address for address in tags["index"]) == 1
    assert not any("turning" in address for address in tags["plain"])
    assert not any("plotly" in address for address in tags["index"])


@pytest.mark.parametrize("title", ["</script><b>&", "<!--<script>", "<!-- </SCRIPT "])
def test_text_cannot_end_the_script(title: str) -> None:
    """Data with tags in it stays data; an opened comment would make the page's end a part of it."""
    text = plotly_figures.markup({"title": title}, "alt")
    inside = text.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(inside) == {"title": title}
    assert "<" not in inside


def test_paper_gets_a_sentence(figure: dict[str, Any], tmp_path: Path) -> None:
    """LaTeX is written without a warning, with a line in place of each figure."""
    out, said = build(tmp_path / "latex", figure, ALT, "latex")
    (source,) = [path.read_text(encoding="utf-8") for path in out.glob("*.tex")]
    assert said == ""
    assert source.count("The online edition has a figure here") == 2
    assert source.count(r"\caption{A body to turn.}") == 1
    assert "scatter3d" not in source


def test_figure_without_words_is_warned_of(figure: dict[str, Any], tmp_path: Path) -> None:
    """A strict build fails on a figure that says nothing to a reader who cannot see it."""
    _, said = build(tmp_path / "mute", figure, "", "html")
    assert said.count("a Plotly figure needs an alternative text") == 2


def test_other_outputs_are_left_alone() -> None:
    """What is not a Plotly figure goes to the other renderers."""
    data = SimpleNamespace(mime_type="text/plain", content="x")
    assert plotly_figures.PlotlyFigure.handle_mime(None, data, False) is None
