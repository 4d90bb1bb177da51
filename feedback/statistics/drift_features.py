"""rows of reference and window together ──▶ `FeatureBlock`s: numbers whose means differ between the two under drift.

Every feature is a symmetric function of all rows, which do not know where they come from. So under exchangeable rows a
permutation test on the features is exact, whatever they are.

| block | features | finds |
|---|---|---|
| embedding | all principal components, at most 128 | all images changed a little: brightness, camera, crop |
| main components | the first 10 | other shares of classes |
| novelty | logarithm of the distance to the 5th nearest row; among the largest 2 % or not | images of another kind |
| clusters, small clusters | which of 10, and of 40, clusters the row is in | images of one kind more often |
| a column of numbers | rank; distance of the rank from the middle; missing | other values, another spread |
| a column of categories | which of the 20 most frequent values, or another; missing | other shares |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

_WIDEST = 128  # wider embeddings are projected at random, which keeps distances (Johnson and Lindenstrauss 1984)
_DISTANCES = 32  # components of which distances are taken
_MAIN = 10
_NEIGHBOUR = 5
_FAR = 0.98  # share of rows that are not called far
_FEW_CLUSTERS, _MANY_CLUSTERS = 10, 40
_ROUNDS = 8  # of k-means
_CATEGORIES = 20
_TINY = 1e-12
_LEAST_SPREAD = 1e-4  # of a component, as a share of the first one's; below it is rounding


@dataclass(frozen=True)
class FeatureBlock:
    """Features that are judged together.

    Attributes:
        name: of the block; a column's is `column NAME`.
        features: standardised, float32 `[N, F]`; features without variance are left out.
    """

    name: str
    features: Features


def feature_blocks(embedding: NDArray[Any] | None, columns: Mapping[str, NDArray[Any]]) -> list[FeatureBlock]:
    """The features of rows.

    Args:
        embedding: float `[N, D]`, of reference and window.
        columns: by name, float `[N]` with NaN where a number is missing, or objects `[N]`: strings, None if missing.
    """
    found = [] if embedding is None else _embedding_blocks(np.asarray(embedding, np.float32))
    found += [FeatureBlock(f"column {name}", _standardised(_of_column(values))) for name, values in columns.items()]
    return [block for block in found if block.features.shape[1]]


def _embedding_blocks(embedding: Features) -> list[FeatureBlock]:
    components = _principal_components(embedding)
    leading = components[:, :_DISTANCES]
    blocks = {
        "embedding": components,
        "main components": components[:, :_MAIN],
        "novelty": _novelty(leading),
        "clusters": _clusters(leading, _FEW_CLUSTERS),
        "small clusters": _clusters(leading, _MANY_CLUSTERS),
    }
    return [FeatureBlock(name, _standardised(features)) for name, features in blocks.items()]


def _principal_components(embedding: Features) -> Features:
    """Components in falling order of their variance, of which they keep their scale, float32 `[N, 128]` at most."""
    if embedding.shape[1] > _WIDEST:
        random = np.random.default_rng(0)
        embedding = embedding @ random.standard_normal((embedding.shape[1], _WIDEST), np.float32)
    centred = embedding - embedding.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    kept = variances > _LEAST_SPREAD**2 * variances[-1]
    return np.asarray(centred @ directions[:, kept][:, ::-1], np.float32)


def _novelty(components: Features) -> Features:
    squared = _squared_distances(components, components)
    np.fill_diagonal(squared, np.inf)
    nearest = min(_NEIGHBOUR, len(squared) - 1) - 1
    distance = np.log(np.partition(squared, nearest, axis=1)[:, nearest] + _TINY)
    return np.column_stack([distance, distance > np.quantile(distance, _FAR)])


def _clusters(components: Features, count: int) -> Features:
    """One-hot cluster of each row, float32 `[N, count]`, by k-means from rows that are far apart (Gonzalez 1985)."""
    centres = components[:1]
    distance = _squared_distances(components, centres)[:, 0]
    while len(centres) < min(count, len(components)):
        centres = np.concatenate([centres, components[distance.argmax()][None]])
        distance = np.minimum(distance, _squared_distances(components, centres[-1:])[:, 0])
    for _ in range(_ROUNDS):
        chosen = np.eye(len(centres), dtype=np.float32)[_squared_distances(components, centres).argmin(axis=1)]
        members = chosen.sum(axis=0)[:, None]
        centres = np.where(members > 0, chosen.T @ components / np.maximum(members, 1), centres)
    return np.asarray(chosen, np.float32)


def _squared_distances(rows: Features, others: Features) -> Features:
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * rows @ others.T
    return np.asarray(np.maximum(squares, 0), np.float32)


def _of_column(values: NDArray[Any]) -> Features:
    if values.dtype.kind in "fiub":
        return _of_numbers(values.astype(np.float64))
    missing = np.array([value is None for value in values])
    known = np.where(missing, "", values).astype(str)
    _, member, count = np.unique(known, return_inverse=True, return_counts=True)
    frequent = np.argsort(-count, kind="stable")[:_CATEGORIES]
    chosen = member[:, None] == frequent
    return np.column_stack([chosen & ~missing[:, None], missing]).astype(np.float32)


def _of_numbers(values: NDArray[np.float64]) -> Features:
    missing = np.isnan(values)
    known = np.sort(values[~missing])
    ends = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
    rank = np.where(missing, 0.0, ends / max(1, 2 * len(known)) - 0.5)  # the middle rank of equal values
    return np.column_stack([rank, np.abs(rank), missing]).astype(np.float32)


def _standardised(features: NDArray[Any]) -> Features:
    features = np.asarray(features, np.float32)
    spread = features.std(axis=0, dtype=np.float64)
    kept = spread > 1e-6
    return np.asarray((features - features.mean(axis=0, dtype=np.float64))[:, kept] / spread[kept], np.float32)
