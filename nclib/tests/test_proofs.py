"""The proofs hold, every piece of them is needed, and they speak about the code's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache, reduce
from typing import Any

import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nclib import ClassStats, Head, decompose, least_squares, regularized_mse
from nclib.proofs import PROOFS, Given, Proof, Step
from nclib.proofs import symbols as s
from nclib.proofs.algebra import SquaredNorm, remainder
from nclib.proofs.decomposition import PROOFS as LEAST_SQUARES
from nclib.proofs.decomposition import appendix_c1, bias_eliminated, theorem_1, theorem_2
from nclib.proofs.least_squares import extended_loss
from nclib.proofs.samples import FRACTIONS, FRACTIONS_HEAD, FREE, FREE_HEAD, Samples

from .tolerances import EXACT, TIGHT

every_proof = pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
every_step = pytest.mark.parametrize(
    "step",
    [
        pytest.param((proof, k), id=f"{proof.__name__}-{k + 1}")
        for proof in PROOFS
        for k in range(len(proof().steps))
    ],
)


def the(step: tuple[Callable[[], Proof], int]) -> Step:
    proof, k = step
    return proof().steps[k]


# --- what a proof is


@every_proof
def test_holds(proof: Callable[[], Proof]) -> None:
    """Every step of every proof simplifies to zero."""
    assert [step.says for step in proof().steps if not step.holds] == []
    assert proof().holds


@every_step
def test_says_something(step: Any) -> None:
    """No step equates an expression with itself."""
    assert the(step).left != the(step).right


@every_step
def test_one_more_on_the_left_fails(step: Any) -> None:
    """A step with 1 added to its left side, in every entry, does not hold."""
    assert not replace(the(step), left=one_more(the(step).left)).holds


@every_step
def test_needs_all_it_uses(step: Any) -> None:
    """A step without one of the equations it uses does not hold."""
    using = the(step).using
    for k in range(len(using)):
        assert not replace(the(step), using=using[:k] + using[k + 1 :]).holds, using[k].says


def one_more(left: Any) -> Any:
    if isinstance(left, sp.Derivative):
        matrix: Any = left.variables[0]
        if not isinstance(matrix, sp.MatrixSymbol):
            return sp.Derivative(left.expr + matrix, matrix)
        return sp.Derivative(left.expr + sp.Trace(sp.OneMatrix(*matrix.shape).T * matrix), matrix)
    if isinstance(left, sp.MatrixBase):
        return left + sp.ones(*left.shape)
    return left + (sp.OneMatrix(*left.shape) if isinstance(left, sp.MatrixExpr) else 1)


def test_a_wrong_proof_fails() -> None:
    """The balanced 1/C in place of the priors is refused, and the display says so."""
    right = theorem_2()
    wrong_step = replace(right.steps[4], right=SquaredNorm(s.B) / (2 * s.C))
    wrong = replace(right, steps=(*right.steps[:4], wrong_step, *right.steps[5:]))
    assert not wrong.holds
    assert "1 of 10 steps fail: [5]" in wrong._repr_markdown_()
    assert "✗" in wrong._repr_markdown_()


def test_a_step_uses_only_what_came_before() -> None:
    """A proof that leans on a later or a foreign step is refused by name."""
    later = Step("later", s.Y.T * s.Z, sp.ZeroMatrix(s.C, s.d))
    early = Step("early", s.Y.T * s.Z * s.W.T, sp.ZeroMatrix(s.C, s.C), (later,))
    with pytest.raises(ValueError, match=r"step 1 of circle .* got \['later'\]"):
        Proof("circle", "", "", "", (early, later))


def test_equations_that_circle_are_refused() -> None:
    """Rewriting that never ends is an error, not a hang."""
    there, back = Given("there", s.H, s.Z), Given("back", s.Z, s.H)
    with pytest.raises(ValueError, match="circle"):
        _ = Step("round", s.H, s.W, (there, back)).holds


def test_only_a_product_can_be_put_in() -> None:
    """An equation with a sum on its left cannot be used to rewrite."""
    with pytest.raises(ValueError, match="one product"):
        _ = Given("a sum", s.H + s.Z, s.H).rules


# --- how it displays


@every_proof
def test_displays_itself(proof: Callable[[], Proof]) -> None:
    """The display carries every sentence and equation, in plain LaTeX, with balanced math."""
    text = proof()._repr_markdown_()
    assert all(step._repr_latex_() in text for step in proof().steps)
    assert text.endswith(f"*All {len(proof().steps)} steps hold.* $\\blacksquare$")
    assert text.count("$") % 2 == 0
    assert not any(macro in text for macro in (r"\Lone", r"\LLS", r"\Lperp", r"\Loss"))


@every_step
def test_displays_what_is_checked(step: Any) -> None:
    """A step displays the very equation it checks, or says that it is checked entry by entry."""
    sides = the(step).left, the(step).right
    general = any(side.atoms(sp.MatrixSymbol) for side in sides)
    says_so = the(step).says.startswith(("Entry by entry", "In exact fractions"))
    if general or any(isinstance(side, sp.MatrixBase) for side in sides):
        assert (the(step).tex is None) == general == (not says_so)
    else:  # a scalar equation shows itself, unless its letters stand for entries
        assert (the(step).tex is None) == (not says_so)


# --- the algebra under it

X = sp.MatrixSymbol("X", s.d, s.d)
U = sp.MatrixSymbol("U", s.d, s.d)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (sp.Trace(X * U), sp.Trace(U * X), True),
        (sp.Trace(X * U), sp.Trace(U.T * X.T), True),
        (sp.Trace(X * U * X.T), sp.Trace(X.T * U * X), False),
        (X * U, U * X, False),
        (X.T, X, False),
        (s.Sw.T, s.Sw, True),
        (sp.Trace(X * U * X.I), sp.Trace(U), True),
        (sp.Trace(sp.Identity(s.d)), s.d, True),
        (SquaredNorm(X + U), SquaredNorm(X) + SquaredNorm(U), False),
        (SquaredNorm(2 * X), 4 * sp.Trace(X * X.T), True),
        (X / (1 + s.ridge) + s.ridge * X / (1 + s.ridge), X, True),
    ],
)
def test_knows_equal_from_different(left: Any, right: Any, equal: bool) -> None:
    """Traces turn and transpose; products do not commute; coefficients are rational functions."""
    difference = remainder(left, right)
    assert (isinstance(difference, sp.ZeroMatrix) or difference == 0) == equal


# --- the same symbols at the code's own numbers


def sample(balanced: bool) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(int(balanced))
    counts = torch.tensor([4, 4, 4] if balanced else [2, 3, 7])
    labels = torch.arange(3).repeat_interleave(counts)
    shift = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    return torch.randn(12, 5, generator=generator, dtype=torch.float64) + shift[labels], labels


def numbers(features: Tensor, labels: Tensor, ridge: float) -> dict[Any, Any]:
    """Every letter of the proofs as the package computes it."""
    stats = ClassStats.of(features, labels, 3)
    best = least_squares(stats, ridge)
    generator = torch.Generator().manual_seed(7)
    W = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    b = torch.randn(3, 1, generator=generator, dtype=torch.float64)
    H, M, mu, pi = features, stats.means, stats.global_mean, stats.priors[:, None]
    Y, b_LS = torch.eye(3).double()[labels], best.bias[:, None]
    one_N, one_C = torch.ones(12, 1).double(), torch.ones(3, 1).double()
    Ht, Mt = torch.cat([H, one_N], 1), torch.cat([M, one_C], 1)
    mut = torch.cat([mu, torch.ones(1).double()])[:, None]
    Wt, Wt_LS = torch.cat([W, b], 1), torch.cat([best.weight, b_LS], 1)
    shrink, eye = ridge / (1 + ridge), torch.eye(6).double()
    K = stats.total + shrink * torch.outer(mu, mu) + ridge * torch.eye(5).double()
    means = M @ best.weight.T + b_LS.T
    pad = torch.nn.ZeroPad2d((0, 1, 0, 1))
    return {
        s.N: 12, s.C: 3, s.d: 5, s.ridge: ridge, s.H: H, s.Y: Y, s.M: M,
        s.Mc: stats.centered_means, s.Z: H - M[labels], s.W: W, s.b: b,
        s.mu: mu[:, None], s.pi: pi, s.Pi: stats.priors.diag(), s.Sw: stats.within,
        s.St: stats.total, s.K: K, s.one_N: one_N, s.one_C: one_C, s.W_LS: best.weight,
        s.b_LS: b_LS, s.F: best.logits(H), s.Fc: means, s.Bc: means - torch.eye(3),
        s.Phi: torch.eye(3).double() - 1 / 3, s.Ht: Ht, s.Mt: Mt, s.Zt: Ht - Mt[labels],
        s.Xt: Ht - mut.T, s.Wt: Wt, s.Wt_LS: Wt_LS, s.mut: mut, s.S: Ht.T @ Ht / 12,
        s.A: Ht.T @ Ht / 12 + ridge * eye, s.R: Y.T @ Ht / 12, s.Swt: pad(stats.within),
        s.Stt: pad(stats.total), s.E: Ht @ Wt_LS.T - Y, s.D: Wt - Wt_LS,
        s.B: Mt @ Wt.T - torch.eye(3),
    }  # fmt: skip


def value(expr: Any, at: dict[Any, Any]) -> Any:
    """A matrix expression of symbolic size at numbers; derivatives by autograd."""

    def size(n: Any) -> int:
        return int(n.subs({s.N: at[s.N], s.C: at[s.C], s.d: at[s.d]}))

    if expr in at:
        return torch.as_tensor(at[expr], dtype=torch.float64)
    if isinstance(expr, sp.Derivative):
        matrix = value(expr.variables[0], at).clone().requires_grad_()
        return torch.autograd.grad(value(expr.expr, at | {expr.variables[0]: matrix}), matrix)[0]
    if isinstance(expr, sp.Number):
        return torch.tensor(float(expr), dtype=torch.float64)
    if isinstance(expr, sp.Identity):
        return torch.eye(size(expr.rows), dtype=torch.float64)
    if isinstance(expr, sp.ZeroMatrix):
        return torch.zeros(size(expr.rows), size(expr.cols), dtype=torch.float64)
    parts = [value(part, at) for part in expr.args]
    return OPERATIONS[type(expr)](*parts)


def total(*terms: Tensor) -> Tensor:
    return reduce(torch.add, terms)


def product(*factors: Tensor) -> Tensor:
    return reduce(lambda a, b: a @ b if a.ndim and b.ndim else a * b, factors)


OPERATIONS: dict[Any, Callable[..., Tensor]] = {
    sp.Add: total,
    sp.MatAdd: total,
    sp.Mul: product,
    sp.MatMul: product,
    sp.Pow: torch.pow,
    sp.MatPow: lambda a, n: torch.linalg.matrix_power(a, int(n)),
    sp.Inverse: lambda a, _: torch.linalg.inv(a),
    sp.Transpose: lambda a: a.T,
    sp.Trace: torch.trace,
    SquaredNorm: lambda a: a.square().sum(),
}


def about_equal_classes(premise: Given | Step) -> bool:
    return isinstance(premise, Given) and premise.left in (s.Pi, s.pi)


@pytest.mark.parametrize("balanced", [True, False], ids=["equal", "unequal"])
@pytest.mark.parametrize("proof", LEAST_SQUARES, ids=lambda proof: proof.__name__)
def test_true_of_real_statistics(proof: Callable[[], Proof], balanced: bool) -> None:
    """What is given and what follows hold at ClassStats, least_squares and Head of a sample."""
    at = numbers(*sample(balanced), ridge=0.0 if proof is appendix_c1 else 0.3)
    if proof is bias_eliminated:  # there b_LS belongs to whatever weight W is
        at[s.W] = at[s.W_LS]
    equations = [*proof().given, *(step for step in proof().steps if step.tex is None)]
    for equation in equations:
        premises = (equation, *getattr(equation, "using", ()))
        if balanced or not any(map(about_equal_classes, premises)):
            left, right = value(equation.left, at), value(equation.right, at)
            torch.testing.assert_close(left, right, rtol=TIGHT, atol=TIGHT, msg=equation.says)


@pytest.mark.parametrize("balanced", [True, False], ids=["equal", "unequal"])
def test_general_terms_are_the_codes(balanced: bool) -> None:
    """The symbolic loss, L_perp, L_NC1 and L_NC2/3 at numbers are what decompose returns."""
    features, labels = sample(balanced)
    at = numbers(features, labels, ridge=0.3)
    stats, head = ClassStats.of(features, labels, 3), Head(at[s.W], at[s.b][:, 0])
    terms, at_best = decompose(stats, head, 0.3), at | {s.Wt: at[s.Wt_LS]}
    at_best[s.B] = at[s.Mt] @ at[s.Wt_LS].T - torch.eye(3)
    assert value(extended_loss(s.Wt), at) == approx(regularized_mse(stats, head, 0.3))
    assert value(theorem_1().steps[4].right, at) == approx(terms.perp)
    assert value(theorem_2().steps[3].right, at_best) == approx(terms.nc1)
    assert value(theorem_2().steps[4].right, at_best) == approx(terms.nc23)


def approx(number: float) -> Any:
    return pytest.approx(number, rel=EXACT)


# --- the entrywise samples at the code's own numbers


@cache
def formulas(samples: Samples, head: Any) -> tuple[list[Any], Callable[..., list[Any]]]:
    """Letters, and a function of them: best head, three terms and loss. Exact for fractions."""
    best = samples.least_squares(s.ridge)
    terms = [samples.nc1(best, s.ridge), samples.nc23(best), samples.perp(head, s.ridge)]
    results = [*best[0], *best[1], *terms, samples.loss(head, s.ridge)]
    letters: list[Any] = sorted(sp.Tuple(*results).free_symbols, key=str)
    return letters, sp.lambdify(letters, results, "math", cse=True)


def check_against_code(samples: Samples, head: Any, at: dict[Any, Any], copies: list[int]) -> None:
    """Each sample is repeated so that counts give its weight."""
    numbers = [[float(at.get(x, x)) for x in matrix] for matrix in (*samples.features, *head)]
    *rows, W, b = (torch.tensor(row, dtype=torch.float64) for row in numbers)
    features = torch.stack(rows).repeat_interleave(torch.tensor(copies), 0)
    labels = torch.tensor(samples.labels).repeat_interleave(torch.tensor(copies))
    stats, ridge = ClassStats.of(features, labels, samples.num_classes), float(at[s.ridge])
    best = least_squares(stats, ridge)
    terms = decompose(stats, Head(W.reshape(len(b), -1), b), ridge)
    code = [*best.weight.flatten().tolist(), *best.bias.tolist()]
    code += [terms.nc1, terms.nc23, terms.perp, terms.total]
    letters, evaluate = formulas(samples, head)
    assert code == pytest.approx([float(x) for x in evaluate(*(at[x] for x in letters))], rel=TIGHT)


fraction = st.integers(-9, 9).map(lambda n: Fraction(n, 4))


@settings(max_examples=25, deadline=None)
@given(
    entries=st.lists(fraction, min_size=4, max_size=4, unique=True),
    counts=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    weights=st.lists(fraction, min_size=4, max_size=4),
    ridge=st.integers(1, 8).map(lambda n: Fraction(n, 8)),
)
def test_free_samples_are_the_codes(entries: Any, counts: Any, weights: Any, ridge: Any) -> None:
    """Head and terms of the free samples, at any numbers, are what the package computes."""
    a, b = counts
    (p,) = FREE.priors[0].free_symbols
    at = {p: Fraction(a, a + b), s.ridge: ridge}
    at |= dict(zip([h[0] for h in FREE.features], entries, strict=True))
    at |= dict(zip([*FREE_HEAD[0], *FREE_HEAD[1]], weights, strict=True))
    check_against_code(FREE, FREE_HEAD, at, [a, a, b, b])


def test_integer_samples_are_the_codes() -> None:
    """Head and terms of the integer samples are what the package computes."""
    entries = [*FRACTIONS_HEAD[0], *FRACTIONS_HEAD[1]]
    at = {entry: Fraction(k - 4, 3) for k, entry in enumerate(entries)}
    check_against_code(FRACTIONS, FRACTIONS_HEAD, at | {s.ridge: Fraction(2, 5)}, [1] * 7)
