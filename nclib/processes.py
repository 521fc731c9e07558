"""A cell in a process of its own: its data, its share of the cores, what is handed on to it.

Sweeps on one machine and on a cluster both start ``nclib run`` in such processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .cells import Cell
from .data import load
from .machine import PRECISIONS

__all__ = ["HANDED_ON", "absent_data", "require_handed_on", "with_threads"]

EMBEDDED = ("digits", "synthetic")  # these need no files
HANDED_ON: dict[str, tuple[str, ...]] = {
    "--precision": PRECISIONS,
    "--robustness": ("never", "ends", "always"),
    "--graph": (),
    "--no-graph": (),
    "--compile": (),
}
"""The options of ``nclib run`` that a sweep hands on, and the values of those that take one."""
SET_HERE = ("--folder", "--device", "--root", "--download", "--max-minutes")
RENAMING = {"--epochs": "-e20", "--limit": "-n500", "--every": "-m5"}  # each is part of a name


def absent_data(cells: Iterable[Cell], root: Path | str | None, download: bool) -> dict[Cell, str]:
    """Load each data set once before anybody needs it; why that failed, for each cell it is of.

    Many processes must not all fetch it.   Chapter: scale.
    """
    members: dict[str, list[Cell]] = {}
    for cell in cells:
        members.setdefault(cell.dataset, []).append(cell)
    found: dict[Cell, str] = {}
    for name in (name for name in members if name not in EMBEDDED):
        try:
            for split in ("train", "test"):
                load(name, split=split, root=root, download=download)
        except (ValueError, OSError) as error:
            found |= dict.fromkeys(members[name], str(error))
    return found


def with_threads(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment with so many threads, if it does not ask for fewer, and no progress bars.

    Chapter: scale.

    >>> with_threads({"OMP_NUM_THREADS": "1"}, 4)["OMP_NUM_THREADS"]
    '1'
    """
    found = dict(environment) | {"TQDM_DISABLE": "1"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        asked = found.get(name, "")
        few = int(asked) if asked.isdigit() and int(asked) else threads
        found[name] = str(min(few, threads))
    return found


def require_handed_on(words: Sequence[str]) -> None:
    """Refuse what ``nclib run`` would refuse, or what would lead a run away from its sweep.

    A record in another folder or of another name would never be found: its cell would be started
    anew with each call. Raises ValueError.   Chapter: scale.

    >>> require_handed_on(["--robustness", "ends", "--no-graph"])
    """
    left = list(words)
    while left:
        word = left.pop(0)
        name, has_value, value = word.partition("=")
        if name in SET_HERE:
            raise ValueError(f"{name}: expected before --, where the sweep reads it, got it after")
        if name in RENAMING:
            raise ValueError(
                f"{name}: expected in the cell's name, such as ...{RENAMING[name]}, got it after --"
            )
        if name not in HANDED_ON:
            raise ValueError(
                f"after --: expected options of nclib run, of {', '.join(HANDED_ON)}, got {word!r}"
            )
        values = HANDED_ON[name]
        if has_value and not values:
            raise ValueError(f"{name}: expected no value, got {value!r}")
        if values and not has_value:
            value = left.pop(0) if left else "nothing"
        if values and value not in values:
            raise ValueError(f"{name}: expected one of {', '.join(values)}, got {value!r}")
