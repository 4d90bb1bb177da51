"""`training.policy.thresholds`: which classes have a threshold of their own, and what they then keep."""

from __future__ import annotations

import numpy as np
import pytest

from models.policy import NEVER
from training.policy.thresholds import Answers, choose_thresholds


def answers(given: np.ndarray, losses: np.ndarray, limit: float = 0.05, classes: int = 2) -> Answers:
    """Answers of falling confidence, all of which can be accepted."""
    count = len(given)
    worst, graded = np.ones(classes), np.zeros(classes, bool)
    return Answers(
        given, np.linspace(1, 0.5, count), np.ones(count, bool), losses, np.ones(count), worst, graded, limit
    )


def alternating(count: int, classes: int = 2) -> np.ndarray:
    return np.arange(count) % classes


def test_classes_of_few_answers_are_pooled() -> None:
    chosen = choose_thresholds(answers(alternating(1000), np.zeros(1000)), 0.05, rows_alone=20)
    assert chosen.alone == {}
    assert 0.5 <= chosen.pooled < 0.55


def test_classes_of_many_answers_are_judged_by_themselves() -> None:
    given = alternating(4000)
    chosen = choose_thresholds(answers(given, 1.0 * (given == 1)), 0.05, rows_alone=20)
    assert chosen.alone.keys() == {0, 1}
    assert chosen.alone[0] < 0.55
    assert (chosen.alone[1], chosen.pooled) == (NEVER, NEVER)


def test_too_small_a_pool_takes_in_the_smallest_of_the_others() -> None:
    given = np.repeat([0, 1, 2], [20, 4000, 3000])  # 0 is rare, and 2 joins it
    chosen = choose_thresholds(answers(given, np.zeros(len(given)), classes=3), 0.05, rows_alone=20)
    assert chosen.alone.keys() == {1}


def test_a_class_that_is_never_given_changes_nothing() -> None:
    given = alternating(4000)
    chosen = choose_thresholds(answers(given, np.zeros(4000), classes=3), 0.05, rows_alone=20)
    assert chosen.alone.keys() == {0, 1}
    assert chosen.pooled == NEVER


def test_the_labels_do_not_matter_to_who_is_judged_by_itself() -> None:
    random, given = np.random.default_rng(0), alternating(4000)
    groups = {
        tuple(choose_thresholds(answers(given, 1.0 * (random.random(4000) < share)), 0.05, 20).alone)
        for share in (0, 0.01, 0.5, 1)
    }
    assert len(groups) == 1


@pytest.mark.parametrize("limit", [0.0, 0.05], ids=["no mistake is allowed", "no answer"])
def test_nothing_is_accepted_where_nothing_can_be_shown(limit: float) -> None:
    given = alternating(1000 if limit == 0 else 0)
    chosen = choose_thresholds(answers(given, np.zeros(len(given)), limit), 0.05, 20)
    assert (chosen.pooled, chosen.alone) == (NEVER, {})
    assert chosen.coverage(answers(given, np.zeros(len(given)))) == 0


def test_what_may_not_be_accepted_is_not_counted() -> None:
    given = answers(alternating(1000), np.tile([0.0, 1.0], 500))
    can_accept = given.losses == 0
    kept = Answers(
        given.given, given.confidence, can_accept, given.losses, given.gains, given.worst, given.graded, 0.05
    )
    chosen = choose_thresholds(kept, 0.05, 20)
    assert 0.4 < chosen.coverage(kept) <= 0.5
    assert not chosen.accepts(kept)[~can_accept].any()


def test_each_of_several_classes_keeps_the_limit_and_all_together_the_level() -> None:
    """All classes lose the limit at every threshold, so that whatever is accepted is falsely accepted."""
    random, draws = np.random.default_rng(0), 200
    given = alternating(6000, 4)
    false = 0
    for _ in range(draws):
        losses = 1.0 * (random.random(6000) < 0.1)
        chosen = choose_thresholds(answers(given, losses, limit=0.1, classes=4), 0.05, 20)
        assert len(chosen.alone) == 4
        false += any(least < NEVER for least in chosen.alone.values())
    print(f"one of four classes falsely accepted in {false / draws:.3f} of {draws}")
    assert 0.01 <= false / draws <= 0.08
