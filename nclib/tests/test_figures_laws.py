"""Pictures of laws and runs show the numbers they are given."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pytest
import torch

from nclib.figures import laws as pictures
from nclib.prediction import Judgement, Spectrum, judge, verdict
from nclib.theory.laws import FREE

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("closed")  # no figure stays open, no setting changed
EPOCHS = (1, 2, 3, 5, 8, 13, 20, 30, 40, 55, 70, 85, 100)
ANCHOR = torch.tensor([5.0, 4.0, 2.5, 1.5], dtype=torch.float64)


def run() -> Spectrum:
    omega = FREE["additive"].predict(ANCHOR, 5 * torch.tensor(EPOCHS).double().sqrt(), 5)
    return Spectrum("digits-convnet-mse", EPOCHS, omega, (1.0,) * 13, (0.1,) * 13)


def test_paths_show_every_value_and_every_law() -> None:
    """Four panels; every measured value once in each; lines start at the anchor."""
    spectrum = run()
    figure = pictures.plot_paths(spectrum, judge(spectrum))
    assert len(figure.axes) == 4
    for ax, law in zip(figure.axes, FREE, strict=True):
        assert ax.get_title(loc="left").startswith(law)
        lines, dots = ax.lines[:3], ax.lines[3:]
        shown = np.concatenate([np.asarray(dot.get_ydata()) for dot in dots])
        assert sorted(shown) == sorted(spectrum.omega[:, 1:].flatten().tolist())
        at = spectrum.omega[EPOCHS.index(5)]
        for line, start in zip(lines, at[1:].tolist(), strict=True):
            first = np.stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())])[:, 0]
            assert first == pytest.approx([float(at[0]), start])


def made(name: str, winner: str) -> Judgement:
    names = [*FREE, "two-speed", "power"]
    return Judgement(name, errors={n: 0.1 if n == winner else 0.3 for n in names})


RUNS = [made("digits-a", "additive"), made("digits-b", "plain"), made("mnist-a", "additive"),
        made("mnist-a-s1", "whitened"), Judgement("mnist-c", reason="singular")]  # fmt: skip


def test_errors_show_every_judged_run() -> None:
    """A dot for each law and run, a bold mark at each median, a key for each data set."""
    ax = pictures.plot_errors(RUNS)
    named = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    assert [line.get_label() for line in named] == ["digits", "mnist"]
    assert [len(np.asarray(line.get_xdata())) for line in named] == [12, 12]
    bold = [line for line in ax.lines if line.get_linewidth() == 2.5]
    assert len(bold) == 6 and list(np.asarray(bold[3].get_xdata())) == [pytest.approx(0.2)] * 2


def test_wins_add_up() -> None:
    """Bars of a group fill one; what is needed is marked where it can be."""
    many = [made(f"digits-n{k}", "additive" if k < 7 else "plain") for k in range(10)]
    groups = {"some": RUNS, "many": many}
    verdicts = {name: verdict(group) for name, group in groups.items()}
    ax = pictures.plot_wins(groups, verdicts)
    bars: Any = ax.patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(2)
    assert sorted(text.get_text() for text in ax.texts) == ["1", "1", "1", "3", "7"]
    (mark,) = (line for line in ax.lines if line.get_linewidth() == 3)
    assert list(np.asarray(mark.get_xdata())) == [0.9, 0.9]


def test_kernels_draw_every_curve() -> None:
    """A panel each, a look for each network, named once."""
    curves = {"digits-convnet-mse": ([1, 2], [0.1, 0.2]), "digits-convnet-mse-s1": ([1], [0.3]),
              "digits-plainnet-mse": ([1], [0.4])}  # fmt: skip
    figure = pictures.plot_kernels({"p": curves, "speed": curves}, {"p": [0.0, 1.0]})
    first, second = figure.axes
    assert len(first.lines) == 5 and len(second.lines) == 3
    keys, _ = first.get_legend_handles_labels()
    assert len(keys) == 2
