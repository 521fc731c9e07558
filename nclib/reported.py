"""What the two papers report, as data: numbers that are printed, and readings of their figures.

Nothing here was measured by us. Percentages are on test images. Families are "VGG", "ResNet" and
"DenseNet", losses "mse" (Han, Papyan & Donoho 2022) and "ce" (Papyan, Han & Donoho 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ACCURACY_GAIN",
    "DATASETS",
    "FAMILIES",
    "NC1_DECADES",
    "NC1_READ",
    "REPORTED",
    "ROBUSTNESS_GAIN",
    "ROBUSTNESS_READ",
    "SOURCES",
    "STATEMENTS",
    "TERMINAL_ACCURACY",
    "Reported",
    "Statement",
]

FAMILIES = ("VGG", "ResNet", "DenseNet")
"""The families of the papers' networks, in the order of their tables."""

DATASETS = ("mnist", "fashionmnist", "svhn", "cifar10", "stl10")
"""The data sets that both papers train on, in the order of their tables."""

SOURCES = {
    "mse": "Han, Papyan & Donoho 2022, Table 1 and Appendix A.2",
    "ce": "Papyan, Han & Donoho 2020, Table 1 and its section on networks",
}
"""Where the entries of REPORTED are printed, by loss."""

TERMINAL_ACCURACY = 0.999
"""Training accuracy from which on the papers speak of zero error (0.996 on ImageNet).

Source: Papyan, Han & Donoho 2020, who say that label noise is the reason.
"""


@dataclass(frozen=True)
class Reported:
    """Test accuracy in percent at zero training error and at the last epoch, as printed.

    Chapter: reproduction.

    >>> REPORTED["mnist", "ResNet", "mse"].at_end
    99.7
    """

    dataset: str
    family: str
    loss: str
    network: str
    at_zero_error: float
    at_end: float

    @property
    def gain(self) -> float:
        """Percentage points gained after zero error; where negative, lost.

        >>> round(REPORTED["svhn", "DenseNet", "mse"].gain, 2)
        -0.38
        """
        return self.at_end - self.at_zero_error


# (network, at zero error, at the end) of VGG, ResNet, DenseNet.
_TABLES = {
    ("mnist", "mse"): (
        ("vgg11", 99.23, 99.59), ("resnet18", 99.16, 99.70), ("densenet40", 99.62, 99.70)),
    ("fashionmnist", "mse"): (
        ("vgg11", 92.76, 92.95), ("resnet18", 93.55, 93.76), ("densenet250", 90.56, 92.95)),
    ("svhn", "mse"): (
        ("vgg13", 89.35, 93.91), ("resnet34", 85.18, 92.65), ("densenet40", 95.61, 95.23)),
    ("cifar10", "mse"): (
        ("vgg11", 83.13, 84.54), ("resnet50", 75.43, 76.39), ("densenet100", 91.77, 91.78)),
    ("stl10", "mse"): (
        ("vgg11", 60.43, 67.24), ("resnet18", 59.35, 60.56), ("densenet201", 58.74, 60.41)),
    ("mnist", "ce"): (
        ("vgg11", 99.40, 99.56), ("resnet18", 99.32, 99.71), ("densenet40", 99.65, 99.70)),
    ("fashionmnist", "ce"): (
        ("vgg11", 92.92, 93.31), ("resnet18", 93.29, 93.64), ("densenet250", 94.18, 94.35)),
    ("svhn", "ce"): (
        ("vgg11", 93.82, 94.53), ("resnet18", 94.64, 95.70), ("densenet40", 95.87, 95.93)),
    ("cifar10", "ce"): (
        ("vgg13", 87.85, 88.65), ("resnet18", 88.72, 89.44), ("densenet40", 91.14, 91.19)),
    ("stl10", "ce"): (
        ("vgg13", 65.15, 68.00), ("resnet50", 69.99, 70.24), ("densenet250", 67.79, 70.81)),
    ("cifar100", "ce"): (
        ("vgg13", 63.03, 63.85), ("resnet50", 66.19, 66.21), ("densenet250", 77.19, 76.56)),
    ("imagenet", "ce"): (
        ("vgg19", 47.26, 50.12), ("resnet152", 65.41, 64.45), ("densenet201", 65.04, 62.38)),
}  # fmt: skip
REPORTED: dict[tuple[str, str, str], Reported] = {
    (dataset, family, loss): Reported(dataset, family, loss, *printed)
    for (dataset, loss), table in _TABLES.items()
    for family, printed in zip(FAMILIES, table, strict=True)
}
"""Table 1 of each paper by (data set, family, loss).

CIFAR100 and ImageNet are there for cross-entropy only, so that its printed summaries can be had.

Source: see SOURCES.   Chapter: reproduction.
"""

ACCURACY_GAIN = {"mse": (0.962, 1.833), "ce": (0.3495, 0.4984)}
"""Printed (median, mean) of the gain in test accuracy, percentage points, over all cells."""

ROBUSTNESS_GAIN = {"mse": (0.1762, 0.9278), "ce": (0.0252, 0.2452)}
"""Printed (median, mean) of the gain in robustness from zero error to the last epoch.

Source: Han, Papyan & Donoho 2022, Fig. 9, and Papyan, Han & Donoho 2020, Fig. 8.
"""


def _by_cell(rows: dict[str, tuple[float, float, float]]) -> dict[tuple[str, str], float]:
    return {(d, f): x for d, row in rows.items() for f, x in zip(FAMILIES, row, strict=True)}


NC1_DECADES = 0.15
"""How far a value of NC1_READ may be off, in decades: a factor of 1.4 either way."""

NC1_READ: dict[tuple[str, str], float] = _by_cell({
    "mnist": (9e-5, 1e-3, 2e-3),
    "fashionmnist": (7e-5, 3e-3, 2.5e-3),
    "svhn": (1e-4, 1e-3, 9e-3),
    "cifar10": (4e-5, 2e-3, 5e-3),
    "stl10": (7e-3, 9e-2, 5e-2),
    "cifar100": (8e-3, 3e-2, 5e-2),
    "imagenet": (2.0, 0.8, 8.0),
})  # fmt: skip
"""tr(Sigma_W Sigma_B^+)/C under cross-entropy at the last epoch, by (data set, family).

Read from the pixels of a figure. There are no such readings for the squared error: only the text
of that paper was at hand, not its curves.

Source: Papyan, Han & Donoho 2020, Fig. 6.   Chapters: reproduction, mse-vs-ce.
"""

ROBUSTNESS_READ: dict[tuple[str, str], float] = _by_cell({
    "mnist": (3.05, 1.08, 0.41),
    "fashionmnist": (0.47, 0.066, 0.041),
    "svhn": (0.46, 0.107, 0.056),
    "cifar10": (0.33, 0.034, 0.066),
    "stl10": (0.006, 0.004, 0.030),
})  # fmt: skip
"""Ave ||r|| / ||x|| under cross-entropy at the last epoch, read by eye, by (data set, family).

Source: Papyan, Han & Donoho 2020, Fig. 8.   Chapter: mse-vs-ce.
"""


@dataclass(frozen=True)
class Statement:
    """What a paper says in words about its figures, in our words, to be held against a run.

    ``exceptions`` are cells (data set, family) that the paper itself takes out.
    Chapter: reproduction.
    """

    figure: str
    says: str
    exceptions: tuple[tuple[str, str], ...] = ()


_OUTLIERS = (("stl10", "ResNet"), ("stl10", "DenseNet"))  # Appendix A.7
STATEMENTS: dict[str, Statement] = {
    name: Statement(figure, says, _OUTLIERS)
    for name, figure, says in (
        ("perp", "Fig. 2", "the deviation becomes negligible beside L_NC1 from an early epoch on "
         "and stays so after zero error"),
        ("nc1", "Fig. 2", "L_NC1 is the dominant term"),
        ("nc23", "Fig. 2", "L_NC2/3 falls fastest of all terms"),
        ("norms", "Fig. 3", "the norms of class means, and of classifier rows, become equal"),
        ("angles", "Fig. 4", "the angles between class means, and between rows, become equal"),
        ("simplex", "Fig. 5", "these angles approach the widest possible ones"),
        ("duality", "Fig. 6", "class means and classifier approach self-duality"),
        ("variability", "Fig. 7", "the features undergo variability collapse"),
        ("nearest", "Fig. 8", "decisions converge to those of the nearest class mean"),
        ("robustness", "Fig. 9", "networks become more robust when trained beyond zero error"),
        ("faster", "Fig. 10", "activations tend to collapse faster under the squared error than "
         "under cross-entropy"),
        ("sturdier", "Fig. 11", "robustness tends to be better under the squared error"),
        ("test", "Fig. 12", "on test data activations still collapse visibly, much more slowly, "
         "and end higher than on training data"),
        ("difficulty", "Fig. 12", "the last value on test data grows about with the difficulty "
         "of the data set"),
    )
}  # fmt: skip
"""What Han et al. say about their Figures 2 to 12, by a word for each.

Source: Han, Papyan & Donoho 2022, captions; exceptions from Appendix A.7.   Chapter: reproduction.
"""
