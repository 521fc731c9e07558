"""The letters of the central path: equal classes, zero global mean, no ridge; samples in rows.

N is the number of samples in each class here, as in the paper, so that there are C N in all.
"""

from __future__ import annotations

import sympy as sp

from .algebra import SymmetricSymbol
from .proof import Given

__all__ = [
    "AROUND_CLASS", "BIAS", "COUNT", "EQUAL", "HALF", "INVERSE", "LABELS_CENTERED", "LEFT",
    "MEANS", "PRODUCT", "RIGHT", "SHRINK", "SIMPLEX", "SQUARE", "WEIGHT", "WHITE", "ZERO_MEAN",
    "ZERO_SUMS", "C", "K", "M", "N", "Omega", "P", "Psi", "St", "Sw", "U", "V", "W", "X", "Y",
    "Z", "b", "d", "n", "one", "one_C",
]  # fmt: skip

HALF = sp.Rational(1, 2)
C, N, d = sp.symbols("C N d", positive=True, integer=True)
n = C * N  # samples in all

X = sp.MatrixSymbol("X", n, d)  # features
Y = sp.MatrixSymbol("Y", n, C)  # one-hot labels
M = sp.MatrixSymbol("M", C, d)  # class means
Z = sp.MatrixSymbol("Z", n, d)  # deviations from the class means
W = sp.MatrixSymbol(r"W_{\mathrm{LS}}", C, d)
b = sp.MatrixSymbol(r"b_{\mathrm{LS}}", C, 1)
Sw = SymmetricSymbol(r"\Sigma_{W}", d, d)
St = SymmetricSymbol(r"\Sigma_{T}", d, d)
P = SymmetricSymbol("P", C, C)  # the centering projector I - 11^T/C
one = sp.MatrixSymbol(r"\mathbf{1}", n, 1)
one_C = sp.MatrixSymbol(r"\mathbf{1}_C", C, 1)

# The singular value decomposition of the SNR matrix, M = V Omega U^T where Sigma_W = I.
V = sp.MatrixSymbol("V", C, C - 1)  # over the classes
U = sp.MatrixSymbol("U", d, C - 1)  # over the features
Omega = SymmetricSymbol(r"\Omega", C - 1, C - 1)  # diagonal
K = SymmetricSymbol("K", C - 1, C - 1)  # (C + Omega^2)^{-1}, diagonal
Psi = SymmetricSymbol(r"\Psi", C - 1, C - 1)  # Omega K, the singular values of the best head

AROUND_CLASS = Given("features, around their class means", X, Y * M + Z)
EQUAL = Given("one-hot labels, $N$ samples in each class", Y.T * Y, N * sp.Identity(C))
ZERO_SUMS = Given("deviations sum to zero in each class", Y.T * Z, sp.ZeroMatrix(C, d))
ZERO_MEAN = Given("zero global mean", one_C.T * M, sp.ZeroMatrix(1, d))
LABELS_CENTERED = Given("each sample has one class", one, Y * one_C)
COUNT = Given("the number of classes", one_C.T * one_C, C * sp.Identity(1))
WEIGHT = Given("the claimed weight, times the covariance", W * St, M / C)
BIAS = Given("the claimed bias", b, one_C / C)

MEANS = Given("the class means, in whitened features", M, V * Omega * U.T)
WHITE = Given("whitened features", Z.T * Z, C * N * sp.Identity(d))
LEFT = Given("orthonormal singular vectors over the classes", V.T * V, sp.Identity(C - 1))
RIGHT = Given("orthonormal singular vectors over the features", U.T * U, sp.Identity(C - 1))
SIMPLEX = Given("centering; $V$ spans all that sums to zero", P, V * V.T)
INVERSE = Given(
    r"$K = (C + \Omega^2)^{-1}$ and $\Psi = \Omega K$, diagonal",
    Omega * Psi,
    sp.Identity(C - 1) - C * K,
)
PRODUCT = Given(r"$\Psi = \Omega K$, once more", K * Omega, Psi)
SQUARE = Given(r"$\Psi^2 = \Omega^2K^2$, multiplied out", Psi * Psi, K - C * K * K)
SHRINK = Given("the best head, in whitened features", W, V * Psi * U.T)
