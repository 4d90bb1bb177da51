"""test answers and policy ──▶ what the policy accepts, and what it would accept at other thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

AUTOMATION_ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Coverage:
    """What the policy does to the test images.

    Attributes:
        min_confidence: answers below it are reviewed; above 1 for all of them; None if classes have their own.
        max_distance: images with a larger outlier distance are reviewed; None without outlier detection.
        accepted_share: share of accepted answers, in [0, 1].
        accepted_accuracy: share of right answers among the accepted ones, in [0, 1]; NaN if there are none.
        unfamiliar_share: share of outliers, in [0, 1].
        confidence: of each answer, `[T]`.
        hits: which answers are right, bool `[T]`.
        eligible: which answers only a low confidence sends to review, bool `[T]`; None for all.
        accepted_confusion: int64 `[K, K]` of the accepted answers; rows are true, columns predicted classes.
    """

    min_confidence: float | None
    max_distance: float | None
    accepted_share: float
    accepted_accuracy: float
    unfamiliar_share: float
    confidence: NDArray[np.float32]
    hits: NDArray[np.bool_]
    eligible: NDArray[np.bool_] | None = None
    accepted_confusion: NDArray[np.int64] | None = None


class Decisions(NamedTuple):
    """Numbers of test images that are accepted rightly, accepted wrongly, and reviewed."""

    right: int
    wrong: int
    review: int


class Risk(NamedTuple):
    """What each possible threshold accepts, in falling order; float64 `[C]` each.

    Attributes:
        confidence: the thresholds: confidences that occur among eligible answers.
        share: share of all test images that is accepted.
        wrong: share of wrong answers among those.
    """

    confidence: NDArray[np.float64]
    share: NDArray[np.float64]
    wrong: NDArray[np.float64]


def decisions(coverage: Coverage) -> Decisions:
    """Counts the policy's decisions."""
    images = len(coverage.confidence)
    accepted = round(coverage.accepted_share * images)
    right = round(accepted * coverage.accepted_accuracy) if accepted else 0
    return Decisions(right, accepted - right, images - accepted)


def risk(coverage: Coverage) -> Risk:
    """What each threshold would accept; outliers and rows with missing or out-of-range columns are never accepted."""
    eligible = np.ones_like(coverage.hits) if coverage.eligible is None else coverage.eligible
    order = np.argsort(-coverage.confidence[eligible], kind="stable")
    confidence = coverage.confidence[eligible][order].astype(np.float64)
    is_last = np.diff(confidence, append=-1.0) != 0  # equal confidences are accepted together
    counts = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~coverage.hits[eligible][order]) / counts
    return Risk(confidence[is_last], (counts / max(1, len(eligible)))[is_last], wrong[is_last])


def automation(found: Risk) -> Iterator[tuple[float, float, float]]:
    """Error, largest share accepted at no more of it, and the confidence from which on; each share once."""
    before = -1
    for error in AUTOMATION_ERRORS:
        last = int(np.flatnonzero(found.wrong <= error).max(initial=-1))
        if last > before:
            yield error, float(found.share[last]), float(found.confidence[last])
        before = last
