"""a fitted linear head ──▶ the same on its encoder's features: the scaling's factor is folded into the weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.heads.estimators.linear import Linear
from training.heads.fitted_head import UNKNOWN, Decider

Floats = NDArray[np.float64]


def linear_of(decider: Decider) -> Linear:
    """The weights of a fitted logistic regression, or of a ridge, on its encoder's features.

    scikit-learn gives two classes one logit, which is split between them here. A class that the model was not fitted on
    is `UNKNOWN` below the least likely one.
    """
    weights, offset = _fitted(decider)
    if decider.task == "classification":
        weights, offset = _of_all(decider, weights, offset)
    mean = None
    if decider.scaling is not None:
        weights = weights * decider.scaling.factor[:, None]
        mean = decider.scaling.mean if decider.scaling.mean.any() else None
    return Linear(weights.astype(np.float32), offset.astype(np.float32), mean)


def _fitted(decider: Decider) -> tuple[Floats, Floats]:
    """Weights `[F, P]` and offsets `[P]` of the classes that an estimator was fitted on; of numbers P is 1."""
    if decider.estimator is None:  # one class was present
        features = 0 if decider.scaling is None else len(decider.scaling.factor)
        return np.zeros((features, len(decider.present))), np.zeros(len(decider.present))
    weights = np.atleast_2d(decider.estimator.coef_).T.astype(np.float64)
    offset = np.atleast_1d(decider.estimator.intercept_).astype(np.float64)
    if len(decider.present) == 2:
        return weights * [[-0.5, 0.5]], offset * [-0.5, 0.5]
    return weights, offset


def _of_all(decider: Decider, weights: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Weights `[F, K]` and offsets `[K]` of all classes."""
    whole, offsets = np.zeros((len(weights), decider.classes)), np.full(decider.classes, offset.min() - UNKNOWN)
    whole[:, decider.present], offsets[decider.present] = weights, offset
    return whole, offsets
