"""right and wrong answers to the same images ──▶ intervals of accuracies and of their differences, training included.

Two models predict the same images, so their difference is one of paired proportions. Its limits are those of Tango's
score test (1998, Statistics in Medicine 17:891), which hold for few images, and if both models are right on the same
images. If models were fitted with several seeds, the limits of the seeds are averaged, which is wider than the limits
of the average. The noise of training is added in squares (MOVER, Zou and Donner 2008, Statistics in Medicine 27:1693),
with Student's quantile for Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, norm, t

Hits = NDArray[np.bool_]
"""Whether each test image was predicted right, `[S, N]`: one row for each seed."""


@dataclass(frozen=True)
class Interval:
    """An estimate between two limits; in points, hundredths of the test images."""

    points: float
    low: float
    high: float

    @property
    def is_chance(self) -> bool:
        """Whether 0 is within the limits."""
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Noise:
    """What another seed changes in the difference of two models, as far as measured.

    Attributes:
        variance: of the difference, in shares squared; 0 if no two models were fitted with several seeds.
        freedom: degrees of freedom of that estimate.
    """

    variance: float = 0.0
    freedom: float = math.inf


def accuracy_interval(hits: Hits, level: float = 0.05) -> Interval:
    """The accuracy of a model with two-sided exact limits (Clopper and Pearson), widened by the noise of the seeds."""
    tests = [binomtest(int(each.sum()), len(each)).proportion_ci(1 - level, "exact") for each in hits]
    shares = hits.mean(1)
    mean, low, high = (float(np.mean(each)) for each in (shares, [c.low for c in tests], [c.high for c in tests]))
    noise = Noise(float(shares.var(ddof=1)), len(hits) - 1) if len(hits) > 1 else Noise()
    found = _widened(mean, (low, high), noise, len(hits), level / 2)
    return Interval(found.points, max(0.0, found.low), min(100.0, found.high))


def difference(ours: Hits, theirs: Hits, tail: float, noise: Noise) -> Interval:
    """The accuracy of one model less that of another, on the seeds that both have.

    Args:
        ours: of one model.
        theirs: of the other, of the same images.
        tail: probability that the difference is below the low limit, and that it is above the high one.
        noise: of training; nothing is added if each model predicts the same with every seed.
    """
    seeds = min(len(ours), len(theirs))
    pairs = list(zip(ours[:seeds], theirs[:seeds], strict=True))
    limits = [tango_limits(int((a & ~b).sum()), int((b & ~a).sum()), len(a), tail) for a, b in pairs]
    mean = float(np.mean([a.mean() - b.mean() for a, b in pairs]))
    low, high = (float(np.mean(each)) for each in zip(*limits, strict=True))
    return _widened(mean, (low, high), _between(ours, theirs, noise), seeds, tail)


def noise_of(models: Sequence[Hits]) -> Noise:
    """The largest noise between any two models that were fitted with several seeds."""
    several = [hits.mean(1) for hits in models if len(hits) > 1]
    found = []
    for one, other in combinations(several, 2):
        seeds = min(len(one), len(other))
        found.append(Noise(float((one[:seeds] - other[:seeds]).var(ddof=1)), seeds - 1))
    return max(found, key=lambda noise: noise.variance, default=Noise())


def tango_limits(ours: int, theirs: int, count: int, tail: float) -> tuple[float, float]:
    """Limits of the difference of two paired shares.

    Args:
        ours: images that only the first model gets right.
        theirs: images that only the second gets right.
        count: of all images.
        tail: probability beyond each limit.
    """
    quantile = float(norm.isf(tail))
    mean = (ours - theirs) / count

    def off(difference: float, limit: float) -> float:
        return _score(ours, theirs, count, difference) - limit

    edge = 1 - 1e-9
    low = brentq(off, -edge, mean, (quantile,)) if mean > -edge and off(-edge, quantile) > 0 else -1.0
    high = brentq(off, mean, edge, (-quantile,)) if mean < edge and off(edge, -quantile) < 0 else 1.0
    return float(low), float(high)


def enough_images(ours: Hits, theirs: Hits, tail: float, noise: Noise, margin: float) -> float:
    """Test images that would show, in four of five cases, that one model is not worse than another by a margin.

    This assumes the measured rates and noise. Infinite if the model looks worse, or if the noise hides the difference.
    """
    seeds = min(len(ours), len(theirs))
    gaps = ours[:seeds].mean(0) - theirs[:seeds].mean(0)
    gain = float(gaps.mean()) + margin
    z = float(norm.isf(tail) + norm.isf(0.2))
    room = gain**2 - z**2 * _between(ours, theirs, noise).variance / seeds
    variance = max(float(gaps.var()), margin * (1 - margin))  # no less than if they differ by the margin
    return z**2 * variance / room if gain > 0 and room > 0 else math.inf


def _score(ours: int, theirs: int, count: int, difference: float) -> float:
    """Tango's statistic: how many standard deviations the counts lie above a difference."""
    b = -ours - theirs + (2 * count - ours + theirs) * difference
    c = -theirs * difference * (1 - difference)
    share = (math.sqrt(b * b - 8 * count * c) - b) / (4 * count)
    variance = count * (2 * share + difference * (1 - difference))
    gap = ours - theirs - count * difference
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap) if gap else 0.0


def _between(ours: Hits, theirs: Hits, noise: Noise) -> Noise:
    """The noise of two models: none if each predicts the same with every seed."""
    is_steady = all(len(each) > 1 and bool((each == each[0]).all()) for each in (ours, theirs))
    return Noise() if is_steady else noise


def _widened(mean: float, limits: tuple[float, float], noise: Noise, seeds: int, tail: float) -> Interval:
    added = noise.variance / seeds
    ends = []
    for sign, limit in zip((-1, 1), limits, strict=True):
        total = ((limit - mean) / norm.isf(tail)) ** 2 + added
        freedom = total**2 * noise.freedom / added**2 if added else math.inf
        quantile = t.isf(tail, freedom) if math.isfinite(freedom) else norm.isf(tail)
        ends.append(mean + sign * float(quantile) * math.sqrt(total))
    return Interval(100 * mean, 100 * ends[0], 100 * ends[1])
