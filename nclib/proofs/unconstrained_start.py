"""From a small start: Theorem 2's five eigenspaces, and what is left over in the end."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .proof import Given, Proof, Step
from .unconstrained_symbols import (
    CENTERED,
    COPIES,
    COUNT,
    LABELS,
    ONES,
    A,
    C,
    H,
    I,
    N,
    W,
    Y,
    beta,
    n,
    one,
    one_n,
    p,
    q,
    root,
    t,
    v,
    z,
)

__all__ = ["leftovers", "theorem_2"]

EARLY = Given("the residual without $WH$", A, beta * one * one_n.T - Y)
OPPOSED = Given(r"$E_1^-$", H, -W.T * Y / root)
ALONG_W = Given(r"$E_2^\pm$, classifier", W, root * one * z.T)
ALONG_H = Given(r"$E_2^+$, features", H, z * one_n.T)
AGAINST_H = Given(r"$E_2^-$, features", H, -z * one_n.T)
MEANLESS = Given(r"$E_3$: class means are zero", Y * H.T, sp.ZeroMatrix(C, p))


@cache
def theorem_2() -> Proof:
    """The linear phase: a symmetric generator with five eigenspaces that do not move.

    Source: Mixon, Parshall & Pi 2022, Theorem 2.   Chapter: unconstrained.

    >>> theorem_2().holds
    True
    """
    return Proof(
        "Theorem 2",
        r"Without $WH$ in the residual, $(H, W)$ obeys a linear equation whose generator is "
        r"$(H, W) \mapsto (-W^\top A, -AH^\top)$ with $A = \beta(t)\mathbf 1\mathbf 1^\top - Y$. "
        r"It is symmetric, and $E_1^\pm$, $E_2^\pm$, $E_3$ are eigenspaces at all times, with "
        r"eigenvalues $\pm\sqrt N$, $\pm\sqrt N(1 - C\beta)$ and $0$. Only $E_1^+$ grows for long: "
        r"on $E_2^\pm$ the exponent never exceeds $1/(C\sqrt N)$.",
        "Mixon, Parshall & Pi 2022, Theorem 2",
        "any number of classes, samples per class and features; the last steps for numbers",
        (_symmetric(), *_first_pair(), *_second_pair(), *_rest(), *_clock()),
    )


def _symmetric() -> Step:
    H2 = sp.MatrixSymbol("H'", p, n)
    W2 = sp.MatrixSymbol("W'", C, p)
    return Step(
        "The generator is symmetric, whatever $A$ is: applied to one point and paired with "
        "another, it does not matter which.",
        sp.Trace(A.T * W * H2) + sp.Trace(H * A.T * W2),
        sp.Trace(A.T * W2 * H) + sp.Trace(H2 * A.T * W),
    )


def _first_pair() -> tuple[Step, ...]:
    """E1+ is T, which grows; E1- is its opposite."""
    return (
        Step("On $E_1^+ = T$, the features grow.", -W.T * A, root * H, (EARLY, COPIES, CENTERED)),
        Step(
            "On $E_1^+$, the classifier grows.",
            -A * H.T,
            root * W,
            (EARLY, COPIES, CENTERED, LABELS, ONES),
        ),
        Step(
            "On $E_1^-$, with features opposed, they shrink.",
            -W.T * A,
            -root * H,
            (EARLY, OPPOSED, CENTERED),
        ),
        Step(
            "On $E_1^-$, so does the classifier.",
            -A * H.T,
            -root * W,
            (EARLY, OPPOSED, CENTERED, LABELS, ONES),
        ),
    )


def _second_pair() -> tuple[Step, ...]:
    """E2: all classifier rows equal, all features equal."""
    rate = root * (1 - C * beta)
    in_H, in_W = (EARLY, ALONG_W, ONES, COUNT), (EARLY, ALONG_W, ONES, COUNT, LABELS)
    return (
        Step(
            "On $E_2^+$, all features equal: they grow as long as $b$ is short of $1/C$.",
            -W.T * A,
            rate * H,
            (*in_H, ALONG_H),
        ),
        Step("On $E_2^+$, the classifier does the same.", -A * H.T, rate * W, (*in_W, ALONG_H)),
        Step("On $E_2^-$, the features.", -W.T * A, -rate * H, (*in_H, AGAINST_H)),
        Step("On $E_2^-$, the classifier.", -A * H.T, -rate * W, (*in_W, AGAINST_H)),
    )


def _rest() -> tuple[Step, ...]:
    """E3 rests, and the five fill the space."""
    dimensions = 2 * p * (C - 1) + 2 * p + p * C * (N - 1)
    return (
        Step(
            r"On $E_3$, with $W = 0$, nothing moves.",
            -A * H.T,
            sp.ZeroMatrix(C, p),
            (EARLY, MEANLESS, ONES),
        ),
        Step(
            "Entry by entry, counting dimensions: the five fill the space of all $(H, W)$.",
            dimensions,
            p * n + C * p,
            tex=r"\begin{aligned} & 2p(C-1) + 2p + pC(N-1) \\ & \quad = pCN + Cp \end{aligned}",
        ),
    )


def _clock() -> tuple[Step, ...]:
    """The bias closes the second pair's window."""
    bias = (1 - sp.exp(-n * t)) / C
    exponent = (1 - sp.exp(-n * t)) / (C * root)
    return (
        Step(
            r"Entry by entry, for one bias: $\dot b = -A\mathbf 1$ from $b = 0$.",
            sp.Derivative(bias, t),
            N - n * bias,
            tex=r"\begin{gathered} \dot\beta = N(1 - C\beta) \\ \text{for } \beta = "
            r"\tfrac1C(1 - e^{-CNt}) \end{gathered}",
        ),
        Step(
            "Entry by entry, for the exponent of $E_2^+$: it is the rate, summed up over time.",
            sp.Derivative(exponent, t),
            root * (1 - C * bias),
            tex=r"\frac{d}{dt}\,\frac{1 - e^{-CNt}}{C\sqrt N} = \sqrt N(1 - C\beta)",
        ),
        Step(
            "Entry by entry, for the same exponent: what it lacks to the theorem's constant is "
            "positive and fades.",
            1 / (C * root) - exponent,
            sp.exp(-n * t) / (C * root),
            tex=r"\frac{1}{C\sqrt N} - \frac{1 - e^{-CNt}}{C\sqrt N} = \frac{e^{-CNt}}{C\sqrt N}",
        ),
    )


@cache
def leftovers() -> Proof:
    """The directions off S, along the flow on S: what decays, and what stays.

    Our derivation.   Chapter: unconstrained.

    >>> leftovers().holds
    True
    """
    return Proof(
        "What is left over",
        r"Move a point of $S$ by $dW = \tfrac1C\mathbf 1q^\top$, $dH = \tfrac1{CN}v\mathbf 1^\top "
        r"+ H_w$ with zero class means in $H_w$, and $db$ with zero sum. To first order the flow "
        r"moves $q$, $v$, $H_w$ and $db$ by the equations below. The part of $v$ along a singular "
        r"vector of $W$ follows a hypergeometric equation in $x = \sigma^2/\sqrt N$.",
        "our derivation",
        "any number of classes, samples per class and features; the last two steps for one number",
        (*_off_subspace(), *_hypergeometric()),
    )


def _off_subspace() -> tuple[Step, ...]:
    """The four linearized equations."""
    dW, dH, dA = (sp.MatrixSymbol(f"d{x.name}", *x.shape) for x in (W, H, A))
    db, S = sp.MatrixSymbol("db", C, 1), sp.MatrixSymbol("H_w", p, n)
    at = Given("the residual on $S$", A, (W * W.T / root + beta * one * one.T - I) * Y)
    change = Given("its change", dA, dW * H + W * dH + db * one_n.T)
    shift_W = Given("change of the classifier", dW, one * q.T / C)
    shift_H = Given("change of the features", dH, v * one_n.T / n + S)
    spread = Given("no class means in the spread", S * Y.T, sp.ZeroMatrix(p, C))
    moved = (change, shift_H, CENTERED, COUNT, LABELS, ONES, spread)
    gate = 1 - C * beta
    slope_W, slope_H = dA * H.T + A * dH.T, dW.T * A + W.T * dA
    return (
        Step(
            r"The sum of the classifier rows, $\dot q$: pushed by $v$ while $b$ is short of $1/C$, "
            "damped where $W$ has grown.",
            -one.T * slope_W,
            gate * v.T - q.T * W.T * W,
            (*moved, at, shift_W, COPIES),
        ),
        Step(
            r"The sum of the features, $\dot v$: the same with $q$, and $db$ joins in.",
            -slope_H * one_n,
            N * gate * q - W.T * W * v - n * W.T * db,
            (*moved, at, shift_W),
        ),
        Step(
            r"The bias, $\dot{db}$: it leans against $v$.",
            -dA * one_n,
            -W * v - n * db,
            (*moved, COPIES),
        ),
        Step(
            r"The spread within classes, $\dot H_w$: damped in the row space of $W$, at rest "
            "outside it.",
            -slope_H * (sp.Identity(n) - Y.T * Y / N),
            -W.T * W * S,
            (at, change, shift_H, COPIES, LABELS, ONES, spread),
        ),
    )


def _hypergeometric() -> tuple[Step, ...]:
    """v' = s w', w' = -s v - CN w, with the logistic s, as an equation in x = s^2 / sqrt(N)."""
    x, f0, f1, f2 = sp.symbols("x f_0 f_1 f_2", positive=True)
    r = sp.Symbol(r"r", positive=True)
    pace = 2 * r * x * (1 - x)  # dx/dt
    first = pace * f1  # dv/dt
    second = pace * (pace.diff(x) * f1 + pace * f2)
    push_speed = -second + first * r * (1 - x)  # s times that of s v + CN db = -db' = -v'/s
    growth = (r - r * x) * r * x  # s ds/dt
    total = push_speed - growth * f0 - r * x * first - C * r**2 * first
    c = (1 + C * r) / 2
    gauss = x * (1 - x) * f2 + (c - x) * f1 + f0 / 4
    return (
        Step(
            r"Entry by entry, along one singular vector, with $r = \sqrt N$: $v$ as a function of "
            "$x$ obeys Gauss's equation with parameters $\\tfrac12$, $-\\tfrac12$ and "
            r"$c = \tfrac12(1 + C\sqrt N)$.",
            total,
            -4 * r**2 * x * (1 - x) * gauss,
            tex=r"x(1-x)\,v'' + (c - x)\,v' + \tfrac14 v = 0",
        ),
        Step(
            "Entry by entry, for the power series that starts at 1: its coefficients have the "
            "ratio of the hypergeometric series.",
            *_series(c),
            tex=r"v = {}_2F_1(\tfrac12, -\tfrac12; c; x)",
        ),
    )


def _series(c: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Coefficient of x^k in Gauss's equation, with a_(k+1) from a_k put in."""
    k = sp.Symbol("k", nonnegative=True, integer=True)
    ratio = (k + sp.Rational(1, 2)) * (k - sp.Rational(1, 2)) / ((c + k) * (k + 1))
    return (k + 1) * k * ratio + c * (k + 1) * ratio, k * (k - 1) + k - sp.Rational(1, 4)
