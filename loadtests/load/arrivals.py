"""Rate, length and seed ──▶ the times at which requests are due, fixed before the first is sent."""

import random
from collections.abc import Callable
from itertools import accumulate, repeat, takewhile

NS_PER_S = 1_000_000_000


def poisson(rate_per_s: float, seconds: float, seed: int) -> list[int]:
    """Return the times of independent callers: gaps are exponential, so now and then many requests are due at once.

    Returns:
        Nanoseconds since the start, ascending, all below ``seconds``; about ``rate_per_s * seconds`` of them.
    """
    source = random.Random(seed)
    return _until(seconds, lambda: source.expovariate(rate_per_s))


def even(rate_per_s: float, seconds: float, seed: int = 0) -> list[int]:  # noqa: ARG001  # as `poisson`
    """Return times with equal gaps; otherwise as ``poisson``."""
    return _until(seconds, repeat(1 / rate_per_s).__next__)


def _until(seconds: float, gap_s: Callable[[], float]) -> list[int]:
    times_s = accumulate(iter(gap_s, None))
    return [round(time_s * NS_PER_S) for time_s in takewhile(lambda time_s: time_s < seconds, times_s)]


SPACINGS: dict[str, Callable[[float, float, int], list[int]]] = {"poisson": poisson, "even": even}
