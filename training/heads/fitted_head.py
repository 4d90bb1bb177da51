"""embedding and columns ──▶ features ──▶ scores ──▶ probabilities: a fitted head, before it is exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import Task
from models.runtime.sessions import Embedding, Interval
from training.arrays import Features
from training.heads.calibration import AS_IS, Calibration, Rescaling, Scores
from training.heads.features.encoding import NO_COLUMNS, Encoder, Rows
from training.heads.features.preparation import Scaling
from training.heads.intervals import Scale
from training.heads.kind import Kind

UNKNOWN = 10.0
"""The decision value of a class that a head was not fitted on lies this far below the lowest one."""


@dataclass(frozen=True)
class FittedHead:
    """A fitted head.

    Attributes:
        kind: of the registry.
        estimator: fitted on features and positions in `present`, or on numbers; None if only one class was present.
        encoder: makes features from embedding and columns.
        calibration: makes probabilities from its scores.
        present: positions of the classes among the rows it was fitted on, int64 `[P]`.
        classes: the number of all classes, K; 0 if it predicts a number.
        scale: how far off its numbers may be; None if that is not known.
        scaling: of the encoder's features, before the estimator sees them; None if they stay as they are.
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
        """What it does. A head for regression was fitted on numbers of mean 0 and deviation 1."""
        return "regression" if isinstance(self.calibration, Rescaling) else "classification"

    def scaled(self, features: Features) -> Features:
        """The encoder's features `[N, F]` as the estimator sees them."""
        return features if self.scaling is None else self.scaling(features)

    def scores(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """Its output before calibration, float32 `[N, K]` or `[N, 1]`."""
        features = self.scaled(self.encoder(embedding, rows))
        if self.task == "regression":
            values = self.estimator.predict(features) if len(features) else np.empty(0)
            return np.asarray(values, np.float32).reshape(-1, 1)
        of_present = self._scores_of_present(features)
        if of_present.shape[1] == self.classes:
            return of_present
        lowest = 0.0 if self.kind.has_probabilities else of_present.min(initial=0.0) - UNKNOWN
        scores = np.full((len(of_present), self.classes), lowest, np.float32)
        scores[:, self.present] = of_present
        return scores

    def __call__(self, embedding: Embedding, rows: Rows = ()) -> Scores:
        """Its output: probabilities float32 `[N, K]`, or values `[N, 1]`."""
        return self.calibration(self.scores(embedding, rows))

    def interval(self, embedding: Embedding, rows: Rows = ()) -> Interval | None:
        """The bounds of its numbers, float32 `[N, 2]`; None if they are not known."""
        if self.scale is None:
            return None
        bounds = self.scale.bounds(self.encoder(embedding, rows), self.scores(embedding, rows))
        return self.calibration(bounds)

    def _scores_of_present(self, features: Features) -> Scores:
        """Probabilities or decision values, float32 `[N, P]`; two classes have one column each, too."""
        if not len(features) or self.estimator is None:  # scikit-learn refuses an empty array
            return np.ones((len(features), len(self.present)), np.float32)
        if self.kind.has_probabilities:
            return np.asarray(self.estimator.predict_proba(features), np.float32)
        values = np.asarray(self.estimator.decision_function(features), np.float32)
        return np.stack([-values, values], axis=1) if values.ndim == 1 else values
