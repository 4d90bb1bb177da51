"""rows ──▶ sentences: which model to use for this data and why, by rules that do not count chance as a win.

Rules:

1. Each family is represented by its most accurate row at a size on the common test set; ties by log loss. That is as
   generous to one family as to another.
2. The model to use is, at the largest size with two measured rows, the simplest family that is shown not to be worse
   than any row by more than a margin; if there is none, the data cannot tell. See
   `training.compare.report.recommendation`. The simplest comes first: columns alone, pixels, hand-made features, a
   frozen pretrained network, hybrid, hybrid with columns, network alone (as costly as the hybrid, and it neither takes
   columns nor shows neighbours).
3. A difference between two rows counts only if 0 is outside its 95 % limits. The confidence is divided between the
   pairs of rows that could have been picked (Bonferroni): the best of nine heads against the best of nine rivals is one
   of 81 pairs. Every other difference is called chance.
4. The hybrid is compared with the best on pixels and hand-made features at every size. At the largest size it is also
   compared with the network alone, the frozen one, the hybrid with columns and the columns alone.
5. Of a comparison that somebody stopped, only what was measured is reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from scipy.stats import norm

from training.compare.report.comparison_rows import Decision, Family, Row, by_merit, champion
from training.compare.report.paired_intervals import Interval, difference, noise_of
from training.compare.report.recommendation import CONFIDENCE, Ranking
from training.reports.html_page import megabytes

CLASSICAL = (Family.PIXELS, Family.HOG)
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "fashion-mnist": {"HOG and SVM": 0.926, "XGBoost on pixels": 0.898, "GRU and SVM": 0.888}
}
"""Published test accuracies, by data set: the list at https://github.com/zalandoresearch/fashion-mnist."""
_PUBLISHED_ON = 60_000  # training images; with fewer there is nothing to compare
_LEVEL = 1 - CONFIDENCE
_MOST_NAMED = 6


def conclude(
    data: str, rows: Sequence[Row], test_images: int, margin: float
) -> tuple[Decision | None, tuple[str, ...]]:
    """Which model to use on one data set, and the sentences that say so.

    Args:
        data: its name, to find published figures.
        rows: all sizes, in any order.
        test_images: size of the common test set.
        margin: points by which the recommended model may be worse than the best.
    """
    if not rows:
        return None, ("Nothing was measured, so nothing can be said.",)
    by_size = {
        size: sorted((row for row in rows if row.size == size), key=by_merit)
        for size in sorted({row.size for row in rows})
    }
    compared = [size for size, each in by_size.items() if len(each) > 1]
    largest = by_size[max(compared or by_size)]
    decision = Ranking(largest, test_images, margin).decide() if compared else None
    return decision, (
        _recommendation(decision, largest, test_images, margin),
        *(_at_size(each, test_images) for each in by_size.values()),
        *_against(largest, test_images),
        *_published(data, largest, test_images),
        _noise(largest, test_images),
    )


def interrupted(rows: Sequence[Row], expected: int) -> tuple[str, ...]:
    """The sentences on a comparison that somebody stopped, which should have had `expected` rows."""
    told = f"Interrupted: {len(rows)} of {expected} rows were measured, so there is no verdict."
    return told, *(f"{row.size:,} images: {row.name}, {_accuracy(row)} of the test images right." for row in rows)


def compare(a: Row, b: Row, pairs: int, test_images: int) -> Interval:
    """The difference of row `a` from row `b`, one of `pairs` pairs that could have been picked."""
    ours, theirs = a.hits(test_images), b.hits(test_images)
    return difference(ours, theirs, _LEVEL / 2 / max(1, pairs), noise_of([ours, theirs]))


def _recommendation(decision: Decision | None, rows: Sequence[Row], test_images: int, margin: float) -> str:
    best = rows[0]
    if decision is None:
        return (
            f"Of {best.name} alone something was measured ({_with_limits(best)}): there is nothing to compare it with."
        )
    if decision.recommended is None:
        return _cannot_tell(decision, rows, test_images, margin)
    row = next(row for row in rows if row.name == decision.recommended)
    use = f"With {row.size:,} images, use {row.name}: {_with_limits(row)} of the test images are right, {_costs(row)}."
    shown = f"It is shown, with {CONFIDENCE:.0%} confidence, that nothing else is better by more than {_points(margin)}"
    if row is best:
        return f"{use} {shown}."
    return f"{use} {shown}, the highest figure, {best.name} with {_accuracy(best)}, included; and it is the simplest."


def _cannot_tell(decision: Decision, rows: Sequence[Row], test_images: int, margin: float) -> str:
    named = [f"{row.name} ({_with_limits(row)})" for name in decision.contenders for row in rows if row.name == name]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    if decision.enough_images is None:
        enough = (
            "More test images alone would not be enough, as training is not steady: a longer --budget runs more seeds"
        )
    else:
        enough = f"About {decision.enough_images:,} would be enough, if the figures stay as they are"
    return (
        f"With {rows[0].size:,} images: cannot tell which to use. Of {', '.join(named[:_MOST_NAMED])}{more} none is "
        f"shown by {test_images:,} test images, with {CONFIDENCE:.0%} confidence, to be worse than the others by "
        f"{_points(margin)} at most. {enough}."
    )


def _at_size(rows: Sequence[Row], test_images: int) -> str:
    """The hybrid against classical learning, at one size."""
    hybrid, classical = champion(rows, Family.HYBRID), champion(rows, *CLASSICAL)
    head = f"With {rows[0].size:,} images"
    if hybrid is None or classical is None:
        missing = "no hybrid" if hybrid is None else "nothing on pixels or hand-made features"
        return f"{head}: {rows[0].name} is best with {_accuracy(rows[0])}; {missing} was measured."
    gap = compare(hybrid, classical, _pairs(rows, (Family.HYBRID,), CLASSICAL), test_images)
    found = f"{hybrid.name} {_accuracy(hybrid)}, {classical.name} {_accuracy(classical)}"
    if gap.is_chance:
        return f"{head}: {found}; the difference is within chance ({_limits(gap)})."
    ends = "the hybrid wins" if gap.points > 0 else "classical learning wins"
    return (
        f"{head}: {found}; {ends} by {abs(gap.points):.1f} points ({_limits(gap)}); "
        f"the hybrid {_price(hybrid, classical)}."
    )


def _against(rows: Sequence[Row], test_images: int) -> Iterator[str]:
    """The hybrid against the network alone and the frozen one, and what columns add."""
    hybrid, network = champion(rows, Family.HYBRID), champion(rows, Family.NETWORK)
    if hybrid and network:
        gap = compare(hybrid, network, _pairs(rows, (Family.HYBRID,), (Family.NETWORK,)), test_images)
        cannot = "it cannot take columns, and shows no neighbours that it decided by"
        losses = f"log loss {network.log_loss:.3f}, the hybrid's {hybrid.log_loss:.3f}"
        if gap.is_chance:
            yield f"The network alone is as accurate within chance ({_accuracy(network)}; {losses}), but {cannot}."
        else:
            how = "less" if gap.points > 0 else "more"
            points = f"{abs(gap.points):.1f} points {how} accurate than the hybrid"
            yield f"The network alone is {points} ({_accuracy(network)}; {losses}), and {cannot}."
    frozen = champion(rows, Family.PRETRAINED)
    if hybrid and frozen:
        against = "The network fitted on these images against a frozen pretrained one, which was given no larger ones"
        yield _gain(against, hybrid, frozen, rows, test_images)
    both = champion(rows, Family.HYBRID_COLUMNS)
    for rival, name in ((hybrid, "the image alone"), (champion(rows, Family.COLUMNS), "the columns alone")):
        if both and rival:
            yield _gain(f"Image and columns together against {name}", both, rival, rows, test_images)


def _gain(what: str, row: Row, rival: Row, rows: Sequence[Row], test_images: int) -> str:
    gap = compare(row, rival, _pairs(rows, (row.family,), (rival.family,)), test_images)
    gain = "no more than chance" if gap.is_chance else f"{gap.points:+.1f} points"
    return f"{what} ({_accuracy(row)} and {_accuracy(rival)}): {gain} ({_limits(gap)})."


def _published(data: str, rows: Sequence[Row], test_images: int) -> Iterator[str]:
    """Against published figures, of which only the accuracy is known: an unpaired comparison."""
    own = champion(rows, Family.HYBRID)
    if not own or data not in PUBLISHED or own.size < _PUBLISHED_ON:
        return
    z = norm.isf(_LEVEL / 2 / len(PUBLISHED[data]))
    told = []
    for name, accuracy in PUBLISHED[data].items():
        variance = (own.accuracy * (1 - own.accuracy) + accuracy * (1 - accuracy)) / test_images
        points = 100 * (own.accuracy - accuracy)
        chance = abs(points) <= 100 * z * math.sqrt(variance)
        told.append(f"{name} {accuracy:.1%} ({points:+.1f} points{', which may be chance' if chance else ''})")
    yield f"Against published figures, the hybrid's {_accuracy(own)}: {', '.join(told)}."


def _noise(rows: Sequence[Row], test_images: int) -> str:
    """What the intervals include."""
    repeated = [row for row in rows if len(row.right) > 1]
    best = rows[0]
    text = f"The test set has {test_images:,} images: {_with_limits(best)} is what they tell of {best.name}, the best."
    if not repeated:
        return f"{text} Each model was fitted with one seed; how much another seed changes is not in these figures."
    seeds = max(len(row.right) for row in repeated)
    return (
        f"{text} {len(repeated)} of {len(rows)} models were fitted with up to {seeds} seeds, and the noise is included."
    )


def _pairs(rows: Sequence[Row], ours: Sequence[Family], theirs: Sequence[Family]) -> int:
    return sum(row.family in ours for row in rows) * sum(row.family in theirs for row in rows)


def _price(hybrid: Row, rival: Row) -> str:
    """What the hybrid costs compared with it."""
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


def _with_limits(row: Row) -> str:
    """Its accuracy with 95 % limits."""
    return f"{_accuracy(row)}, {100 * row.low:.1f} to {100 * row.high:.1f}"


def _limits(gap: Interval) -> str:
    return f"{gap.low:+.1f} to {gap.high:+.1f} points"


def _points(margin: float) -> str:
    return f"{margin:g} point" if margin == 1 else f"{margin:g} points"
