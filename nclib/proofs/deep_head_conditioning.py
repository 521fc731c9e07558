"""Jacot et al. 2025: how well conditioned a balanced head of small norm is."""

from __future__ import annotations

from functools import cache

import sympy as sp

from .algebra import SymmetricSymbol
from .proof import Given, Proof, Step

__all__ = ["conditioning", "kantorovich", "powers"]


@cache
def powers() -> Proof:
    """The product of balanced layers has the powers of the last layer's singular values.

    Our derivation; the paper has a lemma of this kind.   Chapter: wide.

    >>> powers().holds
    True
    """
    widths = sp.symbols("n_0:5", positive=True, integer=True)
    layers = [sp.MatrixSymbol(f"W_{{{k}}}", widths[k], widths[k - 1]) for k in range(1, 5)]
    W1, W2, W3, W4 = layers
    D1 = SymmetricSymbol("D_{1}", widths[1], widths[1])
    pairs = zip(layers, layers[1:], strict=False)
    balance = [
        Given(f"layers {k} and {k + 1} are balanced", lower * lower.T, upper.T * upper)
        for k, (lower, upper) in enumerate(pairs, start=1)
    ]
    off = Given("for the last step: they are not", W1 * W1.T, W2.T * W2 - D1)
    k = sp.Symbol("k", positive=True)
    r, eps = sp.symbols("r epsilon", positive=True)
    two = Step(
        "Two layers: the Gram matrix of the product is a square.",
        W2 * W1 * W1.T * W2.T,
        (W2 * W2.T) ** 2,
        (balance[0],),
    )
    return Proof(
        "Powers of a balanced head",
        r"For balanced layers $W_L \cdots W_1 (W_L \cdots W_1)^\top = (W_L W_L^\top)^L$, so the "
        r"singular values of the product are the $L$-th powers of those of $W_L$, and "
        r"$\kappa(W_L) = \kappa(W_L \cdots W_1)^{1/L}$.",
        "our derivation; compare Jacot et al. 2025, Theorem 3.1, Eq. (3)",
        "two, three and four layers of any widths, each from the one before; the last step entry "
        "by entry",
        (
            two,
            Step(
                "A third layer takes the square between itself, and balance makes it a cube.",
                W3 * (W2 * W2.T) ** 2 * W3.T,
                (W3 * W3.T) ** 3,
                (balance[1],),
            ),
            Step(
                "A fourth makes it a fourth power; it goes on like this.",
                W4 * (W3 * W3.T) ** 3 * W4.T,
                (W4 * W4.T) ** 4,
                (balance[2],),
            ),
            Step(
                "Without balance two layers err by this much, and a further layer passes it on.",
                W2 * W1 * W1.T * W2.T,
                (W2 * W2.T) ** 2 - W2 * D1 * W2.T,
                (off,),
            ),
            Step(
                r"Entry by entry: if $k$ layers err by $e_k = \tfrac{k(k-1)}{2} r^{2k-2}\epsilon$ "
                r"at most, with operator norms up to $r$ and imbalances up to $\epsilon$, then "
                r"$k + 1$ layers by $r^2(e_k + k r^{2k-2}\epsilon) = e_{k+1}$.",
                r**2 * (k * (k - 1) / 2 * r ** (2 * k - 2) * eps + k * r ** (2 * k - 2) * eps),
                (k + 1) * k / 2 * r ** (2 * k) * eps,
                tex=r"r^2 \bigl(e_k + k\, r^{2k-2} \epsilon\bigr) = e_{k+1}",
            ),
        ),
    )


@cache
def kantorovich() -> Proof:
    """A row of W and the same column of its pseudo-inverse cannot be far apart in angle.

    Source: Kantorovich's inequality, here with its short proof.   Chapter: wide.

    >>> kantorovich().holds
    True
    """
    g, m, M, a, kappa = sp.symbols("g m M a kappa", positive=True)
    return Proof(
        "Kantorovich's inequality",
        r"Let $G = W W^\top$ have eigenvalues between $m$ and $M = \kappa^2 m$. Then "
        r"$G_{cc}\,(G^{-1})_{cc} \le \bigl(\tfrac{1 + \kappa^2}{2\kappa}\bigr)^2$, so the cosine "
        r"between row $c$ of $W$ and column $c$ of $W^+$ is at least "
        r"$\tfrac{2\kappa}{1 + \kappa^2}$.",
        "Kantorovich's inequality; compare Jacot et al. 2025, Theorem 3.1, Eq. (5)",
        "one eigenvalue at a time, entry by entry",
        (
            Step(
                "Entry by entry: on the interval the inverse of an eigenvalue lies below a line. "
                r"Average over eigenvalues: $(G^{-1})_{cc} \le (m + M - G_{cc})/(mM)$.",
                (m + M - g) / (m * M) - 1 / g,
                (g - m) * (M - g) / (g * m * M),
                tex=r"\begin{aligned} & \tfrac{m + M - g}{mM} - \tfrac1g \\ & \quad = "
                r"\tfrac{(g - m)(M - g)}{g m M} \end{aligned}",
            ),
            Step(
                r"Entry by entry: with $a = G_{cc}$ the product is largest in the middle.",
                (m + M) ** 2 / 4 - a * (m + M - a),
                (a - (m + M) / 2) ** 2,
                tex=r"\begin{aligned} & \tfrac{(m + M)^2}{4} - a(m + M - a) \\ & \quad = "
                r"\bigl(a - \tfrac{m + M}{2}\bigr)^2 \end{aligned}",
            ),
            Step(
                r"Entry by entry: with $M = \kappa^2 m$ this is the bound.",
                (m + kappa**2 * m) ** 2 / (4 * m * kappa**2 * m),
                ((1 + kappa**2) / (2 * kappa)) ** 2,
                tex=r"\tfrac{(m + M)^2}{4 m M} = \bigl(\tfrac{1 + \kappa^2}{2\kappa}\bigr)^2",
            ),
        ),
    )


@cache
def conditioning() -> Proof:
    """A small weight norm forces the linear layers to be well conditioned.

    Our derivation.   Source: compare Jacot et al. 2025, Theorem 5.2.   Chapter: wide.

    >>> conditioning().holds
    True
    """
    L1, C, a, f, x = sp.symbols("L_1 C a f x", positive=True)
    s1, s2, s3 = sp.symbols("s_1 s_2 s_3", positive=True)
    exponent = -a / 2 + C * L1 / 2 * sp.log(a / L1)
    return Proof(
        "Small norm, good conditioning",
        r"Linear layers with squared norms summing to $S$ have $\prod_i s_i \le \prod_\ell "
        r"(\lVert W_\ell\rVert_F^2/C)^{C/2} \le e^{(S - L_2 C)/2}$, with $s_i$ the singular "
        r"values of their product; so $\kappa \le e^{(S - L_2 C)/2}/s_C^C$. In a network of least "
        r"norm that fits $Y$ this is at most "
        r"$(\lVert X\rVert_F/s_C(Y))^C e^{(c - L_1 C + L_1 C \log C)/2}$.",
        "our derivation; compare Jacot et al. 2025, Theorem 5.2",
        "numbers, entry by entry; the inequalities between them are in the text",
        (
            Step(
                r"Entry by entry: a layer of squared norm $f$ enlarges volumes of dimension $C$ at "
                r"most by $(f/C)^{C/2}$; its logarithm lies under a line,",
                C / 2 * (f / C - 1),
                (f - C) / 2,
                tex=r"\tfrac C2 \log\tfrac fC \le \tfrac C2 \bigl(\tfrac fC - 1\bigr) = "
                r"\tfrac{f - C}{2}",
            ),
            Step(
                r"Entry by entry: because $x - 1 - \log x$ is smallest at $x = 1$, where it is 0. "
                r"Sum over the layers.",
                1 - 1 / x,
                sp.Derivative(x - 1 - sp.log(x), x),
                tex=r"1 - \tfrac1x = \frac{d}{dx}(x - 1 - \log x)",
            ),
            Step(
                r"Entry by entry, for three classes: the product over $s_C^C$ is at least the "
                r"condition number.",
                s1 * s2 * s3 / s3**3 - s1 / s3,
                s1 * (s2 - s3) / s3**2,
                tex=r"\frac{s_1 s_2 s_3}{s_3^3} - \frac{s_1}{s_3} = \frac{s_1 (s_2 - s_3)}{s_3^2}",
            ),
            Step(
                r"Entry by entry: with $a$ the squared norm of the nonlinear layers the bound is "
                r"$e^{c/2}\, e^{\varphi(a)}$ up to constants. This is the slope of $\varphi$, zero "
                r"at $a = L_1 C$.",
                (L1 * C - a) / (2 * a),
                sp.Derivative(exponent, a),
                tex=r"\begin{aligned} & \frac{L_1 C - a}{2a} = \frac{d}{da}\varphi(a), \\ & \quad "
                r"\varphi(a) = -\tfrac a2 + \tfrac{L_1 C}{2} \log\tfrac{a}{L_1} \end{aligned}",
            ),
            Step(
                "Entry by entry: its value there, the largest.",
                sp.exp(exponent.subs(a, L1 * C)),
                (C / sp.E) ** (L1 * C / 2),
                tex=r"e^{\varphi(L_1 C)} = \Bigl(\frac{C}{e}\Bigr)^{L_1 C/2}",
            ),
        ),
    )
