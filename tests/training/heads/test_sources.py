"""`training.heads.sources`: which rows a head is fitted on, and which evaluate it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.plain_source import plain_source
from tests.training.squares import squares
from training.data.dataset import Dataset
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of
from training.heads.sources import FOLDS, make_sources

DATASET = squares(60)
EMBEDDING = np.arange(60 * 4, dtype=np.float32).reshape(60, 4)
KNOWN = np.arange(12, 60)


def test_without_rows_that_the_network_has_seen_all_rows_judge_in_folds() -> None:
    (source,) = make_sources(DATASET, EMBEDDING, KNOWN, {}, seed=0).values()
    assert len(source.held_out) == len(source.whole) == 48
    assert sorted(set(source.folds.tolist())) == list(range(FOLDS))
    for fold in range(FOLDS):
        outside = {tuple(row) for row in source.without(fold).embedding.tolist()}
        inside = {tuple(row) for row in source.held_out.embedding[source.folds == fold].tolist()}
        assert not outside & inside
        assert len(outside) + len(inside) == 48


def test_folds_have_about_the_same_share_of_each_class() -> None:
    (source,) = make_sources(DATASET, EMBEDDING, KNOWN, {}, seed=0).values()
    for label in range(3):
        counts = np.bincount(source.folds[source.held_out.labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_rows_that_the_network_has_seen_are_always_fitted_on_and_never_judge() -> None:
    seen = embeddings_of(DATASET, EMBEDDING, np.arange(12, 51))
    found = make_sources(DATASET, EMBEDDING, np.arange(51, 60), {"training images": seen}, seed=0)
    assert list(found) == ["training images and held-out images", "held-out images"]
    first = found["training images and held-out images"]
    assert set(first.folds.tolist()) == {0}, "so many are seen that one head without any of the held-out rows will do"
    np.testing.assert_array_equal(first.without(0).embedding, seen.embedding)
    assert len(first.whole) == 48


def test_few_seen_rows_make_no_head_of_their_own() -> None:
    seen = embeddings_of(DATASET, EMBEDDING, np.arange(12, 24))
    found = make_sources(DATASET, EMBEDDING, np.arange(24, 60), {"training images": seen}, seed=0)
    assert len(set(found["training images and held-out images"].folds.tolist())) == FOLDS


def test_a_source_that_lacks_a_class_is_left_out() -> None:
    seen = embeddings_of(DATASET, EMBEDDING, np.arange(12, 51))
    held_out = np.array([51, 52, 54, 55])
    assert list(make_sources(DATASET, EMBEDDING, held_out, {"x": seen}, seed=0)) == ["x and held-out images"]


def test_copies_share_a_fold() -> None:
    dataset = replace(DATASET, groups=np.arange(60) // 4)
    (source,) = make_sources(dataset, EMBEDDING, KNOWN, {}, seed=0).values()
    for group in range(3, 15):
        assert len(set(source.folds[dataset.groups[KNOWN] == group].tolist())) == 1


def test_copies_are_evidence_once() -> None:
    dataset = replace(DATASET, groups=np.arange(60) // 4)
    (source,) = make_sources(dataset, EMBEDDING, KNOWN, {}, seed=0).values()
    counted = source.one_per_unit(0)
    assert len(counted) == 12
    assert len(set(source.units[counted].tolist())) == 12
    assert counted.tolist() != source.one_per_unit(1).tolist()


def test_rows_that_were_dropped_as_doubtful_judge_and_are_not_fitted_on() -> None:
    """Else a head would be validated on images without its own mistakes."""
    (source,) = make_sources(DATASET, EMBEDDING, KNOWN, {}, seed=0, unfitted=np.array([20, 21])).values()
    doubtful = {tuple(row) for row in EMBEDDING[[20, 21]].tolist()}
    assert len(source.held_out) == 48
    assert len(source.whole) == 46
    for part in (source.whole, *(source.without(fold) for fold in range(FOLDS))):
        assert not doubtful & {tuple(row) for row in part.embedding.tolist()}


@pytest.mark.parametrize("width", [0, 2, None])
def test_a_source_is_narrowed_to_a_part_of_the_embedding(width: int | None) -> None:
    (source,) = make_sources(with_columns(), EMBEDDING, KNOWN, {}, seed=0).values()
    narrow = source.narrowed(width, with_columns=False)
    assert narrow.held_out.embedding.shape == (48, 4 if width is None else width)
    assert narrow.held_out.rows == ()
    assert len(source.narrowed(width, with_columns=True).held_out.rows) == 48


def with_columns() -> Dataset:
    from models.columns import Column  # noqa: PLC0415

    return replace(DATASET, columns=(Column(name="a", type="number"),), rows=[{"a": 1.0} for _ in range(60)])


def test_labelled_embeddings_are_joined_with_their_columns() -> None:
    one = LabelledEmbeddings(EMBEDDING[:2], DATASET.labels[:2], [{"a": 1.0}, {"a": 2.0}])
    both = one + one.part(np.array([1]))
    assert len(both) == 3
    assert [row["a"] for row in both.rows] == [1.0, 2.0, 2.0]


def test_values_are_averaged_over_the_rows_of_each_unit() -> None:
    dataset = replace(DATASET, groups=np.array([7] * 14 + [3] * 2 + [5] * 44))
    (source,) = make_sources(dataset, EMBEDDING, np.array([12, 13, 14, 15, 20, 21, 22]), {}, seed=0).values()
    means = source.by_unit(np.array([1.0, 3.0, 10.0, 20.0, 0.0, 3.0, 6.0]))
    np.testing.assert_array_equal(means, [15.0, 3.0, 2.0])  # of the units 3, 5 and 7


def test_a_source_without_held_out_rows_has_no_units() -> None:
    one = LabelledEmbeddings(EMBEDDING[:2], DATASET.labels[:2])
    none = plain_source(one.part(np.arange(0)), np.arange(0), one)
    assert none.by_unit(np.empty(0)).tolist() == []
