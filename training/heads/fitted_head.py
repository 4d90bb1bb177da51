"""embedding and columns ──▶ features ──▶ scores ──▶ probabilities: a fitted head, before it is exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import Task
from models.runtime.sessions import Embedding, Interval
from training.heads.calibration import AS_IS, Calibration, Rescaling, Scores
from training.heads.features.encoding import NO_COLUMNS, Encoder, Rows
from training.heads.features.preparation import Scaling
from training.heads.intervals import Scale
from training.heads.registry import Kind

UNKNOWN = 10.0
"""A class that a head was not fitted on has a decision value that is so much below the least one."""


@dataclass(frozen=True)
class Decider:
    """A fitted head.

    Attributes:
        kind: of the registry.
        estimator: fitted on features and positions in `present`, or on numbers; None where one class was present.
        encoder: makes features of embedding and columns.
        calibration: makes probabilities of its scores.
        present: class positions that were among the rows it was fitted on, int64 `[P]`.
        classes: how many there are in all, K.
        scale: how far off its numbers may be; None where nobody knows.
        scaling: of the encoder's features, before the estimator has them; None where they stay as they are.
    """

    kind: Kind
    estimator: Any
    encoder: Encoder = NO_COLUMNS
    calibration: Calibration = AS_IS
    present: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    classes: int = 0
    scale: Scale | None = None
    scaling: Scaling | None = None

    @property
    def task(self) -> Task:
        """Whether it names a number: then it was fitted on those of mean 0 and deviation 1."""
        return "regression" if isinstance(self.calibration, Rescaling) else "classification"

    def scaled(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The encoder's features `[N, F]` as the estimator wants them."""
        return features if self.scaling is None else self.scaling(features)

    def scores(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """What it says, uncalibrated, float32 `[N, K]` or `[N, 1]`."""
        features = self.scaled(self.encoder(embedding, rows))
        if self.task == "regression":
            values = self.estimator.predict(features) if len(features) else np.empty(0)
            return np.asarray(values, np.float32).reshape(-1, 1)
        said = self._scores_of_present(features)
        if said.shape[1] == self.classes:
            return said
        least = 0.0 if self.kind.has_probabilities else said.min(initial=0.0) - UNKNOWN
        scores = np.full((len(said), self.classes), least, np.float32)
        scores[:, self.present] = said
        return scores

    def __call__(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """What it says: probabilities float32 `[N, K]`, or values `[N, 1]`."""
        return self.calibration(self.scores(embedding, rows))

    def interval(self, embedding: Embedding, rows: Rows = ()) -> Interval | None:
        """The bounds of its numbers, float32 `[N, 2]`; None where nobody knows."""
        if self.scale is None:
            return None
        bounds = self.scale.bounds(self.encoder(embedding, rows), self.scores(embedding, rows))
        return self.calibration(bounds)

    def _scores_of_present(self, features: NDArray[np.float32]) -> Scores:
        """Probabilities, or decision values, float32 `[N, P]`; of two classes, too, one column each."""
        if not len(features) or self.estimator is None:  # scikit-learn refuses an empty array
            return np.ones((len(features), len(self.present)), np.float32)
        if self.kind.has_probabilities:
            return np.asarray(self.estimator.predict_proba(features), np.float32)
        values = np.asarray(self.estimator.decision_function(features), np.float32)
        return np.stack([-values, values], axis=1) if values.ndim == 1 else values
