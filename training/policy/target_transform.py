"""numbers to learn ──▶ `Transform`: whether a regressor is fitted to them or to their logarithms."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.exceptions import DataError

Transform = Literal["none", "log"]
"""What is done to numbers before a regressor is fitted to them."""
Asked = Literal["auto", "log", "none"]
Floats = NDArray[np.float64]

_ONE_SIDED_95 = 1.645  # standard errors


def transforms(labels: Floats, asked: Asked) -> tuple[Transform, ...]:
    """The transforms to try on numbers `[N]`, the plainer one first; what is asked for, or both where either may do.

    Raises:
        DataError: the logarithm is asked for, and a number is not above 0.
    """
    below = np.flatnonzero(labels <= 0)
    if asked == "log" and len(below):
        raise DataError(
            f"--target-transform log: {len(below)} of {len(labels)} numbers are not above 0, the first of them "
            f"{labels[below[0]]:g}; take none, or leave those rows out"
        )
    if asked == "auto":
        return ("none",) if len(below) else ("none", "log")
    return (asked,)


def better_transform(labels: Floats, plain: NDArray[np.floating], logged: NDArray[np.floating]) -> Transform:
    """Whether numbers are better told through their logarithm.

    The likelihoods of the out-of-fold residuals, taken to be Laplacian on either scale, are compared row by row (Box
    and Cox 1964, with absolute in place of squared residuals). The logarithm is taken where it is better by more than
    chance alone would make it in one of 20 cases.

    Args:
        labels: what is true, above 0, `[J]`.
        plain: out-of-fold numbers of heads that were fitted to the numbers, `[J]`, in their own unit.
        logged: the same of heads that were fitted to their logarithm, `[J]`, in the numbers' own unit, too.
    """
    if len(labels) < 2:
        return "none"
    logs = np.log(labels)
    gain = _surprise(labels - plain) - _surprise(logs - np.log(logged)) - logs
    return "log" if gain.mean() > _ONE_SIDED_95 * gain.std(ddof=1) / math.sqrt(len(gain)) else "none"


def _surprise(off: Floats) -> Floats:
    """Minus the log likelihood of residuals `[J]`, but for a constant."""
    mean = max(float(np.abs(off).mean()), float(np.finfo(np.float32).tiny))
    return np.asarray(np.log(mean) + np.abs(off) / mean)
