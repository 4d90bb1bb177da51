"""Rate, length and seed → the moments at which requests are due, fixed before the first is sent."""

import random
from collections.abc import Callable
from itertools import accumulate, repeat, takewhile

NS_PER_S = 1_000_000_000


def poisson(rate_per_s: float, seconds: float, seed: int) -> list[int]:
    """Independent callers: gaps are exponential, so that now and then many requests are due at once.

    Returns:
        Nanoseconds since the start, ascending, all below ``seconds``; about ``rate_per_s * seconds`` of them.
    """
    source = random.Random(seed)
    return _until(seconds, lambda: source.expovariate(rate_per_s))


def even(rate_per_s: float, seconds: float, seed: int = 0) -> list[int]:  # noqa: ARG001  # as `poisson`
    """One request after the other, at the same distance; returns as ``poisson``."""
    return _until(seconds, repeat(1 / rate_per_s).__next__)


def _until(seconds: float, gap_s: Callable[[], float]) -> list[int]:
    moments_s = accumulate(iter(gap_s, None))
    return [round(moment_s * NS_PER_S) for moment_s in takewhile(lambda moment_s: moment_s < seconds, moments_s)]


SPACINGS: dict[str, Callable[[float, float, int], list[int]]] = {"poisson": poisson, "even": even}
