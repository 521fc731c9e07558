"""The best head at zero global mean, what does not move its loss, and the loss in SNR values."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .central_path_symbols import (
    AROUND_CLASS,
    BIAS,
    COUNT,
    EQUAL,
    HALF,
    INVERSE,
    LABELS_CENTERED,
    LEFT,
    MEANS,
    PRODUCT,
    RIGHT,
    SHRINK,
    SIMPLEX,
    SQUARE,
    WEIGHT,
    WHITE,
    ZERO_MEAN,
    ZERO_SUMS,
    C,
    K,
    M,
    N,
    Omega,
    P,
    Psi,
    St,
    Sw,
    U,
    V,
    W,
    X,
    Y,
    Z,
    b,
    d,
    n,
    one,
    one_C,
)
from .proof import Given, Proof, Step

__all__ = ["equation_6", "equation_7", "loss_in_snr_values"]

ANY = "any number of classes, samples a class and features"
omega = sp.Symbol(r"\omega", positive=True)
Q = SymmetricSymbol("Q", d, d)  # the inverse of Sigma_W


@cache
def equation_6() -> Proof:
    """Weight and bias of the best head for features with zero global mean.

    Source: Han, Papyan & Donoho 2022, Eq. (6), assumption A2.   Chapter: central-path.

    >>> equation_6().holds
    True
    """
    raw, shift = sp.MatrixSymbol("H", n, d), sp.MatrixSymbol(r"\mu_{G}", d, 1)
    moved = Given("features with any global mean", raw, X + one * shift.T)
    zero = Step(
        "The features sum to zero.",
        one.T * X,
        sp.ZeroMatrix(1, d),
        (AROUND_CLASS, EQUAL, ZERO_SUMS, ZERO_MEAN, LABELS_CENTERED),
    )
    total = Given("total covariance, at zero global mean", X.T * X, C * N * St)
    targets = Step(
        "Labels against features are the class means.",
        Y.T * X,
        N * M,
        (AROUND_CLASS, EQUAL, ZERO_SUMS),
    )
    return Proof(
        "Eq. (6)",
        r"For $\lambda = 0$, equal classes and zero global mean the best head is "
        r"$W_{\mathrm{LS}} = \tfrac1C M\,\Sigma_T^{-1}$, $b_{\mathrm{LS}} = \tfrac1C\mathbf{1}$. "
        "For features with any global mean it does what this one does after the mean is "
        "subtracted.",
        "Han, Papyan & Donoho 2022, Eq. (6) and the lines after it",
        ANY,
        (
            zero,
            targets,
            Step(
                "The weight solves its normal equations.",
                W * X.T * X + b * one.T * X,
                Y.T * X,
                (WEIGHT, total, zero, targets),
            ),
            Step(
                "The bias solves its own.",
                W * X.T * one + b * one.T * one,
                Y.T * one,
                (zero, BIAS, LABELS_CENTERED, EQUAL, COUNT),
            ),
            Step(
                r"With a global mean, the bias $\tfrac1C\mathbf{1} - W_{\mathrm{LS}}\,\mu_G$ "
                "subtracts it: from the features, and the mean from the targets.",
                raw * W.T + one * (one_C / C - W * shift).T - Y,
                X * W.T - (Y - one * one_C.T / C),
                (moved,),
            ),
        ),
    )


@cache
def equation_7() -> Proof:
    """Predictions and loss are the same in every invertible system of coordinates.

    Source: Han, Papyan & Donoho 2022, Eq. (7), there for symmetric A; here for every invertible
    one.   Chapter: invariance.

    >>> equation_7().holds
    True
    """
    A, B = sp.MatrixSymbol("A", d, d), sp.MatrixSymbol("B", d, d)
    moved: Any = W * B  # the head, deviations and means in the new coordinates
    spread: Any = Z * A.T
    signal: Any = M * A.T
    there = Given(r"$B = A^{-1}$, from the right", A * B, sp.Identity(d))
    back = Given(r"$B = A^{-1}$, from the left", B * A, sp.Identity(d))
    within = Given("within-class covariance", Z.T * Z, C * N * Sw)
    root = Given(r"$\Sigma_W$ is invertible, $Q = \Sigma_W^{-1}$", Sw * Q, sp.Identity(d))
    moved_head = Step(
        "In the coordinates $A h$ the covariance is $A\\Sigma_T A^\\top$ and the means are the "
        "rows of $M A^\\top$; there the weight $W_{\\mathrm{LS}}B$ solves the normal equations.",
        W * B * (A * St * A.T),
        M * A.T / C,
        (back, WEIGHT),
    )
    return Proof(
        "Eq. (7)",
        r"Let $A$ be invertible, symmetric or not. On features $A h$ the best head makes the "
        r"predictions that it makes on $h$: $W_{\mathrm{LS}}(A h)\,A h = W_{\mathrm{LS}}(h)\,h$. "
        r"So loss and both of its parts are the same, and so is $M\Sigma_W^{-1}M^\top$, whose "
        r"eigenvalues are the $\omega_j^2$.",
        "Han, Papyan & Donoho 2022, Eq. (7); there for symmetric $A$",
        ANY,
        (
            moved_head,
            Step("It makes the same predictions.", X * A.T * moved.T, X * W.T, (back,)),
            Step(
                "So the loss is the same.",
                SquaredNorm(X * A.T * moved.T + one * b.T - Y) / (2 * n),
                SquaredNorm(X * W.T + one * b.T - Y) / (2 * n),
                (back,),
            ),
            Step(
                "The spread in the new coordinates.",
                spread.T * spread / n,
                A * Sw * A.T,
                (within,),
            ),
            Step("Its inverse.", A * Sw * A.T * (B.T * Q * B), sp.Identity(d), (there, back, root)),
            Step(
                "Signal over noise does not see the coordinates.",
                signal * (B.T * Q * B) * signal.T,
                M * Q * M.T,
                (back,),
            ),
        ),
    )


@cache
def loss_in_snr_values() -> Proof:
    """L_LS = 1/2 sum_j 1/(C + omega_j^2), with its two parts.

    Source: our derivation from Han, Papyan & Donoho 2022, Eqs. (6), (8), (17) and (18).
    Chapter: snr.

    >>> loss_in_snr_values().holds
    True
    """
    complete = Given(
        r"$V$ and $\mathbf{1}$ span all of $\mathbb{R}^C$",
        one_C * one_C.T,
        C * (sp.Identity(C) - V * V.T),
    )
    total = Given(
        "total covariance, in whitened features", St, sp.Identity(d) + U * Omega * Omega * U.T / C
    )
    return Proof(
        "The loss in SNR values",
        r"For $\lambda = 0$ and equal classes, $\LLS = \tfrac12\sum_{j=1}^{C-1}\frac{1}{C + "
        r"\omega_j^2}$, with $\Lone = \tfrac12\sum_j\frac{\omega_j^2}{(C + \omega_j^2)^2}$ and "
        r"$\Ltwothree = \tfrac12\sum_j\frac{C}{(C + \omega_j^2)^2}$. By Eq. (7) it is enough to "
        r"take whitened features, $\Sigma_W = I$, where the class means $M = V\Omega U^\top$ are "
        r"the SNR matrix; $K$ stands for $(C + \Omega^2)^{-1}$ and $\Psi$ for $\Omega K$.",
        "our derivation; terms of Han, Papyan & Donoho 2022, Eqs. (6), (8), (17), (18)",
        ANY,
        (
            Step(
                r"$V\Psi U^\top$ is the weight of Eq. (6).",
                V * Psi * U.T * St,
                V * Omega * U.T / C,
                (total, RIGHT, INVERSE, PRODUCT),
            ),
            *_parts(),
            Step(
                "The loss itself, from its definition, without the two parts.",
                SquaredNorm(X * W.T + one * b.T - Y) / (2 * n),
                HALF * sp.Trace(K),
                (AROUND_CLASS, EQUAL, ZERO_SUMS, LABELS_CENTERED, BIAS, complete, WHITE, SHRINK,
                 MEANS, LEFT, RIGHT, INVERSE,
                    PRODUCT, SQUARE),
            ),
            Step(
                "Value by value: the two parts add up.",
                omega**2 / (C + omega**2) ** 2 + C / (C + omega**2) ** 2,
                1 / (C + omega**2),
            ),
        ),
    )  # fmt: skip


def _parts() -> tuple[Step, ...]:
    """L_NC1 and L_NC2/3 by the formulas of Appendix C.1."""
    errors = Step(
        "Errors at the class means, of centered targets.",
        M * W.T - P,
        -C * V * K * V.T,
        (MEANS, SHRINK, RIGHT, INVERSE, SIMPLEX),
    )
    return (
        errors,
        Step(
            r"$\Lone = \tfrac12\operatorname{tr}(W_{\mathrm{LS}}\Sigma_W W_{\mathrm{LS}}^\top)$.",
            HALF * SquaredNorm(W),
            HALF * sp.Trace(Psi * Psi),
            (SHRINK, LEFT, RIGHT),
        ),
        Step(
            r"$\Ltwothree = \tfrac{1}{2C}\lVert M W_{\mathrm{LS}}^\top - P\rVert_F^2$.",
            SquaredNorm(M * W.T - P) / (2 * C),
            C * HALF * sp.Trace(K * K),
            (MEANS, SHRINK, LEFT, RIGHT, INVERSE, SIMPLEX),
        ),
        Step(
            "Both together.",
            HALF * sp.Trace(Psi * Psi) + C * HALF * sp.Trace(K * K),
            HALF * sp.Trace(K),
            (SQUARE,),
        ),
    )
