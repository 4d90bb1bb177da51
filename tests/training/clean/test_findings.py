"""`training.clean.findings`: what is planted is found, and only what is asked for is dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.clean.conftest import BLACK, FIRST, LEAKED, NOISE, SECOND, TEST, TESTED, TRAIN, WRONG, Planted
from tests.training.squares import squares
from training.bundle import encode_png
from training.clean.duplicates import Group
from training.clean.findings import Findings, drop, inspect
from training.clean.kinds import KINDS
from training.clean.labels import LabelIssue
from training.clean.odd import Odd
from training.errors import DataError
from training.images import Encoded
from training.split import Split


def test_everything_planted_is_found_and_nothing_else(planted: Planted) -> None:
    findings = planted.findings
    assert [issue.position for issue in findings.issues] == [WRONG]
    assert findings.issues[0].suggested == WRONG % 3
    assert findings.groups == (Group((LEAKED, TESTED), exact=True), Group((FIRST, SECOND), exact=True))
    assert findings.leaking() == [Group((LEAKED, TESTED), exact=True)]
    assert findings.repeated() == [Group((FIRST, SECOND), exact=True)]
    assert {odd.position for odd in findings.odd} == {BLACK, NOISE}
    assert findings.unreadable == ("blue/no.png: damaged",)


def test_streamed_images_have_the_same_findings(planted: Planted) -> None:
    pixels = np.asarray(planted.dataset.images)
    images = Encoded(lambda position: encode_png(pixels[position]), np.arange(60), planted.dataset.input)
    streamed = inspect(replace(planted.dataset, images=images), planted.embedding, planted.parts, seed=0)
    for field in ("issues", "groups", "odd"):
        assert getattr(streamed, field) == getattr(planted.findings, field)


def test_labels_of_test_rows_are_not_judged(planted: Planted) -> None:
    labels = planted.dataset.labels.copy()
    labels[TEST] = (labels[TEST] + 1) % 3
    findings = inspect(replace(planted.dataset, labels=labels), planted.embedding, planted.parts, seed=0)
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
    kept = drop(planted.dataset, planted.parts, planted.findings, kinds)
    known = np.concatenate([planted.parts.train, planted.parts.validation])
    assert set(known) - set(np.concatenate([kept.train, kept.validation])) == dropped
    assert np.array_equal(kept.test, planted.parts.test)


def made(*groups: tuple[int, ...], labels: list[int], part: list[int]) -> Findings:
    """Findings of these groups of copies; parts are 0 for train, 1 for validation, 2 for test."""
    return Findings(
        issues=tuple(LabelIssue(row, label, 1 - label, 0.9) for row, label in enumerate(labels)),
        groups=tuple(Group(group, exact=False) for group in groups),
        odd=tuple(Odd(row, "one colour") for row in range(len(labels))),
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
    findings = made((0, 1, 2), labels=labels, part=part)
    assert findings.positions(["duplicates"]).tolist() == duplicates
    assert findings.positions(["leakage"]).tolist() == leakage


def test_a_test_row_is_never_dropped_whatever_is_found_of_it() -> None:
    assert made((0, 1), labels=[0, 1], part=[2, 2]).positions(KINDS).tolist() == []


def test_the_copies_that_matter_most_come_first() -> None:
    findings = made((0, 1), (2, 3), (4, 5), labels=[0, 0, 0, 0, 1, 0], part=[0, 1, 0, 2, 0, 0])
    assert [group.positions for group in findings.leaking()] == [(2, 3), (0, 1)]
    findings = made((0, 1), (2, 3), labels=[0, 0, 0, 1], part=[0, 0, 0, 0])
    assert [group.positions for group in findings.repeated()] == [(2, 3), (0, 1)]


def test_a_class_without_training_images_is_an_error_that_names_it(planted: Planted) -> None:
    dataset = squares(60)
    everything = made(labels=dataset.labels.tolist(), part=[0] * 40 + [1] * 10 + [2] * 10)
    with pytest.raises(DataError, match="without the 50 images of --drop the class 'blue' has no training images"):
        drop(dataset, planted.parts, everything, ["odd"])


def test_images_in_no_part_are_not_listed(planted: Planted) -> None:
    few = Split(np.setdiff1d(TRAIN, [WRONG, FIRST, BLACK]), planted.parts.validation, TEST)
    findings = inspect(planted.dataset, planted.embedding, few, seed=0)
    assert findings.issues == ()
    assert findings.groups == (Group((LEAKED, TESTED), exact=True),)
    assert [odd.position for odd in findings.odd] == [NOISE]


def test_embeddings_of_other_images_are_refused(planted: Planted) -> None:
    with pytest.raises(ValueError, match="59 embeddings for 60 images"):
        inspect(planted.dataset, planted.embedding[1:], planted.parts, seed=0)
