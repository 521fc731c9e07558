"""The landscape explorer: where in the plane of the two decays a simplex is the best one can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..palette import COLORS
from ..theory.landscape import Minimizer, minimizer
from .frame import Axis, Frame, numeral
from .page import Explorer, Picture, defaults, explorer

__all__ = ["FRAMES", "INKS", "best", "landscape", "picture", "sharing", "vanishing"]

BIAS = Axis(1e-3, 1e3, (1e-3, 0.1, 10, 1e3), "decay of the bias", log=True)
DECAY = Axis(1e-2, 1e2, (0.01, 0.1, 1, 10, 100), "decay c of features and weights", log=True)
FRAMES = {
    "map": Frame("map", DECAY, BIAS),
    "bars": Frame("bars", Axis(0, 1, (), ""), Axis(0, 1, (0, 0.5, 1), "in units of M")),
    # As much wider than high as the window is, so that squares are square.
    "gram": Frame("gram", Axis(-0.301, 1.301, (), ""), Axis(0, 1, (), "")),
}
REGIMES = {
    "zero": "Nothing is learned: weights and features are zero, and the bias alone answers.",
    "simplex": "Simplex ETF: the class means sum to zero.",
    "between": "Between simplex and orthogonal frame: the class means no longer sum to zero.",
}
INKS = {
    "simplex": COLORS["nc23"],
    "shared": COLORS["perp"],
    "equal": COLORS["means"],
    "negative": COLORS["classifier"],
}
STEPS = 48  # of the edges
TITLE = "The minimizers of the squared loss to play with"


def landscape() -> Explorer:
    """Sliders for c, lambda_b, K, alpha and M: the minimizer's regime, spectrum and Gram matrix.

    Source: Zhou et al. 2022, Theorem 3.1, for alpha = M = 1; the rest is our derivation.
    Chapter: landscape.
    """
    return explorer("landscape", TITLE, FRAMES.values(), INKS, picture(defaults("landscape")))


def picture(setting: Mapping[str, float | bool | str]) -> Picture:
    """Paths and words for a setting of the controls."""
    K = int(setting["classes"])
    c, bias = (10 ** float(setting[key]) for key in ("decay", "bias"))
    alpha, M = (float(setting[key]) for key in ("alpha", "target"))
    found = best(K, c, bias, alpha, M)
    edges = {
        "vanishing": lambda decay: vanishing(K, decay, alpha, M),
        "sharing": lambda decay: sharing(decay, alpha, M),
    }
    words = {"classes": str(K), "decay": numeral(c), "bias": numeral(bias)}
    words |= {"alpha": numeral(alpha), "target": numeral(M)}
    words |= {key: numeral(getattr(found, key)) for key in ("x", "y", "beta")}
    words |= {key: numeral(edge(bias)) for key, edge in edges.items()}
    lines = _map(c, bias, *edges.values()) | _bars(found) | _gram(found)
    return Picture(lines, words | {"sentence": _sentence(found)})


def best(K: int, c: float, bias: float, alpha: float, M: float) -> Minimizer:
    """The minimizer for these decays; how c is split between weights and features is no matter."""
    found = minimizer(K, 1, c / K, c / K, bias, alpha, M)
    if 0 < found.x <= 1e-12 * M:  # on the very edge, but for rounding
        return best(K, c * (1 + 1e-9), bias, alpha, M)
    return found


def vanishing(K: int, bias: float, alpha: float, M: float) -> float:
    """The c from which on nothing is learned, for a decay of the bias.

    alpha M K (1 + lambda_b) / (K (1 + lambda_b) + alpha - 1). Our derivation.

    >>> vanishing(4, 0.5, 1.0, 3.0)
    3.0
    """
    return alpha * M * K * (1 + bias) / (K * (1 + bias) + alpha - 1)


def sharing(bias: float, alpha: float, M: float) -> float:
    """The c below which the class means have a common component: M / (1/alpha + 1/lambda_b).

    Source: Zhou et al. 2022, Theorem 3.1, for alpha = M = 1; otherwise our derivation.

    >>> sharing(1.0, 1.0, 1.0)
    0.5
    """
    return alpha * M * bias / (alpha + bias)


def _map(
    c: float, bias: float, upper: Callable[[float], float], lower: Callable[[float], float]
) -> dict[str, str]:
    """The regimes over the two decays, and where we are."""
    frame = FRAMES["map"]
    steps = [BIAS.low * (BIAS.high / BIAS.low) ** (k / STEPS) for k in range(STEPS + 1)]
    right = [(upper(decay), decay) for decay in steps]
    left = [(lower(decay), decay) for decay in steps]
    corners = [(DECAY.low, BIAS.high), (DECAY.low, BIAS.low)]
    return {
        "simplex": f"{frame.line([*right, *reversed(left)])}Z",
        "shared": f"{frame.line([*left, *corners])}Z",
        "across": frame.line([(DECAY.low, bias), (DECAY.high, bias)]),
        "upright": frame.line([(c, BIAS.low), (c, BIAS.high)]),
        "point": frame.dot(c, bias),
    }


def _bars(found: Minimizer) -> dict[str, str]:
    """The spectrum of the scores and the bias, in units of the target."""
    K, M = found.problem.K, found.problem.M
    equal = (_bar(k, K + 1, found.x / M) for k in range(1, K))
    common, beta = _bar(0, K + 1, found.y / M), _bar(K, K + 1, found.beta / M)
    return {"common": common, "equal": "".join(equal), "beta": beta}


def _bar(k: int, count: int, height: float) -> str:
    """An upright box in one of several slots side by side."""
    left, right = (k + 0.1) / count, (k + 0.9) / count
    corners = [(left, 0), (left, height), (right, height), (right, 0)]
    return f"{FRAMES['bars'].line(corners)}Z"


def _gram(found: Minimizer) -> dict[str, str]:
    """Inner products of the class means, as squares of that area in units of the target.

    Those of two classes are never positive, since y is never larger than x.
    """
    K, M = found.problem.K, found.problem.M
    own, other = found.gram_H[0, :2].tolist()
    pairs = [(i, j) for i in range(K) for j in range(K)]
    return {
        "own": "".join(_square(K, i, i, own / M) for i in range(K) if own),
        "negative": "".join(_square(K, i, j, other / M) for i, j in pairs if i != j and other),
    }


def _square(K: int, row: int, column: int, entry: float) -> str:
    half = abs(entry) ** 0.5 / 2
    x, y = column + 0.5, K - row - 0.5
    signs = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    corners = [((x + a * half) / K, (y + b * half) / K) for a, b in signs]
    return f"{FRAMES['gram'].line(corners)}Z"


def _sentence(found: Minimizer) -> str:
    K, (own, other) = found.problem.K, found.gram_H[0, :2].tolist()
    cosine = f"cosine of two class means {numeral(other / own)}" if own else "no angle to speak of"
    return (
        f"{REGIMES[found.regime]} Here: {cosine}; "
        f"a simplex has {numeral(-1 / (K - 1))}, an orthogonal frame 0."
    )
