"""`Looks` and embeddings ──▶ images unlike all others: of one colour, too dark or bright, far from everything.

Brightness and distance are compared with those of the other images. Odd is what lies beyond the quartiles by more than
two interquartile ranges, 4 of 10,000 values where they are normally distributed (Tukey 1977, Exploratory Data Analysis,
has the rule with 1.5 and 3). Brightness is taken by its logit, since it cannot leave 0 to 255, and distance by its
logarithm, being skewed: of Fashion-MNIST's 70,000 images 5 are odd by brightness and 23 by distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding
from training.clean.copies.nearest_copies import nearest
from training.clean.copies.perceptual_hash import Looks

NEIGHBOURS = 5
"""Far is who has the fifth nearest far away, so that four copies do not make an image usual."""
MIN_CONTRAST = 4.0
"""Levels of 255; the least of Fashion-MNIST's images has 16."""
FENCE = 2.0
_LEAST_RANGE = 0.1  # of logit or logarithm: images that are all but equally bright are not odd for the rest


@dataclass(frozen=True)
class Odd:
    """An image unlike the others, and why, for a person."""

    position: int
    reason: str


def find_odd(looks: Looks, embedding: Embedding) -> list[Odd]:
    """Each image once, for the first reason that holds; those of one colour first, then by how far they are out.

    Args:
        looks: of N images.
        embedding: float32 `[N, D]` of the same.
    """
    found: dict[int, Odd] = {}
    for odd in (*_of_one_colour(looks), *_dark_or_bright(looks), *_far(embedding)):
        found.setdefault(odd.position, odd)
    return list(found.values())


def _of_one_colour(looks: Looks) -> Iterator[Odd]:
    for position in np.flatnonzero(looks.contrast < MIN_CONTRAST).tolist():
        yield Odd(position, "one colour" if looks.contrast[position] == 0 else "nearly one colour")


def _dark_or_bright(looks: Looks) -> Iterator[Odd]:
    level = looks.brightness.astype(np.float64)
    excess = _excess(np.log((level + 0.5) / (255.5 - level)))
    usual = f"the median is {np.median(level) if len(level) else 0:.0f}"
    for position in np.argsort(-np.abs(excess), kind="stable").tolist():
        if abs(excess[position]) > FENCE:
            word = "bright" if excess[position] > 0 else "dark"
            yield Odd(position, f"very {word}: {level[position]:.0f} of 255, {usual}")


def _far(embedding: Embedding) -> Iterator[Odd]:
    distances, _ = nearest(embedding, NEIGHBOURS)
    if not distances.shape[1]:
        return
    far = distances[:, -1].astype(np.float64)
    median = max(float(np.median(far)), 1e-12)
    excess = _excess(np.log(np.maximum(far / median, 1e-6)))
    for position in np.argsort(-excess, kind="stable").tolist():
        if excess[position] > FENCE:
            yield Odd(position, f"unlike all others: its neighbours are {far[position] / median:.1f} times as far away")


def _excess(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how many interquartile ranges each value lies above (+) or below (-) the quartiles; 0 between them."""
    if not len(values):
        return values
    low, high = np.quantile(values, [0.25, 0.75])
    spread = max(float(high - low), _LEAST_RANGE)
    beyond: NDArray[np.float64] = np.maximum(values - high, 0) / spread - np.maximum(low - values, 0) / spread
    return beyond
