"""held-out answers ──▶ `Policy` and `Promise`: thresholds for a target precision, or for costs."""

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
from training.policy.missed_classes import MissedBound, bound_missed, check_missed
from training.policy.promise import Promise
from training.policy.thresholds import Answers, choose_thresholds

_RARELY = 0.05  # share of training rows without an optional column, up to which the column is expected
_PRECISIONS = (0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)  # lower targets, tried in turn
_REVIEWS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)  # factors on the cost of a review, tried in turn
_WORTHWHILE = 0.1  # coverage from which on a lower target is worth proposing
_ROWS_ALONE = 20.0
"""Answers that a class needs for a threshold of its own, as a multiple of those that show its precision without a
mistake. The factor is high because a precision for each class is a stronger promise than one for all: on Fashion-MNIST
at 0.99 a factor of 11 accepts 0.59 instead of 0.80, and at 0.95 a factor of 15 accepts 0.87 instead of 0.96."""
_ROWS_ALONE_WITH_COSTS = 2.0  # lower, as what is cheapest for each class is cheapest for all


@dataclass(frozen=True)
class PolicyTargets:
    """What a policy has to achieve.

    Attributes:
        target_precision: share of right answers among those accepted, in (0, 1].
        confidence: of everything that is promised, in (0, 1).
        costs: of reviews and mistakes; replaces the target precision.
        false_alarms: share of ordinary images that may be called outliers, in (0, 1].
        max_missed: by class name, the share of its images that may be accepted as another class.
        extrapolate: whether to accept answers for numbers and dates outside the range of training.
    """

    target_precision: float = 0.99
    confidence: float = 0.95
    costs: Costs | None = None
    false_alarms: float = 0.02
    max_missed: Mapping[str, float] = field(default_factory=dict)
    extrapolate: bool = False

    def as_settings(self) -> dict[str, object]:
        """The targets as the manifest has them."""
        target = (
            {"target precision": self.target_precision} if self.costs is None else {"costs": self.costs.model_dump()}
        )
        missed = {"max missed": dict(self.max_missed)} if self.max_missed else {}
        extrapolates = {"extrapolate": True} if self.extrapolate else {}
        return {**target, "confidence": self.confidence, **missed, "false alarms": self.false_alarms, **extrapolates}

    def check(self, classes: tuple[str, ...]) -> None:
        """Checks the targets against the class names; there are none for numbers.

        Raises:
            DataError: costs or `max_missed` name an unknown class, or a share is out of range.
        """
        check_missed(self.max_missed, classes)
        if self.costs is not None and not classes:
            raise DataError("--costs are of classes, but the labels are numbers")
        if self.costs is not None:
            self.costs.table(classes)

    @property
    def target(self) -> float:
        """The target precision; with costs the cost of a review."""
        return self.target_precision if self.costs is None else self.costs.review

    @property
    def level(self) -> float:
        """Significance level: the probability that a promise is not kept."""
        return 1 - self.confidence

    @property
    def easier(self) -> Iterator[PolicyTargets]:
        """The same with easier targets, the hardest of them first."""
        if self.costs is None:
            return (replace(self, target_precision=lower) for lower in _PRECISIONS if lower < self.target_precision)
        costs = self.costs
        dearer = (costs.model_copy(update={"review": costs.review * factor}) for factor in _REVIEWS)
        return (replace(self, costs=each) for each in dearer)


@dataclass(frozen=True)
class HeldOut:
    """Out-of-fold answers on held-out images, as served.

    Attributes:
        answers: probabilities float32 `[J, K]`, or values `[J, 1]`.
        labels: class positions, int64 `[J]`, or numbers, float64 `[J]`.
        can_accept: bool `[J]`: the image is no outlier, no expected column is missing, and no value is outside the
            range of training.
        classes: K names; none for numbers.
    """

    answers: Probabilities
    labels: NDArray[np.int64] | NDArray[np.float64]
    can_accept: NDArray[np.bool_]
    classes: tuple[str, ...] = ()


def choose_policy(
    held_out: HeldOut,
    targets: PolicyTargets,
    *,
    max_distance: float | None,
    expected: tuple[str, ...] = (),
    ranged: tuple[str, ...] = (),
) -> tuple[Policy, Promise | None]:
    """Chooses thresholds that keep a promise, and says what is promised.

    With `targets.confidence` at least the target precision of the accepted answers is right; or, with costs, their
    mistakes cost no more on average than reviews would. That holds for each class with enough rows, and for the others
    together. Bounds on missed classes come first and hold at any confidence of the answer, so they do not depend on the
    thresholds, which are chosen among the answers that are left.

    Args:
        held_out: answers to choose the thresholds by.
        targets: what the policy has to achieve.
        max_distance: from which on images are outliers; None without outlier detection.
        expected: columns without which an answer is reviewed.
        ranged: columns outside whose range an answer is reviewed.

    Returns:
        The policy, and what it promises; numbers have no promise.

    Raises:
        DataError: costs or `max_missed` name an unknown class, or a share is out of range.
    """
    missed = _bound_missed(held_out, targets)
    limits = Policy(max_distance=max_distance, expected_columns=expected, range_columns=ranged)
    if not held_out.classes:
        return limits, None
    answers = _answers(held_out, targets, missed)
    thresholds = choose_thresholds(answers, targets.level, _rows_alone(targets))
    alone = {held_out.classes[position]: least for position, least in thresholds.alone.items()}
    review_from = {each.label: each.review_from for each in missed if each.review_from is not None}
    update = {"min_confidence": thresholds.pooled, "min_confidence_of": alone, "review_from": review_from}
    policy = limits.model_copy(update=update)
    return policy, _promise(policy, thresholds.coverage(answers), held_out, targets, missed)


def _bound_missed(held_out: HeldOut, targets: PolicyTargets) -> tuple[MissedBound, ...]:
    return bound_missed(
        as_served(held_out.answers),
        held_out.labels.astype(np.int64),
        held_out.can_accept,
        classes=held_out.classes,
        max_missed=targets.max_missed,
        level=targets.level,
    )


def _promise(
    policy: Policy, coverage: float, held_out: HeldOut, targets: PolicyTargets, missed: tuple[MissedBound, ...]
) -> Promise:
    """What a policy promises; if it accepts nothing, what would be enough, and the best easier target."""
    promise = Promise(
        target=targets.target,
        confidence=targets.confidence,
        held_out=len(held_out.labels),
        coverage=coverage,
        of_costs=targets.costs is not None,
        alone=tuple(policy.min_confidence_of),
        never=tuple(label for label, least in policy.min_confidence_of.items() if least == NEVER),
        missed=missed,
    )
    if promise.shown:
        return promise
    answers = _answers(held_out, targets, tuple(each for each in missed if each.shown))
    return replace(
        promise,
        enough=_enough(answers, targets, missed),
        fewest=answers.fewest(targets.level),
        instead=_instead(held_out, targets, missed),
    )


def _enough(answers: Answers, targets: PolicyTargets, missed: tuple[MissedBound, ...]) -> int | None:
    """About how many held-out images would show the target and the bounds on missed classes; None if none would."""
    images = answers.enough(targets.level)
    total = len(answers.given)
    of_missed = [math.ceil(each.enough * total / max(each.held_out, 1)) for each in missed if not each.shown]
    return None if images is None else max(images, *of_missed, 0)


def _instead(held_out: HeldOut, targets: PolicyTargets, missed: tuple[MissedBound, ...]) -> tuple[float, float] | None:
    """The hardest easier target that accepts a tenth of the images, and its coverage; else what accepts most."""
    best = None
    for easier in targets.easier:
        answers = _answers(held_out, easier, missed)
        coverage = choose_thresholds(answers, easier.level, _rows_alone(easier)).coverage(answers)
        if coverage > (best[1] if best else 0):
            best = easier.target, coverage
        if coverage >= _WORTHWHILE:
            break
    return best


def _answers(held_out: HeldOut, targets: PolicyTargets, missed: tuple[MissedBound, ...]) -> Answers:
    """Loss and gain of accepting each answer."""
    probabilities, given = as_served(held_out.answers), held_out.answers.argmax(1)
    can_accept = held_out.can_accept.copy()
    for each in missed:
        if each.review_from is not None:
            position = held_out.classes.index(each.label)
            can_accept &= (given == position) | (probabilities[:, position] < each.review_from)
    mistakes = 1 - np.eye(len(held_out.classes)) if targets.costs is None else targets.costs.table(held_out.classes)
    limit = 1 - targets.target if targets.costs is None else targets.target
    losses, worst = mistakes[held_out.labels.astype(np.int64), given], np.maximum(mistakes.max(0), limit)
    return Answers(
        given=given,
        confidence=probabilities.max(1),
        can_accept=can_accept,
        losses=losses,
        gains=np.ones(len(given)) if targets.costs is None else limit - losses,
        worst=worst,
        graded=((mistakes > 0) & (mistakes < worst)).any(0),
        limit=limit,
    )


def _rows_alone(targets: PolicyTargets) -> float:
    return _ROWS_ALONE if targets.costs is None else _ROWS_ALONE_WITH_COSTS


def expected_columns(columns: Sequence[Column], rows: Rows) -> tuple[str, ...]:
    """Names of optional columns that at most 5 % of the training rows lack."""
    return tuple(
        column.name
        for column in columns
        if not column.required and sum(row[column.name] is None for row in rows) <= _RARELY * len(rows)
    )


def range_columns(columns: Sequence[Column]) -> tuple[str, ...]:
    """Names of the columns that have a range: numbers and dates."""
    return tuple(column.name for column in columns if column.type in ("number", "date"))
