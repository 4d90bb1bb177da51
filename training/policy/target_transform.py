"""numbers to learn ──▶ `Transform`: whether a regressor is fitted to the numbers or to their logarithms."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.exceptions import DataError

Transform = Literal["none", "log"]
"""Applied to numbers before a regressor is fitted to them."""
TransformOption = Literal["auto", "log", "none"]
"""What a person asks for; `auto` takes the better transform."""
Floats = NDArray[np.float64]

_ONE_SIDED_95 = 1.645  # standard errors


def transforms(labels: Floats, option: TransformOption) -> tuple[Transform, ...]:
    """The transforms to try on numbers `[N]`, the simpler one first.

    Raises:
        DataError: the option is `log`, and a number is not above 0.
    """
    below = np.flatnonzero(labels <= 0)
    if option == "log" and len(below):
        raise DataError(
            f"--target-transform log: {len(below)} of {len(labels)} numbers are not above 0, the first of them "
            f"{labels[below[0]]:g}; take none, or leave those rows out"
        )
    if option == "auto":
        return ("none",) if len(below) else ("none", "log")
    return (option,)


def better_transform(labels: Floats, plain: NDArray[np.floating], logged: NDArray[np.floating]) -> Transform:
    """Selects the transform by the likelihood of out-of-fold residuals.

    Residuals are taken to be Laplacian on either scale, and their likelihoods are compared row by row (Box and Cox
    1964, with absolute instead of squared residuals). The logarithm has to be better at a one-sided level of 5 %.

    Args:
        labels: true numbers, above 0, float64 `[J]`.
        plain: out-of-fold answers of heads fitted to the numbers, `[J]`.
        logged: out-of-fold answers of heads fitted to the logarithms, `[J]`, on the scale of the numbers.
    """
    if len(labels) < 2:
        return "none"
    logs = np.log(labels)
    gain = _surprise(labels - plain) - _surprise(logs - np.log(logged)) - logs
    return "log" if gain.mean() > _ONE_SIDED_95 * gain.std(ddof=1) / math.sqrt(len(gain)) else "none"


def _surprise(off: Floats) -> Floats:
    """Negative log likelihood of residuals `[J]`, up to a constant."""
    mean = max(float(np.abs(off).mean()), float(np.finfo(np.float32).tiny))
    return np.asarray(np.log(mean) + np.abs(off) / mean)
