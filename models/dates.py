"""an ISO 8601 date ──▶ days since 1970-01-01 in UTC, and back; tables and requests share it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

EXAMPLE = "2024-05-31 or 2024-05-31T14:30:00+02:00"
"""Examples for error messages."""

_EPOCH = datetime(1970, 1, 1)  # offsets are subtracted as durations, so that the years 1 and 9999 work
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_FIRST, _LAST = datetime.min - _EPOCH, datetime.max - _EPOCH
_MOST_OFFSET = timedelta(hours=23, minutes=59)
_LEAST = (_FIRST - _MOST_OFFSET) / _DAY
_MOST = (_LAST + _MOST_OFFSET - timedelta(milliseconds=1)) / _DAY  # so that rounding stays within the year 9999
_OFFSET = r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)?"
_FRACTION = r"(?:[.,]\d+)?"
_FORM = re.compile(
    rf"\d{{4}}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d{_FRACTION})?{_OFFSET})?"
    rf"|\d{{8}}[Tt]\d{{4}}(?:\d\d{_FRACTION})?{_OFFSET}",
    re.ASCII,
)


def parse_days(text: str) -> float:
    """Parses a date to days since 1970-01-01T00:00Z; a time without an offset is UTC, spaces at the ends are ignored.

    Raises:
        ValueError: neither a date, `2024-05-31`, nor a date with a time, `2024-05-31T14:30:00+02:00` or
            `20240531T143000+0200`.
    """
    text = text.strip(" \t\r\n")
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no date of ISO 8601, such as {EXAMPLE}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no date of ISO 8601, such as {EXAMPLE}: {error}") from error
    since = moment.replace(tzinfo=None) - _EPOCH - (moment.utcoffset() or timedelta())
    return since / _DAY


def days_text(days: float) -> str:
    """Writes days since 1970-01-01 as an ISO 8601 date, or date and UTC time to the millisecond; see `parse_days`.

    If the year in UTC is not 1 to 9999, the smallest offset of whole hours that makes it so is used. A moment that no
    offset brings there is written as the first or the last possible one.
    """
    since = timedelta(milliseconds=round(min(max(days, _LEAST), _MOST) * 86_400_000))
    offset = _offset(since)
    moment = _EPOCH + (since + offset)
    if not offset and moment.time() == _EPOCH.time():
        return moment.date().isoformat()
    exact = "milliseconds" if moment.microsecond else "seconds"
    text = moment.replace(tzinfo=timezone(offset) if offset else UTC).isoformat(timespec=exact)
    return text.replace("+00:00", "Z")


def _offset(since: timedelta) -> timedelta:
    """The smallest offset in which the moment's year is 1 to 9999; `since` is its time after 1970 in UTC."""
    if since < _FIRST:
        return min(-((since - _FIRST) // _HOUR) * _HOUR, _MOST_OFFSET)
    if since > _LAST:
        return max(((_LAST - since) // _HOUR) * _HOUR, -_MOST_OFFSET)
    return timedelta()
