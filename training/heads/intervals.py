"""out-of-fold numbers ──▶ `Scale`: how far off a head's number may be, given the image and its columns.

Normalised conformal intervals (Lei et al. 2018, https://arxiv.org/abs/1604.04173, section 5.2): half the width is
`quantile * s(x)`. `log s` is a gamma regression of the residuals on the leading components of the embedding, the
columns and the number itself. It is used only if it predicts out-of-fold residuals better than one constant does. The
quantile is that of residual / s(x), where `s` was not fitted on the row.

Everything here is on the fitted scale, the one that the regressor is fitted on; `calibration.Rescaling` converts it
back. On the log scale a lower bound is therefore never negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import GammaRegressor

from training.arrays import Floats
from training.export.graph_builder import GraphBuilder

COVERED = 0.9
"""The share of unseen numbers that intervals should cover."""
FEWEST_ROWS = 9
"""Fewer out-of-fold numbers have no quantile that covers 90 % of others."""
SCALED_FROM = 100
"""With fewer rows all intervals have one width: they could not tell 10 components apart."""

_COMPONENTS = 64  # of the embedding at most, and one for so many rows:
_ROWS_A_COMPONENT = 10
_KNOTS = (-1.0, 0.0, 1.0)  # where the slope of log s along a column or the number may change, in deviations
_PENALTIES = (0.03, 0.3)  # of 0.1 and 0.03, the lesser covered more of the noisiest fifth of 1,000 rows: 0.84, 0.86
_FLAT = 1e-3  # of the largest deviation: a lesser component would be lost in the rounding of float32
_LEAST = 1e-3  # of the mean residual: what a smaller residual counts as, as a gamma variable is above 0


@dataclass(frozen=True)
class Scale:
    """Half the width of intervals, as a function of features and the number itself.

    Attributes:
        weights: of features and number, float32 `[F + 1, 1]`; zeros if the width is constant.
        bends: weights of the amount by which columns and number exceed each knot, float32 `[K, C + 1, 1]`.
        offset: of log s.
        low: the lowest log s in training; lower ones count as it.
        high: the highest.
        quantile: s is multiplied by it.
    """

    weights: NDArray[np.float32]
    bends: NDArray[np.float32]
    offset: float
    low: float
    high: float
    quantile: float

    @property
    def is_constant(self) -> bool:
        """Whether all intervals have the same width on the fitted scale."""
        return not (self.weights.any() or self.bends.any())

    def bounds(self, features: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lower and upper bound of numbers `[N]` or `[N, 1]` on features `[N, F]`, float32 `[N, 2]`."""
        given = np.concatenate([features, values.reshape(-1, 1)], axis=1, dtype=np.float32)
        tail = given[:, len(self.weights) - self.bends.shape[1] :]
        log = given @ self.weights + np.float32(self.offset)
        for knot, bend in zip(_KNOTS, self.bends, strict=True):
            log = log + np.maximum(tail - np.float32(knot), 0) @ bend
        half = np.exp(log.clip(np.float32(self.low), np.float32(self.high))) * np.float32(self.quantile)
        return np.concatenate([given[:, -1:] - half, given[:, -1:] + half], axis=1, dtype=np.float32)

    def add_bounds(self, build: GraphBuilder, features: str, values: str) -> str:
        """Adds the nodes of `bounds` to a graph, and returns the name of their output, float32 `[N, 2]`."""
        given = build.node("Concat", features, values, axis=1)
        start, end = len(self.weights) - self.bends.shape[1], len(self.weights)
        ends = (build.constant([at], np.int64) for at in (start, end, 1))
        tail = build.node("Slice", given, *ends)
        log = build.node("Add", build.node("MatMul", given, build.constant(self.weights)), build.constant(self.offset))
        for knot, bend in zip(_KNOTS, self.bends, strict=True):
            beyond = build.node("Relu", build.node("Sub", tail, build.constant(knot)))
            log = build.node("Add", log, build.node("MatMul", beyond, build.constant(bend)))
        kept = build.node("Clip", log, build.constant(self.low), build.constant(self.high))
        half = build.node("Mul", build.node("Exp", kept), build.constant(self.quantile))
        return build.node("Concat", build.node("Sub", values, half), build.node("Add", values, half), axis=1)


def fit_intervals(
    features: NDArray[np.float32],
    values: NDArray[np.floating],
    labels: Floats,
    folds: NDArray[np.int64],
    *,
    width: int,
) -> Scale | None:
    """Fits the width of intervals to out-of-fold numbers; returns None for fewer than 9 rows, too few for 90 %.

    Args:
        features: of the held-out rows, as the head's encoder makes them, float32 `[J, F]`.
        values: out-of-fold predictions on the fitted scale, `[J]` or `[J, 1]`.
        labels: the true numbers on the fitted scale, `[J]`.
        folds: the fold of each row, `[J]`; a row's width is evaluated without the rows of its fold.
        width: of the view of the embedding, which the features begin with; columns follow.
    """
    rank = math.ceil((len(labels) + 1) * COVERED)
    if rank > len(labels):
        return None
    values = values.astype(np.float64).reshape(-1, 1)
    off = np.abs(labels - values[:, 0])
    tried = [_constant(off, features.shape[1], width)]
    if len(labels) >= SCALED_FROM and off.any() and len(np.unique(folds)) > 1:
        basis = _Basis.of(features, values, width)
        tried += [_regression(basis, off, folds, penalty) for penalty in _PENALTIES]
    best, log = min(tried, key=lambda each: _loss(off, each[1]))
    quantile = float(np.sort(off * np.exp(-log))[rank - 1])
    return Scale(best.weights, best.bends, best.offset, float(log.min()), float(log.max()), quantile)


def _loss(off: Floats, log: Floats) -> float:
    """Minus the mean log likelihood of Laplacian residuals `[J]` whose scales have these logarithms, `[J]`."""
    return float((log + off * np.exp(-log)).mean())


@dataclass(frozen=True)
class _Linear:
    weights: NDArray[np.float32]
    bends: NDArray[np.float32]
    offset: float


def _constant(off: Floats, features: int, width: int) -> tuple[_Linear, Floats]:
    """One scale for all rows, and its logarithm for each, `[J]`."""
    log = math.log(off.mean()) if off.any() else 0.0
    zeros = np.zeros((len(_KNOTS), features - width + 1, 1), np.float32)
    return _Linear(np.zeros((features + 1, 1), np.float32), zeros, log), np.full(len(off), log)


@dataclass(frozen=True)
class _Basis:
    """What log s is linear in: components of the embedding, columns, the number, and their excess over knots.

    Attributes:
        matrix: of rows, float64 `[J, B]`.
        directions: from the centred embedding `[N, D]` to components of deviation 1, float64 `[D, B0]`.
        mean: of the embedding, float64 `[D]`.
        tail: how many columns there are, and the number.
    """

    matrix: Floats
    directions: Floats
    mean: Floats
    tail: int

    @classmethod
    def of(cls, features: NDArray[np.float32], values: Floats, width: int) -> _Basis:
        embedding, tail = features[:, :width].astype(np.float64), np.hstack([features[:, width:], values])
        count = min(_COMPONENTS, len(features) // _ROWS_A_COMPONENT)
        directions = np.eye(width)
        if width > count:
            directions = PCA(count, svd_solver="covariance_eigh").fit(embedding).components_.T
        mean = embedding.mean(0)
        components = (embedding - mean) @ directions
        deviations = components.std(0)
        is_flat = deviations <= _FLAT * deviations.max(initial=0.0)
        directions = np.where(is_flat, 0, directions / np.where(is_flat, 1, deviations))
        matrix = np.hstack([(embedding - mean) @ directions, tail, *(np.maximum(tail - knot, 0) for knot in _KNOTS)])
        return cls(matrix, directions, mean, tail.shape[1])

    def to_linear(self, fitted: GammaRegressor) -> _Linear:
        """The regression as a function of features and number."""
        of_components, of_rest = np.split(fitted.coef_, [self.directions.shape[1]])
        of_embedding, (of_tail, *bends) = self.directions @ of_components, of_rest.reshape(-1, self.tail)
        weights = np.concatenate([of_embedding, of_tail])[:, None].astype(np.float32)
        offset = float(fitted.intercept_ - self.mean @ of_embedding)
        return _Linear(weights, np.array(bends, np.float32)[..., None], offset)


def _regression(basis: _Basis, off: Floats, folds: NDArray[np.int64], penalty: float) -> tuple[_Linear, Floats]:
    """A regression on all rows, and the out-of-fold log s of each row, `[J]`."""
    positive = np.maximum(off, _LEAST * off.mean())
    log = np.empty(len(off))
    for fold in np.unique(folds):
        held = folds == fold
        fitted = _fit(basis.matrix[~held], positive[~held], penalty)
        log[held] = basis.matrix[held] @ fitted.coef_ + fitted.intercept_
    return basis.to_linear(_fit(basis.matrix, positive, penalty)), log


def _fit(matrix: Floats, off: Floats, penalty: float) -> GammaRegressor:
    return GammaRegressor(alpha=penalty, max_iter=1000, solver="newton-cholesky").fit(matrix, off)
