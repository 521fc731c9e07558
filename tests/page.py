"""A built page, read once: its ids, links, loaded resources, images and visible text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SILENT = {"script", "style", "pre", "code", "template"}
EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
LOADING_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "manifest",
}


@dataclass
class Page:
    """What the checks need to know of one HTML file."""

    path: Path
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # where a reader can go
    resources: list[str] = field(default_factory=list)  # what the browser loads by itself
    images: list[dict[str, str]] = field(default_factory=list)
    classes: list[set[str]] = field(default_factory=list)  # of every element, in order
    text: str = ""  # outside code

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls.parse(path, path.read_text(encoding="utf-8"))

    @classmethod
    def parse(cls, path: Path, source: str) -> Page:
        page = cls(path)
        _Reader(page).feed(source)
        return page

    def count(self, name: str) -> int:
        """How many elements carry a class."""
        return sum(name in classes for classes in self.classes)


class _Reader(HTMLParser):
    """Fills a Page while it walks through the tags."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self.silent: list[str] = []  # the open elements whose text nobody reads as prose

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.page.ids.extend(values[name] for name in ("id",) if name in values)
        if tag == "a" and "name" in values:
            self.page.ids.append(values["name"])
        self.page.classes.append(set(values.get("class", "").split()))
        if tag in {"a", "area"} and "href" in values:
            self.page.links.append(values["href"])
        elif tag == "link" and LOADING_LINKS.intersection(values.get("rel", "").split()):
            self.page.resources.append(values.get("href", ""))
        for name in ("src", "data", "poster"):
            if tag != "a" and name in values:
                self.page.resources.append(values[name])
        candidates = values.get("srcset", "").split(",")
        self.page.resources.extend(one.split()[0] for one in candidates if one.strip())
        if tag == "img":
            self.page.images.append(values)
        if tag in SILENT and tag not in EMPTY:
            self.silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.page.text += data


def is_elsewhere(address: str) -> bool:
    """Whether an address leads to another host."""
    return bool(urlsplit(address).netloc)


def broken_links(pages: dict[Path, Page], root: Path) -> list[str]:
    """Every internal link whose file or anchor does not exist, or that leaves the book."""
    faults = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_relative_to(root):
                faults.append(f"{path.name}: {link} leaves the book")
            elif not target.is_file():
                faults.append(f"{path.name}: {link} leads to no file")
            elif parts.fragment and target in pages:
                if unquote(parts.fragment) not in pages[target].ids:
                    faults.append(f"{path.name}: {link} leads to no anchor")
    return faults


def missing_resources(page: Page) -> list[str]:
    """Every script, style, image or font of a page that is on another host or does not exist."""
    faults = []
    for address in page.resources:
        parts = urlsplit(address)
        if parts.scheme == "data":
            continue
        if parts.scheme or parts.netloc:
            faults.append(f"{page.path.name}: loads {address} from elsewhere")
        elif not (page.path.parent / unquote(parts.path)).is_file():
            faults.append(f"{page.path.name}: loads {address}, which does not exist")
    return faults


def poor_images(page: Page) -> list[str]:
    """Every image whose alternative text says nothing about what is seen."""
    faults = []
    for image in page.images:
        words = image.get("alt", "").strip()
        named_by_file = words.lower().endswith((".png", ".svg", ".jpg", ".gif")) or "/" in words[:9]
        if len(words) < 25 or len(words.split()) < 4 or named_by_file:
            faults.append(f"{page.path.name}: image {image.get('src')} has alt text {words!r}")
    return faults


def leaked_markup(page: Page) -> list[str]:
    """Pieces of directive syntax that reached the reader as text."""
    signs = ("{prf:", "{glue:", "{eq}", "{ref}", "{numref}", "{cite", ":::", "```", "{code-cell}")
    return [f"{page.path.name}: shows {sign!r}" for sign in signs if sign in page.text]


def repeated_ids(page: Page) -> list[str]:
    """Ids that more than one element of a page carries, so that a link would be ambiguous."""
    return sorted({name for name in page.ids if page.ids.count(name) > 1})
