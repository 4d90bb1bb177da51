"""a fitted linear head ──▶ the same model on unscaled features: the scaling is folded into the weights."""

from __future__ import annotations

import numpy as np

from training.arrays import Floats
from training.heads.estimators.linear import Linear
from training.heads.fitted_head import UNKNOWN, FittedHead


def linear_of(head: FittedHead) -> Linear:
    """The weights of a fitted logistic regression or ridge on its encoder's features.

    scikit-learn gives two classes one logit, which is split between them here. The logit of a class that the model was
    not fitted on is `UNKNOWN` below the lowest.
    """
    weights, offset = _of_present_classes(head)
    if head.task == "classification":
        weights, offset = _of_all_classes(head, weights, offset)
    mean = None
    if head.scaling is not None:
        weights = weights * head.scaling.factor[:, None]
        mean = head.scaling.mean if head.scaling.mean.any() else None
    return Linear(weights.astype(np.float32), offset.astype(np.float32), mean)


def _of_present_classes(head: FittedHead) -> tuple[Floats, Floats]:
    """Weights `[F, P]` and offsets `[P]` of the classes that an estimator was fitted on; P is 1 for numbers."""
    if head.estimator is None:  # one class was present
        features = 0 if head.scaling is None else len(head.scaling.factor)
        return np.zeros((features, len(head.present))), np.zeros(len(head.present))
    weights = np.atleast_2d(head.estimator.coef_).T.astype(np.float64)
    offset = np.atleast_1d(head.estimator.intercept_).astype(np.float64)
    if len(head.present) == 2:
        return weights * [[-0.5, 0.5]], offset * [-0.5, 0.5]
    return weights, offset


def _of_all_classes(head: FittedHead, weights: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Weights `[F, K]` and offsets `[K]` of all classes."""
    whole, offsets = np.zeros((len(weights), head.classes)), np.full(head.classes, offset.min() - UNKNOWN)
    whole[:, head.present], offsets[head.present] = weights, offset
    return whole, offsets
