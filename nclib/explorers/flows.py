"""The flow explorer: SNR values along four flows, over twelve decades of time."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..palette import COLORS, look
from ..theory.central_path import CentralPath
from ..theory.two_speeds import RenormalizedPath, TwoSpeedPath
from .frame import Axis, Frame, numeral
from .page import Explorer, Picture, defaults, explorer

__all__ = ["FLOWS", "FRAMES", "flow", "flow_of", "picture", "spectrum"]

TIME = Axis(1, 1e12, (1, 1e3, 1e6, 1e9, 1e12), "time t", log=True)
VALUES = Axis(1e-3, 1e5, (1e-3, 0.1, 10, 1e3, 1e5), "SNR values ω", log=True)
SPREAD = Axis(0.8, 1e3, (1, 10, 100, 1e3), "largest ω / smallest ω", log=True)
FRAMES = {"spectrum": Frame("spectrum", TIME, VALUES), "spread": Frame("spread", TIME, SPREAD)}
TIMES = 10 ** (torch.arange(97, dtype=torch.float64) / 8)
LARGEST = 300 * math.log(10)  # the logarithm of the largest number that is written out
FLOWS = {
    "projected": "under the projected flow",
    "whitened": "if whitened after each step",
    "plain": "under plain gradient flow",
    "two_speeds": "at two speeds",
}
INKS = {
    "projected": COLORS["means"],
    "whitened": COLORS["classifier"],
    "plain": look("plain", 1)["color"],
    "two-speeds": COLORS["perp"],
}
TITLE = "The flow of the SNR values to play with"

Path = CentralPath | RenormalizedPath | TwoSpeedPath


def flow() -> Explorer:
    """Sliders for C, N and the starting spectrum: how four flows spread or equalize SNR values.

    Source: Han, Papyan & Donoho 2022, Proposition 2, for the projected flow; the other three are
    our derivation.   Chapter: flow.
    """
    return explorer("flow", TITLE, FRAMES.values(), INKS, picture(defaults("flow")))


def picture(setting: Mapping[str, float | bool | str]) -> Picture:
    """Paths and words for a setting of the controls."""
    C, N = int(setting["classes"]), round(10 ** float(setting["samples"]))
    powers = (10 ** float(setting[key]) for key in ("largest", "ratio", "speeds", "time"))
    largest, ratio, r, now = powers
    start = spectrum(C, largest, ratio)
    words = {"classes": str(C), "samples": str(N), "largest": numeral(largest)}
    words |= {"ratio": numeral(ratio), "speeds": numeral(r), "time": numeral(now)}
    lines = {"time": _upright("spectrum", now), "time_spread": _upright("spread", now)}
    spreads = []
    for name, phrase in FLOWS.items():
        if not setting[name]:
            lines |= {name: "", f"{name}_spread": ""}
            words |= {f"{name}_{column}": "" for column in ("largest", "ratio", "exponent")}
            continue
        path = flow_of(name, C, N, start, r, white=setting["start"] == "white")
        lines |= dict(zip((name, f"{name}_spread"), _lines(path), strict=True))
        words |= {f"{name}_{column}": text for column, text in _readings(path, now).items()}
        spreads.append(f"{words[f'{name}_ratio']} {phrase}")
    told = "; ".join(spreads) or "no flow is chosen"
    words["sentence"] = f"Largest over smallest at t = {words['time']}: {told}."
    return Picture(lines, words)


def spectrum(num_classes: int, largest: float, ratio: float) -> Tensor:
    """C - 1 values from the largest down, evenly spaced on a logarithmic scale.

    >>> spectrum(4, 8.0, 4.0).tolist()
    [8.0, 4.0, 2.0]
    """
    steps = torch.arange(num_classes - 1, dtype=torch.float64) / max(num_classes - 2, 1)
    return largest * ratio**-steps


def flow_of(name: str, C: int, N: int, start: Tensor, ratio: float, white: bool) -> Path:
    """The closed form of one of ``FLOWS``.

    ``white`` starts the plain and the two-speed flow from Sigma_W = I, where each direction has a
    budget of its own, and otherwise from Sigma_W + r Sigma_B = I, where all have the same.
    """
    if name == "projected":
        return CentralPath(C, N, start)
    if name == "whitened":
        return RenormalizedPath(C, N, start, 1.0)
    r = 1.0 if name == "plain" else ratio
    budgets = 1 + white * r * start.square() / C
    return TwoSpeedPath(C, N, start, r, budgets)


def logarithms(path: Path, times: Tensor) -> Tensor:
    """log(omega), (T, C-1): omega itself soon is too large for a number under plain flow."""
    return path.at(times).log() if isinstance(path, CentralPath) else path.log_at(times)


def exponents(path: Path, row: Tensor, t: float) -> Tensor:
    """d log(omega) / d log(t), (C-1,), given log(omega) at time t."""
    omega = row.clamp(max=LARGEST / 2).exp()  # beyond, the relative speed is the same
    return t * path.rate(omega) / omega


def _lines(path: Path) -> tuple[str, str]:
    """The lines of one flow: each value, and the largest over the smallest."""
    rows = logarithms(path, TIMES)
    spread = rows.amax(1) - rows.amin(1)
    values = [FRAMES["spectrum"].line(_points(column)) for column in rows.T]
    return "".join(values), FRAMES["spread"].line(_points(spread))


def _points(logarithms: Tensor) -> list[tuple[float, float]]:
    """(t, value), where no value passes the largest number."""
    return list(zip(TIMES.tolist(), logarithms.clamp(max=LARGEST).exp().tolist(), strict=True))


def _readings(path: Path, now: float) -> dict[str, str]:
    """What the table says of one flow; the exponent is that of its largest value."""
    row = logarithms(path, torch.tensor([now], dtype=torch.float64))[0]
    top = int(row.argmax())
    largest, ratio = _written(float(row[top])), _written(float(row[top] - row.amin()))
    exponent = numeral(float(exponents(path, row, now)[top]))
    return {"largest": largest, "ratio": ratio, "exponent": exponent}


def _written(logarithm: float) -> str:
    return numeral(math.exp(logarithm)) if logarithm < LARGEST else "> 10³⁰⁰"


def _upright(name: str, t: float) -> str:
    """A line from the bottom to the top of a picture."""
    frame = FRAMES[name]
    return frame.line([(t, frame.y.low), (t, frame.y.high)])
