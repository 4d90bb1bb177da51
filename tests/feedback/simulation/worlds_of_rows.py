"""Labelled rows of which it is known what is worth asking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def rare_and_frequent(rows: int = 1_200, seed: int = 0) -> Rows:
    """Eight classes in 16 dimensions, two of them with nearly all rows: random choice rarely asks the others."""
    random = np.random.default_rng(seed)
    labels = random.choice(8, rows, p=[0.44, 0.44, *[0.02] * 6])
    centres = 3 * random.standard_normal((8, 16))
    return (centres[labels] + random.standard_normal((rows, 16))).astype(np.float32), labels.astype(np.int64)
