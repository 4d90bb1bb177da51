"""What goes into the engine and what comes out, for one image each, or for one instance of several images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.columns import ColumnValue
from models.runtime.explanation import Explanation
from models.runtime.sessions import Embedding, Interval, Probabilities

Asked = Mapping[str, Mapping[str, ColumnValue]]
"""Checked columns by the names of the heads that are asked; empty if only the embedding is wanted."""


class EngineInput(NamedTuple):
    """One image: pixels to embed, or an embedding computed before."""

    pixels: NDArray[np.uint8] | None
    """`[H, W, C]`; None if `embedding` is given."""
    asked: Asked
    embedding: Embedding | None = None
    """`[D]`"""
    decode_s: float = 0.0
    """Time that decoding took, passed on to the result."""


class HeadOutput(NamedTuple):
    """One head's output for one image."""

    output: Probabilities
    """Probabilities `[K]`, or one value `[1]`."""
    columns: Mapping[str, ColumnValue]
    """The columns that the head was given."""
    distance: float | None = None
    """Distance of the embedding from those of training; None if the head has no outlier detector."""
    interval: Interval | None = None
    """Lower and upper bound of the value, `[2]`; None if the head has no interval."""


class Instance(NamedTuple):
    """A thing to decide on, of which all images were embedded."""

    photos: Sequence[Result]
    """Of its images in their order, at least one; no head was asked about them."""
    asked: Asked


class Result(NamedTuple):
    """The engine's result for one image, or for an instance of several; times in seconds."""

    embedding: Embedding
    """`[D]`, of the first image if there are several."""
    decisions: Mapping[str, HeadOutput]
    """By the names of the heads that were asked."""
    decode_s: float
    queue_s: float
    embed_s: float
    decide_s: float
    explanations: Mapping[str, Explanation] | None = None
    """By the names of the heads; None if no explanation was asked for."""
    pooled: Embedding | None = None
    """`[W]`, what the heads decided on; None if that is `embedding`."""
    photos: Embedding | None = None
    """`[P, D]`, of all images of the instance; None if there is one."""

    @property
    def row(self) -> Embedding:
        """What the heads decided on, float32 `[W]`."""
        return self.embedding if self.pooled is None else self.pooled
