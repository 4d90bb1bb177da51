"""rows ──▶ sentences: which to use for this data and why, by rules, in which chance is not a win.

Rules:

1. Each family is spoken for by its most accurate row of a size on the common test set; of equals, the one of less log
   loss. That is as generous to one family as to the other.
2. Two rows are compared image by image (a paired comparison): the difference of their accuracies has the standard
   error sd(right_a - right_b) / sqrt(test images), and counts only where it is larger than z of them. z is the normal
   quantile of 5 % in two tails, divided by the pairs of rows that could have been picked (Bonferroni): the best of nine
   heads against the best of nine rivals is one of 81 pairs. Everything else is called chance.
3. To be used is, at the largest size, the simplest family that is not worse than the best row by more than chance.
   Simplest first: columns alone, pixels, hand-made features, hybrid, hybrid with columns, network alone (as costly as
   the hybrid, and it neither takes columns nor shows neighbours).
4. The hybrid is compared with the best on pixels and hand-made features at every size, and with the network alone,
   the hybrid with columns and the columns alone at the largest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from training.compare.rows import Family, Row, by_merit, champion
from training.page import megabytes

CLASSICAL = (Family.PIXELS, Family.HOG)
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "fashion-mnist": {"HOG and SVM": 0.926, "XGBoost on pixels": 0.898, "GRU and SVM": 0.888}
}
"""Test accuracies that others report, by data set: the list at https://github.com/zalandoresearch/fashion-mnist."""
_PUBLISHED_ON = 60_000  # training images; with fewer there is nothing to compare
_LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """Accuracy of one row less that of another, and how much of it can be chance; in points, hundredths."""

    points: float
    chance: float

    @property
    def is_chance(self) -> bool:
        """Whether it means nothing."""
        return abs(self.points) <= self.chance


def judge(data: str, rows: Sequence[Row], test_images: int) -> tuple[str, ...]:
    """The verdict on one data set.

    Args:
        data: its name, for figures that others report.
        rows: all sizes, in any order.
        test_images: size of the common test set.
    """
    if not rows:
        return ("Nothing was measured, so nothing can be said.",)
    by_size = {
        size: sorted((row for row in rows if row.size == size), key=by_merit)
        for size in sorted({row.size for row in rows})
    }
    largest = by_size[max(by_size)]
    return (
        _recommendation(largest, test_images),
        *(_at_size(each, test_images) for each in by_size.values()),
        *_against(largest, test_images),
        *_published(data, largest, test_images),
        _noise(largest, test_images),
    )


def compare(a: Row, b: Row, pairs: int, test_images: int) -> Difference:
    """Row `a` less row `b`, picked out of so many pairs.

    Where no image tells them apart, one does so by chance: it is the least that can be called a difference.
    """
    gaps = a.hits(test_images).astype(np.float64) - b.hits(test_images)
    z = NormalDist().inv_cdf(1 - _LEVEL / 2 / max(1, pairs))
    error = float(gaps.std()) / math.sqrt(test_images)
    return Difference(100 * float(gaps.mean()), 100 * max(z * error, 1 / test_images))


def recommended(rows: Sequence[Row], test_images: int) -> Row:
    """The row to be used, of one size's rows, best first."""
    for family in Family:
        row = champion(rows, family)
        if row is not None and not _is_worse(row, rows[0], rows, test_images):
            return row
    raise AssertionError("the best row is not worse than itself")


def _is_worse(row: Row, best: Row, rows: Sequence[Row], test_images: int) -> bool:
    if row is best:
        return False
    difference = compare(row, best, _pairs(rows, (row.family,), (best.family,)), test_images)
    return difference.points < 0 and not difference.is_chance


def _recommendation(rows: Sequence[Row], test_images: int) -> str:
    row, best = recommended(rows, test_images), rows[0]
    use = f"With {row.size:,} images, use {row.name}: {_accuracy(row)} of the test images are right, {_costs(row)}."
    if row.name == best.name:
        rival = next((each for each in rows if each.family != row.family), None)
        if rival is None:
            return f"{use} There was nothing of another kind to compare it with."
        difference = compare(row, rival, _pairs(rows, (row.family,), (rival.family,)), test_images)
        if difference.is_chance:
            return f"{use} {_capital(rival.name)} is as good within chance, and not simpler."
        return f"{use} It beats everything of another kind by {difference.points:.1f} points or more."
    return (
        f"{use} The highest figure, {best.name} with {_accuracy(best)}, is not better than that by more than chance, "
        "and it is less simple."
    )


def _at_size(rows: Sequence[Row], test_images: int) -> str:
    """The hybrid against classical learning, at one size."""
    hybrid, classical = champion(rows, Family.HYBRID), champion(rows, *CLASSICAL)
    head = f"With {rows[0].size:,} images"
    if hybrid is None or classical is None:
        missing = "no hybrid" if hybrid is None else "nothing on pixels or hand-made features"
        return f"{head}: {rows[0].name} is best with {_accuracy(rows[0])}; {missing} was measured."
    difference = compare(hybrid, classical, _pairs(rows, (Family.HYBRID,), CLASSICAL), test_images)
    found = f"{hybrid.name} {_accuracy(hybrid)}, {classical.name} {_accuracy(classical)}"
    if difference.is_chance:
        return f"{head}: {found}; the difference is within chance ({difference.chance:.1f} points)."
    ends = "the hybrid wins" if difference.points > 0 else "classical learning wins"
    return f"{head}: {found}; {ends} by {abs(difference.points):.1f} points; the hybrid {_price(hybrid, classical)}."


def _against(rows: Sequence[Row], test_images: int) -> Iterator[str]:
    """The hybrid against the network alone, and what the columns add."""
    hybrid, network = champion(rows, Family.HYBRID), champion(rows, Family.NETWORK)
    if hybrid and network:
        difference = compare(hybrid, network, _pairs(rows, (Family.HYBRID,), (Family.NETWORK,)), test_images)
        cannot = "it cannot take columns, and shows no neighbours that it decided by"
        losses = f"log loss {network.log_loss:.3f}, the hybrid's {hybrid.log_loss:.3f}"
        if difference.is_chance:
            yield f"The network alone is as accurate within chance ({_accuracy(network)}; {losses}), but {cannot}."
        else:
            how = "less" if difference.points > 0 else "more"
            points = f"{abs(difference.points):.1f} points {how} accurate than the hybrid"
            yield f"The network alone is {points} ({_accuracy(network)}; {losses}), and {cannot}."
    both = champion(rows, Family.HYBRID_COLUMNS)
    for rival, name in ((hybrid, "the image alone"), (champion(rows, Family.COLUMNS), "the columns alone")):
        if both and rival:
            difference = compare(both, rival, _pairs(rows, (both.family,), (rival.family,)), test_images)
            gain = "no more than chance" if difference.is_chance else f"{difference.points:+.1f} points"
            yield f"Image and columns together against {name} ({_accuracy(both)} and {_accuracy(rival)}): {gain}."


def _published(data: str, rows: Sequence[Row], test_images: int) -> Iterator[str]:
    """Against figures that others report, of which only the accuracy is known: an unpaired comparison."""
    own = champion(rows, Family.HYBRID)
    if not own or data not in PUBLISHED or own.size < _PUBLISHED_ON:
        return
    z = NormalDist().inv_cdf(1 - _LEVEL / 2 / len(PUBLISHED[data]))
    told = []
    for name, accuracy in PUBLISHED[data].items():
        variance = (own.accuracy * (1 - own.accuracy) + accuracy * (1 - accuracy)) / test_images
        points = 100 * (own.accuracy - accuracy)
        chance = abs(points) <= 100 * z * math.sqrt(variance)
        told.append(f"{name} {accuracy:.1%} ({points:+.1f} points{', which may be chance' if chance else ''})")
    yield f"Against published figures, the hybrid's {_accuracy(own)}: {', '.join(told)}."


def _noise(rows: Sequence[Row], test_images: int) -> str:
    """How much is chance, by the two best families where there are two."""
    best = rows[0]
    rival = next((each for each in rows if each.family != best.family), None)
    text = f"The test set has {test_images:,} images"
    if rival is None:
        error = 100 * math.sqrt(best.accuracy * (1 - best.accuracy) / test_images)
        return f"{text}: the standard error of an accuracy is {error:.1f} points."
    chance = compare(best, rival, _pairs(rows, (best.family,), (rival.family,)), test_images).chance
    return f"{text}: between the best of two kinds, differences below {chance:.1f} points are chance."


def _pairs(rows: Sequence[Row], ours: Sequence[Family], theirs: Sequence[Family]) -> int:
    return sum(row.family in ours for row in rows) * sum(row.family in theirs for row in rows)


def _price(hybrid: Row, rival: Row) -> str:
    """What the hybrid costs beside it."""
    return (
        f"costs {_ratio(hybrid.fit_seconds, rival.fit_seconds)} the time to fit, "
        f"{_ratio(hybrid.predict_us, rival.predict_us)} the time an image and "
        f"{_ratio(hybrid.size_bytes, rival.size_bytes)} the bytes"
    )


def _ratio(a: float, b: float) -> str:
    ratio = a / max(b, 1e-9)
    return f"{ratio:,.0f} times" if ratio >= 9.5 else f"{ratio:.1f} times" if ratio >= 0.95 else f"{ratio:.2g} times"


def _costs(row: Row) -> str:
    return f"{row.predict_us:,.0f} µs an image, {megabytes(row.size_bytes)}"


def _accuracy(row: Row) -> str:
    return f"{100 * row.accuracy:.1f}\N{NO-BREAK SPACE}%"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
