"""answers and their losses ──▶ `Thresholds`: the confidences from which on answers are shown to be acceptable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.policy import NEVER
from training.policy.exact_bounds import enough, fewest, shown

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Held-out answers, with the loss and gain of accepting each.

    Attributes:
        given: class positions of the answers, int64 `[J]`.
        confidence: as served, float64 `[J]`.
        can_accept: which answers only their confidence may send to review, bool `[J]`.
        losses: of accepting each, from 0 to the `worst` of its class, float64 `[J]`.
        gains: of accepting each, float64 `[J]`; the threshold with the largest gain is taken.
        worst: largest loss of an answer of each class, above 0 and at least the limit, float64 `[K]`.
        graded: whether a class has losses between 0 and the worst, bool `[K]`.
        limit: of the mean loss of the accepted answers.
    """

    given: NDArray[np.int64]
    confidence: Floats
    can_accept: NDArray[np.bool_]
    losses: Floats
    gains: Floats
    worst: Floats
    graded: NDArray[np.bool_]
    limit: float

    def surest_of(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the acceptable answers of some classes, in falling order of confidence."""
        rows = np.flatnonzero(self.can_accept & np.isin(self.given, classes))
        return rows[np.argsort(-self.confidence[rows], kind="stable")]

    @property
    def rate(self) -> float:
        """The limit as a share of the worst loss of all, in [0, 1]."""
        return float(self.limit / self.worst.max())

    def fewest(self, level: float) -> int | None:
        """Smallest number of accepted answers that shows the limit if none has a loss; None if none does."""
        return fewest(0, self.rate, level).item() if self.rate > 0 else None

    def enough(self, level: float) -> int | None:
        """About how many held-out images like these would show a threshold; None if no number would."""
        rows, worst = self.surest_of(np.arange(len(self.worst))), self.worst.max()
        graded = bool(self.graded.any() or (self.worst != worst).any())
        accepted = enough(self.confidence[rows], self.losses[rows] / worst, self.rate, level, graded=graded)
        return None if accepted is None else math.ceil(accepted * len(self.given) / len(rows))


@dataclass(frozen=True)
class Thresholds:
    """The lowest confidence that is accepted; `NEVER` if nothing is shown.

    Attributes:
        pooled: of the classes with too few answers for a threshold of their own.
        alone: of each other class, by position.
    """

    pooled: float
    alone: dict[int, float]

    def accepts(self, answers: Answers) -> NDArray[np.bool_]:
        """Which answers are accepted, bool `[J]`."""
        of_class = np.full(len(answers.worst), self.pooled)
        of_class[list(self.alone)] = list(self.alone.values())
        return answers.can_accept & (answers.confidence >= of_class[answers.given])

    def coverage(self, answers: Answers) -> float:
        """Share of the answers that is accepted; 0 if there are none."""
        return float(self.accepts(answers).mean()) if len(answers.given) else 0.0


def choose_thresholds(answers: Answers, level: float, rows_alone: float) -> Thresholds:
    """Chooses thresholds: the probability that any class or the pool exceeds the limit is at most `level`.

    Args:
        answers: on held-out images.
        level: divided among the classes with a threshold of their own and the pool of the others.
        rows_alone: answers that a class needs for a threshold of its own, as a multiple of those that show the limit
            without a mistake. It depends on answers only, not on labels.
    """
    if answers.limit <= 0 or not len(answers.given):
        return Thresholds(NEVER, {})
    pool, alone = _groups(answers, level, rows_alone)
    each = level / (len(alone) + bool(len(pool)))
    least = {int(position): _least(answers, np.array([position]), each) for position in alone}
    return Thresholds(_least(answers, pool, each) if len(pool) else NEVER, least)


def _groups(answers: Answers, level: float, rows_alone: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the pooled classes, and of those with a threshold of their own; classes never answered are neither.

    If the classes with too few answers have too few together, the smallest others join the pool.
    """
    count = np.bincount(answers.given, minlength=len(answers.worst))
    rising = np.argsort(count, kind="stable")[np.count_nonzero(count == 0) :]
    needed = rows_alone * fewest(0, answers.rate, level / len(count)).item()
    is_poor = count[rising] < needed
    pooled = int(is_poor.sum())
    while 0 < count[rising[:pooled]].sum() < needed and pooled < len(rising):
        pooled += 1
    return rising[:pooled], rising[pooled:]


def _least(answers: Answers, classes: NDArray[np.int64], level: float) -> float:
    """The threshold of these classes."""
    rows = answers.surest_of(classes)
    worst = answers.worst[classes].max()
    graded = bool(answers.graded[classes].any() or (answers.worst[classes] != worst).any())
    losses, confidence = answers.losses[rows] / worst, answers.confidence[rows]
    counts = shown(confidence, losses, answers.limit / worst, level, graded=graded)
    gained = np.cumsum(answers.gains[rows])[counts - 1]
    return float(confidence[counts[gained.argmax()] - 1]) if len(counts) else NEVER
