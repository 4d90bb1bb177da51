from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from feedback.statistics.live_precision import LivePrecision, live_precision

RATE = 0.02
"""Share of accepted decisions that is audited, on average."""


@dataclass(frozen=True)
class Stream:
    """Accepted decisions, the audits among them, and the answers that people volunteered."""

    right: NDArray[np.bool_]
    probability: NDArray[np.float64]
    audited: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    volunteered: NDArray[np.bool_]

    def estimate(self) -> LivePrecision:
        seen = self.audited & self.answered
        return live_precision(self.right[seen], self.probability[seen], asked=int(self.audited.sum()))

    def naive(self) -> LivePrecision:
        """Of all that was answered, as if it were a sample."""
        seen = (self.audited & self.answered) | self.volunteered
        return live_precision(self.right[seen], np.full(seen.sum(), seen.mean()))

    def covered_by(self, interval: LivePrecision) -> bool:
        return interval.lower <= self.right.mean() <= interval.upper


def stream(random: np.random.Generator, precision: float, unequal: float, rows: int = 20_000) -> Stream:
    """Errors are where confidence is low; so are more audits, and people complain of errors."""
    doubt = random.random(rows)
    right = random.random(rows) >= 2 * (1 - precision) * doubt
    tilt = np.where(doubt > 0.5, unequal, 1.0)
    probability = RATE * tilt / tilt.mean()
    audited, answered = random.random(rows) < probability, random.random(rows) < 0.7
    return Stream(right, probability, audited, answered, random.random(rows) < np.where(right, 0.003, 0.3))


def coverage(precision: float, unequal: float, streams: int, seed: int) -> tuple[float, float]:
    """Shares of streams whose precision is in the interval, and in that of the naive estimate."""
    random = np.random.default_rng(seed)
    drawn = [stream(random, precision, unequal) for _ in range(streams)]
    own = np.mean([each.covered_by(each.estimate()) for each in drawn])
    return float(own), float(np.mean([each.covered_by(each.naive()) for each in drawn]))


SLOW = pytest.mark.slow


@pytest.mark.parametrize("precision", [0.99, *(pytest.param(each, marks=SLOW) for each in (0.95, 0.98, 0.995))])
def test_the_interval_covers_the_truth_although_reviews_are_biased_and_the_naive_one_does_not(precision: float) -> None:
    own, naive = coverage(precision, 3.0, 200, 0)
    print(f"precision {precision}: {own:.3f} of the intervals cover it, {naive:.3f} of the naive ones")
    assert 0.92 <= own <= 0.98, f"covered in {own:.3f}"
    assert naive < 0.1, f"the naive one covers in {naive:.3f}"


@SLOW
@pytest.mark.parametrize("unequal", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("precision", [0.8, 0.95, 0.99, 0.995])
def test_the_interval_covers_whatever_the_probabilities_are(precision: float, unequal: float) -> None:
    own, _ = coverage(precision, unequal, 400, 1)
    print(f"precision {precision}, probabilities {unequal}: {own:.3f}")
    assert 0.92 <= own <= 0.99, f"covered in {own:.3f}"


def test_a_stream_that_is_sampled_more_where_errors_are_is_not_thought_worse() -> None:
    random = np.random.default_rng(0)
    drawn = [stream(random, 0.95, 5.0, 200_000) for _ in range(40)]
    errors = [each.estimate().estimate - each.right.mean() for each in drawn]
    assert abs(np.mean(errors)) < 0.003, "four standard errors"


def test_without_answers_nothing_is_known() -> None:
    assert live_precision(np.empty(0, np.bool_), np.empty(0), asked=7) == LivePrecision(None, 0, 1, 0)


def test_without_errors_the_interval_reaches_from_jeffreys_bound_to_1() -> None:
    found = live_precision(np.ones(300, np.bool_), np.full(300, 1e-6))
    assert (found.estimate, found.upper) == (1, 1)
    assert found.lower == pytest.approx(0.9917, abs=1e-4)


def test_with_nothing_but_errors_the_interval_begins_at_0() -> None:
    found = live_precision(np.zeros(4, np.bool_), np.full(4, 0.01))
    assert (found.estimate, found.lower) == (0, 0)
    assert 0.3 < found.upper < 0.6


@pytest.mark.parametrize("is_right", [True, False])
def test_where_all_are_alike_the_estimate_is_exact(is_right: bool) -> None:
    """Sums in another order would make it 0.9999999999999996, which a page shows as less than 100 %."""
    for count in range(1, 200):
        found = live_precision(np.full(count, is_right), np.full(count, 0.06))
        assert found.estimate == float(is_right)


def test_if_all_decisions_are_answered_the_precision_is_known_exactly() -> None:
    right = np.arange(10) > 0
    assert live_precision(right, np.ones(10)) == LivePrecision(0.9, 0.9, 0.9, 10)
    assert live_precision(right, np.ones(10), asked=20).upper > 0.9
