"""held-out answers ──▶ `Policy` and `Promise`: which are good enough to act on, by precision or by costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.columns import Column
from models.policy import NEVER, Policy, as_served
from models.runtime.sessions import Probabilities
from training.exceptions import DataError
from training.heads.features.encoding import Rows
from training.policy.costs import Costs
from training.policy.missed_classes import Missed, bound_missed, check_missed
from training.policy.promise import Promise
from training.policy.thresholds import Answers, choose_thresholds

_RARELY = 0.05  # of the training rows that lack an optional column, below which it is expected
_PRECISIONS = (0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # that may be promised instead
_REVIEWS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)  # how many times dearer they may have to be
_WORTHWHILE = 0.1  # coverage
_ROWS_ALONE = 20.0
"""Answers that a class needs to be judged by itself, in multiples of what shows its precision if none is wrong. It is
much, as a precision of each class is more to ask than one of all: with 11 times as many of Fashion-MNIST 0.59 instead
of 0.80 are accepted at 0.99, with 15 times at 0.95 it is 0.87 instead of 0.96."""
_ROWS_ALONE_WITH_COSTS = 2.0  # what is cheapest for each class is cheapest for all


@dataclass(frozen=True)
class Aims:
    """What a policy is chosen for.

    Attributes:
        target_precision: share of right answers among those accepted.
        confidence: with which that holds, and whatever else is promised.
        costs: instead of a precision, what reviews and mistakes cost.
        false_alarms: share of images like those of training that may be called unfamiliar.
        max_missed: by the name of a class, the share of its images that may be accepted as another one.
        extrapolate: whether answers may be accepted for numbers and dates beyond those of training.
    """

    target_precision: float = 0.99
    confidence: float = 0.95
    costs: Costs | None = None
    false_alarms: float = 0.02
    max_missed: Mapping[str, float] = field(default_factory=dict)
    extrapolate: bool = False

    def as_settings(self) -> dict[str, object]:
        """As the manifest tells them."""
        aim = {"target precision": self.target_precision} if self.costs is None else {"costs": self.costs.model_dump()}
        missed = {"max missed": dict(self.max_missed)} if self.max_missed else {}
        extrapolates = {"extrapolate": True} if self.extrapolate else {}
        return {**aim, "confidence": self.confidence, **missed, "false alarms": self.false_alarms, **extrapolates}

    def check(self, classes: tuple[str, ...]) -> None:
        """Whether they can be aimed at for these classes; none of numbers.

        Raises:
            DataError: the costs or the classes not to be missed name a label that is none, or a share is none.
        """
        check_missed(self.max_missed, classes)
        if self.costs is not None and not classes:
            raise DataError("--costs are of classes, but the labels are numbers")
        if self.costs is not None:
            self.costs.table(classes)

    @property
    def target(self) -> float:
        """The precision; with costs what a review costs."""
        return self.target_precision if self.costs is None else self.costs.review

    @property
    def level(self) -> float:
        """Probability that a promise is not kept."""
        return 1 - self.confidence

    @property
    def easier(self) -> Iterator[Aims]:
        """The same with lower and lower targets, of those that can be promised instead."""
        if self.costs is None:
            return (replace(self, target_precision=lower) for lower in _PRECISIONS if lower < self.target_precision)
        costs = self.costs
        dearer = (costs.model_copy(update={"review": costs.review * factor}) for factor in _REVIEWS)
        return (replace(self, costs=each) for each in dearer)


@dataclass(frozen=True)
class Held:
    """Out-of-fold answers on held-out images, on the scale that is served.

    Attributes:
        found: probabilities float32 `[J, K]`, or values `[J, 1]`.
        labels: class positions, int64 `[J]`, or numbers, float64 `[J]`.
        familiar: which of them nothing but their probabilities sends to a person, `[J]`: those within the limit of
            novelty, not without a column that is expected, and with no number beyond those that the head was fitted on.
        classes: K names; none of numbers.
    """

    found: Probabilities
    labels: NDArray[np.int64] | NDArray[np.float64]
    familiar: NDArray[np.bool_]
    classes: tuple[str, ...] = ()


def choose_policy(
    held: Held,
    aims: Aims,
    *,
    max_distance: float | None,
    expected: tuple[str, ...] = (),
    ranged: tuple[str, ...] = (),
) -> tuple[Policy, Promise | None]:
    """Chooses thresholds that keep what they promise, and tells what that is.

    Of what is accepted, with `aims.confidence`, at least the target is right; or, with costs, its mistakes cost no more
    on average than reviews would. That holds for each class that has the rows, and for the others together.

    Classes that are not to be missed come first, for answers of any confidence, so that what holds for them does not
    depend on the thresholds. Those are then chosen among the answers that are left.

    Args:
        held: what to choose them on.
        aims: what for.
        max_distance: from which on images are unfamiliar; None where nobody looks.
        expected: columns without which an answer goes to a person.
        ranged: columns beyond whose range it does.

    Returns:
        policy: accepts exactly such rows as were tested.
        promise: None for numbers.

    Raises:
        DataError: the costs or the classes not to be missed name a label that is none, or a share is none.
    """
    missed = bound_missed(
        as_served(held.found),
        held.labels.astype(np.int64),
        held.familiar,
        classes=held.classes,
        max_missed=aims.max_missed,
        level=aims.level,
    )
    if not held.classes:
        return Policy(max_distance=max_distance, expected_columns=expected, range_columns=ranged), None
    answers = _answers(held, aims, missed)
    thresholds = choose_thresholds(answers, aims.level, _rows_alone(aims))
    policy = Policy(
        min_confidence=thresholds.pooled,
        min_confidence_of={held.classes[position]: least for position, least in thresholds.alone.items()},
        review_from={each.label: each.review_from for each in missed if each.review_from is not None},
        max_distance=max_distance,
        expected_columns=expected,
        range_columns=ranged,
    )
    return policy, _promise(policy, thresholds.coverage(answers), held, aims, missed)


def _promise(policy: Policy, coverage: float, held: Held, aims: Aims, missed: tuple[Missed, ...]) -> Promise:
    """What a policy keeps; if it is nothing, what would be enough, and what can be promised instead."""
    promise = Promise(
        target=aims.target,
        confidence=aims.confidence,
        judged_on=len(held.labels),
        coverage=coverage,
        of_costs=aims.costs is not None,
        alone=tuple(policy.min_confidence_of),
        never=tuple(label for label, least in policy.min_confidence_of.items() if least == NEVER),
        missed=missed,
    )
    if promise.shown:
        return promise
    answers = _answers(held, aims, tuple(each for each in missed if each.shown))
    return replace(
        promise,
        enough=_enough(answers, aims, missed),
        fewest=answers.fewest(aims.level),
        instead=_instead(held, aims, missed),
    )


def _enough(answers: Answers, aims: Aims, missed: tuple[Missed, ...]) -> int | None:
    """About how many held-out images would show the target, and have enough of the classes not to be missed."""
    images = answers.enough(aims.level)
    total = len(answers.given)
    of_missed = [math.ceil(each.enough * total / max(each.judged_on, 1)) for each in missed if not each.shown]
    return None if images is None else max(images, *of_missed, 0)


def _instead(held: Held, aims: Aims, missed: tuple[Missed, ...]) -> tuple[float, float] | None:
    """The nearest target that can be shown and accepts a tenth, and the coverage; else the one that accepts most."""
    best = None
    for easier in aims.easier:
        answers = _answers(held, easier, missed)
        coverage = choose_thresholds(answers, easier.level, _rows_alone(easier)).coverage(answers)
        if coverage > (best[1] if best else 0):
            best = easier.target, coverage
        if coverage >= _WORTHWHILE:
            break
    return best


def _answers(held: Held, aims: Aims, missed: tuple[Missed, ...]) -> Answers:
    """What accepting each answer would lose and gain."""
    found, given = as_served(held.found), held.found.argmax(1)
    can_accept = held.familiar.copy()
    for each in missed:
        if each.review_from is not None:
            position = held.classes.index(each.label)
            can_accept &= (given == position) | (found[:, position] < each.review_from)
    mistakes = 1 - np.eye(len(held.classes)) if aims.costs is None else aims.costs.table(held.classes)
    limit = 1 - aims.target if aims.costs is None else aims.target
    losses, worst = mistakes[held.labels.astype(np.int64), given], np.maximum(mistakes.max(0), limit)
    return Answers(
        given=given,
        confidence=found.max(1),
        can_accept=can_accept,
        losses=losses,
        gains=np.ones(len(given)) if aims.costs is None else limit - losses,
        worst=worst,
        graded=((mistakes > 0) & (mistakes < worst)).any(0),
        limit=limit,
    )


def _rows_alone(aims: Aims) -> float:
    return _ROWS_ALONE if aims.costs is None else _ROWS_ALONE_WITH_COSTS


def expected_columns(columns: Sequence[Column], rows: Rows) -> tuple[str, ...]:
    """Optional columns that hardly any row of training lacks."""
    return tuple(
        column.name
        for column in columns
        if not column.required and sum(_lacks(row, column) for row in rows) <= _RARELY * len(rows)
    )


def range_columns(columns: Sequence[Column]) -> tuple[str, ...]:
    """Columns that have a range: numbers and dates."""
    return tuple(column.name for column in columns if column.type in ("number", "date"))


def _lacks(row: Mapping[str, object], column: Column) -> bool:
    return row[column.name] is None
