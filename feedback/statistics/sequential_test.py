"""answers that two models differ on, as they come ──▶ `Comparison`: whether the candidate is shown better or worse.

It may be read after every answer: the probability of ever being wrong is at most 5 %. People are asked about doubtful
decisions far more often than about accepted ones, so each answer weighs 1 / the probability of being asked. A bet on
the candidate multiplies its stake by 1 ± bet x least / probability, a supermartingale if the candidate is not better
(Ville 1939; Waudby-Smith and Ramdas 2024, https://doi.org/10.1093/jrsssb/qkad009). The e-value is the mean of all bets
on either model. Answers on which both are right, or both wrong, tell nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

LEVEL = 0.05
"""Probability that a comparison is ever wrong, however often it is read."""
_BETS = (np.arange(200) + 0.5) / 200
_LARGEST_LOG = 700.0  # whose exponential is still a float


@dataclass(frozen=True)
class Comparison:
    """What the discordant answers say so far.

    Attributes:
        won: answers where only the candidate is right.
        lost: answers where only the champion is right.
        e_value: evidence against their being equal; 20 or more is shown at a level of 5 %.
        verdict: `better` or `worse` if that is shown.
        sentence: the same in words.
    """

    won: int
    lost: int
    e_value: float
    verdict: Literal["better", "worse", "cannot tell yet"]
    sentence: str


def compare(pairs: Mapping[float, tuple[int, int]], least: float) -> Comparison:
    """Compares two models by all discordant answers so far.

    Args:
        pairs: answers won and lost, by the probability of being asked, in (0, 1].
        least: smallest probability with which any of the compared decisions is asked about, answered or not; 0 if some
            never are, so that nothing can be said of them.
    """
    won, lost = (sum(counts[side] for counts in pairs.values()) for side in (0, 1))
    better, worse = _log_stake(pairs, least, 1), _log_stake(pairs, least, -1)
    e_value = float(np.exp(np.minimum(np.logaddexp(better, worse) - np.log(2), _LARGEST_LOG)))
    verdict: Literal["better", "worse", "cannot tell yet"] = "cannot tell yet"
    if e_value >= 1 / LEVEL:
        verdict = "better" if better > worse else "worse"
    return Comparison(won, lost, e_value, verdict, _sentence(won, lost, e_value, verdict, least))


def _log_stake(pairs: Mapping[float, tuple[int, int]], least: float, side: int) -> float:
    """Logarithm of the mean of what all bets on one side have become."""
    stakes = np.zeros(len(_BETS))
    for probability, (won, lost) in pairs.items():
        gain = side * _BETS * least / probability
        stakes += won * np.log1p(gain) + lost * np.log1p(-gain)
    return float(np.logaddexp.reduce(stakes) - np.log(len(_BETS)))


def _sentence(won: int, lost: int, e_value: float, verdict: str, least: float) -> str:
    said = "the candidate is shown to be" if verdict != "cannot tell yet" else "the answers"
    counts = (
        f"{said} {verdict}: of {won + lost:,} answers that exactly one is right on, the candidate is on {won:,} "
        f"(e-value {e_value:.3g}, needed {1 / LEVEL:g})"
    )
    if least <= 0:
        return f"{counts}; accepted decisions are never audited, so that nothing can be shown"
    return counts if least >= 1 else f"{counts}; an accepted decision is asked about with probability {least:.3g}"
