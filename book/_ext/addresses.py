"""Every public name of the package: where it lives, how it can be written, what is said of it.

A name has one address, the one that readers import it from: the package itself where it offers
the name, else the public module that makes it, else the one that offers it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "nclib"
NO_ROOMS = {"tests", "__main__"}
BESIDE = re.compile(r"  # (?!fmt:)(.+)$")


@dataclass(frozen=True)
class Name:
    """A public name: where readers find it, what it is, and all ways to write it."""

    address: str
    home: str  # the module under whose heading it is described
    value: Any
    others: tuple[str, ...]

    @property
    def kind(self) -> str:
        if inspect.isclass(self.value):
            return "exception" if issubclass(self.value, BaseException) else "class"
        is_function = inspect.isroutine(self.value) or hasattr(self.value, "__wrapped__")
        return "function" if is_function else "data"


@cache
def rooms() -> tuple[str, ...]:
    """The public modules: the package, its modules, and those that a subpackage offers."""
    found = [PACKAGE]
    top = importlib.import_module(PACKAGE)
    for one in pkgutil.iter_modules(top.__path__, f"{PACKAGE}."):
        if one.name.split(".")[-1] in NO_ROOMS:
            continue
        module = importlib.import_module(one.name)
        if not hasattr(module, "__all__"):
            continue
        found.append(one.name)
        inner = [name for name in module.__all__ if isinstance(getattr(module, name), ModuleType)]
        found += [f"{one.name}.{name}" for name in inner]
    return tuple(found)


@cache
def assigned(module: str) -> dict[str, str]:
    """The constants that a module's own files make, each with what is said of it there."""
    path = Path(inspect.getfile(importlib.import_module(module)))
    rooms_within = sorted(path.parent.glob("*.py")) if path.stem == "__init__" else []
    files = [*rooms_within, path]  # its own file has the last word
    sources = [file.read_text(encoding="utf-8") for file in files]
    return {name: text for source in sources for name, text in remarks(source)}


def remarks(source: str) -> Iterator[tuple[str, str]]:
    """What a string below, or a comment beside or above, says of each constant of a file."""
    lines, body = source.splitlines(), ast.parse(source).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = inspect.cleandoc(str(following.value.value))
        elif found := BESIDE.search(lines[(node.end_lineno or node.lineno) - 1]):
            text = found[1]
        else:
            above = takewhile(lambda line: line.startswith("# "), lines[node.lineno - 2 :: -1])
            text = " ".join(line[2:] for line in reversed(list(above)))
        if isinstance(target, ast.Name):
            yield target.id, text


def home_of(module: str, name: str, value: Any) -> str:
    """The public module in which a name is described."""
    origin = getattr(value, "__module__", None)
    if origin in rooms() and name in getattr(importlib.import_module(origin), "__all__", ()):
        return origin
    if callable(value) and origin and origin.startswith(PACKAGE):
        offers = [one for one in rooms()[1:] if is_offered(one, name, value)]
        return offers[0] if offers else module
    offers = [one for one in rooms()[1:] if is_offered(one, name, value)]
    return next((one for one in offers if name in assigned(one)), offers[0] if offers else module)


def is_offered(module: str, name: str, value: Any) -> bool:
    found = importlib.import_module(module)
    return name in found.__all__ and getattr(found, name) is value


@cache
def names() -> dict[str, Name]:
    """Every public name by its address."""
    ways: dict[str, list[str]] = {}
    found: dict[str, tuple[str, Any]] = {}
    top = importlib.import_module(PACKAGE)
    for module in rooms():
        room = importlib.import_module(module)
        for name in room.__all__:
            value = getattr(room, name)
            if isinstance(value, ModuleType):
                continue
            home = home_of(module, name, value)
            is_top = name in top.__all__ and getattr(top, name) is value
            address = f"{PACKAGE if is_top else home}.{name}"
            found[address] = (home, value)
            origin = getattr(value, "__module__", None) or home
            ways.setdefault(address, []).extend([f"{module}.{name}", f"{home}.{name}"])
            if origin.startswith(f"{PACKAGE}.") and hasattr(value, "__qualname__"):
                ways[address].append(f"{origin}.{value.__qualname__}")
    return {
        address: Name(address, home, value, tuple(dict.fromkeys(ways[address])))
        for address, (home, value) in found.items()
    }


@cache
def known() -> frozenset[str]:
    """Every way to write a public name in full."""
    return frozenset(way for one in names().values() for way in (one.address, *one.others))


def first_sentence(name: Name) -> str:
    """What a name is, in the first words that are said of it."""
    told = assigned(name.home).get(name.address.rpartition(".")[2], "")
    text = told if name.kind == "data" else inspect.getdoc(name.value) or ""
    head = " ".join(text.split("\n\n")[0].split())
    head = re.split(r"\s+(?:Source|Chapters?): ", head)[0]
    return head
