"""answers, their intervals and true numbers ──▶ share of true numbers within the intervals, by fifths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fifth:
    """A fifth of the answers: smallest and largest, their number, share within intervals, mean width of these."""

    low: float
    high: float
    count: int
    covered: float
    width: float


@dataclass(frozen=True)
class Coverage:
    """Share of true numbers within their intervals, in [0, 1], of all and by fifths of the answers."""

    covered: float
    fifths: tuple[Fifth, ...]


def coverage(values: NDArray[np.floating], truths: NDArray[np.floating], intervals: NDArray[np.floating]) -> Coverage:
    """Coverage of intervals `[N, 2]` of answers `[N]` for true numbers `[N]`; fewer than five give fewer parts."""
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
