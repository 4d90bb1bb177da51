"""FILE ──▶ `TableFile`: the names of its columns, and its rows as a stream of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from models.errors import DataError
from models.notation.number_notation import DecimalRule
from models.text import clean, key

ValueType = Literal["number", "date"]
"""Types that decide how a column is read, if the file names one."""
_SHOWN_NAMES = 30


class TableFile(Protocol):
    """A file with a header, and rows that are numbered as in a spreadsheet, where the header is row 1."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns, cleaned; some may be empty or the same."""

    @property
    def how(self) -> tuple[str, ...]:
        """Sentences on how it is read."""

    @property
    def decimals(self) -> DecimalRule:
        """What is known about its numbers."""

    @property
    def types(self) -> Mapping[str, ValueType]:
        """Types of the columns for which the file names one; other types are found from the texts."""

    @property
    def unusable(self) -> Mapping[str, str]:
        """Columns that cannot be read, each with the reason."""

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, Sequence[str | None]]]:
        """The number of each row that is not empty, and its cells of some columns.

        Cells have no spaces at their ends. `models.tables.missing_values.SURE` marks words that are no missing value.
        Null is None.

        Raises:
            DataError: a column does not exist, or a row cannot be read.
        """


def check_names(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """The positions of some columns in a header.

    Raises:
        DataError: a column does not exist, or several have its name.
    """
    if not any(header):
        raise DataError(f"{path} is empty")
    counts = Counter(header)
    if repeated := [name for name in names if counts[name] > 1]:
        raise DataError(f"{path} has {counts[repeated[0]]} columns named {repeated[0]!r}; rename them")
    if unknown := [name for name in names if not counts[name] or not name]:
        more = f" and {len(header) - _SHOWN_NAMES:,} more" if len(header) > _SHOWN_NAMES else ""
        like = [name for name in header if key(name) == key(unknown[0])]
        hint = f"; is {like[0]!r} meant?" if like else ""
        if len(header) == 1:
            hint = "; if it has more, name what is between the cells with --separator"
        listed = ", ".join(map(repr, header[:_SHOWN_NAMES]))
        raise DataError(f"{path} has no column {unknown[0]!r}; it has {listed}{more}{hint}")
    return [header.index(name) for name in names]


def clean_names(names: Sequence[str]) -> tuple[str, ...]:
    """Cleaned names: without spaces at their ends, and in one Unicode form."""
    return tuple(clean(name) for name in names)
