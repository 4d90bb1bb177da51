"""answered audits ──▶ `LivePrecision`: the share of all accepted decisions that is right, with its interval.

Audits are a random sample of accepted decisions with known probabilities, so that the Hájek estimate (1971), weighted
by their inverse, is right on average; answers that people volunteer are biased, and are no audits. The interval is that
of Jeffreys (Brown, Cai and DasGupta 2001, https://doi.org/10.1214/ss/1009213286) at the effective number of answers,
which the variance of the estimate gives (Korn and Graubard 1998, Survey Methodology 24, 193-201). Half a wrong and half
a right answer of mean weight are added first, so that few or no errors have a variance, too.

In 60 simulations of 400 streams with 50, 200 or 1,000 answers, precisions of 0.8 to 0.995 and probabilities that differ
up to 10-fold, 0.961 of the intervals cover the truth. The least of one simulation is 0.905, where errors are sampled
least, the most 0.995, where hardly any is found. Wilson's interval at Kish's effective number (1965) covers
it in 0.956 (0.895 to 0.995), but is a fifth wider; Clopper and Pearson's in 0.977, a quarter wider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback.statistics.beta_distribution import beta_quantile

Floats = NDArray[np.float64]

_OUTSIDE = 0.025  # probability of being below, and above, the interval
_LARGEST = 1e7  # effective answers, beyond which the interval is narrower than it matters


@dataclass(frozen=True)
class LivePrecision:
    """Precision among accepted decisions.

    Attributes:
        estimate: share of them that is right; None without an answer.
        lower: of its 95 % interval, in [0, 1].
        upper: likewise.
        answered: number of answered audits.
    """

    estimate: float | None
    lower: float
    upper: float
    answered: int


def live_precision(right: NDArray[np.bool_], probability: Floats, *, asked: int | None = None) -> LivePrecision:
    """Estimates the precision of the stream that the audits were sampled from.

    Args:
        right: whether the decision was right, of each answered audit, bool `[N]`.
        probability: with which it was sampled from the accepted decisions, in (0, 1], float64 `[N]`.
        asked: number of audits, those without an answer included; they are taken to be right as often as the others.
            Default: all are answered.
    """
    if len(right) == 0:
        return LivePrecision(None, 0.0, 1.0, 0)
    seen = probability * (1.0 if asked is None else len(right) / asked)
    weight = 1 / seen
    estimate = 1 - float(weight[~right].sum() / weight.sum())  # exactly 1 where all are right
    wrong, effective = _effective_errors(right, weight, weight**2 * (1 - seen))
    if effective == 0:  # every accepted decision is answered
        return LivePrecision(estimate, estimate, estimate, len(right))
    lower = 1 - beta_quantile(1 - _OUTSIDE, wrong, effective - wrong) if right.any() else 0.0
    upper = 1 - beta_quantile(_OUTSIDE, wrong, effective - wrong) if not right.all() else 1.0
    return LivePrecision(estimate, min(lower, estimate), max(upper, estimate), len(right))


def _effective_errors(right: NDArray[np.bool_], weight: Floats, variance: Floats) -> tuple[float, float]:
    """Errors and size of the equal-probability sample with the same variance; both 0 if the variance is 0."""
    mean_weight = float((weight**2).sum() / weight.sum())
    mean_variance = float(variance.sum() / (weight**2).sum()) * mean_weight**2
    if mean_variance <= 0:
        return 0.0, 0.0
    wrong = float(weight[~right].sum()) + mean_weight / 2
    total = float(weight.sum()) + mean_weight
    share = wrong / total
    of_wrong, of_right = (float(variance[each].sum()) + mean_variance / 2 for each in (~right, right))
    of_share = (of_wrong * (1 - share) ** 2 + of_right * share**2) / total**2
    effective = min(share * (1 - share) / of_share, _LARGEST)
    return share * effective, effective
