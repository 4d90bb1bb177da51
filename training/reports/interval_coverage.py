"""numbers, their intervals and the truth ──▶ `Coverage`: how often the intervals hold it, by fifths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fifth:
    """Some of the numbers named: the least and the largest, how many, the share in their interval, its mean width."""

    low: float
    high: float
    count: int
    covered: float
    width: float


@dataclass(frozen=True)
class Coverage:
    """Share of numbers that lie in their interval, in [0, 1], of all and by fifths of the numbers named."""

    covered: float
    fifths: tuple[Fifth, ...]


def coverage(values: NDArray[np.floating], truths: NDArray[np.floating], intervals: NDArray[np.floating]) -> Coverage:
    """How often intervals `[N, 2]` of numbers `[N]` hold the truth `[N]`; fewer than five numbers make fewer parts."""
    covered = (intervals[:, 0] <= truths) & (truths <= intervals[:, 1])
    widths = intervals[:, 1] - intervals[:, 0]
    parts = [part for part in np.array_split(np.argsort(values, kind="stable"), 5) if len(part)]
    fifths = tuple(
        Fifth(
            low=float(values[part[0]]),
            high=float(values[part[-1]]),
            count=len(part),
            covered=float(covered[part].mean()),
            width=float(widths[part].mean()),
        )
        for part in parts
    )
    return Coverage(float(covered.mean()), fifths)
