"""A proof as a value: what is given, what follows, and whether each step really holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.matrices import MatrixBase
from sympy.printing.latex import LatexPrinter

from .algebra import Rule, remainder, rule_pair

__all__ = ["Given", "Proof", "Step"]

WIDE = 20  # letters on a line, so that a line fits a telephone

# The book's macros for the loss terms, spelled out so that they display outside the book too.
LETTERS = {
    r"\Loss": r"\mathcal{L}",
    r"\LLS": r"\mathcal{L}_{\mathrm{LS}}",
    r"\Lone": r"\mathcal{L}_{\mathrm{NC1}}",
    r"\Ltwothree": r"\mathcal{L}_{\mathrm{NC2/3}}",
    r"\Lperp": r"\mathcal{L}_{\mathrm{LS}}^{\perp}",
}


@dataclass(frozen=True, eq=False)
class Given:
    """An equation that a proof starts from: a definition or a hypothesis.

    ``left`` is one product of matrix symbols; steps that use the equation put ``right`` in its
    place.   Chapter: decomposition.
    """

    says: str
    left: Any
    right: Any

    @property
    def rules(self) -> tuple[Rule, Rule]:
        """The equation and its transpose, to rewrite with."""
        return rule_pair(self.left, self.right)

    def _repr_latex_(self) -> str:
        return f"$${_equation(self.left, self.right)}$$"


@dataclass(frozen=True, eq=False)
class Step:
    """One equation of a proof, in a sentence and in two expressions whose difference is zero.

    ``left`` and ``right`` are scalars, matrices or matrix expressions; ``using`` names the given
    equations and earlier steps that the equation needs. ``tex`` replaces the printed equation
    where it is checked entry by entry and the entries would fill pages.   Chapter: decomposition.
    """

    says: str
    left: Any
    right: Any
    using: tuple[Given | Step, ...] = ()
    tex: str | None = None

    @cached_property
    def remainder(self) -> Any:
        """What is left of left - right after rewriting by what the step uses."""
        return remainder(self.left, self.right, (r for p in self.using for r in p.rules))

    @property
    def holds(self) -> bool:
        """Whether left - right simplifies to zero."""
        return _is_zero(self.remainder)

    @property
    def rules(self) -> tuple[Rule, Rule]:
        """The equation and its transpose, for later steps to rewrite with."""
        return rule_pair(self.left, self.right)

    def _repr_latex_(self) -> str:
        return f"$${_spelled_out(self.tex or _equation(self.left, self.right))}$$"


@dataclass(frozen=True, eq=False)
class Proof:
    """A statement with the steps that prove it; it displays as text and formulas in a notebook.

    ``scope`` says for which dimensions the steps are checked. A step may use given equations and
    steps before it; a later or foreign step is a ValueError.   Chapter: decomposition.
    """

    name: str
    statement: str
    source: str
    scope: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        for k, step in enumerate(self.steps):
            foreign = set(step.using) - set(self.given) - set(self.steps[:k])
            if foreign:
                raise ValueError(
                    f"steps: expected step {k + 1} of {self.name} to use what is given or an "
                    f"earlier step, got {[premise.says for premise in foreign]}"
                )

    @property
    def given(self) -> tuple[Given, ...]:
        """What the steps start from, in the order of first use."""
        premises = (premise for step in self.steps for premise in step.using)
        return tuple(dict.fromkeys(p for p in premises if isinstance(p, Given)))

    @property
    def holds(self) -> bool:
        """Whether every step holds."""
        return all(step.holds for step in self.steps)

    def __repr__(self) -> str:
        return f"<Proof of {self.name}: {len(self.steps)} steps>"

    def _repr_markdown_(self) -> str:
        labels = self._labels()
        blocks = [f"**{self.name}** ({self.source}). {self.statement}"]
        blocks += [f"*Checked for* {self.scope}." + " *Given:*" * bool(self.given)]
        blocks += ["\n".join(_premise(given, labels[given]) for given in self.given)]
        for step in self.steps:
            blocks += [_sentence(step, labels), step._repr_latex_()]
        return _spelled_out("\n\n".join([*blocks, self._verdict()]))

    def _labels(self) -> dict[Given | Step, str]:
        """Letters for what is given, numbers for the steps."""
        letters = {given: f"({chr(ord('a') + k)})" for k, given in enumerate(self.given)}
        return {**letters, **{step: f"({k})" for k, step in enumerate(self.steps, start=1)}}

    def _verdict(self) -> str:
        failing = [k for k, step in enumerate(self.steps, start=1) if not step.holds]
        if failing:
            return f"**Not proved:** {len(failing)} of {len(self.steps)} steps fail: {failing}."
        return f"*All {len(self.steps)} steps hold.* $\\blacksquare$"


def _premise(given: Given, label: str) -> str:
    """One line of the list of what is given."""
    return f"- {label} {given.says}: ${_equation(given.left, given.right)}$"


def _sentence(step: Step, labels: dict[Given | Step, str]) -> str:
    """The step's number, mark and sentence, with the equations it uses."""
    mark = "✓" if step.holds else "✗"
    by = ", ".join(label for premise, label in labels.items() if premise in step.using)
    return f"**{labels[step]}** {mark} {step.says}" + (f" *By {by}.*" if by else "")


def _spelled_out(tex: str) -> str:
    """The text with the book's macros replaced by plain LaTeX."""
    return re.sub(r"\\[A-Za-z]+", lambda word: LETTERS.get(word[0], word[0]), tex)


def _is_zero(value: Any) -> bool:
    if isinstance(value, MatrixBase):
        return all(entry == 0 for entry in value)
    return isinstance(value, sp.ZeroMatrix) or value == 0


class _Printer(LatexPrinter):
    r"""SymPy's LaTeX with A^\top and I, and sums in reading order: minus last, ridge late.

    SymPy finds the methods by name, capitals included.
    """

    def __init__(self) -> None:
        super().__init__({"long_frac_ratio": 1})

    def _print_Transpose(self, expr: Any) -> str:
        return super()._print_Transpose(expr).removesuffix("^{T}") + r"^{\top}"

    def _print_Identity(self, expr: Any) -> str:
        return "I"

    def _print_Add(self, expr: Any, order: str | None = None) -> str:
        return " ".join(self.terms(expr))

    _print_MatAdd = _print_Add

    def terms(self, expr: Any) -> list[str]:
        """The terms of a sum, or of a differentiated sum, each after the first with its sign."""
        if isinstance(expr, sp.Derivative):
            matrix, inner = self._print(expr.variables[0]), self.terms(expr.expr)
            inner[0] = rf"\frac{{\partial}}{{\partial {matrix}}} \Bigl( {inner[0]}"
            return [*inner[:-1], rf"{inner[-1]} \Bigr)"]
        if not isinstance(expr, (sp.Add, sp.MatAdd)):
            return [self._print(expr)]
        printed = [self._print(term) for term in expr.args]
        printed.sort(key=lambda tex: (tex.startswith("-"), r"\lambda" in tex, tex))
        return printed[:1] + [tex if tex.startswith("-") else f"+ {tex}" for tex in printed[1:]]


def _equation(left: Any, right: Any) -> str:
    """left = right, broken into lines where one would be wide."""
    sides = [_Printer().terms(side) for side in (left, right)]
    whole = [" ".join(terms) for terms in sides]
    if sum(map(_visible, whole)) <= WIDE:
        return " = ".join(whole)
    first, *left = _lines(sides[0])
    equals, *right = _lines(sides[1])
    lines = [first, *(rf"\quad {{}} {line}" for line in left)]
    lines += [rf"\quad = {equals}", *(rf"\qquad {{}} {line}" for line in right)]
    return r"\begin{aligned} & " + r" \\ & ".join(lines) + r" \end{aligned}"


def _lines(terms: list[str]) -> list[str]:
    """Signed terms packed into lines."""
    lines = terms[:1]
    for term in terms[1:]:
        if _visible(lines[-1] + term) <= WIDE:
            lines[-1] += f" {term}"
        else:
            lines.append(term)
    return lines


def _visible(tex: str) -> int:
    """Roughly how wide a formula prints, in letters."""
    plain = re.sub(r"\\(left|right|widetilde|mathbf|mathrm|frac)|[{}^_\s]", "", tex)
    return len(re.sub(r"\\[A-Za-z]+", "x", plain)) + len(re.findall(r"[-+=]", tex))
