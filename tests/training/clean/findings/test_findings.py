"""`training.clean.findings.findings`: what is planted is found, and only what is asked for is dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.clean.conftest import BLACK, FIRST, LEAKED, NOISE, SECOND, TEST, TESTED, TRAIN, WRONG, Planted
from tests.training.squares import squares
from training.clean.copies.duplicates import Group, find_copies
from training.clean.findings.finding_kinds import KINDS
from training.clean.findings.findings import Findings, Leak, drop, inspect
from training.clean.label_errors import LabelIssue, LabelReview
from training.clean.outliers import Outlier
from training.data.images import Encoded
from training.data.split import Split, tie
from training.exceptions import DataError
from training.export.bundle_files import encode_png


def test_everything_planted_is_found_and_nothing_else(planted: Planted) -> None:
    findings = planted.findings
    assert [issue.position for issue in findings.issues] == [WRONG]
    assert findings.issues[0].suggested == WRONG % 3
    assert findings.groups == (Group((LEAKED, TESTED), exact=True), Group((FIRST, SECOND), exact=True))
    assert findings.leaks == (Leak((LEAKED, TESTED), Group((LEAKED, TESTED), exact=True)),)
    assert findings.leaked("test") == [TESTED]
    assert findings.repeated() == [Group((FIRST, SECOND), exact=True)]
    assert {outlier.position for outlier in findings.outliers} == {BLACK, NOISE}
    assert findings.unreadable == ("blue/no.png: damaged",)


def test_streamed_images_have_the_same_findings(planted: Planted) -> None:
    pixels = np.asarray(planted.dataset.images)
    images = Encoded(lambda position: encode_png(pixels[position]), np.arange(60), planted.dataset.input)
    copies = find_copies(images)
    streamed = inspect(replace(planted.dataset, images=images), planted.embedding, planted.parts, copies, seed=0)
    for field in ("issues", "groups", "outliers"):
        assert getattr(streamed, field) == getattr(planted.findings, field)


def test_labels_of_test_rows_are_not_judged(planted: Planted) -> None:
    labels = planted.dataset.labels.copy()
    labels[TEST] = (labels[TEST] + 1) % 3
    dataset = replace(planted.dataset, labels=labels)
    findings = inspect(dataset, planted.embedding, planted.parts, planted.copies, seed=0)
    assert [issue.position for issue in findings.issues] == [WRONG]


def test_nothing_is_dropped_unless_asked_for(planted: Planted) -> None:
    kept = drop(planted.dataset, planted.parts, planted.findings, ())
    for name, positions in vars(planted.parts).items():
        assert np.array_equal(getattr(kept, name), positions)


@pytest.mark.parametrize(
    ("kinds", "dropped"),
    [
        pytest.param(["label-issues"], {WRONG}, id="label issues"),
        pytest.param(["duplicates"], {SECOND}, id="the second of two copies"),
        pytest.param(["leakage"], {LEAKED}, id="the copy in training"),
        pytest.param(["odd"], {BLACK, NOISE}, id="odd images"),
        pytest.param(KINDS, {WRONG, SECOND, LEAKED, BLACK, NOISE}, id="everything"),
    ],
)
def test_what_is_asked_for_is_dropped(planted: Planted, kinds: list[str], dropped: set[int]) -> None:
    kept = drop(planted.dataset, planted.parts, planted.findings, kinds, force=True)
    known = np.concatenate([planted.parts.train, planted.parts.validation])
    assert set(known) - set(np.concatenate([kept.train, kept.validation])) == dropped
    assert np.array_equal(kept.test, planted.parts.test)


def made(*groups: tuple[int, ...], labels: list[int], part: list[int]) -> Findings:
    """Findings of these groups of copies; parts are 0 for train, 1 for validation, 2 for test."""
    found = [Group(group, exact=False) for group in groups]
    issues = tuple(LabelIssue(row, label, 1 - label, 0.9 - row / 100) for row, label in enumerate(labels))
    torn = [group for group in found if len({part[row] for row in group.positions}) > 1]
    return Findings(
        review=LabelReview(issues, len(labels), 0.8, 0.9),
        groups=tuple(found),
        leaks=tuple(Leak(group.positions, group) for group in torn),
        outliers=tuple(Outlier(row, "one colour") for row in range(len(labels))),
        unreadable=(),
        labels=np.array(labels),
        part=np.array(part),
    )


@pytest.mark.parametrize(
    ("labels", "part", "duplicates", "leakage"),
    [
        pytest.param([0, 0, 0], [0, 0, 0], [1, 2], [], id="three in training: one stays"),
        pytest.param([0, 1, 0], [0, 0, 0], [0, 1, 2], [], id="labels contradict each other: none stays"),
        pytest.param([0, 0, 0], [0, 1, 2], [], [0, 1], id="one in each part: the test's stays"),
        pytest.param([0, 0, 0], [0, 0, 1], [1], [0, 1], id="two in training, one in validation"),
        pytest.param([0, 1, 0], [2, 2, 2], [], [], id="three in the test: all stay"),
    ],
)
def test_which_of_three_copies_go(
    labels: list[int], part: list[int], duplicates: list[int], leakage: list[int]
) -> None:
    findings = made((0, 1, 2), labels=[*labels, 0, 1], part=[*part, 0, 0])  # others of their classes
    assert findings.positions(["duplicates"]).tolist() == duplicates
    assert findings.positions(["leakage"]).tolist() == leakage


def test_a_test_row_is_never_dropped_whatever_is_found_of_it() -> None:
    assert made((0, 1), labels=[0, 1], part=[2, 2]).positions(KINDS).tolist() == []


def test_the_copies_that_matter_most_come_first(planted: Planted) -> None:
    copies = replace(planted.copies, groups=[Group((4, 41), exact=True), *planted.copies.groups])
    findings = inspect(planted.dataset, planted.embedding, planted.parts, copies, seed=0)
    assert [leak.positions for leak in findings.leaks] == [(LEAKED, TESTED), (4, 41)]
    findings = made((0, 1), (2, 3), labels=[0, 0, 0, 1], part=[0, 0, 0, 0])
    assert [group.positions for group in findings.repeated()] == [(2, 3), (0, 1)]


def test_label_issues_take_no_more_than_half_of_a_class_and_the_most_doubtful_ones() -> None:
    findings = made(labels=[0] * 5 + [1] * 4, part=[0, 0, 1, 0, 0, 0, 0, 0, 2])
    assert findings.positions(["label-issues"]).tolist() == [0, 1, 5]


def test_a_class_keeps_its_least_doubtful_training_image(planted: Planted) -> None:
    dataset = squares(60)
    everything = made(labels=dataset.labels.tolist(), part=[0] * 40 + [1] * 10 + [2] * 10)
    kept = drop(dataset, planted.parts, everything, ["odd"])
    assert kept.train.tolist() == [37, 38, 39]
    assert not len(kept.validation)


def test_a_training_on_numbers_keeps_an_image() -> None:
    numbers = replace(made(labels=[0] * 4, part=[0, 0, 1, 2]), review=None, labels=np.array([0.5, 1.5, 2.5, 3.5]))
    assert numbers.positions(["odd"]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("precision", "sentence"),
    [(0.21, "of at least 0.7, which is 0.21 here"), (None, "cannot be estimated here")],
)
def test_label_issues_that_are_not_believed_are_dropped_by_force_alone(
    planted: Planted, precision: float | None, sentence: str
) -> None:
    findings = made(labels=planted.dataset.labels.tolist(), part=[0] * 40 + [1] * 10 + [2] * 10)
    assert findings.review
    findings = replace(findings, review=replace(findings.review, precision=precision))
    with pytest.raises(DataError, match=sentence):
        drop(planted.dataset, planted.parts, findings, ["label-issues"])
    assert len(drop(planted.dataset, planted.parts, findings, ["odd", "leakage"]).known) < 50
    assert len(drop(planted.dataset, planted.parts, findings, ["label-issues"], force=True).known) < 50


def test_no_label_issues_need_no_force(planted: Planted) -> None:
    nothing = replace(planted.findings, review=LabelReview((), 50))
    assert len(drop(planted.dataset, planted.parts, nothing, ["label-issues"]).known) == 50


def test_a_given_group_that_is_torn_apart_leaks(planted: Planted) -> None:
    groups = np.arange(60)
    groups[[5, 52, 53]] = 99
    dataset = replace(planted.dataset, groups=groups)
    findings = inspect(dataset, planted.embedding, planted.parts, planted.copies, seed=0)
    assert Leak((5, 52, 53), None) in findings.leaks
    assert findings.leaked("test") == [TESTED, 52, 53]


def test_test_images_whose_copies_are_dropped_are_no_longer_copied(planted: Planted) -> None:
    dataset = tie(planted.dataset, [group.positions for group in planted.copies.groups])
    parts = replace(planted.parts, copied=np.array([TESTED]))
    assert drop(dataset, parts, planted.findings, ["odd"]).copied.tolist() == [TESTED]
    assert drop(dataset, parts, planted.findings, ["leakage"]).copied.tolist() == []


def test_images_in_no_part_are_not_listed(planted: Planted) -> None:
    few = Split(np.setdiff1d(TRAIN, [WRONG, FIRST, BLACK]), planted.parts.validation, TEST)
    findings = inspect(planted.dataset, planted.embedding, few, planted.copies, seed=0)
    assert findings.issues == ()
    assert findings.groups == (Group((LEAKED, TESTED), exact=True),)
    assert [outlier.position for outlier in findings.outliers] == [NOISE]


def test_embeddings_of_other_images_are_refused(planted: Planted) -> None:
    with pytest.raises(ValueError, match="59 embeddings for 60 images"):
        inspect(planted.dataset, planted.embedding[1:], planted.parts, planted.copies, seed=0)
