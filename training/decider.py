"""embedding and columns ──▶ features ──▶ scores ──▶ probabilities: a fitted head, before it is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Task
from models.sessions import Embedding
from training.calibration import AS_IS, Calibration, Rescaling, Scores
from training.catalogue import Kind
from training.encoding import NO_COLUMNS, Encoder, Rows


@dataclass(frozen=True)
class Decider:
    """A fitted head.

    Attributes:
        kind: of the catalogue.
        estimator: fitted on features and class positions.
        encoder: makes features of embedding and columns.
        calibration: makes probabilities of its scores.
    """

    kind: Kind
    estimator: Any
    encoder: Encoder = NO_COLUMNS
    calibration: Calibration = AS_IS

    @property
    def task(self) -> Task:
        """Whether it names a number: then it was fitted on those of mean 0 and deviation 1."""
        return "regression" if isinstance(self.calibration, Rescaling) else "classification"

    def scores(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """What it says, uncalibrated, float32 `[N, K]` or `[N, 1]`."""
        if self.task == "regression":
            features = self.encoder(embedding, rows)
            values = self.estimator.predict(features) if len(features) else np.empty(0)
            return np.asarray(values, np.float32).reshape(-1, 1)
        return scores_of(self.kind, self.estimator, self.encoder(embedding, rows))

    def __call__(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """What it says: probabilities float32 `[N, K]`, or values `[N, 1]`."""
        return self.calibration(self.scores(embedding, rows))


def scores_of(kind: Kind, estimator: Any, features: NDArray[np.float32]) -> Scores:
    """Probabilities, or decision values, float32 `[N, K]`, of a classifier; of two classes, too, one column each."""
    if not len(features):  # scikit-learn refuses an empty array
        return np.empty((0, len(estimator.classes_)), np.float32)
    if kind.has_probabilities:
        return np.asarray(estimator.predict_proba(features), np.float32)
    values = np.asarray(estimator.decision_function(features), np.float32)
    return np.stack([-values, values], axis=1) if values.ndim == 1 else values
