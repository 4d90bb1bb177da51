"""embeddings of a thing's photos ──▶ one row, which heads decide on; the same for training, service and scoring.

An instance is a thing to decide on. Where a bundle pools, an instance has one photo or several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PoolKind = Literal["mean", "max", "change"]
"""`change` is the last photo's embedding less the first one's."""


def pooled_width(embedding_width: int, kinds: Sequence[PoolKind]) -> int:
    """Numbers of a row that heads decide on; without pooling it is the embedding itself."""
    return embedding_width * max(1, len(kinds))


def pool(embeddings: NDArray[np.float32], kinds: Sequence[PoolKind]) -> NDArray[np.float32]:
    """Makes one row of the embeddings of one instance.

    Equal photos give exactly the row of one of them: a mean is computed as the first embedding and the mean difference
    from it, which is 0 then.

    Args:
        embeddings: of its photos in their order, float32 `[P, D]`, P at least 1.
        kinds: what the row is made of, in this order. Without any it is the embedding of the one photo.

    Returns:
        float32 `[W]`, see `pooled_width`.

    Raises:
        ValueError: several photos, and no kind.
    """
    first: NDArray[np.float32] = embeddings[0]
    if not kinds:
        if len(embeddings) != 1:
            raise ValueError(f"{len(embeddings)} photos of one instance, but no pooling")
        return first
    parts: dict[PoolKind, Callable[[], NDArray[np.float32]]] = {
        "mean": lambda: first + (embeddings - first).mean(0),
        "max": lambda: embeddings.max(0),
        "change": lambda: embeddings[-1] - first,
    }
    return np.concatenate([parts[kind]() for kind in kinds])


def pool_each(embeddings: NDArray[np.float32], counts: Sequence[int], kinds: Sequence[PoolKind]) -> NDArray[np.float32]:
    """Makes one row of each of N instances, float32 `[N, W]`.

    Args:
        embeddings: of all their photos, one instance's after the other's, float32 `[M, D]`.
        counts: how many photos each instance has, at least 1; together M.
        kinds: see `pool`.
    """
    ends = np.cumsum(counts).tolist()
    rows = [pool(embeddings[end - count : end], kinds) for end, count in zip(ends, counts, strict=True)]
    return np.stack(rows) if rows else np.empty((0, pooled_width(embeddings.shape[1], kinds)), np.float32)


def pool_alone(embeddings: NDArray[np.float32], kinds: Sequence[PoolKind]) -> NDArray[np.float32]:
    """The rows `[N, W]` of N instances of one photo each, whose embeddings are float32 `[N, D]`."""
    return pool_each(embeddings, [1] * len(embeddings), kinds) if kinds else embeddings
