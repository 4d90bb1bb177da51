"""a head and the test images ──▶ `Evaluation`: what the head answers, beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Interval, Probabilities
from training.data.images import Indices
from training.export.exported_head import ExportedHead, accepted
from training.heads.registry import REGISTRY, kind_named
from training.reports import evaluation_metrics
from training.stages.training_data import TrainingData

CNN = "CNN softmax"
LOGISTIC = f"{REGISTRY['logistic_regression'].title} on the embedding"
BASELINES = {CNN: "test_accuracy_cnn_softmax", LOGISTIC: "test_accuracy_logistic_regression"}
"""Names of the baselines' rows, and of their accuracies in the manifest."""


@dataclass(frozen=True)
class Evaluation:
    """Answers on the test images, one row for the head and one for each baseline.

    Attributes:
        served: name of the head's row.
        outputs: by name of the row, probabilities float32 `[T, K]` or values `[T, 1]`.
        labels: class positions, int64 `[T]`, or numbers, float64 `[T]`.
        accepted: which of the head's answers its policy accepts, bool `[T]`.
        eligible: which of them it accepts at any confidence, bool `[T]`.
        outliers: which images are outliers, bool `[T]`.
        counted: which images count: those that have no copy in another part, bool `[T]`.
        positions: of the test images in the data set, `[T]`.
        intervals: bounds of the head's numbers, `[T, 2]`; None if it has none.
    """

    served: str
    outputs: Mapping[str, Probabilities]
    labels: NDArray[Any]
    accepted: NDArray[np.bool_]
    eligible: NDArray[np.bool_]
    outliers: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    positions: Indices
    intervals: Interval | None = None

    @property
    def answers(self) -> Probabilities:
        """The head's answers."""
        return self.outputs[self.served]

    def without_copies(self) -> Evaluation:
        """The same for the images that count."""
        kept = self.counted
        return Evaluation(
            served=self.served,
            outputs={name: values[kept] for name, values in self.outputs.items()},
            labels=self.labels[kept],
            accepted=self.accepted[kept],
            eligible=self.eligible[kept],
            outliers=self.outliers[kept],
            counted=kept[kept],
            positions=self.positions[kept],
            intervals=None if self.intervals is None else self.intervals[kept],
        )

    def scores(self) -> dict[str, evaluation_metrics.Scores]:
        """Accuracy, log loss and calibration error of each row."""
        return {name: evaluation_metrics.score(values, self.labels) for name, values in self.outputs.items()}

    def errors(self) -> dict[str, evaluation_metrics.Errors]:
        """Errors of each row's numbers."""
        return {name: evaluation_metrics.errors(values, self.labels) for name, values in self.outputs.items()}


def evaluate(head: ExportedHead, data: TrainingData, baselines: Mapping[str, Probabilities]) -> Evaluation:
    """Answers all test images.

    Args:
        head: the one that serves.
        data: has the test images.
        baselines: answers of others on the test images, by name of the row, `[T, K]` or `[T, 1]`.
    """
    answers, intervals = head.head.answer(data.test.embedding, data.test.rows)
    found = _evaluation(head, data, data.parts.test, answers)
    return replace(found, outputs={**baselines, **found.outputs}, intervals=intervals)


def evaluate_out_of_fold(head: ExportedHead, data: TrainingData) -> Evaluation:
    """What a head that was fitted just now answers out of fold, where there are no test images."""
    assert head.held_out is not None
    found = _evaluation(head, data, data.held_out, head.held_out.answers)
    return replace(found, accepted=head.held_out.accepted)


def _evaluation(head: ExportedHead, data: TrainingData, positions: Indices, answers: Probabilities) -> Evaluation:
    rows, kind, policy = data.at(positions), kind_named(head.spec.kind), head.spec.policy
    beside = " and the columns" if data.dataset.columns else ""
    served = kind.title if kind.needs_columns else f"{kind.title} on the embedding{beside}"
    distances = head.distances(rows.embedding)
    at_any_confidence = policy.model_copy(update={"min_confidence": 0.0, "min_confidence_of": {}})
    lax = head.spec.model_copy(update={"policy": at_any_confidence})
    return Evaluation(
        served=served,
        outputs={served: answers},
        labels=rows.labels,
        accepted=accepted(head.spec, answers, distances, rows.rows),
        eligible=accepted(lax, answers, distances, rows.rows),
        outliers=distances > (math.inf if policy.max_distance is None else policy.max_distance),
        counted=~np.isin(positions, data.parts.copied),
        positions=positions,
    )
