"""Which layer counts in Lightning's loop, where the step or the module does more than a head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

pytest.importorskip("lightning", reason="Lightning is not installed: extra [metrics]")

from nclib.adapters import LightningCollapse  # noqa: E402

from .test_lightning import (  # noqa: E402
    C,
    D,
    Net,
    agrees,
    dataset,
    expected,
    loader,
    pytestmark,  # noqa: F401
    trainer,
)


class Aside(Net):
    """A linear layer of as many outputs runs after the head; the step writes into the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.aside = nn.Linear(D, C)

    def forward(self, x: Any) -> torch.Tensor:
        features = self.trunk(x)
        scores = self.fc(features)
        self.aside(features)
        return scores

    def predict_step(self, batch: Any, index: int) -> None:
        self(batch[0])[:, 0] = -torch.inf


class Parted(Net):
    """A module whose output is features; the step calls the head."""

    def forward(self, x: Any) -> torch.Tensor:
        return self.trunk(x)

    def predict_step(self, batch: Any, index: int) -> None:
        self.fc(self(batch[0]))


class Unclear(Parted):
    """A module whose output is that of a linear layer, and a step that goes on with it."""

    def forward(self, x: Any) -> torch.Tensor:
        return self.trunk[0](x)

    def predict_step(self, batch: Any, index: int) -> None:
        self.fc(self.trunk[1:](self(batch[0])))


@pytest.mark.parametrize("kind, layer", [(Aside, None), (Parted, None), (Unclear, "fc")])
def test_the_layer_that_counts(tmp_path, kind, layer):
    """It is the one that makes the output, whatever runs later or is done in place, in each loader;
    where the step goes on from the module's output, the last one, or the one that is named."""
    collapse, module = LightningCollapse(layer), kind()
    run = trainer(tmp_path, collapse)
    run.validate(module, [loader(), loader(2)], verbose=False)
    assert collapse.report is not None and collapse.report.layer == "fc"
    for row, seed in zip(collapse.history, (0, 2), strict=True):
        agrees(row, expected(module, dataset(seed)))
    if layer is not None:
        with pytest.raises(ValueError, match="'trunk.0' .* 'fc' .* layer="):
            trainer(tmp_path, LightningCollapse()).validate(module, loader(), verbose=False)
