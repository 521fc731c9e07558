"""The letters of the unconstrained-features proofs: samples in COLUMNS, N in each of C classes."""

from __future__ import annotations

import sympy as sp

from .proof import Given

C, N, p = sp.symbols("C N p", positive=True, integer=True)
n = C * N
root = sp.sqrt(N)
beta = sp.Symbol(r"\beta", real=True)
t = sp.Symbol("t", nonnegative=True)
I = sp.Identity(C)

W = sp.MatrixSymbol("W", C, p)
H = sp.MatrixSymbol("H", p, n)  # features as columns
b = sp.MatrixSymbol("b", C, 1)
Y = sp.MatrixSymbol("Y", C, n)  # one-hot labels as columns
A = sp.MatrixSymbol("A", C, n)  # residual
one = sp.MatrixSymbol(r"\mathbf{1}", C, 1)
one_n = sp.MatrixSymbol(r"\mathbf{1}_{CN}", n, 1)
q = sp.MatrixSymbol("q", p, 1)  # W^T 1
v = sp.MatrixSymbol("v", p, 1)  # H 1
z = sp.MatrixSymbol("z", p, 1)
Wdot = sp.MatrixSymbol(r"\dot{W}", C, p)
Hdot = sp.MatrixSymbol(r"\dot{H}", p, n)
P = I - one * one.T / C

LABELS = Given("$N$ samples of each class", Y * Y.T, N * I)
ONES = Given("each sample has one class", one_n, Y.T * one)
COUNT = Given("the number of classes", one.T * one, C * sp.Identity(1))
RESIDUAL = Given("the residual", A, W * H + b * one_n.T - Y)

# A point of S
COPIES = Given("on $S$: features are copies of classifier rows", H, W.T * Y / root)
CENTERED = Given("on $S$: the rows sum to zero", one.T * W, sp.ZeroMatrix(1, p))
CONSTANT = Given("on $S$: all biases are equal", b, beta * one)

# Strong collapse
SNC1 = Given("(SNC1)", W * W.T, root * P)
SNC2 = Given("(SNC2)", H, W.T * Y / root)
SNC3 = Given("(SNC3)", b, one / C)
