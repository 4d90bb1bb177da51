"""Columns as numbers, the same in the graph as in training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.columns import Column, ColumnValue
from training.heads.features.column_rows import Values
from training.heads.features.encoding import MAX_CATEGORIES, CategoryCode, NumberCode, fit_encoder, fitted_columns

NONE = np.empty((0, 2), np.float32)


def encoded(column: Column, training: list[ColumnValue], values: list[ColumnValue]) -> list[list[float]]:
    encoder = fit_encoder([column], [{column.name: value} for value in training])
    embedding = np.zeros((len(values), 2), np.float32)
    return encoder(embedding, [{column.name: value} for value in values])[:, 2:].tolist()


def test_a_number_is_scaled_and_kept_within_what_training_had() -> None:
    found = encoded(Column(name="price", type="number"), [0.0, 10.0], [0.0, 10.0, 5.0, -1e30, 1e30])
    assert found == [[-1], [1], [0], [-1], [1]]


def test_a_missing_number_is_the_median_and_said_to_be_missing() -> None:
    found = encoded(Column(name="price", type="number", required=False), [1.0, 2.0, 9.0, None], [None, 2.0])
    assert found[0][0] == found[1][0]
    assert [row[1] for row in found] == [1, 0]


def test_a_boolean_is_a_number() -> None:
    assert encoded(Column(name="new", type="boolean"), [True, False], [True, False]) == [[1], [-1]]


def test_a_number_that_never_changes_says_nothing() -> None:
    assert encoded(Column(name="price", type="number"), [7.0, 7.0], [7.0, 8.0]) == [[0], [0]]


def test_each_category_has_a_number_of_its_own_and_unseen_ones_none() -> None:
    column = Column(name="shape", type="category", required=False)
    training: list[ColumnValue] = ["long", "flat", "long", "flat", "rare"]
    assert encoded(column, training, ["flat", "long", "rare", "new", None]) == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]]


def test_a_category_that_was_missing_in_training_may_be_missing() -> None:
    column = Column(name="shape", type="category", required=False)
    assert encoded(column, ["a", "a", None, None], [None, "a"]) == [[1, 0], [0, 1]]


def test_no_more_categories_than_the_limit_have_numbers() -> None:
    training: list[ColumnValue] = [str(i % 500) for i in range(1000)]
    assert len(encoded(Column(name="x", type="category"), training, ["1"])[0]) == MAX_CATEGORIES


def test_a_column_that_is_all_missing_says_nothing() -> None:
    (code,) = fit_encoder([Column(name="x", type="number", required=False)], [{"x": None}, {"x": None}]).codes
    assert isinstance(code, NumberCode)
    assert code(Values.of([None])).tolist() == [[0, 1]]
    assert math.isfinite(code.scale)


def test_large_numbers_that_differ_little_are_told_apart() -> None:
    times: list[ColumnValue] = [1.7e9 + 50 * step for step in range(5)]
    found = np.array(encoded(Column(name="at", type="number"), times, times))
    np.testing.assert_allclose(found[:, 0], [-(2**0.5), -(0.5**0.5), 0, 0.5**0.5, 2**0.5], rtol=1e-6)


def test_a_date_is_a_number_of_days() -> None:
    assert encoded(Column(name="made", type="date"), [19782.0, 19784.0], [19783.0, 19784.0]) == [[0], [1]]


@pytest.mark.parametrize(
    "training",
    [
        pytest.param([1e-30, 3e-30], id="small"),
        pytest.param([1e300, -1e300], id="large"),
        pytest.param([1.7e308, -1.7e308, -1.7e308], id="the largest"),
        pytest.param([5e-324, 1e-323], id="so small that their spread has no reciprocal"),
        pytest.param([1e16, 1e16 + 2], id="of which float64 has every second"),
        pytest.param([0.1] * 1000, id="constant, though their mean is another"),
        pytest.param([1e-300, 1e300], id="of all sizes"),
    ],
)
def test_numbers_of_every_size_are_encoded_as_small_ones(training: list[ColumnValue]) -> None:
    asked: list[ColumnValue] = [*training, None, 0.0, 1.79e308, -1.79e308]
    found = np.array(encoded(Column(name="x", type="number", required=False), [*training, None], asked))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1 + len(training) ** 0.5
    if len({*training}) > 1 and training[0] != 5e-324:
        assert len({*found[: len(training), 0].tolist()}) == len({*training})


def test_columns_are_told_with_what_the_head_was_fitted_on() -> None:
    columns = [
        Column(name="size", type="number", required=False, low=-9.0, high=9.0),
        Column(name="made", type="date", low=-9.0, high=9.0),
        Column(name="metal", type="category", categories=("tin", "zinc", "brass"), cleaning="folded"),
        Column(name="new", type="boolean"),
        Column(name="never", type="number", required=False, low=-9.0, high=9.0),
    ]
    rows = [
        {"size": 1.0, "made": 3.0, "metal": "zinc", "new": True, "never": None},
        {"size": None, "made": 2.0, "metal": "brass", "new": True, "never": None},
    ]
    size, made, metal, new, never = fitted_columns(columns, rows)
    assert [(each.low, each.high) for each in (size, made, never)] == [(1, 1), (2, 3), (0, 0)]
    assert (metal.categories, metal.cleaning) == (("brass", "zinc"), "folded")
    assert new == columns[3]


def test_without_columns_the_embedding_is_all() -> None:
    embedding = np.ones((3, 2), np.float32)
    assert fit_encoder([], [])(embedding) is embedding


@pytest.mark.parametrize("column", [Column(name="a", type="number"), Column(name="a", type="category")])
def test_no_rows_are_encoded_as_none(column: Column) -> None:
    encoder = fit_encoder([column], [{"a": 1.0 if column.type == "number" else "x"}] * 2)
    assert encoder(NONE, []).shape == (0, 3)
    assert isinstance(encoder.codes[0], CategoryCode if column.type == "category" else NumberCode)
