"""a date as ISO 8601 writes it ──▶ days since 1970-01-01 in UTC, and back: what tables and requests share."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EXAMPLE = "2024-05-31 or 2024-05-31T14:30:00+02:00"
"""How a date is written, for errors."""

_EPOCH = datetime(1970, 1, 1)  # offsets are subtracted as durations, so that the years 1 and 9999 work
_DAY = timedelta(days=1)
_FORM = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)


def parse_days(text: str) -> float:
    """Days since 1970-01-01T00:00Z, float64; a time without an offset is UTC, spaces at the ends are ignored.

    Raises:
        ValueError: neither a date, `2024-05-31`, nor a date with a time, `2024-05-31T14:30:00+02:00`.
    """
    text = text.strip(" \t\r\n")
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no date of ISO 8601, such as {EXAMPLE}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{text!r} is no date of ISO 8601, such as {EXAMPLE}: {error}") from error
    since = moment.replace(tzinfo=None) - _EPOCH - (moment.utcoffset() or timedelta())
    return since / _DAY


def days_text(days: float) -> str:
    """The date, or the date and time in UTC to the millisecond, as ISO 8601 writes it; `parse_days` reads it.

    Raises:
        OverflowError: the year is not one from 1 to 9999.
    """
    moment = _EPOCH + timedelta(milliseconds=round(days * 86_400_000))
    if moment.time() == _EPOCH.time():
        return moment.date().isoformat()
    exact = "milliseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=UTC).isoformat(timespec=exact).replace("+00:00", "Z")
