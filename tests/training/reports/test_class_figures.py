"""`training.reports.class_figures`: classes one by one, and what is taken for what."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.reports.class_figures import Pair, accepted_as_another, class_figures, confused

CLASSES = ("ok", "scratch", "dent", "hole")
CONFUSION = np.array([[95, 3, 2, 0], [6, 4, 0, 0], [1, 0, 9, 0], [0, 0, 0, 0]])


def test_each_class_has_recall_precision_and_support_with_intervals() -> None:
    ok, scratch, _, hole = class_figures(CLASSES, CONFUSION, None)
    assert (ok.name, ok.support, ok.recall, ok.missed) == ("ok", 100, 0.95, None)
    assert ok.recall_within == pytest.approx((0.8882, 0.9785), abs=1e-4)  # Wilson, by hand
    assert scratch.precision == pytest.approx(4 / 7)
    assert hole.support == 0
    assert math.isnan(hole.recall)
    assert math.isnan(hole.precision_within[1])


def test_what_is_accepted_as_another_class_is_counted_by_class() -> None:
    accepted = np.array([[90, 1, 0, 0], [5, 1, 0, 0], [0, 0, 7, 0], [0, 0, 0, 0]])
    assert [each.missed for each in class_figures(CLASSES, CONFUSION, accepted)] == [1, 5, 0, 0]


def test_confused_pairs_come_by_how_often_they_are() -> None:
    found = confused(CLASSES, CONFUSION)
    assert found[0] == Pair("scratch", "ok", 6, 0.6)
    assert [pair.count for pair in found] == [6, 3, 2, 1]
    assert confused(CLASSES, np.diag([1, 2, 3, 4])) == []


@pytest.mark.parametrize(
    ("rare", "is_named"),
    [([7, 2, 0, 0], True), ([2, 7, 0, 0], False), ([1, 0, 0, 0], False), ([3, 3, 0, 0], False), ([2, 3, 2, 0], True)],
    ids=["mostly", "seldom", "once", "as often", "by several together"],
)
def test_a_class_is_named_that_is_mostly_accepted_as_something_else(rare: list[int], is_named: bool) -> None:
    accepted = np.array([[90, 0, 0, 0], rare, [0, 0, 8, 0], [0, 0, 0, 0]])
    sentences = accepted_as_another(CLASSES, accepted)
    assert len(sentences) == is_named
    assert all(sentence.startswith("scratch is mostly accepted") for sentence in sentences)
