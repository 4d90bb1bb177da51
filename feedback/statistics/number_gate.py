"""absolute errors of two models on the same rows ──▶ `NumberVerdict`: whether the candidate may go on, and why.

It passes if its mean error is shown to be larger by less than a share of the champion's. What is far off for both
models, as a mistyped answer is, says nothing of either, but would raise that share. So the part that both errors of a
row have above a limit is left out. That only ever makes the test stricter, by the margin's share of that part, so its
level holds.

Signs of the paired differences are flipped at random, and the studentised mean is compared, which keeps the level for
large numbers of rows although the differences are not symmetric (Janssen 1999,
https://doi.org/10.1016/S0167-7152(99)00043-6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.05
"""Probability that a candidate that loses the margin passes."""
MARGIN = 0.05
"""Share of the champion's mean error: 0.3 points of a head that is wrong in 6 of 100 cases."""
_FLIPS = 1_999
_FAR = 5  # times the error that 9 of 10 rows do not exceed: 11 times the mean if errors are exponential
_LARGEST = 2 * float(np.finfo(np.float32).max)  # error of a number that a head can name


@dataclass(frozen=True)
class NumberVerdict:
    """Whether the candidate passes.

    Attributes:
        passed: whether it does.
        reasons: why not; empty if it passes.
        sentence: verdict and figures in words.
        p_value: of the hypothesis that the candidate loses the margin or more.
    """

    passed: bool
    reasons: tuple[str, ...]
    sentence: str
    p_value: float


def number_gate(champion_error: Floats, candidate_error: Floats, *, margin: float = MARGIN) -> NumberVerdict:
    """Compares two models on at least one row that neither was fitted on.

    Args:
        champion_error: absolute errors, float64 `[N]`; one that is not finite, or beyond float32, rules nothing out.
        candidate_error: of the same rows, float64 `[N]`.
        margin: share of the champion's mean error, at least 0.
    """
    champion_error, candidate_error = comparable(champion_error, candidate_error)
    p_value = number_p_value(champion_error, candidate_error, margin)
    passed = p_value <= LEVEL
    said = (
        f"the candidate's mean error on {len(champion_error):,} rows is {candidate_error.mean():.4g} where the "
        f"champion's is {champion_error.mean():.4g}; {100 * margin:.3g} % more is {'' if passed else 'not '}ruled out "
        f"(p = {p_value:.3f})"
    )
    reasons = () if passed else (said,)
    return NumberVerdict(passed, reasons, f"{'passed' if passed else 'refused'}: {said}", p_value)


def comparable(champion_error: Floats, candidate_error: Floats) -> tuple[Floats, Floats]:
    """The errors, `[N]` each, without the part that both have above five times what 9 of 10 rows do not exceed."""
    both = np.minimum(champion_error, candidate_error)
    if not len(both) or not np.isfinite(both).all():
        return champion_error, candidate_error
    excess = np.maximum(both - _FAR * np.quantile(both, 0.9, method="lower"), 0)
    return champion_error - excess, candidate_error - excess


def number_p_value(champion_error: Any, candidate_error: Any, margin: float) -> float:
    """The p-value of the hypothesis that the candidate's mean error is larger by the margin or more.

    Args:
        champion_error: absolute errors, float64 `[N]`.
        candidate_error: of the same rows, float64 `[N]`.
        margin: share of the champion's mean error, at least 0.
    """
    champion, candidate = comparable(np.asarray(champion_error, np.float64), np.asarray(candidate_error, np.float64))
    if len(champion) < 2 or not np.maximum(champion, candidate).max() <= _LARGEST:
        return 1.0
    excess = candidate - (1 + margin) * champion
    signs = np.random.default_rng(0).integers(0, 2, (_FLIPS, len(excess)), np.int8)
    means = signs @ (2 * excess / len(excess)) - excess.mean()
    observed = _studentised(np.array([excess.mean()]), excess)
    return float((1 + (_studentised(means, excess) <= observed).sum()) / (_FLIPS + 1))


def _studentised(means: Floats, values: Floats) -> Floats:
    """Means divided by their standard deviations; the mean square is the same whatever the signs are."""
    variance = np.maximum((values**2).mean() - means**2, 1e-300)
    return np.asarray(means / np.sqrt(variance), np.float64)
