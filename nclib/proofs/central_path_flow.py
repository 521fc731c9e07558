"""The gradient on the central path, what the projection takes off, and the projected flow."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .central_path_symbols import (
    AROUND_CLASS,
    BIAS,
    EQUAL,
    INVERSE,
    LABELS_CENTERED,
    LEFT,
    MEANS,
    PRODUCT,
    RIGHT,
    SHRINK,
    SIMPLEX,
    ZERO_SUMS,
    C,
    K,
    M,
    N,
    P,
    Psi,
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

__all__ = ["gradient", "proposition_2", "tangent_and_normal"]

ANY = "any number of classes, samples a class and features"
G = sp.MatrixSymbol("G", n, d)  # the gradient
S = SymmetricSymbol("S", d, d)
omega, t = sp.symbols(r"\omega t", positive=True)


@cache
def gradient() -> Proof:
    """The gradient of L_LS in the features: a part for class means, a part for deviations.

    Source: our derivation; the step toward Han, Papyan & Donoho 2022, Eq. (5).   Chapter: flow.

    >>> gradient().holds
    True
    """
    residual = sp.MatrixSymbol("E", n, C)
    fixed = Given("residuals of the best head", residual, X * W.T + one * b.T - Y)
    normal = Given("its normal equations", X.T * residual, sp.ZeroMatrix(d, C))
    slope = Given("the gradient", G, residual * W / n)
    centered = Given("centering", P, sp.Identity(C) - one_C * one_C.T / C)
    return Proof(
        "Gradient on the central path",
        r"$\nabla_X\LLS = \tfrac{1}{CN}E\,W_{\mathrm{LS}}$ with the residuals $E$ of the best "
        r"head. It is orthogonal to every linear change of coordinates. Its deviations from class "
        r"means are $Z$ times a symmetric matrix, in any coordinates; in whitened ones, with "
        r"$M = V\Omega U^\top$, $K = (C + \Omega^2)^{-1}$ and $\Psi = \Omega K$, its class means "
        r"are $-\tfrac1N V K\Psi U^\top$.",
        "our derivation",
        ANY,
        (
            Step(
                "The derivative of the loss in the features, with the head held fixed. By the "
                "envelope theorem nothing is missing: the loss is stationary in the head.",
                sp.Derivative(SquaredNorm(X * W.T + one * b.T - Y) / (2 * n), X),
                residual * W / n,
                (fixed,),
            ),
            Step(
                r"No linear map $X \mapsto X A^\top$ changes the loss to first order.",
                X.T * G,
                sp.ZeroMatrix(d, d),
                (slope, normal),
            ),
            Step(
                "In any coordinates: a part of whole classes, and deviations times a symmetric "
                "matrix.",
                (X * W.T + one * b.T - Y) * W / n,
                Y * ((M * W.T - P) * W / n) + Z * (W.T * W / n),
                (AROUND_CLASS, BIAS, LABELS_CENTERED, centered),
            ),
            Step(
                "The part of the class means, in whitened coordinates.",
                (M * W.T - P) * W,
                -C * V * K * Psi * U.T,
                (MEANS, SHRINK, SIMPLEX, LEFT, RIGHT, INVERSE),
            ),
            Step(
                "The symmetric matrix there: class means pull the deviations in.",
                W.T * W / n,
                U * Psi * Psi * U.T / n,
                (SHRINK, LEFT),
            ),
        ),
    )  # fmt: skip


@cache
def tangent_and_normal() -> Proof:
    """Tangent and normal vectors of {Sigma_W(X) = const}, and what the projection keeps.

    Source: our derivation; the projection of Han, Papyan & Donoho 2022, Eq. (5).   Chapter: flow.

    >>> tangent_and_normal().holds
    True
    """
    R, T = SymmetricSymbol("R", n, n), sp.MatrixSymbol("T", n, d)
    J = sp.MatrixSymbol("J", d, d)
    B, B0 = sp.MatrixSymbol("B", C, d), sp.MatrixSymbol("B_0", C, d)
    classes: Any = Y * B
    deviations = Given("deviations from the class means", R * X, Z)
    from_x = Given("deviations, once more", Z, R * X)
    projector = Given("taking them twice changes nothing", R * R, R)
    tangent = Given(
        r"$T$ keeps $\Sigma_W$ to first order: $T^\top Z$ is antisymmetric", T.T * Z, J - J.T
    )
    parts = Given("a gradient in two parts", G, Y * B0 + Z * S)
    within = sp.Trace(S * X.T * R * X) / n
    return Proof(
        "Tangent and normal vectors",
        r"On $\{X : \Sigma_W(X) = \text{const}\}$ the normal vectors are $Z S$ with symmetric $S$ "
        r"($Z$ of rank $d$), and moving whole classes, $X' = Y B$, is tangent. A gradient "
        r"$Y B_0 + Z S$ is therefore projected to $Y B_0$.",
        "our derivation",
        ANY,
        (
            Step(
                r"$\Sigma_W$ is a quadratic function of the features; $R$ subtracts class means.",
                Z.T * Z / n,
                X.T * R * X / n,
                (from_x, projector),
            ),
            Step(
                r"The gradient of $\operatorname{tr}(S\,\Sigma_W)$, for symmetric $S$: all normal "
                "vectors have this form.",
                sp.Derivative(within, X),
                2 * Z * S / n,
                (deviations,),
            ),
            Step(
                r"A tangent vector has $T^\top Z + Z^\top T = 0$, so $T^\top Z$ is antisymmetric "
                "and its product with a symmetric matrix has no trace.",
                sp.Trace(T.T * Z * S),
                sp.Integer(0),
                (tangent,),
            ),
            Step(
                "Moving whole classes is tangent.",
                classes.T * Z + Z.T * classes,
                sp.ZeroMatrix(d, d),
                (ZERO_SUMS,),
            ),
            Step(
                "Normal and tangent part of the gradient are orthogonal, so the projection is its "
                "first part.",
                SquaredNorm(G),
                N * SquaredNorm(B0) + SquaredNorm(Z * S),
                (parts, EQUAL, ZERO_SUMS),
            ),
        ),
    )


@cache
def proposition_2() -> Proof:
    """The law of the SNR values under the projected flow, with its constants.

    Source: Han, Papyan & Donoho 2022, Proposition 2; the constants are our derivation.
    Chapter: flow.

    >>> proposition_2().holds
    True
    """
    speed = sp.MatrixSymbol(r"\dot{M}", C, d)
    moves = Given("class means descend, projected", speed, V * K * Psi * U.T / N)
    law = C**2 * N * sp.log(omega) + C * N * omega**2 + N / 4 * omega**4
    return Proof(
        "Proposition 2",
        r"Under the projected flow $Z$, $U$ and $V$ stay as they are, and for every $j$ "
        r"$\dot\omega_j = \frac1N\,\frac{\omega_j}{(C + \omega_j^2)^2}$. So $c_1\log\omega_j + "
        r"c_2\,\omega_j^2 + c_3\,\omega_j^4 = a_j + t$ with $c_1 = C^2N$, $c_2 = CN$, "
        r"$c_3 = N/4$.",
        "Han, Papyan & Donoho 2022, Proposition 2; the constants are our derivation",
        ANY,
        (
            Step(
                "The class means move along the same singular vectors, so these stay: "
                r"$M\dot M^\top$ is symmetric, ...",
                M * speed.T,
                speed * M.T,
                (moves, MEANS, RIGHT, INVERSE),
            ),
            Step(
                r"... and $M^\top\dot M$ is.",
                M.T * speed,
                speed.T * M,
                (moves, MEANS, LEFT, PRODUCT),
            ),
            Step(
                "Singular values move by the diagonal matrix in between.",
                V.T * speed * U,
                K * Psi / N,
                (moves, LEFT, RIGHT),
            ),
            Step(
                r"The same is descent of $\LLS$ in the SNR values, at speed $1/N$: the force on "
                "one value.",
                -sp.Derivative(1 / (2 * (C + omega**2)), omega).doit(),
                omega / (C + omega**2) ** 2,
            ),
            Step(
                r"The left side of the law has the derivative $1/\dot\omega$, so it grows as $t$.",
                sp.Derivative(law, omega),
                N * (C + omega**2) ** 2 / omega,
            ),
            Step(
                "The law once more, as a shifted square and a logarithm.",
                law,
                N * ((omega**2 + 2 * C) ** 2 / 4 - C**2 + C**2 * sp.log(omega)),
            ),
        ),
    )  # fmt: skip
