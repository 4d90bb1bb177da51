"""embeddings of a thing's photos ──▶ one row, which heads decide on; the same for training, service and scoring.

An instance is a thing to decide on. Where a bundle pools, an instance has one photo or several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

PoolKind = Literal["mean", "max", "change", "attention"]
"""`change` is the last photo's embedding less the first one's; `attention` a mean in which some photos weigh more."""

Weigher = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Embeddings of photos, float32 `[P, D]`, to the logarithms of their weights, float32 `[P]`."""


def pooled_width(embedding_width: int, kinds: Sequence[PoolKind]) -> int:
    """Numbers of a row that heads decide on; without pooling it is the embedding itself."""
    return embedding_width * max(1, len(kinds))


@dataclass(frozen=True)
class Pooling:
    """How the photos of an instance become one row.

    Equal photos give exactly the row of one of them: a mean is computed as the first embedding and the mean difference
    from it, which is 0 then.

    Attributes:
        kinds: what the row is made of, in this order. Without any it is the embedding of the one photo.
        weigher: of `attention`.
    """

    kinds: tuple[PoolKind, ...] = ()
    weigher: Weigher | None = None

    def row(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Makes one row of the embeddings of one instance.

        Args:
            embeddings: of its photos in their order, float32 `[P, D]`, P at least 1.

        Returns:
            float32 `[W]`, see `pooled_width`.

        Raises:
            ValueError: several photos, and no kind; or `attention`, and nothing that weighs.
        """
        if not self.kinds:
            if len(embeddings) != 1:
                raise ValueError(f"{len(embeddings)} photos of one instance, but no pooling")
            return np.asarray(embeddings[0])
        return np.concatenate([self._part(kind, embeddings) for kind in self.kinds])

    def _part(self, kind: PoolKind, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        first: NDArray[np.float32] = embeddings[0]
        if kind == "max":
            return np.asarray(embeddings.max(0))
        if kind == "change":
            return np.asarray(embeddings[-1] - first)
        if kind == "mean" or len(embeddings) == 1:
            return np.asarray(first + (embeddings - first).mean(0))
        if self.weigher is None:
            raise ValueError("pooling by attention, and nothing that weighs the photos")
        logarithms = self.weigher(embeddings)
        weights = np.exp(logarithms - logarithms.max())
        return np.asarray(first + (weights / weights.sum()) @ (embeddings - first))

    def each(self, embeddings: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
        """Makes one row of each of N instances, float32 `[N, W]`.

        Args:
            embeddings: of all their photos, one instance's after the other's, float32 `[M, D]`.
            counts: how many photos each instance has, at least 1; together M.
        """
        ends = np.cumsum(counts).tolist()
        rows = [self.row(embeddings[end - count : end]) for end, count in zip(ends, counts, strict=True)]
        return np.stack(rows) if rows else np.empty((0, pooled_width(embeddings.shape[1], self.kinds)), np.float32)


ALONE = Pooling()
"""Each instance is one image."""


def pool_alone(embeddings: NDArray[np.float32], kinds: Sequence[PoolKind]) -> NDArray[np.float32]:
    """The rows `[N, W]` of N instances of one photo each, whose embeddings are float32 `[N, D]`."""
    return Pooling(tuple(kinds)).each(embeddings, [1] * len(embeddings)) if kinds else embeddings
