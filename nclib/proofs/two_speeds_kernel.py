"""Our two-speed family: the gradients of the SNR values, and why their Gram matrix is diagonal."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .proof import Given, Proof, Step

__all__ = ["PROOFS", "diagonal_kernel"]

C, N, d = sp.symbols("C N d", positive=True, integer=True)  # N samples in each of C classes
r, lam, omega, noise = sp.symbols(r"r \lambda \omega \hat{s}", positive=True)
M = sp.MatrixSymbol("M", C, d)
Z = sp.MatrixSymbol("Z", C * N, d)
a = sp.MatrixSymbol("a", d, 1)
b = sp.MatrixSymbol("b", d, 1)
Sw = SymmetricSymbol(r"\Sigma_{W}", d, d)
Sb = SymmetricSymbol(r"\Sigma_{B}", d, d)


@cache
def diagonal_kernel() -> Proof:
    """Different modes have orthogonal gradients, in the means and in the deviations.

    Source: our derivation.   Chapter: two-speeds.

    >>> diagonal_kernel().holds
    True
    """
    between = Given("between-class covariance", M.T * M, C * Sb)
    within = Given("within-class covariance", Z.T * Z, C * N * Sw)
    mode = Given("a mode", Sb * a, lam * Sw * a)
    unit = Given("unit noise along it", a.T * Sw * a, sp.Identity(1))
    apart = Given("another mode does not meet it", b.T * Sw * a, sp.ZeroMatrix(1, 1))
    on_means, on_deviations = 2 * M * a * a.T / C, -2 * lam * Z * a * a.T / (C * N)
    square = 4 * lam * (1 + r * lam) / (C * N * noise**2)
    return Proof(
        "A diagonal kernel",
        r"With the direction held fixed, $d\lambda = a^\top(d\Sigma_B - \lambda\,d\Sigma_W)a$. In "
        r"the metric of the two speeds the gradients of different $\omega_j$ are orthogonal, and "
        r"their squared lengths are $(1 + r\omega^2/C)/(N\hat{s}^2)$.",
        "our derivation",
        "any number of equal classes, of samples (rows) and of features",
        (
            Step(
                "The gradient in the class means.",
                sp.Derivative(sp.Trace(a.T * M.T * M * a) / C, M),
                on_means,
            ),
            Step(
                "The gradient in the deviations.",
                sp.Derivative(-lam * sp.Trace(a.T * Z.T * Z * a) / (C * N), Z),
                on_deviations,
            ),
            Step(
                "Two modes are orthogonal in the class means,",
                sp.Trace(b * b.T * M.T * M * a * a.T),
                sp.Integer(0),
                (between, mode, apart),
            ),
            Step(
                "and in the deviations.",
                sp.Trace(b * b.T * Z.T * Z * a * a.T),
                sp.Integer(0),
                (within, apart),
            ),
            Step(
                "A mode with itself. A gradient in the means counts $1/N$, for each is carried "
                "by $N$ samples; one in the deviations counts $r$.",
                SquaredNorm(on_means) / N + r * SquaredNorm(on_deviations),
                4 * lam * (1 + r * lam) / (C * N) * sp.Trace(a.T * a),
                (between, within, mode, unit),
            ),
            Step(
                r"From $\lambda$ to $\omega$ by $\nabla\omega = \tfrac{C}{2\omega}\nabla\lambda$, "
                r"with $a^\top a = \hat{s}^{-2}$.",
                C**2 / (4 * omega**2) * square.subs(lam, omega**2 / C),
                (C + r * omega**2) / (C * N * noise**2),
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (diagonal_kernel,)
