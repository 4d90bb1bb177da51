"""hashes and embeddings ──▶ outliers: images of one colour, very dark or bright, or far from all others.

Brightness and distance are compared with those of the other images. An outlier lies beyond the quartiles by more than
two interquartile ranges, as 4 of 10,000 normally distributed values do (Tukey 1977, Exploratory Data Analysis, has the
rule with 1.5 and 3). Brightness is compared by its logit, as it is limited to 0 to 255, and distance by its logarithm,
as it is skewed. Of Fashion-MNIST's 70,000 images 5 are outliers by brightness and 23 by distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.clean.copies.nearest_copies import nearest
from training.clean.copies.perceptual_hash import PerceptualHashes

NEIGHBOURS = 5
"""The distance to the fifth nearest neighbour counts, so that four copies do not make an outlier look normal."""
MIN_CONTRAST = 4.0
"""In levels of 255; the lowest of Fashion-MNIST's images is 16."""
FENCE = 2.0
_LEAST_RANGE = 0.1  # of logit or logarithm: among images of almost equal brightness small differences make no outlier


@dataclass(frozen=True)
class Outlier:
    """An image unlike the others, and the reason, as people read it."""

    position: int
    reason: str


def find_outliers(hashes: PerceptualHashes, embedding: Embedding) -> list[Outlier]:
    """Finds outliers, each once, for the first reason that holds; images of one colour first, then the farthest.

    Args:
        hashes: of N images.
        embedding: float32 `[N, D]` of the same.
    """
    found: dict[int, Outlier] = {}
    for outlier in (*_of_one_colour(hashes), *_dark_or_bright(hashes), *_far(embedding)):
        found.setdefault(outlier.position, outlier)
    return list(found.values())


def _of_one_colour(hashes: PerceptualHashes) -> Iterator[Outlier]:
    for position in np.flatnonzero(hashes.contrast < MIN_CONTRAST).tolist():
        yield Outlier(position, "one colour" if hashes.contrast[position] == 0 else "nearly one colour")


def _dark_or_bright(hashes: PerceptualHashes) -> Iterator[Outlier]:
    level = hashes.brightness.astype(np.float64)
    excess = _excess(np.log((level + 0.5) / (255.5 - level)))
    usual = f"the median is {np.median(level) if len(level) else 0:.0f}"
    for position in np.argsort(-np.abs(excess), kind="stable").tolist():
        if abs(excess[position]) > FENCE:
            word = "bright" if excess[position] > 0 else "dark"
            yield Outlier(position, f"very {word}: {level[position]:.0f} of 255, {usual}")


def _far(embedding: Embedding) -> Iterator[Outlier]:
    distances, _ = nearest(embedding, NEIGHBOURS)
    if not distances.shape[1]:
        return
    far = distances[:, -1].astype(np.float64)
    median = max(float(np.median(far)), 1e-12)
    excess = _excess(np.log(np.maximum(far / median, 1e-6)))
    for position in np.argsort(-excess, kind="stable").tolist():
        if excess[position] > FENCE:
            yield Outlier(
                position, f"unlike all others: its neighbours are {far[position] / median:.1f} times as far away"
            )


def _excess(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how many interquartile ranges each value lies above (+) or below (-) the quartiles; 0 between them."""
    if not len(values):
        return values
    low, high = np.quantile(values, [0.25, 0.75])
    spread = max(float(high - low), _LEAST_RANGE)
    beyond: NDArray[np.float64] = np.maximum(values - high, 0) / spread - np.maximum(low - values, 0) / spread
    return beyond
