"""Normal forms of matrix expressions of any size.

SymPy knows what a transpose, an inverse and a trace of a MatrixSymbol are, but does not decide
whether two matrix expressions are equal once side conditions such as Y^T Z = 0 are allowed. The
normal form here does: expand into words of symbols, rewrite each word by the given equations,
turn words under a trace to one representative of their rotations and transposes, and collect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import sympy as sp
from sympy.matrices import MatrixBase
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.polys.polyerrors import CoercionFailed
from sympy.polys.rings import PolyRing

__all__ = ["Rule", "SquaredNorm", "SymmetricSymbol", "remainder", "rule_pair"]

Word = tuple[MatrixExpr, ...]
Polynomial = dict[Word, sp.Expr]
Rule = tuple[Word, Polynomial]  # a word and what stands in its place

MOST_REWRITES = 10_000  # a proof here needs a few dozen; more means equations that turn in a circle


class SymmetricSymbol(sp.MatrixSymbol):
    """A matrix symbol that is its own transpose."""

    def _eval_transpose(self) -> SymmetricSymbol:
        return self


class SquaredNorm(sp.Expr):
    """The squared Frobenius norm tr(A^T A) of a matrix expression, kept short for display."""

    is_commutative = True

    @property
    def as_trace(self) -> sp.Expr:
        """tr(A^T A), the same number as SymPy's Trace."""
        matrix = cast(MatrixExpr, self.args[0])
        return sp.Trace(matrix.T * matrix)

    def _latex(self, printer: Any) -> str:
        return rf"\left\lVert {printer._print(self.args[0])} \right\rVert_F^{{2}}"


def rule_pair(left: MatrixExpr, right: MatrixExpr) -> tuple[Rule, Rule]:
    """left -> right and its transpose; ``left`` must be a single product of symbols."""
    terms = _expand(left)
    if len(terms) != 1:
        raise ValueError(f"left: expected one product of matrix symbols to rewrite, got {left}")
    ((word, coefficient),) = terms.items()
    image = {w: c / coefficient for w, c in _expand(right).items()}
    return (word, image), (_transposed(word), {_transposed(w): c for w, c in image.items()})


def remainder(left: Any, right: Any, rules: Iterable[Rule] = ()) -> Any:
    """left - right with everything expanded, rewritten and collected: zero where they are equal.

    Takes two scalars, two explicit matrices or two matrix expressions and returns the same kind;
    a rational function comes back as its numerator.
    """
    rules = tuple(rules)
    difference = _evaluated(left) - _evaluated(right)
    if isinstance(difference, MatrixBase):
        return difference.applyfunc(_numerator)
    if isinstance(difference, MatrixExpr):
        return _collected(_rewritten(_expand(difference), rules), difference.shape)
    return _numerator(difference.replace(sp.Trace, lambda matrix: _traced(matrix, rules)))


def _evaluated(expression: Any) -> Any:
    """Norms as traces, derivatives carried out."""
    norms = {norm: norm.as_trace for norm in expression.atoms(SquaredNorm)}
    expression = expression.xreplace(norms)
    if not isinstance(expression, sp.Derivative):
        return expression
    if not isinstance(expression.variables[0], sp.MatrixSymbol):
        return expression.doit()
    return _gradient(expression.expr, cast(sp.MatrixSymbol, expression.variables[0]))


def _gradient(scalar: Any, symbol: sp.MatrixSymbol) -> MatrixExpr:
    """Derivative of a sum of traces in one matrix: d tr(X U) = tr(dX U) gives U^T.

    SymPy 1.14 has its own, but it loses terms: it takes tr(W W^T) + tr(b b^T) to 0.
    """
    total: Any = sp.ZeroMatrix(*symbol.shape)
    stand_ins = {trace: sp.Dummy() for trace in scalar.atoms(sp.Trace)}
    for trace, stand_in in stand_ins.items():
        scale = scalar.xreplace(stand_ins).diff(stand_in)  # free of traces: the sum is linear
        for word, coefficient in _expand(trace.arg).items():
            for slope in _slopes(word, symbol):
                total += scale * coefficient * sp.MatMul(*slope)
    return total


def _slopes(word: Word, symbol: sp.MatrixSymbol) -> Iterator[Word]:
    """The derivative of tr(word) in one matrix, a word for each place where the matrix stands."""
    for k, factor in enumerate(word):
        rest = word[k + 1 :] + word[:k]
        if factor == symbol:
            yield _transposed(rest)
        elif factor == symbol.T:
            yield rest


def _numerator(scalar: Any) -> sp.Expr:
    """Expanded numerator over one denominator: 0 exactly where the rational function is 0."""
    numerator = sp.fraction(sp.together(scalar))[0]
    symbols = sorted(numerator.free_symbols, key=str)
    try:  # arithmetic in a polynomial ring is ten times faster than sympy.expand
        return PolyRing(symbols, sp.QQ).from_expr(numerator).as_expr()
    except (ValueError, CoercionFailed):  # not a rational function
        return sp.simplify(scalar)


def _expand(expression: Any) -> Polynomial:
    """A matrix expression as {word: coefficient}; the empty word is the identity."""
    if isinstance(expression, sp.ZeroMatrix):
        return {}
    if isinstance(expression, sp.Identity):
        return {(): sp.Integer(1)}
    if isinstance(expression, sp.MatAdd):
        return _sum(item for term in expression.args for item in _expand(term).items())
    if isinstance(expression, sp.MatMul):
        coefficient, factors = expression.as_coeff_matrices()
        product: Polynomial = {(): coefficient}
        for factor in factors:
            product = _product(product, _expand(factor))
        return product
    if isinstance(expression, sp.MatPow) and not isinstance(expression, sp.Inverse):
        copies = int(cast(sp.Integer, expression.exp))
        return _expand(sp.MatMul(*[expression.base] * copies, evaluate=False))
    if isinstance(expression, sp.Transpose) and not isinstance(expression.arg, sp.MatrixSymbol):
        return {_transposed(word): c for word, c in _expand(expression.arg).items()}
    return {(expression,): sp.Integer(1)}


def _product(left: Polynomial, right: Polynomial) -> Polynomial:
    return _sum((u + v, a * b) for u, a in left.items() for v, b in right.items())


def _sum(terms: Iterable[tuple[Word, sp.Expr]]) -> Polynomial:
    total: Polynomial = {}
    for word, coefficient in terms:
        total[word] = total.get(word, sp.Integer(0)) + coefficient
    return total


def _transposed(word: Word) -> Word:
    return tuple(factor.T for factor in reversed(word))


def _rewritten(terms: Polynomial, rules: tuple[Rule, ...], cyclic: bool = False) -> Polynomial:
    """Every word rewritten until no rule applies; under a trace, words are circles."""
    pending, finished = list(terms.items()), []
    for _ in range(MOST_REWRITES):
        if not pending:
            return _sum(finished)
        word, coefficient = pending.pop()
        image = _rewrite_once(word, rules, cyclic)
        if image is None:
            finished.append((word, coefficient))
        else:
            pending.extend((w, coefficient * c) for w, c in image.items())
    raise ValueError(f"using: expected equations that lead to an end, got {len(rules)} that circle")


def _rewrite_once(word: Word, rules: tuple[Rule, ...], cyclic: bool) -> Polynomial | None:
    """The word after one rewriting, or None where nothing applies."""
    for before, rest in _cuts(word, cyclic):
        for pattern, image in (*_cancellation(rest), *rules):
            if rest[: len(pattern)] == pattern:
                after = rest[len(pattern) :]
                empty = (sp.Identity(pattern[0].rows),) if cyclic else ()
                return {(before + w + after) or empty: c for w, c in image.items()}
    return None


def _cuts(word: Word, cyclic: bool) -> Iterator[tuple[Word, Word]]:
    """Ways to read a word: (what stands before, the rest); a circle is read from every factor."""
    for k in range(len(word)):
        yield ((), word[k:] + word[:k]) if cyclic else (word[:k], word[k:])


def _cancellation(rest: Word) -> tuple[Rule, ...]:
    """A A^{-1} = I at the start of the word, as a rule."""
    if len(rest) < 2:
        return ()
    first, second = rest[:2]
    inverse = (isinstance(first, sp.Inverse) and first.arg == second) or (
        isinstance(second, sp.Inverse) and second.arg == first
    )
    return (((first, second), {(): sp.Integer(1)}),) if inverse else ()


def _traced(matrix: MatrixExpr, rules: tuple[Rule, ...]) -> sp.Expr:
    """tr(matrix), linear in one symbol for each class of words with equal trace."""
    terms = {word or (sp.Identity(matrix.rows),): c for word, c in _expand(matrix).items()}
    reduced = _rewritten(terms, rules, cyclic=True)
    return sp.Add(*(coefficient * _trace_of(word) for word, coefficient in reduced.items()))


def _trace_of(word: Word) -> sp.Expr:
    """One symbol for tr(word), the same for all rotations and the transpose."""
    if isinstance(word[0], sp.Identity):
        return cast(sp.Expr, word[0].rows)
    turns = [start[k:] + start[:k] for start in (word, _transposed(word)) for k in range(len(word))]
    return sp.Symbol("tr " + min(" ".join(map(str, turn)) for turn in turns))


def _collected(terms: Polynomial, shape: tuple[Any, ...]) -> MatrixExpr:
    """The polynomial as a matrix expression again."""
    total: Any = sp.ZeroMatrix(*shape)
    for word, coefficient in terms.items():
        if _numerator(coefficient) != 0:
            total += coefficient * sp.MatMul(*word) if word else coefficient * sp.Identity(shape[0])
    return total
