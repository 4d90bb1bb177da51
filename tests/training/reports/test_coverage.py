"""`training.reports.coverage`: what would be accepted, counted as the policy counts."""

from __future__ import annotations

import math

import numpy as np

from training.reports.coverage import Coverage, Decisions, automation, decisions, risk

CONFIDENCE = np.array([0.5, 0.9, 0.9, 0.99, 0.8], np.float32)
HITS = np.array([False, True, False, True, True])


def coverage(eligible: list[bool] | None = None, share: float = 0.0, accuracy: float = math.nan) -> Coverage:
    can = None if eligible is None else np.array(eligible)
    return Coverage(0.9, 1.0, share, accuracy, 0.0, CONFIDENCE, HITS, can)


def test_equal_confidences_are_accepted_together() -> None:
    found = risk(coverage())
    np.testing.assert_allclose(found.confidence, [0.99, 0.9, 0.8, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.share, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(found.wrong, [0, 1 / 3, 1 / 4, 2 / 5])


def test_what_is_unfamiliar_is_never_accepted_and_counts_among_all() -> None:
    found = risk(coverage([True, True, False, False, True]))
    np.testing.assert_allclose(found.confidence, [0.9, 0.8, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.share, [0.2, 0.4, 0.6])
    np.testing.assert_allclose(found.wrong, [0, 0, 1 / 3])


def test_of_all_errors_that_allow_the_same_the_least_is_listed() -> None:
    generator = np.random.default_rng(0)
    confidence = np.sort(generator.random(1000)).astype(np.float32)
    hits = np.arange(1000) >= 30
    rows = list(automation(risk(Coverage(0.9, None, 0.5, 1.0, 0.0, confidence, hits))))
    assert [error for error, _, _ in rows] == [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]
    shares = [share for _, share, _ in rows]
    assert shares == sorted(set(shares))
    assert (shares[0], shares[-1]) == (0.97, 1.0)


def test_nothing_that_could_be_accepted_makes_no_rows() -> None:
    assert list(automation(risk(coverage([False] * 5)))) == []


def test_decisions_add_up_to_all_test_images() -> None:
    assert decisions(coverage(share=0.6, accuracy=2 / 3)) == Decisions(right=2, wrong=1, review=2)
    assert decisions(coverage()) == Decisions(right=0, wrong=0, review=5)
