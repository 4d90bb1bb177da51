"""beta distribution ──▶ probabilities, quantiles, and with them exact bounds of a binomial rate.

It takes NumPy and the standard library alone, because a server measures its precision with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TERMS = 100_000  # of the continued fraction, which needs about the square root of the larger parameter
_PRECISION = 1e-12
_TINY = 1e-300  # instead of 0 as a divisor
_ROUNDS = 4
_POINTS = 101  # of a round, which narrows a quantile down by 100

_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def log_beta(a: Any, b: Any) -> Floats:
    """Logarithm of the beta function of positive numbers, float64 of their common shape."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(_lgamma(a) + _lgamma(b) - _lgamma(a + b), np.float64)


def beta_cdf(x: Any, a: Any, b: Any) -> Floats:
    """P(X <= x) of a beta distribution: the regularised incomplete beta function.

    Lentz's continued fraction (DLMF 8.17.22, https://dlmf.nist.gov/8.17#v).

    Args:
        x: in [0, 1].
        a: positive.
        b: positive.

    Returns:
        float64 of their common shape.
    """
    x, a, b = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (x, a, b)))
    swapped = x > (a + 1) / (a + b + 2)  # where the fraction of the other tail converges faster
    z, p, q = np.where(swapped, 1 - x, x), np.where(swapped, b, a), np.where(swapped, a, b)
    with np.errstate(divide="ignore"):
        front = np.exp(p * np.log(z) + q * np.log1p(-z) - log_beta(p, q)) / p
    tail = np.where(z > 0, front * _fraction(z, p, q), 0.0)
    return np.clip(np.where(swapped, 1 - tail, tail), 0.0, 1.0)


def binomial_cdf(count: Any, rows: Any, rate: Any) -> Floats:
    """P(X <= count) of a binomial distribution; `count` may be below 0 or above `rows`."""
    count, rows, rate = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (count, rows, rate)))
    inner = (count >= 0) & (count < rows)
    below = beta_cdf(1 - rate, np.where(inner, rows - count, 1.0), np.where(inner, count + 1, 1.0))
    return np.where(inner, below, np.where(count < 0, 0.0, 1.0))


def beta_quantile(level: float, a: float, b: float) -> float:
    """The x in [0, 1] with P(X <= x) = `level`, in (0, 1); 0 where `a` is not positive, 1 where `b` is not."""
    if a <= 0 or b <= 0:
        return 0.0 if a <= 0 else 1.0
    mean = a / (a + b)
    spread = math.sqrt(mean * (1 - mean) / (a + b + 1))
    low = max(0.0, mean - spread * math.sqrt((1 - level) / level))  # Cantelli's inequality
    high = min(1.0, mean + spread * math.sqrt(level / (1 - level)))
    for _ in range(_ROUNDS):
        points = np.linspace(low, high, _POINTS)
        above = int(np.searchsorted(beta_cdf(points, a, b), level).clip(1, _POINTS - 1))
        low, high = float(points[above - 1]), float(points[above])
    return (low + high) / 2


def rate_bounds(count: int, rows: int, level: float) -> tuple[float, float]:
    """Exact bounds of a binomial rate, each with error `level` (Clopper and Pearson 1934); [0, 1] without rows."""
    if rows == 0:
        return 0.0, 1.0
    return beta_quantile(level, count, rows - count + 1), beta_quantile(1 - level, count + 1, rows - count)


def _fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    numerator, divisor = np.ones_like(x), _inverse(1 - (a + b) * x / (a + 1))
    value = divisor.copy()
    for term in range(1, _TERMS):
        even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
        odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
        for factor in (even, odd):
            divisor = _inverse(1 + factor * divisor)
            numerator = 1 + factor / np.where(np.abs(numerator) < _TINY, _TINY, numerator)
            step = divisor * numerator
            value *= step
        if np.all(np.abs(step - 1) < _PRECISION):
            break
    return value


def _inverse(value: Floats) -> Floats:
    return np.asarray(1 / np.where(np.abs(value) < _TINY, _TINY, value), np.float64)
