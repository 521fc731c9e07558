"""The forms without the constant feature: a weight and a bias instead of W~ = [W, b]."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from .algebra import SquaredNorm
from .proof import Given, Proof, Step
from .samples import FRACTIONS, FRACTIONS_HEAD, FREE, Samples
from .symbols import (
    HALF,
    W_LS,
    Bc,
    C,
    F,
    Fc,
    H,
    K,
    M,
    Mc,
    N,
    Phi,
    Pi,
    St,
    Sw,
    W,
    Y,
    Z,
    b,
    b_LS,
    d,
    mu,
    one_C,
    one_N,
    pi,
    ridge,
)

__all__ = ["appendix_c1", "bias_eliminated"]


@cache
def bias_eliminated() -> Proof:
    """The head of Proposition 1 as a weight and a bias; what ``least_squares`` computes.

    Our derivation, for any class proportions and any ridge >= 0, with the bias penalized.
    Chapter: least-squares.

    >>> bias_eliminated().holds
    True
    """
    return Proof(
        "Proposition 1 with the bias eliminated",
        r"$W_{\mathrm{LS}} = \bigl(\Pi M - \tfrac{1}{1+\lambda}\,\pi\mu_G^\top\bigr) K^{-1}$ with "
        r"$K = \Sigma_T + \tfrac{\lambda}{1+\lambda}\,\mu_G\mu_G^\top + \lambda I$, and "
        r"$b_{\mathrm{LS}} = \tfrac{1}{1+\lambda}(\pi - W_{\mathrm{LS}}\,\mu_G)$, wherever the "
        "inverse exists, for any class proportions.",
        "our derivation from Han, Papyan & Donoho 2022, Proposition 1",
        "any number of samples (rows), classes and features; the last step entry by entry",
        (*_bias_eliminated(), _closed_forms_entrywise()),
    )


def _bias_eliminated() -> tuple[Step, ...]:
    """Both partial derivatives, the bias from one, the weight from the other."""
    moment = Given("second moment", H.T * H, N * (St + mu * mu.T))
    mean = Given("global mean", H.T * one_N, N * mu)
    means = Given("class means, weighted", Y.T * H, N * Pi * M)
    priors = Given("class proportions", Y.T * one_N, N * pi)
    count = Given("the number of samples", one_N.T * one_N, N * sp.Identity(1))
    bias = Given("the claimed bias, for any weight", b_LS, (pi - W * mu) / (1 + ridge))
    shrunk = ridge / (1 + ridge) * mu * mu.T
    matrix = Given("the matrix to invert", K, St + shrunk + ridge * sp.Identity(d))
    right = Pi * M - pi * mu.T / (1 + ridge)
    weight = Given("the claimed weight", W_LS, right * K.I)
    data = SquaredNorm(H * W.T + one_N * b.T - Y) / (2 * N)
    loss = data + ridge / 2 * SquaredNorm(W) + ridge / 2 * SquaredNorm(b)
    in_weight = W * (St + mu * mu.T + ridge * sp.Identity(d)) + b * mu.T - Pi * M
    in_bias = W * mu + (1 + ridge) * b - pi
    return (
        Step(
            "The derivative in the weight.",
            sp.Derivative(loss, W),
            in_weight,
            (moment, mean, means),
        ),
        Step("The derivative in the bias.", sp.Derivative(loss, b), in_bias, (mean, priors, count)),
        Step(
            "Whatever the weight, the derivative in the bias vanishes at this bias.",
            in_bias.xreplace({b: b_LS}),
            sp.ZeroMatrix(C, 1),
            (bias,),
        ),
        Step(
            "With that bias put in, what is left for the weight.",
            in_weight.xreplace({b: b_LS}),
            W * K - right,
            (bias, matrix),
        ),
        Step("The claimed weight makes it vanish.", W_LS * K, right, (weight,)),
    )


def _closed_forms_entrywise() -> Step:
    """The closed forms from sums over samples, against the extended closed form."""
    mean, priors, means = FREE.global_mean, FREE.priors, FREE.means
    rows = [p * (m - mean / (1 + ridge)).T for m, p in zip(means, priors, strict=True)]
    matrix = FREE.total + ridge / (1 + ridge) * mean * mean.T + ridge * sp.eye(mean.rows)
    weight = sp.Matrix.vstack(*rows) * matrix.inv()
    bias = (sp.Matrix(priors) - weight * mean) / (1 + ridge)
    return Step(
        f"Entry by entry, for {FREE.says} and free ridge: this is the head of Proposition 1.",
        weight.row_join(bias),
        sp.Matrix.hstack(*FREE.least_squares(ridge)),
        tex=r"[W_{\mathrm{LS}}, b_{\mathrm{LS}}] = \widetilde{W}_{\mathrm{LS}}",
    )


@cache
def appendix_c1() -> Proof:
    """Without ridge: centered means meet centered targets, and the bias is gone.

    The paper calls Phi = I - 11^T/C the standard simplex ETF. Its Eq. (18) is right with this
    Phi; the ETF with unit vertices is sqrt(C/(C-1)) times as large.

    Source: Han, Papyan & Donoho 2022, Eq. (6) and Appendix C.1, Eqs. (16)-(18).
    Chapter: decomposition.

    >>> appendix_c1().holds
    True
    """
    return Proof(
        "Appendix C.1",
        r"For $\lambda = 0$ and invertible $\Sigma_T$: $W_{\mathrm{LS}} = \Pi M'\Sigma_T^{-1}$, "
        r"$b_{\mathrm{LS}} = \pi - W_{\mathrm{LS}}\,\mu_G$, $\Lone = \tfrac12\operatorname{tr}("
        r"W_{\mathrm{LS}}\Sigma_W W_{\mathrm{LS}}^\top)$ and $\Ltwothree = \tfrac12\sum_c\pi_c"
        r"\lVert W_{\mathrm{LS}}\,\mu'_c - (e_c - \pi)\rVert^2$, for any class proportions. With "
        r"equal classes the targets $e_c - \pi$ are the rows of $\Phi = I - \tfrac1C\mathbf{1}"
        r"\mathbf{1}^\top$.",
        "Han, Papyan & Donoho 2022, Appendix C.1, Eqs. (6), (16)-(18); there for equal classes",
        "any number of samples (rows), classes and features; the last two steps entry by entry",
        (*_head_without_ridge(), *_terms_without_ridge(), *_terms_entrywise()),
    )


BIAS = Given("the claimed bias", b_LS, pi - W_LS * mu)
CENTERED = Given("class means, around the global mean", M, Mc + one_C * mu.T)


def _head_without_ridge() -> tuple[Step, ...]:
    """Weight and bias solve the normal equations."""
    weight = Given("the claimed weight", W_LS, Pi * Mc * St.I)
    priors = Given(r"$\Pi = \mathrm{diag}(\pi)$", Pi * one_C, pi)
    return (
        Step(
            r"The bias solves its normal equation: predictions average to $\pi$.",
            W_LS * mu + b_LS,
            pi,
            (BIAS,),
        ),
        Step(
            "The weight solves its own.",
            W_LS * (St + mu * mu.T) + b_LS * mu.T,
            Pi * M,
            (BIAS, weight, CENTERED, priors),
        ),
    )


def _terms_without_ridge() -> tuple[Step, ...]:
    """Eqs. (17) and (18): the bias drops out of both terms."""
    deviations = Given("deviations from the class means", Z, H - Y * M)
    within = Given("within-class covariance", Sw, Z.T * Z / N)
    one_class = Given("each sample has one class", Y * one_C, one_N)
    predictions = Given("predictions", F, H * W_LS.T + one_N * b_LS.T)
    at_means = Given("predictions at the class means, as rows", Fc, M * W_LS.T + one_C * b_LS.T)
    targets = sp.Identity(C) - one_C * pi.T
    errors = Given("centered predictions less centered targets", Bc, Mc * W_LS.T - targets)
    simplex = Given("the simplex", Phi, sp.Identity(C) - one_C * one_C.T / C)
    equal = Given("equal classes, for the one step that names it", Pi, sp.Identity(C) / C)
    shares = Given("hence equal proportions", pi, one_C / C)
    count = Given("the number of classes", one_C.T * one_C, C * sp.Identity(1))
    return (
        Step(
            r"$\Lone$: predictions around those at the class means do not see the bias.",
            SquaredNorm(F - Y * Fc) / (2 * N),
            HALF * sp.Trace(W_LS * Sw * W_LS.T),
            (predictions, at_means, one_class, within, deviations),
        ),
        Step(
            r"$\Ltwothree$: the bias centers class means and targets; the errors have the rows "
            r"$W_{\mathrm{LS}}\,\mu'_c - (e_c - \pi)$.",
            Fc - sp.Identity(C),
            Bc,
            (at_means, errors, BIAS, CENTERED),
        ),
        Step(
            r"$\Ltwothree$ with equal classes, the paper's Eq. (18).",
            HALF * sp.Trace(Bc.T * Pi * Bc),
            SquaredNorm(Mc * W_LS.T - Phi) / (2 * C),
            (errors, simplex, equal, shares),
        ),
        Step(
            r"$\Phi$ is its own Gram matrix: rows of squared length $1 - \tfrac1C$ and inner "
            r"products $-\tfrac1C$, so a simplex ETF, $\sqrt{(C-1)/C}$ times the one with unit "
            "vertices.",
            Phi * Phi.T,
            Phi,
            (simplex, count),
        ),
    )


def _terms_entrywise() -> tuple[Step, ...]:
    """The claimed terms against losses summed sample by sample."""
    return (
        Step(
            f"Entry by entry, for {FREE.says}: the loss of the best head, summed sample by sample.",
            FREE.loss(FREE.least_squares(0), 0),
            _claimed_terms(FREE),
            tex=r"\LLS = \Lone + \Ltwothree",
        ),
        Step(
            f"In exact fractions, for {FRACTIONS.says}, with free head: all three terms.",
            FRACTIONS.loss(FRACTIONS_HEAD, 0),
            _claimed_terms(FRACTIONS) + FRACTIONS.perp(FRACTIONS_HEAD, 0),
            tex=r"\Loss = \Lone + \Ltwothree + \Lperp",
        ),
    )


def _claimed_terms(samples: Samples) -> Any:
    """L_NC1 + L_NC2/3 as claimed, at the claimed weight."""
    mean, priors = samples.global_mean, samples.priors
    centered = sp.Matrix.hstack(*(m - mean for m in samples.means))  # (d, C)
    weight = sp.diag(*priors) * centered.T * samples.total.inv()
    targets = sp.eye(len(priors)) - sp.Matrix(priors) * sp.ones(1, len(priors))
    errors = weight * centered - targets  # a column a class
    nc1 = (weight * samples.within * weight.T).trace() / 2
    return nc1 + sum(p * errors.col(c).dot(errors.col(c)) for c, p in enumerate(priors)) / 2
