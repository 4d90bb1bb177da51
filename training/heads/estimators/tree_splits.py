"""thresholds of trees ──▶ the float32 numbers that split all float32 features the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LIGHTGBM_ZERO = np.float32(1e-35)  # kZeroThreshold in LightGBM/include/LightGBM/meta.h


def lightgbm_splits(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """LightGBM's thresholds `[N]` as float32 splits of plain numbers.

    LightGBM treats numbers from -1e-35 to 1e-35 as 0, which is below its threshold 1e-35 and above its threshold
    -1e-35.
    """
    splits = floor32(thresholds)
    return np.where(splits == -_LIGHTGBM_ZERO, np.nextafter(-_LIGHTGBM_ZERO, np.float32(-np.inf)), splits)


def floor32(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 numbers that are not above numbers `[N]`."""
    nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest).astype(np.float64)
