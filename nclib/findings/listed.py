"""The table of findings, in the order of their page, and what it gives for each source."""

from __future__ import annotations

from .erratum import SOURCES, Corrections, Errata, Erratum, Finding

__all__ = ["CORRECTIONS", "FINDINGS", "errata_of"]

FINDINGS: tuple[Finding, ...] = (
    Finding("ridge", (
        Erratum(
            "notebook", "The decomposition, `wd = 0.5 * weight_decay`",
            r"$\lambda = w/2$, in a training with `MSELoss`, which averages over the classes, too.",
            r"$\lambda = Cw/2$. Half the decay belongs to a loss that is summed over the classes.",
            "A head that is optimal for what was trained has "
            r"$\mathcal L_\perp = 0$ with $\lambda = Cw/2$ and not with $w/2$.",
            label="Does",
        ),
    )),
    Finding("unequal", (
        Erratum(
            "notebook", "The decomposition, `LNC1`, `LNC23` and `Lperp`",
            "Formulas with $1/C$ for every class, on all images of MNIST.",
            r"Class proportions $\pi_c$ in place of $1/C$, or a set with equal classes.",
            "The three terms against the loss, summed sample by sample.",
            label="Does",
        ),
    )),
    Finding("spread", (
        Erratum(
            "han", "Appendix C.2, on the first term",
            r"“with the class-means held constant, the only way to have "
            r"$\mathcal L_{\mathrm{NC1}}(H) \to 0$ is for $\Sigma_W \to 0$”",
            "So it is along a path on which the loss falls to zero. Spread without bound takes "
            "the term to zero as well.",
            "The term at fixed class means, for spreads over four decades.",
            kind="gap", label="Printed",
        ),
    )),
    Finding("projection", (
        Erratum(
            "han", "Section 3.1, last sentence",
            "“Equation 5 describes continuous training dynamics where we continually "
            "‘renormalize’ features to their equivalently-performing representer.”",
            r"Equation (5) projects the gradient. The replacement is another flow, which grows "
            "like $t^{1/2}$ and not like $t^{1/4}$. Theorem and corollaries are about (5), and "
            "hold for it.",
            "Both flows in closed form and by simulation of all features.",
            kind="gap", label="Printed",
        ),
    )),
    Finding("equalize", none="a matter of reading: Corollary 1 is about the projected flow"),
    Finding("two-readings", none="two measures of our own making, each right in itself"),
    Finding("bias-decay", (
        Erratum(
            "zhou", "Abstract; in other words the second point of the code's README",
            "“the (only!) global minimizers are neural collapse solutions”",
            r"So it is, for $d \ge K - 1$ and a nontrivial minimizer, if $d = K - 1$ or "
            r"$\lambda_b \le c/(1-c)$, as Theorem 3.1 of the paper says.",
            "Cosines of the class means at the minimizer, for three bias decays.",
            kind="gap", label="Printed",
        ),
    )),
    Finding("fourth-metric", (
        Erratum(
            "zhou-code", "`validate_NC.py`, `compute_Wh_b_relation`",
            r"$\lVert W h_G + b\rVert_2$ as the measure NC4, for both losses.",
            r"Under the squared error it tends to $1/(\sqrt K(1+\lambda_b))$, not to zero. Count "
            "decisions against the nearest class mean.",
            "The value at the global minimizer, in closed form and in numbers.",
            label="Does",
        ),
        Erratum(
            "zhou-code", "`validate_NC.py`, `compute_ETF` and `compute_W_H_relation`",
            "The rows of $W$ are centered before NC2 and NC3 are measured.",
            "The definitions in Appendix A of the paper do not center them. Vectors of equal "
            "length at right angles are a simplex for the code and none for the paper.",
            "Both measures on such vectors.",
            kind="difference", anchor="landscape-conventions", label="Does",
        ),
    )),
    Finding("traps", none="the paper states no theorem there and says that the case is open"),
    Finding("equations", (
        Erratum(
            "zhou", "Eq. (30)",
            "One is subtracted from the logits of the wrong classes.",
            "Their target is zero, as in Eq. (31), which is right.",
            r"Symbols: as printed, (30) is larger than (31) by $\frac12(K-1) + s\cos\theta$.",
            anchor="rescaled-appendix",
        ),
        Erratum(
            "zhou", "Eq. (35) and Fig. 8b, which is drawn from it",
            r"The slope of cross-entropy as $K \to \infty$, with two classes and without $s$ in "
            "the exponents.",
            r"The limit is $(-\cos\theta,\ s\sin\theta)$.",
            "Symbols, and the slopes for growing $K$.",
            anchor="rescaled-appendix",
        ),
        Erratum(
            "zhou", "Fig. 6, arXiv version 2",
            r"$\alpha$ over 1, 3, 5, 7, 10 with $M = 1$, and $M$ over 1, 5, 15, 20 with "
            r"$\alpha = 1$.",
            r"The code's `cmds_mse.sh` has $\alpha$ over 1, 5, 15, 20 and $M$ over 1, 3, 5, 7, 10. "
            "One of the two has the names exchanged.",
            "Text and code side by side.",
            kind="difference", anchor="rescaled-appendix",
        ),
        Erratum(
            "zhou", "The text on Fig. 3",
            "NC1, NC2 and NC3 go to zero.",
            "Read by eye, NC2 flattens at about 0.04 (SGD), 0.12 (Adam) and 0.145 (L-BFGS).",
            "Beside a small network on the digits, whose NC2 flattens, too.",
            kind="question", anchor="landscape-real-optimizers",
        ),
        Erratum(
            "zhou", "Appendix A, the names of the measures",
            "NC2 names two of them.",
            "NC3 for the second, which compares the classifier with the class means.",
            "Read in the paper.",
        ),
        Erratum(
            "zhou", "Appendix A, the learning rate of L-BFGS",
            "0.01.",
            "`cmds_mse.sh` and the README of the code have 0.1. We do not know which made Fig. 3.",
            "Text and code side by side.",
            kind="difference",
        ),
        Erratum(
            "zhou-code", "`plot_k_rmse.py`, the legend of NC2",
            r"$\alpha = 1$ with five values of $M$.",
            r"Four values of $\alpha$ with $M = 1$, as in the other legends of that file.",
            "Read in the code.",
            label="Does",
        ),
        Erratum(
            "zhou-code", "`cmds_mse.sh`, the line for L-BFGS",
            "`train_1st_order.py` is called, which exits when the optimizer is L-BFGS.",
            "`train_2nd_order.py`, as in the README.",
            "Read in the code.",
            label="Does",
        ),
        Erratum(
            "zhou-code", "README against `cmds_mse.sh`, batch sizes",
            "256 for SGD and 2,048 for L-BFGS in the README.",
            "128 and 512 in the commands. We do not know which made the figures.",
            "Read in the code.",
            kind="difference",
        ),
    )),
    Finding("smaller-start", none="no statement of the paper is touched"),
    Finding("raw-moments", none="a trap for whoever writes the code, ours included"),
    Finding("training-mode", none="a trap; the papers' notebook measures in evaluation mode"),
    Finding("low-precision", none="a property of number formats"),
    Finding("one-cause", (
        Erratum(
            "notebook", "`Sw_invSb`, called NC1",
            r"$\operatorname{tr}(\Sigma_W\Sigma_B^+)$.",
            "The papers' figures have the same divided by $C$.",
            "A second implementation, sample by sample, in the package's tests.",
            kind="difference", anchor="protocol-notebook", label="Does",
        ),
        Erratum(
            "notebook", "`NCC_mismatch`, called NC4",
            "Measured on training images.",
            "The papers' figures have it on test images.",
            "Read in the code.",
            kind="difference", anchor="protocol-notebook", label="Does",
        ),
        Erratum(
            "notebook", "`reg_loss`, the curve of loss and weight decay",
            "The summed squared error plus half the decay times the squared weights.",
            "The squared error averaged over the classes, too: that is what is trained. As it "
            "stands, the first part is $C$ times too large.",
            "Read in the code.",
            anchor="protocol-notebook", label="Does",
        ),
        Erratum(
            "notebook", "`debug = True`, and the comment on it",
            "“Only runs 20 batches per epoch for debugging”",
            "It stops after 21; the published default is on, so set `debug = False` for a full "
            "run.",
            "Read in the code.",
            kind="difference", anchor="protocol-notebook", label="Printed",
        ),
    )),
    Finding("ceiling", (
        Erratum(
            "papyan", "Fig. 8, VGG on MNIST, last epoch",
            "An average robustness near 3, read by eye.",
            "It cannot exceed 2 for images of equal norms, and about 1.1 if in addition the ten "
            "classes are balanced and errors few. What was found is not the smallest perturbation "
            "in the same units.",
            "A proof of two lines.",
            kind="question", anchor="mse-vs-ce-robustness",
        ),
    )),
    Finding("test-set", none="a choice that the papers state plainly"),
    Finding("other-networks", none="a choice that can be read off the papers' tables"),
    Finding("nearest-vertex", none="a result of ours"),
)  # fmt: skip
"""The sections of the findings page, in order.   Chapter: findings, errata."""

CORRECTIONS = Corrections()
"""What earlier editions of this book had wrong, the newest first.   Chapter: errata."""


def errata_of(source: str) -> Errata:
    """The errata of one source, in the order of the findings.

    Raises ValueError if there is no such source.   Chapter: errata.

    >>> len(errata_of("mixon"))
    0
    """
    if source not in SOURCES:
        raise ValueError(f"source: expected one of {sorted(SOURCES)}, got {source!r}")
    found = [(finding, one) for finding in FINDINGS for one in finding.errata]
    return Errata(pair for pair in found if pair[1].source == source)
