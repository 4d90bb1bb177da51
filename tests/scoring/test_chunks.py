"""`scoring.chunks`: which rows are left, and how they are divided."""

from __future__ import annotations

import pytest

from models.errors import BadColumns
from scoring.chunks import first_error, missing_spans, split


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ([], [(0, 10)]),
        ([(0, 10)], []),
        ([(4, 6)], [(0, 4), (6, 10)]),
        ([(6, 8), (0, 2)], [(2, 6), (8, 10)]),
        ([(0, 12)], []),
        ([(8, 12)], [(0, 8)]),
        ([(11, 12)], [(0, 10)]),
    ],
    ids=["none", "all", "the middle", "two in any order", "more than wanted", "some more", "only more"],
)
def test_rows_that_no_span_has_are_left(done: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert missing_spans(done, 10) == left


def test_a_row_in_two_spans_is_refused() -> None:
    with pytest.raises(ValueError, match="rows 3 to 4 are there twice"):
        missing_spans([(0, 5), (3, 8)], 10)


def test_spans_are_divided_at_multiples() -> None:
    assert list(split([(3, 9), (10, 11)], 4)) == [(3, 4), (4, 8), (8, 9), (10, 11)]


def test_the_first_error_among_columns_is_found() -> None:
    wrong = BadColumns("no")
    assert first_error({"a": 1.0, "b": wrong}) is wrong
    assert first_error({"a": None}) is None
