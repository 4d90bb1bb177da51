"""texts of one column ──▶ days since 1970-01-01 in UTC, if they are dates with a certain day and month."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.dates import EXAMPLE, parse_days
from models.errors import DataError
from models.notation.number_notation import At

RULE = f"a date is written as ISO 8601 has it, such as {EXAMPLE}"
_OFFSET = r"(?: ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))"
_TIME = rf"(?P<time>[T ]+[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]+)?)?{_OFFSET}?)?"
_YEAR_FIRST = re.compile(
    rf"(?P<year>[0-9]{{4}})(?P<mark>[./])(?P<month>[0-9]{{1,2}})(?P=mark)(?P<day>[0-9]{{1,2}}){_TIME}"
)
_YEAR_LAST = re.compile(
    rf"(?P<first>[0-9]{{1,2}})(?P<mark>[./-])(?P<second>[0-9]{{1,2}})(?P=mark)(?P<year>[0-9]{{4}}){_TIME}"
)
_UNREADABLE = re.compile(
    r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}(?:[T ].*)?|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4} .*[aApP]\.?[mM]\.?"
    r"|[0-9]{1,2}\.?[ -][^\W\d_]{3,}\.?,?[ -][0-9]{2,4}(?: .*)?|[^\W\d_]{3,}\.? [0-9]{1,2}, ?[0-9]{4}(?: .*)?"
)
_ZONE = re.compile(r"(?: ?[+-]00:?00)? ?(?:UTC|GMT)$| Z$", re.IGNORECASE)
_SPACED_OFFSET = re.compile(r" +(?=[+-][0-9]{2}(?::?[0-9]{2})?$)")
_EIGHT_DIGITS = re.compile(r"(?:19|20|21(?=00))[0-9]{6}")
_SPAN = re.compile(r"[0-9]{4}[-/](?:0?[1-9]|1[0-2])|[0-9]{4}-?W[0-9]{2}(?:-?[1-7])?|(?:0?[1-9]|1[0-2])[-/.][0-9]{4}")


@dataclass(frozen=True)
class DateNotation:
    """The dates of a column.

    Attributes:
        values: days of each text that is a date.
        notes: how they were read, if they are not in ISO 8601.
    """

    values: Mapping[str, float]
    notes: tuple[str, ...] = ()


def read_dates(counts: Counter[str], at: At) -> DateNotation:
    """Reads the texts of one column, without those that stand for a missing value.

    Returns:
        The dates; empty if at most half of the texts are dates.

    Raises:
        DataError: most are dates whose day, month or year is uncertain.
    """
    unreadable = [text for text in counts if _UNREADABLE.fullmatch(text)]
    if _are_most(unreadable, counts):
        raise DataError(f"has dates such as {at(unreadable[0])}, whose parts are uncertain; {RULE}")
    values = {text: days for text in counts if (days := _days(text)) is not None}
    others = {text: found for text in counts if text not in values and (found := _match(text)) is not None}
    if not _are_most([*values, *others], counts):
        return DateNotation({})
    if not others:
        return DateNotation(values)
    day_first = _is_day_first(others, at)
    read = {text: days for text, found in others.items() if (days := _days(_iso(found, day_first))) is not None}
    notes = tuple(f"{text!r} is taken for {_iso(others[text], day_first)}" for text in [*read][:1])
    return DateNotation(values | read, notes)


def _are_most(texts: Iterable[str], counts: Counter[str]) -> bool:
    return sum(counts[text] for text in texts) * 2 > counts.total()


def _days(text: str) -> float | None:
    if not text[:4].isdigit():  # quick, for the many texts that are no date
        return None
    try:
        return parse_days(_zoned(text))
    except ValueError:
        return None


def _zoned(text: str) -> str:
    """The text with its zone in ISO 8601."""
    return _SPACED_OFFSET.sub("", _ZONE.sub("Z", text))


def looks_like_dates(texts: Iterable[str]) -> str:
    """A sentence on numbers or categories that may be meant as dates; empty if they do not look like dates."""
    texts = list(texts)
    if texts and all(_EIGHT_DIGITS.fullmatch(text) and _days(f"{text}T0000") is not None for text in texts):
        return f"{texts[0]!r} and the like look like dates written YYYYMMDD; write YYYY-MM-DD to have dates"
    if texts and all(map(_SPAN.fullmatch, texts)):
        return f"{texts[0]!r} and the like look like months or weeks; write a day, YYYY-MM-DD, to have dates"
    return ""


def _match(text: str) -> re.Match[str] | None:
    return _YEAR_FIRST.fullmatch(text) or _YEAR_LAST.fullmatch(text)


def _is_day_first(dates: Mapping[str, re.Match[str]], at: At) -> bool:
    """Whether the day comes before the month, as in 31/12/2024: always with points, else a number above 12 shows it.

    Raises:
        DataError: no number shows it, or numbers contradict each other.
    """
    open_ones = {text: found for text, found in dates.items() if found.re is _YEAR_LAST and found["mark"] != "."}
    if not open_ones:
        return True
    days_first = [text for text, found in open_ones.items() if int(found["first"]) > 12]
    months_first = [text for text, found in open_ones.items() if int(found["second"]) > 12]
    if bool(days_first) == bool(months_first):
        examples = [at(text) for text in (*days_first[:1], *months_first[:1])] or [at(next(iter(open_ones)))]
        raise DataError(
            f"has dates such as {' and '.join(examples)}, in which day and month cannot be told apart; {RULE}"
        )
    return bool(days_first)


def _iso(found: re.Match[str], day_first: bool) -> str:
    parts = found.groupdict()
    if found.re is _YEAR_FIRST:
        month, day = parts["month"], parts["day"]
    else:
        day, month = (parts["first"], parts["second"]) if day_first else (parts["second"], parts["first"])
    time = (parts["time"] or "").lstrip("T ")
    hours, colon, rest = time.partition(":")
    return f"{parts['year']}-{month:0>2}-{day:0>2}" + (f"T{hours:0>2}:{_zoned(rest)}" if colon else "")
