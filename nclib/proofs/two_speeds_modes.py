"""Our two-speed family mode by mode: its integral, local exponent and limits, and its sister."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy as sp

from .proof import Proof, Step

__all__ = ["PROOFS", "limits", "local_exponent", "mode_law", "renormalized_law"]

C, N, b, r, v, omega = sp.symbols(r"C N b r v \omega", positive=True)
q = sp.Symbol(r"\varrho", positive=True)  # sqrt(r)
HALF = sp.Rational(1, 2)
SCOPE = "any number of classes and samples, any ratio and budget"

LAW: Any = omega * (1 + r * omega**2 / C) ** 2 / (N * b * (C + omega**2) ** 2)
SISTER: Any = omega * (1 + r * omega**2 / C) / (N * (C + omega**2) ** 2)
PHI: Any = HALF * (r**2 * sp.log(v) + (1 - r**2) * sp.log(1 + r * v) + (1 - r) ** 2 / (1 + r * v))


@cache
def mode_law() -> Proof:
    """The integral of the per-mode law.

    Source: our derivation.   Chapter: two-speeds.

    >>> mode_law().holds
    True
    """
    slope = (1 + 2 * v + v**2) / (2 * v * (1 + r * v) ** 2)
    pace = 2 * v * (1 + r * v) ** 2 / (N * C**2 * b * (1 + v) ** 2)
    return Proof(
        "The law of a mode",
        r"With $v = \omega^2/C$ and a constant budget $b$, the quantity $\tfrac{NC^2b}{r^2}\,"
        r"\Phi(v)$ grows by exactly $t$ in time $t$, where $2\Phi(v)$ is $r^2\log v$ plus "
        r"$(1-r^2)\log(1+rv)$ plus $(1-r)^2/(1+rv)$.",
        "our derivation",
        SCOPE,
        (
            Step(
                r"The law in $v = \omega^2/C$: $\dot v = 2\omega\dot\omega/C$.",
                2 * omega / C * LAW,
                pace.subs(v, omega**2 / C),
            ),
            Step(r"The derivative of $\Phi/r^2$.", sp.Derivative(PHI / r**2, v), slope),
            Step("So along the law it grows at a constant pace.", slope * pace, 1 / (N * C**2 * b)),
            Step(
                r"For $r = 1$ the law is exponential: plain flow from a common budget keeps all "
                "ratios.",
                LAW.subs(r, 1),
                omega / (N * C**2 * b),
            ),
            Step(
                r"For $r = 0$ the slope is that of the projected flow's logarithm, square and "
                "fourth power.",
                sp.Derivative(HALF * (sp.log(v) + 2 * v + v**2 / 2), v),
                slope.subs(r, 0),
            ),
        ),
    )


@cache
def local_exponent() -> Proof:
    """Where spreads shrink: the exponent p of the speed in the value, and its least value.

    Source: our derivation.   Chapter: two-speeds.

    >>> local_exponent().holds
    True
    """
    p = 1 + 4 * r * v / (1 + r * v) - 4 * v / (1 + v)
    short = 1 - 4 * (1 - r) * v / ((1 + v) * (1 + r * v))
    least = (5 * q - 3) / (1 + q)
    return Proof(
        "Local exponent",
        r"$p = d\log\dot\omega/d\log\omega$ at fixed budget is $1$ at both ends and least, "
        r"$(5\sqrt r - 3)/(1 + \sqrt r)$, at $\omega^2 = C/\sqrt r$. In the formulas $\varrho = "
        r"\sqrt r$.",
        "our derivation",
        SCOPE,
        (
            Step(
                r"$p/\omega$ is the derivative of $\log\dot\omega$.",
                sp.Derivative(sp.log(LAW), omega),
                p.subs(v, omega**2 / C) / omega,
            ),
            Step("In one fraction: never above 1, and 1 at both ends.", p, short),
            Step(
                "The denominator with a square completed.",
                (1 + v) * (1 + q**2 * v),
                (1 - q * v) ** 2 + (1 + q) ** 2 * v,
            ),
            Step(
                r"So $p$ exceeds its least value by a square, which vanishes at $v = 1/\varrho$.",
                short.subs(r, q**2) - least,
                4 * (1 - q) * (1 - q * v) ** 2 / ((1 + q) * (1 + v) * (1 + q**2 * v)),
            ),
            Step(
                r"The least value grows with $\varrho$, from $-3$ to $1$, and passes $0$ at "
                r"$\varrho = 3/5$, $r = 9/25$: from there on no spread shrinks in absolute terms.",
                least,
                5 - 8 / (1 + q),
            ),
        ),
    )


@cache
def limits() -> Proof:
    """What is left of the start when time is infinite, for r > 0.

    Source: our derivation.   Chapter: two-speeds.

    >>> limits().holds
    True
    """
    tail = HALF * ((1 - r**2) * sp.log(1 / v + r) + (1 - r) ** 2 / (1 + r * v))
    return Proof(
        "What is left at the end",
        r"For $0 < r \le 1$ each mode grows at last like $e^{r^2t/(NC^2b)}$; modes of one budget "
        r"keep the ratio $e^{\Phi(v_i(0)) - \Phi(v_j(0))}$, which for small starts is the initial "
        r"ratio to the power $r^2$; and the signal $m^2$ goes to $Cb/r$.",
        "our derivation",
        SCOPE,
        (
            Step(
                r"The relative speed. As $v$ grows the bracket goes to 1.",
                LAW.subs(omega, sp.sqrt(C * v)) / sp.sqrt(C * v),
                r**2 / (N * C**2 * b) * (1 + (1 - r) / (r * (1 + v))) ** 2,
            ),
            Step(
                r"$\Phi$ is $\log\omega$ up to a rest with the limit $\tfrac{1-r^2}{2}\log r$, the "
                r"same for every mode. As $\Phi(v_i) - \Phi(v_j)$ rests at equal budgets, "
                r"it is the limit of $\log(\omega_i/\omega_j)$.",
                PHI - HALF * sp.log(v),
                tail,
            ),
            Step(
                r"Near zero, $\Phi$ is $\tfrac{r^2}{2}\log v$ and a smooth rest with a slope of "
                r"order $r^2$: small starts lose all of their disparity but the power $r^2$.",
                sp.Derivative(PHI - r**2 / 2 * sp.log(v), v),
                r**2 * (1 - r) * (2 + (1 + r) * v) / (2 * (1 + r * v) ** 2),
            ),
            Step(
                r"The signal $m^2 = \omega^2\hat{s}^2$ with $\hat{s}^2 = b/(1+rv)$ lacks of "
                r"$Cb/r$ what noise is left, at the rate of exchange.",
                C * b / r - C * v * b / (1 + r * v),
                C / r * (b / (1 + r * v)),
            ),
        ),
    )


@cache
def renormalized_law() -> Proof:
    """The sister family: the same step with whitened features, so with unit noise.

    Source: our derivation.   Chapter: two-speeds.

    >>> renormalized_law().holds
    True
    """
    potential = HALF * (r**2 * sp.log(v) + r * v - (1 - r) ** 2 * sp.log(1 + r * v))
    slope = (1 + 2 * v + v**2) / (2 * v * (1 + r * v))
    pace = 2 * v * (1 + r * v) / (N * C**2 * (1 + v) ** 2)
    return Proof(
        "Renormalized family",
        r"When every small two-speed step is followed by whitening, $\dot\omega = \omega(C + "
        r"r\omega^2)/(NC(C+\omega^2)^2)$, and ratios go to 1 for every $r$.",
        "our derivation",
        "any number of classes and samples, any ratio",
        (
            Step(
                r"Whitening changes no SNR value and makes the noise 1. The law in $v$.",
                2 * omega / C * SISTER,
                pace.subs(v, omega**2 / C),
            ),
            Step("Its potential.", sp.Derivative(potential / r**2, v), slope),
            Step("It grows at a constant pace.", slope * pace, 1 / (N * C**2)),
            Step(
                r"The local exponent over $\omega$: with $v$ growing it is $-1$, for every "
                r"$r > 0$. The values grow like square roots of time.",
                sp.Derivative(sp.log(SISTER), omega),
                (4 / (1 + omega**2 / C) - 2 / (1 + r * omega**2 / C) - 1) / omega,
            ),
            Step(
                r"$r = 1$ is the flow of step-then-whiten.",
                SISTER.subs(r, 1),
                omega / (N * C * (C + omega**2)),
            ),
        ),
    )


PROOFS: tuple[Callable[[], Proof], ...] = (mode_law, local_exponent, limits, renormalized_law)
