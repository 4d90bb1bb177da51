"""`training.heads.features.column_rows`: rows kept column by column are the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import ColumnValue
from training.heads.features.column_rows import ColumnRows, Rows, Values, values_of

ROWS: list[dict[str, ColumnValue]] = [
    {"size": 1.5, "shape": "flat", "new": True},
    {"size": None, "shape": None, "new": False},
    {"size": 1.5, "shape": "long", "new": None},
    {"size": 2.0, "shape": "flat", "new": True},
]


def kept(rows: Rows = ROWS) -> ColumnRows:
    found = ColumnRows.of(rows)
    assert isinstance(found, ColumnRows)
    return found


def test_they_are_the_same_rows() -> None:
    assert list(kept()) == ROWS
    assert [kept()[position] for position in (0, -1)] == [ROWS[0], ROWS[-1]]
    assert list(kept()[1:3]) == ROWS[1:3]
    assert kept()[1]["new"] is False


def test_a_part_has_the_rows_at_its_positions() -> None:
    assert list(kept().part(np.array([3, 0, 0]))) == [ROWS[3], ROWS[0], ROWS[0]]
    assert not kept().part(np.arange(0))


def test_a_sum_has_the_rows_of_both() -> None:
    more: list[dict[str, ColumnValue]] = [
        {"size": 7.0, "shape": "flat", "new": False},
        {"size": 1.5, "shape": "", "new": None},
    ]
    both = kept() + kept(more)
    assert list(both) == ROWS + more
    np.testing.assert_array_equal(both.columns["size"].as_numbers(), [1.5, np.nan, 1.5, 2, 7, 1.5])


@pytest.mark.parametrize("rows", [pytest.param([], id="no rows"), pytest.param([{}, {}], id="rows without columns")])
def test_what_has_no_values_stays_as_it_is(rows: Rows) -> None:
    assert ColumnRows.of(rows) is rows


def test_values_are_counted_and_given_as_numbers() -> None:
    values = Values.of([True, None, 3.5, 3.5])
    assert values.counts().tolist() == [1, 1, 2]
    np.testing.assert_array_equal(values.as_numbers(), [1, np.nan, 3.5, 3.5])
    assert np.isnan(Values.of(["text"]).as_numbers()).all()


def test_a_column_is_found_in_rows_of_either_kind() -> None:
    assert values_of(ROWS, "shape").given() == values_of(kept(), "shape").given() == ["flat", None, "long", "flat"]
