"""The claims of Jacot et al. 2025, as far as the sources at hand state them, and our versions.

The full text was not at hand: statements come from the abstract, one passage of the first version
and public reviews. Where the paper's constants are missing, our own bound stands in for them.
"""

from __future__ import annotations

from ..evidence import jacot
from ..proofs import deep_head
from .claim import Claim

__all__ = ["CLAIMS"]

PAPER = "Jacot et al. 2025"
CONSTANTS = "the paper's constants are not in the sources at hand; checked is our own version"
SIZE = "digits, two nonlinear layers, 64 wide; not the paper's data, size or duration"

_THEOREM_3_1 = (
    Claim(
        "jacot:def-nc", r"NC1 is $\operatorname{tr}\Sigma_W/\operatorname{tr}\Sigma_B$, NC2 the "
        "condition number of the uncentered class means, NC3 the mean cosine of features and "
        "their rows of the last layer; at exact balance and fit they are 0, $\\kappa(W_L)$, and at "
        r"least $2\kappa/(1+\kappa^2)$.",
        f"{PAPER}, definitions", "wide", "symbolic",
        (deep_head.collapse_at_balance, jacot.balanced_heads_collapse),
    ),
    Claim(
        "jacot:thm3.1-eq2", "Low error and balanced linear layers force NC1 to be small.",
        f"{PAPER}, Theorem 3.1, Eq. (2)", "wide", "symbolic",
        (deep_head.spread_apart, jacot.nc1_bound_holds, jacot.bounds_hold_in_training), CONSTANTS,
    ),
    Claim(
        "jacot:thm3.1-eq3", r"With a bounded $\kappa$ of the product, $\kappa(W_L)$ tends to 1 as "
        "the balanced linear layers get more.",
        f"{PAPER}, Theorem 3.1, Eq. (3)", "wide", "symbolic",
        (deep_head.powers, jacot.condition_bound_holds), CONSTANTS,
    ),
    Claim(
        "jacot:thm3.1-eq4", r"NC2 is then bounded in terms of $\kappa(W_L)$, error and balance.",
        f"{PAPER}, Theorem 3.1, Eq. (4)", "wide", "numeric", (jacot.nc2_bound_holds,), CONSTANTS,
    ),
    Claim(
        "jacot:thm3.1-eq5", "So is NC3, from below.",
        f"{PAPER}, Theorem 3.1, Eq. (5)", "wide", "symbolic",
        (deep_head.kantorovich, jacot.nc3_bound_holds), CONSTANTS,
    ),
    Claim(
        "jacot:eq21", "Features split into what the last layer sees and what it does not; balance "
        "controls the second part through the layer below.",
        f"{PAPER}, proof of Theorem 3.1, Eqs. (21)-(22)", "wide", "symbolic",
        (deep_head.spread_apart,), "the formulas are lost in the source; rebuilt from its words",
    ),
    Claim(
        "jacot:thmb.2", "Theorem 3.1 with explicit constants.",
        f"{PAPER}, Theorem B.2", "wide", "numeric", (), "the statement was not found",
    ),
    Claim(
        "jacot:lemc.2", r"Singular values of $W_L$ are near the $L_2$-th roots of those of the "
        "product of nearly balanced linear layers.",
        f"{PAPER}, Lemma C.2", "wide", "symbolic",
        (deep_head.powers, jacot.roots_of_balanced_heads), CONSTANTS,
    ),
)  # fmt: skip

_TRAINING = (
    Claim(
        "jacot:assumptions4", "A first layer at least as wide as there are samples, widths that "
        r"do not grow, smooth activation with slope in $[\gamma, 1]$, an initial loss small "
        "against the initial singular values.",
        f"{PAPER}, Assumptions 4.1-4.3", "wide", "numeric", (),
        "assumptions, nothing to check; the inequality of 4.3 is damaged in the sources",
    ),
    Claim(
        "jacot:pl", "Weight decay turns the Polyak-Lojasiewicz inequality of a wide network into "
        "one with a floor.",
        f"{PAPER}, proposition in Section 4", "wide", "symbolic",
        (deep_head.shifted_pl, jacot.shifted_pl_holds), CONSTANTS,
    ),
    Claim(
        "jacot:thm4.4", "Gradient descent with weight decay on a network with a wide first layer "
        "first fits, then balances, so that NC1 gets small.",
        f"{PAPER}, Theorem 4.4", "wide", "symbolic",
        (deep_head.balance_under_descent, jacot.descent_balances),
        "checked is the balancing; that the fit is kept meanwhile is not, nor are the rates",
    ),
    Claim(
        "jacot:thm5.2", r"Near the global minimum $\kappa(W_L)$ is at most a quantity with a "
        r"factor $e^{c/(2 L_2)}$, $c$ the squared norm with which the nonlinear layers can fit.",
        f"{PAPER}, Theorem 5.2", "wide", "symbolic",
        (deep_head.conditioning, jacot.minimum_norm_bound_holds),
        f"{CONSTANTS}, at the least norm only",
    ),
    Claim(
        "jacot:prop5.3", "A bounded operator norm of the tangent kernel, as stability at a large "
        "learning rate suggests, makes some block of linear layers well conditioned.",
        f"{PAPER}, Proposition 5.3", "wide", "measured", (jacot.large_steps_condition,),
        "the precise statement was not found; seen is only that larger steps end better "
        "conditioned, on digits",
    ),
)  # fmt: skip

_FIGURES = (
    Claim(
        "jacot:fig1", "ResNet20 with three ReLU and three linear layers on CIFAR10 collapses.",
        f"{PAPER}, Fig. 1", "wide", "measured", (), "not run in this edition",
    ),
    Claim(
        "jacot:fig2", "More linear layers give smaller NC1 and better conditioned class means.",
        f"{PAPER}, Fig. 2", "wide", "measured", (jacot.depth_helps,), SIZE,
    ),
    Claim(
        "jacot:fig3", "Deeper nonlinear parts: their last layers become balanced and nonnegative, "
        "so that they work as linear ones.",
        f"{PAPER}, Fig. 3", "wide", "measured", (), "not run in this edition",
    ),
    Claim(
        "jacot:fig4", "A multilayer perceptron with four linear layers on MNIST collapses layer by "
        "layer.",
        f"{PAPER}, Fig. 4", "wide", "measured", (), "not run in this edition",
    ),
    Claim(
        "jacot:fig5", "As Fig. 1, on MNIST.",
        f"{PAPER}, Fig. 5", "wide", "measured", (), "not run in this edition",
    ),
)  # fmt: skip

_OURS = (
    Claim(
        "ours:head-nc1-bound", "An explicit NC1 bound for any class proportions, in which error "
        "and imbalance add by Pythagoras.",
        "our derivation", "wide", "symbolic",
        (deep_head.spread_apart, jacot.nc1_bound_holds, jacot.bounds_hold_in_training), ours=True,
    ),
    Claim(
        "ours:head-flow", r"Under gradient flow the imbalance is exactly $e^{-2\lambda t}$ times "
        "its start.",
        "our derivation", "wide", "symbolic",
        (deep_head.balance_under_flow, jacot.flow_balances), ours=True,
    ),
    Claim(
        "ours:head-descent", r"One step of descent takes $D$ to $(1-\eta\lambda)^2 D + "
        r"\eta^2(G_2^\top G_2 - G_1 G_1^\top)$.",
        "our derivation", "wide", "symbolic",
        (deep_head.balance_under_descent, jacot.descent_balances), ours=True,
    ),
    Claim(
        "ours:head-critical", "Critical points of the loss with weight decay have balanced linear "
        "layers, and the imbalance elsewhere is read off the gradients.",
        "our derivation", "wide", "symbolic",
        (deep_head.balance_from_gradients, jacot.critical_points_are_balanced), ours=True,
    ),
    Claim(
        "ours:head-norm", r"Any linear head has $\kappa(\text{product}) \le "
        r"(\lVert H\rVert/(s - \epsilon_1))^C \prod_\ell (\lVert W_\ell\rVert_F^2/C)^{C/2}$.",
        "our derivation", "wide", "symbolic",
        (deep_head.conditioning, jacot.conditioning_bound_holds), ours=True,
    ),
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (*_THEOREM_3_1, *_TRAINING, *_FIGURES, *_OURS)
