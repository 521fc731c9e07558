"""The letters of the least-squares proofs: samples in rows, any number of classes and features."""

from __future__ import annotations

import sympy as sp

from .algebra import SymmetricSymbol

N, C, d = sp.symbols("N C d", positive=True, integer=True)
HALF = sp.Rational(1, 2)
ridge = sp.Symbol(r"\lambda", nonnegative=True)

H = sp.MatrixSymbol("H", N, d)  # features
Y = sp.MatrixSymbol("Y", N, C)  # one-hot labels
M = sp.MatrixSymbol("M", C, d)  # class means
Mc = sp.MatrixSymbol("{M'}", C, d)  # class means minus the global mean
Z = sp.MatrixSymbol("Z", N, d)  # deviations from the class means
W = sp.MatrixSymbol("W", C, d)
b = sp.MatrixSymbol("b", C, 1)
mu = sp.MatrixSymbol(r"\mu_{G}", d, 1)
pi = sp.MatrixSymbol(r"\pi", C, 1)
Pi = SymmetricSymbol(r"\Pi", C, C)  # diag(pi)
Sw = SymmetricSymbol(r"\Sigma_{W}", d, d)
St = SymmetricSymbol(r"\Sigma_{T}", d, d)
K = SymmetricSymbol("K", d, d)  # what the bias-free weight solves with
one_N = sp.MatrixSymbol(r"\mathbf{1}_N", N, 1)
one_C = sp.MatrixSymbol(r"\mathbf{1}_C", C, 1)
W_LS = sp.MatrixSymbol(r"W_{\mathrm{LS}}", C, d)
b_LS = sp.MatrixSymbol(r"b_{\mathrm{LS}}", C, 1)
F = sp.MatrixSymbol("F", N, C)  # predictions
Fc = sp.MatrixSymbol(r"\bar{F}", C, C)  # predictions at the class means
Bc = sp.MatrixSymbol(r"\bar{B}", C, C)  # errors of the best head at the class means, centered
Phi = SymmetricSymbol(r"\Phi", C, C)  # the simplex ETF I - 11^T/C

# Extended by the constant feature 1, so that W~ = [W, b].
Ht = sp.MatrixSymbol(r"\widetilde{H}", N, d + 1)
Mt = sp.MatrixSymbol(r"\widetilde{M}", C, d + 1)
Zt = sp.MatrixSymbol(r"\widetilde{Z}", N, d + 1)
Xt = sp.MatrixSymbol(r"\widetilde{X}", N, d + 1)  # deviations from the global mean
Wt = sp.MatrixSymbol(r"\widetilde{W}", C, d + 1)
Wt_LS = sp.MatrixSymbol(r"\widetilde{W}_{\mathrm{LS}}", C, d + 1)
mut = sp.MatrixSymbol(r"\widetilde{\mu}_G", d + 1, 1)
S = SymmetricSymbol(r"\widetilde{S}", d + 1, d + 1)  # second moment of the features
A = SymmetricSymbol(r"\widetilde{A}", d + 1, d + 1)  # second moment plus ridge
R = sp.MatrixSymbol(r"\widetilde{R}", C, d + 1)  # labels times features
Swt = SymmetricSymbol(r"\widetilde{\Sigma}_W", d + 1, d + 1)
Stt = SymmetricSymbol(r"\widetilde{\Sigma}_T", d + 1, d + 1)
E = sp.MatrixSymbol("E", N, C)  # residuals of the best head
D = sp.MatrixSymbol("D", C, d + 1)  # head minus best head
B = sp.MatrixSymbol("B", C, C)  # errors of any head at the class means
