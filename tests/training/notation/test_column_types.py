"""The type of a column, found from its cells."""

from __future__ import annotations

import pytest

from models.columns import ColumnValue
from models.notation.number_notation import DecimalRule
from models.tables.missing_values import SURE, Missing
from models.tables.raw_column import RawColumn
from training.exceptions import DataError
from training.notation.column_types import TypedColumn, find_type


def raw(*cells: str | None, missing: tuple[str, ...] | None = None) -> RawColumn:
    return RawColumn("x", cells, range(2, len(cells) + 2), None, Missing.of(missing), DecimalRule())


def typed(*cells: str | None) -> TypedColumn:
    return find_type(raw(*cells))


@pytest.mark.parametrize(
    ("cells", "type_", "values"),
    [
        (["true", "FALSE", ""], "boolean", [True, False, None]),
        (["Yes", "no", "NA"], "boolean", [True, False, None]),
        (["t", "F", "y", "N"], "boolean", [True, False, True, False]),
        (["0", "1", "1"], "number", [0.0, 1.0, 1.0]),
        (["ja", "nein"], "category", ["ja", "nein"]),
        (["yes", "no", "maybe"], "category", ["yes", "no", "maybe"]),
        (["1", "NA", "NA", "2"], "number", [1.0, None, None, 2.0]),
        (["1700000000", "1700000050"], "number", [1.7e9, 1700000050.0]),
        (["007", "12", "999"], "category", ["007", "12", "999"]),
        (["+4912345", "0049123"], "category", ["+4912345", "0049123"]),
        (["2021-01-03", "", "2021-01-04"], "date", [18630.0, None, 18631.0]),
        (["zinc", " Zinc", "ZINC", "zinc"], "category", ["zinc"] * 4),
        (["none", "zinc", "none"], "category", ["none", "zinc", "none"]),
        ([f"{SURE}none", "zinc"], "category", ["none", "zinc"]),
        (["none", "zinc"], "category", [None, "zinc"]),
        (["none", "none"], "category", ["none", "none"]),
    ],
    ids=["true and false", "yes and no", "letters", "0 and 1 are numbers", "other languages are categories",
         "a third word", "missing numbers", "large numbers", "codes with zeros before", "phone numbers", "dates",
         "spellings", "a frequent word", "a quoted word", "a rare word", "nothing but a frequent word"],
)  # fmt: skip
def test_a_type_is_found_from_all_cells(cells: list[str], type_: str, values: list[ColumnValue]) -> None:
    found = typed(*cells)
    assert (found.column.type, found.values) == (type_, values)
    assert found.column.required == (None not in values)


def test_a_column_is_described_by_its_type_and_extent() -> None:
    assert typed("1,5", "", "10").described == "number, 1.5 to 10, 1 of 3 missing, decimal comma"
    assert typed("yes", "no", "no").described == "boolean, 1 true, 2 false"
    assert typed("2021-01-03", "2024-05-06T12:00").described == "date, 2021-01-03 to 2024-05-06T12:00:00Z"
    described = typed("zinc", "Zinc", "zinc", "tin", "NA").described
    assert described.startswith("category, 2 values: zinc (3), tin (1), 1 of 5 missing, spellings taken for one")
    assert (
        typed("007", "008").described
        == "category, 2 values: 007 (1), 008 (1), leading zeros, as '007': codes, no numbers"
    )


def test_digits_that_may_be_dates_stay_numbers_with_a_note() -> None:
    found = typed("20240131", "", "20231231")
    assert (found.column.type, found.values) == ("number", [20240131.0, None, 20231231.0])
    assert found.notes == ("'20240131' and the like look like dates written YYYYMMDD; write YYYY-MM-DD to have dates",)


def test_months_stay_categories_with_a_note() -> None:
    found = typed("2024-05", "2024-06", "2024-05")
    assert found.column.type == "category"
    assert "'2024-05' and the like look like months or weeks" in found.notes[0]


def test_telephone_numbers_are_called_so() -> None:
    assert typed("+4912345678", "+4912345679").notes == ("telephone numbers, as '+4912345678'",)


def test_a_moment_beyond_the_calendar_in_utc_is_described_too() -> None:
    found = typed("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-12:00")
    assert found.described == "date, 0001-01-01T00:00:00+01:00 to 9999-12-31T23:59:59-12:00"


def test_categories_are_compared_as_the_service_compares_them() -> None:
    column = typed("Zinc", "zinc", "Zinc", "tin").column
    assert (column.categories, column.cleaning) == (("Zinc", "tin"), "folded")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1", "2", "cheap", "3", "dear"], "has numbers, but 'cheap' in row 4, 'dear' in row 6; a number is "),
        (["1", "2", "\uff13"], "has numbers, but '\uff13' in row 4; a number is written in ASCII digits"),
        (["1", "2", "1_000"], "has numbers, but '1_000' in row 4"),
        (["1", "2", "x", "x", "x", "3", "4", "x", "x", "x", "5", "6", "7"], "'x' in row 10 and 1 more; a number"),
        (["1 g", "2 g", "3 gr"], "has numbers, but '3 gr' in row 4"),
        (["1 g", "2 kg"], "has numbers of several units: 'g' ('1 g' in row 2), 'kg' ('2 kg' in row 3)"),
        (["1.5", "2,5"], "has decimal points, as '1.5' in row 2, and decimal commas, as '2,5' in row 3"),
        (["2021-01-03", "2021-02-30", "2021-01-05"], "has dates, but '2021-02-30' in row 3; a date is written as ISO"),
        (["1/2/2024", "3/4/2024"], "has dates such as '1/2/2024' in row 2, in which day and month cannot be told"),
        (["", "", ""], "is empty in all 3 rows; leave it out"),
        (["", "NA", ""], "is empty in all 3 rows; leave it out"),
        ([f"text {row}" for row in range(300)], "has 300 different texts in 300 rows: it tells rows apart"),
    ],
    ids=["words among numbers", "full-width digits", "an underscore", "many words", "another unit", "several units",
         "both decimal signs", "a day that is none", "uncertain dates", "nothing", "one missing word", "free text"],
)  # fmt: skip
def test_a_column_that_is_of_one_type_but_for_a_few_cells_is_refused(cells: list[str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        typed(*cells)
    assert str(caught.value).startswith("column 'x' ")
    assert reason in str(caught.value)


def test_a_code_among_fractions_is_a_mistake() -> None:
    with pytest.raises(DataError, match="has numbers, but '00' in row 32"):
        typed(*[f"{row}.5" for row in range(30)], "00")


@pytest.mark.parametrize(
    ("cells", "notes"),
    [
        (["00:30", "01:15"], "looks like numbers, but '00:30' in row 2 is none; a number is written in ASCII digits"),
        (["1_2", "1_3"], "looks like numbers, but '1_2' in row 2 is none"),
        (["\uff11\uff12", "\uff13"], "looks like numbers, but '\uff11\uff12' in row 2 is none"),
        (["5\u00bd", "6\u00bd"], "looks like numbers, but '5\u00bd' in row 2 is none"),
        (["1", "5-", "7-"], "looks like numbers, but '5-' in row 3 is none"),
        (["1.5", "2.5", "-", "-"], "looks like numbers, but '-' in row 4 is none"),
        (["1", "2", "low", "high", "low"], "looks like numbers, but 'low' in row 4 is none"),
        (["(1)", "(2)"], "looks like numbers, but all are in brackets"),
        (["2XL", "3XL"], "looks like numbers, but 'XL' is no unit that is known"),
        (["007", "12"], "leading zeros, as '007': codes, no numbers"),
    ],
    ids=["times", "underscores", "full-width digits", "fractions", "a sign behind", "dashes", "words", "brackets",
         "sizes", "codes"],
)  # fmt: skip
def test_categories_that_look_like_numbers_are_said(cells: list[str], notes: str) -> None:
    found = typed(*cells)
    assert (found.column.type, found.values) == ("category", cells)
    assert found.notes[0].startswith(notes)


@pytest.mark.parametrize(
    "cells", [["zinc", "tin"], ["A4", "A5"], ["12a", "12b"], ["1-2 years", "3-4 years"], ["a", "b", "c", "2"]]
)
def test_categories_that_are_words_are_not_remarked_on(cells: list[str]) -> None:
    assert not typed(*cells).notes


def test_many_texts_that_look_like_numbers_are_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match=r"tells rows apart .*; leave it out; looks like numbers, but '0:00' in row 2"):
        typed(*(f"{row // 60}:{row % 60:02}" for row in range(300)))


def test_words_that_a_person_names_are_missing_in_numbers() -> None:
    assert find_type(raw("1", "-", "?", "2", missing=("-", "?"))).values == [1.0, None, None, 2.0]
    with pytest.raises(DataError, match="has numbers, but 'NA' in row 4"):
        find_type(raw("1", "2", "NA", missing=("-",)))
