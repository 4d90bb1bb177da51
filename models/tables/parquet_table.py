"""FILE.parquet ──▶ `TableFile`: values as texts, and the types that the file names."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.errors import ColumnError, DataError
from models.notation.number_notation import DecimalRule
from models.tables.missing_values import SURE, WORDS
from models.tables.table_file import ValueType, check_names, clean_names
from models.text import key

_WORDS = frozenset(key(word) for word in WORDS)
_Kind = Literal["number", "boolean", "date", "text", "time", "duration", "interval", "map", "list", "struct", "other"]
_ADVICE: dict[_Kind, str] = {
    "time": "write it as a number, such as the hour",
    "duration": "write it as a number, such as of seconds",
    "interval": "write it as a number, such as of days",
    "list": "write a column for each of its values",
    "struct": "write a column for each of its fields; a picture belongs into a file, of which the column has the path",
    "map": "write a column for each of its keys",
    "other": "write it as text or numbers",
}


@dataclass(frozen=True)
class ParquetTable:
    """A parquet file; see `TableFile`. Rows are numbered from 2, as if the names were row 1."""

    path: Path
    header: tuple[str, ...]
    types: Mapping[str, ValueType]
    unusable: Mapping[str, str]
    how: tuple[str, ...] = ("parquet",)
    decimals: DecimalRule = field(default_factory=DecimalRule)

    def rows(self, names: Sequence[str]) -> Iterator[tuple[int, Sequence[str | None]]]:
        """See `TableFile`."""
        import pyarrow as pa  # noqa: PLC0415 (not for CSV)
        from pyarrow import parquet  # noqa: PLC0415

        positions = check_names(self.path, self.header, names)
        if wrong := [name for name in names if name in self.unusable]:
            raise DataError(f"{self.path}: column {wrong[0]!r} {self.unusable[wrong[0]]}")
        number = 1
        try:
            with parquet.ParquetFile(self.path) as file:
                stored = [file.schema_arrow.names[position] for position in positions]
                for batch in file.iter_batches(columns=stored):
                    columns = [_texts(batch.column(name), name, number) for name in stored]
                    for row in zip(*columns, strict=True):
                        number += 1
                        yield number, row
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path} cannot be read as parquet: {error}") from error


def open_parquet(path: Path, decimal: str | None, lists: Collection[str] = ()) -> ParquetTable:
    """Reads names and types.

    Args:
        path: of the file.
        decimal: the decimal sign, if it was asked for.
        lists: names of columns that may hold lists of texts; a cell is then such a list as JSON.

    Raises:
        DataError: it is not a parquet file, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise DataError(f"reading parquet needs pyarrow; pip install '.[train]' ({error})") from error
    try:
        schema = parquet.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error
    header = clean_names(schema.names)
    kinds = {name: _kind(column.type) for name, column in zip(header, schema, strict=True)}
    return ParquetTable(
        path=path,
        header=header,
        types={name: kind for name, kind in kinds.items() if kind in ("number", "date")},
        unusable={name: _refusal(column.type, kinds[name]) for name, column in zip(header, schema, strict=True)
                  if kinds[name] in _ADVICE and not (name in lists and _holds_texts(column.type))},
        decimals=DecimalRule(asked=decimal),
    )  # fmt: skip


def _kind(type_: Any) -> _Kind:
    """`number`, `boolean`, `date` or `text`; or a key of `_ADVICE` for a type that cannot be read."""
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(type_):
        return _kind(type_.value_type)
    tests: dict[_Kind, tuple[Callable[[Any], bool], ...]] = {
        "number": (types.is_integer, types.is_floating, types.is_decimal),
        "boolean": (types.is_boolean,),
        "date": (types.is_date, types.is_timestamp),
        "text": (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary,
                 types.is_fixed_size_binary, types.is_binary_view, types.is_null),
        "time": (types.is_time,),
        "duration": (types.is_duration,),
        "interval": (types.is_interval,),
        "map": (types.is_map,),
        "list": (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view),
        "struct": (types.is_struct,),
    }  # fmt: skip
    return next((kind for kind, found in tests.items() if any(test(type_) for test in found)), "other")


def _holds_texts(type_: Any) -> bool:
    """Whether a column of this type holds lists of texts."""
    from pyarrow import types  # noqa: PLC0415

    return _kind(type_) == "list" and bool(types.is_string(type_.value_type) or types.is_large_string(type_.value_type))


def _refusal(type_: Any, kind: _Kind) -> str:
    return f"is of type {str(type_)[:60]}, which is not supported; {_ADVICE[kind]}"


def _texts(column: Any, name: str, row: int) -> list[str | None]:
    """The values of one batch, which begins after `row`."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = _kind(column.type)
    if kind == "date":
        return _dates(column)
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        return _short_floats(column)
    values = column.to_pylist()
    if kind == "list":
        return [None if value is None else json.dumps(value) for value in values]
    if kind == "text":
        return [None if value is None else _text(value, name, row + count) for count, value in enumerate(values, 1)]
    return [None if value is None or value != value else _plain(value) for value in values]  # noqa: PLR0124 (NaN)


def _dates(column: Any) -> list[str | None]:
    """As ISO 8601 writes them, in UTC."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_timestamp(column.type):  # with a time zone or without, what is stored is UTC
        column = column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))
    elif pa.types.is_date64(column.type):
        column = column.cast(pa.date32())
    texts: list[str | None] = column.cast(pa.string()).to_pylist()
    return texts


def _short_floats(column: Any) -> list[str | None]:
    """The shortest texts of float32 numbers, such as 0.1, which is what a request would send."""
    values = column.to_numpy(zero_copy_only=False)  # null becomes NaN
    return [None if np.isnan(value) else np.format_float_positional(value, trim="-") for value in values]


def _plain(value: Any) -> str:
    """The shortest text of a number; a whole number has no fraction, as missing values turn integers into floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _text(value: str | bytes, name: str, row: int) -> str:
    try:
        text = (value.decode() if isinstance(value, bytes) else value).strip()
    except UnicodeDecodeError as error:
        raise ColumnError(
            f"column {name!r} has bytes in row {row} that are no text in UTF-8; a picture belongs into a file, of "
            "which the column has the path"
        ) from error
    return SURE + text if key(text) in _WORDS else text
