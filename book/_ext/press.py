"""Typeset the LaTeX of the book as one PDF: `python book/_ext/press.py` after the LaTeX build.

`python book/_ext/press.py check` only says whether the programs are here. An error of LaTeX, a
letter without a shape and a reference without a target fail; a line that is too long does not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES, SHELF = Path("_build/latex"), Path("_build/pdf")
PROGRAMS = ("latexmk", "xelatex", "rsvg-convert")
PACKAGES = """\
texlive-xetex texlive-latex-recommended texlive-latex-extra
  texlive-fonts-recommended texlive-plain-generic latexmk fonts-texgyre
  fonts-texgyre-math fonts-dejavu-core librsvg2-bin"""
COMMAND = ("latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-silent", "-g")
# What the log of a good book does not say. LaTeX breaks its lines at 79 letters.
FAULTS = (
    ("error", re.compile(r"^! .*(?:\n(?!l\.\d).*){0,6}(?:\nl\.\d.*)?", re.MULTILINE)),
    ("letter without a shape", re.compile(r"^Missing character: .*", re.MULTILINE)),
    ("target without a place", re.compile(r"^LaTeX Warning: Hyper reference .*", re.MULTILINE)),
    ("reference without a target", re.compile(r"^LaTeX Warning: Reference .*", re.MULTILINE)),
    ("label given twice", re.compile(r"^LaTeX Warning: Label .*", re.MULTILINE)),
)
PAGES = re.compile(r"Output written on .*?\((\d+) pages", re.DOTALL)
WIDE = re.compile(r"^Overfull \\hbox", re.MULTILINE)


class NotPrintedError(Exception):
    """The book could not be printed; the message says why."""


def check(programs: tuple[str, ...] = PROGRAMS) -> None:
    """Name what is missing here, and the packages that bring it."""
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        raise NotPrintedError(
            f"no {' and no '.join(absent)} here, which the PDF needs. On Debian and Ubuntu:\n"
            f"  apt install --no-install-recommends {PACKAGES}"
        )


def faults(log: str) -> list[str]:
    """What is wrong in a log of LaTeX, in its own words."""
    found = ((name, match[0]) for name, pattern in FAULTS for match in pattern.finditer(log))
    return [f"{name}: {words}" for name, words in dict.fromkeys(found)]


def typeset(folder: Path) -> Path:
    """Run LaTeX as often as it needs, and return the PDF."""
    source = next(folder.glob("*.tex"), None)
    if source is None:
        raise NotPrintedError(f"expected a .tex file in {folder}, found none")
    ran = subprocess.run([*COMMAND, source.name], cwd=folder, capture_output=True, text=True)
    path = source.with_suffix(".log")
    log = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ran.stderr
    wrong = faults(log)
    errors = [words for words in wrong if words.startswith("error")]
    # Where something failed LaTeX has not run to the end, and many targets are missing for that.
    if ran.returncode != 0 and not errors:
        raise NotPrintedError(f"latexmk failed:\n{(ran.stdout + ran.stderr)[-3000:]}")
    if wrong:
        raise NotPrintedError("\n".join((errors or wrong)[:20]))
    return source.with_suffix(".pdf")


def shelve(pdf: Path, shelf: Path) -> Path:
    """Put the PDF where a release takes it from."""
    shelf.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(pdf, shelf / pdf.name))


def main(words: list[str]) -> int:
    """Check, or typeset and shelve; say what came of it."""
    try:
        check()
        if words == ["check"]:
            return 0
        print("==> Typesetting: LaTeX runs three or four times, a minute or two", flush=True)
        book = shelve(typeset(SOURCES), SHELF)
    except NotPrintedError as reason:
        print(f"==> The PDF is NOT made: {reason}", file=sys.stderr)
        return 1
    log = (SOURCES / f"{book.stem}.log").read_text(encoding="utf-8", errors="replace")
    pages = PAGES.search(log)
    print(
        f"==> Printed: {book}, {pages[1] if pages else '?'} pages, "
        f"{book.stat().st_size / 1e6:.1f} MB ({len(WIDE.findall(log))} lines too wide)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
