"""Small trainings on digits, in full batches, with any optimizer.

A miniature is small enough to be trained several times while one reads the page, and has no
luck of the draw beyond its seed: every step sees all images, and weight decay is part of the
objective, so that every optimizer minimizes the very same function.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .data import ImageSet
from .decisions import decide
from .head import Head
from .metrics import measure
from .models import split
from .simplex import simplex_etf
from .stats import ClassStats
from .training import DivergedError

__all__ = ["OPTIMIZERS", "Miniature", "Snapshot", "pairs", "rescaled_mse", "spaced_steps", "train"]

OPTIMIZERS = ("sgd", "adam", "lbfgs")
"""The optimizers that a miniature can be trained with."""

LOSSES = ("mse", "ce")
RATES = {"sgd": 0.05, "adam": 1e-2, "lbfgs": 1.0}
"""Learning rates that work for the digits; a miniature may have its own."""


@dataclass(frozen=True)
class Miniature:
    """What is trained and how: a multilayer perceptron with ``dimension`` features, full batches.

    ``hidden`` are the widths of its ReLU layers; the features are the linear layer after them, so
    they have both signs, as in the theory. ``loss`` is "mse", with ``alpha`` on the squared error
    of the true class and ``M`` as its target (1, 1 is the plain squared loss), or "ce".
    ``optimizer`` is "sgd" (momentum 0.9), "adam" or "lbfgs" (memory 10, strong Wolfe line
    search); ``weight_decay`` is the ridge on every parameter that is trained, in the loss
    1/2 Ave |Wh+b-y|^2. ``simplex_head`` fixes the classifier to a unit simplex ETF; the bias is
    trained.

    Source: Zhou et al. 2022, Figs. 3-6, in miniature.   Chapters: landscape, rescaled.
    """

    optimizer: str
    steps: int
    weight_decay: float
    loss: str = "mse"
    alpha: float = 1.0
    M: float = 1.0
    dimension: int = 32
    hidden: tuple[int, ...] = (48, 48)
    simplex_head: bool = False
    learning_rate: float = 0.0  # 0: the optimizer's own of RATES
    seed: int = 0

    def __post_init__(self) -> None:
        infinity = float("inf")
        for name, known in (("optimizer", OPTIMIZERS), ("loss", LOSSES)):
            _require(self, name, f"one of {known}", getattr(self, name) in known)
        for name in ("steps", "dimension"):
            _require(self, name, "at least 1", getattr(self, name) >= 1)
        _require(self, "hidden", "widths of at least 1", min(self.hidden, default=1) >= 1)
        for name in ("alpha", "M"):
            _require(self, name, "a finite number > 0", 0 < getattr(self, name) < infinity)
        for name in ("weight_decay", "learning_rate"):
            _require(self, name, "a finite number >= 0", 0 <= getattr(self, name) < infinity)
        if self.loss == "ce" and (self.alpha, self.M) != (1.0, 1.0):
            raise ValueError("alpha, M: expected 1 and 1 for cross-entropy, which has neither")


def _require(miniature: Miniature, name: str, expected: str, fits: bool) -> None:
    if not fits:
        raise ValueError(f"{name}: expected {expected}, got {getattr(miniature, name)!r}")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The last layer after ``step`` steps; ``evaluations`` counts gradients of the whole set.

    Chapters: landscape, rescaled.
    """

    step: int
    evaluations: int
    objective: float  # data term and weight decay, what the optimizer minimizes
    metrics: dict[str, float]
    accuracy: float
    test_accuracy: float  # NaN without a test set
    stats: ClassStats
    head: Head


def rescaled_mse(logits: Tensor, labels: Tensor, alpha: float, M: float) -> Tensor:
    """1/2 Ave [ alpha (z_y - M)^2 + sum over j != y of z_j^2 ], logits (N, C), labels (N,).

    Source: Zhou et al. 2022, Eq. (4).   Chapter: rescaled.

    >>> logits = torch.tensor([[2.0, 1.0]])
    >>> float(rescaled_mse(logits, torch.tensor([0]), alpha=5.0, M=3.0))
    3.0
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    squares = logits.square().sum(1) - own.square() + alpha * (own - M).square()
    return squares.mean() / 2


def pairs(images: ImageSet, per_class: int, seed: int) -> ImageSet:
    """C^2 classes out of C: two images side by side, class C a + b for a beside b.

    ``per_class`` pairs of each class, drawn with replacement. The digits become a hundred classes
    that no single pixel tells apart, for what the squared loss does with many classes.

    Chapter: rescaled.
    """
    if per_class < 1:
        raise ValueError(f"per_class: expected at least 1, got {per_class}")
    C, generator = images.num_classes, torch.Generator().manual_seed(seed)
    labels = torch.arange(C * C).repeat_interleave(per_class)
    halves = []
    for digit in (labels // C, labels % C):
        members = [(images.labels == c).nonzero().flatten() for c in range(C)]
        drawn = torch.rand(len(labels), generator=generator)
        count = torch.tensor([len(m) for m in members])[digit]
        place = (drawn * count).long()
        halves.append(torch.stack([members[c][k] for c, k in zip(digit, place, strict=True)]))
    side_by_side = torch.cat([images.images[half] for half in halves], dim=3)
    return replace(
        images,
        images=side_by_side,
        labels=labels,
        num_classes=C * C,
        name=f"{images.name} in pairs",
    )


def spaced_steps(steps: int, count: int = 12) -> tuple[int, ...]:
    """About so many steps from 1 to the last one, evenly spaced on a logarithmic axis.

    >>> spaced_steps(100, 5)
    (1, 3, 10, 32, 100)
    """
    return tuple(sorted({round(steps ** (k / (count - 1))) for k in range(count)}))


def train(
    miniature: Miniature,
    images: ImageSet,
    test: ImageSet | None = None,
    *,
    measured: Collection[int] | None = None,
    progress: bool = True,
) -> Iterator[Snapshot]:
    """Train from a fresh start and look at the last layer after the ``measured`` steps.

    Without ``measured``, a dozen steps on a logarithmic axis; step 0 is the network as it starts.
    The same miniature gives the same numbers on one machine. Raises DivergedError when the
    objective stops being finite. ``progress`` shows a bar.   Chapters: landscape, rescaled.
    """
    measured = set(spaced_steps(miniature.steps) if measured is None else measured)
    if not measured or min(measured) < 0 or max(measured) > miniature.steps:
        raise ValueError(
            f"measured: expected steps from 0 to {miniature.steps}, got {sorted(measured)}"
        )
    descent = _Descent(miniature, images)
    if 0 in measured:
        yield descent.look(test)
    name = f"{miniature.optimizer}, {miniature.loss}"
    steps = range(max(measured))
    for _ in tqdm(steps, desc=name, unit="step") if progress else steps:
        descent.advance()
        if descent.step in measured:
            yield descent.look(test)


@dataclass
class _Descent:
    """A training in progress: one objective, one closure, one path for every optimizer."""

    miniature: Miniature
    images: ImageSet
    step: int = 0
    evaluations: int = 0
    inputs: Tensor = field(init=False)
    model: nn.Sequential = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = _flat(self.images)
        self.model = _build(self.miniature, self.inputs.shape[1], self.images.num_classes)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(self.miniature, self.trained)

    def objective(self) -> Tensor:
        """Data term and weight decay."""
        logits, labels, small = self.model(self.inputs), self.images.labels, self.miniature
        if small.loss == "ce":
            data = nn.functional.cross_entropy(logits, labels)
        else:
            data = rescaled_mse(logits, labels, small.alpha, small.M)
        return data + small.weight_decay / 2 * sum(p.square().sum() for p in self.trained)

    def advance(self) -> None:
        """One step of the optimizer, which may ask for several gradients."""

        def closure() -> float:
            self.optimizer.zero_grad()
            value = self.objective()
            torch.autograd.backward(value)
            self.evaluations += 1
            return float(value.detach())

        value: Any = self.optimizer.step(closure)
        self.step += 1
        if not torch.isfinite(torch.tensor(value)):
            raise DivergedError(f"objective is {value} in step {self.step}")

    @torch.no_grad()
    def look(self, test: ImageSet | None) -> Snapshot:
        """Everything measured, as the network is now."""
        trunk, head = split(self.model)
        features, labels = trunk(self.inputs)[0], self.images.labels
        stats = ClassStats.of(features, labels, self.images.num_classes)
        seen, unseen = decide(features, labels, head, stats.means).accuracy, float("nan")
        if test is not None:
            unseen = decide(trunk(_flat(test))[0], test.labels, head, stats.means).accuracy
        objective, metrics = float(self.objective()), measure(stats, head)
        return Snapshot(self.step, self.evaluations, objective, metrics, seen, unseen, stats, head)


def _flat(images: ImageSet) -> Tensor:
    """Normalized images as rows, (N, pixels); the same bits whatever torch's default type is."""
    return images.batch(torch.arange(len(images))).flatten(1).float().double()


def _build(small: Miniature, pixels: int, num_classes: int) -> nn.Sequential:
    """The same seed gives the same body, whatever ran before and whatever the head is."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(small.seed)
        for width in small.hidden:
            layers += [nn.Linear(pixels, width, dtype=torch.float64), nn.ReLU()]
            pixels = width
        layers += [nn.Linear(pixels, small.dimension, dtype=torch.float64)]
        head = nn.Linear(small.dimension, num_classes, dtype=torch.float64)
    if small.simplex_head:
        vertices = simplex_etf(num_classes, small.dimension)
        head.weight = nn.Parameter(vertices, requires_grad=False)
    return nn.Sequential(*layers, head)


def _optimizer(small: Miniature, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Without weight decay of its own: that is in the objective."""
    rate = small.learning_rate or RATES[small.optimizer]
    if small.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9)
    if small.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate)
    return torch.optim.LBFGS(
        parameters,
        lr=rate,
        max_iter=1,
        max_eval=26,  # the default, 1.25 max_iter, would leave the line search without a look
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )
