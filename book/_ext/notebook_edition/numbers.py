"""The numbers that the chapters' text quotes, kept in a file, so that no chapter need run.

`glean` takes them from the execution cache that `make book` has filled. `stand_in` fills another
cache with runs that never took place: each chapter's run has these numbers, an empty picture for
every figure, and nothing else. A build from it gives the same text on every machine.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode

FILE = "numbers.json"
DIGITS = 12  # the last few differ from one machine to the next
KIND = "application/papermill.record/"
TEXT = f"{KIND}text/plain"
# One transparent pixel.
PICTURE = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()


def sources(root: Path) -> Iterator[tuple[str, NotebookNode]]:
    """The chapters of the contents that have code cells, by name, as the build reads them."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    markdown = MdParserConfig(enable_extensions=set(config["parse"]["myst_enable_extensions"]))
    entries = [entry for part in contents.get("parts", ()) for entry in part["chapters"]]
    inner = [child for entry in entries for child in entry.get("sections", ())]
    for name in [contents["root"], *(entry["file"] for entry in entries + inner)]:
        path = root / name
        text = path.read_text(encoding="utf-8")
        if not is_myst_markdown_notebook(text):
            continue
        notebook = read_myst_markdown_notebook(text, config=markdown, path=path)
        if any(cell.cell_type == "code" for cell in notebook.cells):
            yield path.stem, notebook


def rounded(text: str) -> str:
    """A number without the digits that mean nothing; anything else as it is."""
    try:
        value = float(text)
    except ValueError:
        return text
    return repr(float(f"{value:.{DIGITS}g}")) if set(text) & set(".en") else text


def quoted(notebook: NotebookNode) -> dict[str, str]:
    """The numbers that an executed chapter hands to its text, by name."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    records = [out for out in outputs if TEXT in out.get("data", ())]
    return {out.metadata["scrapbook"]["name"]: rounded(out.data[TEXT]) for out in records}


def glean(root: Path, folder: Path) -> dict[str, dict[str, str]]:
    """The numbers of all chapters from an execution cache.

    Raises LookupError naming the chapters that the cache does not have.
    """
    cache, found, missing = get_cache(str(folder)), {}, []
    for name, notebook in sources(root):
        try:
            found[name] = quoted(cache.merge_match_into_notebook(notebook)[1])
        except KeyError:
            missing.append(name)
    if missing:
        raise LookupError(f"not run yet: {', '.join(missing)}; run `make book` first")
    return found


def read(folder: Path) -> dict[str, dict[str, str]]:
    """The numbers on file in the folder of the notebooks."""
    return json.loads((folder / FILE).read_text(encoding="utf-8"))


def write(folder: Path, numbers: dict[str, dict[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(numbers, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / FILE).write_text(f"{text}\n", encoding="utf-8")


def output(data: dict[str, str], **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def stand_in(root: Path, numbers: dict[str, dict[str, str]], folder: Path) -> None:
    """Fill a cache with a run of every chapter that consists of its numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(str(folder))
    for name, notebook in sources(root):
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell in code:
            cell.outputs = []
            if "figure" in cell.metadata.get("mystnb", ()):
                cell.outputs.append(output({"image/png": PICTURE}))
        for key, text in numbers.get(name, {}).items():
            record = {"name": key, "mime_prefix": KIND}
            code[0].outputs.append(output({TEXT: text}, scrapbook=record))
        bundle = CacheBundleIn(notebook, str(root / "book" / f"{name}.md"), data={})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
