"""probabilities and labels ──▶ the figures that the report and the manifest give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

RELIABILITY_BINS = 15  # as in Guo et al. 2017, https://arxiv.org/abs/1706.04599


@dataclass(frozen=True)
class Scores:
    """How good probabilities are: accuracy in [0, 1], log loss in nats, expected calibration error in [0, 1]."""

    accuracy: float
    log_loss: float
    ece: float


@dataclass(frozen=True)
class Errors:
    """How far numbers are off: mean absolute and root mean square error in the number's own unit, and R squared."""

    mae: float
    rmse: float
    r2: float


@dataclass(frozen=True)
class Reliability:
    """Mean confidence, accuracy and count of each bin; arrays `[B]`, 0 where a bin is empty."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap, weighted by count."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((gaps * self.count).sum() / self.count.sum())


def score(probabilities: Floats, labels: Labels) -> Scores:
    """Scores `[N, K]` probabilities against int64 `[N]` labels; NaN where there are none."""
    if not len(labels):
        return Scores(math.nan, math.nan, math.nan)
    picked = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    hits = probabilities.argmax(1) == labels
    return Scores(
        accuracy=float(hits.mean()),
        log_loss=float(-np.log(picked.clip(min=1e-15)).mean()),
        ece=reliability(probabilities, labels).ece,
    )


def errors(values: Floats, truths: NDArray[np.float64]) -> Errors:
    """How far values `[N]` or `[N, 1]` are from float64 `[N]` truths; NaN where there are none."""
    if not len(truths):
        return Errors(math.nan, math.nan, math.nan)
    off = values.reshape(-1).astype(np.float64) - truths
    spread = float(np.square(truths - truths.mean()).mean())
    square = float(np.square(off).mean())
    return Errors(float(np.abs(off).mean()), math.sqrt(square), 1 - square / spread if spread else math.nan)


def reliability(probabilities: Floats, labels: Labels) -> Reliability:
    """Bins predictions by the probability of the predicted class."""
    confidence = probabilities.max(1)
    hits = probabilities.argmax(1) == labels
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    count = np.bincount(bins, minlength=RELIABILITY_BINS)
    divisor = np.maximum(count, 1)
    return Reliability(
        confidence=np.bincount(bins, confidence, RELIABILITY_BINS) / divisor,
        accuracy=np.bincount(bins, hits, RELIABILITY_BINS) / divisor,
        count=count,
    )


def confusion(probabilities: Floats, labels: Labels) -> NDArray[np.int64]:
    """Counts `[K, K]`: true class by row, predicted class by column."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
