"""The formulas of the authors' public notebook, as a peer of ours.

Our own transcription of what the notebook of Han, Papyan & Donoho 2022 computes, written from a
description of it: batch by batch, class by class, one outer product a sample, two passes; float32
where it is. Nothing here is used outside the tests. The columns of the paper are rows here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nclib import Head, LossTerms

WEIGHT_DECAY = 5e-4
BATCH = 128


@dataclass(frozen=True, eq=False)
class Notebook:
    """What one look of the notebook computes; C classes, d features, all in one dtype."""

    means: Tensor  # (C, d)  mu_c
    within: Tensor  # (d, d)  Sigma_W, divisor N
    weight: Tensor  # (C, d)
    bias: Tensor  # (C,)
    loss: float  # Ave |f - y|^2, the C outputs summed, no 1/2
    accuracy: float
    mismatch: float  # NC4, on the samples that were analyzed
    weight_decay: float

    @property
    def num_classes(self) -> int:
        return len(self.means)

    @property
    def ridge(self) -> float:
        """lambda := wd/2."""
        return self.weight_decay / 2

    @property
    def global_mean(self) -> Tensor:
        """mu_G: each class counts the same, however many samples it has."""
        return sum(self.means) / self.num_classes  # pyright: ignore[reportReturnType]

    @property
    def centered_means(self) -> Tensor:
        return self.means - self.global_mean

    @property
    def between(self) -> Tensor:
        """Sigma_B: each class with weight 1/C."""
        return self.centered_means.T @ self.centered_means / self.num_classes

    @property
    def nc1(self) -> float:
        """tr(Sigma_W Sigma_B^+), by the C-1 leading singular triplets of Sigma_B; no 1/C."""
        U, s, Vh = torch.linalg.svd(self.between)
        k = self.num_classes - 1
        inverse = Vh[:k].T @ torch.diag(1 / s[:k]) @ U[:, :k].T
        return float(torch.trace(self.within @ inverse))

    def equinorm(self, vectors: Tensor) -> float:
        """Std over mean of the norms of the rows; torch's std, divisor C-1."""
        norms = torch.stack([v.norm() for v in vectors])
        return float(norms.std() / norms.mean())

    def equiangular(self, vectors: Tensor) -> float:
        """Mean over ordered pairs c != c' of |cos + 1/(C-1)|."""
        C = self.num_classes
        cosines = [
            v @ w / (v.norm() * w.norm()) + 1 / (C - 1)
            for i, v in enumerate(vectors)
            for j, w in enumerate(vectors)
            if i != j
        ]
        return float(torch.stack(cosines).abs().sum() / (C * (C - 1)))

    @property
    def nc3(self) -> float:
        """Squared Frobenius distance of W^T/|W| and M'/|M'|."""
        M, W = self.centered_means, self.weight
        return float((W / W.norm() - M / M.norm()).norm() ** 2)

    @property
    def best(self) -> tuple[Tensor, Tensor]:
        """W_LS and b_LS."""
        C, ridge, M, mean = self.num_classes, self.ridge, self.means, self.global_mean
        eye = torch.eye(len(mean), dtype=mean.dtype)
        covariance = self.within + self.between
        inverse = torch.linalg.inv(
            covariance + ridge / (1 + ridge) * torch.outer(mean, mean) + ridge * eye
        )
        weight = (M - mean / (1 + ridge)) @ inverse / C
        return weight, (1 / C - weight @ mean) / (1 + ridge)

    @property
    def terms(self) -> LossTerms:
        """L_NC1, L_NC2/3 and L_perp."""
        C, ridge, mean = self.num_classes, self.ridge, self.global_mean
        weight, bias = self.best
        eye = torch.eye(len(mean), dtype=mean.dtype)
        nc1 = torch.trace(weight @ (self.within + ridge * eye) @ weight.T) + ridge * bias @ bias
        at_means = self.means @ weight.T + bias - torch.eye(C, dtype=mean.dtype)
        D = torch.cat([self.weight - weight, (self.bias - bias)[:, None]], dim=1)
        corner = torch.full((1, 1), 1 + ridge, dtype=mean.dtype)
        second = self.within + self.between + torch.outer(mean, mean) + ridge * eye
        A = torch.cat(
            [torch.cat([second, mean[:, None]], dim=1), torch.cat([mean[None], corner], dim=1)]
        )
        nc23, perp = at_means.norm() ** 2 / C, torch.trace(D @ A @ D.T)
        return LossTerms(float(nc1) / 2, float(nc23) / 2, float(perp) / 2)

    @property
    def penalty(self) -> float:
        """|W|^2 + |b|^2, the last layer only."""
        return float(self.weight.norm() ** 2 + self.bias.norm() ** 2)

    @property
    def plotted(self) -> float:
        """The total of the decomposition's plot: 1/2 (Ave |f - y|^2 + (wd/2)(|W|^2 + |b|^2))."""
        return (self.loss + self.weight_decay / 2 * self.penalty) / 2

    @property
    def loss_with_decay(self) -> float:
        """The curve "loss + weight decay", as far as the last layer goes."""
        return self.loss + self.weight_decay / 2 * self.penalty

    @property
    def trained(self) -> float:
        """What SGD minimizes, as far as the last layer goes: torch's mean is also over outputs."""
        return self.loss / self.num_classes + self.weight_decay / 2 * self.penalty


def notebook(
    features: Tensor, labels: Tensor, head: Head, *, dtype: torch.dtype,
    weight_decay: float = WEIGHT_DECAY,
) -> Notebook:  # fmt: skip
    """The notebook's two passes over features (N, d): means and loss, then spread and decisions."""
    h, W, b = features.to(dtype), head.weight.to(dtype), head.bias.to(dtype)
    (C, d), N = W.shape, len(h)
    sums, counts = torch.zeros(C, d, dtype=dtype), [0] * C
    within, loss, correct, agreeing = torch.zeros(d, d, dtype=dtype), 0.0, 0, 0
    batches = list(zip(h.split(BATCH), labels.split(BATCH), strict=True))
    for x, y in batches:
        target = torch.nn.functional.one_hot(y, C).to(dtype)
        loss += float((x @ W.T + b - target).square().sum())
        for c in range(C):
            sums[c] += x[y == c].sum(0)
            counts[c] += int((y == c).sum())
    means = torch.stack([sums[c] / counts[c] for c in range(C)])
    for x, y in batches:
        for c in range(C):
            z = x[y == c] - means[c]
            within += (z[:, :, None] @ z[:, None, :]).sum(0)  # one outer product a sample
            for one in x[y == c]:
                chosen = int((W @ one + b).argmax())
                correct += chosen == c
                agreeing += chosen == int((one - means).norm(dim=1).argmin())
    return Notebook(means, within / N, W, b, loss / N, correct / N, 1 - agreeing / N, weight_decay)
