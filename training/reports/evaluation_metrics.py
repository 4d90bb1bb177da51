"""probabilities and labels ──▶ the figures of report and manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

RELIABILITY_BINS = 15  # as in Guo et al. 2017, https://arxiv.org/abs/1706.04599


@dataclass(frozen=True)
class Scores:
    """Scores of probabilities.

    Attributes:
        accuracy: share of right answers, in [0, 1].
        log_loss: mean, in nats.
        ece: expected calibration error, in [0, 1].
        macro_log_loss: mean over the classes that have rows of their log losses, in nats.
    """

    accuracy: float
    log_loss: float
    ece: float
    macro_log_loss: float = math.nan


@dataclass(frozen=True)
class Errors:
    """Errors of numbers: mean absolute and root mean square error in the numbers' own unit, and R squared."""

    mae: float
    rmse: float
    r2: float


@dataclass(frozen=True)
class Reliability:
    """Mean confidence, accuracy and count of each bin; arrays `[B]`, 0 in empty bins."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap, weighted by count."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((gaps * self.count).sum() / self.count.sum())


def score(probabilities: Floats, labels: Labels, weights: Floats | None = None) -> Scores:
    """Scores probabilities against labels; NaN if there are none.

    Args:
        probabilities: `[N, K]`.
        labels: class positions, int64 `[N]`.
        weights: of the rows in accuracy and log loss, `[N]`; None for equal weights.
    """
    if not len(labels):
        return Scores(math.nan, math.nan, math.nan, math.nan)
    losses = log_losses(probabilities, labels)
    hits = probabilities.argmax(1) == labels
    return Scores(
        accuracy=float(np.average(hits, weights=weights)),
        log_loss=float(np.average(losses, weights=weights)),
        ece=reliability(probabilities, labels).ece,
        macro_log_loss=float(np.average(losses, weights=balanced_weights(labels))),
    )


def log_losses(probabilities: Floats, labels: Labels) -> NDArray[np.float64]:
    """Log loss of each row, `[N]`, for probabilities `[N, K]`."""
    return np.asarray(-np.log(probabilities[np.arange(len(labels)), labels].astype(np.float64).clip(min=1e-15)))


def row_losses(answers: Floats, labels: NDArray[Any], *, is_balanced: bool = False) -> NDArray[np.float64]:
    """Loss of each row, `[N]`: log loss of probabilities `[N, K]`, or squared error of numbers `[N, 1]`.

    With `is_balanced` each class has the same weight.
    """
    if labels.dtype.kind == "f":
        return np.asarray(np.square(answers[:, 0].astype(np.float64) - labels))
    return log_losses(answers, labels) * (balanced_weights(labels) if is_balanced else 1.0)


def share_losses(labels: Labels, *, is_balanced: bool = False) -> NDArray[np.float64]:
    """`row_losses` of an answer that is the same for all rows, the shares of the classes, `[N]`.

    With `is_balanced` all shares are alike.
    """
    _, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if is_balanced:
        return balanced_weights(labels) * math.log(max(1, len(counts)))
    return np.asarray(-np.log(counts[position] / max(1, len(labels))))


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Rounds figures to six digits; leaves out those that are not finite."""
    return {name: float(f"{value:.6g}") for name, value in figures.items() if math.isfinite(value)}


def balanced_weights(labels: Labels) -> NDArray[np.float64]:
    """Row weights `[N]` of mean 1 that give each class with rows the same weight."""
    _, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(len(labels) / (len(counts) * counts[position]), np.float64)


def errors(values: Floats, truths: NDArray[np.float64]) -> Errors:
    """Errors of values `[N]` or `[N, 1]` against true numbers float64 `[N]`; NaN if there are none."""
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


def recall(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall of each class from a confusion matrix `[K, K]`, NaN for an empty row; of its transpose the precision."""
    totals = confusion.sum(axis=1)
    shares = np.full(len(totals), np.nan)
    np.divide(np.diag(confusion), totals, out=shares, where=totals > 0)
    return shares


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean of the recalls of the classes that have rows."""
    return float(np.nanmean(recall(confusion)))
