"""`models.columns`: one fact beside the image, checked as the head's graph takes it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from models.columns import Column, ColumnType, ColumnValue
from models.errors import BadColumns

METAL = Column(name="metal", type="category", categories=("Zinc", "caf\u00e9 noir", "7"), cleaning="folded")


@pytest.mark.parametrize(
    ("text", "category"),
    [
        pytest.param("Zinc", "Zinc", id="as in training"),
        pytest.param("zinc ", "Zinc", id="a space behind it"),
        pytest.param("\tZINC\n", "Zinc", id="another case, a tab and a line break"),
        pytest.param("\ufeffzinc", "Zinc", id="a byte order mark"),
        pytest.param("CAFE\u0301  NOIR", "caf\u00e9 noir", id="another Unicode form and two spaces"),
        pytest.param("cafe\u0301\u00a0noir", "caf\u00e9 noir", id="a space that does not break"),
        pytest.param("7", "7", id="digits"),
        pytest.param("zinc oxide", "zinc oxide", id="a text that training did not see is none of them"),
        pytest.param("z inc", "z inc", id="a space within a word is another text"),
        pytest.param("", None, id="nothing is missing"),
        pytest.param(" \u200b\t", None, id="spaces alone are missing"),
    ],
)
def test_a_folded_category_is_the_spelling_of_training(text: str, category: ColumnValue) -> None:
    assert METAL.check(text) == category


def test_an_exact_category_stays_as_it_is() -> None:
    exact = METAL.model_copy(update={"cleaning": "exact"})
    assert [exact.check(text) for text in ("zinc ", "Zinc", "")] == ["zinc ", "Zinc", ""]


def test_categories_that_differ_in_case_only_stay_two_where_both_are_named() -> None:
    column = Column(name="metal", type="category", categories=("A", "a"), cleaning="folded")
    assert [column.check(text) for text in ("A", "a")] == ["A", "a"]


def test_a_copy_with_other_categories_does_not_know_the_old_ones() -> None:
    assert METAL.check("zinc") == "Zinc"
    assert METAL.model_copy(update={"categories": ("ZINC",)}).check("zinc") == "ZINC"


def test_the_rule_of_cleaning_is_written_where_it_is_not_the_old_one() -> None:
    assert METAL.model_dump()["cleaning"] == "folded"
    assert "cleaning" not in Column(name="metal", type="category").model_dump()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(2**53 + 1, float(2**53), id="an integer beyond 2**53"),
        pytest.param(1.7e308, 1.7e308, id="nearly the largest"),
        pytest.param(5e-324, 5e-324, id="the smallest"),
        pytest.param(-0.0, 0.0, id="minus nothing"),
        pytest.param(10**308, 1e308, id="a long integer"),
    ],
)
def test_a_number_is_what_float64_holds(value: float, number: float) -> None:
    assert Column(name="x", type="number").check(value) == number


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        pytest.param("number", "12", "is a number; got '12', a text; send it without quotes: 12", id="quoted"),
        pytest.param("number", "1,5", "got '1,5', a text; send it without quotes: 1.5", id="a decimal comma"),
        pytest.param("number", "9.9 g", "got '9.9 g', a text; send a number, such as 1.5", id="a unit"),
        pytest.param("number", "1_2", "send a number, such as 1.5", id="an underscore"),
        pytest.param("number", "\uff11\uff12", "send a number, such as 1.5", id="full-width digits"),
        pytest.param("number", True, "is a number; got True, a boolean; send a number", id="a boolean as number"),
        pytest.param("number", [1], "got [1], a list; send a number", id="a list as number"),
        pytest.param("number", math.nan, "must be a finite number of at most ±1.8e+308; got nan", id="NaN"),
        pytest.param("number", -math.inf, "of at most ±1.8e+308; got -inf", id="infinity"),
        pytest.param("number", -(10**400), "got an integer of 401 digits", id="an integer beyond float64"),
        pytest.param("number", 10**5000, "got an integer of 5001 digits", id="one that Python does not write"),
        pytest.param("boolean", 1, "is a boolean; got 1, a number; send true or false, without quotes", id="one"),
        pytest.param("boolean", "true", "got 'true', a text; send true or false, without quotes", id="quoted true"),
        pytest.param("category", 7, 'is a category; got 7, a number; send it in quotes: "7"', id="a number as text"),
        pytest.param("category", 7.5, 'send it in quotes: "7.5"', id="a fraction as text"),
        pytest.param("category", False, 'got False, a boolean; send a text, such as "a"', id="a boolean as text"),
        pytest.param("category", {"a": 1}, "got {'a': 1}, an object; send a text", id="an object as text"),
        pytest.param("category", "\ud800", "is not valid text", id="half a surrogate pair"),
        pytest.param("date", 19782, 'is a date; got 19782, a number; send a text of ISO 8601, such as "19', id="days"),
        pytest.param("date", True, "is a date; got True, a boolean; send a text of ISO 8601", id="a boolean as date"),
        pytest.param("date", "31.05.2024", "'31.05.2024' is no date of ISO 8601, such as 2024-05-31 or", id="German"),
        pytest.param("date", "2023-02-29", "such as 2024-05-31 or 2024-05-31T14:30:00+02:00: day", id="no such day"),
    ],
)
def test_a_wrong_value_is_told_with_its_type_and_what_would_be_right(type_: ColumnType, value: Any, text: str) -> None:
    with pytest.raises(BadColumns) as caught:
        Column(name="x", type=type_).check(value)
    assert caught.value.detail.startswith("column 'x' ")
    assert text in caught.value.detail
    assert len(caught.value.detail) < 250


def test_the_example_is_one_that_training_saw() -> None:
    for column, example in (
        (METAL, '"Zinc"'),
        (Column(name="x", type="number", low=1.7e9, high=2e9), "1700000000"),
        (Column(name="x", type="date", low=19782.0, high=19783.0), '"2024-02-29"'),
        (Column(name="x", type="date", low=-719162.5, high=0.0), '"0001-01-01T00:00:00+12:00"'),
        (Column(name="x", type="date", low=-1e300, high=0.0), '"0001-01-01T00:00:00+23:59"'),
    ):
        with pytest.raises(BadColumns, match=re.escape(example)):
            column.check(None if column.type == "number" else True)


def test_a_date_is_days_since_1970_in_utc() -> None:
    column = Column(name="made", type="date")
    assert [column.check(text) for text in ("1970-01-02", "1970-01-02T06:00:00+03:00")] == [1.0, 1.125]


@pytest.mark.parametrize(
    ("value", "is_outside"),
    [(1.0, False), (2.5, False), (1.0 - 2**-52, True), (2.6, True), (-1e308, True), (None, False)],
)
def test_a_number_is_outside_beyond_what_training_saw(value: ColumnValue, is_outside: bool) -> None:
    for type_ in ("number", "date"):
        assert Column(name="x", type=type_, low=1.0, high=2.5).is_outside(value) is is_outside


def test_without_a_range_nothing_is_outside() -> None:
    assert not Column(name="x", type="number").is_outside(1e300)
    assert not METAL.is_outside("zinc")


def test_a_column_of_before_is_written_as_it_was() -> None:
    old = {"name": "size", "type": "number", "required": True, "low": 0.0, "high": 6.0}
    assert json.loads(Column.model_validate(old).model_dump_json()) == old


def test_errors_do_not_repeat_a_long_value() -> None:
    with pytest.raises(BadColumns) as caught:
        Column(name="shift", type="number").check("x" * 100_000)
    assert len(caught.value.detail) < 200


def test_bounds_and_categories_are_written_where_there_are_any() -> None:
    plain, seen = Column(name="a", type="number"), Column(name="a", type="number", low=-1.0, high=2.5)
    assert set(plain.model_dump()) == {"name", "type", "required"}
    assert set(seen.model_dump()) == {"name", "type", "required", "low", "high"}
