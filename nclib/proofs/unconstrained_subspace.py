"""The subspace S: its projection, that nothing leaves it, the risk and the flow on it."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .unconstrained_symbols import (
    CENTERED,
    CONSTANT,
    COPIES,
    COUNT,
    LABELS,
    ONES,
    RESIDUAL,
    A,
    C,
    H,
    I,
    N,
    P,
    W,
    Y,
    b,
    beta,
    n,
    one,
    one_n,
    p,
    root,
    t,
)

__all__ = ["invariance", "lemma_4", "projection", "theorem_3"]

GENERAL = "any number of classes, samples per class and features"
ON_S = (RESIDUAL, COPIES, CONSTANT, ONES)
IN_W = (RESIDUAL, COPIES, ONES, CENTERED, LABELS)


@cache
def projection() -> Proof:
    """The nearest point of S.

    Our derivation; S is that of Mixon, Parshall & Pi 2022.   Chapter: unconstrained.

    >>> projection().holds
    True
    """
    V = sp.MatrixSymbol("V", C, p)
    G = sp.MatrixSymbol("G", C, p)
    X = sp.MatrixSymbol("X", C, p)
    X_H = sp.MatrixSymbol("X_H", p, n)
    half = Given("the claimed nearest point", V, P * (W + G) / 2)
    part = Given("the class-mean part of the features", G, Y * H.T / root)
    copies = Given("any direction in $S$: its features", X_H, X.T * Y / root)
    centered = Given("its classifier rows", one.T * X, sp.ZeroMatrix(1, p))
    off = sp.Trace((W.T - V.T) * X) + sp.Trace((H.T - Y.T * V / root) * X_H)
    return Proof(
        "Projection onto S",
        r"With $G = N^{-1/2} Y H^\top$ and $V = \tfrac12 P(W + G)$, the point of $S$ nearest to "
        r"$(W, H, b)$ is $(V,\ N^{-1/2}V^\top Y,\ \tfrac1C\mathbf 1\mathbf 1^\top b)$.",
        "our derivation; S is that of Mixon, Parshall & Pi 2022",
        GENERAL,
        (
            Step(
                "The claimed classifier is centered.", one.T * V, sp.ZeroMatrix(1, p), (half, COUNT)
            ),
            Step(
                "What is taken away is orthogonal to every direction in $S$, classifier and "
                "features together.",
                off,
                sp.Integer(0),
                (half, part, copies, centered, LABELS),
            ),
            Step(
                "The same for the bias.",
                one.T * (b - one * one.T * b / C),
                sp.ZeroMatrix(1, 1),
                (COUNT,),
            ),
        ),
    )


@cache
def invariance() -> Proof:
    """The slope of the risk at a point of S lies in S, so flow and descent never leave it.

    Source: Mixon, Parshall & Pi 2022, Theorem 3 (a).   Chapter: unconstrained.

    >>> invariance().holds
    True
    """
    slope = (W * W.T - root * I) * W
    return Proof(
        "Invariance of S",
        r"At a point of $S$ the slope of $R$ lies in $S$ again. So gradient flow stays in $S$, and "
        "so does gradient descent with any steps.",
        "Mixon, Parshall & Pi 2022, Theorem 3 (a); for descent, our remark",
        GENERAL,
        (
            Step("The slope in the classifier.", A * H.T, slope, IN_W),
            Step("It is centered.", one.T * slope, sp.ZeroMatrix(1, p), (CENTERED,)),
            Step(
                "The slope in the features consists of its copies.",
                W.T * A,
                W.T * (W * W.T - root * I) * Y / root,
                (RESIDUAL, COPIES, CONSTANT, CENTERED),
            ),
            Step(
                "The slope in the bias is the same for all classes.",
                A * one_n,
                n * (beta - 1 / C) * one,
                (*ON_S, CENTERED, LABELS, COUNT),
            ),
        ),
    )


@cache
def lemma_4() -> Proof:
    """The risk on S, whose only minimizers are the strongly collapsed points.

    Source: Mixon, Parshall & Pi 2022, Lemma 4.   Chapter: unconstrained.

    >>> lemma_4().holds
    True
    """
    small = sp.MatrixSymbol("E", C, C)
    per_class = Given("errors at the class means", small, W * W.T / root + beta * one * one.T - I)
    fit = Step("A residual for each class, $N$ times.", A, small * Y, (*ON_S, per_class))
    return Proof(
        "Lemma 4",
        r"On $S$, $R = \tfrac12\lVert WW^\top - \sqrt N P\rVert_F^2 + \tfrac{CN}2\lVert b - "
        r"\tfrac1C\mathbf 1\rVert^2$. Both squares vanish together exactly at strong collapse.",
        "Mixon, Parshall & Pi 2022, Lemma 4",
        GENERAL,
        (
            fit,
            Step(
                "Hence the risk counts each class $N$ times.",
                SquaredNorm(A) / 2,
                N * SquaredNorm(small) / 2,
                (fit, LABELS),
            ),
            Step(
                "The centered part and the part along $\\mathbf 1\\mathbf 1^\\top$ are orthogonal.",
                N * SquaredNorm(small) / 2,
                SquaredNorm(W * W.T - root * P) / 2 + n * SquaredNorm(b - one / C) / 2,
                (per_class, CENTERED, CONSTANT, COUNT),
            ),
        ),
    )


@cache
def theorem_3() -> Proof:
    """The flow on S in closed form: a logistic law for every singular value.

    Source: Mixon, Parshall & Pi 2022, Theorem 3.   Chapter: unconstrained.

    >>> theorem_3().holds
    True
    """
    return Proof(
        "Theorem 3",
        r"On $S$, $\dot W = \sqrt N W - WW^\top W$. So $M = WW^\top$ follows $MK = e^{2\sqrt N t}"
        r"M_0$ with $K = I + \tfrac1{\sqrt N}(e^{2\sqrt N t} - 1)M_0$, and each singular value is "
        r"logistic. And $b - \tfrac1C\mathbf 1$ shrinks by $e^{-CNt}$.",
        "Mixon, Parshall & Pi 2022, Theorem 3 (b), (c); the closed forms are our derivation",
        f"{GENERAL}; the last three steps for one number",
        (*_gram_law(), *_scalar_laws()),
    )


def _gram_law() -> tuple[Step, ...]:
    """The matrix equation of W, of W W^T, and its solution."""
    Wdot = sp.MatrixSymbol(r"\dot{W}", C, p)
    M, M0, K, Mdot, Kdot = (
        sp.MatrixSymbol(name, C, C) for name in ("M", "M_0", "K", r"\dot{M}", r"\dot{K}")
    )
    g = sp.Symbol("g", positive=True)
    flow = Given("gradient flow", Wdot, -A * H.T)
    gram = Given("the Gram matrix", W * W.T, M)
    speed = Given("its speed", Mdot, Wdot * W.T + W * Wdot.T)
    solved = Given(r"the claim, with $g = e^{2\sqrt N t}$", M * K, g * M0)
    growth = Given(
        r"the speed of $K$, since $\frac{d}{dt}\frac{g-1}{\sqrt N} = 2g$", Kdot, 2 * g * M0
    )
    own = Step("The classifier alone.", Wdot, root * W - W * W.T * W, (flow, *IN_W))
    riccati = Step(
        "Its Gram matrix grows until it meets its own square.",
        Mdot,
        2 * root * M - 2 * M * M,
        (speed, own, gram),
    )
    return (
        own,
        riccati,
        Step(
            r"The claim is kept: both sides of $MK = gM_0$ have the same speed, since $\dot g = "
            r"2\sqrt N g$.",
            Mdot * K + M * Kdot,
            2 * root * g * M0,
            (riccati, solved, growth),
        ),
    )


def _scalar_laws() -> tuple[Step, ...]:
    """The logistic law, its matrix's clock, and the bias."""
    start = sp.Symbol(r"\sigma_0", positive=True)
    off = sp.Symbol(r"\beta_0", real=True)
    g = sp.exp(2 * root * t)
    squared = root / (1 + (root / start**2 - 1) / g)
    bias = 1 / C + (off - 1 / C) * sp.exp(-n * t)
    return (
        Step(
            r"Entry by entry, for one eigenvalue $\sigma^2$ of $M$: the logistic function solves "
            "the equation.",
            sp.Derivative(squared, t),
            2 * squared * (root - squared),
            tex=r"\begin{gathered} \frac{d}{dt}\sigma^2 = 2\sigma^2(\sqrt N - \sigma^2) \\ "
            r"\text{for } \sigma^2 = \frac{\sqrt N}{1 + (\sqrt N/\sigma_0^2 - 1)e^{-2\sqrt N t}} "
            r"\end{gathered}",
        ),
        Step(
            "Entry by entry, for the same eigenvalue: it is what the matrix formula gives.",
            squared * (1 + (g - 1) / root * start**2),
            g * start**2,
            tex=r"\sigma^2\Bigl(1 + \tfrac{1}{\sqrt N}(e^{2\sqrt N t} - 1)\,\sigma_0^2\Bigr) = "
            r"e^{2\sqrt N t}\sigma_0^2",
        ),
        Step(
            "Entry by entry, for one bias: it forgets its start at the rate $CN$.",
            sp.Derivative(bias, t),
            N - n * bias,
            tex=r"\begin{gathered} \dot\beta = N - CN\beta \\ \text{for } \beta = \tfrac1C + "
            r"(\beta_0 - \tfrac1C)e^{-CNt} \end{gathered}",
        ),
    )
