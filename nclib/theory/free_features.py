"""Features that move freely, and everything about their flows by brute force.

``features`` are tensors (C, N, d): C classes of N samples each, d features. Nothing here knows a
formula in the SNR values: losses are solved for, gradients differentiated automatically, tangent
spaces spanned by the gradients of the constraints, flows integrated step by step. The closed
forms of the central path are checked against this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..snr import snr
from ..stats import ClassStats

__all__ = [
    "flow",
    "gradient",
    "loss",
    "projected_gradient",
    "snr_values",
    "split_gradient",
    "start",
    "statistics",
    "step_then_whiten",
    "whitened",
    "within_covariance",
]


def loss(features: Tensor) -> Tensor:
    """1/2 Ave |W h + b - y|^2 at the best W and b, without ridge; differentiable in the features.

    The residual of the one-hot targets after projection on the features and a constant, by QR.
    Needs C N > d and features that span all d directions around their mean.

    Source: Han, Papyan & Donoho 2022, Eq. (2) with lambda = 0.   Chapter: central-path.

    >>> apart = torch.tensor([[[1.0], [1.0]], [[-1.0], [-1.0]]], dtype=torch.float64)
    >>> abs(round(float(loss(apart)), 12))  # two classes without spread are told apart
    0.0
    """
    C, N, d = _shape(features)
    inputs = torch.cat([features, torch.ones_like(features[..., :1])], 2).reshape(C * N, d + 1)
    basis = torch.linalg.qr(inputs).Q
    targets = torch.eye(C).to(features).repeat_interleave(N, 0)
    return (targets - basis @ (basis.T @ targets)).square().sum() / (2 * C * N)


def gradient(features: Tensor) -> Tensor:
    """The gradient of :func:`loss` in every entry of the features, (C, N, d).

    Chapter: flow.
    """
    x = features.detach().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]


def projected_gradient(features: Tensor) -> Tensor:
    """The gradient of the loss without what would change Sigma_W, (C, N, d).

    The d(d+1)/2 entries of Sigma_W are differentiated one by one; the gradient's component in
    the span of their gradients is found by least squares and subtracted. What is left is
    tangent to {Sigma_W = const}, the paper's manifold where the constant is the identity.

    Source: Han, Papyan & Donoho 2022, Eq. (5).   Chapter: flow.
    """
    x = features.detach()
    rows, columns = torch.triu_indices(x.shape[2], x.shape[2])

    def constraints(free: Tensor) -> Tensor:
        return within_covariance(free)[rows, columns]

    jacobian = torch.autograd.functional.jacobian(constraints, x, vectorize=True)
    normals = jacobian.reshape(len(rows), -1).T  # (C N d, d(d+1)/2)
    slope = gradient(x).reshape(-1, 1)
    return (slope - normals @ torch.linalg.lstsq(normals, slope).solution).reshape(x.shape)


def split_gradient(features: Tensor, ratio: float) -> Tensor:
    """The gradient's class means plus ``ratio`` times its deviations from them, (C, N, d).

    1 is the plain gradient, 0 moves class means only.   Chapter: two-speeds.
    """
    slope = gradient(features)
    means = slope.mean(1, keepdim=True)
    return means + ratio * (slope - means)


def within_covariance(features: Tensor) -> Tensor:
    """Sigma_W of features (C, N, d): (d, d), differentiable.

    Chapter: notation.
    """
    deviations = (features - features.mean(1, keepdim=True)).flatten(0, 1)
    return deviations.T @ deviations / len(deviations)


def whitened(features: Tensor) -> Tensor:
    """All features times Sigma_W^{-1/2}, class means included: the renormalized features.

    Source: Han, Papyan & Donoho 2022, Section 3.1.   Chapter: renormalizations.
    """
    return features @ _inverse_root(within_covariance(features))


def statistics(features: Tensor) -> ClassStats:
    """Class statistics of features (C, N, d).

    Chapter: snr.
    """
    C, N, _ = _shape(features)
    return ClassStats.of(features.flatten(0, 1), torch.arange(C).repeat_interleave(N), C)


def snr_values(features: Tensor) -> Tensor:
    """The SNR values of features (..., C, N, d), such as those of a flow: (..., C-1).

    Chapter: snr.
    """
    shape = features.shape
    states = features.reshape(-1, *shape[-3:])
    found = torch.stack([snr(statistics(state)).omega for state in states])
    return found.reshape(*shape[:-3], shape[-3] - 1)


def start(
    num_classes: int,
    per_class: int,
    dimension: int,
    seed: int,
    *,
    omega: Sequence[float] | Tensor | None = None,
    white: str | None = "within",
) -> Tensor:
    """Random features (C, N, d) with zero global mean, and with these SNR values if given.

    ``white`` "within" makes Sigma_W the identity, "total" Sigma_T, None neither. Singular vectors
    are random. Without ``omega``, the class means are standard normal in whitened coordinates.

    Chapter: central-path.

    >>> features = start(3, 4, 5, seed=0, omega=[2.0, 1.0])
    >>> torch.round(snr_values(features), decimals=9).tolist()
    [2.0, 1.0]
    """
    C, N, d = num_classes, per_class, dimension
    _require_room(C, N, d, omega, white)
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    noise = normal(C, N, d)
    noise = whitened(noise - noise.mean(1, keepdim=True))
    means = normal(C, d)
    means = means - means.mean(0)
    if omega is not None:
        left, _, right = torch.linalg.svd(means, full_matrices=False)
        values = torch.as_tensor(omega, dtype=torch.float64)
        means = (left[:, : C - 1] * values) @ right[: C - 1]
    features = noise + means[:, None]
    if white == "total":
        return features @ _inverse_root(torch.cov(features.flatten(0, 1).T, correction=0))
    return features if white == "within" else features @ (torch.eye(d) + 0.5 * normal(d, d))


def flow(
    field: Callable[[Tensor], Tensor],
    features: Tensor,
    times: Sequence[float] | Tensor,
    rtol: float,
) -> Tensor:
    """The features at increasing times (T,) as they descend dX/dt = -field(X): (T, C, N, d).

    Integrated from time 0 by SciPy's DOP853; a failure is a RuntimeError with its words.

    Chapter: flow.
    """
    from scipy.integrate import solve_ivp

    instants = torch.as_tensor(times, dtype=torch.float64)
    ordered = instants.ndim == 1 and len(instants) > 0 and bool((instants.diff() > 0).all())
    if not (ordered and float(instants[0]) >= 0 and bool(instants.isfinite().all())):
        raise ValueError(
            f"times: expected (T,), finite, increasing and >= 0, got {instants.tolist()}"
        )
    moments = instants.numpy()
    origin, shape = features.double(), features.shape

    def velocity(_: float, flat: object) -> object:
        return -field(torch.as_tensor(flat).reshape(shape)).reshape(-1).numpy()

    found = solve_ivp(
        velocity,
        (0.0, float(moments[-1])),
        origin.reshape(-1).numpy(),
        method="DOP853",
        t_eval=moments,
        rtol=rtol,
        atol=rtol * float(origin.abs().max()),
    )
    if not found.success:
        raise RuntimeError(f"flow: expected to reach time {moments[-1]}, got: {found.message}")
    return torch.as_tensor(found.y.T).reshape(-1, *shape)


def step_then_whiten(features: Tensor, step: float, steps: int) -> Tensor:
    """The SNR values of features that take plain gradient steps, whitened after each one.

    (steps + 1, C-1), the first row before the first step; row k belongs to time k * step. A
    different flow from the projected one, at any step size.   Chapter: renormalizations.
    """
    x = whitened(features.double())
    rows = [snr_values(x)]
    for _ in range(steps):
        x = whitened(x - step * gradient(x))
        rows.append(snr_values(x))
    return torch.stack(rows)


def _inverse_root(covariance: Tensor) -> Tensor:
    """The symmetric inverse square root of a covariance (d, d)."""
    values, vectors = torch.linalg.eigh(covariance)
    missing = int((values <= values[-1] * len(values) * torch.finfo(values.dtype).eps).sum())
    if missing:
        raise ValueError(
            f"features: expected spread in all {len(values)} directions, none in {missing}"
        )
    return (vectors / values.sqrt()) @ vectors.T


def _shape(features: Tensor) -> tuple[int, int, int]:
    """C, N, d of features that a head without ridge has one answer for."""
    if features.ndim != 3:
        raise ValueError(f"features: expected (C, N, d), got {tuple(features.shape)}")
    C, N, d = features.shape
    return C, N, d


def _require_room(C: int, N: int, d: int, omega: object, white: str | None) -> None:
    if white not in ("within", "total", None):
        raise ValueError(f'white: expected "within", "total" or None, got {white!r}')
    if d > C * (N - 1):
        raise ValueError(
            f"dimension: expected at most C (N - 1) = {C * (N - 1)}, so that the deviations from "
            f"{C} class means can spread in all directions, got {d}"
        )
    if omega is None:
        return
    count = len(torch.as_tensor(omega))
    if count != C - 1:
        raise ValueError(f"omega: expected C-1 = {C - 1} values, got {count}")
    if d < C - 1:
        raise ValueError(f"dimension: expected at least C-1 = {C - 1} for omega, got {d}")
