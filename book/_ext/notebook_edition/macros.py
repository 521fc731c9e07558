r"""Write the book's TeX macros out in full.

A notebook is shown by programs that share no macro between cells, or know none at all. So a formula
leaves the book in plain TeX: ``\SW`` becomes ``\Sigma_W``. As in TeX, a macro that stands where one
token is read stays one thing: ``x_\SW`` becomes ``x_{\Sigma_W}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

Macros: TypeAlias = Mapping[str, "str | list[str | int]"]  # as MathJax's configuration has them

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)
WORD_AT_END = re.compile(r"(?<!\\)(?:\\\\)*\\[A-Za-z]+$")
PARAMETER = re.compile(r"(#\d)")
DEEPEST = 20  # a chain of macros that is longer goes in circles
# Commands that read whole arguments: a macro standing there alone must not fall apart.
READERS = {"_": 1, "^": 1, r"\sqrt": 1}
READERS |= dict.fromkeys((r"\frac", r"\tfrac", r"\dfrac", r"\binom", r"\underset", r"\overset"), 2)
READERS |= dict.fromkeys(
    (rf"\{name}" for name in "hat widehat tilde widetilde bar vec dot ddot check acute".split()), 1
)
READERS |= dict.fromkeys(
    (rf"\{name}" for name in "overline underline overbrace underbrace boldsymbol pmb".split()), 1
)
READERS |= dict.fromkeys((rf"\math{name}" for name in "rm bf it bb cal frak scr sf tt".split()), 1)


def join(pieces: list[str]) -> str:
    """Concatenate, with a space where a command would swallow the letter that follows it."""
    whole = ""
    for piece in pieces:
        apart = piece[:1].isalpha() and WORD_AT_END.search(whole)
        whole += f" {piece}" if apart else piece
    return whole


class Tokens:
    """A formula as TeX reads it, one token or one argument at a time."""

    def __init__(self, formula: str) -> None:
        self.formula = formula
        self.rest: list[str] = TOKEN.findall(formula)[::-1]

    def skip_space(self) -> None:
        while self.rest and self.rest[-1].isspace():
            self.rest.pop()

    def until(self, opening: str, closing: str) -> str:
        """Everything up to the matching closing token, which is taken too."""
        depth, inside = 1, []
        while self.rest:
            token = self.rest.pop()
            depth += (token == opening) - (token == closing)
            if depth == 0:
                return "".join(inside)
            inside.append(token)
        raise ValueError(f"{self.formula!r}: no {closing!r} for a {opening!r}")

    def argument(self) -> tuple[str, bool]:
        """The next argument, and whether it came in braces."""
        self.skip_space()
        if not self.rest:
            raise ValueError(f"{self.formula!r}: an argument is missing")
        token = self.rest.pop()
        return (self.until("{", "}"), True) if token == "{" else (token, False)

    def option(self) -> str:
        """An optional argument with its brackets, or nothing."""
        if self.rest and self.rest[-1] == "[":
            self.rest.pop()
            return f"[{self.until('[', ']')}]"
        return ""


def called(name: str, tokens: Tokens, macros: Macros, depth: int) -> str:
    """What one macro stands for, with its arguments put in."""
    definition = macros[name]
    body, count = definition if isinstance(definition, list) else (definition, 0)
    values = {f"#{k + 1}": tokens.argument()[0] for k in range(int(count))}
    pieces = PARAMETER.split(str(body))
    try:
        filled = join([values[piece] if PARAMETER.fullmatch(piece) else piece for piece in pieces])
    except KeyError as missing:
        raise ValueError(f"macro {name}: {missing} beyond its {count} arguments") from missing
    return expand(filled, macros, depth + 1)


def expand(formula: str, macros: Macros, depth: int = 0) -> str:
    r"""The formula without the macros, for instance ``W\T`` as ``W^{\top}``.

    Raises ValueError for a macro without its arguments, for unbalanced braces, and for macros that
    call each other in circles.
    """
    if depth > DEEPEST:
        raise ValueError(f"{formula!r}: macros that go in circles")
    tokens, pieces = Tokens(formula), []
    while tokens.rest:
        token = tokens.rest.pop()
        if token.startswith("\\") and token[1:] in macros:
            pieces.append(called(token[1:], tokens, macros, depth))
            continue
        pieces.append(token)
        if token == r"\sqrt":
            pieces.append(expand(tokens.option(), macros, depth))
        for _ in range(READERS.get(token, 0)):
            argument, braced = tokens.argument()
            alone = argument.startswith("\\") and argument[1:] in macros
            whole = expand(argument, macros, depth)
            pieces.append(f"{{{whole}}}" if braced or alone else whole)
    return join(pieces)
