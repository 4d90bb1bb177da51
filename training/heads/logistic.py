"""features and classes ──▶ a fitted `LogisticRegression`, with a penalty of its own for each feature.

scikit-learn's penalty is one number for all. Columns times a weight are the same as columns whose penalty is divided by
its square; but the former are so unlike the embedding in size that L-BFGS has not converged after 100 steps, where with
the latter it takes 50 (2,000 rows of 64 + 8 features, weight 100). A fit may start from another one's weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

Features = NDArray[np.float32]
Floats = NDArray[np.float64]

_TOLERANCE = 1e-4  # of the gradient of the mean loss, as in scikit-learn
_LEAST_GAIN = 1e-7  # relative, of the loss in one step, below which no more are taken
_STEPS = 100


def fit_logistic(
    model: LogisticRegression,
    features: Features,
    labels: NDArray[np.int64],
    size: Features,
    *,
    weights: Floats | None = None,
    begin: Floats | None = None,
) -> None:
    """Fits a model in place.

    Args:
        model: says `C`; what is minimized is the one that scikit-learn documents.
        features: float32 `[N, F]`.
        labels: from 0 to K - 1, each of which is there, int64 `[N]`.
        size: what each feature is divided by while it is fitted, so that all are about as large, float32 `[F]`.
        weights: of the rows, `[N]`; None where all weigh the same.
        begin: weights and offsets to start from, `[F + 1, K]`, or `[F + 1, 1]` of two classes; of features that are
            divided by their size.
    """
    classes = int(labels.max()) + 1
    count = 1 if classes == 2 else classes
    shares = np.full(len(labels), 1.0) if weights is None else weights
    penalties = 1 / (model.C * len(labels) * size.astype(np.float64) ** 2)
    loss = _Loss(features / size, labels, shares / len(labels), penalties=penalties, count=count)
    if begin is None:
        begin = np.zeros((features.shape[1] + 1, count))
    options = {"maxiter": _STEPS, "gtol": _TOLERANCE, "ftol": _LEAST_GAIN}
    found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    fitted = found.x.reshape(begin.shape)
    model.classes_ = np.arange(classes)
    model.coef_ = (fitted[:-1] / size[:, None]).T.astype(np.float32)
    model.intercept_ = fitted[-1].astype(np.float32)
    model.n_features_in_ = features.shape[1]
    model.n_iter_ = np.array([found.nit], np.int32)


class _Loss:
    """Mean log loss with penalty, and its gradient, of weights `[F + 1, K]`, the last of them the offsets.

    Classes are rows here and samples columns, as NumPy sums over rows several times as fast as over short columns.

    Args:
        features: `[N, F]`.
        labels: `[N]`.
        shares: of the rows in the mean, `[N]`.
        penalties: of the features, `[F]`.
        count: columns of weights; one less than there are classes where there are two.
    """

    def __init__(
        self, features: Features, labels: NDArray[np.int64], shares: Floats, *, penalties: Floats, count: int
    ) -> None:
        self._features = features
        self._true = labels, np.arange(len(labels))
        self._shares = shares.astype(np.float32)
        self._penalties = penalties[:, None]
        self._shape = (features.shape[1] + 1, count)

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        matrix = flat.reshape(self._shape)
        narrow = matrix.astype(np.float32)
        logits = narrow[:-1].T @ self._features.T + narrow[-1][:, None]
        if len(logits) == 1:  # of two classes the first one's logit is 0
            logits = np.vstack([np.zeros_like(logits), logits])
        logits -= logits.max(0)
        true = logits[self._true]
        powers = np.exp(logits, out=logits)
        sums = powers.sum(0)
        losses = np.log(sums) - true
        powers *= self._shares / sums
        powers[self._true] -= self._shares
        slopes = powers[-self._shape[1] :]
        penalty = self._penalties * matrix[:-1]
        gradient = np.vstack([(slopes @ self._features).T + penalty, slopes.sum(1)])
        total = np.dot(losses, self._shares) + (penalty * matrix[:-1]).sum() / 2
        return float(total), np.asarray(gradient, np.float64).ravel()
