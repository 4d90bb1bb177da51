"""`models.tables.known_columns`: cells become what a request would have, for a type that is known."""

from __future__ import annotations

import pytest

from models.columns import Column
from models.dates import parse_days
from models.errors import BadColumns, DataError
from models.notation.number_notation import DecimalRule
from models.tables.known_columns import Value, read_values
from models.tables.missing_values import SURE, Missing
from models.tables.raw_column import RawColumn

WEIGHT = Column(name="weight", type="number")
SOLD = Column(name="sold", type="date")
NEW = Column(name="new", type="boolean")
SUPPLIER = Column(name="supplier", type="category", categories=("north", "NA"), cleaning="folded")


def read(column: Column, *cells: str | None, missing: tuple[str, ...] | None = None) -> list[Value]:
    lines = range(2, 2 + len(cells))
    return read_values(RawColumn(column.name, cells, lines, None, Missing.of(missing), DecimalRule()), column)


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        (WEIGHT, "12.5", 12.5),
        (WEIGHT, "-3e2", -300.0),
        (WEIGHT, "1,234.5 g", 1234.5),
        (WEIGHT, "12,5", 12.5),
        (WEIGHT, "", None),
        (WEIGHT, "n/a", None),
        (SOLD, "2024-05-31", parse_days("2024-05-31")),
        (SOLD, "31.05.2024", parse_days("2024-05-31")),
        (NEW, "Yes", True),
        (NEW, "false", False),
        (SUPPLIER, "North ", "North "),
        (SUPPLIER, "somebody", "somebody"),
        (SUPPLIER, "null", None),
        (SUPPLIER, "NA", "NA"),
        (SUPPLIER, SURE + "null", "null"),
        (SUPPLIER, None, None),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_in_training(column: Column, cell: str | None, value: Value) -> None:
    assert read(column, cell) == [value]


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        (WEIGHT, "heavy", "column 'weight' is a number; got 'heavy' in row 3; a number is written in ASCII digits"),
        (SOLD, "soon", "column 'sold' is a date; got 'soon' in row 3; a date is written as ISO 8601"),
        (NEW, "2", "column 'new' is a boolean; got '2' in row 3; it is one of true, yes, t, y"),
    ],
)
def test_a_cell_of_another_type_is_wrong_alone(column: Column, cell: str, said: str) -> None:
    good = {"number": "1", "date": "2024-05-31", "boolean": "no"}[column.type]
    before, wrong, after = read(column, good, cell, good)
    assert isinstance(wrong, BadColumns)
    assert said in str(wrong)
    assert before == after
    assert not isinstance(before, BadColumns)


def test_dates_that_can_be_read_in_two_ways_are_refused_as_in_training() -> None:
    with pytest.raises(
        DataError, match="column 'sold' has dates such as '01/02/2024' in row 2, in which day and month"
    ):
        read(SOLD, "01/02/2024")


def test_a_word_that_is_named_as_missing_is_missing_even_if_it_is_a_category() -> None:
    assert read(SUPPLIER, "north", missing=("north",)) == [None]
