"""columns beside images ──▶ `ColumnRows`: the same rows stored by column, so that no step loops over rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from models.columns import ColumnValue

Rows = Sequence[Mapping[str, ColumnValue]]
"""Checked columns, one mapping a row; None where a value is missing."""


@dataclass(frozen=True, eq=False)
class Values:
    """One column of some rows.

    Attributes:
        distinct: its values, each once, in order of their first row.
        numbers: the same as float64 `[V]`; NaN for a missing value or a text.
        positions: the position of each row's value among them, int64 `[N]`.
    """

    distinct: tuple[ColumnValue, ...]
    numbers: NDArray[np.float64]
    positions: NDArray[np.int64]

    @classmethod
    def of(cls, values: Iterable[ColumnValue]) -> Values:
        """Some values, one a row."""
        index: dict[ColumnValue, int] = {}
        positions = np.array([index.setdefault(value, len(index)) for value in values], np.int64)
        numbers = [np.nan if value is None or isinstance(value, str) else float(value) for value in index]
        return cls(tuple(index), np.array(numbers, np.float64), positions)

    def __len__(self) -> int:
        return len(self.positions)

    def part(self, positions: NDArray[np.integer]) -> Values:
        """Those of some rows."""
        return replace(self, positions=self.positions[positions])

    def __add__(self, other: Values) -> Values:
        index = {value: position for position, value in enumerate(self.distinct)}
        moved = np.array([index.setdefault(value, len(index)) for value in other.distinct], np.int64)
        numbers = np.concatenate([self.numbers, other.numbers[moved >= len(self.distinct)]])
        return Values(tuple(index), numbers, np.concatenate([self.positions, moved[other.positions]]))

    def given(self) -> list[ColumnValue]:
        """One a row."""
        return [self.distinct[position] for position in self.positions.tolist()]

    def as_numbers(self) -> NDArray[np.float64]:
        """One a row, float64 `[N]`; NaN where it is missing."""
        return self.numbers[self.positions]

    def counts(self) -> NDArray[np.int64]:
        """In how many rows each distinct value is, `[V]`."""
        return np.bincount(self.positions, minlength=len(self.distinct))


@dataclass(frozen=True, eq=False)
class ColumnRows(Sequence[Mapping[str, ColumnValue]]):
    """Rows of at least one column; each mapping is made when it is needed.

    Attributes:
        columns: by name; all have the same number of rows.
    """

    columns: Mapping[str, Values]

    @classmethod
    def of(cls, rows: Rows) -> Rows:
        """The same rows by column; unchanged if there are no rows, as then nothing names the columns."""
        if isinstance(rows, cls) or not rows or not rows[0]:
            return rows
        return cls({name: Values.of(row[name] for row in rows) for name in rows[0]})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @overload
    def __getitem__(self, index: int) -> Mapping[str, ColumnValue]: ...

    @overload
    def __getitem__(self, index: slice) -> ColumnRows: ...

    def __getitem__(self, index: int | slice) -> Mapping[str, ColumnValue] | ColumnRows:
        if isinstance(index, slice):
            return self.part(np.arange(len(self))[index])
        return {name: values.distinct[values.positions[index]] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[Mapping[str, ColumnValue]]:
        given = [values.given() for values in self.columns.values()]
        return (dict(zip(self.columns, row, strict=True)) for row in zip(*given, strict=True))

    def part(self, positions: NDArray[np.integer]) -> ColumnRows:
        """Some of them."""
        return ColumnRows({name: values.part(positions) for name, values in self.columns.items()})

    def __add__(self, other: ColumnRows) -> ColumnRows:
        return ColumnRows({name: values + other.columns[name] for name, values in self.columns.items()})


def joined(first: Rows, second: Rows) -> Rows:
    """The rows of both."""
    if isinstance(first, ColumnRows) and isinstance(second, ColumnRows):
        return first + second
    return first or second


def values_of(rows: Rows, name: str) -> Values:
    """A column of rows."""
    return rows.columns[name] if isinstance(rows, ColumnRows) else Values.of(row[name] for row in rows)
