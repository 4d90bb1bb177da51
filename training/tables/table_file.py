"""FILE ──▶ `TableFile`: the names of its columns, and its rows as a stream of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from models.text import clean, key
from training.exceptions import DataError
from training.notation.number_notation import DecimalRule

ValueType = Literal["number", "date"]
"""Types that decide how a column is read, if the file names one."""
_SHOWN_NAMES = 30


class TableFile(Protocol):
    """A file with a header, and rows that are numbered as a spreadsheet numbers them, the header being 1."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns, cleaned; some may be empty or the same."""

    @property
    def how(self) -> tuple[str, ...]:
        """How it is read, in sentences."""

    @property
    def decimals(self) -> DecimalRule:
        """What is known of its numbers."""

    @property
    def types(self) -> Mapping[str, ValueType]:
        """The types of columns that the file names; of others they are found from the texts."""

    @property
    def unusable(self) -> Mapping[str, str]:
        """Columns that cannot be read, each with the reason."""

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, Sequence[str | None]]]:
        """The number of each row that is not empty, and its cells of some columns.

        Cells are without spaces at their ends, have `training.tables.missing_values.SURE` before words that are certain
        not to stand
        for a missing value, and are None where the file has null.

        Raises:
            DataError: a column that is not there, or a row that cannot be read.
        """


def check_names(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where some columns are in a header.

    Raises:
        DataError: one is not there, or several have its name.
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
    """Names as they are compared: without spaces at their ends, and in one Unicode form."""
    return tuple(clean(name) for name in names)
