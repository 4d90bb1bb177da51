"""a column of image bytes in FILE.parquet ──▶ the images of a span, without the others in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from models.errors import DataError
from models.tables.table_file import check_names, clean_names
from scoring.chunks import CHUNK, Failed, Image, Span


class ImageBytes:
    """Images of a table's rows, read from its start to its end.

    Args:
        path: of the table.
        column: with bytes, or with structs of `bytes` and perhaps `path`, as Hugging Face stores images.
    """

    def __init__(self, path: Path, column: str) -> None:
        self._path = path
        self._column = _stored_name(path, column)
        self._batches: Iterator[Any] = iter(())
        self._rows: list[bytes | None] = []
        self._first = 0
        """The row of the first of `_rows`."""
        self._next = 0
        """The row that the next batch begins with."""

    def __call__(self, span: Span) -> list[Image]:
        """The images of a span.

        Raises:
            DataError: the file cannot be read.
        """
        first, end = span
        if first < self._first or (not self._rows and not self._next):
            self._open(first)
        try:
            while self._next < end:
                self._take(next(self._batches), first)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self._path} cannot be read as parquet: {error}") from error
        rows = self._rows[first - self._first : end - self._first]
        return [Failed("unreadable", f"row {first + at + 2} has no image") if row is None else row
                for at, row in enumerate(rows)]  # fmt: skip

    def _take(self, batch: Any, first: int) -> None:
        """Adds a batch, and forgets rows before `first`."""
        column = batch.column(0)
        values = column.field("bytes") if pa.types.is_struct(column.type) else column
        rows = [*self._rows, *values.to_pylist()]
        kept_from = min(max(self._first, first), self._next + batch.num_rows)
        self._rows, self._first = rows[kept_from - self._first :], kept_from
        self._next += batch.num_rows

    def _open(self, row: int) -> None:
        """Begins with the row group that has a row."""
        file = parquet.ParquetFile(self._path)
        group, start = 0, 0
        while start + (rows := file.metadata.row_group(group).num_rows) <= row:
            group, start = group + 1, start + rows
        groups = list(range(group, file.metadata.num_row_groups))
        self._batches = file.iter_batches(CHUNK, row_groups=groups, columns=[self._column])
        self._rows, self._first, self._next = [], start, start


def holds_bytes(path: Path, column: str) -> bool:
    """Whether a column has images themselves, not their paths.

    Raises:
        DataError: the file has no such column.
    """
    return _is_bytes(parquet.read_schema(path).field(_stored_name(path, column)).type)


def paths_of(path: Path, column: str) -> Iterator[str]:
    """A name for each image of a column of bytes: its own path if it has one, else file and row."""
    name = _stored_name(path, column)
    if "path" in _fields(parquet.read_schema(path).field(name).type):
        stored = parquet.ParquetFile(path).read(columns=[f"{name}.path"])[name]
        texts = [each and each["path"] for each in stored.to_pylist()]
    else:
        texts = [None] * parquet.read_metadata(path).num_rows
    for row, text in enumerate(texts, 2):  # as in a spreadsheet, where the header is row 1
        yield text or f"{path.name}#{row}"


def _is_bytes(type_: Any) -> bool:
    types = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(type_) for test in types) or "bytes" in _fields(type_)


def _fields(type_: Any) -> list[str]:
    return [field.name for field in type_] if pa.types.is_struct(type_) else []


def _stored_name(path: Path, column: str) -> str:
    names = parquet.read_schema(path).names
    (position,) = check_names(path, clean_names(names), clean_names((column,)))
    return str(names[position])
