"""Samples: nested, stratified, and one test set for all."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.training.squares import squares
from training.compare.report.nested_samples import Sample, draw, parse_sizes
from training.data.dataset import Dataset
from training.data.split import tie
from training.exceptions import DataError


def drawn(dataset: Dataset, *sizes: int | None) -> list[Sample]:
    return draw(dataset, sizes, 0)[0]


def test_each_size_contains_the_smaller_ones_and_all_share_one_test_set() -> None:
    small, middle, whole = drawn(squares(300), 30, 100, None)
    for less, more in ((small, middle), (middle, whole)):
        assert set(less.parts.train) < set(more.parts.train)
        assert set(less.parts.validation) < set(more.parts.validation)
        np.testing.assert_array_equal(less.parts.test, more.parts.test)
    assert not set(whole.parts.test) & (set(whole.parts.train) | set(whole.parts.validation))


def test_a_size_counts_the_images_that_are_held_out() -> None:
    for sample in drawn(squares(300), 30, 100, None):
        assert len(sample.parts.train) + len(sample.parts.validation) == sample.size
        assert len(sample.parts.validation) == round(0.1 * sample.size)


def test_every_class_has_its_share_and_a_rare_one_at_least_an_image() -> None:
    dataset = squares(600)
    rare = np.r_[np.flatnonzero(dataset.labels < 2), np.flatnonzero(dataset.labels == 2)[:6]]
    dataset = replace(dataset, images=dataset.images[rare], labels=dataset.labels[rare])
    counts = np.bincount(dataset.labels[drawn(dataset, 50)[0].parts.train])
    assert counts[2] >= 1
    assert abs(counts[0] - counts[1]) <= 1


def test_a_published_test_set_is_the_test_set() -> None:
    dataset = replace(squares(300), official_test=np.arange(200, 300))
    (sample,) = drawn(dataset, None)
    np.testing.assert_array_equal(sample.parts.test, np.arange(200, 300))
    assert sample.size == 200


def test_sizes_that_cannot_be_had_are_left_out_with_the_reason() -> None:
    samples, left_out = draw(squares(300), [5, 100, 5000], 0)
    assert [sample.size for sample in samples] == [100]
    assert [(each.size, each.reason) for each in left_out] == [
        (5, "3 classes need at least 12 images, 4 of each"),
        (5000, "there are 240 training images"),
    ]


def test_where_no_size_can_be_had_a_sentence_says_so() -> None:
    with pytest.raises(DataError, match=r"none of the sizes can be compared \(5: 3 classes need .*more images"):
        drawn(squares(300), 5)


def test_all_and_its_number_are_one_size() -> None:
    assert [sample.size for sample in drawn(squares(300), None, 240)] == [240]


def test_groups_enter_a_sample_as_a_whole() -> None:
    groups = np.repeat(np.arange(100), 3) * 7 % 101
    dataset = replace(squares(300), groups=groups)
    samples = drawn(dataset, 31, 100, None)
    for small, large in itertools.pairwise(samples):
        assert set(small.parts.train) < set(large.parts.train)
    for sample in samples:
        parts = sample.parts.train, sample.parts.validation, sample.parts.test
        sides = [set(groups[part]) for part in parts]
        assert not sides[0] & sides[2]
        assert not sides[1] & (sides[0] | sides[2])
        assert all(np.isin(groups, list(side)).sum() == len(part) for side, part in zip(sides, parts, strict=True))
    assert 25 <= samples[0].size <= 31


def test_test_images_with_copies_elsewhere_are_not_tested_with() -> None:
    dataset = replace(squares(300), official_test=np.arange(200, 300))
    (sample,) = drawn(tie(dataset, [(3, 203), (204, 205), (5, 206, 207)]), None)
    np.testing.assert_array_equal(sample.parts.copied, [203, 206, 207])
    assert len(sample.parts.test) == 97
    with pytest.raises(DataError, match="each test image has a copy among the others"):
        drawn(tie(dataset, [(0, *range(200, 300))]), None)


def test_one_class_alone_cannot_be_learnt() -> None:
    dataset = squares(300)
    alone = replace(dataset, official_test=np.flatnonzero(dataset.labels > 0))
    with pytest.raises(DataError, match="of one class, so there is nothing to be told apart"):
        drawn(alone, None)


def test_sizes_are_read() -> None:
    assert parse_sizes("100, 1000,all") == (100, 1000, None)


@pytest.mark.parametrize("text", ["many", "-1", "0", "1.5", "²", "1e3", "", ","])
def test_what_is_no_size_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(DataError, match=r"size.*--sizes 100,1000,10000,all"):
        parse_sizes(text)
