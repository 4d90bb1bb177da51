"""the cells of a column whose type a head knows ──▶ values, as a request would have them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from models.columns import Column
from models.dates import parse_days
from models.errors import BadColumns, DataError
from models.notation.date_notation import RULE as DATE_RULE
from models.notation.date_notation import read_dates
from models.notation.number_notation import RULE as NUMBER_RULE
from models.notation.number_notation import read_numbers
from models.notation.truth_words import TRUTHS
from models.tables.missing_values import SURE
from models.tables.raw_column import RawColumn
from models.text import key

Value = float | str | bool | BadColumns | None
"""A value for `HeadSpec.stored`: a date is its days since 1970-01-01. Or what is wrong with the cell."""
_RULES = {"number": NUMBER_RULE, "date": DATE_RULE, "boolean": f"it is one of {', '.join(TRUTHS)}"}


def read_values(raw: RawColumn, column: Column) -> list[Value]:
    """Reads the cells of a column as training reads them, but for the type, which the head knows.

    A word that stands for a missing value is a category if it is one of the head's, or quoted.

    Raises:
        DataError: the column's numbers or dates can be read in two ways.
    """
    if column.type == "category":
        texts = {cell: _category(raw, column, cell) for cell in set(raw.cells) if cell is not None}
        return [None if cell is None else texts[cell] for cell in raw.cells]
    cells, _ = raw.missing.measured(raw.cells)
    known = _read(raw, column, Counter(cell for cell in cells if cell is not None))
    return [
        None if cell is None else known[cell] if cell in known else _wrong(column, cell, line)
        for cell, line in zip(cells, raw.lines, strict=True)
    ]


def _read(raw: RawColumn, column: Column, counts: Counter[str]) -> Mapping[str, float | bool]:
    """The values of a column's texts; those that have none are left out."""
    try:
        if column.type == "boolean":
            return {text: TRUTHS[text.lower()] for text in counts if text.lower() in TRUTHS}
        if column.type == "date":
            return _dates(counts) | dict(read_dates(counts, raw.at).values)
        if raw.type == "number":  # the file says so, and its signs have no other meaning
            return {text: number for text in counts if math.isfinite(number := float(text))}
        return read_numbers(counts, raw.decimals, raw.at).values
    except DataError as error:
        raise DataError(f"column {raw.name!r} {error}") from error


def _dates(counts: Counter[str]) -> dict[str, float]:
    """Days of the texts that are dates in ISO 8601."""
    found = {}
    for text in counts:
        try:
            found[text] = parse_days(text)
        except ValueError:
            continue
    return found


def _category(raw: RawColumn, column: Column, cell: str) -> str | None:
    text = cell.removeprefix(SURE)
    if raw.missing.measured([cell])[0][0] is not None:
        return text
    if raw.missing.asked or not text:
        return None
    return text if cell.startswith(SURE) or text in column.spellings or key(text) in column.spellings else None


def _wrong(column: Column, cell: str, line: int) -> BadColumns:
    return BadColumns(
        f"column {column.name!r} is a {column.type}; got {cell[:60]!r} in row {line}; {_RULES[column.type]}"
    )
