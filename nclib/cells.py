"""Cells of the experiment grid: what varies has a field, all else follows from tables."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from .data import NAMES, NUM_CLASSES
from .head import ridge_from_weight_decay
from .models import NETWORKS
from .recipes import DEPTHS, LR_GRID, RECIPES, recipe_for
from .training import LOSSES, Recipe

__all__ = [
    "CELLS",
    "GRIDS",
    "LR_GRID",
    "PAPER_EPOCHS",
    "RECIPES",
    "Cell",
    "grid_of",
    "measured_epochs",
    "rates_grid",
    "recipe_of",
    "ridges_of",
]

# Letter of each field that a cell's name shows where it is not the default, in this order.
_LETTERS = {
    "rate": "k", "epochs": "e", "images": "n", "held": "h", "decay": "w", "drop": "d",
    "every": "m", "seed": "s",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One training: (dataset, network, loss, seed). Its name is its address, digits-convnet-mse.

    Whatever departs from the recipe has a field too, and a letter in the name, so that two
    different trainings never share a file. None means: as the recipe has it. ``rate`` (k) is an
    index of LR_GRID; ``epochs`` (e); ``images`` (n) balanced training images and at most as many
    test images; ``held`` (h) images per class that are kept out of training and measured as a
    split of their own; ``decay`` (w) the weight decay; ``drop`` (d) the factor of the rate's two
    drops, 1 for a constant rate; ``every`` (m) measures each m-th epoch and the last one.

    Source: Han, Papyan & Donoho 2022, Appendix A.   Chapter: protocol.

    >>> Cell("digits", "convnet", "mse").name, Cell.parse("digits-convnet-ce-s2").seed
    ('digits-convnet-mse', 2)
    >>> Cell("mnist", "resnet18", "mse", epochs=1, images=2000).name
    'mnist-resnet18-mse-e1-n2000'
    """

    dataset: str
    network: str
    loss: str
    seed: int = 0
    rate: int | None = None
    epochs: int | None = None
    images: int | None = None
    held: int | None = None
    decay: float | None = None
    drop: float | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        for name, known in (("dataset", NAMES), ("network", NETWORKS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}: expected one of {sorted(known)}, got {getattr(self, name)!r}"
                )
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number >= 0, got {self.seed}")
        if self.rate is not None and not 0 <= self.rate < len(LR_GRID):
            raise ValueError(f"rate: expected an index 0 to {len(LR_GRID) - 1}, got {self.rate}")
        for name in ("epochs", "images", "held", "every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1, got {value}")
        for name in ("decay", "drop"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name}: expected a number from 0 to 1, got {value}")
        if self.images is not None and self.images % NUM_CLASSES:
            raise ValueError(
                f"images: expected a multiple of {NUM_CLASSES}, as many of each class, "
                f"got {self.images}"
            )

    @property
    def name(self) -> str:
        """dataset-network-loss, and the letter and value of each field that is not the default."""
        changed = [
            f"-{letter}{str(value).removesuffix('.0')}"
            for name, letter in _LETTERS.items()
            if (value := getattr(self, name)) is not None and not (name == "seed" and not value)
        ]
        return f"{self.dataset}-{self.network}-{self.loss}" + "".join(changed)

    @classmethod
    def parse(cls, name: str) -> Cell:
        """The cell of a name."""
        found = re.fullmatch(r"(\w+)-(\w+)-(\w+)((?:-[a-z][\d.]+(?:e-\d+)?)*)", name)
        if found is None:
            raise ValueError(
                f"cell: expected dataset-network-loss, then letters with numbers such as -s1, "
                f"got {name!r}"
            )
        dataset, network, loss, rest = found.groups()
        fields = {letter: field for field, letter in _LETTERS.items()}
        changed: dict[str, Any] = {}
        for letter, number in re.findall(r"-([a-z])([\d.]+(?:e-\d+)?)", rest):
            if letter not in fields or fields[letter] in changed:
                raise ValueError(
                    f"cell: expected the letters {', '.join(fields)}, each once, got {name!r}"
                )
            kind = float if letter in "wd" else int
            try:
                changed[fields[letter]] = kind(number)
            except ValueError:
                raise ValueError(f"cell: expected a number after -{letter}, got {name!r}") from None
        cell = cls(dataset, network, loss, **changed)
        if cell.name != name:  # another order or spelling would be a second address of one cell
            raise ValueError(f"cell: expected this cell's name {cell.name!r}, got {name!r}")
        return cell

    def to_record(self) -> dict[str, Any]:
        """The fields as a record keeps them: those that are not the default, and the first four."""
        always = {"dataset", "network", "loss", "seed"}
        return {k: v for k, v in asdict(self).items() if k in always or v is not None}


def recipe_of(cell: Cell) -> Recipe:
    """The recipe that a cell stands for: the table's, with what the cell changes.

    Chapter: protocol.
    """
    changed: dict[str, Any] = {
        "epochs": cell.epochs,
        "learning_rate": None if cell.rate is None else LR_GRID[cell.rate],
        "weight_decay": cell.decay,
        "drop": cell.drop,
    }
    recipe = recipe_for(cell.dataset, cell.network, cell.loss)
    return replace(recipe, **{name: value for name, value in changed.items() if value is not None})


# Of 350 epochs the paper measures these (notebook); other lengths get the same log spacing.
PAPER_EPOCHS = (
    *range(1, 15), 16, 17, 19, 20, 22, 24, 27, 29, 32, 35, 38, 42, 45, 50, 54, 59, 65, 71, 77, 85,
    92, 101, 110, 121, 132, 144, 158, 172, 188, 206, 225, 245, 268, 293, 320, 350,
)  # fmt: skip


def measured_epochs(epochs: int, every: int | None = None) -> tuple[int, ...]:
    """The epochs that are measured, evenly spaced on a log axis; the paper's 50 where it has 350.

    With ``every`` each m-th epoch and the last one.

    Source: Han, Papyan & Donoho 2022, notebook.   Chapter: decomposition-measured.
    """
    if every is not None:
        return tuple(sorted({*range(every, epochs + 1, every), epochs}))
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


def rates_grid(cell: Cell) -> tuple[Cell, ...]:
    """The 25 cells that differ from this one in the learning rate alone.

    Source: Papyan, Han & Donoho 2020, the sweep.   Chapter: protocol.
    """
    return tuple(replace(cell, rate=k) for k in range(len(LR_GRID)))


def _paper_grid(loss: str) -> tuple[Cell, ...]:
    return tuple(Cell(d, n, loss) for (d, l), depths in DEPTHS.items() if l == loss for n in depths)


_THIN = ("thinvgg", "thinresnet", "thindensenet")
GRIDS: dict[str, tuple[Cell, ...]] = {
    "mse-15": _paper_grid("mse"),
    "ce-15": _paper_grid("ce"),
    "smoke": tuple(
        Cell("synthetic", n, loss, epochs=2) for n in ("convnet", *_THIN) for loss in LOSSES
    ),
    "digits": tuple(Cell("digits", n, loss) for n in _THIN for loss in LOSSES),
    "thin": tuple(Cell("mnist", n, loss, images=2000) for n in _THIN for loss in LOSSES),
}
"""Grids by name: the papers' fifteen cells for each loss, and small ones for a CPU.

Source: Han, Papyan & Donoho 2022, Appendix A.   Chapter: protocol.
"""

_SMALL = tuple(Cell(dataset, network, loss) for dataset, network in RECIPES for loss in LOSSES)
CELLS: tuple[Cell, ...] = tuple(dict.fromkeys(sum(GRIDS.values(), _SMALL)))
"""Every cell that a table names: those of the grids, and those with a recipe of their own."""


def grid_of(name: str) -> tuple[Cell, ...]:
    """The cells of a grid: a name of GRIDS, or rates-<cell> for its 25 learning rates.

    >>> len(grid_of("mse-15")), grid_of("rates-mnist-resnet18-mse-e35")[16].name
    (15, 'mnist-resnet18-mse-k16-e35')
    """
    if name.startswith("rates-"):
        return rates_grid(Cell.parse(name.removeprefix("rates-")))
    if name not in GRIDS:
        raise ValueError(f"grid: expected one of {sorted(GRIDS)} or rates-<cell>, got {name!r}")
    return GRIDS[name]
