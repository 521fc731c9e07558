"""What the cover brings along: the entry to cite, and the card shown where somebody links to it."""

from __future__ import annotations

import importlib
import shutil
import struct
import sys
from pathlib import Path

import yaml

import nclib

from .tree import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
citation = importlib.import_module("citation")
CARD = ROOT / "book" / "_static" / "card.png"
HEAVIEST = 150_000  # bytes of the card


def test_entry_says_what_the_citation_file_says() -> None:
    """Title and authors are those of CITATION.cff; version and address those of the package."""
    fields = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    entry = citation.bibtex(ROOT)
    assert fields["title"] in entry.replace("{MSE}", "MSE")
    assert all(one.get("name", one.get("family-names")) in entry for one in fields["authors"])
    assert f"{{{nclib.__version__}}}" in entry and "https://" in entry
    assert entry.count("{") == entry.count("}") and entry.startswith("@software{")


def test_entry_follows_its_sources(tmp_path: Path) -> None:
    """Another version, date, person and DOI come through; a group of authors stays whole."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    project = tmp_path / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace(f'"{nclib.__version__}"', '"9.8.7"'), encoding="utf-8")
    fields = {
        "title": "MSE and EMSE",
        "authors": [{"family-names": "Noether", "given-names": "Emmy"}, {"name": "The others"}],
        "date-released": "1918-07-26",
        "doi": "10.0/abc",
    }
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(fields), encoding="utf-8")
    entry = citation.bibtex(tmp_path)
    assert "{{MSE} and EMSE}" in entry and "{Noether, Emmy and {The others}}" in entry
    assert all(f"{{{value}}}" in entry for value in ("9.8.7", "1918", "10.0/abc"))


def test_card_is_as_previews_want_it() -> None:
    """1200 by 630 pixels, and light."""
    head = CARD.read_bytes()[:24]
    assert head.startswith(b"\x89PNG") and struct.unpack(">II", head[16:24]) == (1200, 630)
    assert CARD.stat().st_size < HEAVIEST
