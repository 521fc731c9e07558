"""The four papers' mathematics in numbers: no networks, no data, no plots.

central_path    Han, Papyan & Donoho: the SNR matrix and the projected flow
free_features   features that move freely: brute-force gradients and simulated flows
two_speeds      our family between the projected and the plain flow, mode by mode
discriminants   the same family at any features: budget, speeds, kernel
laws            where each SNR value is when the largest is there: no clock
unconstrained   Mixon, Parshall & Pi: strong collapse
small_start     its linear phase, its curvature, and what a small start leaves over
landscape       Zhou et al.: minimizers for every bias decay, dimension and rescaling
saddles         the way down from critical points that are no minima
rescaled        the rescaled squared loss around a collapsed classifier
orthogonal_frame, balancing, deep_head
                Jacot et al.: their measures, how layers balance, bounds for linear heads
"""

from . import (
    balancing,
    central_path,
    deep_head,
    discriminants,
    free_features,
    landscape,
    laws,
    orthogonal_frame,
    rescaled,
    saddles,
    small_start,
    two_speeds,
    unconstrained,
)

__all__ = [
    "balancing",
    "central_path",
    "deep_head",
    "discriminants",
    "free_features",
    "landscape",
    "laws",
    "orthogonal_frame",
    "rescaled",
    "saddles",
    "small_start",
    "two_speeds",
    "unconstrained",
]
