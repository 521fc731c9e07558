"""The claims of Han, Papyan & Donoho 2022, and what we add to its central path.

The text at hand ends early in Appendix D: of Lemmas 1 to 6 and of equations after (18) we know
that they exist.
"""

from __future__ import annotations

from ..evidence import han, han_flow, han_runs, mixon
from ..proofs import central_path, decomposition
from .claim import Claim

__all__ = ["CLAIMS"]

PAPER = "Han, Papyan & Donoho 2022"
NOT_RUN = "not run in this edition"
NOT_FOUND = "the text at hand ends before it"
CONSTANTS = "the paper's own values of $c_1, c_2, c_3$ were not found; checked are ours"

_LOSS = (
    Claim(
        "han:eq1",
        r"$\Sigma_W$, $\Sigma_B$ and NC1 to NC4 are defined by class means and global "
        "mean of the last features.",
        f"{PAPER}, Eq. (1) and (NC1)-(NC4)",
        "collapse",
        "numeric",
        (han.class_statistics, mixon.metrics_at_collapse),
    ),
    Claim(
        "han:eq2",
        "The loss is half the mean squared error of one-hot targets, plus a ridge on "
        "weight and bias.",
        f"{PAPER}, Eq. (2)",
        "least-squares",
        "numeric",
        (han.decomposition_at_once,),
    ),
    Claim(
        "han:eq3",
        r"With a constant feature the bias becomes a column of $\widetilde W$.",
        f"{PAPER}, Eq. (3)",
        "least-squares",
        "symbolic",
        (decomposition.bias_eliminated, han.best_head),
    ),
    Claim(
        "han:prop1",
        r"The best head is $\frac1C\widetilde M(\widetilde\Sigma_T + \widetilde\mu_G"
        r"\widetilde\mu_G^\top + \lambda I)^{-1}$ (rows are samples here).",
        f"{PAPER}, Proposition 1",
        "least-squares",
        "symbolic",
        (decomposition.proposition_1, han.best_head),
    ),
    Claim(
        "han:thm1",
        r"$\mathcal L = \mathcal L_{LS} + \mathcal L_{LS}^\perp$: the best head's "
        "loss, and what a head loses to it.",
        f"{PAPER}, Theorem 1, Eqs. (12)-(14)",
        "decomposition",
        "symbolic",
        (decomposition.theorem_1, han.decomposition_at_once),
    ),
    Claim(
        "han:thm2",
        r"$\mathcal L_{LS} = \mathcal L_{NC1} + \mathcal L_{NC2/3}$: what spread "
        "costs, and what the class means cost.",
        f"{PAPER}, Theorem 2, Eq. (15)",
        "decomposition",
        "symbolic",
        (decomposition.theorem_2, han.decomposition_at_once),
    ),
    Claim(
        "han:eq13",
        "First-order condition of the best head; it removes the cross term.",
        f"{PAPER}, Eq. (13)",
        "decomposition",
        "symbolic",
        (decomposition.theorem_1,),
    ),
    Claim(
        "han:appc1",
        r"Without ridge: $W_{LS} = \frac1C M'\Sigma_T^{-1}$, $\mathcal L_{NC1} = "
        r"\frac12\mathrm{tr}(W_{LS}\Sigma_W W_{LS}^\top)$, $\mathcal L_{NC2/3} = \frac1{2C}"
        r"\|M'W_{LS}^\top - \Phi\|^2$.",
        f"{PAPER}, Appendix C.1, Eqs. (16)-(18)",
        "decomposition",
        "symbolic",
        (decomposition.appendix_c1, han.loss_from_snr_values),
    ),
)

_PATH = (
    Claim(
        "han:eq4", r"A pair of head and features is on the central path exactly where "
        r"$\mathcal L_{LS}^\perp = 0$.",
        f"{PAPER}, Eq. (4)", "central-path", "symbolic",
        (decomposition.theorem_1, han.central_path_is_zero_deviation),
    ),
    Claim(
        "han:eq6", r"At zero global mean the best head is $\frac1C M\Sigma_T^{-1}$ with bias "
        r"$\frac1C$; otherwise the bias subtracts the mean.",
        f"{PAPER}, Eq. (6), assumption (A2)", "central-path", "symbolic",
        (central_path.equation_6, han.best_head_at_zero_mean),
    ),
    Claim(
        "han:def1", "The zero-global-mean central path: centered features with their best head, "
        "which needs no bias but $1/C$.",
        f"{PAPER}, Definition 1", "central-path", "symbolic", (central_path.equation_6,),
    ),
    Claim(
        "han:assumptions", "Networks stay near the central path, their features near zero mean "
        "once the bias is used, and may be renormalized.",
        f"{PAPER}, assumptions (A1)-(A3)", "central-path", "measured", (),
        "modeling assumptions; the first is measured on digits in chapter decomposition-measured",
    ),
    Claim(
        "han:eq7", r"Predictions of the best head are the same from $h$ and from $A h$, for every "
        "invertible $A$ (in the paper: symmetric).",
        f"{PAPER}, Eq. (7)", "invariance", "symbolic",
        (central_path.equation_7, han.predictions_in_other_coordinates),
    ),
    Claim(
        "han:eq8", r"The SNR matrix is $\Sigma_W^{-1/2}M'$: the class means of renormalized "
        "features.",
        f"{PAPER}, Eq. (8)", "snr", "numeric", (han.snr_matrix, han.values_in_other_coordinates),
    ),
    Claim(
        "han:def2", r"Its singular value decomposition $U\Omega V^\top$ has rank at most $C-1$.",
        f"{PAPER}, Definition 2", "snr", "numeric", (han.snr_matrix,),
    ),
    Claim(
        "han:eq5", "Continually renormalized gradient flow descends the projection of the "
        r"gradient on the tangent space of $\{\Sigma_W = I\}$.",
        f"{PAPER}, Eq. (5)", "flow", "symbolic",
        (central_path.tangent_and_normal, han_flow.projection_keeps_class_means),
    ),
    Claim(
        "han:prop2", r"$c_1\log\omega_j + c_2\omega_j^2 + c_3\omega_j^4 = a_j + t$ along this "
        "flow, for every SNR value that is not zero.",
        f"{PAPER}, Proposition 2, Eq. (9)", "flow", "symbolic",
        (central_path.gradient, central_path.proposition_2, han_flow.projected_flow,
         han_flow.implicit_law), CONSTANTS,
    ),
    Claim(
        "han:cor1", r"For the SNR values that are not zero, $\omega_j/(t/c_3)^{1/4} \to 1$ and "
        r"$\max_j\omega_j/\min_j\omega_j \to 1$.",
        f"{PAPER}, Corollary 1", "limits", "symbolic",
        (central_path.corollary_1, han_flow.growth_and_ratio),
    ),
    Claim(
        "han:cor2", r"The SNR matrix over $\omega_{\max}$ tends to $U_0V_0^\top$, and NC1 to NC4 "
        "hold in the limit.",
        f"{PAPER}, Corollary 2, Eq. (10)", "limits", "symbolic",
        (central_path.corollary_2, han_flow.singular_vectors_stay, han_flow.limit_is_collapsed),
    ),
    Claim(
        "han:eq11", r"Renormalized features over $\omega_{\max}$ tend to $(U_0V_0^\top)\otimes"
        r"\mathbf 1_N^\top$.",
        f"{PAPER}, Corollary 2, Eq. (11)", "limits", "symbolic",
        (central_path.corollary_2, han_flow.singular_vectors_stay),
    ),
    Claim(
        "han:thm3", "Neural collapse emerges along continually renormalized gradient flow from "
        "features of zero global mean, whose class means span $C-1$ dimensions.",
        f"{PAPER}, Theorem 3", "limits", "symbolic",
        (central_path.proposition_2, central_path.corollary_1, central_path.corollary_2,
         han_flow.limit_is_collapsed),
    ),
    Claim(
        "han:lem7", "Vectors that sum to zero and have $C-1$ equal singular values are a simplex "
        "ETF.",
        f"{PAPER}, Lemma 7, Appendix D.6", "limits", "symbolic",
        (central_path.lemma_7, han.equal_singular_values_are_a_simplex),
    ),
    Claim(
        "han:lem1-6", "Six lemmas of Appendix D.",
        f"{PAPER}, Lemmas 1-6", "flow", "symbolic", (), NOT_FOUND,
    ),
    Claim(
        "han:eq19", "Equations after (18), in Appendix D.",
        f"{PAPER}, Appendix D", "flow", "symbolic", (), NOT_FOUND,
    ),
)  # fmt: skip

_OURS = (
    Claim(
        "ours:loss-in-snr",
        r"$\mathcal L_{LS} = \frac12\sum_j 1/(C + \omega_j^2)$, of which "
        r"$\mathcal L_{NC1}$ and $\mathcal L_{NC2/3}$ have shares $\omega_j^2 : C$.",
        f"our derivation, from {PAPER}, Eqs. (6), (8)",
        "snr",
        "symbolic",
        (central_path.loss_in_snr_values, han.loss_from_snr_values),
        ours=True,
    ),
    Claim(
        "ours:unequal-classes",
        r"With any proportions $\mathcal L_{LS} = \frac12\sum_j "
        r"v_j^\top\mathrm{diag}(\pi)v_j/(1 + \omega_j^2/C)$.",
        "our derivation",
        "snr",
        "numeric",
        (han.unequal_classes_in_snr_values,),
        ours=True,
    ),
    Claim(
        "ours:two-nc1-measures",
        r"$\mathrm{tr}(\Sigma_W\Sigma_B^+)/C \ge \sum_j 1/\omega_j^2$, "
        "by Gauss and Markov.",
        "our derivation",
        "snr",
        "symbolic",
        (central_path.nc1_measures, han.trace_measure_is_never_below),
        ours=True,
    ),
    Claim(
        "ours:gradient-and-coordinates",
        r"Without ridge the gradient of the best head's loss is "
        "orthogonal to every linear change of coordinates.",
        "our derivation",
        "invariance",
        "symbolic",
        (central_path.gradient, han_flow.gradient_is_orthogonal_to_linear_maps),
        ours=True,
    ),
    Claim(
        "ours:flow-constants",
        r"$c_1 = C^2N$, $c_2 = CN$, $c_3 = N/4$.",
        "our derivation",
        "flow",
        "symbolic",
        (central_path.proposition_2, han_flow.projected_flow),
        ours=True,
    ),
    Claim(
        "ours:power-laws",
        r"In the end $\mathcal L_{NC1} \approx \frac{C-1}{4}\sqrt{N/t}$ and "
        r"$\mathcal L_{NC2/3} \approx (C-1)CN/(8t)$.",
        "our derivation",
        "limits",
        "symbolic",
        (central_path.corollary_1, han_flow.power_laws),
        ours=True,
    ),
    Claim(
        "ours:step-then-whiten",
        r"Gradient steps that whiten after each one follow $CN(C\log"
        r"\omega + \omega^2/2) = a + t$, not Proposition 2.",
        "our derivation",
        "renormalizations",
        "numeric",
        (han_flow.whitening_steps_follow_another_law,),
        ours=True,
    ),
)

THIN = "seen on the thin networks that are stored; the paper's fifteen are not run in this edition"

_FIGURES = tuple(
    Claim(f"han:{name}", statement, f"{PAPER}, {place}", chapter, "measured", evidence, missing)
    for name, place, statement, chapter, evidence, missing in (
        ("fig1", "Figure 1", "A portrait of neural collapse.", "collapse", (),
         "a drawing; the cover of this book redraws it from a run"),
        ("fig2", "Figure 2", r"$\mathcal L_{LS}^\perp$ becomes negligible early, and "
         r"$\mathcal L_{NC2/3}$ falls fastest, on 5 data sets and 3 networks.", "reproduction",
         (han_runs.deviation_ends_small, han_runs.best_terms_fall_as_stated),
         f"{THIN}; on these the deviation is not negligible early"),
        ("table1", "Table 1", "Test accuracy improves beyond zero training error, by 1.8 points "
         "in the mean.", "reproduction", (), NOT_RUN),
        ("fig3", "Figure 3", "Norms of class means and of classifiers become equal.",
         "reproduction", (han_runs.norms_become_equal,), THIN),
        ("fig4", "Figure 4", "Their angles become equal.", "reproduction",
         (han_runs.angles_become_equal,), THIN),
        ("fig5", "Figure 5", "Their angles become the widest possible.", "reproduction",
         (han_runs.angles_become_widest,), THIN),
        ("fig6", "Figure 6", "Classifiers and class means become parallel.", "reproduction",
         (han_runs.heads_and_means_become_parallel,), THIN),
        ("fig7", "Figure 7", "Within-class variability collapses.", "reproduction",
         (han_runs.variability_collapses,), THIN),
        ("fig8", "Figure 8", "Decisions become those of the nearest class mean.", "reproduction",
         (han_runs.decisions_become_the_nearest_mean,), THIN),
        ("fig9", "Figure 9", "Networks become more robust beyond zero error.", "reproduction", (),
         "not seen on the stored thin networks; the paper's fifteen are not run"),
        ("fig10", "Figure 10", "Features collapse faster under MSE than under cross-entropy.",
         "mse-vs-ce", (), "not seen on the stored thin networks, whose recipes differ; the "
         "paper's fifteen are not run"),
        ("fig11", "Figure 11", "Networks are more robust under MSE than under cross-entropy.",
         "mse-vs-ce", (), "not seen on the stored thin networks, whose recipes differ; the "
         "paper's fifteen are not run"),
        ("fig12", "Figure 12", "Test features collapse too, more slowly.", "test-data",
         (han_runs.test_features_collapse_less,), THIN),
    )
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (*_LOSS, *_PATH, *_OURS, *_FIGURES)
