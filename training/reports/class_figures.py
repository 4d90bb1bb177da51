"""confusion matrix ──▶ figures of each class with intervals, and pairs of classes that are confused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.reports.charts import wilson_interval
from training.reports.evaluation_metrics import recall as shares_right

Counts = NDArray[np.int64]
Interval = tuple[float, float]

_FEWEST = 5  # accepted images of a class, from which on such a sentence is said
PLURAL_FROM = 2
"""What happened once is not what happens most often."""


class ClassFigures(NamedTuple):
    """Figures of one class on the test images: shares in [0, 1] with 95 % intervals (Wilson); NaN without images.

    Attributes:
        name: of the class.
        support: number of its test images.
        recall: share of them that are classified right.
        recall_within: interval of the recall.
        precision: share of right answers among those that name the class.
        precision_within: interval of the precision.
        missed: number of its images that are accepted as another class; None if that is not counted.
    """

    name: str
    support: int
    recall: float
    recall_within: Interval
    precision: float
    precision_within: Interval
    missed: int | None


@dataclass(frozen=True)
class Pair:
    """Number of test images of a class that are classified as another one, and their share of the class."""

    label: str
    predicted: str
    count: int
    share: float


def class_figures(classes: Sequence[str], confusion: Counts, accepted: Counts | None) -> list[ClassFigures]:
    """Figures of each class, from int64 `[K, K]` counts of all and of accepted answers, true class by row."""
    support, answers = confusion.sum(1), confusion.sum(0)
    recall, precision = shares_right(confusion), shares_right(confusion.T)
    recall_within, precision_within = wilson_interval(recall, support), wilson_interval(precision, answers)
    missed = None if accepted is None else accepted.sum(1) - np.diag(accepted)
    return [
        ClassFigures(
            name=name,
            support=int(support[i]),
            recall=float(recall[i]),
            recall_within=(float(recall_within[0][i]), float(recall_within[1][i])),
            precision=float(precision[i]),
            precision_within=(float(precision_within[0][i]), float(precision_within[1][i])),
            missed=None if missed is None else int(missed[i]),
        )
        for i, name in enumerate(classes)
    ]


def confused(classes: Sequence[str], confusion: Counts) -> list[Pair]:
    """All pairs of confused classes, the most frequent first."""
    errors, support = confusion - np.diag(np.diag(confusion)), confusion.sum(1)
    order = np.argsort(-errors, axis=None, kind="stable")[: np.count_nonzero(errors)]
    cells = [divmod(int(cell), len(classes)) for cell in order]
    return [Pair(classes[i], classes[j], int(errors[i, j]), float(errors[i, j] / support[i])) for i, j in cells]


def accepted_as_another(classes: Sequence[str], accepted: Counts) -> list[str]:
    """A sentence for each class with more images accepted as other classes than as itself."""
    sentences = []
    for name, row, right in zip(classes, accepted, np.diag(accepted), strict=True):
        total = int(row.sum())
        if total - right > right and total >= _FEWEST:
            others = [(int(count), other) for count, other in zip(row, classes, strict=True) if other != name]
            count, other = max(others, key=lambda each: each[0])
            sentences.append(
                f"{name} is mostly accepted as something else: "
                f"{total - right} of its {total} accepted images, {count} of them as {other}"
            )
    return sentences
