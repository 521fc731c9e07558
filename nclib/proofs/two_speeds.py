"""Our two-speed family at any features: velocities, the budget they keep, the speed of a mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from .algebra import SquaredNorm, SymmetricSymbol
from .proof import Given, Proof, Step
from .two_speeds_kernel import PROOFS as KERNEL
from .two_speeds_modes import PROOFS as MODES

__all__ = ["PROOFS", "matrix_budget", "mode_speed", "velocities"]

C, N, d = sp.symbols("C N d", positive=True, integer=True)  # N samples in each of C classes
r, kappa, lam = sp.symbols(r"r \kappa \lambda", positive=True)
omega, noise, b = sp.symbols(r"\omega \hat{s} b", positive=True)

H = sp.MatrixSymbol("H", C * N, d)  # features, zero global mean
Y = sp.MatrixSymbol("Y", C * N, C)
M = sp.MatrixSymbol("M", C, d)
Z = sp.MatrixSymbol("Z", C * N, d)
W = sp.MatrixSymbol("W", C, d)
W_LS = sp.MatrixSymbol(r"W_{\mathrm{LS}}", C, d)
E = sp.MatrixSymbol("E", C * N, C)  # residual of the best head
G = sp.MatrixSymbol("G", C * N, d)  # gradient of the loss in the features
M_dot = sp.MatrixSymbol(r"\dot{M}", C, d)
Z_dot = sp.MatrixSymbol(r"\dot{Z}", C * N, d)
one = sp.MatrixSymbol(r"\mathbf{1}_{CN}", C * N, 1)
one_C = sp.MatrixSymbol(r"\mathbf{1}_C", C, 1)
a = sp.MatrixSymbol("a", d, 1)
a_dot = sp.MatrixSymbol(r"\dot{a}", d, 1)
Sw, Sb, St, B, Q, Sw_dot, Sb_dot = (
    SymmetricSymbol(name, d, d)
    for name in (
        r"\Sigma_{W}",
        r"\Sigma_{B}",
        r"\Sigma_{T}",
        r"\mathcal{B}",
        "Q",
        r"\dot{\Sigma}_{W}",
        r"\dot{\Sigma}_{B}",
    )
)
SPLIT = Given("total is within and between", Sw, St - Sb)


@cache
def velocities() -> Proof:
    """The gradient of the loss in the features, split into class means and deviations.

    Source: our derivation.   Chapter: two-speeds.

    >>> velocities().holds
    True
    """
    around = Given("features, around their class means", H, Y * M + Z)
    within = Given("deviations sum to zero in each class", Y.T * Z, sp.ZeroMatrix(C, d))
    count = Given("$N$ samples in each class", Y.T * Y, N * sp.Identity(C))
    ones = Given("each sample has one class", one, Y * one_C)
    zero = Given("zero global mean", one_C.T * M, sp.ZeroMatrix(1, d))
    between = Given("between-class covariance", M.T * M, C * Sb)
    best = Given("the best head; its bias is $1/C$", W_LS, M * St.I / C)
    residual = Given("what the best head leaves", E, H * W_LS.T + one * one_C.T / C - Y)
    free = SquaredNorm(H * W.T + one * one_C.T / C - Y) / (2 * C * N)
    slope = Given("the gradient there", G, E * W_LS / (C * N))
    on_means = -M * St.I * Sw * St.I / (C**2 * N)
    known = (around, within, count, zero, between, best, residual, slope)
    return Proof(
        "Two velocities",
        "At the best head without ridge, the gradient of the loss in the features has the class "
        r"averages $-\tfrac{1}{C^2N} M\Sigma_T^{-1}\Sigma_W\Sigma_T^{-1}$ and the deviations "
        r"$\tfrac{1}{C^2N} Z\Sigma_T^{-1}\Sigma_B\Sigma_T^{-1}$.",
        "our derivation",
        "any number of equal classes, of samples (rows) and of features",
        (
            Step(
                "The gradient with the head held fixed. At the best head this is the whole "
                "gradient, because the loss is stationary in the head.",
                sp.Derivative(free, H),
                (H * W.T + one * one_C.T / C - Y) * W / (C * N),
            ),
            Step("Its class averages.", Y.T * G / N, on_means, (*known, SPLIT)),
            Step(
                "Its deviations from them.",
                G - Y * Y.T * G / N,
                Z * St.I * Sb * St.I / (C**2 * N),
                (around, within, count, ones, between, best, residual, slope),
            ),
        ),
    )


def _flow() -> tuple[Given, Given, Given, Given, Given]:
    """The two velocities, and the covariances they move."""
    return (
        Given("velocity of the class means", M_dot, kappa * M * St.I * Sw * St.I),
        Given("velocity of the deviations", Z_dot, -r * kappa * Z * St.I * Sb * St.I),
        Given("between-class covariance", M.T * M, C * Sb),
        Given("within-class covariance", Z.T * Z, C * N * Sw),
        SPLIT,
    )


@cache
def matrix_budget() -> Proof:
    """Sigma_W + r Sigma_B is constant, whether the two commute or not.

    Source: our derivation.   Chapter: two-speeds.

    >>> matrix_budget().holds
    True
    """
    means, deviations, between, within, split = _flow()
    up = M_dot.T * M / C + M.T * M_dot / C
    down = Z_dot.T * Z / (C * N) + Z.T * Z_dot / (C * N)
    parallel = Sw * St.I * Sb
    rise = Step(
        r"$\dot\Sigma_B$ in terms of the parallel sum.",
        up,
        kappa * (St.I * parallel + parallel * St.I),
        (means, between, split),
    )
    return Proof(
        "The matrix budget",
        r"Along the two-speed flow $\dot M = \kappa M\Sigma_T^{-1}\Sigma_W\Sigma_T^{-1}$, "
        r"$\dot Z = -r\kappa Z\Sigma_T^{-1}\Sigma_B\Sigma_T^{-1}$, the matrix "
        r"$\Sigma_W + r\Sigma_B$ is constant.",
        "our derivation",
        "any number of equal classes, of samples (rows) and of features",
        (
            Step(
                "The parallel sum of noise and signal is symmetric although its factors need "
                "not commute: both orders are the same.",
                parallel,
                Sb * St.I * Sw,
                (split,),
            ),
            rise,
            Step(
                r"$\dot\Sigma_W$ in terms of the same matrix.",
                down,
                -r * kappa * (St.I * parallel + parallel * St.I),
                (deviations, within, split),
            ),
            Step(
                "So the noise pays for the signal, matrix for matrix: the budget rests.",
                down + r * up,
                sp.ZeroMatrix(d, d),
                (means, deviations, between, within, split),
            ),
            Step(
                "Signal and noise fail to commute by as much as signal and budget do. The budget "
                "rests, and where it shares eigenvectors with the signal, the signal's velocity "
                "shares them too: what commutes once commutes always.",
                Sb * B - B * Sb,
                Sb * Sw - Sw * Sb,
                (Given("the budget", B, Sw + r * Sb),),
            ),
        ),
    )


@cache
def mode_speed() -> Proof:
    """The speed of an SNR value at any state, and its budget form.

    Source: our derivation.   Chapter: two-speeds.

    >>> mode_speed().holds
    True
    """
    mode = Given(r"Fisher's direction; $\lambda = \omega^2/C$ is simple", Sb * a, lam * Sw * a)
    unit = Given("unit noise along it", a.T * Sw * a, sp.Identity(1))
    total = Given("total is within and between", St, Sw + Sb)
    as_total = Step(
        r"$\Sigma_T a$ is a multiple of $\Sigma_W a$ too.",
        Sw * a,
        St * a / (1 + lam),
        (mode, total),
    )
    signal = Step("And of the signal.", Sb * a, lam / (1 + lam) * St * a, (mode, total))
    parallel = Given("parallel sum", Q, Sw * St.I * Sb)
    rising = kappa * (St.I * Q + Q * St.I)
    grows = Given("signal grows by the flow", Sb_dot, rising)
    pays = Given("noise pays for it", Sw_dot, -r * rising)
    K = (1 + r * omega**2 / C) / (N * noise**2)
    speed = K * omega / (C + omega**2) ** 2
    at_mode = 2 * kappa * lam * (1 + r * lam) / ((1 + lam) ** 2 * noise**2)
    placed = at_mode.subs({lam: omega**2 / C, kappa: 1 / (C**2 * N)})
    budget = C * b / (C + r * omega**2)
    return Proof(
        "The speed of an SNR value",
        r"At any features with invertible $\Sigma_W$, a simple $\omega > 0$ moves at $\dot\omega = "
        r"K\omega/(C+\omega^2)^2$ with $K = (1 + r\omega^2/C)/(N\hat{s}^2)$, where "
        r"$\hat{s}^{-2} = \lVert a\rVert^2$.",
        "our derivation",
        "any number of equal classes, of samples (rows) and of features",
        (
            Step(
                r"Differentiating $\Sigma_B a = \lambda\Sigma_W a$ and multiplying by $a^\top$, "
                r"the turning $\dot a$ of the direction drops out; what is left is $\dot\lambda$.",
                a.T * (Sb_dot * a + Sb * a_dot - lam * Sw_dot * a - lam * Sw * a_dot),
                a.T * (Sb_dot - lam * Sw_dot) * a,
                (mode,),
            ),
            as_total,
            signal,
            Step(
                "So the direction passes through the flow's matrix unturned.",
                St.I * Sb * St.I * Sw * a,
                lam / (1 + lam) ** 2 * a,
                (as_total, signal),
            ),
            Step(
                r"Together, $\dot\lambda$.",
                a.T * (Sb_dot - lam * Sw_dot) * a,
                2 * kappa * lam * (1 + r * lam) / (1 + lam) ** 2 * a.T * a,
                (parallel, grows, pays, as_total, signal),
            ),
            Step(
                r"From $\lambda = \omega^2/C$, $\kappa = 1/(C^2N)$: $\dot\omega = "
                r"\tfrac{C}{2\omega}\dot\lambda$.",
                C / (2 * omega) * placed,
                speed,
            ),
            Step(
                r"The budget along the direction: $b = a^\top\mathcal{B}a/a^\top a = "
                r"(1 + r\lambda)\,\hat{s}^2$.",
                a.T * (Sw + r * Sb) * a,
                (1 + r * lam) * sp.Identity(1),
                (mode, unit),
            ),
            Step(
                "With the noise expressed by it.",
                speed.subs(noise, sp.sqrt(budget)),
                omega * (1 + r * omega**2 / C) ** 2 / (N * b * (C + omega**2) ** 2),
            ),
        ),
    )


@cache
def linear_maps() -> Proof:
    """The loss does not feel invertible maps of the features, so its gradient is blind to them.

    Source: our derivation.   Chapter: two-speeds.

    >>> linear_maps().holds
    True
    """
    normal = Given("the best head's normal equations", H.T * H * W_LS.T, H.T * Y)
    centered = Given("zero global mean", H.T * one, sp.ZeroMatrix(d, 1))
    residual = H * W_LS.T + one * one_C.T / C - Y
    return Proof(
        "Blind directions",
        r"The gradient $G$ of the loss in the features satisfies $H^\top G = 0$: it is orthogonal "
        r"to every motion $H \to H(I + \varepsilon A)$.",
        "our derivation",
        "any number of equal classes, of samples (rows) and of features",
        (
            Step(
                "The residual of the best head is orthogonal to all features.",
                H.T * residual,
                sp.ZeroMatrix(d, C),
                (normal, centered),
            ),
            Step(
                "Hence so is the gradient, residual times head.",
                H.T * residual * W_LS / (C * N),
                sp.ZeroMatrix(d, d),
                (normal, centered),
            ),
            Step(
                r"Moving by $HA$ changes the loss by $\operatorname{tr}(G^\top HA) = 0$ at first "
                "order.",
                sp.Trace((residual * W_LS / (C * N)).T * H * sp.MatrixSymbol("A", d, d)),
                sp.Integer(0),
                (normal, centered),
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (
    velocities,
    matrix_budget,
    mode_speed,
    linear_maps,
    *KERNEL,
    *MODES,
)
"""The proofs about the two-speed family, in the order of the chapter."""
