"""`training.data.split`: what is split, and what stays together."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from tests.training.data.test_dataset import per_class, unbalanced
from training.data.split import Split, linked, make_folds, split, tie


def parts_of(split_: Split) -> list[list[int]]:
    return [part.tolist() for part in (split_.train, split_.validation, split_.test)]


def test_the_parts_are_disjoint_and_together_all_of_it() -> None:
    dataset = unbalanced(50, 31, 7)
    assert sorted(chain(*parts_of(split(dataset, 0)))) == list(range(88))


def test_every_class_gives_its_share_to_each_part() -> None:
    dataset = unbalanced(100, 50, 10)
    parts = split(dataset, 0)
    assert per_class(dataset, parts.test) == [20, 10, 2]
    assert per_class(dataset, parts.validation) == [8, 4, 1]
    assert per_class(dataset, parts.train) == [72, 36, 7]


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        pytest.param(2, (1, 0, 1), id="two images are one to learn and one to test"),
        pytest.param(3, (1, 1, 1), id="three images are one for each part"),
        pytest.param(4, (2, 1, 1), id="of four two are learnt"),
    ],
)
def test_a_small_class_is_learnt_and_tested(count: int, shares: tuple[int, int, int]) -> None:
    dataset = unbalanced(count, 40)
    parts = split(dataset, 0)
    assert tuple(per_class(dataset, part)[0] for part in (parts.train, parts.validation, parts.test)) == shares


def test_a_published_test_set_is_kept_as_it_is() -> None:
    dataset = replace(unbalanced(20, 20), official_test=np.array([3, 4, 30]))
    parts = split(dataset, 0)
    assert parts.test.tolist() == [3, 4, 30]
    assert sorted(chain(*parts_of(parts))) == list(range(40))


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    dataset = unbalanced(40, 40)
    assert parts_of(split(dataset, 3)) == parts_of(split(dataset, 3))
    assert parts_of(split(dataset, 3)) != parts_of(split(dataset, 4))


def side_of(parts: Split, count: int) -> np.ndarray:
    side = np.full(count, -1)
    for number, part in enumerate((parts.train, parts.validation, parts.test)):
        side[part] = number
    return side


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_part(seed: int) -> None:
    dataset = replace(unbalanced(60, 42, 18), groups=np.arange(120) // 3)
    parts = split(dataset, seed)
    side = side_of(parts, 120).reshape(40, 3)
    assert (side == side[:, :1]).all()
    assert per_class(dataset, parts.test) == [12, 6, 3]
    assert len(parts.copied) == 0


def test_a_large_group_does_not_make_the_test_set_too_large() -> None:
    dataset = replace(unbalanced(100, 100), groups=np.concatenate([np.zeros(60), np.arange(1, 141)]).astype(np.int64))
    for seed in range(10):
        assert per_class(dataset, split(dataset, seed).test) == [20, 20]


def test_a_class_of_one_group_is_for_training_alone() -> None:
    dataset = replace(unbalanced(10, 40), groups=np.concatenate([np.zeros(10), np.arange(1, 41)]).astype(np.int64))
    parts = split(dataset, 0)
    assert per_class(dataset, parts.train)[0] == 10


def test_of_groups_of_several_classes_one_is_tested_though_each_is_mostly_of_another_class() -> None:
    groups = np.array([0] * 8 + [1, 2] + [1] * 6 + [0, 2] + [2] * 5 + [0, 1])
    dataset = replace(unbalanced(10, 8, 7), groups=groups)
    parts = split(dataset, 0)
    assert set(groups[parts.test].tolist()) == {2}
    assert set(groups[parts.known].tolist()) == {0, 1}
    assert min(per_class(dataset, parts.known)) > 0


def test_given_test_images_with_a_copy_elsewhere_are_told_and_stay() -> None:
    dataset = tie(replace(unbalanced(20, 20), official_test=np.array([3, 4, 30])), [(4, 9), (1, 2)])
    parts = split(dataset, 0)
    assert parts.test.tolist() == [3, 4, 30]
    assert parts.copied.tolist() == [4]


def test_what_a_network_was_fitted_on_is_no_test_image() -> None:
    dataset = unbalanced(50, 50)
    seen = np.arange(100) % 2 == 0
    parts = split(dataset, 0, seen)
    assert seen[parts.train].sum() == 50
    assert per_class(dataset, parts.test) == [10, 10]
    given = split(replace(dataset, official_test=np.array([0, 1, 2])), 0, seen)
    assert given.copied.tolist() == [0, 2]


def test_copies_are_tied_to_the_groups_of_each_other() -> None:
    dataset = replace(unbalanced(4, 4), groups=np.array([0, 0, 1, 1, 2, 3, 4, 5]))
    groups = tie(dataset, [(1, 2), (6, 7)]).groups
    assert groups is not None
    assert len(set(groups[:4].tolist())) == 1
    assert groups[6] == groups[7]
    assert len(set(groups.tolist())) == 4
    alone = tie(unbalanced(4, 4), [(0, 5)]).groups
    assert alone is not None
    assert len(set(alone.tolist())) == 7


def test_folds_are_stratified_and_keep_groups_together() -> None:
    strata, groups = np.repeat([0, 1], [60, 20]), np.arange(80) // 2
    folds = make_folds(strata, groups, 5, seed=0)
    assert (folds.reshape(40, 2) == folds.reshape(40, 2)[:, :1]).all()
    assert np.bincount(folds[strata == 0]).tolist() == [12] * 5
    assert np.bincount(folds[strata == 1]).tolist() == [4] * 5


def test_rare_classes_go_to_different_folds() -> None:
    folds = make_folds(np.repeat([0, 1], [100, 3]), np.arange(103), 5, seed=1)
    assert len(set(folds[100:].tolist())) == 3


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_rows_have_few_folds(count: int) -> None:
    folds = make_folds(np.zeros(count, np.int64), np.arange(count), 5, seed=0)
    assert len(folds) == len(set(folds.tolist())) == count


def test_what_is_linked_however_far_round_is_one_group() -> None:
    groups = linked(np.array([[0, 2], [2, 5], [3, 4]]), 7)
    assert len({groups[0], groups[2], groups[5]}) == 1
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 4


def test_without_links_each_is_a_group_of_its_own() -> None:
    assert sorted(linked(np.empty((0, 2), np.int64), 3).tolist()) == [0, 1, 2]
