"""Strict saddles: the way down from every critical point that is no global minimum."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .landscape_symbols import G, H, K, N, T, W, b, c, d, m, objective, one_N, rho, t
from .proof import Given, Proof, Step

__all__ = ["escape", "most_negative", "square_weight", "theorem_3_2"]

GENERAL = "any number of classes, samples and features, and any targets"
UNIT = sp.Identity(1)

IN_W = Given("stationary in $W$", G.T * H, -rho / t**2 * W)
IN_H = Given("stationary in $H$", G * W, -rho * t**2 * H)


def vector(name: str, size: Any) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, size, 1)


a, u, v = vector("a", d), vector("u", K), vector("v", N)
UNUSED = Given("$W$ does not use the direction $a$", W * a, sp.ZeroMatrix(K, 1))
UNIT_A = Given("unit length", a.T * a, UNIT)


@cache
def escape() -> Proof:
    """Balanced decays, and the quartic through a critical point with an unused direction.

    Source: the direction as in Zhou et al. 2022, Theorems 3.2 and 3.3; the quartic is our
    derivation.   Chapter: landscape.

    >>> escape().holds
    True
    """
    sigma, s = sp.symbols("sigma s", positive=True)
    zero = Given("nor does $H$", H * a, sp.ZeroMatrix(N, 1))
    units = (UNIT_A, Given("unit length", u.T * u, UNIT), Given("unit length", v.T * v, UNIT))
    top = Given("$u$, $v$: top singular pair of $G$, value $\\sigma$", G * u, sigma * v)
    targets = Given("$G$ is the slope of the data term", T, H * W.T + one_N * b.T - N * G)
    W_s, H_s = W + s * t * u * a.T, H - s / t * v * a.T
    return Proof(
        "The way down",
        r"At a critical point $W$ and $H$ use the same directions. If one direction $a$ is not "
        r"used, then along $W + s\,t\,u a^\top$, $H - \tfrac st\,v a^\top$ the objective is a "
        r"polynomial in $s$, with second derivative $-2(\sigma - \rho)$ at $s = 0$, where $\sigma "
        r"= \lVert G\rVert_{\mathrm{op}}$ and $\rho = \sqrt{\lambda_W\lambda_H}$: negative unless "
        "the point is a global minimum.",
        "Zhou et al. 2022, Theorems 3.2 and 3.3; that it is a quartic is our derivation",
        GENERAL,
        (
            *_balanced(),
            Step(
                "Along the way, one new singular pair joins the scores.",
                H_s * W_s.T,
                H * W.T - s**2 * v * u.T,
                (UNUSED, zero, UNIT_A),
            ),
            Step(
                "The objective along the way, less its value at $s = 0$.",
                objective(W_s, H_s, b) - objective(W, H, b),
                (rho - sigma) * s**2 + s**4 / (2 * N),
                (UNUSED, zero, *units, top, targets),
            ),
        ),
    )


def _balanced() -> tuple[Step, ...]:
    """W^T W and H^T H agree up to the decays, so that they have the same null vectors."""
    first = Step("Stationary in $H$, times $H$.", H.T * H, -H.T * G * W / (rho * t**2), (IN_H,))
    second = Step("Stationary in $W$, times $W$.", H.T * G * W, -rho / t**2 * W.T * W, (IN_W,))
    balanced = Step(
        r"So the two decays balance: $\lambda_H H^\top H = \lambda_W W^\top W$.",
        rho * t**2 * H.T * H,
        rho / t**2 * W.T * W,
        (first, second),
    )
    same = Step(
        "What $W$ does not use, $H$ does not use either.",
        a.T * H.T * H * a,
        sp.ZeroMatrix(1, 1),
        (balanced, UNUSED),
    )
    return first, second, balanced, same


@cache
def square_weight() -> Proof:
    """For d = K no saddle escapes: an invertible weight is optimal at once.

    Source: d > K is Zhou et al. 2022, Theorem 3.3; d = K was announced by Gu & Shen 2024; this
    short proof is our derivation.   Chapter: landscape.

    >>> square_weight().holds
    True
    """
    W = sp.MatrixSymbol("W", K, K)
    H = sp.MatrixSymbol("H", N, K)
    balanced = Given("the decays balance", H.T * H, W.T * W / t**4)
    stationary = Given("stationary in $H$, solved for the slope", G, -rho * t**2 * H * W.I)
    return Proof(
        "As many features as classes",
        r"Let $d = K$. At a critical point, either $W$ is singular and leaves a direction unused, "
        r"or it is invertible, and then all singular values of $G$ equal $\rho = "
        r"\sqrt{\lambda_W\lambda_H}$: the point has its certificate and is a global minimum.",
        "our derivation; d = K beyond Zhou et al. 2022, Theorem 3.3",
        "any number of classes and samples, and any convex data term",
        (
            Step(
                "The squared slope is a multiple of the identity.",
                G.T * G,
                rho**2 * sp.Identity(K),
                (stationary, balanced),
            ),
        ),
    )


@cache
def theorem_3_2() -> Proof:
    """Without bias: critical points keep singular pairs; keeping a smaller one is a saddle.

    Source: Zhou et al. 2022, Theorem 3.2 and Lemma B.2; the curve is our derivation.
    Chapter: landscape.

    >>> theorem_3_2().holds
    True
    """
    slope = Given("slope without bias", T, H * W.T - N * G)
    return Proof(
        "Theorem 3.2",
        r"Without bias and for every $d$: at a critical point $W$ and $H$ are made of singular "
        r"pairs of the target $T$, softly thresholded. Suppose all directions are used, and a pair "
        r"$i$ is kept while a pair $j$ with $\sigma_j > \sigma_i$ is not. Turn $i$ into $j$ in "
        r"both factors by an angle $\theta$, $k = \tan\frac\theta2$: the objective falls at once.",
        "Zhou et al. 2022, Theorem 3.2 and Lemma B.2; the curve is our derivation",
        GENERAL,
        (
            Step(
                "The target sends columns of $W$ to columns of $H$ ...",
                T * W,
                H * (W.T * W + N * rho * t**2 * sp.Identity(d)),
                (slope, IN_H),
            ),
            Step(
                "... and back. In a basis in which $W^\\top W$, and with it $H^\\top H$, is "
                "diagonal, these are singular pairs, and $\\sigma = N\\rho + $ (length in the "
                "scores).",
                T.T * H,
                W * (H.T * H + N * rho / t**2 * sp.Identity(d)),
                (slope, IN_W),
            ),
            *_turned(),
        ),
    )


def _turned() -> tuple[Step, ...]:
    """The objective along the turn: only the fit of the target changes."""
    eta, k = sp.symbols("eta k", positive=True)
    cosine, sine = (1 - k**2) / (1 + k**2), 2 * k / (1 + k**2)  # k is tan(theta/2)
    values = sp.symbols("sigma_i sigma_j", positive=True)
    U, V = [vector(f"u_{k}", K) for k in "ij"], [vector(f"v_{k}", N) for k in "ij"]
    W_r, H_r = sp.MatrixSymbol("W'", K, d), sp.MatrixSymbol("H'", N, d)
    turned = [cosine * x + sine * y for x, y in (U, V)]
    W_0, H_0 = W_r + eta * t * U[0] * a.T, H_r + eta / t * V[0] * a.T
    W_t, H_t = W_r + eta * t * turned[0] * a.T, H_r + eta / t * turned[1] * a.T
    pairs = zip(values, U, V, strict=True)
    pairs = [Given("singular pair of the target", T * x, value * y) for value, x, y in pairs]
    in_W, in_H = _orthonormal(U, W_r), _orthonormal(V, H_r)
    others = [Given("other pairs, other directions", W_r * a, sp.ZeroMatrix(K, 1))]
    others += [Given("the same", H_r * a, sp.ZeroMatrix(N, 1))]
    return (
        Step(
            "The objective sees $W^\\top W$, $H^\\top H$ and the fit of the target.",
            SquaredNorm(H * W.T - T) / (2 * N) - SquaredNorm(T) / (2 * N),
            sp.Trace(H.T * H * W.T * W) / (2 * N) - sp.Trace(T.T * H * W.T) / N,
        ),
        Step("The turn leaves the first alone ...", W_t.T * W_t, W_0.T * W_0, in_W),
        Step("... and the second.", H_t.T * H_t, H_0.T * H_0, in_H),
        Step(
            r"The fit gains $\eta^2(\sigma_j - \sigma_i)\sin^2\theta$, with the length $\eta^2$ of "
            "the pair in the scores.",
            sp.Trace(T.T * H_t * W_t.T) - sp.Trace(T.T * H_0 * W_0.T),
            eta**2 * (values[1] - values[0]) * sine**2,
            (*pairs, *others, UNIT_A, *in_H[:3]),
        ),
    )


def _orthonormal(pair: list[sp.MatrixSymbol], rest: sp.MatrixSymbol) -> tuple[Given, ...]:
    """Both vectors of unit length, across each other and across what else is kept."""
    x, y = pair
    units = [Given("unit length", z.T * z, UNIT) for z in pair]
    across = Given("orthogonal", x.T * y, sp.ZeroMatrix(1, 1))
    kept = [Given("orthogonal to what else is kept", rest.T * z, sp.ZeroMatrix(d, 1)) for z in pair]
    return *units, across, *kept


@cache
def most_negative() -> Proof:
    """The smallest eigenvalue of the Hessian among new directions, and its sign.

    Our derivation.   Chapter: landscape.

    >>> most_negative().holds
    True
    """
    sigma, w, h = sp.symbols(r"sigma \lambda_W \lambda_H", positive=True)
    root = sp.sqrt((w - h) ** 2 / 4 + sigma**2)
    low, high = (w + h) / 2 - root, (w + h) / 2 + root
    price = c / (K * m)
    return Proof(
        "The most negative curvature",
        r"On the plane of $u a^\top$ in $W$ and $v a^\top$ in $H$ the Hessian of $f$ is "
        r"$\begin{pmatrix}\lambda_W & -\sigma\\ -\sigma & \lambda_H\end{pmatrix}$ up to sign. Its "
        r"lower eigenvalue is negative exactly if $\sigma > \sqrt{\lambda_W\lambda_H}$. While a "
        r"simplex mode is missing, $\sigma = \frac{1}{K\sqrt n}$, with $n = m^2$.",
        "our derivation",
        "all decays and slopes",
        (
            Step("It solves the characteristic equation.", (w - low) * (h - low), sigma**2),
            Step("The product of both eigenvalues gives the sign.", low * high, w * h - sigma**2),
            Step(
                "The curvature along the way down, per mode that is missing.",
                -2 * (1 / (K * m) - price),
                -2 / (K * m) * (1 - c),
            ),
        ),
    )
