"""`training.clean.findings.findings_text`: sentences say how much was found, and how much of it to believe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.clean.conftest import Planted
from training.clean.copies.duplicates import Group
from training.clean.findings.findings import Findings, Leak
from training.clean.findings.findings_text import sentences
from training.clean.label_errors import LabelIssue, LabelReview

PARTS = np.array([0] * 400 + [1] * 30 + [2] * 112)


def review(count: int, precision: float | None, recall: float | None = 0.914) -> LabelReview:
    return LabelReview(tuple(LabelIssue(row, 0, 1, 0.95) for row in range(count)), 430, precision, recall)


def said(found: LabelReview | None, *leaks: Leak) -> list[str]:
    return sentences(Findings(found, (), leaks, (), (), np.zeros(542, int), PARTS))


def test_one_is_counted_as_one(planted: Planted) -> None:
    assert sentences(planted.findings) == [
        "1 label of 50 in training and validation seems wrong; with fewer than 100 images nobody can tell how many of "
        "these are: look at each.",
        "1 of 10 test images has a copy in training.",
        "1 image is more than once in one part.",
        "0 images have copies with contradicting labels.",
        "2 images are unlike all others.",
        "1 file could not be used.",
    ]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        pytest.param(
            review(78, 0.81),
            "78 labels of 430 in training and validation seem wrong; about 8 of 10 of these are wrong labels.",
            id="a list to believe",
        ),
        pytest.param(
            review(78, 0.08),
            "78 labels of 430 in training and validation seem wrong, but that cannot be believed: the model is often "
            "wrong here, and about 1 of 10 of these are wrong labels; look at the first 20.",
            id="a hard task",
        ),
        pytest.param(
            review(30, 0.6),
            "30 labels of 430 in training and validation seem wrong, but that cannot be believed: about 6 of 10 of "
            "these are wrong labels; look at the first 20.",
            id="not enough is shown",
        ),
        pytest.param(
            review(15, 0.0),
            "15 labels of 430 in training and validation seem wrong, but that cannot be believed: the model is often "
            "wrong here, and hardly any of these is a wrong label; look at each.",
            id="a hard task and a short list",
        ),
        pytest.param(
            review(3, 0.8),
            "3 labels of 430 in training and validation seem wrong; about 2 of 3 are wrong labels.",
            id="too few to speak of tens",
        ),
        pytest.param(review(0, None), "None of 430 labels in training and validation seems wrong.", id="nothing"),
        pytest.param(
            LabelReview((), 0),
            "No label could be checked: that takes two classes with at least 5 images each.",
            id="one class",
        ),
        pytest.param(None, "The labels are numbers, which are not checked.", id="numbers"),
    ],
)
def test_the_list_of_labels_comes_with_what_to_believe_of_it(found: LabelReview | None, sentence: str) -> None:
    assert said(found)[0] == sentence


def test_what_was_found_of_planted_labels_is_told_where_it_was_measured() -> None:
    sentence = "Of labels made wrong on purpose in a copy, 91 % are listed."
    assert said(review(0, None))[1] == sentence
    assert sentence not in said(review(3, None, None))


def test_the_half_of_a_class_that_stays_is_told() -> None:
    labels = np.array([0] * 30 + [1] * 512)
    found = sentences(Findings(review(20, 0.9), (), (), (), (), labels, PARTS))
    assert found[1] == "--drop label-issues would leave 5 of them in, so that no class loses more than half."


def test_leaks_are_counted_in_images() -> None:
    copies = tuple(range(400 - 8, 400)) + tuple(range(430, 451))
    assert "21 of 112 test images have a copy in training." in said(None, Leak(copies, Group(copies, exact=True)))


def test_a_group_that_is_torn_apart_is_told_from_copies() -> None:
    found = said(None, Leak((0, 400, 430), None))
    assert found[1:3] == [
        "1 of 112 test images has a copy, or an image of their group, in training or validation.",
        "1 of 30 validation images has a copy, or an image of their group, in training.",
    ]


def test_no_leak_is_told_as_none(planted: Planted) -> None:
    found = sentences(replace(planted.findings, leaks=()))
    assert "0 of 10 test images have a copy in training." in found
    assert not any("validation images" in sentence for sentence in found)
