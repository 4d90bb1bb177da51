"""a fitted linear head ──▶ the same on its encoder's features: the scaling is folded into the weights."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from training.heads.decider import UNKNOWN, Decider
from training.heads.linear import Linear
from training.heads.preparation import Scaling


def can_fold(estimator: Any) -> bool:
    """Whether an estimator is linear in its features."""
    return hasattr(estimator, "coef_") and hasattr(estimator, "intercept_") and not hasattr(estimator, "support_")


def folded(estimator: Any, scaling: Scaling | None) -> Any:
    """A linear estimator of scikit-learn on features as they are before scaling."""
    if scaling is None:
        return estimator
    plain = copy(estimator)
    weights = np.asarray(estimator.coef_, np.float64) * scaling.factor.astype(np.float64)
    plain.coef_ = weights.astype(np.float32)
    plain.intercept_ = np.asarray(estimator.intercept_ - weights @ scaling.mean.astype(np.float64), np.float32)
    return plain


def linear_of(decider: Decider) -> Linear:
    """The weights of a fitted logistic regression, or of a ridge, on its encoder's features.

    scikit-learn gives two classes one logit, which is split between them here. A class that the model was not fitted on
    is `UNKNOWN` below the least likely one.
    """
    if decider.task == "regression":
        plain = folded(decider.estimator, decider.scaling)
        return Linear(plain.coef_.reshape(-1, 1), plain.intercept_.reshape(1))
    weights, offset = _of_present(decider)
    least = offset.min() - UNKNOWN
    whole = Linear(np.zeros((len(weights), decider.classes), np.float32), np.full(decider.classes, least, np.float32))
    whole.weights[:, decider.present], whole.offset[decider.present] = weights, offset
    return whole


def _of_present(decider: Decider) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[F, P]` and offsets `[P]` of the classes that a logistic regression was fitted on."""
    if decider.estimator is None:  # one class was present
        features = 0 if decider.scaling is None else len(decider.scaling.factor)
        return np.zeros((features, len(decider.present))), np.zeros(len(decider.present))
    plain = folded(decider.estimator, decider.scaling)
    if len(plain.coef_) == 1:
        return plain.coef_.T * [[-0.5, 0.5]], plain.intercept_ * [-0.5, 0.5]
    return plain.coef_.T, plain.intercept_
