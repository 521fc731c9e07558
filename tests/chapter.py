"""A chapter, read as its author wrote it: code cells, exercises, solutions, glued numbers."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import jupytext

import nclib

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""  # what every chapter with code begins with
LONGEST_CELL = 15  # a longer one is a function waiting for the library
GUESTS = {"torch", "torchvision", "numpy", "sympy", "matplotlib", "myst_nb"} | set(
    sys.stdlib_module_names
)
HIDING = {"remove-cell", "remove-input", "remove-output"}  # these cells vanish from notebooks
EXERCISE = re.compile(r"^[:`]{3,}\{exercise(?:-start)?\}.*\n:label: (\S+)$", re.MULTILINE)
SOLUTION = re.compile(r"^[:`]{3,}\{solution(?:-start)?\} (\S+)\n((?::\w+: .*\n)*)", re.MULTILINE)


def code_cells(source: str) -> list[str]:
    """The Python of each code cell, in order; empty for a page without code."""
    if "format_name: myst" not in source:
        return []
    notebook = jupytext.reads(source, fmt="md:myst")
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def cell_tags(source: str) -> set[str]:
    """All tags that any code cell of the chapter carries."""
    if "format_name: myst" not in source:
        return set()
    notebook = jupytext.reads(source, fmt="md:myst")
    return {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}


def long_cells(source: str) -> list[str]:
    """The first line of every code cell with more lines than a reader should scan."""
    cells = [[line for line in cell.splitlines() if line.strip()] for cell in code_cells(source)]
    return [cell[0] for cell in cells if len(cell) > LONGEST_CELL]


def unsolved(source: str) -> list[str]:
    """The exercises without a solution, and the solutions that do not start folded."""
    solutions = dict(SOLUTION.findall(source))
    open_ones = [f"{name}: no solution" for name in EXERCISE.findall(source)]
    kept = [line for line in open_ones if line.split(":")[0] not in solutions]
    return kept + [
        f"{name}: not folded"
        for name, options in solutions.items()
        if ":class: dropdown" not in options
    ]


def is_public(module: str, name: str) -> bool:
    """Whether a module of nclib offers a name to its readers."""
    if any(part.startswith("_") for part in [*module.split("."), name]):
        return False
    found = importlib.import_module(module)
    offered = getattr(found, "__all__", None)
    return hasattr(found, name) if offered is None else name in offered


def private_uses(source: str) -> list[str]:
    """Every import, and every attribute of nclib, that a chapter must not rely on."""
    faults = []
    for node in [node for cell in code_cells(source) for node in ast.walk(ast.parse(cell))]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root, *inner = alias.name.split(".")
                hidden = root == "nclib" and any(part.startswith("_") for part in inner)
                if hidden or root not in GUESTS | {"nclib"}:
                    faults.append(f"import {alias.name}")
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.split(".")[0] == "nclib":
                names = [alias.name for alias in node.names if not is_public(module, alias.name)]
                faults.extend(f"from {module} import {name}" for name in names)
            elif module.split(".")[0] not in GUESTS or node.level:
                faults.append(f"from {module} import ...")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "nclib" and node.attr not in nclib.__all__:
                faults.append(f"nclib.{node.attr}")
    return faults


def read(path: Path) -> str:
    """The source of a chapter."""
    return path.read_text(encoding="utf-8")
