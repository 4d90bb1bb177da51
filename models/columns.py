"""one structured fact beside the image ──▶ checked, as the head's graph takes it."""

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
"""As the graph takes it: of a date, its days since 1970-01-01 in UTC; None where it is missing."""

_MAX_NUMBER = sys.float_info.max
_LONGEST_INTEGER = 40  # digits that an error repeats
_NUMERAL = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_JSON = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


class Column(Frozen):
    """One structured fact beside the image, and one input of the head's graph."""

    name: str
    type: ColumnType
    required: bool = True
    low: float | None = Field(default=None, exclude_if=is_none)
    """Least value that the head was fitted on, of a date in days since 1970-01-01; lesser ones count as it."""
    high: float | None = Field(default=None, exclude_if=is_none)
    """Greatest value that the head was fitted on; greater ones count as it."""
    categories: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Those that training saw, the most frequent ones; any other counts as none of them."""
    cleaning: Literal["exact", "folded"] = Field(default="exact", exclude_if=lambda cleaning: cleaning == "exact")
    """Which texts are one category: equal ones, or those of one `models.text.key`, which differ in case, spaces or
    Unicode form only."""

    @cached_property
    def spellings(self) -> dict[str, str]:
        """Each category by its own text and, where they are folded, by its key."""
        by_key = {key(category): category for category in self.categories} if self.cleaning == "folded" else {}
        return by_key | {category: category for category in self.categories}

    def check(self, value: object) -> ColumnValue:
        """A request's value, which is not null, as the graph takes it; None for a folded category of spaces alone.

        Raises:
            BadColumns: another type, or no such number, date or text; with the name, the value and an example.
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
        """Whether a number or a date lies beyond what the head was fitted on."""
        if value is None or self.low is None or self.high is None or isinstance(value, str):
            return False
        return not self.low <= value <= self.high

    def _category(self, value: str) -> str | None:
        try:
            value.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can carry and UTF-8 cannot
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
        """What would be right instead of a value of another type."""
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
    """A value of a request, short enough for an error."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_INTEGER:  # Python writes none of more than 4300 digits
        return f"an integer of {math.floor(math.log10(abs(value))) + 1} digits"
    return reprlib.repr(value)
