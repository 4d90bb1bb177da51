"""`training.policy.missed_classes`: how often a class may be accepted as another one, and how often it is."""

from __future__ import annotations

import numpy as np
import pytest

from training.exceptions import DataError
from training.policy.missed_classes import MissedBound, bound_missed

CLASSES = ("common", "rare")


def bound(probability: np.ndarray, labels: np.ndarray, share: float = 0.05) -> MissedBound:
    found = np.stack([1 - probability, probability], axis=1)
    everything = np.ones(len(labels), bool)
    (missed,) = bound_missed(found, labels, everything, classes=CLASSES, max_missed={"rare": share}, level=0.05)
    return missed


def test_as_many_are_missed_as_the_exact_bound_allows() -> None:
    labels = np.repeat([1, 0], [100, 900])
    probability = np.concatenate([np.linspace(0.001, 0.1, 100), np.zeros(900)])
    missed = bound(probability, labels)
    accepted = probability[labels == 1] < (missed.review_from or 0)
    assert accepted.sum() == 1  # of 100, 1 shows a share below 0.05, and 2 do not
    assert missed.sentence == "at most 5 % of 'rare' accepted as another class"


def test_equally_probable_ones_are_reviewed_together() -> None:
    missed = bound(np.full(100, 0.02), np.ones(100, np.int64))
    assert missed.review_from == 0.02


def test_a_class_that_is_always_found_restricts_nothing() -> None:
    missed = bound(np.full(100, 0.9), np.ones(100, np.int64))
    assert (missed.review_from, missed.shown) == (None, True)


@pytest.mark.parametrize("rows", [0, 10, 58])
def test_with_few_images_every_other_answer_is_reviewed(rows: int) -> None:
    missed = bound(np.full(rows, 0.9), np.ones(rows, np.int64))
    assert (missed.review_from, missed.shown) == (0.0, False)
    assert missed.sentence == (
        f"nothing is accepted as anything but 'rare': {rows} held-out images of it cannot show "
        "that at most 5 % of it would be missed; 59 can, if none is"
    )


def test_answers_that_are_reviewed_anyway_are_not_missed() -> None:
    found, labels = np.tile([0.99, 0.01], (100, 1)), np.ones(100, np.int64)
    (missed,) = bound_missed(found, labels, np.zeros(100, bool), classes=CLASSES, max_missed={"rare": 0.05}, level=0.05)
    assert missed.review_from is None


def test_two_classes_divide_the_level() -> None:
    found, labels = np.tile([0.5, 0.5], (80, 1)), np.tile([0, 1], 40)
    shares = {"common": 0.1, "rare": 0.1}
    both = bound_missed(found, labels, np.ones(80, bool), classes=CLASSES, max_missed=shares, level=0.05)
    assert [each.enough for each in both] == [36, 36]  # log(0.025) / log(0.9); 29 for one


@pytest.mark.parametrize(
    ("name", "share", "classes", "why"),
    [
        ("rar", 0.05, CLASSES, "not to be missed is 'rar', which is none of the labels common, rare"),
        ("rare", 0.05, (), "'rare' is not to be missed, but the labels are numbers"),
        ("rare", 1.0, CLASSES, "a share of 1 of 'rare' may be missed; it has to be above 0 and below 1"),
    ],
    ids=["no such class", "numbers", "all of it"],
)
def test_what_cannot_be_bounded_is_told(name: str, share: float, classes: tuple[str, ...], why: str) -> None:
    nothing = np.empty((0, 2)), np.empty(0, np.int64), np.empty(0, bool)
    with pytest.raises(DataError, match=why):
        bound_missed(*nothing, classes=classes, max_missed={name: share}, level=0.05)


def test_a_share_is_seldom_missed_more_often_than_promised() -> None:
    random, share, draws, kept, accepted = np.random.default_rng(0), 0.1, 400, 0, 0.0
    for _ in range(draws):
        probability = random.random(200) / 2  # of its images; each is missed below `review_from`
        review_from = bound(probability, np.ones(200, np.int64), share).review_from or 0.0
        kept += 2 * review_from <= share
        accepted += 2 * review_from / draws
    print(f"at most {share} missed in {kept / draws:.3f} of {draws} draws, {accepted:.3f} on average")
    assert kept / draws >= 0.93
    assert accepted >= 0.05
