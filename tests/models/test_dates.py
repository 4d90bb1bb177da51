"""Dates as ISO 8601 writes them, and days since 1970."""

from __future__ import annotations

import numpy as np
import pytest

from models.dates import days_text, parse_days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        pytest.param("1970-01-01", 0.0, id="the first day is 0"),
        pytest.param("1969-12-31", -1.0, id="a day before it is negative"),
        pytest.param("2024-02-29", 19782.0, id="a leap day"),
        pytest.param(" 2024-02-29\n", 19782.0, id="spaces at the ends are ignored"),
        pytest.param("1970-01-01T12:00", 0.5, id="a time without an offset is UTC"),
        pytest.param("1970-01-01 12:00:00", 0.5, id="a space may stand before the time"),
        pytest.param("1970-01-01t12:00:00z", 0.5, id="small letters"),
        pytest.param("1970-01-01T12:00:00.000Z", 0.5, id="a fraction of a second"),
        pytest.param("1970-01-01T12:00:00,000000000Z", 0.5, id="nanoseconds, with a comma"),
        pytest.param("1970-01-01T12:00:00.0000000Z", 0.5, id="the seven digits of .NET"),
        pytest.param("1970-01-01T12:00:00." + "0" * 40, 0.5, id="a fraction of any number of digits"),
        pytest.param("19700101T120000", 0.5, id="a time without hyphens and colons"),
        pytest.param("19700101T1200", 0.5, id="the same without seconds"),
        pytest.param("19700101t120000.5z", 0.5 + 0.5 / 86400, id="the same with a fraction, in UTC"),
        pytest.param("19700101T020000+0200", 0.0, id="the same with an offset"),
        pytest.param("1970-01-01T02:00:00+02:00", 0.0, id="an offset is taken off"),
        pytest.param("1970-01-01T02:00:00+0200", 0.0, id="an offset without a colon"),
        pytest.param("1969-12-31T19:00-05", 0.0, id="an offset of whole hours"),
        pytest.param("0001-01-01T00:00+14:00", -719162 - 14 / 24, id="before the first year in UTC"),
        pytest.param("9999-12-31T23:59:00-12:00", 2932896 + (23 + 59 / 60 + 12) / 24, id="after the last year in UTC"),
    ],
)
def test_a_date_is_days_since_1970_in_utc(text: str, days: float) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("31.05.2024", id="the day first"),
        pytest.param("05/31/2024", id="with slashes"),
        pytest.param("2024-5-1", id="one digit"),
        pytest.param("2024-05", id="a month"),
        pytest.param("20240531", id="without hyphens, which is a number in a table"),
        pytest.param("2024-W22-5", id="a week"),
        pytest.param("2023-02-29", id="a day that is not there"),
        pytest.param("2024-13-01", id="a thirteenth month"),
        pytest.param("0000-01-01", id="the year 0"),
        pytest.param("2024-05-31T25:00", id="an hour that is not there"),
        pytest.param("2024-05-31T12:00+99:00", id="an offset that is not there"),
        pytest.param("2024-05-31T19-05", id="hours without minutes"),
        pytest.param("2024-05-31x12:00", id="another letter before the time"),
        pytest.param("\uff12\uff10\uff12\uff14-05-31", id="full-width digits"),
        pytest.param("2024\u201005\u201031", id="another hyphen"),
        pytest.param("2024-05-31T12:00 UTC", id="the name of a zone"),
        pytest.param("1717113600", id="seconds"),
        pytest.param("2024-05-31T120000", id="hyphens without colons"),
        pytest.param("20240531T12:00:00", id="colons without hyphens"),
        pytest.param("20240531T12", id="an hour alone"),
        pytest.param("20240531 120000", id="no letter before the time"),
        pytest.param("\uff12\uff10\uff12\uff1440531T120000", id="full-width digits without hyphens"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date of ISO 8601"):
        parse_days(text)


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (19782.0, "2024-02-29"),
        (-1.0, "1969-12-31"),
        (0.5, "1970-01-01T12:00:00Z"),
        (0.1234, "1970-01-01T02:57:41.760Z"),
        (-719162.0, "0001-01-01"),
        (-719162.0 - 1 / 24, "0001-01-01T00:00:00+01:00"),
        (-719162.0 - 1 / 1440, "0001-01-01T00:59:00+01:00"),
        (-719162.0 - 1439 / 1440, "0001-01-01T00:00:00+23:59"),
        (2932896 + 1.0, "9999-12-31T23:00:00-01:00"),
        (2932896 + 1.5 - 1 / 86400, "9999-12-31T23:59:59-12:00"),
    ],
)
def test_days_are_written_as_a_date_that_reads_back(days: float, text: str) -> None:
    assert days_text(days) == text
    assert parse_days(text) == pytest.approx(days, abs=1e-8)


@pytest.mark.parametrize(
    ("days", "text"),
    [(-1e9, "0001-01-01T00:00:00+23:59"), (-1e300, "0001-01-01T00:00:00+23:59"),
     (1e9, "9999-12-31T23:59:59.999-23:59"), (1e300, "9999-12-31T23:59:59.999-23:59")],
)  # fmt: skip
def test_days_beyond_the_calendar_are_written_as_its_ends(days: float, text: str) -> None:
    assert days_text(days) == text


def test_every_day_and_millisecond_reads_back_as_it_was() -> None:
    generator = np.random.default_rng(0)
    moments = generator.integers(-2_208_988_800_000, 4_102_444_800_000, 2_000) / 86_400_000  # 1900 to 2100
    assert [parse_days(days_text(days)) for days in moments.tolist()] == pytest.approx(moments.tolist(), abs=1e-9)
