"""The claims of Mixon, Parshall & Pi 2022, and what we add to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..evidence import mixon, mixon_start
from ..proofs import unconstrained as proofs
from .claim import Claim

__all__ = ["CLAIMS"]

PAPER = "Mixon, Parshall & Pi 2022"
STEP = (
    "The paper does not print its step; 0.01 is inferred from the figure. Its draws are not ours."
)


def _paper(
    number: str, statement: str, place: str, *evidence: Callable[[], Any], open: str = ""
) -> Claim:
    """A claim of the paper: symbolic if a proof is among its evidence."""
    kind = "symbolic" if any(e.__module__.startswith(_PROOFS) for e in evidence) else "numeric"
    source = f"{PAPER}, {place}"
    return Claim(f"mixon:{number}", statement, source, "unconstrained", kind, evidence, open)


def _ours(name: str, statement: str, *evidence: Callable[[], Any], open: str = "") -> Claim:
    """A claim we add, about the paper's model."""
    kind = "symbolic" if any(e.__module__.startswith(_PROOFS) for e in evidence) else "numeric"
    return Claim(
        f"ours:{name}",
        statement,
        "our derivation",
        "unconstrained",
        kind,
        evidence,
        open,
        ours=True,
    )


_PROOFS = proofs.__name__

CLAIMS: tuple[Claim, ...] = (
    _paper(
        "risk",
        r"The risk is $R = \frac12\|WH + b\mathbf 1^\top - I\otimes\mathbf 1^\top\|_F^2$; its "
        r"slopes are $AH^\top$, $W^\top A$ and $A\mathbf 1$ with the residual $A$.",
        "Section 2",
        proofs.conservation,
        mixon.slopes_by_differentiation,
    ),
    _paper(
        "snc",
        r"(SNC1)-(SNC3), strong neural collapse: $WW^\top = \sqrt N(I - \frac1C\mathbf 1\mathbf 1"
        r"^\top)$, $H = N^{-1/2}(W\otimes\mathbf 1)^\top$, $b = \frac1C\mathbf 1$ can be met.",
        "(SNC1)-(SNC3)",
        mixon.metrics_at_collapse,
    ),
    _paper(
        "lem1",
        "Strong collapse has zero risk and implies NC1 to NC4.",
        "Lemma 1",
        proofs.lemma_1,
        mixon.metrics_at_collapse,
    ),
    _paper(
        "thm2",
        r"Without $WH$ in the residual, $(H, W)$ stays within $e^{1/(C\sqrt N)}\|\Pi_{T^\perp}"
        r"(H_0, W_0)\|$ of $e^{\sqrt N t}\,\Pi_T(H_0, W_0)$ at all times.",
        "Theorem 2",
        proofs.theorem_2,
        mixon_start.linear_phase_by_integration,
        mixon_start.linear_phase_is_bounded,
    ),
    _paper(
        "thm2-eigenspaces",
        r"The generator has five common eigenspaces, of dimensions $p(C-1)$ twice, $p$ twice and "
        r"$pC(N-1)$.",
        "proof of Theorem 2",
        proofs.theorem_2,
    ),
    _paper(
        "subspace",
        r"$S$: features are copies of classifier rows, the rows sum to zero, all biases are equal.",
        "definition of S",
        proofs.projection,
        mixon.projection_by_least_squares,
    ),
    _paper(
        "thm3a",
        "Gradient flow never leaves $S$.",
        "Theorem 3 (a)",
        proofs.invariance,
        mixon.descent_stays_on_subspace,
    ),
    _paper(
        "thm3b",
        r"On $S$, $\dot W = \sqrt N W - WW^\top W$, and $b - \frac1C\mathbf 1$ shrinks by "
        r"$e^{-CNt}$.",
        "Theorem 3 (b)",
        proofs.theorem_3,
        mixon.flow_on_subspace,
    ),
    _paper(
        "thm3c",
        r"On $S$, $WW^\top \to \sqrt N$ times the projector onto the range of $W_0$; with rank "
        r"$C-1$ the limit is strong collapse.",
        "Theorem 3 (c)",
        proofs.theorem_3,
        mixon.limit_on_subspace,
    ),
    _paper(
        "lem4",
        r"On $S$, $R = \frac12\|WW^\top - \sqrt N P\|_F^2 + \frac{CN}2\|b - \frac1C\mathbf 1\|^2$, "
        "so its minimizers there are the strongly collapsed points.",
        "Lemma 4",
        proofs.lemma_4,
        mixon.risk_on_subspace,
    ),
    _paper(
        "fig1",
        "Descent from a small random start ends near strong collapse, the nearer the smaller the "
        "start.",
        "Figure 1",
        mixon_start.errors_follow_size,
        open=STEP,
    ),
    _paper(
        "fig2",
        "Along the same runs the relative distance to $S$ soon gets small and stays so.",
        "Figure 2",
        mixon_start.distance_follows_size,
        open=STEP,
    ),
    _paper(
        "true-flow",
        "The true flow from outside $S$ ends near strong collapse.",
        "Discussion, left open there",
        mixon_start.leftovers_are_forecast,
        open="Where a small start ends is forecast to first order; no theorem bounds the rest.",
    ),
    _paper(
        "optimizers",
        "Other optimizers, such as Adam, in the same model.",
        "Discussion, left open there",
        open="A question of the paper; not run in this edition.",
    ),
    _ours(
        "mixon-conserved",
        r"Gradient flow leaves $W^\top W - HH^\top$ constant; a step $\eta$ of descent changes it "
        r"by $\eta^2$ times that of the slopes.",
        proofs.conservation,
        mixon.conserved_along_flow,
        mixon.conserved_under_descent,
    ),
    _ours(
        "mixon-sharp",
        r"The constant $e^{1/(C\sqrt N)}$ of Theorem 2 is the smallest: starts with equal rows "
        "attain it.",
        mixon_start.bound_is_sharp,
    ),
    _ours(
        "mixon-linear",
        "The true flow from a tiny start follows the closed form of the linear phase.",
        mixon_start.small_start_is_linear,
    ),
    _ours(
        "mixon-saddle",
        r"At $(0, 0, \frac1C\mathbf 1)$ the Hessian has the eigenvalues $\pm\sqrt N$, $p(C-1)$ "
        "times each, $CN$, $C$ times, and 0.",
        proofs.saddle_curvature,
        mixon.saddle_curvature,
    ),
    _ours(
        "mixon-curvature",
        r"At strong collapse the Hessian has the eigenvalues $\sqrt N$, $2\sqrt N$, $CN$, "
        r"$CN + \sqrt N$ and 0, with multiplicities that add up to all residuals but $CN - C$.",
        proofs.collapse_curvature,
        mixon.collapse_curvature,
    ),
    _ours(
        "mixon-plateau",
        r"After the fast phase the risk is $\|H_w^\top W^\top\mathbf 1\|^2/(2C)$, of the order of "
        r"the fourth power of the start's size $\varepsilon$; it decays at rates of order "
        r"$\varepsilon^2$ only.",
        proofs.plateau,
        mixon.plateau_splits_off,
        mixon_start.plateau_is_the_risk,
        mixon_start.plateau_decays_slower,
    ),
    _ours(
        "mixon-leftovers",
        "To first order in its size, a small start fixes in closed form where the flow ends; the "
        "part of the feature sum that survives is a ratio of Gamma functions.",
        proofs.leftovers,
        mixon_start.leftovers_are_forecast,
        mixon_start.share_by_integration,
        open="The second-order coefficient, that of (SNC1), is only measured.",
    ),
)
