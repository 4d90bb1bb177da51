"""rows of chunks ──▶ `part-FIRST-LAST.parquet`: whole parts, whose names say which rows are there."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from models.errors import DataError
from scoring.chunks import Span, missing_spans, split
from scoring.output.output_folder import OutputFolder

_NAME = re.compile(r"part-(\d{10})-(\d{10})\.parquet")
_MOST_WAITING = 2
"""Parts that are made and not written yet."""


def spans_in(names: Iterable[str]) -> list[Span]:
    """The rows that the parts among some files have."""
    found = [_NAME.fullmatch(name) for name in names]
    return sorted((int(match[1]), int(match[2]) + 1) for match in found if match)


def spans_left(names: Sequence[str], wanted: int, total: int) -> list[Span]:
    """The first rows that no part has.

    Args:
        names: of the files of the output.
        wanted: number of rows that are to be there.
        total: rows of the input.

    Raises:
        DataError: two parts have a row, or a part has rows that the input does not have.
    """
    done = spans_in(names)
    if done and done[-1][1] > total:
        raise DataError(f"{part_name(done[-1])} has more rows than the input, which has {total}")
    try:
        return missing_spans(done, wanted)
    except ValueError as error:
        raise DataError(f"parts of the output overlap: {error}; remove one of them") from error


def part_name(span: Span) -> str:
    """The file of some rows."""
    return f"part-{span[0]:010}-{span[1] - 1:010}.parquet"


class PartWriter:
    """Puts the rows of chunks together, and writes a part when it has all of its rows.

    Args:
        folder: takes the parts.
        kept: the first columns of all rows of the input.
        spans: the rows that are to be written.
        rows_per_file: of a part, at most.
    """

    def __init__(self, folder: OutputFolder, kept: Any, spans: Iterable[Span], rows_per_file: int) -> None:
        self._folder = folder
        self._kept = kept
        self._ends = dict(split(spans, rows_per_file))
        self._part_of: dict[int, int] = {}
        self._waiting: dict[int, dict[int, Any]] = {first: {} for first in self._ends}
        self._rows_per_file = rows_per_file
        self._writing: list[Future[None]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")

    def add(self, first: int, rows: Any) -> None:
        """Takes the rows of a chunk; writes the parts that they complete."""
        for start, end in split([(first, first + rows.num_rows)], self._rows_per_file):
            part = self._first_of(start)
            self._waiting[part][start] = rows.slice(start - first, end - start)
            if sum(each.num_rows for each in self._waiting[part].values()) == self._ends[part] - part:
                self._write(sorted(self._waiting.pop(part).items()))

    def finish(self) -> None:
        """Writes the rows that wait, also those of parts that lack some, and waits until all are there.

        Raises:
            OSError: a part cannot be written.
        """
        for chunks in self._waiting.values():
            for run in _runs(sorted(chunks.items())):
                self._write(run)
        self._waiting = {}
        self._thread.shutdown()
        for written in self._writing:
            written.result()

    def _first_of(self, row: int) -> int:
        """The first row of the part that has a row."""
        aligned = row // self._rows_per_file * self._rows_per_file
        if aligned in self._waiting and row < self._ends[aligned]:
            return aligned
        return next(first for first in self._waiting if first <= row < self._ends[first])

    def _write(self, chunks: Sequence[tuple[int, Any]]) -> None:
        while len(self._writing) >= _MOST_WAITING:
            self._writing.pop(0).result()
        first = chunks[0][0]
        scored = pa.Table.from_batches([rows for _, rows in chunks])
        span = first, first + scored.num_rows
        kept = self._kept.slice(first, scored.num_rows)
        table = pa.table([*kept.columns, *scored.columns], names=[*kept.column_names, *scored.column_names])
        self._writing.append(self._thread.submit(self._store, span, table))

    def _store(self, span: Span, table: Any) -> None:
        file = io.BytesIO()
        parquet.write_table(table, file, compression="zstd")
        self._folder.write(part_name(span), file.getvalue())


def _runs(chunks: Sequence[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    """Chunks that follow one another without a gap, together."""
    before, run = [], 0
    end = None
    for first, rows in chunks:
        run += first != end
        end = first + rows.num_rows
        before.append((run, (first, rows)))
    for _, group in groupby(before, key=lambda each: each[0]):
        yield [chunk for _, chunk in group]
