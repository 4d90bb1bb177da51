"""test answers and policy ──▶ what the policy accepts, and what it would accept from another confidence on."""

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
        min_confidence: answers below it go to a person, above 1 all of them; None where each class has its own.
        max_distance: so do images farther from those of training; None where nobody looks.
        accepted_share: share of the answers that do not, in [0, 1].
        accepted_accuracy: share of right ones among those, in [0, 1]; NaN where there are none.
        unfamiliar_share: share of the images that are farther, in [0, 1].
        confidence: of each answer, `[T]`.
        hits: which of them are right, `[T]`.
        eligible: which of them only a low confidence sends to a person, being familiar and not short of a column,
            `[T]`; None where all are.
        accepted_confusion: int64 `[K, K]` of those accepted; rows are true, columns predicted classes.
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
    """How many test images the policy accepts, rightly and wrongly, and how many it leaves to a person."""

    right: int
    wrong: int
    review: int


class Risk(NamedTuple):
    """Of each confidence that occurs among answers that could be accepted, the highest first; float64 `[C]` each.

    Attributes:
        confidence: answers from it on are accepted.
        share: of all test images that these are.
        wrong: of these.
    """

    confidence: NDArray[np.float64]
    share: NDArray[np.float64]
    wrong: NDArray[np.float64]


def decisions(coverage: Coverage) -> Decisions:
    """Counts of test images."""
    images = len(coverage.confidence)
    accepted = round(coverage.accepted_share * images)
    right = round(accepted * coverage.accepted_accuracy) if accepted else 0
    return Decisions(right, accepted - right, images - accepted)


def risk(coverage: Coverage) -> Risk:
    """What each confidence would accept, counted as the policy does.

    Images that are unfamiliar, lack columns or have numbers out of range are never accepted.
    """
    eligible = np.ones_like(coverage.hits) if coverage.eligible is None else coverage.eligible
    order = np.argsort(-coverage.confidence[eligible], kind="stable")
    confidence = coverage.confidence[eligible][order].astype(np.float64)
    is_last = np.diff(confidence, append=-1.0) != 0  # of equals: they are accepted together
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
