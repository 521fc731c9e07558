"""Han, Papyan & Donoho in numbers: the loss, the best head and the SNR values, sample by sample.

The naive side of every comparison is written out here: sums over samples and a general
solver on the extended features; it shares nothing with the formulas under test.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..decomposition import decompose, regularized_mse
from ..head import Head, least_squares
from ..simplex import gram_distance
from ..snr import snr
from ..stats import ClassStats
from ..theory.central_path import loss, loss_parts
from .check import Check

__all__ = [
    "best_head",
    "best_head_at_zero_mean",
    "central_path_is_zero_deviation",
    "class_statistics",
    "decomposition_at_once",
    "equal_singular_values_are_a_simplex",
    "loss_from_snr_values",
    "predictions_in_other_coordinates",
    "snr_matrix",
    "trace_measure_is_never_below",
    "unequal_classes_in_snr_values",
    "values_in_other_coordinates",
]

EXACT, TIGHT = 1e-12, 1e-9
Sample = tuple[Tensor, Tensor, ClassStats]


def sample(seed: int, *, equal: bool = True, centered: bool = False) -> Sample:
    """Features (n, d), one-hot labels (n, C) and statistics; sizes follow from the seed."""
    g = torch.Generator().manual_seed(seed)
    C, d = 2 + seed % 4, 1 + seed % 7
    counts = torch.full((C,), d + 3) if equal else torch.randint(d + 2, d + 9, (C,), generator=g)
    labels = torch.arange(C).repeat_interleave(counts)
    means = 2 * torch.randn(C, d, generator=g, dtype=torch.float64)
    noise = torch.randn(len(labels), d, generator=g, dtype=torch.float64)
    mixing = torch.randn(d, d, generator=g, dtype=torch.float64)
    features = means[labels] + noise @ mixing + 3
    features = features - features.mean(0) if centered else features
    return features, torch.eye(C).double()[labels], ClassStats.of(features, labels, C)


def extended(features: Tensor) -> Tensor:
    """[h, 1] for every sample."""
    return torch.cat([features, torch.ones_like(features[:, :1])], 1)


def solved(features: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """[W, b] (C, d+1) of least squares, as an augmented least-squares problem."""
    inputs = extended(features)
    root = (ridge * len(inputs)) ** 0.5 * torch.eye(inputs.shape[1], dtype=torch.float64)
    stacked = torch.cat([targets, torch.zeros(len(root), targets.shape[1]).double()])
    return torch.linalg.lstsq(torch.cat([inputs, root]), stacked).solution.T


def direct_loss(features: Tensor, targets: Tensor, head: Tensor, ridge: float) -> float:
    """1/2 Ave |W h + b - y|^2 + (ridge/2) |[W, b]|^2, from its definition."""
    errors = (extended(features) @ head.T - targets).square().sum(1)
    return float(errors.mean() / 2 + ridge / 2 * head.square().sum())


def worst(says: str, errors: list[float], bar: float) -> Check:
    """The largest of the errors; NaN stays NaN."""
    return Check(says, float(torch.tensor(errors, dtype=torch.float64).max()), bar)


def relative(found: float | Tensor, expected: float | Tensor) -> float:
    """Largest difference over the largest expected size."""
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    return float((found - expected).abs().max() / expected.abs().max())


def class_statistics() -> Check:
    """Means and both covariances, against sums over samples, one at a time."""
    errors = []
    for seed in range(20):
        features, targets, stats = sample(seed, equal=seed % 2 == 0)
        means = torch.stack([features[targets[:, c] == 1].mean(0) for c in range(targets.shape[1])])
        of_sample = targets @ means
        within = sum(torch.outer(x, x) for x in features - of_sample) / len(features)
        center = features.mean(0)
        between = sum(torch.outer(x, x) for x in of_sample - center) / len(features)
        errors += [relative(stats.within, within), relative(stats.between, between)]
    return worst("Sigma_W and Sigma_B against sums over samples, 20 samples", errors, TIGHT)


def best_head() -> Check:
    """The closed-form head against a solver for augmented least squares."""
    errors = []
    for seed in range(20):
        features, targets, stats = sample(seed, equal=seed % 2 == 0)
        head = least_squares(stats, 0.1)
        expected = solved(features, targets, 0.1)
        errors.append(relative(torch.cat([head.weight, head.bias[:, None]], 1), expected))
    return worst("Head of Prop. 1 against augmented least squares, 20 samples", errors, TIGHT)


def decomposition_at_once() -> Check:
    """Loss of random heads, summed sample by sample, against the three terms together."""
    errors = []
    for seed in range(40):
        features, targets, stats = sample(seed, equal=seed % 2 == 0)
        g = torch.Generator().manual_seed(seed)
        joint = torch.randn(targets.shape[1], features.shape[1] + 1, generator=g).double()
        head, ridge = Head(joint[:, :-1], joint[:, -1]), 0.01 * (seed % 3)
        direct = direct_loss(features, targets, joint, ridge)
        terms = decompose(stats, head, ridge)
        errors += [relative(terms.total, direct)]
        errors += [relative(regularized_mse(stats, head, ridge), direct)]
        at_best = direct_loss(features, targets, solved(features, targets, ridge), ridge)
        errors += [relative(terms.least_squares, at_best)]
    return worst("Loss and its terms against sums over samples, 40 heads", errors, TIGHT)


def central_path_is_zero_deviation() -> Check:
    """L_perp is zero at the best head, and beside it the loss is higher by exactly L_perp > 0."""
    errors = []
    for seed in range(20):
        features, targets, stats = sample(seed)
        joint = solved(features, targets, 0.0)
        g = torch.Generator().manual_seed(seed)
        beside = joint + torch.randn(joint.shape, generator=g, dtype=torch.float64)
        perp = [decompose(stats, Head(w[:, :-1], w[:, -1]), 0.0).perp for w in (joint, beside)]
        rise = direct_loss(features, targets, beside, 0) - direct_loss(features, targets, joint, 0)
        errors += [perp[0], relative(perp[1], rise), float(perp[1] <= 0)]
    return worst("L_perp at the best head, and beside it against the rise", errors, TIGHT)


def best_head_at_zero_mean() -> Check:
    """Eq. (6): weight M' Sigma_T^-1 / C and bias 1/C, against the solver."""
    errors = []
    for seed in range(20):
        features, targets, stats = sample(seed, centered=True)
        C = targets.shape[1]
        weight = stats.centered_means @ torch.linalg.inv(stats.total) / C
        bias = torch.full((C, 1), 1 / C, dtype=torch.float64)
        errors.append(relative(torch.cat([weight, bias], 1), solved(features, targets, 0.0)))
    return worst("Head of Eq. (6) against least squares, 20 centered samples", errors, TIGHT)


def predictions_in_other_coordinates() -> Check:
    """Eq. (7) for matrices that are not symmetric: the solver's predictions do not change."""
    errors, asymmetry = [], []
    for seed in range(40):
        features, targets, _ = sample(seed)
        g = torch.Generator().manual_seed(seed)
        A = torch.randn(features.shape[1], features.shape[1], generator=g, dtype=torch.float64)
        before, after = (
            extended(x) @ solved(x, targets, 0.0).T for x in (features, features @ A.T)
        )
        errors.append(relative(after, before))
        asymmetry.append(float((A - A.T).norm()))
    assert max(asymmetry) > 1
    return worst("Predictions from A h against those from h, 40 matrices", errors, 1e-8)


def values_in_other_coordinates() -> Check:
    """The SNR values of A h are those of h."""
    errors = []
    for seed in range(40):
        features, targets, stats = sample(seed, equal=seed % 2 == 0)
        g = torch.Generator().manual_seed(seed)
        A = torch.randn(features.shape[1], features.shape[1], generator=g, dtype=torch.float64)
        moved = ClassStats.of(features @ A.T, targets.argmax(1), targets.shape[1])
        errors.append(relative(snr(moved).omega, snr(stats).omega))
    return worst("SNR values of A h against those of h, 40 matrices", errors, 1e-8)


def snr_matrix() -> Check:
    """Eq. (8) and Definition 2, against Newton's iteration for the inverse root."""
    errors = []
    for seed in range(20):
        _, _, stats = sample(seed)
        root = torch.eye(stats.dimension, dtype=torch.float64)
        inverse, scale = root.clone(), stats.within.norm()
        current = stats.within / scale
        for _ in range(60):  # Denman & Beavers: to the root and its inverse together
            current, inverse = (
                (current + torch.linalg.inv(inverse)) / 2,
                (inverse + torch.linalg.inv(current)) / 2,
            )
        expected = stats.centered_means @ inverse / scale.sqrt()
        errors.append(relative(snr(stats).matrix, expected))
    return worst("SNR matrix against M' times an iterated inverse root", errors, 1e-8)


def loss_from_snr_values() -> Check:
    """L_LS and both parts from the SNR values, against the solver's loss and Appendix C.1."""
    errors = []
    for seed in range(40):
        features, targets, stats = sample(seed)
        omega, C = snr(stats).omega, targets.shape[1]
        head = solved(features, targets, 0.0)
        direct = direct_loss(features, targets, head, 0.0)
        at_means = stats.means @ head[:, :-1].T + head[:, -1]
        nc23 = float((at_means - torch.eye(C)).square().sum() / (2 * C))
        parts = [float(part) for part in loss_parts(omega, C)]
        errors += [relative(float(loss(omega, C)), direct), relative(parts[1], nc23)]
        errors += [relative(parts[0], direct - nc23)]
    return worst("L_LS, L_NC1, L_NC2/3 from SNR values, 40 samples", errors, TIGHT)


def unequal_classes_in_snr_values() -> Check:
    """With any proportions each value is weighted by v^T diag(pi) v."""
    errors = []
    for seed in range(40):
        features, targets, stats = sample(seed, equal=False)
        found, C = snr(stats), targets.shape[1]
        weights = (found.classes.square() * stats.priors[:, None]).sum(0)
        expected = direct_loss(features, targets, solved(features, targets, 0.0), 0.0)
        errors.append(relative((weights / (1 + found.omega**2 / C)).sum() / 2, expected))
    return worst("L_LS from SNR values and class vectors, 40 unequal samples", errors, TIGHT)


def trace_measure_is_never_below() -> Check:
    """tr(Sigma_W Sigma_B^+)/C - sum 1/omega^2 >= 0 on 1,000 random pairs of means and spread."""
    g = torch.Generator().manual_seed(0)
    C, d = 4, 6
    means = torch.randn(1000, C, d, generator=g, dtype=torch.float64)
    means = means - means.mean(1, keepdim=True)
    root = torch.randn(1000, d, d, generator=g, dtype=torch.float64)
    within = root @ root.mT
    between = means.mT @ means / C
    trace = (within @ torch.linalg.pinv(between, rtol=1e-9)).diagonal(dim1=1, dim2=2).sum(1) / C
    squares = torch.linalg.eigvalsh(means @ torch.linalg.inv(within) @ means.mT)[:, 1:]
    excess = (1 / squares).sum(1) / trace - 1
    return Check("sum 1/omega^2 over the trace measure, minus 1", float(excess.max()), TIGHT)


def equal_singular_values_are_a_simplex() -> Check:
    """Lemma 7 on random zero-sum matrices whose singular values have been made equal."""
    errors = []
    for seed in range(20):
        g = torch.Generator().manual_seed(seed)
        C = 2 + seed % 9
        rows = torch.randn(C, C + 3, generator=g, dtype=torch.float64)
        left, _, right = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
        errors.append(gram_distance(7 * left[:, : C - 1] @ right[: C - 1]))
    return worst("Distance to a simplex ETF, 20 matrices", errors, EXACT)
