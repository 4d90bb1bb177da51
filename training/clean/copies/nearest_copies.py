"""points ──▶ the nearest others of each, in bounded memory.

70,000 points of 64 dimensions take 18 s on two cores, 20,000 of 1280 dimensions 24 s; twice as many points, four times
as long.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # of scikit-learn

from training.clean.copies.fingerprint import Fingerprints
from training.clean.copies.registration import Floats
from training.data.images import Indices

_ROWS = 128
"""Rows of the matrix of distances that one thread holds."""
_STRETCHES = 32


def nearest(points: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], Indices]:
    """Distances, Euclidean, and positions of the `count` nearest other points, the nearest first.

    scikit-learn compares a few hundred points with a few hundred at a time and keeps only the nearest ones.

    Args:
        points: float32 `[N, D]`.
        count: K; fewer where there are not so many other points.

    Returns:
        float32 `[N, K]` and int64 `[N, K]`.
    """
    count = min(count, len(points) - 1)
    if count < 1:
        return np.empty((len(points), 0), np.float32), np.empty((len(points), 0), np.int64)
    distances, positions = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors()
    return distances.astype(np.float32), positions.astype(np.int64)


def nearest_or_mirrored(prints: Fingerprints, count: int) -> tuple[Indices, NDArray[np.bool_]]:
    """Positions of the `count` others that are nearest as they are or mirrored, and which are mirrored.

    Of two fingerprints, the squared distance is that of the even parts and of the odd ones, one of them with the other
    sign if that is nearer: one product of matrices for each part, and no search among twice as many.

    Returns:
        int64 `[N, K]` and bool `[N, K]`, in no order; K is `count`, or less where there are not so many others.
    """
    total = len(prints.even)
    count = min(count, total - 1)
    if count < 1:
        return np.empty((total, 0), np.int64), np.empty((total, 0), np.bool_)
    length = ((prints.even**2).sum(1) + (prints.odd**2).sum(1))[:, None] / 2
    ones = np.ones_like(length)
    even, others = np.hstack([prints.even, ones]), np.ascontiguousarray(np.hstack([prints.even, -length]).T)
    search = partial(_search, even, others, prints.odd, np.ascontiguousarray(prints.odd.T), count=count)
    with ThreadPoolExecutor(os.cpu_count()) as threads, threadpool_limits(1, "blas"):
        found = list(threads.map(lambda start: search(start=start), range(0, total, _ROWS)))
    positions, mirrored = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return positions, mirrored


def _search(
    even: Floats, others: Floats, odd: Floats, odds: Floats, *, count: int, start: int
) -> tuple[Indices, NDArray[np.bool_]]:
    """For `_ROWS` rows: the largest of a row are among those of its `count` best stretches of columns."""
    rows = slice(start, start + _ROWS)
    near = odd[rows] @ odds
    np.abs(near, out=near)
    near += even[rows] @ others
    size = len(near)
    near[np.arange(size), np.arange(start, start + size)] = -np.inf
    width = max(1, len(odd) // (_STRETCHES * count))
    stretches = np.maximum.reduceat(near, np.arange(0, len(odd), width), axis=1)
    bound = np.partition(stretches, -count, axis=1)[:, -count]
    row, column = np.divmod(np.flatnonzero(near >= bound[:, None]), len(odd))
    order = np.lexsort((-near[row, column], row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    column = column[rank < count].reshape(size, count)
    mirrored = np.einsum("be,bke->bk", odd[rows], odd[column]) < 0
    return column.astype(np.int64), mirrored
