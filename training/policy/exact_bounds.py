"""losses of answers, in falling order of confidence ──exact bounds──▶ how many of them are shown to be acceptable.

A threshold is shown if a test rejects the hypothesis that the accepted answers lose more than the limit. For losses of
0 or 1 the test is exact binomial (Clopper and Pearson 1934); for graded losses the p-value is that of Hoeffding and
Bentkus (Bates et al. 2021, https://arxiv.org/abs/2101.02703). Thresholds are tested in a fixed sequence with fallback
(Wiens 2003, https://doi.org/10.1002/pst.64): a threshold that is shown passes its level on to the next. The sequence
starts at two thresholds, with half of the level each. So the level is the probability that any threshold is falsely
shown, and any of those shown may be taken.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import binom, nbinom

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEP = 1.05
"""Ratio between tested numbers of accepted rows. A smaller one accepts 1.5 points more of Fashion-MNIST, but more
thresholds are then close to the limit: the promise broke in 4.6 instead of 1.9 % of resplits of 4,000 to 8,000 rows."""
_SECOND_START = 0.5
"""Share of the rows at which the second sequence starts. Without it one wrong label among the most confident rows stops
all tests: with 0.3 % of them wrong, 6,000 rows accept 0.71 instead of 0.14 of Fashion-MNIST."""
_FEWEST_SEEN = 20  # rows, at least, to estimate a mean loss
_MOST_ROWS = 1_000_000  # up to which `enough` searches


def fewest(errors: Any, limit: float, level: float) -> Counts:
    """The smallest number of rows in which a number of errors still shows that their rate is below a limit.

    Args:
        errors: int64, any shape.
        limit: of the rate, in (0, 1].
        level: of the test; without an error it takes `log(level) / log(1 - limit)` rows.
    """
    wanted = np.asarray(errors) + 1  # the probability that so many errors take more rows than that is `level`
    rows: Counts = (wanted + nbinom.isf(level, wanted, limit)).astype(np.int64)
    return rows


def shown(confidence: Floats, losses: Floats, limit: float, level: float, *, graded: bool = False) -> Counts:
    """The numbers of most confident rows, ascending, whose mean loss is shown to be within the limit.

    Rows of equal confidence are accepted together. The tested numbers depend on confidences, limit and level only.

    Args:
        confidence: in falling order, float64 `[N]`.
        losses: of accepting each row, in [0, 1], float64 `[N]`.
        limit: of their mean, at most 1; a limit of 0 cannot be shown.
        level: probability that any number is falsely shown.
        graded: whether losses may be between 0 and 1.
    """
    if limit <= 0:
        return np.empty(0, np.int64)
    rows, own_level = _sequence(confidence, limit, level)
    is_shown, inherited = np.zeros(len(rows), np.bool_), 0.0
    for position, p_value in enumerate(_p_values(losses, rows, limit, graded)):
        available = own_level[position] + inherited
        is_shown[position] = 0 < available >= p_value
        inherited = available if is_shown[position] else 0.0
    return rows[is_shown]


def enough(confidence: Floats, losses: Floats, limit: float, level: float, *, graded: bool = False) -> int | None:
    """About how many rows like these would show a threshold, if these do not; None if no number up to a million would.

    Args:
        confidence: in falling order, float64 `[N]`.
        losses: of accepting each row, in [0, 1], float64 `[N]`; fewer than 20 rows give None.
        limit: as in `shown`.
        level: as in `shown`.
        graded: as in `shown`.
    """
    count = len(losses)
    if count < _FEWEST_SEEN:
        return None
    seen = _tie_ends(confidence, np.arange(_FEWEST_SEEN, count + 1))
    if not (np.cumsum(losses)[seen - 1] < limit * seen).any():
        return None
    total = math.ceil(count * _STEP)
    while total <= _MOST_ROWS:
        rows = np.arange(total) * count // total  # each row equally often
        counts = shown(confidence[rows], losses[rows], limit, level, graded=graded)
        if len(counts) and counts[-1] * count >= _FEWEST_SEEN * total:
            return total
        total = math.ceil(total * _STEP)
    return None


def _sequence(confidence: Floats, limit: float, level: float) -> tuple[Counts, Floats]:
    """The numbers of rows that are tested, ascending, and the level of each."""
    total = len(confidence)
    starts = 2 if fewest(0, limit, level / 2) <= _SECOND_START * total else 1
    most = int(total * limit) + 2  # errors; large numbers are sampled, as `_thinned` leaves few of them
    errors = np.unique(np.geomspace(1, most, int(100 * math.log(most)) + 2).astype(np.int64)) - 1
    rows = fewest(errors, limit, level / starts)
    rows = _thinned(rows[rows <= total])
    rows = np.union1d(rows, [total]) if len(rows) else rows  # the last test costs the others nothing
    own = np.zeros(len(rows))
    if len(rows):
        own[0] = level / starts
        own[min(int(np.searchsorted(rows, _SECOND_START * total)), len(rows) - 1)] += level - own[0]
    distinct, first = np.unique(_tie_ends(confidence, rows), return_index=True)
    return distinct, np.add.reduceat(own, first) if len(rows) else own


def _tie_ends(confidence: Floats, rows: Counts) -> Counts:
    """Numbers of rows with at least the confidence of the last of the first `rows`."""
    ends: Counts = np.searchsorted(-confidence, -confidence[rows - 1], side="right")
    return ends


def _thinned(rows: Counts) -> Counts:
    kept = list(rows[:1])
    for count in rows[1:]:
        if count >= kept[-1] * _STEP:
            kept.append(count)
    return np.array(kept, np.int64)


def _p_values(losses: Floats, rows: Counts, limit: float, graded: bool) -> Floats:
    """p-values `[R]` of the hypotheses that the first `rows` lose the limit or more on average."""
    lost = np.concatenate([[0.0], np.cumsum(losses)])[rows]
    if not graded:
        return np.asarray(binom.cdf(np.round(lost), rows, limit), np.float64)
    mean = np.minimum(lost / rows, limit)
    hoeffding = np.exp(-rows * (rel_entr(mean, limit) + rel_entr(1 - mean, 1 - limit)))
    bentkus = np.e * binom.cdf(np.ceil(lost - 1e-9), rows, limit)  # float sums of whole losses are rarely whole
    return np.asarray(np.minimum(hoeffding, bentkus), np.float64)
