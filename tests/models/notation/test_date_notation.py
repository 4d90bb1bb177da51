"""Dates as people and spreadsheets write them."""

from __future__ import annotations

from collections import Counter

import pytest

from models.dates import parse_days
from models.errors import DataError
from models.notation.date_notation import DateNotation, looks_like_dates, read_dates


def read(*texts: str) -> DateNotation:
    return read_dates(Counter(texts), lambda text: f"{text!r} in row 7")


@pytest.mark.parametrize(
    ("texts", "iso"),
    [
        (["2021-01-03", "2021-01-03T12:00Z"], ["2021-01-03", "2021-01-03T12:00Z"]),
        (["2021-01-03 12:00:30+02:00"], ["2021-01-03T10:00:30Z"]),
        (["31.12.2024", "1.2.2024"], ["2024-12-31", "2024-02-01"]),
        (["01.02.2024 5:30"], ["2024-02-01T05:30"]),
        (["31/12/2024", "01/02/2024"], ["2024-12-31", "2024-02-01"]),
        (["12/31/2024", "1/2/2024 14:00:05"], ["2024-12-31", "2024-01-02T14:00:05"]),
        (["31-12-2024", "01-02-2024"], ["2024-12-31", "2024-02-01"]),
        (["2024/12/31", "2024/1/2"], ["2024-12-31", "2024-01-02"]),
        (["2024.12.31"], ["2024-12-31"]),
        (["0001-01-01", "9999-12-31"], ["0001-01-01", "9999-12-31"]),
        (["2024-01-31 10:15:00 UTC", "2024-01-31T10:15 GMT"], ["2024-01-31T10:15Z", "2024-01-31T10:15Z"]),
        (["2024-01-31 10:15:00 +0000 UTC"], ["2024-01-31T10:15Z"]),
        (["2024-01-31T10:15:00.1234567Z"], ["2024-01-31T10:15:00.123456Z"]),
        (["2024-01-31 10:15:00 +02:00", "2024-01-31 10:15 -0500"], ["2024-01-31T08:15Z", "2024-01-31T15:15Z"]),
        (["20240131T101500", "20240131T101500Z"], ["2024-01-31T10:15Z", "2024-01-31T10:15Z"]),
        (["31.12.2024 10:15:00.0000000 UTC", "1.2.2024 10:15 +02:00"], ["2024-12-31T10:15", "2024-02-01T08:15"]),
        (["2024/12/31 9:15 Z"], ["2024-12-31T09:15"]),
    ],
    ids=["ISO 8601", "with an offset", "with points", "with points and a time", "days first", "months first",
         "days first, with hyphens", "years first, with slashes", "years first, with points",
         "the ends of the calendar", "a zone by name", "an offset and a zone", "seven digits of a second",
         "a space before the offset", "no hyphens", "points, and a zone or an offset", "slashes and a Z"],
)  # fmt: skip
def test_a_date_whose_day_and_month_are_certain_is_read(texts: list[str], iso: list[str]) -> None:
    assert [read(*texts).values[text] for text in texts] == [parse_days(text) for text in iso]


def test_what_another_notation_is_taken_for_is_said() -> None:
    assert read("2021-01-03").notes == ()
    assert read("31/12/2024", "01/02/2024").notes == ("'31/12/2024' is taken for 2024-12-31",)
    assert read("31.12.2024 1:05 UTC").notes == ("'31.12.2024 1:05 UTC' is taken for 2024-12-31T01:05Z",)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["1/2/2024", "3/4/2024"], "such as '1/2/2024' in row 7, in which day and month cannot be told apart"),
        (["13/1/2024", "1/13/2024"], "such as '13/1/2024' in row 7 and '1/13/2024' in row 7, in which day and month"),
        (["01-02-2024"], "day and month cannot be told apart"),
        (["31.12.24"], "such as '31.12.24' in row 7, whose parts are uncertain"),
        (["12/31/24", "1/2/24"], "whose parts are uncertain"),
        (["12/31/2024 5:30 PM"], "whose parts are uncertain"),
        (["5 Jan 2024", "6 Feb 2024"], "whose parts are uncertain"),
        (["January 5, 2024"], "whose parts are uncertain"),
    ],
    ids=["neither is above 12", "both orders", "with hyphens", "two digits of a year", "slashes and two digits",
         "twelve hours", "names of months", "names of months first"],
)  # fmt: skip
def test_an_uncertain_date_is_refused_with_the_notation_to_use(texts: list[str], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        read(*texts)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("a date is written as ISO 8601 has it, such as 2024-05-31 or "
                                      "2024-05-31T14:30:00+02:00")  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [["cup", "1/2/2024", "pen"], ["1.2.3"], ["192.168.1.1"], ["12:30"], ["2024"], ["20240131"], ["2024-13"]],
    ids=str,
)
def test_other_texts_are_no_dates(texts: list[str]) -> None:
    assert not read(*texts).values


def test_a_day_that_no_calendar_has_is_left_out() -> None:
    assert list(read("31/12/2024", "31/02/2024").values) == ["31/12/2024"]
    assert list(read("2024-01-31", "2024-02-28", "2023-02-29").values) == ["2024-01-31", "2024-02-28"]


@pytest.mark.parametrize(
    ("texts", "notes"),
    [
        (["20240131", "19991231"], "'20240131' and the like look like dates written YYYYMMDD; write YYYY-MM-DD"),
        (["19000101", "21001231"], "'19000101' and the like look like dates written YYYYMMDD"),
        (["2024-05", "2024-11"], "'2024-05' and the like look like months or weeks; write a day, YYYY-MM-DD"),
        (["2024-W05"], "'2024-W05' and the like look like months or weeks"),
        (["1/2024", "12/2024"], "'1/2024' and the like look like months or weeks"),
        (["20240131", "20240132"], ""),
        (["20230229"], ""),
        (["18991231"], ""),
        (["21010101"], ""),
        (["20240131", "2024013"], ""),
        (["2024-05", "2024-13"], ""),
        (["1/2", "2024-0"], ""),
        ([], ""),
    ],
    ids=str,
)
def test_what_may_be_meant_as_dates_is_said(texts: list[str], notes: str) -> None:
    sentence = looks_like_dates(texts)
    assert sentence.startswith(notes)
    assert bool(sentence) == bool(notes)
