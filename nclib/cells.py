"""Cells of the experiment grid: what varies has a field, all else follows from the tables here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .data import NAMES, NUM_CLASSES
from .head import ridge_from_weight_decay
from .models import NETWORKS
from .training import LOSSES, Recipe

__all__ = [
    "CELLS",
    "LR_GRID",
    "PAPER_EPOCHS",
    "RECIPES",
    "Cell",
    "measured_epochs",
    "recipe_of",
    "ridges_of",
]

# 25 learning rates between 1e-4 and 0.25 (Papyan, Han & Donoho 2020).
LR_GRID = tuple(1e-4 * 2500 ** (k / 24) for k in range(25))

# The embedded digits are 1,400 images: small batches and four times the paper's weight decay
# bring them to collapse within seconds. Everything else is the paper's recipe.
_DIGITS = Recipe("mse", epochs=100, batch_size=32, learning_rate=LR_GRID[23], weight_decay=2e-3)
_PAPER = Recipe("mse", epochs=350, batch_size=128, learning_rate=LR_GRID[16], weight_decay=5e-4)
RECIPES: dict[tuple[str, str], Recipe] = {
    ("digits", "convnet"): _DIGITS,
    ("synthetic", "convnet"): replace(_DIGITS, epochs=6),
    ("mnist", "convnet"): _PAPER,
    ("fashionmnist", "convnet"): _PAPER,
}


@dataclass(frozen=True)
class Cell:
    """One training: (dataset, network, loss, seed). Its name is its address, digits-convnet-mse.

    Source: Han, Papyan & Donoho 2022, Appendix A.   Chapter: decomposition-measured.

    >>> Cell("digits", "convnet", "mse").name, Cell.parse("digits-convnet-ce-s2").seed
    ('digits-convnet-mse', 2)
    """

    dataset: str
    network: str
    loss: str
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("dataset", NAMES), ("network", NETWORKS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: expected one of {sorted(known)}, got {getattr(self, name)!r}"
                )
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number >= 0, got {self.seed}")

    @property
    def name(self) -> str:
        """dataset-network-loss, with -s<seed> for seeds other than 0."""
        return f"{self.dataset}-{self.network}-{self.loss}" + (
            f"-s{self.seed}" if self.seed else ""
        )

    @classmethod
    def parse(cls, name: str) -> Cell:
        """The cell of a name."""
        dataset, *rest = name.split("-")
        if len(rest) == 2:
            return cls(dataset, rest[0], rest[1])
        if len(rest) == 3 and rest[2][:1] == "s" and rest[2][1:].isdecimal():
            return cls(dataset, rest[0], rest[1], int(rest[2][1:]))
        raise ValueError(f"cell: expected dataset-network-loss or ...-s<seed>, got {name!r}")


CELLS = tuple(Cell(dataset, network, loss) for dataset, network in RECIPES for loss in LOSSES)


def recipe_of(cell: Cell) -> Recipe:
    """The recipe that a cell stands for, from the table."""
    key = (cell.dataset, cell.network)
    if key not in RECIPES:
        raise ValueError(f"cell: expected one of {sorted(RECIPES)}, got {key}")
    return replace(RECIPES[key], loss=cell.loss)


# Of 350 epochs the paper measures these (notebook); other lengths get the same log spacing.
PAPER_EPOCHS = (
    *range(1, 15), 16, 17, 19, 20, 22, 24, 27, 29, 32, 35, 38, 42, 45, 50, 54, 59, 65, 71, 77, 85,
    92, 101, 110, 121, 132, 144, 158, 172, 188, 206, 225, 245, 268, 293, 320, 350,
)  # fmt: skip


def measured_epochs(epochs: int) -> tuple[int, ...]:
    """The epochs that are measured, evenly spaced on a log axis; the paper's 50 where it has 350.

    Source: Han, Papyan & Donoho 2022, notebook.   Chapter: decomposition-measured.
    """
    if epochs == 350:
        return PAPER_EPOCHS
    return tuple(sorted({round(epochs ** (k / 49)) for k in range(50)}))


def ridges_of(cell: Cell) -> dict[str, dict[str, Any]]:
    """Both readings of a cell's weight decay; a cross-entropy cell has no MSE ridge and gets none.

    "consistent" is the ridge of the loss that is trained, "notebook" the authors' value, ten
    times smaller for ten classes.   Chapter: decomposition-measured.
    """
    if cell.loss != "mse":
        return {}
    decay = recipe_of(cell).weight_decay
    return {
        "consistent": {
            "value": ridge_from_weight_decay(decay, NUM_CLASSES, "mean"),
            "origin": "C wd / 2: the ridge of the mean-reduced loss that is trained",
        },
        "notebook": {
            "value": ridge_from_weight_decay(decay, NUM_CLASSES, "sum"),
            "origin": "wd / 2: the value in the authors' notebook",
        },
    }
