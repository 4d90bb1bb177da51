"""the cells of one column ──▶ its type, found from all of them, its values, and notes on both."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from models.columns import Column, ColumnValue
from models.dates import days_text
from models.notation import date_notation, number_notation
from models.notation.date_notation import looks_like_dates, read_dates
from models.notation.number_notation import read_numbers
from models.notation.truth_words import TRUTHS
from models.tables.missing_values import SURE, Cells
from models.tables.raw_column import RawColumn
from training.exceptions import DataError
from training.notation.number_doubts import why_no_numbers
from training.notation.spellings import merge_spellings

_NAMES_SHARE = 0.5  # of the rows: with more different texts a column identifies rows instead of describing them
_NAMES_COUNT = 200
_SHOWN = 5

Found = tuple[Mapping[str, float], tuple[str, ...]]
"""Numbers by their texts, and notes on how they were read; empty if the texts are something else."""


@dataclass(frozen=True)
class TypedColumn:
    """A column with its type and values.

    Attributes:
        column: name and type.
        values: one for each row.
        notes: sentences on how the cells were read, without the column's name.
        extent: the range of the values, or the most frequent ones, as people read them.
    """

    column: Column
    values: list[ColumnValue]
    notes: tuple[str, ...]
    extent: str

    @property
    def described(self) -> str:
        """The type and the contents."""
        return describe(self.column.type, self.extent, self.values, self.notes)


def find_type(raw: RawColumn) -> TypedColumn:
    """Finds the type of a column, and converts its cells.

    Raises:
        DataError: it is empty, a few cells do not have the type of the others, or it only identifies rows.
    """
    cells, notes = raw.missing.measured(raw.cells)
    counts = Counter(cell for cell in cells if cell is not None)
    if not counts and not any(raw.missing.named(raw.cells)[0]):
        raise DataError(f"column {raw.name!r} is empty in all {len(raw.cells)} rows; leave it out")
    if counts and all(text.lower() in TRUTHS for text in counts):
        return _boolean(raw.name, cells, notes)
    try:
        numbers, how = find_numbers(raw, counts)
        if numbers:
            values = [numbers.get(cell or "") for cell in cells]
            return _measured(raw.name, "number", values, (*how, *_dates_meant(counts), *notes))
        dates, how = _find_dates(raw, counts)
        if dates:
            return _measured(raw.name, "date", [dates.get(cell or "") for cell in cells], (*how, *notes))
    except DataError as error:
        raise DataError(f"column {raw.name!r} {error}") from error
    return _category(raw)


def find_numbers(raw: RawColumn, counts: Counter[str]) -> Found:
    """The numbers among a column's texts, and notes on how they were read; empty if it has another type.

    Raises:
        DataError: all but a few texts are numbers (named).
    """
    if raw.type == "date":
        return {}, ()
    if raw.type == "number":  # the file says so, and its signs have no other meaning
        return _complete(raw, counts, _finite(counts), (), f"numbers; {number_notation.RULE}")
    notation = read_numbers(counts, raw.decimals, raw.at)
    return _complete(raw, counts, notation.values, notation.notes, f"numbers; {number_notation.RULE}")


def _find_dates(raw: RawColumn, counts: Counter[str]) -> Found:
    dates = read_dates(counts, raw.at)
    return _complete(raw, counts, dates.values, dates.notes, f"dates; {date_notation.RULE}")


def _complete(
    raw: RawColumn, counts: Counter[str], values: Mapping[str, float], notes: tuple[str, ...], rule: str
) -> Found:
    """The values if each text has one; empty if at least half of the cells have none.

    Raises:
        DataError: fewer than half of the cells have none.
    """
    wrong = [text for text in counts if text not in values]
    cells = sum(counts[text] for text in wrong)
    if wrong and cells * 2 >= counts.total() and raw.type is None:
        return {}, ()
    if wrong:
        what, _, rule = rule.partition("; ")
        more = f" and {cells - _SHOWN:,} more" if cells > _SHOWN else ""
        listed = ", ".join(itertools.islice(_each(raw, set(wrong)), _SHOWN))
        raise DataError(
            f"has {what}, but {listed}{more}; {rule}; mend these cells, leave them empty, or name them with --missing"
        )
    return values, notes


def _each(raw: RawColumn, texts: set[str]) -> Iterator[str]:
    for cell, line in zip(raw.cells, raw.lines, strict=True):
        if cell is not None and cell.removeprefix(SURE) in texts:
            yield f"{cell.removeprefix(SURE)[:60]!r} in row {line}"


def _finite(texts: Iterable[str]) -> dict[str, float]:
    return {text: number for text in texts if math.isfinite(number := float(text))}


def _boolean(name: str, cells: Cells, notes: tuple[str, ...]) -> TypedColumn:
    values: list[ColumnValue] = [None if cell is None else TRUTHS[cell.lower()] for cell in cells]
    counts = Counter(values)
    column = Column(name=name, type="boolean", required=None not in counts)
    return TypedColumn(column, values, notes, f"{counts[True]:,} true, {counts[False]:,} false")


def _measured(
    name: str, type_: Literal["number", "date"], values: list[float | None], notes: tuple[str, ...]
) -> TypedColumn:
    given = [value for value in values if value is not None]
    low, high = min(given), max(given)
    show = days_text if type_ == "date" else "{:.12g}".format
    column = Column(name=name, type=type_, required=len(given) == len(values), low=low, high=high)
    return TypedColumn(column, list(values), notes, f"{show(low)} to {show(high)}")


def _category(raw: RawColumn) -> TypedColumn:
    cells, notes = raw.missing.named(raw.cells)
    values, sentences = merge_spellings(cells)
    counts = Counter(value for value in values if value is not None)
    texts = Counter(cell for cell in cells if cell is not None)
    doubts = _dates_meant(texts) or why_no_numbers(texts, raw.at)
    if len(counts) > max(_NAMES_COUNT, _NAMES_SHARE * counts.total()):
        raise DataError(
            f"column {raw.name!r} has {len(counts):,} different texts in {len(cells):,} rows: it tells rows apart "
            f"instead of describing them, and text is not understood; {'; '.join(('leave it out', *doubts))}"
        )
    categories = tuple(sorted(category for category, _ in counts.most_common(_NAMES_COUNT)))
    rare = (f"all but the {_NAMES_COUNT} most frequent count as one",) if len(counts) > _NAMES_COUNT else ()
    column = Column(
        name=raw.name, type="category", required=None not in values, categories=categories, cleaning="folded"
    )
    return TypedColumn(column, list(values), (*doubts, *rare, *sentences, *notes), most_frequent(values))


def _dates_meant(texts: Iterable[str]) -> tuple[str, ...]:
    return (sentence,) if (sentence := looks_like_dates(texts)) else ()


def describe(type_: str, extent: str, values: Sequence[object], notes: Sequence[str] = ()) -> str:
    """The type of a column, its contents, how many values are missing, and how they were read."""
    lacking = sum(value is None for value in values)
    missing = (f"{lacking:,} of {len(values):,} missing",) if lacking else ()
    return ", ".join((type_, extent, *missing, *notes))


def most_frequent(texts: Iterable[str | None]) -> str:
    """The number of different texts, and the most frequent ones."""
    counts = Counter(text for text in texts if text is not None)
    listed = ", ".join(f"{text[:60]} ({count:,})" for text, count in counts.most_common(_SHOWN))
    return f"{len(counts):,} values: {listed}{', ...' if len(counts) > _SHOWN else ''}"
