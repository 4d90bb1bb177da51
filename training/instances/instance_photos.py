"""`Photos`: all photos of the instances of a data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.images import Images, Indices, select


@dataclass(frozen=True)
class Photos:
    """The photos of N instances, one instance's after the other's, M in all.

    Attributes:
        images: uint8 `[M, H, W, C]`.
        keys: SHA-256 of the encoded photos.
        counts: how many photos each instance has, at least 1, int64 `[N]`.
    """

    images: Images
    keys: tuple[bytes, ...]
    counts: Indices

    @property
    def instance(self) -> Indices:
        """The instance of each photo, int64 `[M]`."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def first(self) -> Indices:
        """The position of each instance's first photo, int64 `[N]`."""
        first: Indices = np.cumsum(self.counts) - self.counts
        return first

    def positions(self, instances: Indices) -> Indices:
        """The positions of the photos of some instances, one instance's after the other's."""
        spans = zip(self.first[instances].tolist(), self.counts[instances].tolist(), strict=True)
        return np.concatenate([np.empty(0, np.int64), *(np.arange(first, first + count) for first, count in spans)])

    def of(self, instances: Indices) -> Photos:
        """The photos of some instances, without decoding any."""
        positions = self.positions(instances)
        keys = tuple(self.keys[position] for position in positions.tolist())
        return Photos(select(self.images, positions), keys, self.counts[instances])
