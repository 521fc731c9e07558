"""The reference pages: each public name of the package, described once.

``.. nouns:: nclib.snr`` writes a module's introduction and then every name of its ``__all__`` that
lives there; what it borrows from elsewhere is a link. All other addresses of a name lead to the
same place. ``.. shelf:: nclib.snr nclib.head`` lists what the package itself offers of these
modules, with the first sentence of each.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import addresses
import constants
import docstrings
from addresses import Name, assigned, first_sentence, known, names
from constants import label_cells, table, value_rows
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import find_pending_xref_condition

FEW = 3  # names of a module that need no list of links above them
TYPES = {"class", "obj", "data", "exc"}
UNSPOKEN = re.compile(r"= <[^<>]*>")  # a default that Python shows and does not read


def members(owner: type) -> tuple[list[str], list[str]]:
    """Options for a class, and a description of its fields from the comments beside them."""
    own = {f: str(hint) for f, hint in inspect.get_annotations(owner).items() if f[0] != "_"}
    notes, lines = docstrings.field_notes(owner), []
    for field, hint in own.items():
        lines += [f".. py:attribute:: {field}", f"   :type: {hint}", "   :no-index-entry:", ""]
        lines += ["   " + docstrings.sentence(notes[field]), ""] if field in notes else []
    options = [":members:", ":undoc-members:"]
    return options + ([f":exclude-members: {', '.join(own)}"] if own else []), lines


def describe(name: Name) -> list[str]:
    """The directive that describes a name."""
    if name.kind != "data":
        options, fields = (members(name.value)) if name.kind != "function" else ([], [])
        lines = [f".. auto{name.kind}:: {name.address}", *options, "", *fields]
        return [lines[0], *("   " + row for row in lines[1:])]
    module, _, last = name.address.rpartition(".")
    told = docstrings.markup(assigned(name.home).get(last, "").splitlines())
    body = [*told, *value_rows(last, name.value)]
    return [f".. py:data:: {last}", f"   :module: {module}", "", *("   " + row for row in body), ""]


class Nouns(SphinxDirective):
    """A module and the names that live in it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [kept(self, lambda: self.describe(self.arguments[0]))]

    def describe(self, module: str) -> nodes.container:
        found = importlib.import_module(module)
        here = [one for one in names().values() if one.home == module]
        order = {name: k for k, name in enumerate(found.__all__)}
        here.sort(key=lambda one: order[one.address.rpartition(".")[2]])
        lines = [f".. automodule:: {module}", ""]
        if len(here) > FEW:
            lines += [", ".join(f":py:obj:`~{one.address}`" for one in here), ""]
        for one in here:
            lines += describe(one)
        ours = {f"{module}.{name}" for name in found.__all__}
        borrowed = [n for n in names().values() if n.home != module and ours.intersection(n.others)]
        if borrowed:
            links = ", ".join(f":py:obj:`~{one.address}`" for one in borrowed)
            lines += [f"Also offered here: {links}.", ""]
        written = parsed(self, lines)
        self.register(here)
        return written

    def register(self, here: list[Name]) -> None:
        """Let all other addresses of a name, and of its members, lead to the same place."""
        domain: Any = self.env.get_domain("py")
        for one in here:
            inner = [key for key in domain.objects if f"{key}.".startswith(f"{one.address}.")]
            for key in inner:
                entry = domain.objects[key]
                for other in one.others:
                    alias = other + key[len(one.address) :]
                    if alias not in domain.objects:
                        domain.note_object(alias, entry.objtype, entry.node_id, aliased=True)


class Shelf(SphinxDirective):
    """Names of some modules with one sentence each."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return [kept(self, self.describe)]

    def describe(self) -> nodes.container:
        wanted = self.arguments[0].split()
        top = [n for n in names().values() if n.address.count(".") == 1 and n.home in wanted]
        rows = [
            (f":py:obj:`{one.address}`", docstrings.sentence(first_sentence(one))) for one in top
        ]
        return parsed(self, table(rows, header=False, kind="api-shelf"))


def parsed(directive: SphinxDirective, lines: list[str]) -> nodes.container:
    """What some markup stands for."""
    within = nodes.container(classes=["api"])
    within.document = directive.state.document
    directive.state.nested_parse(StringList(lines, source="<docstrings>"), 0, within)
    label_cells(within)
    return within


def kept(directive: SphinxDirective, make: Callable[[], nodes.container]) -> nodes.container:
    """A description from the folder of this state of the library, or a new one, kept there.

    To import the whole package and to read six hundred docstrings takes longer than all other
    pages of an unchanged book. One with a warning is not kept, so that the next build warns, too.
    """
    app, domain = directive.env.app, directive.env.get_domain("py")
    shelf = [domain.data["objects"], domain.data["modules"]]
    rules = [Path(one.__file__ or "") for one in (addresses, constants, docstrings)]
    rules += [Path(__file__), Path(app.srcdir, "_config.yml")]
    said = [directive.env.docname, *directive.arguments, *(path.read_text() for path in rules)]
    name = hashlib.sha256("\0".join(said).encode()).hexdigest()[:24]
    path = Path(app.config.nb_execution_cache_path) / "descriptions" / f"{name}.pickle"
    if path.is_file():
        within, entries = pickle.loads(path.read_bytes())
        for known_ones, new in zip(shelf, entries, strict=True):
            known_ones.update(new)
        return within
    before, warnings = [set(one) for one in shelf], app._warncount
    within = make()
    make_plain(within)
    for node in within.findall(include_self=True):
        vars(node).pop("_document", None)  # else the whole page would be kept, too
    new = [{k: one[k] for k in one.keys() - old} for one, old in zip(shelf, before, strict=True)]
    if app._warncount == warnings:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps((within, new)))
    return within


def skip(app: Any, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out methods that say nothing of themselves."""
    return True if inspect.isroutine(obj) and not inspect.getdoc(obj) else None


def signature(
    app: Any, what: str, name: str, obj: Any, options: Any, arguments: Any, result: Any
) -> tuple[str, Any] | None:
    """What Python says of arguments, as far as it is meant for readers and can be parsed.

    Nobody calls a protocol. And a default such as ``<factory>`` is no expression: with it Sphinx
    would print the whole list as it is, tildes included.
    """
    if getattr(obj, "_is_protocol", False):
        return "", None
    if arguments and UNSPOKEN.search(arguments):
        return UNSPOKEN.sub("= ...", arguments), result
    return None


def make_plain(within: nodes.container) -> None:
    """Types of other packages, and inner ones of ours, are plain text in a signature.

    Done here and not where Sphinx misses them: that would be on every build.
    """
    for node in list(within.findall(pending_xref)):
        if node.get("reftype") not in TYPES:
            continue
        target, module = node.get("reftarget", ""), node.get("py:module")
        near = f"{module}.{target}"
        if near in known():
            node["reftarget"] = near
        elif target not in known():
            short = find_pending_xref_condition(node, "resolved")
            place = node.parent.index(node)
            node.parent[place : place + 1] = (short or node).children


def setup(app: Any) -> dict[str, bool]:
    app.setup_extension("docstrings")
    app.add_css_file("api.css")
    app.add_directive("nouns", Nouns)
    app.add_directive("shelf", Shelf)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
