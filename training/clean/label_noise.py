"""out-of-fold probabilities and labels ──▶ the share of labels that are wrong, estimated cautiously.

Where a model disagrees with a label, one of the two is wrong. Wrong labels are as frequent where the model is confident
as elsewhere, and they name classes that nobody would confuse; errors of the model do neither. Two shares are measured,
and the larger one counts:

- among the rows where the model is most confident, the share with another label. It counts noise of every kind, and on
  hard tasks some errors of the model as well.
- among labels as improbable as most random labels are, their number divided by that of random ones. It counts noise
  that turns any label into any other, and hardly any errors of the model.

How much of the data is used is chosen as in the best bin estimation of Garg et al. 2021,
https://arxiv.org/abs/2111.00980: where the upper bound of the share is lowest. Both assume that labels are wrong
independently of the image; if they are wrong on hard images, both estimates are too low.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from models.runtime.sessions import Probabilities
from training.data.dataset import Labels
from training.data.images import Indices

PRIOR_ROWS = 100
"""Rows with right labels that are assumed to have been seen before, so that a share of few rows counts for little."""
_SHARES = np.arange(0.05, 1.001, 0.05)
_CONFIDENCE = 0.95
_DRAWS = 100_000
_LEAST = 1e-300  # of a probability, before its logarithm


def noise_share(probabilities: Probabilities, labels: Labels, *, seed: int) -> float:
    """The share of labels that are wrong, in [0, 1]; with few rows it is rather too low.

    Args:
        probabilities: out-of-fold probabilities of K classes, `[N, K]`.
        labels: int64 `[N]`, some of them wrong.
        seed: of the random labels.
    """
    return max(_among_sure(probabilities, labels), _among_far(probabilities, labels, seed))


def other_labels(labels: Labels, rows: Indices, classes: int, generator: np.random.Generator) -> Labels:
    """A random other label for each of the rows, int64 like `rows`."""
    return (labels[rows] + generator.integers(1, classes, len(rows))) % classes


def confused_labels(probabilities: Probabilities, labels: Labels) -> Labels:
    """The class that the model confuses each class with most, int64 `[K]`; every class has rows."""
    count = probabilities.shape[1]
    means = np.stack([probabilities[labels == label].mean(0) for label in range(count)])
    np.fill_diagonal(means, -1)
    confused: Labels = means.argmax(1)
    return confused


def _among_sure(probabilities: Probabilities, labels: Labels) -> float:
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    order = np.lexsort((-confidence, predicted))
    sizes = np.bincount(predicted, minlength=probabilities.shape[1])
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.empty(len(labels))
    rank[order] = (np.arange(len(labels)) - starts + 1) / np.repeat(sizes, sizes)  # within the predicted class
    sure = rank <= _SHARES[:, None]
    return _lowest((sure & (predicted != labels)).sum(1), sure.sum(1))


def _among_far(probabilities: Probabilities, labels: Labels, seed: int) -> float:
    count, classes = probabilities.shape
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, count, _DRAWS)
    drawn = _distance(probabilities, rows, other_labels(labels, rows, classes, generator))
    given = _distance(probabilities, np.arange(count), labels)
    limits = np.quantile(drawn, 1 - _SHARES)
    limits = limits[limits > 0]  # 0 is the distance of the label that the model gives
    return _lowest(
        np.array([(given >= limit).sum() for limit in limits]),
        np.array([count * (drawn >= limit).mean() for limit in limits]),
    )


def _distance(probabilities: Probabilities, rows: Indices, labels: Labels) -> NDArray[np.float64]:
    """Log odds of the model's class against some labels, at least 0."""
    own = np.maximum(probabilities[rows, labels], _LEAST)
    distance: NDArray[np.float64] = np.log(probabilities.max(1)[rows] / own)
    return distance


def _lowest(wrong: NDArray[np.int64], rows: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """The share of wrong labels with the lowest upper bound (Clopper-Pearson), lowered a little."""
    if not len(wrong):
        return 0.0
    bounds = beta.ppf(_CONFIDENCE, wrong + 1, np.maximum(rows - wrong, 1e-9))
    best = int(bounds.argmin())
    return float(max(0, wrong[best] - 1) / (rows[best] + PRIOR_ROWS))  # a single wrong label shows nothing
