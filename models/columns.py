"""one column's value in a request ──▶ the checked value that the head's graph takes."""

from __future__ import annotations

import math
import re
import reprlib
import sys
from functools import cached_property
from typing import Literal

from pydantic import Field

from models.dates import days_text, parse_days
from models.errors import BadColumns
from models.frozen import Frozen, is_empty, is_none
from models.text import key

ColumnType = Literal["number", "category", "boolean", "date"]
ColumnValue = float | str | bool | None
"""A value as the graph takes it: a date is its days since 1970-01-01 in UTC, a missing value is None."""

_MAX_NUMBER = sys.float_info.max
_LONGEST_INTEGER = 40  # digits that an error shows
_NUMERAL = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_JSON = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


class Column(Frozen):
    """One structured fact beside the image, which is one input of the head's graph."""

    name: str
    type: ColumnType
    required: bool = True
    low: float | None = Field(default=None, exclude_if=is_none)
    """Least value that the head was fitted on, in days since 1970-01-01 for a date; smaller values count as this."""
    high: float | None = Field(default=None, exclude_if=is_none)
    """Greatest value that the head was fitted on; greater values count as this."""
    categories: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """The most frequent categories in training; any other text counts as none of them."""
    cleaning: Literal["exact", "folded"] = Field(default="exact", exclude_if=lambda cleaning: cleaning == "exact")
    """`exact`: only equal texts are one category. `folded`: texts of equal `models.text.key` are one category."""

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Categories by their text and, if folded, by their key."""
        by_key = {key(category): category for category in self.categories} if self.cleaning == "folded" else {}
        return by_key | {category: category for category in self.categories}

    def check(self, value: object) -> ColumnValue:
        """Checks a request's value, which is not null, and returns it as the graph takes it.

        A folded category of spaces alone gives None.

        Raises:
            BadColumns: another type, or an invalid number, date or text; with the name, the value and an example.
        """
        if self.type == "category":
            if isinstance(value, str):
                return self._category(value)
        elif self.type == "date":
            if isinstance(value, str):
                return self._days(value)
        elif isinstance(value, bool):
            if self.type == "boolean":
                return value
        elif self.type == "number" and isinstance(value, int | float):
            return self._number(value)
        raise BadColumns(
            f"column {self.name!r} is a {self.type}; got {_shown(value)}, {_JSON.get(type(value), 'another type')}; "
            f"send {self._advice(value)}"
        )

    def is_outside(self, value: ColumnValue) -> bool:
        """Whether a number or a date is outside the range that the head was fitted on."""
        if value is None or self.low is None or self.high is None or isinstance(value, str):
            return False
        return not self.low <= value <= self.high

    def _category(self, value: str) -> str | None:
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, which JSON allows and UTF-8 does not
            raise BadColumns(f"column {self.name!r} is not valid text; got {reprlib.repr(value)}") from error
        if self.cleaning == "exact":
            return value
        if known := self.spellings.get(value):
            return known
        folded = key(value)
        return self.spellings.get(folded, value) if folded else None

    def _days(self, value: str) -> float:
        try:
            return parse_days(value)
        except ValueError as error:
            raise BadColumns(f"column {self.name!r} is a date; {error}") from error

    def _number(self, value: float) -> float:
        try:
            number = float(value)
        except OverflowError:  # an integer
            number = math.inf
        if not math.isfinite(number):
            raise BadColumns(
                f"column {self.name!r} must be a finite number of at most ±{_MAX_NUMBER:.2g}; got {_shown(value)}"
            )
        return number

    def _advice(self, value: object) -> str:
        """What to send instead of a value of the wrong type."""
        if self.type == "number":
            if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):
                return f"it without quotes: {value.strip().replace(',', '.')}"
            return f"a number, such as {1.5 if self.low is None else self.low:.15g}"
        if self.type == "boolean":
            return "true or false, without quotes"
        if self.type == "date":
            return f'a text of ISO 8601, such as "{days_text(self.low or 0.0)}"'
        if isinstance(value, int | float) and not isinstance(value, bool):
            return f'it in quotes: "{_shown(value)}"'
        return f'a text, such as "{self.categories[0] if self.categories else "a"}"'


def _shown(value: object) -> str:
    """The value, shortened for an error message."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_INTEGER:  # Python refuses to print more than 4300 digits
        return f"an integer of {math.floor(math.log10(abs(value))) + 1} digits"
    return reprlib.repr(value)
