"""The sizes behind the measurements: eigenvalues of the covariances, and signal over noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..snr import snr_values
from ..stats import ClassStats

__all__ = ["Spectrum"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of Sigma_B and Sigma_W and the SNR values, each largest first.

    What the statistics do not hold is None, and ``missing`` says why.

    Source: Han, Papyan & Donoho 2022, Section 3 (SNR).   Chapter: measure.
    """

    between: Tensor  # (r,), r <= C-1: those that are not rounding
    within: Tensor | None  # (d,)
    snr: Tensor | None  # (C-1,)
    missing: dict[str, str]  # "within", "snr": why there is none

    @classmethod
    def of(cls, stats: ClassStats) -> Spectrum:
        """The spectrum of class statistics; d^3 work where Sigma_W was kept."""
        _, sizes = stats.directions()
        between = sizes.square()
        if stats.scatter is None:
            why = "needs the within-class covariance: CollapseMeter(model, covariance=True)"
            return cls(between, None, None, {"within": why, "snr": why})
        within = torch.linalg.eigvalsh(stats.within).clamp(min=0).flip(0)
        try:
            return cls(between, within, snr_values(stats), {})
        except ValueError as error:  # infinite where nothing spreads
            return cls(between, within, None, {"snr": str(error).removeprefix("stats: ")})
