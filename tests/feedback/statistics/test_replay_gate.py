from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feedback.statistics.replay_gate import PairedCounts, replay_gate

Flags = NDArray[np.bool_]


def pair(both: int, lost: int, won: int, neither: int) -> tuple[Flags, Flags]:
    """What the champion and the candidate were right on."""
    counts = [both, lost, won, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_a_better_candidate_passes_with_its_counts_in_the_sentence() -> None:
    verdict = replay_gate(*pair(1_880, 30, 50, 40))
    assert verdict.passed
    assert verdict.counts == PairedCounts(2_000, 1_880, 30, 50)
    assert verdict.sentence.startswith(
        "passed: the candidate is right on 1,930 of 2,000 rows where the champion is on 1,910; 50 won, 30 lost; "
    )


def test_a_worse_candidate_is_refused_with_the_reason() -> None:
    verdict = replay_gate(*pair(1_880, 50, 30, 40))
    assert not verdict.passed
    assert verdict.reasons[0].startswith("a loss of 0.3 points is not ruled out (p = 0.9")
    assert verdict.sentence.startswith("refused: the candidate is right on 1,910 of 2,000 rows")


def test_one_class_that_is_shown_worse_refuses_a_candidate_that_is_better_on_the_whole() -> None:
    champion, candidate = pair(1_860, 20, 80, 40)
    classes = np.r_[np.ones(1_860), np.zeros(20), np.ones(120)].astype(np.int64)  # all losses in one class
    classes[:180] = 0
    verdict = replay_gate(champion, candidate, classes=classes, names=["coat", "bag"])
    assert list(verdict.worse) == ["coat"]
    assert verdict.p_value < 0.05
    assert verdict.reasons == (
        "class 'coat' is worse: right on 180 of 200 rows where the champion is on 200; 0 won, 20 lost",
    )


def test_many_classes_do_not_refuse_a_good_candidate_by_chance() -> None:
    random = np.random.default_rng(0)
    classes = np.arange(2_000) % 20
    refused = 0
    for _ in range(30):
        case = random.choice(4, 2_000, p=[0.94, 0.012, 0.03, 0.018])
        verdict = replay_gate(np.isin(case, (0, 1)), np.isin(case, (0, 2)), classes=classes)
        refused += bool(verdict.worse)
    assert refused <= 2, f"{refused} of 30 refused"


def test_accepted_rows_that_break_the_target_refuse_the_candidate() -> None:
    champion, candidate = pair(1_880, 30, 50, 40)
    verdict = replay_gate(champion, candidate, accepted=np.ones(2_000, np.bool_), target=0.99)
    assert verdict.accepted is not None
    assert verdict.accepted.broken
    assert verdict.reasons[0].startswith("70 of 2,000 accepted rows are wrong, at most 4.25 % at 95 % confidence")


def test_the_target_is_said_to_be_kept_only_if_that_is_shown() -> None:
    champion, candidate = pair(1_880, 30, 50, 40)
    for rows, kept in ((200, False), (1_000, True)):
        verdict = replay_gate(champion, candidate, accepted=np.arange(2_000) < rows, target=0.99)
        assert verdict.passed
        assert verdict.accepted is not None
        assert verdict.accepted.kept is kept


def test_without_rows_nothing_passes() -> None:
    nothing = np.empty(0, np.bool_)
    verdict = replay_gate(nothing, nothing, classes=np.empty(0, np.int64), accepted=nothing, target=0.99)
    assert not verdict.passed
    assert verdict.sentence.startswith("refused: the candidate is right on 0 of 0 rows")
