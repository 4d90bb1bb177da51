"""probabilities out of fold and labels ──▶ the share of labels that are wrong, as far as it can be shown.

Where a model disagrees with a label, one of the two is wrong. Over all rows they differ in where that happens: wrong
labels are as frequent where the model is sure as elsewhere, and name classes that nobody would confuse; errors of the
model do neither. Two shares are measured, and the larger one counts:

- of rows of which the model is surest, those with another label. This sees noise of every kind, and on hard tasks some
  errors of the model too.
- of labels as far from what the model says as most labels drawn at random are, by their number among random ones. This
  sees noise that makes any label of any other, and next to no errors of the model.

How much of the data is looked at is chosen as in the best bin estimation of Garg et al. 2021,
https://arxiv.org/abs/2111.00980: where the upper bound of the share is the least. Both take it that labels are wrong
independently of the image; where they are wrong on images that are hard to tell, both say too little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from models.runtime.sessions import Probabilities
from training.data.dataset import Labels
from training.data.images import Indices

PRIOR_ROWS = 100
"""Rows with right labels that are taken to have been seen before: a share measured on few rows is not believed."""
_SHARES = np.arange(0.05, 1.001, 0.05)
_CONFIDENCE = 0.95
_DRAWS = 100_000
_LEAST = 1e-300  # of a probability, before its logarithm


def noise_share(probabilities: Probabilities, labels: Labels, *, seed: int) -> float:
    """Share of labels that are wrong, in [0, 1]; on few rows rather too small.

    Args:
        probabilities: of K classes by models that have not seen the row, `[N, K]`.
        labels: int64 `[N]`, of which some are wrong.
        seed: of the random labels.
    """
    return max(_among_sure(probabilities, labels), _among_far(probabilities, labels, seed))


def other_labels(labels: Labels, rows: Indices, classes: int, generator: np.random.Generator) -> Labels:
    """For each of the rows any label but its own, int64 like `rows`."""
    return (labels[rows] + generator.integers(1, classes, len(rows))) % classes


def confused_labels(probabilities: Probabilities, labels: Labels) -> Labels:
    """For each class the other one that the model gives most of it to, int64 `[K]`; every class has rows."""
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
    """Log odds of what the model says against some labels, at least 0."""
    own = np.maximum(probabilities[rows, labels], _LEAST)
    distance: NDArray[np.float64] = np.log(probabilities.max(1)[rows] / own)
    return distance


def _lowest(wrong: NDArray[np.int64], rows: NDArray[np.int64] | NDArray[np.float64]) -> float:
    """Of several shares of wrong labels the one with the least upper bound (Clopper-Pearson), taken cautiously."""
    if not len(wrong):
        return 0.0
    bounds = beta.ppf(_CONFIDENCE, wrong + 1, np.maximum(rows - wrong, 1e-9))
    best = int(bounds.argmin())
    return float(max(0, wrong[best] - 1) / (rows[best] + PRIOR_ROWS))  # what happened once shows nothing
