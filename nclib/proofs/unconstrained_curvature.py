"""Curvature of the risk at the saddle and at strong collapse, and the slow part of the risk."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .unconstrained_symbols import (
    CENTERED,
    COPIES,
    COUNT,
    LABELS,
    ONES,
    RESIDUAL,
    SNC1,
    SNC2,
    A,
    C,
    H,
    N,
    P,
    W,
    Y,
    n,
    one,
    one_n,
    p,
    q,
    root,
    z,
)

__all__ = ["collapse_curvature", "plateau", "saddle_curvature"]

GENERAL = "any number of classes, samples per class and features"
X = sp.MatrixSymbol("X", C, n)
COUNTED = "Entry by entry, counting dimensions: "


@cache
def saddle_curvature() -> Proof:
    """Eigenvectors of the Hessian at W = 0, H = 0, b = 1/C.

    Our derivation.   Chapter: unconstrained.

    >>> saddle_curvature().holds
    True
    """
    at = Given("the residual at the saddle", A, one * one_n.T / C - Y)
    opposed = Given("the opposite direction", H, -W.T * Y / root)
    common = Given("equal rows", W, one * z.T)
    meanless = Given("features without class means", Y * H.T, sp.ZeroMatrix(C, p))
    in_W = (at, CENTERED, LABELS, ONES)
    zeros = p * (C * N - C + 2)
    return Proof(
        "Curvature at the saddle",
        r"At $W = 0$, $H = 0$, $b = \tfrac1C\mathbf 1$ the Hessian maps $(W, H, b)$ to $(AH^\top, "
        r"W^\top A, CN\,b)$. Its eigenvalues are $-\sqrt N$ and $\sqrt N$, each $p(C-1)$ times, "
        r"$CN$, $C$ times, and 0.",
        "our derivation",
        f"{GENERAL}; the last step for numbers",
        (
            Step("Along $S$ the risk falls: the classifier.", A * H.T, -root * W, (*in_W, COPIES)),
            Step("The features.", W.T * A, -root * H, (at, CENTERED, COPIES)),
            Step("Opposed, it rises.", A * H.T, root * W, (*in_W, opposed)),
            Step("The features, opposed.", W.T * A, root * H, (at, CENTERED, opposed)),
            Step("Equal rows are free.", W.T * A, sp.ZeroMatrix(p, n), (at, common, ONES, COUNT)),
            Step(
                "So are features without class means.",
                A * H.T,
                sp.ZeroMatrix(C, p),
                (at, meanless, ONES),
            ),
            Step(
                "And so is a common shift of all features.",
                A * one_n,
                sp.ZeroMatrix(C, 1),
                (at, ONES, LABELS, COUNT),
            ),
            Step(
                f"{COUNTED}all directions are found.",
                2 * p * (C - 1) + C + zeros,
                C * p + p * n + C,
                tex=r"2\cdot p(C-1) + C + p(CN - C + 2) = Cp + pCN + C",
            ),
        ),
    )


@cache
def collapse_curvature() -> Proof:
    """Eigenvalues of the Hessian at strong collapse, from the residuals it can move.

    Our derivation.   Chapter: unconstrained.

    >>> collapse_curvature().holds
    True
    """
    return Proof(
        "Curvature at strong collapse",
        r"Where the residual is zero, the Hessian is $J^\top J$, where $J$ maps $(dW, dH, db)$ to "
        r"$dW H + W dH + db\,\mathbf 1^\top$. It shares its nonzero eigenvalues with $JJ^\top$, "
        r"which acts on residuals $X$. At strong collapse these are $\sqrt N$, $2\sqrt N$, $CN$ "
        r"and $CN + \sqrt N$.",
        "our derivation",
        f"{GENERAL}; the last step for numbers",
        (*_operator(), *_residual_kinds(), _kinds_counted()),
    )


def _operator() -> tuple[Step, ...]:
    """J J^T, in general."""
    dW, dH, db = (
        sp.MatrixSymbol("dW", C, p),
        sp.MatrixSymbol("dH", p, n),
        sp.MatrixSymbol("db", C, 1),
    )
    J = dW * H + W * dH + db * one_n.T
    return (
        Step(
            r"The transpose of $J$ maps $X$ to $(XH^\top, W^\top X, X\mathbf 1)$, so "
            r"that $JJ^\top X$ is the sum of $XH^\top H$, $WW^\top X$ and "
            r"$X\mathbf 1\mathbf 1^\top$.",
            sp.Trace(X.T * J),
            sp.Trace(H * X.T * dW) + sp.Trace(X.T * W * dH) + sp.Trace(one_n.T * X.T * db),
        ),
        Step(
            "At strong collapse the features contribute as follows.",
            H.T * H,
            Y.T * P * Y / root,
            (SNC2, SNC1),
        ),
    )


def _residual_kinds() -> tuple[Step, ...]:
    """Five kinds of residuals with their eigenvalues, and one that is out of reach."""
    applied = X * H.T * H + W * W.T * X + X * one_n * one_n.T
    D, u = sp.MatrixSymbol("D", C, C), sp.MatrixSymbol("u", C, 1)
    x = sp.MatrixSymbol("x", n, 1)
    zero = sp.ZeroMatrix
    rows = Given("zero sum over classes", one.T * X, zero(1, n))
    within = Given("zero sum within each class", X * Y.T, zero(C, C))
    means = Given("a residual of the class means", X, D * Y)
    left = Given("$D$, from the left", one.T * D, zero(1, C))
    right = Given("$D$, from the right", D * one, zero(C, 1))
    equal = Given("the same residual for all outputs, of the class means", X, one * u.T * Y)
    common = Given("the same residual for all samples", X, u * one_n.T)
    sums = Given("$u$ sums to zero", one.T * u, zero(1, 1))
    flat = Given("all residuals equal", X, one * one_n.T)
    pattern = Given("the same residual for all outputs", X, one * x.T)
    inside = Given("$x$ sums to zero in each class", Y * x, zero(C, 1))
    base = (SNC1, SNC2)
    return (
        Step(
            "Class means, zero sums on both sides.",
            applied,
            2 * root * X,
            (*base, means, left, right, LABELS, ONES),
        ),
        Step(
            "Within classes, zero sum over outputs.", applied, root * X, (*base, rows, within, ONES)
        ),
        Step(
            "Class means, all outputs alike.",
            applied,
            root * X,
            (*base, equal, sums, LABELS, ONES, COUNT),
        ),
        Step(
            "All samples alike, zero sum over outputs.",
            applied,
            (n + root) * X,
            (*base, common, sums, LABELS, ONES, COUNT),
        ),
        Step("All alike.", applied, n * X, (*base, flat, LABELS, ONES, COUNT)),
        Step(
            "Within classes, all outputs alike: no curvature at all.",
            applied,
            zero(C, n),
            (*base, pattern, inside, ONES, COUNT),
        ),
    )


def _kinds_counted() -> Step:
    kinds = (C - 1) ** 2 + (C - 1) * (n - C) + (C - 1) + (C - 1) + 1 + (n - C)
    return Step(
        f"{COUNTED}the six kinds are all residuals.",
        kinds,
        C * n,
        tex=r"\begin{aligned} & (C-1)^2 + (C-1)(CN-C) \\ & \quad {} + 2(C-1) + 1 + (CN-C) \\ & "
        r"\quad = C\cdot CN \end{aligned}",
    )


@cache
def plateau() -> Proof:
    """The part of the risk that meets no curvature, and the law of its slow decay.

    Our derivation.   Chapter: unconstrained.

    >>> plateau().holds
    True
    """
    Q = sp.MatrixSymbol("Q", n, n)
    a = sp.MatrixSymbol("a", n, 1)
    qdot, Sdot = sp.MatrixSymbol(r"\dot{q}", p, 1), sp.MatrixSymbol(r"\dot{H}_w", p, n)
    S = sp.MatrixSymbol("H_w", p, n)
    within = Given("centering within classes", Q, sp.Identity(n) - Y.T * Y / N)
    slow = Given("the slow part of the residual", a, Q * A.T * one)
    spread = Given("the spread within classes", S, H - H * Y.T * Y / N)
    ends = Given("the sum of the classifier rows", q, W.T * one)
    only = Given("when all other residuals have faded", A, one * a.T / C)
    flow_q = Given("flow of the rows' sum", qdot, -H * A.T * one)
    flow_S = Given("flow of the spread", Sdot, -W.T * A * Q)
    inside = Step(
        "The slow part sums to zero in each class.",
        Y * a,
        sp.ZeroMatrix(C, 1),
        (slow, within, LABELS),
    )
    speed_q = Step(
        "The speed of the rows' sum.", qdot, -S * a, (flow_q, only, spread, inside, COUNT)
    )
    speed_S = Step(
        "The speed of the spread.", Sdot, -q * a.T / C, (flow_S, only, ends, within, inside)
    )
    return Proof(
        "The plateau",
        r"With $q = W^\top\mathbf 1$ and $a = H_w^\top q$, the risk is $\tfrac{1}{2C}\lVert a"
        r"\rVert^2$ plus half the square of the rest of the residual, exactly. Where the rest has "
        r"faded, $a$ decays only at the rates of $\tfrac1C\lVert q\rVert^2 I + H_w^\top H_w$.",
        "our derivation",
        GENERAL,
        (
            Step(
                "It is made of what the spread and the rows' sum have in common.",
                a,
                S.T * q,
                (slow, RESIDUAL, within, LABELS, ONES, spread, ends),
            ),
            Step(
                "Split it off: the two parts are orthogonal.",
                SquaredNorm(A) / 2,
                SquaredNorm(A - one * a.T / C) / 2 + SquaredNorm(a) / (2 * C),
                (slow, within, LABELS, COUNT),
            ),
            inside,
            speed_q,
            speed_S,
            Step(
                "Hence that of the slow part, a product of three small factors.",
                Sdot.T * q + S.T * qdot,
                -a * q.T * q / C - S.T * S * a,
                (speed_q, speed_S),
            ),
        ),
    )
