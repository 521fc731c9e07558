"""The claims of Zhou et al. 2022 on minimizers and saddles, and ours beside them."""

from __future__ import annotations

from ..evidence import zhou as numeric
from ..evidence import zhou_measures as measures
from ..proofs import landscape as symbolic
from .claim import Claim

__all__ = ["CLAIMS"]

ZHOU = "Zhou et al. 2022"

PAPER: tuple[Claim, ...] = (
    Claim(
        "zhou:eq3",
        r"The objective: $\frac{1}{2N}\lVert WH + b\mathbf 1^\top - Y\rVert_F^2$ and a decay of "
        "its own for weights, features and bias.",
        f"{ZHOU}, Eq. (3)",
        "landscape",
        "numeric",
        (numeric.objective_by_loops,),
    ),
    Claim(
        "zhou:thm3.1-collapse",
        r"For $\lambda_W\lambda_H < 1/(NK)$ every global minimizer has one feature per class, "
        "proportional to its classifier row; otherwise weights and features are zero.",
        f"{ZHOU}, Theorem 3.1, NC1 and NC3",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_1, symbolic.lemma_b4, numeric.grams_by_descent),
    ),
    Claim(
        "zhou:thm3.1-simplex",
        r"For $d \ge K$ the class means are a simplex ETF if $\lambda_b \le c/(1-c)$, with $c = "
        r"K\sqrt{n\lambda_W\lambda_H}$.",
        f"{ZHOU}, Theorem 3.1, NC2",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_1, numeric.values_by_descent, numeric.grams_by_descent),
    ),
    Claim(
        "zhou:thm3.1-frame",
        r"For $d \ge K$ and $\lambda_b$ above that threshold they have a common part, and tend to "
        r"an orthogonal frame as $\lambda_b \to \infty$.",
        f"{ZHOU}, Theorem 3.1, NC2",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_1, numeric.values_by_descent, numeric.grams_by_descent),
    ),
    Claim(
        "zhou:thm3.1-few-features",
        r"For $d = K - 1$ they are a simplex ETF whatever $\lambda_b$; for $d < K - 1$ their Gram "
        r"matrix is a best approximation of rank $d$ to $I - \frac1K\mathbf 1\mathbf 1^\top$.",
        f"{ZHOU}, Theorem 3.1, NC2",
        "landscape",
        "symbolic",
        (
            symbolic.lemma_b3,
            symbolic.lemma_b4,
            numeric.best_bias_by_search,
            numeric.grams_by_descent,
        ),
    ),
    Claim(
        "zhou:thm3.1-bias",
        r"The bias is $\frac{1}{K(1+\lambda_b)}\mathbf 1$ below the threshold or for $d < K$, and "
        r"$\frac{\sqrt{n\lambda_W\lambda_H}}{\lambda_b}\mathbf 1$ above it.",
        f"{ZHOU}, Theorem 3.1",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_1, symbolic.lemma_b4, numeric.grams_by_descent),
    ),
    Claim(
        "zhou:thm3.2",
        "Without bias, for every feature dimension, each critical point is a global minimizer or "
        "has a direction of negative curvature.",
        f"{ZHOU}, Theorem 3.2",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_2, symbolic.escape, numeric.curvature_at_saddles),
    ),
    Claim(
        "zhou:thm3.3",
        r"With bias the same holds for $d > K$.",
        f"{ZHOU}, Theorem 3.3",
        "landscape",
        "symbolic",
        (symbolic.escape, symbolic.optimality, numeric.way_down),
        open=r"for $d < K$ and $0 < \lambda_b < \infty$ the paper believes it and leaves it open, "
        "as do we",
    ),
    Claim(
        "zhou:lemB.2",
        "Without bias the minimizers keep the largest singular values of the targets, each made "
        r"shorter by $N\sqrt{\lambda_W\lambda_H}$.",
        f"{ZHOU}, Lemma B.2",
        "landscape",
        "symbolic",
        (symbolic.nuclear_norm, symbolic.lemma_b4, symbolic.theorem_3_2),
    ),
    Claim(
        "zhou:lemB.3",
        r"$Y - b\mathbf 1^\top$ has at least $K - 2$ singular values $\sqrt n$, one not smaller, "
        r"and one not below $\sqrt n(1 - \sqrt K\lVert b\rVert)$.",
        f"{ZHOU}, Lemma B.3",
        "landscape",
        "symbolic",
        (symbolic.lemma_b3,),
    ),
    Claim(
        "zhou:lemB.4",
        r"For a given bias $\beta\mathbf 1$ the common part appears at $\beta < \frac1K - "
        r"\sqrt{n\lambda_W\lambda_H}$.",
        f"{ZHOU}, Lemma B.4",
        "landscape",
        "symbolic",
        (symbolic.lemma_b4, numeric.best_bias_by_search),
    ),
    Claim(
        "zhou:eq7-8",
        r"NC2 and NC3 compare $WW^\top$ and $W\bar H$ with $I - \mathbf 1\mathbf 1^\top/K$, $W$ "
        "not centered; they vanish at a simplex, and not at the orthogonal frame without a bias.",
        f"{ZHOU}, Appendix A, Eqs. (7) and (8)",
        "landscape",
        "numeric",
        (measures.simplex_measures, measures.uncentered_in_a_frame),
    ),
    Claim(
        "zhou:extra-measures",
        "Numerical rank of a class's features, and cosine margin: 1 and $K/(K-1)$ at a simplex.",
        f"{ZHOU}, Appendix A",
        "landscape",
        "numeric",
        (measures.extra_measures,),
        open="not measured on networks in this edition",
    ),
    Claim(
        "zhou:fig1",
        "A sketch of the objective over weights and features.",
        f"{ZHOU}, Fig. 1",
        "landscape",
        "measured",
        open="a sketch: it states nothing that could be checked",
    ),
    Claim(
        "zhou:fig7",
        "Features of a network with three feature dimensions, squared loss beside cross-entropy.",
        f"{ZHOU}, Fig. 7",
        "landscape",
        "measured",
        open="not run in this edition",
    ),
)

OURS: tuple[Claim, ...] = (
    Claim(
        "ours:landscape-certificate",
        "A number below which the objective never falls, for any weights, features and bias of "
        "any dimension; at the closed minimizers it is their value.",
        "our derivation",
        "landscape",
        "symbolic",
        (symbolic.optimality, numeric.certificates),
        ours=True,
    ),
    Claim(
        "ours:landscape-lengths",
        r"The minimizer's lengths and value in closed form, in every regime of $c$ and $\lambda_b$ "
        "and for every rescaling.",
        "our derivation; Zhou et al. leave the constants of Theorem 3.1 open",
        "landscape",
        "symbolic",
        (symbolic.theorem_3_1, numeric.values_by_descent, numeric.certificates),
        ours=True,
    ),
    Claim(
        "ours:landscape-quartic",
        "Along the way down from a saddle with an unused direction the objective is a quartic.",
        "our derivation; the direction is that of Zhou et al.",
        "landscape",
        "symbolic",
        (symbolic.escape, numeric.way_down),
        ours=True,
    ),
    Claim(
        "ours:landscape-square",
        r"With $d = K$ there is no spurious local minimum either, for any convex data term.",
        "our short proof; announced before by Gu and Shen 2024",
        "landscape",
        "symbolic",
        (symbolic.square_weight, symbolic.escape),
        ours=True,
    ),
    Claim(
        "ours:landscape-curvature",
        r"While simplex modes are missing, the curvature along the way down is "
        r"$-\frac{2}{K\sqrt n}(1 - c)$, however many are missing; the least eigenvalue of the "
        "Hessian in closed form.",
        "our derivation",
        "landscape",
        "symbolic",
        (symbolic.most_negative, numeric.curvature_at_saddles),
        ours=True,
    ),
    Claim(
        "ours:landscape-floor",
        r"With a bias and $d < K - 1$ features every minimizer is at distance "
        r"$\sqrt{2 - 2\sqrt{d/(K-1)}}$ from the simplex, in the official code's NC2.",
        "our derivation",
        "landscape",
        "symbolic",
        (symbolic.small_rank, numeric.simplex_floor),
        ours=True,
    ),
    Claim(
        "ours:landscape-accuracy",
        r"Minimizers that merge classes have training accuracy $\frac{d+1}{K}$; others of the "
        "same value are more accurate.",
        "our derivation; it fits Zhou et al., Fig. 4",
        "landscape",
        "symbolic",
        (symbolic.clusters, numeric.accuracy_of_clusters),
        open="which minimizer training picks is not derived",
        ours=True,
    ),
    Claim(
        "ours:landscape-traps",
        r"For $d = K - 1$ the rescaled loss with bias can have spurious local minima.",
        "our finding",
        "landscape",
        "numeric",
        (numeric.traps_of_rescaling,),
        ours=True,
    ),
    Claim(
        "ours:landscape-conventions",
        r"A weight decay $\omega$ of the official code is $K\omega/2$ in the paper's convention, "
        r"and the code's NC4 is $\frac{1}{\sqrt K(1+\lambda_b)}$, not zero, at the minimizer.",
        "our derivation",
        "landscape",
        "symbolic",
        (symbolic.conventions, numeric.fourth_metric),
        ours=True,
    ),
)

CLAIMS: tuple[Claim, ...] = (*PAPER, *OURS)
