"""answers and what they would lose ──▶ `Thresholds`: from which confidence on it is shown that they may be accepted."""

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
    """Held-out answers, and what is lost and won by accepting them.

    Attributes:
        given: class positions, int64 `[J]`.
        confidence: as it is served, `[J]`.
        can_accept: which of them nothing but their confidence sends to a person, `[J]`.
        losses: of accepting each, from 0 to the `worst` of its class, `[J]`.
        gains: of accepting each, `[J]`; of the thresholds that are shown the one that gains most is taken.
        worst: the most that an answer of each class can lose, above 0 and at least the limit, `[K]`.
        graded: whether some answers lose less than the worst, but not nothing, `[K]`.
        limit: of the mean loss of what is accepted.
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
        """Positions of the answers of some classes that can be accepted, the surest first."""
        rows = np.flatnonzero(self.can_accept & np.isin(self.given, classes))
        return rows[np.argsort(-self.confidence[rows], kind="stable")]

    @property
    def rate(self) -> float:
        """The limit as a share of the worst loss of all, in [0, 1]."""
        return float(self.limit / self.worst.max())

    def fewest(self, level: float) -> int | None:
        """How many accepted answers without a loss show something at the least; None where none do."""
        return fewest(0, self.rate, level).item() if self.rate > 0 else None

    def enough(self, level: float) -> int | None:
        """About how many held-out images would show something; None where more of the same would not."""
        rows, worst = self.surest_of(np.arange(len(self.worst))), self.worst.max()
        graded = bool(self.graded.any() or (self.worst != worst).any())
        accepted = enough(self.confidence[rows], self.losses[rows] / worst, self.rate, level, graded=graded)
        return None if accepted is None else math.ceil(accepted * len(self.given) / len(rows))


@dataclass(frozen=True)
class Thresholds:
    """The least confidence of each class; `NEVER` where nothing is shown.

    Attributes:
        pooled: of classes that have too few answers to be judged by themselves.
        alone: of each of the others, by position.
    """

    pooled: float
    alone: dict[int, float]

    def accepts(self, answers: Answers) -> NDArray[np.bool_]:
        """Which answers they accept, `[J]`."""
        of_class = np.full(len(answers.worst), self.pooled)
        of_class[list(self.alone)] = list(self.alone.values())
        return answers.can_accept & (answers.confidence >= of_class[answers.given])

    def coverage(self, answers: Answers) -> float:
        """Share of the answers that they accept; 0 where there are none."""
        return float(self.accepts(answers).mean()) if len(answers.given) else 0.0


def choose_thresholds(answers: Answers, level: float, rows_alone: float) -> Thresholds:
    """Chooses thresholds, so that with a probability of `level` at most any class or pool loses more than the limit.

    Args:
        answers: on held-out images.
        level: divided among the classes that are judged by themselves and the pool of the others.
        rows_alone: how many answers a class needs to be judged by itself, in multiples of what it needs without a
            mistake. The labels do not matter to that.
    """
    if answers.limit <= 0 or not len(answers.given):
        return Thresholds(NEVER, {})
    pool, alone = _groups(answers, level, rows_alone)
    each = level / (len(alone) + bool(len(pool)))
    least = {int(position): _least(answers, np.array([position]), each) for position in alone}
    return Thresholds(_least(answers, pool, each) if len(pool) else NEVER, least)


def _groups(answers: Answers, level: float, rows_alone: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the classes that are pooled, and of those that are not; those that are never given are neither.

    The pool has as many answers as one class needs: where the classes without enough of their own have fewer together,
    the smallest others join it.
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
    """The confidence from which on answers of these classes are accepted."""
    rows = answers.surest_of(classes)
    worst = answers.worst[classes].max()
    graded = bool(answers.graded[classes].any() or (answers.worst[classes] != worst).any())
    losses, confidence = answers.losses[rows] / worst, answers.confidence[rows]
    counts = shown(confidence, losses, answers.limit / worst, level, graded=graded)
    gained = np.cumsum(answers.gains[rows])[counts - 1]
    return float(confidence[counts[gained.argmax()] - 1]) if len(counts) else NEVER
