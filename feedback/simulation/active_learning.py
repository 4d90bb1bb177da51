"""labelled embeddings ──▶ `Simulation`: accuracy against number of answers, by how the answered rows are chosen.

The labels are hidden and asked for in batches of 50; after each, a head is fitted on what is known and evaluated on
rows that are never asked. All strategies begin with the same 100 random labels, and each seed draws other parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback.simulation.label_head import probabilities
from feedback.simulation.strategies import STRATEGIES, Candidates, Strategy
from models.errors import DataError

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

ANSWERS = (100, 200, 300, 500, 800, 1_200)
"""Numbers of labels at which accuracy is measured; the first ones are drawn at random."""
SEEDS = 5
_BATCH = 50
_MOST_ROWS = 20_000  # half of them are asked; more take longer and say the same


@dataclass(frozen=True)
class Simulation:
    """Accuracy by strategy and number of answers.

    Attributes:
        answers: numbers of labels, ascending, `[P]`.
        accuracy: by strategy, of each seed and number, float64 `[S, P]`.
        evaluated: rows that accuracy was measured on.
        pool: rows that could be asked.
    """

    answers: tuple[int, ...]
    accuracy: dict[str, Floats]
    evaluated: int
    pool: int

    def gain(self, strategy: str) -> tuple[Floats, Floats]:
        """Mean difference from random choice with the same seed, and its noise, float64 `[P]` each.

        A difference below minus the noise is shown to be a loss at a level of 5 %.
        """
        difference = self.accuracy[strategy] - self.accuracy["random"]
        return difference.mean(axis=0), _student(len(difference)) * difference.std(axis=0, ddof=1) / np.sqrt(
            len(difference)
        )

    @property
    def strategy(self) -> str:
        """What to use on such data: `ours`, or `random` if ours is shown to be worse at any number of answers."""
        gain, noise = self.gain("ours")
        return "ours" if bool((gain >= -noise).all()) else "random"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        gain, noise = self.gain("ours")
        worst = int(np.argmin(gain[1:] - noise[1:])) + 1
        verdict = "is not worse than random choice: use it" if self.strategy == "ours" else "is worse: choose at random"
        return (
            f"ours {verdict} ({100 * gain[1:].mean():+.2f} points on average over {self.answers[1]:,} to "
            f"{self.answers[-1]:,} answers; at worst {100 * gain[worst]:+.2f} ± {100 * noise[worst]:.2f} at "
            f"{self.answers[worst]:,})"
        )


@dataclass(frozen=True)
class _Task:
    """What one seed asks and evaluates on."""

    embedding: NDArray[np.float32]
    labels: NDArray[np.int64]
    pool: Positions
    held_out: Positions
    points: tuple[int, ...]
    seed: int


def simulate(
    embedding: NDArray[Any],
    labels: NDArray[np.int64],
    *,
    unit: NDArray[np.int64] | None = None,
    answers: tuple[int, ...] = ANSWERS,
    seeds: int = SEEDS,
    report: Callable[[str], None] = lambda _: None,
) -> Simulation:
    """Runs every strategy from the same labels.

    Args:
        embedding: float `[N, D]`, of images that the network was not fitted on.
        labels: class positions, int64 `[N]`.
        unit: rows of one unit are copies of one image, int64 `[N]`, and are not on both sides; default: no copies.
        answers: numbers of labels; those above the size of the pool are left out.
        seeds: repetitions, at least 3.
        report: is told of each run.

    Raises:
        DataError: there are too few rows, or one class only.
    """
    classes, labels = np.unique(labels, return_inverse=True)
    points = tuple(count for count in answers if count <= min(len(labels), _MOST_ROWS) // 2)
    if len(points) < 2 or len(classes) < 2:
        raise DataError(
            f"a simulation needs at least {2 * answers[1]:,} labelled rows of two classes; "
            f"there are {len(labels):,} of {len(classes):,}"
        )
    unit = np.arange(len(labels)) if unit is None else unit
    scaled = np.asarray(embedding, np.float32) / np.sqrt((np.asarray(embedding, np.float64) ** 2).mean())
    accuracy: dict[str, list[Floats]] = {name: [] for name in STRATEGIES}
    for seed in range(seeds):
        pool, held_out = _halves(unit, np.random.default_rng(seed))
        task = _Task(scaled, labels, pool, held_out, points, seed)
        for name, strategy in STRATEGIES.items():
            accuracy[name].append(_curve(strategy, task))
            report(f"seed {seed + 1} of {seeds}, {name}: {accuracy[name][-1][-1]:.4f} with {points[-1]:,} answers")
    curves = {name: np.array(found) for name, found in accuracy.items()}
    return Simulation(points, curves, len(held_out), len(pool))


def _halves(unit: NDArray[np.int64], random: np.random.Generator) -> tuple[Positions, Positions]:
    """Rows to ask and rows to evaluate on, in random order: half of the units each."""
    _, of_row = np.unique(unit, return_inverse=True)
    place = random.permutation(int(of_row.max()) + 1)[of_row]
    order = random.permutation(len(unit))[:_MOST_ROWS]
    asked = place[order] < np.median(place)
    return order[asked], order[~asked]


def _curve(strategy: Strategy, task: _Task) -> Floats:
    random, known, classes = np.random.default_rng(task.seed), task.pool[: task.points[0]], int(task.labels.max()) + 1
    accuracy = []
    for count in range(task.points[0], task.points[-1] + 1, _BATCH):
        waiting = np.setdiff1d(task.pool, known)
        others = task.embedding[np.concatenate([task.held_out, waiting])]
        held_out, found = np.split(
            probabilities(task.embedding[known], task.labels[known], others, classes), [len(task.held_out)]
        )
        if count in task.points:
            accuracy.append(float((held_out.argmax(axis=1) == task.labels[task.held_out]).mean()))
        candidates = Candidates(task.embedding[waiting], found, task.embedding[known])
        known = np.concatenate([known, waiting[strategy(candidates, _BATCH, random)]])
    return np.array(accuracy)


def _student(seeds: int) -> float:
    """The 95 % quantile of Student's t, to 5 % from 3 seeds on (Abramowitz and Stegun 1964, 26.7.5)."""
    z, freedom = NormalDist().inv_cdf(0.95), seeds - 1
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
