"""fitted trees ──▶ the same trees with splits that float32 holds, as an ONNX graph has them.

scikit-learn and LightGBM compare a float32 feature with a float64 threshold, the middle of two values. An exported
threshold is the nearest float32, which may be larger; a value exactly there, such as a whole number between two
training values, would then go the other way. The largest float32 that is not above the threshold splits all float32
numbers as the float64 threshold does.
"""

from __future__ import annotations

import re
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

_LIGHTGBM = re.compile(r"^threshold=(.*)$", re.MULTILINE)
_LIGHTGBM_ZERO = np.float32(1e-35)  # kZeroThreshold in LightGBM/include/LightGBM/meta.h
_LIGHTGBM_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)  # which would no longer be those of the trees


def make_exportable(estimator: Any) -> None:
    """Rounds the thresholds of trees down to float32, in place; other estimators stay as they are."""
    for tree in (estimator, *getattr(estimator, "estimators_", ())):
        if hasattr(tree, "tree_"):
            tree.tree_.threshold[:] = floor32(tree.tree_.threshold)
    for predictor in (each for stage in getattr(estimator, "_predictors", ()) for each in stage):
        predictor.nodes["num_threshold"] = floor32(predictor.nodes["num_threshold"])
    if type(estimator).__module__.startswith("lightgbm."):
        _round_booster(estimator)


def _round_booster(estimator: Any) -> None:
    def rounded(line: re.Match[str]) -> str:
        thresholds = lightgbm_splits(np.array([float(word) for word in line[1].split()]))
        return f"threshold={' '.join(map(repr, thresholds.tolist()))}"

    text = _LIGHTGBM_SIZES.sub("", estimator.booster_.model_to_string())
    estimator._Booster = lightgbm.Booster(model_str=_LIGHTGBM.sub(rounded, text))


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
