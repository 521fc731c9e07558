"""Theorem 3.1: the minimizers, regime by regime, and what a small dimension changes."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .landscape_symbols import (
    CENTERING,
    COUNT,
    HALF,
    LABELS,
    ONES,
    G,
    H,
    J,
    K,
    N,
    P,
    W,
    Y,
    c,
    d,
    decay,
    m,
    one,
    one_N,
    t,
)
from .proof import Given, Proof, Step

__all__ = ["lemma_b3", "lemma_b4", "theorem_3_1"]

x, y, beta = sp.symbols("x y beta", real=True)
STRENGTH = c / (K * m)  # rho = sqrt(lambda_W lambda_H), since c = K m rho
UPPER = decay / (1 + decay)

W_0 = sp.MatrixSymbol("W_0", K, d)
H_0 = sp.MatrixSymbol("H_0", N, d)
GRAM = Given("the claimed Gram matrix", W_0 * W_0.T, t**2 * m * (x * P + y * J))
DUAL = Given("the claimed features", H_0, Y * W_0 / (t**2 * m))
CENTERED = Given("centered rows, where $y = 0$", one.T * W_0, sp.ZeroMatrix(1, d))


def slope(on_differences: Any, on_sum: Any) -> Given:
    """G = Y (on_differences P + on_sum 11^T/K) / N."""
    right = Y * (on_differences * P + on_sum * J) / N
    return Given("the slope there", G, right)


@cache
def theorem_3_1() -> Proof:
    """The minimizers in the simplex regime and above the threshold.

    Source: Zhou et al. 2022, Theorem 3.1, d >= K; lengths and certificate are our derivation.
    Chapter: landscape.

    >>> theorem_3_1().holds
    True
    """
    return Proof(
        "Theorem 3.1, feature dimension not too small",
        r"With $c = K\sqrt{n\lambda_W\lambda_H}$, $P = I - \tfrac1K\mathbf 1\mathbf 1^\top$ and "
        r"$t = (\lambda_H/\lambda_W)^{1/4}$: $WW^\top = t^2\sqrt n\,(xP + \tfrac yK\mathbf 1"
        r"\mathbf 1^\top)$, $H = YW/(t^2\sqrt n)$, $b = \beta\mathbf 1$ is a global minimizer for "
        r"$x = 1-c$, $y = 0$, $\beta = \frac{1}{K(1+\lambda_b)}$ if $\frac{\lambda_b}{1+\lambda_b} "
        r"\le c < 1$, and for $x = 1-c$, $y = 1 - c\,\frac{1+\lambda_b}{\lambda_b}$, $\beta = "
        r"\frac{c}{K\lambda_b}$ if $c$ is smaller. By the certificate it is enough that the point "
        r"is stationary and $G^\top G \preceq \rho^2 I$, with $\rho = \frac{c}{Km}$ and $n = m^2$.",
        "Zhou et al. 2022, Theorem 3.1; lengths and this proof are our derivation",
        "any number of classes, samples per class and features, as far as such a $W$ exists",
        (*_slopes(), *_stationary(), *_values()),
    )


def _slopes() -> tuple[Step, ...]:
    """The slope at the claimed point, and that its norm is not above the price."""
    scores = H_0 * W_0.T + beta * one_N * one.T
    simplex, common = slope(-c, -UPPER), slope(-c, -c)
    return (
        Step(
            "The slope of the data term at such a point, for any $x, y, \\beta$.",
            (scores - Y) / N,
            Y * ((x - 1) * P + (y + K * beta - 1) * J) / N,
            (DUAL, GRAM, ONES, CENTERING),
        ),
        Step(
            "With $y = 0$: the squared slope is $\\rho^2$ on differences of classes, and not more "
            r"on their sum, since $\frac{\lambda_b}{1+\lambda_b} \le c$.",
            STRENGTH**2 * sp.Identity(K) - G.T * G,
            (c**2 - UPPER**2) / (K * m) ** 2 * J,
            (simplex, LABELS, CENTERING, COUNT),
        ),
        Step(
            "With a common part: it is $\\rho^2$ in every direction.",
            G.T * G,
            STRENGTH**2 * sp.Identity(K),
            (common, LABELS, CENTERING),
        ),
    )


def _stationary() -> tuple[Step, ...]:
    """All partial derivatives vanish; and every minimizer collapses."""
    simplex, common = slope(-c, -UPPER), slope(-c, -c)
    any_slope = Given("that slope, with $B$ its class part", G, Y * sp.MatrixSymbol("B", K, K))
    in_features = Given("any minimizer is stationary in $H$", H, -K * m / (c * t**2) * G * W)
    return (
        Step(
            "With a common part, stationary in $W$: $\\lambda_W = \\rho/t^2$.",
            STRENGTH / t**2 * W_0 + G.T * H_0,
            sp.ZeroMatrix(K, d),
            (common, DUAL, LABELS, CENTERING),
        ),
        Step(
            "And in $H$: $\\lambda_H = \\rho\\,t^2$.",
            STRENGTH * t**2 * H_0 + G * W_0,
            sp.ZeroMatrix(N, d),
            (common, DUAL, CENTERING),
        ),
        Step(
            "And in $b$.",
            G.T * one_N + decay * (c / (K * decay)) * one,
            sp.ZeroMatrix(K, 1),
            (common, ONES, LABELS, CENTERING),
        ),
        Step(
            "With $y = 0$, stationary in $W$.",
            STRENGTH / t**2 * W_0 + G.T * H_0,
            sp.ZeroMatrix(K, d),
            (simplex, DUAL, LABELS, CENTERING, CENTERED),
        ),
        Step(
            "And in $b$; in $H$ it is the same calculation as above.",
            G.T * one_N + decay / (K * (1 + decay)) * one,
            sp.ZeroMatrix(K, 1),
            (simplex, ONES, LABELS, CENTERING, COUNT),
        ),
        Step(
            "NC1. The scores of all minimizers agree, so their slope does, and the features of a "
            "class are one point: each row of $H$ is a row of a matrix with one row per class.",
            H,
            -K * m / (c * t**2) * Y * sp.MatrixSymbol("B", K, K) * W,
            (in_features, any_slope),
        ),
    )


def _values() -> tuple[Step, ...]:
    """The bound of the certificate at both slopes."""
    in_simplex = HALF * (K - 1) / K * (2 * c - c**2)
    above = in_simplex + (2 * c - c**2 * (1 + decay) / decay) / (2 * K)
    return (
        Step(
            "The value in the simplex regime, from the certificate's bound.",
            _bound(1 / (K * (1 + decay))),
            in_simplex + UPPER / (2 * K),
            (slope(-c, -UPPER), LABELS, CENTERING, COUNT),
        ),
        Step(
            "The value with a common part.",
            _bound(c / (K * decay)),
            above,
            (slope(-c, -c), LABELS, CENTERING),
        ),
        Step(
            "The first less the second: the values meet at the threshold, and a common part pays "
            "as soon as it is allowed.",
            in_simplex + UPPER / (2 * K) - above,
            (1 + decay) / (2 * K * decay) * (c - UPPER) ** 2,
        ),
    )


def _bound(bias: Any) -> Any:
    """-tr(G^T Y) - N/2 |G|^2 - lambda_b/2 K beta^2."""
    return -sp.Trace(G.T * Y) - N / 2 * SquaredNorm(G) - decay / 2 * K * bias**2


@cache
def lemma_b3() -> Proof:
    """The singular values of the targets less a bias.

    Source: Zhou et al. 2022, Lemma B.3.   Chapter: landscape.

    >>> lemma_b3().holds
    True
    """
    b, E = sp.MatrixSymbol("b", K, 1), sp.Identity(K)
    total, across = sp.symbols("s tau", real=True)
    centered: Any = Y - one_N * b.T
    plane = sp.Matrix([[1 - total, 0], [-sp.sqrt(K) * across, 1]])
    return Proof(
        "Lemma B.3",
        r"$Y - \mathbf 1 b^\top$ has the singular value $\sqrt n$ at least $K - 2$ times. The "
        r"other two are $\sqrt n$ times those of a two by two matrix in the plane of $\mathbf 1$ "
        r"and $b$, where $s = \mathbf 1^\top b$ and $\tau$ is the length of the part of $b$ across "
        r"$\mathbf 1$. One is at least $\sqrt n$, and the other at least $\sqrt n(1 - \sqrt K"
        r"\lVert b\rVert)$, with equality for $b = \beta\mathbf 1$, $0 \le K\beta \le 1$.",
        "Zhou et al. 2022, Lemma B.3",
        "any number of classes and samples per class",
        (
            Step(
                "Every block of $n = m^2$ samples contributes the same.",
                centered.T * centered,
                m**2 * (E - b * one.T) * (E - one * b.T),
                (ONES, LABELS),
            ),
            Step(
                "In the plane: the product of the two squared singular values.",
                (plane * plane.T).det(),
                (1 - total) ** 2,
            ),
            Step(
                "And their sum. One of them is at least 1, since the second axis is stretched to "
                "length 1 at least.",
                (plane * plane.T).trace(),
                2 - 2 * total + total**2 + K * across**2,
            ),
            Step(
                r"For $\tau = 0$ they are $1$ and $1 - s$ for every bias along $\mathbf 1$: the "
                "squares of the two solve this equation.",
                ((plane * plane.T).trace() ** 2 - 4 * (plane * plane.T).det()).subs(across, 0),
                (1 - (1 - total) ** 2) ** 2,
            ),
        ),
    )


@cache
def lemma_b4() -> Proof:
    """The best bias, with and without room for the common direction.

    Source: Zhou et al. 2022, Lemma B.4 and Theorem 3.1, every d.   Chapter: landscape.

    >>> lemma_b4().holds
    True
    """
    delta, size, kept = sp.symbols("delta sigma eta", positive=True)
    lost, shrunk = delta**2, 2 * c * delta - c**2
    bias = decay * (1 - delta) ** 2
    return Proof(
        "Lemma B.4 and the thresholds",
        r"In units of $\frac{1}{2K}$, a singular value $\sqrt n\,\sigma$ of the target costs "
        r"$\sigma^2$ if it is left out and $2c\sigma - c^2$ if it is fitted, which is less for "
        r"$\sigma > c$. At $b = \beta\mathbf 1$ the target has $1$, $K - 1$ times, and $\delta = "
        r"1 - K\beta$, and the bias costs $\lambda_b(1-\delta)^2$. Fitting the last one takes $d "
        r"\ge K$; it pays where $\delta = 1 - \frac{c}{\lambda_b} > c$.",
        "Zhou et al. 2022, Lemmas B.2 and B.4, Theorem 3.1; this proof is our derivation",
        "any number of classes, samples per class and features",
        (
            Step(
                r"Fitting $\sigma$ with length $\eta$ costs least at $\eta = \sigma - c$.",
                (size - kept) ** 2 + 2 * c * kept,
                2 * c * size - c**2 + (kept - (size - c)) ** 2,
            ),
            Step(
                "What fitting saves.",
                size**2 - (2 * c * size - c**2),
                (size - c) ** 2,
            ),
            Step(
                r"Left out, which is all one can do for $d < K$: $\beta = \frac{1}{K(1+\lambda_b)}$"
                ", whatever the bias decay.",
                lost + bias,
                UPPER + (1 + decay) * (delta - UPPER) ** 2,
            ),
            Step(
                r"Fitted: $\delta = 1 - \frac{c}{\lambda_b}$, so $\beta = \frac{c}{K\lambda_b}$.",
                shrunk + bias,
                2 * c - c**2 * (1 + decay) / decay + decay * (delta - 1 + c / decay) ** 2,
            ),
            Step(
                r"The last one is long enough, $\delta > c$, exactly above the threshold.",
                1 - c / decay - c,
                (1 + decay) / decay * (UPPER - c),
            ),
            Step(
                r"In terms of the bias decay: $\lambda_b > \frac{c}{1-c}$.",
                UPPER - c,
                (1 - c) / (1 + decay) * (decay - c / (1 - c)),
            ),
        ),
    )
