r"""The letters of the landscape proofs: samples in rows, any number of classes and features.

The two decays are written lambda_W = rho/t^2 and lambda_H = rho t^2, so that rho is their
geometric mean and t = (lambda_H/lambda_W)^{1/4}; class sizes are n = m^2. This keeps all roots out.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .proof import Given

HALF = sp.Rational(1, 2)
K, m, d = sp.symbols("K m d", positive=True, integer=True)
N = K * m**2
rho, t, c = sp.symbols("rho t c", positive=True)
decay = sp.Symbol(r"\lambda_b", positive=True)

W = sp.MatrixSymbol("W", K, d)
H = sp.MatrixSymbol("H", N, d)  # features
b = sp.MatrixSymbol("b", K, 1)
T = sp.MatrixSymbol("T", N, K)  # targets, any
Y = sp.MatrixSymbol("Y", N, K)  # one-hot labels
G = sp.MatrixSymbol("G", N, K)  # slope of the data term in the scores
P = SymmetricSymbol("P", K, K)  # I - 11^T/K
one = sp.MatrixSymbol(r"\mathbf{1}_K", K, 1)
one_N = sp.MatrixSymbol(r"\mathbf{1}_N", N, 1)
J = one * one.T / K

COUNT = Given("the number of classes", one.T * one, K * sp.Identity(1))
LABELS = Given("balanced one-hot labels, $n = m^2$ samples a class", Y.T * Y, m**2 * sp.Identity(K))
ONES = Given("each sample has one class", one_N, Y * one)
CENTERING = Given("the centering projector", P, sp.Identity(K) - J)


def ridges(W: Any, H: Any) -> Any:
    """lambda_W/2 |W|^2 + lambda_H/2 |H|^2."""
    return rho / (2 * t**2) * SquaredNorm(W) + rho * t**2 / 2 * SquaredNorm(H)


def objective(W: Any, H: Any, b: Any) -> Any:
    """f for any targets T."""
    data = SquaredNorm(H * W.T + one_N * b.T - T) / (2 * N)
    return data + ridges(W, H) + decay / 2 * SquaredNorm(b)
