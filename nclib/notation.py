"""The letters of the book and their names in the code; the notation page is made from this table.

Rows of features are samples. The papers write samples as columns, so their H is our features
transposed, and their M (d x C) is our means transposed; their W is ours as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NOTATION", "Symbol", "markdown_table", "math"]


@dataclass(frozen=True)
class Symbol:
    """One line of the notation page: how it is written, what it is in code, shape, meaning.

    ``code`` is an expression; with ``features, labels, stats, head, ridge, decisions`` at hand it
    evaluates to something of the given shape, and a test does so.   Chapter: notation.
    """

    tex: str
    code: str
    shape: str  # "" for numbers
    meaning: str


def math(tex: str) -> str:
    """LaTeX as Markdown math that survives in a table cell, where a bar would end the cell."""
    bare = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return f"${bare.strip()}$"


def markdown_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A pipe table, which notebooks, Colab and the book all render."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Notation(tuple[Symbol, ...]):
    """The table of symbols; in a notebook it shows as one.   Chapter: notation."""

    def _repr_markdown_(self) -> str:
        rows = [(math(s.tex), s.meaning, f"`{s.code}`", s.shape) for s in self]
        return markdown_table(("page", "meaning", "code", "shape"), rows)


NOTATION = Notation((
    Symbol(r"N,\ C,\ d", "stats.total_count, stats.num_classes, stats.dimension", "(3,)",
           "numbers of samples, classes and features"),
    Symbol(r"H", "features", "(N, d)", "last-layer features, a row a sample"),
    Symbol(r"y", "labels", "(N,)", "labels, whole numbers from 0; in the loss, one-hot vectors"),
    Symbol(r"n_c", "stats.counts", "(C,)", "samples of class c"),
    Symbol(r"\pi", "stats.priors", "(C,)", r"class proportions $n_c/N$"),
    Symbol(r"\Pi", "stats.priors.diag()", "(C, C)", "the same on a diagonal"),
    Symbol(r"\mu_c", "stats.means", "(C, d)", "class means, as rows"),
    Symbol(r"\mu_G", "stats.global_mean", "(d,)", r"mean over all samples, $\sum_c\pi_c\mu_c$"),
    Symbol(r"M'", "stats.centered_means", "(C, d)", r"centered class means $\mu_c-\mu_G$, as rows"),
    Symbol(r"N\,\Sigma_W", "stats.scatter", "(d, d)", "pooled within-class scatter, as stored"),
    Symbol(r"n_c v_c", "stats.spread", "(C,)", "its trace, class by class"),
    Symbol(r"\Sigma_W", "stats.within", "(d, d)", "within-class covariance"),
    Symbol(r"\Sigma_B", "stats.between", "(d, d)",
           r"between-class covariance, weighted with $\pi$"),
    Symbol(r"\Sigma_T", "stats.total", "(d, d)", r"total covariance, $\Sigma_W+\Sigma_B$ exactly"),
    Symbol(r"W,\ b", "head.weight, head.bias", "(C, d), (C,)", "the network's linear head"),
    Symbol(r"\lambda", "ridge", "",
           r"weight of the penalty $\frac12(\Vert W\Vert^2+\Vert b\Vert^2)$ in the loss"),
    Symbol(r"W_{\mathrm{LS}},\ b_{\mathrm{LS}}",
           "least_squares(stats, ridge).weight, least_squares(stats, ridge).bias", "(C, d), (C,)",
           "the head that minimizes the loss on these features"),
    Symbol(r"\mathcal L_{\mathrm{NC1}}", "decompose(stats, head, ridge).nc1", "",
           "what the within-class spread costs the best head"),
    Symbol(r"\mathcal L_{\mathrm{NC2/3}}", "decompose(stats, head, ridge).nc23", "",
           "what the best head still gets wrong at the class means"),
    Symbol(r"\mathcal L_{\mathrm{LS}}^{\perp}", "decompose(stats, head, ridge).perp", "",
           "what the head loses by not being the best one"),
    Symbol(r"\mathcal L", "decompose(stats, head, ridge).total", "", "their sum, the loss"),
    Symbol(r"P", "centering(stats.num_classes)", "(C, C)",
           r"subtracts the mean over classes, $I-\frac1C\mathbf 1\mathbf 1^\top$"),
    Symbol(r"\text{simplex ETF}", "simplex_etf(stats.num_classes)", "(C, C)",
           r"C unit vectors with cosines $-1/(C-1)$, as rows"),
    Symbol(r"\omega", "snr(stats).omega", "(C-1,)",
           "SNR values: singular values of the class means in units of the noise"),
    Symbol(r"S", "snr(stats).matrix", "(C, d)",
           r"SNR matrix $M'\Sigma_W^{-1/2} = V\,\mathrm{diag}(\omega)\,U^\top$, a row a class"),
    Symbol(r"U,\ V", "snr(stats).directions, snr(stats).classes", "(d, C-1), (C, C-1)",
           "its singular vectors, in feature space and over classes"),
    Symbol(r"\text{NC1 to NC3}", "measure(stats, head)", "",
           "every measurement of METRICS, by name"),
    Symbol(r"\text{NC4}", "decisions.nearest_mean_mismatch", "",
           "share of samples that head and nearest class mean put in different classes"),
))  # fmt: skip
"""The table of the book's letters and their names in code.   Chapter: notation."""
