from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from feedback.statistics.sequential_test import Comparison, compare


def equally_asked(won: int, lost: int) -> Comparison:
    return compare({1.0: (won, lost)}, least=1.0)


verdict = cache(lambda won, lost: equally_asked(won, lost).verdict)


def ever(share: float, streams: int, answers: int) -> tuple[float, float]:
    """Shares of streams that are called better, and worse, after any answer."""
    right = np.random.default_rng(0).random((streams, answers)) < share
    won = right.cumsum(1)
    said = [{verdict(int(w), at + 1 - int(w)) for at, w in enumerate(row)} for row in won]
    return float(np.mean(["better" in each for each in said])), float(np.mean(["worse" in each for each in said]))


def test_reading_it_after_every_answer_is_wrong_in_5_percent_of_streams() -> None:
    better, worse = ever(0.5, 400, 200)
    print(f"equal models were called better in {better:.3f} and worse in {worse:.3f} of streams")
    assert better + worse <= 0.05


def test_a_worse_candidate_is_called_worse_and_hardly_ever_better() -> None:
    better, worse = ever(0.3, 200, 200)
    assert better <= 0.01
    assert worse >= 0.9, f"called worse in {worse:.3f}"


def test_before_the_first_answer_nothing_is_known() -> None:
    comparison = compare({}, least=0.01)
    assert comparison.e_value == pytest.approx(1)
    assert comparison.verdict == "cannot tell yet"


def test_the_sentence_has_counts_and_evidence() -> None:
    assert equally_asked(40, 12).sentence == (
        "the candidate is shown to be better: of 52 answers that exactly one is right on, the candidate is on 40 "
        "(e-value 412, needed 20)"
    )


def test_thousands_of_one_sided_answers_do_not_overflow() -> None:
    assert equally_asked(100_000, 0).e_value > 1e300


def test_reviews_alone_do_not_show_that_a_candidate_is_better_where_accepted_decisions_are_hardly_asked_about() -> None:
    assert compare({1.0: (27, 1)}, least=1.0).verdict == "better"
    assert compare({1.0: (27, 1)}, least=0.01).verdict == "cannot tell yet"


def test_decisions_that_are_never_asked_about_leave_everything_open() -> None:
    comparison = compare({1.0: (200, 0)}, least=0.0)
    assert (comparison.e_value, comparison.verdict) == (pytest.approx(1), "cannot tell yet")
    assert "never audited" in comparison.sentence


def stream(random: np.random.Generator, won: float, lost: float, audit: float) -> list[str]:
    """Verdicts on a candidate that wins a share of the reviews, and loses one among the accepted decisions."""
    counts = {1.0: [0, 0], audit: [0, 0]}
    said = []
    for _ in range(10):
        counts[1.0][0] += int(random.binomial(60, won))
        counts[audit][1] += int(random.binomial(int(random.binomial(240, lost)), audit))
        said.append(compare({each: (own[0], own[1]) for each, own in counts.items()}, least=audit).verdict)
    return said


def test_a_candidate_that_loses_among_the_accepted_what_it_wins_in_reviews_is_hardly_ever_called_better() -> None:
    random = np.random.default_rng(0)
    called = np.mean(["better" in stream(random, won=0.2, lost=0.05, audit=0.1) for _ in range(300)])
    found = np.mean(["better" in stream(random, won=0.6, lost=0.0, audit=0.1) for _ in range(50)])
    print(f"an equal one was called better in {called:.3f}, one that only wins in {found:.3f} of streams")
    assert called <= 0.05
    assert found >= 0.9
