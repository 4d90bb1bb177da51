"""items without a label ──▶ the order in which a person should look at them.

Value = uncertainty x distance to the nearest item that is answered or comes before. So an item that is certain, or like
one that was asked, waits; the second copy of an image comes last. It is the greedy choice of k-center (Sener and
Savarese 2018, https://arxiv.org/abs/1708.00489) weighted by the margin (Scheffer et al. 2001). The margin finds what
the head cannot decide, the distance keeps ten copies of one doubtful image from being asked at once.

`feedback/simulation/` measures it against random choice, and names what to use on one's own data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_WIDEST = 64  # dimensions; wider embeddings are projected at random, which keeps distances to about 10 %
_LEAST = 1e-3  # of uncertainty, so that among items that are all certain the different ones come first
_TINY = 1e-6
_BLOCK = 1_000  # answered items in one product, to bound the memory


def margin_uncertainty(probabilities: NDArray[Any]) -> Floats:
    """1 - (largest - second largest probability), float32 `[N]` in [0, 1], of float `[N, K]` with K >= 2."""
    top = np.partition(np.asarray(probabilities, np.float32), -2, axis=1)[:, -2:]
    return np.asarray(1 - (top[:, 1] - top[:, 0]), np.float32)


def rank(
    embedding: NDArray[Any], *, uncertainty: NDArray[Any], count: int, answered: NDArray[Any] | None = None
) -> NDArray[np.int64]:
    """The items to ask next, the most valuable first.

    Args:
        embedding: of the items, float `[N, D]`.
        uncertainty: 0 or more, float `[N]`: `margin_uncertainty`, or 1 - confidence; for numbers an interval's width.
        count: most items that are named.
        answered: embeddings of items that have an answer, float `[M, D]`.

    Returns:
        Positions, int64 `[min(N, count)]`.
    """
    known = np.empty((0, embedding.shape[1])) if answered is None else answered
    items, known = _narrow(np.asarray(embedding, np.float32)), _narrow(np.asarray(known, np.float32))
    squares, least = (items**2).sum(axis=1), _LEAST * max(float(np.max(uncertainty, initial=0)), _TINY)
    weight = np.maximum(np.asarray(uncertainty, np.float32), least) ** 2  # as distances are squared
    distance = _nearest(items, squares, known)
    chosen = np.empty(min(count, len(items)), np.int64)
    for place in range(len(chosen)):
        value = weight * distance
        value[chosen[:place]] = -1  # below an equal copy's 0
        chosen[place] = best = value.argmax()
        distance = np.clip(squares + squares[best] - items @ (2 * items[best]), 0, distance)
    return chosen


def _nearest(items: Floats, squares: Floats, known: Floats) -> Floats:
    """Squared distance to the nearest known item, float32 `[N]`; that to the mean of the items if none is known."""
    if len(known) == 0:
        mean = items.mean(axis=0) if len(items) else np.zeros(items.shape[1], np.float32)
        return np.asarray(((items - mean) ** 2).sum(axis=1), np.float32)
    distance = np.full(len(items), np.inf, np.float32)
    for start in range(0, len(known), _BLOCK):
        block = known[start : start + _BLOCK]
        scores = items @ (-2 * block.T)
        scores += (block**2).sum(axis=1)
        distance = np.minimum(distance, scores.min(axis=1) + squares)
    return np.maximum(distance, 0)


def _narrow(embedding: Floats) -> Floats:
    if embedding.shape[1] <= _WIDEST:
        return embedding
    random = np.random.default_rng(0).standard_normal((embedding.shape[1], _WIDEST), np.float32)
    return np.asarray(embedding @ random / np.sqrt(np.float32(_WIDEST)), np.float32)
