"""The claims of Zhou et al. 2022 on the rescaled loss, on their figures, and ours beside them."""

from __future__ import annotations

from ..evidence import miniatures as small
from ..evidence import rescaled as numeric
from ..proofs import rescaled as symbolic
from .claim import Claim

__all__ = ["CLAIMS"]

ZHOU = "Zhou et al. 2022"
DIGITS = "seen on 1,400 digits with a small perceptron; the paper's networks and data were not run"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "zhou:eq4",
        r"The rescaled loss puts the weight $\alpha$ on the squared error of the true class and "
        "the target $M$ in place of 1; it eases training with many classes.",
        f"{ZHOU}, Eq. (4)",
        "rescaled",
        "measured",
        (small.many_classes_need_rescaling,),
        open="seen on 100 classes made of pairs of digits; mini-ImageNet was not run",
    ),
    Claim(
        "zhou:conjecture-rescaled",
        r"For $\alpha = 1$ the results for the plain loss carry over to any $M$; for both "
        "together global optimality is left open in the paper.",
        f"{ZHOU}, in words; no theorem",
        "rescaled",
        "symbolic",
        (symbolic.rescaled_minimizers, numeric.minimizers_by_descent),
        open=r"no local minimum is in the way for $d \ge K$; for $d = K - 1$ there can be one",
    ),
    Claim(
        "zhou:propc.1",
        r"Logits of a feature in the plane of two vertices of the classifier, at radius $s$ and "
        r"angle $\theta$.",
        f"{ZHOU}, Proposition C.1",
        "rescaled",
        "symbolic",
        (symbolic.plane_logits, numeric.logits_in_the_plane),
    ),
    Claim(
        "zhou:eq30",
        "The loss in that plane, written with logits. As printed it subtracts 1 from the wrong "
        "logits, whose target is 0.",
        f"{ZHOU}, Eq. (30); a misprint",
        "rescaled",
        "symbolic",
        (symbolic.plane_logits,),
    ),
    Claim(
        "zhou:eq31",
        r"The loss as a function of $s$ and $\theta$, and its limit for many classes. We find "
        "that it does not depend on the plane.",
        f"{ZHOU}, Eq. (31)",
        "rescaled",
        "symbolic",
        (symbolic.polar_loss, symbolic.plane_logits, numeric.polar_loss_by_logits),
    ),
    Claim(
        "zhou:slopes",
        r"The slopes of the rescaled loss in $s$ and $\theta$; at $\theta = \pi/2$ and for many "
        r"classes they are $(s, \alpha M s)$.",
        f"{ZHOU}, Appendix C",
        "rescaled",
        "symbolic",
        (symbolic.feature_gradient, numeric.slopes_by_differentiation),
    ),
    Claim(
        "zhou:eq35",
        r"The slopes of cross-entropy for many classes. The limit is $(-\cos\theta, s\sin"
        r"\theta)$; the printed formula keeps two classes only and is not this limit.",
        f"{ZHOU}, Eqs. (32) and (35)",
        "rescaled",
        "numeric",
        (numeric.cross_entropy_with_many_classes,),
    ),
    Claim(
        "zhou:fig2",
        "Landscape of the plain, the rescaled and the cross-entropy loss around a collapsed "
        "classifier.",
        f"{ZHOU}, Fig. 2",
        "rescaled",
        "symbolic",
        (symbolic.polar_loss, numeric.polar_loss_by_logits),
    ),
    Claim(
        "zhou:fig8",
        "Fields of slopes in the same picture.",
        f"{ZHOU}, Fig. 8",
        "rescaled",
        "symbolic",
        (symbolic.feature_gradient, numeric.slopes_by_differentiation),
        open="panel (b) of the paper is drawn from its Eq. (35)",
    ),
    Claim(
        "zhou:fig3",
        "Networks collapse under SGD, Adam and L-BFGS.",
        f"{ZHOU}, Fig. 3",
        "landscape",
        "measured",
        (small.every_optimizer_collapses,),
        open=DIGITS,
    ),
    Claim(
        "zhou:fig4",
        r"Feature dimensions down to $K-1$ suffice; below, the squared loss loses training "
        r"accuracy, down to $(d+1)/K$.",
        f"{ZHOU}, Fig. 4",
        "landscape",
        "measured",
        (
            small.large_enough_dimension,
            small.small_dimension_floor,
            small.small_dimension_merges_classes,
        ),
        open=DIGITS,
    ),
    Claim(
        "zhou:fig5",
        "A classifier fixed to a simplex trains as well as a learned one.",
        f"{ZHOU}, Fig. 5",
        "landscape",
        "measured",
        (small.fixed_simplex_is_as_good,),
        open=DIGITS,
    ),
    Claim(
        "zhou:fig6",
        r"Sweeps of $\alpha$ and of $M$ with 100 classes.",
        f"{ZHOU}, Fig. 6",
        "rescaled",
        "measured",
        (small.many_classes_need_rescaling,),
        open="the paper's text and its code disagree on which sweep is which; unresolved",
    ),
    Claim(
        "ours:pull",
        r"One feature is held by a spring to the origin and pulled to its vertex with $p(z) = "
        r"\alpha(M - z) + z$; its flow has a closed form.",
        "our derivation",
        "rescaled",
        "symbolic",
        (symbolic.feature_gradient, numeric.flow_by_small_steps),
        ours=True,
    ),
    Claim(
        "ours:radial-only",
        r"$\alpha$ stiffens the radial direction only: the condition number in the feature is "
        r"$1 + (\alpha-1)\tfrac{K-1}{K}$ and does not contain $M$.",
        "our derivation",
        "rescaled",
        "symbolic",
        (symbolic.feature_hessian, numeric.curvature_by_differentiation),
        ours=True,
    ),
    Claim(
        "ours:angle",
        r"At a radius where every target is fitted the curvature in the angle is "
        r"$M^2\tfrac{K-1}{K}$, whatever $\alpha$.",
        "our derivation",
        "rescaled",
        "symbolic",
        (symbolic.angular_curvature,),
        ours=True,
    ),
    Claim(
        "ours:target-unit",
        r"$M$ is a unit of length: with free features, target $M$ and decays $(\lambda_W, "
        r"\lambda_H, \lambda_b)$ amount to target 1 and $(\lambda_W/M, \lambda_H/M, \lambda_b)$.",
        "our derivation",
        "rescaled",
        "symbolic",
        (symbolic.change_of_units, numeric.target_is_a_unit),
        ours=True,
    ),
    Claim(
        "ours:rescaled-minimizers",
        r"Global minimizers of the rescaled loss for every $(\alpha, M)$ and every bias decay: "
        r"nothing, a simplex, or a simplex with a common part.",
        "our derivation",
        "rescaled",
        "symbolic",
        (symbolic.rescaled_minimizers, numeric.minimizers_by_descent),
        ours=True,
    ),
)
