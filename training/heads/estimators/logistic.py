"""features and classes ──▶ a fitted `LogisticRegression`, with its own penalty for each feature.

scikit-learn has one penalty for all features. Multiplying columns by a weight has the same optimum as dividing their
penalty by its square; but multiplied columns are so much larger than the embedding that L-BFGS has not converged after
100 steps, while with divided penalties it takes 50 (2,000 rows of 64 + 8 features, weight 100). A fit may start from
the weights of another one.

With few features L-BFGS is preconditioned: for each class by the curvature of the loss at the start, measured on some
rows, and measured again every 25 steps. From a warm start that takes about half the evaluations and ends at a lower
loss (1,600 rows of 64 + 8 features, 10 classes, C three times that of the
start: 17 to 23 evaluations at a least gain of 1e-6 for 43 to 45 at 1e-7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from sklearn.linear_model import LogisticRegression

from training.arrays import Features, Floats

_TOLERANCE = 1e-4  # of the gradient of the mean loss, as in scikit-learn
_LEAST_GAIN = 5e-6  # of the loss in one step, below which the fit ends
_LEAST_GAIN_PLAIN = 1e-7  # the same without preconditioning, where steps are shorter
_STEPS = 100
_STEPS_A_CURVATURE = 25
_ROWS_A_FEATURE = 20  # on which curvature is measured
_ROWS_A_SQUARE = 1 / 20
"""From this many rows for each F^2 on, the curvature costs less than the steps it saves: it takes some 20 F^3
operations, a step 4 N F, for each class."""
_LEAST_SHARE = (
    1e-5  # of the mean curvature that each feature has at least; float32 sums of alike ones leave less than 0
)
_LEAST_CURVATURE = 1e-3  # of a row, so that rows which are told apart for sure count a little


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
        model: has `C`; the objective is the one that scikit-learn documents.
        features: float32 `[N, F]`.
        labels: from 0 to K - 1, each of them present, int64 `[N]`.
        size: what each feature is divided by while it is fitted, so that all are about as large, float32 `[F]`.
        weights: of the rows, `[N]`; None if all have the same.
        begin: weights and offsets to start from, of features divided by their size, `[F + 1, K]`, or `[F + 1, 1]` for
            two classes.
    """
    classes = int(labels.max()) + 1
    count = 1 if classes == 2 else classes
    shares = np.full(len(labels), 1.0) if weights is None else weights
    penalties = 1 / (model.C * len(labels) * size.astype(np.float64) ** 2)
    loss = _Loss(features / size, labels, shares / len(labels), penalties=penalties, count=count)
    if begin is None:
        begin = np.zeros((features.shape[1] + 1, count))
    fitted, steps = _fit_weights(loss, begin)
    model.classes_ = np.arange(classes)
    model.coef_ = (fitted[:-1] / size[:, None]).T.astype(np.float32)
    model.intercept_ = fitted[-1].astype(np.float32)
    model.n_features_in_ = features.shape[1]
    model.n_iter_ = np.array([steps], np.int32)


def _fit_weights(loss: _Loss, weights: Floats) -> tuple[Floats, int]:
    """The weights with the lowest loss `[F + 1, K]`, and the number of steps to them from some weights."""
    if not loss.is_long:
        found = _minimize(loss, weights.ravel(), _STEPS, _LEAST_GAIN_PLAIN)
        return found.x.reshape(weights.shape), found.nit
    steps = 0
    while steps < _STEPS:
        preconditioned = _PreconditionedLoss(loss, weights)
        found = _minimize(preconditioned, preconditioned.begin, _STEPS_A_CURVATURE, _LEAST_GAIN)
        weights, steps = preconditioned.weights(found.x), steps + found.nit
        if found.nit < _STEPS_A_CURVATURE:
            break
    return weights, steps


def _minimize(loss: _Loss | _PreconditionedLoss, begin: Floats, steps: int, least_gain: float) -> OptimizeResult:
    options = {"maxiter": steps, "gtol": _TOLERANCE, "ftol": least_gain}
    return minimize(loss, begin, jac=True, method="L-BFGS-B", options=options)


class _PreconditionedLoss:
    """A loss in coordinates in which its curvature near some weights is about the same in all directions.

    Args:
        loss: of weights.
        near: the weights, `[F + 1, K]`.
    """

    def __init__(self, loss: _Loss, near: Floats) -> None:
        self._loss = loss
        self._shape = near.T.shape
        lower = np.asarray(np.linalg.cholesky(loss.curvature(near)), np.float64)
        self._back = np.asarray(np.linalg.inv(lower), np.float64).swapaxes(1, 2)
        self._forth = np.ascontiguousarray(self._back.swapaxes(1, 2))
        self.begin = _multiply(lower.swapaxes(1, 2), near.T).ravel()

    def weights(self, flat: Floats) -> Floats:
        """Weights `[F + 1, K]` at coordinates."""
        return _multiply(self._back, flat.reshape(self._shape)).T

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        """The loss and its gradient."""
        value, gradient = self._loss(self.weights(flat).ravel())
        return value, _multiply(self._forth, gradient.reshape(self._shape[::-1]).T).ravel()


def _multiply(matrices: Floats, vectors: Floats) -> Floats:
    """Multiplies, for each class, `[K, F + 1, F + 1]` by `[K, F + 1]`."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])


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
        self._features = np.ascontiguousarray(features.T)
        self._true = labels, np.arange(len(labels))
        self._shares = shares.astype(np.float32)
        self._exact_shares = shares
        self._penalties = penalties[:, None]
        self._shape = (features.shape[1] + 1, count)

    @property
    def is_long(self) -> bool:
        """Whether there are so many rows that measuring the curvature pays."""
        return bool(len(self._shares) >= _ROWS_A_SQUARE * self._shape[0] ** 2)

    def curvature(self, matrix: Floats) -> Floats:
        """Approximate second derivatives at weights, for each class, float64 `[K, F + 1, F + 1]`."""
        few = slice(None, None, max(1, self._features.shape[1] // (_ROWS_A_FEATURE * self._shape[0])))
        features = np.pad(self._features[:, few], ((0, 1), (0, 0)), constant_values=1)
        powers = np.exp(self._logits(matrix, few))
        likely = powers / powers.sum(0)
        shares = (likely * (1 - likely) + _LEAST_CURVATURE) * self._shares[few] / self._shares[few].sum()
        curved = np.stack([(features * share) @ features.T for share in shares[-self._shape[1] :]])
        curved = curved.astype(np.float64)
        diagonal = np.arange(self._shape[0])
        least = _LEAST_SHARE * curved[:, diagonal, diagonal].mean(1, keepdims=True)
        curved[:, diagonal, diagonal] += least + np.append(self._penalties[:, 0], 0)
        return curved

    def _logits(self, matrix: Floats, rows: slice) -> Features:
        """Logits minus the largest of each row, `[K, N]`."""
        narrow = matrix.astype(np.float32)
        logits = np.ascontiguousarray(narrow[:-1].T) @ self._features[:, rows] + narrow[-1][:, None]
        if len(logits) == 1:  # of two classes the first one's logit is 0
            logits = np.vstack([np.zeros_like(logits), logits])
        logits -= logits.max(0)
        return np.asarray(logits)

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        matrix = flat.reshape(self._shape)
        logits = self._logits(matrix, slice(None))
        true = logits[self._true]
        powers = np.exp(logits, out=logits)
        sums = powers.sum(0)
        losses = np.log(sums) - true
        powers *= self._shares / sums
        powers[self._true] -= self._shares
        slopes = powers[-self._shape[1] :]
        penalty = self._penalties * matrix[:-1]
        gradient = np.vstack([self._features @ slopes.T + penalty, slopes.sum(1)])
        total = np.dot(losses, self._exact_shares) + (penalty * matrix[:-1]).sum() / 2
        return float(total), np.asarray(gradient, np.float64).ravel()
